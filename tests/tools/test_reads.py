"""Reads lose nothing and claim nothing: what a record says, ids that can be cancelled, pairs that cannot be read."""

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gunbot_mcp.dispatch import Caller
from gunbot_mcp.domain import is_order_id
from gunbot_mcp.gunbot.ids import exact, is_id

if TYPE_CHECKING:
    from support.recorder import Recorder

    from gunbot_mcp.render import Answer
    from gunbot_mcp.runtime import Runtime

pytestmark = pytest.mark.anyio

BTC = {"exchange": "binance", "pair": "USDT-BTC"}
TODAY = {"timezone": "UTC", "keys": ["binance/USDT-BTC"]}
EXAMPLE = {"days": ["2025-06-20"], "orders": [123456, 123457], "closeOrders": [123450, 123451]}
"""The official example of `/orders/day` (gunbot-openapi.yaml)."""
IDS = (
    *("461773", "OXXXXX-ABCDE-123456", "6d1c9a52-7f3c-4c8e-a3f6-0d1f2e3a4b5c", "1234567890123456789"),
    *("a/b+c==", "/9j4AAQSkZJRg+/=", "x" * 65, "Q" * 200, "0x9f:12", "+abc", "_x-1", "binance#7"),
)


async def _ask(runtime: "Runtime", tool: str, arguments: dict[str, Any]) -> "Answer":
    answer: Any = await runtime.dispatcher.call(tool, arguments, Caller(name="tests"))
    json.dumps(answer.structured, allow_nan=False)
    return answer


def _rows(answer: "Answer") -> list[dict[str, Any]]:
    columns = answer.structured["columns"]
    assert len(columns) == len(set(columns))
    return [dict(zip(columns, row, strict=True)) for row in answer.structured["rows"]]


def _texts(answer: "Answer") -> Iterable[dict[str, str]]:
    return csv.DictReader(answer.text.splitlines()[1:])


# Open orders


@pytest.mark.slow
@pytest.mark.parametrize("field", ["id", "orderId", "orderID", "ordId", "order_id", "orderid", "uuid"])
@pytest.mark.parametrize("order_id", IDS)
async def test_every_id_that_is_listed_can_be_cancelled_exactly_as_it_is(
    runtime: "Runtime", recorder: "Recorder", field: str, order_id: str
) -> None:
    recorder.show({field: order_id, "type": "buy", "rate": 49000, "amount": 0.2})

    [listed] = _rows(await _ask(runtime, "list_open_orders", BTC))
    names = ("exchange", "pair", "order_id", "price", "order_type")
    answer = await _ask(runtime, "cancel_order", {name: listed[name] for name in names})

    assert listed["order_id"] == order_id
    assert not answer.is_error
    assert order_id in answer.text
    [sent] = recorder.to("/trade/cancel")
    assert sent.data()["data"]["id"] == order_id


async def test_an_id_beyond_what_javascript_counts_is_listed_with_all_its_digits(
    runtime: "Runtime", recorder: "Recorder"
) -> None:
    recorder.show({"id": 1234567890123456789, "clientOrderId": 2**60, "type": "buy", "rate": 5, "amount": 1})

    answer = await _ask(runtime, "list_open_orders", BTC)

    [row], [line] = _rows(answer), _texts(answer)
    assert row["order_id"] == line["order_id"] == "1234567890123456789"
    assert row["clientOrderId"] == line["clientOrderId"] == str(2**60)


@pytest.mark.parametrize("strange", ["a b", "x\ny", "\u202e7", "x" * 257, {"a": 1}, True, "..", "a'b"])
async def test_what_can_be_no_id_is_shown_but_not_as_one(
    runtime: "Runtime", recorder: "Recorder", strange: object
) -> None:
    recorder.show({"id": strange, "type": "buy", "rate": 5, "amount": 1})

    [row] = _rows(await _ask(runtime, "list_open_orders", BTC))

    assert row["order_id"] is None
    assert row["id"] == strange


