"""`get_positions`: what is held now, each line by its source, zero ones left out, one call."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from gunbot_mcp.config import Settings, load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.runtime import Runtime, Seams
from gunbot_mcp.tools.positions import POSITION_TOOLS

if TYPE_CHECKING:
    from support.live import LiveGunbot

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio
TIME = 1731617894238


def _record(number: int, side: str, rate: float, amount: float, **more: object) -> dict[str, Any]:
    cost = rate * amount
    facts = {"rate": rate, "amount": amount, "cost": cost, "fees": 0, "pnl": 0, "id": f"i{number}"}
    return {"time": TIME + number, "type": side, **facts, **more}


RECORDS: dict[str, list[dict[str, Any]]] = {
    "binance/USDT-BTC": [_record(1, "buy", 40000, 0.5), _record(2, "buy", 44000, 0.5)],
    "bybit/USDT-ETH-SHORT": [_record(3, "sell", 2600, 2)],
    "binance/USDT-XRP": [_record(4, "buy", 0.5, 100), _record(5, "sell", 0.6, 100, pnl=10)],
}
MEMORY: dict[str, Any] = {
    "binance/USDT-BTC": {"Bid": 49990, "Ask": "50010", "quoteBalance": 1.5, "openOrders": []},
    "binance/USDT-XRP": {"Bid": 0.6, "Ask": 0.6, "quoteBalance": 0, "openOrders": []},
    "bybit/USDT-ETH-SHORT": {"Bid": 2500, "Ask": 2500, "quoteBalance": 2, "openOrders": []},
    "bybit/USDT-BTC-LONG": {"Bid": None, "Ask": 0, "quoteBalance": None, "openOrders": None},
}
BALANCES = [
    {"Asset": "BTC", "Exchange": "binance", "Available Qty": "1.4", "On Order": "0.1"},
    {"Asset": "USDT", "Exchange": "binance", "Available Qty": "1000", "On Order": "0.0"},
    {"Asset": "DOGE", "Exchange": "binance", "Available Qty": "7", "On Order": "0"},
    *({"Asset": f"A{n}", "Exchange": "binance", "Available Qty": "0.0", "On Order": "0.0"} for n in range(303)),
]


def _gunbot(**changes: object) -> httpx2.MockTransport:
    """A Gunbot with these records, this memory and 306 balances; `changes` are paths and what they answer instead."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v1")
        if path in changes:
            return httpx2.Response(int(str(changes[path])), json={"status": "error", "message": "away"})
        if path == "/orders/page":
            query = request.url.params
            found = RECORDS.get(query["key"], [])[::-1]
            page, size = int(query["page"]), int(query["pageSize"])
            named = [{**one, "pair": query["key"].partition("/")[2]} for one in found]
            part = named[page * size : (page + 1) * size]
            return httpx2.Response(200, json={"total": len(found), "page": page, "data": part})
        bodies: dict[str, object] = {
            "/balances": BALANCES,
            "/coremem": {"memory": MEMORY},
            "/time": {"serverTime": TIME},
        }
        return httpx2.Response(200, json=bodies[path])

    return httpx2.MockTransport(answer)


async def _positions(transport: httpx2.MockTransport, **arguments: object) -> Any:  # noqa: ANN401 - an answer
    async with Runtime(load(), seams=Seams(transport=transport, backoff=0)) as runtime:
        answer: Any = await runtime.dispatcher.call("get_positions", arguments, Caller(name="tests"))
    assert not answer.is_error, answer.text
    Draft202012Validator(dict(POSITION_TOOLS[0].output)).validate(answer.structured)  # pyright: ignore[reportUnknownMemberType] - its stubs
    return answer


def _rows(answer: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - an answer
    return [dict(zip(answer.structured["columns"], row, strict=True)) for row in answer.structured["rows"]]


async def test_open_exposure_in_one_asset_is_one_call_of_at_most_two_kilobytes() -> None:
    answer = await _positions(_gunbot(), value_in="USDT")

    assert answer.structured["sums"] == {
        "hedge_long": 0,
        "hedge_short": -5000,
        "balances": 76000,
        "exposure": 75000,
        "lots_long": 50000,
        "lots_short": -5000,
    }
    assert "balances 76000.00, of that open exposure in other assets 75000.00; lots long 50000.00" in answer.text
    assert "hedge pairs long 0.00, short -5000.00" in answer.text
    assert "WITHOUT DOGE: no active pair tells a price in USDT" in answer.text
    assert "binance/USDT-BTC 50000.00" in answer.text
    assert answer.text.startswith("Covers 4 of 4 keys, 5 records")
    assert max(len(answer.text.encode()), len(json.dumps(answer.structured))) <= 2_000


async def test_each_line_names_its_source_and_what_is_zero_is_left_out() -> None:
    rows = _rows(await _positions(_gunbot(), value_in="USDT"))

    assert {(row["source"], row["exchange"], row["held"], row["amount"]) for row in rows} == {
        ("balance", "binance", "BTC", 1.5),
        ("balance", "binance", "USDT", 1000),
        ("balance", "binance", "DOGE", 7),
        ("lots", "binance", "USDT-BTC", 1),
        ("lots", "bybit", "USDT-ETH-SHORT", -2),
        ("memory", "bybit", "USDT-ETH-SHORT", -2),
    }
    assert rows[-1]["held"] == "USDT", "what is held in the asset itself is no exposure"


async def test_lots_have_their_average_price_break_even_and_what_they_would_bring_now() -> None:
    rows = _rows(await _positions(_gunbot(), value_in="USDT"))
    long, short = (
        next(row for row in rows if row["source"] == "lots" and name in row["held"]) for name in ("BTC", "ETH")
    )

    assert (long["average"], long["break_even"], long["unrealised"], long["value"]) == (42000, 42000, 8000, 50000)
    assert (short["average"], short["unrealised"], short["value"]) == (2600, 200, -5000)


async def test_without_an_asset_to_value_in_nothing_is_summed_and_lots_come_first() -> None:
    answer = await _positions(_gunbot(), limit=2)

    assert [row["source"] for row in _rows(answer)] == ["lots", "lots"]
    assert "sums" not in answer.structured
    assert "4 smaller ones not shown (limit)" in answer.text


async def test_one_exchange_alone() -> None:
    rows = _rows(await _positions(_gunbot(), exchange="bybit"))

    assert {row["exchange"] for row in rows} == {"bybit"}


async def test_without_core_memory_the_balances_stand_and_it_is_said_that_prices_are_not_known() -> None:
    answer = await _positions(_gunbot(**{"/coremem": 500}), value_in="USDT")

    assert "Prices are not known" in answer.text
    assert ("balance", "BTC", None) in {(row["source"], row["held"], row["value"]) for row in _rows(answer)}


async def test_what_somebody_bought_at_a_live_gunbot_is_there_in_lots_and_balances(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    live_gunbot.place("/trade/buy/market", exch="binance", pair="USDT-BTC", amt=0.001)
    async with Runtime(live_settings()) as runtime:
        asked = {"value_in": "USDT", "limit": 100}
        answer: Any = await runtime.dispatcher.call("get_positions", asked, Caller(name="tests"))

    found = {(row["source"], row["exchange"], row["held"]): row["amount"] for row in _rows(answer)}
    assert found["lots", "binance", "USDT-BTC"] == 0.001
    assert found["balance", "binance", "BTC"] == 10.001
