"""What each exchange can do, and where that is known from; what is not known is refused, and nothing is sent."""

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from support.recorder import recorded

from gunbot_mcp.config import load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.domain import Capability
from gunbot_mcp.exchanges import (
    BINANCE_SOURCE,
    BYBIT_SOURCE,
    EXCHANGES,
    UNIVERSAL,
    Amounts,
    CapabilityMatrix,
    amounts_of,
    base_name,
    right_name,
)
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tools.inventory import inventory

if TYPE_CHECKING:
    from support.recorder import Recorder

DOCUMENTED = (
    "alpaca asterdex asterFutures binance binanceus binanceFutures bingx bitfinex bitget bitmex bitmex_testnet bybit "
    "cex coinbase cryptocom dydx dydx4 gateio hitbtc huobi hyperliquid kraken krakenFutures kucoin mexc okex5 poloniex "
    "mex_gunthy futures_gunthy okgunbot bydfi pancakeswap"
)
FUTURES_ONLY = "binanceFutures bitmex bitmex_testnet dydx dydx4 krakenFutures asterFutures futures_gunthy bydfi"
BOTH = "bybit bitget okex5 hyperliquid"
BINANCE_ONLY = (Capability.STOP_LIMIT, Capability.TRAILING_STOP, Capability.OCO)
ORDER: dict[str, Any] = {"pair": "USDT-BTC", "amount": 1}


def test_every_documented_name_is_known_and_no_other() -> None:
    assert set(EXCHANGES) == set(DOCUMENTED.split())
    assert "okx" not in EXCHANGES


def test_markets_are_the_documented_ones() -> None:
    assert {name for name, exchange in EXCHANGES.items() if not exchange.spot} == set(FUTURES_ONLY.split())
    assert {name for name, exchange in EXCHANGES.items() if exchange.spot and exchange.futures} == set(BOTH.split())


def test_capabilities_are_the_documented_ones() -> None:
    beyond = {name: set(exchange.capabilities - UNIVERSAL) for name, exchange in EXCHANGES.items()}

    assert {name: can for name, can in beyond.items() if can} == {
        "binance": set(BINANCE_ONLY),
        "bybit": {Capability.CLOSE},
    }
    assert all(exchange.capabilities >= UNIVERSAL for exchange in EXCHANGES.values())


def test_every_capability_has_a_source() -> None:
    matrix = CapabilityMatrix()
    for name, exchange in EXCHANGES.items():
        assert exchange.named_by
        for capability in Capability:
            assert (matrix.source(name, capability) is not None) is (capability in exchange.capabilities)
    assert matrix.source("binance", Capability.OCO) == BINANCE_SOURCE
    assert matrix.source("bybit#3", Capability.CLOSE) == BYBIT_SOURCE


@pytest.mark.parametrize(("slot", "name"), [("binance#2", "binance"), ("bybit", "bybit"), ("new#9", "new")])
def test_a_slot_can_do_what_its_exchange_can(slot: str, name: str) -> None:
    assert base_name(slot) == name
    assert CapabilityMatrix().of(slot) == CapabilityMatrix().of(name)


@pytest.mark.parametrize("name", ["okx", "Binance", "newest", "binance_", ""])
def test_an_unknown_name_can_do_what_every_exchange_can_and_nothing_else(name: str) -> None:
    assert CapabilityMatrix().of(name) == UNIVERSAL
    assert CapabilityMatrix().source(name, Capability.OCO) is None
    assert CapabilityMatrix().source(name, Capability.LIMIT)


def test_the_config_widens_and_never_narrows() -> None:
    matrix = CapabilityMatrix({"binanceus": [Capability.OCO], "newest": [Capability.CLOSE], "binance": []})

    assert matrix.of("binanceus#2") == UNIVERSAL | {Capability.OCO}
    assert matrix.of("newest") == UNIVERSAL | {Capability.CLOSE}
    assert matrix.of("binance") == UNIVERSAL | set(BINANCE_ONLY)
    assert matrix.exchanges_with(Capability.OCO) == ["binance", "binanceus"]
    assert matrix.source("newest", Capability.CLOSE) == "your config, [capabilities]"
    assert "newest" in {row[0] for row in matrix.rows()}