async def test_fields_with_the_names_of_our_columns_stand_beside_them(runtime: "Runtime", recorder: "Recorder") -> None:
    record = {
        "id": "7",
        "side": "LONG",
        "type": "sell",
        "exchange": "Binance",
        "order_type": "GTC",
        "rate": 5,
        "price": 6,
    }
    recorder.show(record)

    [row] = _rows(await _ask(runtime, "list_open_orders", BTC))

    assert (row["side"], row["exchange"], row["price"]) == ("sell", "binance", 5)
    assert row["gunbot_side"] == "LONG"
    assert row["gunbot_exchange"] == "Binance"
    assert row["gunbot_price"] == 6


async def test_a_kind_is_listed_only_where_the_record_says_one(runtime: "Runtime", recorder: "Recorder") -> None:
    recorder.show({"id": 1, "type": "buy", "rate": 5}, {"id": 2, "type": "buy", "rate": 5, "orderType": "STOP_LOSS"})

    plain, stop = _rows(await _ask(runtime, "list_open_orders", BTC))

    assert plain["kind"] is None
    assert stop["kind"] == "stop_loss"


async def test_a_pair_that_cannot_be_read_hides_no_other(runtime: "Runtime", recorder: "Recorder") -> None:
    order = {"id": 1, "type": "buy", "rate": 5, "amount": 1}
    memory = {
        "binance/USDT-BTC": {"openOrders": [order]},
        "binance/USDT-ETH": {"openOrders": "soon"},
        "binance/USDT-XRP": {"openOrders": [5, order]},
        "binance/USDT-SOL": {"Bid": 5},
        "kraken/USDT-ADA": {"openOrders": 7},
    }
    recorder.on("/coremem", recorder.json({"memory": memory}))

    everything = await _ask(runtime, "list_open_orders", {})
    one = await _ask(runtime, "list_open_orders", {"exchange": "binance"})

    assert [row["pair"] for row in _rows(everything)] == ["USDT-BTC", "USDT-XRP"]
    assert everything.structured["not_known"] == ["binance/USDT-SOL"]
    assert everything.structured["not_readable"] == ["binance/USDT-ETH", "binance/USDT-XRP", "kraken/USDT-ADA"]
    for key in ("binance/USDT-SOL", "binance/USDT-ETH", "kraken/USDT-ADA"):
        assert key in everything.text.splitlines()[0]
    assert "kraken" not in one.text


# Balances


async def test_amounts_with_grouped_thousands_are_read(runtime: "Runtime", recorder: "Recorder") -> None:
    balance = {"Asset": "USDT", "Exchange": "binance", "Available Qty": "1,234.50", "On Order": "12,345,678"}
    recorder.on("/balances", recorder.json([balance]))

    answer = await _ask(runtime, "get_balances", {})

    assert answer.structured["rows"] == [["binance", "USDT", 1234.5, 12345678]]


@pytest.mark.parametrize("amount", ["n/a", "1.234,50", "12,34", "?", "", {}, True])
async def test_an_amount_that_cannot_be_read_is_shown_as_it_is(
    runtime: "Runtime", recorder: "Recorder", amount: object
) -> None:
    balance = {"Asset": "USDT", "Exchange": "binance", "Available Qty": amount, "On Order": "1"}
    recorder.on("/balances", recorder.json([balance]))

    answer = await _ask(runtime, "get_balances", {})

    [row], [line] = _rows(answer), _texts(answer)
    assert (row["available"], row["on_order"]) == (None, 1)
    assert row["Available Qty"] == amount
    assert line["Available Qty"] == (amount if isinstance(amount, str) else json.dumps(amount))


# Today's orders


def test_the_example_is_the_official_one(root: Path) -> None:
    reference = root.parent.parent / "shared" / "reference" / "gunbot-openapi.yaml"
    if reference.exists():
        text = reference.read_text(encoding="utf-8").partition("OrdersDayResponse:\n")[2].partition("example:\n")[2]
        assert re.findall(r"\d{6}", text)[:4] == ["123456", "123457", "123450", "123451"]


