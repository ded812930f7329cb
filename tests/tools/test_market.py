"""The reads around the seventeen: quote, balances, open orders, exchanges; in words and in data."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from gunbot_mcp.dispatch import Caller
from gunbot_mcp.domain import Capability
from gunbot_mcp.exchanges import EXCHANGES

if TYPE_CHECKING:
    from support.recorder import Recorder

    from gunbot_mcp.runtime import Runtime

pytestmark = pytest.mark.anyio
BTC = {"exchange": "binance", "pair": "USDT-BTC"}


async def _ask(runtime: "Runtime", tool: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - an answer of any shape
    return await runtime.dispatcher.call(tool, arguments, Caller(name="tests"))


async def test_a_quote_is_the_top_of_the_book_and_names_the_assets(runtime: "Runtime", recorder: "Recorder") -> None:
    recorder.on(
        "/market/orderbook",
        recorder.json({"data": {"ask": [["50010.5", 2], [50001.1, 3]], "bid": [[49998, 4], [50000.9, "1.5"]]}}),
    )

    answer = await _ask(runtime, "get_quote", BTC)

    at = answer.structured.pop("at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", at)
    assert answer.structured == {
        "exchange": "binance",
        "pair": "USDT-BTC",
        "bid": 50000.9,
        "bid_amount": 1.5,
        "ask": 50001.1,
        "ask_amount": 3,
        "spread": 0.2,
        "spread_percent": 0.0004,
    }
    assert answer.text == (
        f"binance/USDT-BTC at {at}: bid 50000.9 (amount 1.5), ask 50001.1 (amount 3) USDT per BTC, "
        "spread 0.2 (0.0004 %)"
    )


async def test_a_quote_of_a_pair_with_a_name_of_its_own_names_no_assets(runtime: "Runtime") -> None:
    answer = await _ask(runtime, "get_quote", {"exchange": "bitmex", "pair": "XBTUSD"})

    assert "per" not in answer.text.partition(": bid")[2]


@pytest.mark.parametrize("book", [{"ask": [], "bid": [[1, 1]]}, {"ask": [[1, 1]], "bid": []}, {}])
async def test_a_quote_without_both_sides_is_no_quote(
    runtime: "Runtime", recorder: "Recorder", book: dict[str, Any]
) -> None:
    recorder.on("/market/orderbook", recorder.json({"data": book}))

    answer = await _ask(runtime, "get_quote", BTC)

    assert answer.error["code"] == "gateway_invalid_response"
    assert "active" in answer.error["hint"]


async def test_balances_are_rows_and_can_be_those_of_one_exchange(runtime: "Runtime", recorder: "Recorder") -> None:
    recorder.on(
        "/balances",
        recorder.json(
            [
                {"Asset": "USDT", "Exchange": "binance", "Available Qty": "442.80", "On Order": "0.0"},
                {"Asset": "BTC", "Exchange": "kraken", "Available Qty": None, "On Order": "0.0000001"},
            ]
        ),
    )

    everything = await _ask(runtime, "get_balances", {})
    one = await _ask(runtime, "get_balances", {"exchange": "kraken"})

    assert everything.structured == {
        "about": "2 balances",
        "columns": ["exchange", "asset", "available", "on_order"],
        "rows": [["binance", "USDT", 442.8, 0], ["kraken", "BTC", None, 1e-07]],
    }
    assert everything.text.splitlines() == [
        "2 balances",
        "exchange,asset,available,on_order",
        "binance,USDT,442.8,0",
        "kraken,BTC,,0.0000001",
    ]
    assert [row[0] for row in one.structured["rows"]] == ["kraken"]
    assert one.text.splitlines()[0] == "1 balance on kraken"


async def test_open_orders_have_what_cancelling_needs_and_every_field_of_theirs(
    runtime: "Runtime", recorder: "Recorder"
) -> None:
    order = {"id": 123, "type": "sell", "rate": "51000.5", "amount": 0.2, "time": 5, "strategy": "gain"}
    recorder.on("/coremem/single", recorder.json({"memory": {"binance/USDT-BTC": {"openOrders": [order]}}}))

    answer = await _ask(runtime, "list_open_orders", BTC)

    assert answer.structured["columns"] == [
        *("order_id", "exchange", "pair", "side", "kind", "price", "amount", "order_type"),
        *("time", "strategy"),
    ]
    assert answer.structured["rows"] == [["123", "binance", "USDT-BTC", "sell", None, 51000.5, 0.2, "limit", 5, "gain"]]
    assert answer.text.splitlines()[0] == "1 open order on binance/USDT-BTC, slightly delayed"
    [request] = recorder.requests
    assert request.body == b'{"exchange":"binance","pair":"USDT-BTC"}'


async def test_what_a_listed_order_says_can_be_given_to_cancel_order(runtime: "Runtime", recorder: "Recorder") -> None:
    order = {"id": "a-1", "type": "buy", "rate": 49000, "amount": 0.2}
    recorder.on("/coremem/single", recorder.json({"memory": {"binance/USDT-BTC": {"openOrders": [order]}}}))
    listed = await _ask(runtime, "list_open_orders", BTC)
    row = dict(zip(listed.structured["columns"], listed.structured["rows"][0], strict=True))

    names = ("exchange", "pair", "order_id", "price", "order_type")
    await _ask(runtime, "cancel_order", {name: row[name] for name in names})

    [request] = recorder.to("/trade/cancel")
    assert request.data()["data"] == {
        "exch": "binance",
        "pair": "USDT-BTC",
        "id": "a-1",
        "price": 49000,
        "type": "limit",
    }


async def test_without_a_pair_the_open_orders_of_all_pairs_are_listed(runtime: "Runtime", recorder: "Recorder") -> None:
    order = {"id": 1, "type": "buy", "rate": 1, "amount": 1}
    memory = {"binance/USDT-BTC": {"openOrders": [order]}, "bybit#2/USDT-ETH-LONG": {"openOrders": [order]}}
    recorder.on("/coremem", recorder.json({"memory": memory}))

    answer = await _ask(runtime, "list_open_orders", {})

    assert [row[1:3] for row in answer.structured["rows"]] == [["binance", "USDT-BTC"], ["bybit#2", "USDT-ETH-LONG"]]
    assert answer.text.startswith("2 open orders on all active pairs")


async def test_the_open_orders_of_one_exchange_are_listed(runtime: "Runtime", recorder: "Recorder") -> None:
    order = {"id": 1, "type": "buy", "rate": 5, "amount": 1}
    memory = {"binance/USDT-BTC": {"openOrders": [order]}, "binance#2/USDT-BTC": {"openOrders": [order]}}
    recorder.on("/coremem", recorder.json({"memory": memory}))

    answer = await _ask(runtime, "list_open_orders", {"exchange": "binance#2"})

    assert [row[1] for row in answer.structured["rows"]] == ["binance#2"]
    assert answer.text.startswith("1 open order on all active pairs of binance#2")


async def test_other_fields_of_a_balance_are_kept_and_a_null_name_is_none(
    runtime: "Runtime", recorder: "Recorder"
) -> None:
    recorder.on("/balances", recorder.json([{"Asset": None, "Exchange": "binance", "USD value": "5"}]))

    answer = await _ask(runtime, "get_balances", {})

    assert answer.structured["columns"][4:] == ["USD value"]
    assert answer.structured["rows"] == [["binance", "", None, None, "5"]]
    assert answer.text.startswith("1 balance\n")


async def test_no_open_orders_is_an_answer(runtime: "Runtime", recorder: "Recorder") -> None:
    recorder.on("/coremem/single", recorder.json({"memory": {"binance/USDT-BTC": {"openOrders": []}}}))

    answer = await _ask(runtime, "list_open_orders", BTC)

    assert answer.structured["rows"] == []
    assert answer.text == "0 open orders on binance/USDT-BTC, slightly delayed"


async def test_open_orders_that_nobody_can_see_are_not_called_none(runtime: "Runtime", recorder: "Recorder") -> None:
    recorder.on("/coremem/single", recorder.json({"memory": {}}))

    answer = await _ask(runtime, "list_open_orders", BTC)

    assert answer.structured["rows"] == []
    assert "not known" in answer.structured["about"]
    assert answer.text.startswith(answer.structured["about"])


async def test_the_exchanges_are_listed_with_what_they_can_do_and_who_says_so(
    runtime: "Runtime", recorder: "Recorder"
) -> None:
    answer = await _ask(runtime, "list_exchanges", {})

    rows = {
        row[0]: dict(zip(answer.structured["columns"][1:], row[1:], strict=True)) for row in answer.structured["rows"]
    }
    assert set(rows) == set(EXCHANGES)
    assert rows["binance"] == {
        "spot": True,
        "futures": False,
        **{c.value: c is not Capability.CLOSE for c in Capability},
        "futures_amounts": None,
    }
    assert rows["bybit"]["close"] is True
    assert set(answer.structured["sources"]) == {"stop_limit", "trailing_stop", "oco", "close"}
    assert "Binance specific" in answer.structured["sources"]["oco"]["binance"]
    assert "binance#2" in answer.text
    assert len(answer.text.splitlines()) == 2 + len(EXCHANGES) + 4
    assert recorder.requests == []
