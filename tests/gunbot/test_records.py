"""Gunbot's answers are read tolerantly: numbers as text, nulls, new fields; nothing is lost and nothing is invented."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.domain import Side
from gunbot_mcp.errors import GatewayInvalidResponse
from gunbot_mcp.gunbot.balances import balances
from gunbot_mcp.gunbot.records import (
    RECORD_FIELDS,
    all_open_orders,
    book,
    open_orders,
    record_list,
    to_table,
)


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, {"data": "x"}, {"data": [1]}, {"data": [None]}])
def test_records_that_are_no_list_of_objects_are_another_shape(body: dict[str, Any]) -> None:
    with pytest.raises(GatewayInvalidResponse):
        record_list(body)


def test_columns_come_in_the_order_in_which_fields_first_appear() -> None:
    table = to_table([{"time": 1, "pair": "A-B"}, {"pair": "A-C", "new": {"x": [1]}, "time": None}])

    assert table.columns == ["time", "pair", "new"]
    assert table.rows == [[1, "A-B", None], [None, "A-C", {"x": [1]}]]


def test_only_the_wanted_columns_come_in_the_wanted_order() -> None:
    table = to_table([{"time": 1, "rate": 2.5, "amount": 3}], ["amount", "time", "pnl"])

    assert table.columns == ["amount", "time", "pnl"]
    assert table.rows == [[3, 1, None]]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("87740.105", 87740.105),
        ("0.0007884042071927771", 0.0007884042071927771),
        ("442", 442),
        ("-5", -5),
        ("1.0", 1.0),
        ("1e-7", 1e-7),
        ("0.10", 0.1),
    ],
)
def test_a_number_that_arrives_as_text_becomes_a_number(text: str, number: float) -> None:
    [[shown]] = to_table([{"rate": text}]).rows

    assert shown == number
    assert type(shown) is type(number)


@pytest.mark.parametrize("text", ["", "n/a", "NaN", "Infinity", "0.12345678901234567890123", "1e400", "0x10", "1,5"])
def test_a_text_that_no_double_can_hold_stays_as_it_is(text: str) -> None:
    assert to_table([{"rate": text}]).rows == [[text]]


@pytest.mark.parametrize("name", ["id", "pair", "type", "toCancel", "note", "clientOrderId"])
def test_text_in_fields_that_are_not_numbers_stays_text(name: str) -> None:
    assert to_table([{name: "0123"}]).rows == [["0123"]]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_survives_as_number_and_as_text(value: float) -> None:
    as_number, as_text = to_table([{"rate": value}, {"rate": repr(value)}]).rows

    assert as_number == [value]
    assert float(as_text[0]) == value


@given(st.text(max_size=30))
def test_any_text_where_a_number_should_be_raises_nothing_and_loses_nothing(text: str) -> None:
    [[shown]] = to_table([{"amount": text}]).rows

    json.dumps(shown, allow_nan=False)
    if isinstance(shown, str):
        assert shown == text
    else:
        assert Decimal(repr(shown)) == Decimal(text.strip())


def test_the_documented_fields_are_the_samples_eighteen() -> None:
    assert len(RECORD_FIELDS) == len(set(RECORD_FIELDS)) == 18


def test_the_best_prices_are_found_whatever_the_order_of_the_levels() -> None:
    found = book({"data": {"ask": [["3", "1"], [2, 5], [4, 1]], "bid": [[0.5, 1], ["1", "7.25"]]}})

    assert (found.bid, found.bid_amount, found.ask, found.ask_amount) == (1, Decimal("7.25"), 2, 5)


@pytest.mark.parametrize(
    "side",
    [
        None,
        [],
        {},
        "x",
        [[]],
        [[0, 1]],
        [["x", 1]],
        [[-5, 1]],
        [[None, None]],
        [5],
        [["NaN", 1]],
        [[True, 1]],
        [[5, 0]],
        [[5, None]],
    ],
)
def test_levels_that_are_none_leave_the_side_empty(side: object) -> None:
    found = book({"data": {"ask": side, "bid": side}})

    assert (found.bid, found.ask) == (None, None)


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}])
def test_an_answer_without_a_book_is_another_shape(body: dict[str, Any]) -> None:
    with pytest.raises(GatewayInvalidResponse):
        book(body)


def test_balances_are_read_as_decimals_from_keys_with_spaces() -> None:
    [found] = balances([{"Asset": "USDT", "Exchange": "binance", "Available Qty": "442.80", "On Order": "0.0"}])

    assert (found.exchange, found.asset, str(found.available), found.on_order) == ("binance", "USDT", "442.80", 0)


def test_a_balance_that_is_no_number_is_none() -> None:
    [found] = balances([{"Asset": "USDT", "Available Qty": "n/a"}])

    assert (found.exchange, found.available, found.on_order) == ("", None, None)


MEMORY = {"openOrders": [{"id": 5, "type": "buy", "rate": "50000", "amount": 0.1}]}


@pytest.mark.parametrize(
    "body",
    [
        {"memory": {"binance/USDT-BTC": MEMORY}},
        {"binance/USDT-BTC": MEMORY},
        {"memory": MEMORY},
        MEMORY,
    ],
)
def test_open_orders_are_found_in_every_form_of_core_memory(body: dict[str, Any]) -> None:
    [order] = open_orders(body, "binance/USDT-BTC") or []

    assert (order.id, order.side, order.price, order.amount) == ("5", Side.BUY, 50000, Decimal("0.1"))
    assert (order.exchange, order.pair, order.order_type, order.plain) == ("binance", "USDT-BTC", "limit", True)
    assert order.raw == MEMORY["openOrders"][0]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "ok"},
        {"memory": None},
        {"memory": {}},
        {"memory": {"binance/A-B": None}},
        {"memory": {"binance/A-C": MEMORY}},
    ],
)
def test_of_a_pair_without_memory_nobody_knows_the_open_orders(body: dict[str, Any]) -> None:
    assert open_orders(body, "binance/A-B") is None


@pytest.mark.parametrize("memory", [{"Bid": 5}, {"Bid": 5, "openOrders": None}])
def test_a_pair_whose_open_orders_are_not_populated_yet_may_have_any(memory: dict[str, Any]) -> None:
    assert open_orders({"memory": {"binance/A-B": memory}}, "binance/A-B") is None
    every = all_open_orders({"memory": {"binance/A-B": memory}})
    assert (every.orders, every.unknown) == ((), ("binance/A-B",))


def test_a_core_memory_without_pairs_has_no_open_orders() -> None:
    assert all_open_orders({"memory": {}}).orders == ()


@pytest.mark.parametrize("body", [{}, {"status": "ok"}, {"memory": None}, {"memory": []}])
def test_an_answer_without_core_memory_is_not_taken_for_no_open_orders(body: dict[str, Any]) -> None:
    with pytest.raises(GatewayInvalidResponse):
        all_open_orders(body)


@pytest.mark.parametrize("found", [5, "x", [5], [None], True, {}, {"a": MEMORY["openOrders"][0]}])
def test_open_orders_that_are_no_list_of_objects_are_another_shape(found: object) -> None:
    with pytest.raises(GatewayInvalidResponse):
        open_orders({"memory": {"binance/A-B": {"openOrders": found}}}, "binance/A-B")


def test_the_open_orders_of_all_pairs_carry_their_own_key() -> None:
    sell = {"openOrders": [{"id": "x", "side": "SELL", "price": 1}]}

    found = all_open_orders({"memory": {"binance#2/USDT-BTC": MEMORY, "bybit/USDT-ETH-LONG": sell, "rest": sell}})

    assert [(order.exchange, order.pair, order.side) for order in found.orders] == [
        ("binance#2", "USDT-BTC", Side.BUY),
        ("bybit", "USDT-ETH-LONG", Side.SELL),
    ]


@pytest.mark.parametrize(
    "hint",
    [
        {"stopPrice": 49000},
        {"orderType": "STOP_LOSS_LIMIT"},
        {"kind": "trailing"},
        {"isOco": True},
        {"orderListId": 7, "contingencyType": "OCO"},
        {"triggerPrice": "1"},
    ],
)
def test_an_order_that_hints_at_a_stop_is_not_plain(hint: dict[str, Any]) -> None:
    [order] = open_orders({"openOrders": [{"id": 1, "type": "sell", "rate": 5, **hint}]}, "binance/USDT-BTC") or []

    assert order.plain is False


@pytest.mark.parametrize("nothing", [{"stopPrice": 0}, {"stopPrice": "0"}, {"stopPrice": None}, {"isOco": False}])
def test_a_stop_that_is_empty_hints_at_nothing(nothing: dict[str, Any]) -> None:
    [order] = open_orders({"openOrders": [{"id": 1, "type": "sell", "rate": 5, **nothing}]}, "binance/USDT-BTC") or []

    assert order.plain is True


def test_an_order_of_unknown_side_and_number_says_so() -> None:
    [order] = open_orders({"openOrders": [{"type": "limit", "orderType": "market"}]}, "binance/USDT-BTC") or []

    assert (order.id, order.side, order.price, order.amount, order.order_type) == ("", None, None, None, "market")