async def test_the_official_example_of_todays_orders_is_passed_on_whole_and_not_counted(
    runtime: "Runtime", recorder: "Recorder"
) -> None:
    recorder.on("/orders/day", recorder.json(EXAMPLE))

    answer = await _ask(runtime, "list_orders_today", TODAY)

    assert answer.structured == {**EXAMPLE, "keys": TODAY["keys"]}
    assert "nothing is counted" in answer.text.splitlines()[0]
    assert answer.text.splitlines()[1:] == [
        *("days", "2025-06-20"),
        *("orders", "123456", "123457"),
        *("closeOrders", "123450", "123451"),
    ]


async def test_counts_that_can_be_nothing_else_are_said_in_words(runtime: "Runtime", recorder: "Recorder") -> None:
    body = {"days": ["2025-06-19", "2025-06-20"], "orders": [3, 1], "closeOrders": [1, 0]}
    recorder.on("/orders/day", recorder.json(body))

    answer = await _ask(runtime, "list_orders_today", TODAY)

    assert answer.structured == {**body, "keys": TODAY["keys"]}
    assert (
        answer.text
        == "binance/USDT-BTC: 2025-06-19: 3 orders, 1 of them closing; 2025-06-20: 1 order, 0 of them closing"
    )


@pytest.mark.parametrize(
    "body",
    [
        {"days": ["2025-06-20"], "orders": [123456], "closeOrders": [1]},
        {"days": ["2025-06-20"], "orders": [3], "closeOrders": []},
        {"days": ["2025-06-20"], "orders": [True], "closeOrders": [1]},
        {"days": ["Friday"], "orders": [3], "closeOrders": [1]},
        {"days": ["2025-06-20"], "orders": ["3"], "closeOrders": ["1"]},
        {"days": ["2025-06-20"], "orders": [3], "closeOrders": [1], "more": [9]},
    ],
)
async def test_what_may_be_something_else_is_not_counted(
    runtime: "Runtime", recorder: "Recorder", body: dict[str, Any]
) -> None:
    recorder.on("/orders/day", recorder.json(body))

    answer = await _ask(runtime, "list_orders_today", TODAY)

    assert answer.structured == {**body, "keys": TODAY["keys"]}
    assert "nothing is counted" in answer.text


async def test_long_ids_among_todays_orders_are_text(runtime: "Runtime", recorder: "Recorder") -> None:
    recorder.on("/orders/day", recorder.json({"orders": [2**60, {"id": 5}]}))

    answer = await _ask(runtime, "list_orders_today", TODAY)

    assert answer.structured == {"orders": [str(2**60), {"id": "5"}], "keys": TODAY["keys"]}


# All of them


async def test_nested_values_are_json_in_text(runtime: "Runtime", recorder: "Recorder") -> None:
    recorder.on("/orders", recorder.json({"data": [{"id": 1, "meta": {"tag": None, "on": True, "orderId": 2**60}}]}))

    answer = await _ask(runtime, "list_orders", {"key": "binance/USDT-BTC"})

    nested = {"tag": None, "on": True, "orderId": str(2**60)}
    assert answer.structured["rows"] == [["1", nested]]
    [line] = _texts(answer)
    assert json.loads(line["meta"]) == nested


@pytest.mark.parametrize("name", ["id", "orderId", "orderID", "order_id", "ordId", "clientOrderId", "tradeid", "uuid"])
def test_names_of_ids_are_known(name: str) -> None:
    assert is_id(name)
    assert exact(name, 5) == "5"


@pytest.mark.parametrize("name", ["Bid", "bid", "paid", "mid", "BID", "grid", "valid", "time", "amount"])
def test_other_names_are_none_and_their_numbers_stay_numbers(name: str) -> None:
    assert not is_id(name)
    assert exact(name, [5, True, 1.5]) == [5, True, 1.5]


@pytest.mark.parametrize(
    "text", ["", "..", "a/../b", "/etc/passwd", "a b", "a\n", "\u0661", "<b>", "a;b", "a?b", "a%2F"]
)
def test_what_may_be_anything_else_is_no_order_id(text: str) -> None:
    assert not is_order_id(text)