@pytest.mark.anyio
@pytest.mark.parametrize("exchange", ["kraken", "binanceus", "binanceFutures", "bybit", "newest", "okex5#2"])
@pytest.mark.parametrize(
    ("tool", "prices"),
    [
        ("buy_stop_limit", {"stop_price": 2, "limit_price": 3}),
        ("sell_trailing_stop", {"price": 3, "stop_price": 2}),
        ("buy_oco", {"price": 1, "stop_price": 2, "limit_price": 3}),
    ],
)
async def test_what_is_not_supported_sends_nothing_and_names_who_can(
    runtime: Runtime, recorder: "Recorder", exchange: str, tool: str, prices: dict[str, int]
) -> None:
    answer: Any = await runtime.dispatcher.call(tool, {**ORDER, **prices, "exchange": exchange}, Caller(name="tests"))

    error = answer.error
    assert error["code"] == "not_supported"
    assert exchange in error["message"]
    assert "exchanges that can: binance" in error["message"]
    assert "[capabilities]" in error["hint"]
    assert base_name(exchange) in error["hint"]
    assert [request for request in recorder.requests if "/trade/" in request.path] == []


@pytest.mark.anyio
@pytest.mark.parametrize("tool", ["close_limit", "close_market"])
async def test_closing_is_for_bybit(runtime: Runtime, recorder: "Recorder", tool: str) -> None:
    price = {"price": 50000} if tool == "close_limit" else {}
    order = {**ORDER, **price, "pair": "USDT-BTC-LONG"}

    refused: Any = await runtime.dispatcher.call(tool, {**order, "exchange": "binance"}, Caller(name="tests"))
    taken: Any = await runtime.dispatcher.call(tool, {**order, "exchange": "bybit#2"}, Caller(name="tests"))

    assert refused.error["code"] == "not_supported"
    assert "exchanges that can: bybit" in refused.error["message"]
    assert taken.structured["status"] == "accepted"
    assert [request.data()["data"]["exch"] for request in recorder.requests if "/trade/" in request.path] == ["bybit#2"]


@pytest.mark.anyio
async def test_a_capability_of_the_config_lets_the_order_through(recorder: "Recorder") -> None:
    limits = {"max_order": {"USDT": "1e9"}, "max_day": {"USDT": "1e9"}, "price_band_percent": "1e9"}
    paper = {"mode": "auto", "limits": limits}
    order = {**ORDER, "exchange": "binanceus", "stop_price": 50000, "limit_price": 50010}

    settings = load(instances={"paper": paper}, capabilities={"binanceus": ["stop_limit"]})
    async with Runtime(settings, seams=recorded(recorder)) as running:
        answer: Any = await running.dispatcher.call("buy_stop_limit", order, Caller(name="tests"))

    assert answer.structured["status"] == "accepted"
    assert len(recorder.to("/trade/buy/stoplimit")) == 1


def test_what_the_config_widens_can_be_rehearsed_on_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    limits = {"max_order": {"USD": "100"}, "max_day": {"USD": "100"}}
    settings = load(instances={"paper": {"market": "manual", "limits": limits}}, capabilities={"kraken": ["oco"]})
    order = {"exchange": "kraken", "pair": "USD-BTC", "amount": 0.001, "price": 50000}

    async def call() -> Any:  # noqa: ANN401 - an answer
        async with Runtime(settings) as runtime:
            arguments = {**order, "stop_price": 51900, "limit_price": 52000}
            return await runtime.dispatcher.call("buy_oco", arguments, Caller(name="tests"))

    assert anyio.run(call).structured["status"] == "accepted"


# Spelling

SPELLINGS = [
    ("Binance", "binance"),
    ("BINANCE", "binance"),
    ("okx", "okex5"),
    ("OKX#2", "okex5#2"),
    ("binance#1", "binance"),
    ("binance#02", "binance#2"),
    ("Binance#02", "binance#2"),
    ("okx#1", "okex5"),
    ("binance_futures", "binanceFutures"),
    ("BinanceUS", "binanceus"),
    ("krakenfutures", "krakenFutures"),
    ("gate", "gateio"),
    ("bitmexTestnet", "bitmex_testnet"),
]


@pytest.mark.parametrize(("written", "right"), SPELLINGS)
def test_another_spelling_leads_to_the_name_that_gunbot_writes(written: str, right: str) -> None:
    assert right_name(written) == right


@pytest.mark.parametrize("name", [*EXCHANGES, *(f"{name}#2" for name in EXCHANGES), "newone", "newone#3", "binance#10"])
def test_a_right_name_and_one_that_nobody_knows_stay_as_they_are(name: str) -> None:
    assert right_name(name) == name


def test_no_two_exchanges_have_one_name_in_other_letters() -> None:
    assert len({right_name(name.upper()) for name in EXCHANGES}) == len(EXCHANGES)


NAMED = [
    (tool.name, field)
    for tool in inventory()
    for field in ("exchange", "key", "keys")
    if field in tool.args.model_fields and tool.name != "decide_ticket"
]
GIVEN: dict[str, Any] = {
    "pair": "USDT-BTC",
    "amount": 0.001,
    "price": 50000,
    "stop_price": 49000,
    "limit_price": 48900,
    "order_id": "1",
    "order_type": "limit",
    "page": 0,
    "page_size": 5,
    "timezone": "UTC",
}


@pytest.mark.anyio
@pytest.mark.parametrize(("tool", "field"), NAMED)
async def test_every_tool_refuses_another_spelling_with_the_right_name_and_asks_gunbot_nothing(
    runtime: Runtime, recorder: "Recorder", tool: str, field: str
) -> None:
    known = next(one for one in inventory() if one.name == tool).args.model_fields
    given = {name: value for name, value in GIVEN.items() if name in known}
    for written, right in SPELLINGS:
        value: Any = written if field == "exchange" else f"{written}/USDT-BTC"

        answer: Any = await runtime.dispatcher.call(
            tool, {**given, field: [value] if field == "keys" else value}, Caller(name="tests")
        )

        error = answer.error
        assert error["code"] == "invalid_arguments", (written, error)
        assert f"must be {right}" in error["message"], error
    assert recorder.requests == []


# Units


@pytest.mark.parametrize(
    ("exchange", "pair", "counted"),
    [
        ("okex5", "USDT-DOGE-LONG", Amounts.CONTRACTS),
        ("okex5#2", "USDT-DOGE-SHORT", Amounts.CONTRACTS),
        ("okex5", "USD-BTC-200417", Amounts.CONTRACTS),
        ("okex5", "USDT-DOGE", Amounts.ASSET),
        ("bitmex", "XBT-USD", Amounts.CONTRACTS),
        ("krakenFutures", "XBT-MONTH", Amounts.CONTRACTS),
        ("bybit", "USDT-BTC-LONG", Amounts.ASSET),
        ("bybit", "USDT-BTC", Amounts.ASSET),
        ("binance", "USDT-BTC", Amounts.ASSET),
        ("binance", "USDT-BTC-LONG", Amounts.UNKNOWN),
        ("binanceFutures", "USDT-BTC", Amounts.UNKNOWN),
        ("bydfi", "USDT-BTC", Amounts.UNKNOWN),
        ("bitget", "USDT-BTC-LONG", Amounts.UNKNOWN),
        ("hyperliquid", "USDC-BTC", Amounts.UNKNOWN),
        ("pancakeswap", "USDT-CAKE", Amounts.ASSET),
        ("newone", "USDT-BTC-LONG", Amounts.UNKNOWN),
    ],
)
def test_what_an_amount_counts_is_said_per_exchange_and_kind_of_pair(
    exchange: str, pair: str, counted: Amounts
) -> None:
    found, source = amounts_of(exchange, pair)

    assert found is counted
    assert source


@pytest.mark.anyio
async def test_the_matrix_shows_how_futures_count(runtime: Runtime) -> None:
    answer: Any = await runtime.dispatcher.call("list_exchanges", {}, Caller(name="tests"))

    rows = [dict(zip(answer.structured["columns"], row, strict=True)) for row in answer.structured["rows"]]
    counted = {row["exchange"]: row["futures_amounts"] for row in rows}
    assert (counted["okex5"], counted["bybit"], counted["bydfi"], counted["binance"]) == (
        "contracts",
        "asset",
        "unknown",
        None,
    )
