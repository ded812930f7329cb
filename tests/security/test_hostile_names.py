"""No spelling of an exchange or a pair slips past a lock, a duplicate check or an allow-list.

Gunbot and the exchange may take `Binance`, `binance#1` or `okx` for what they are. If this server took them for other
exchanges than `binance` and `okex5`, the same order could go out twice, once under each name. So a name that is not the
right one is refused, with the right one, and never corrected in silence.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from security.hostile import ORDER_TOOLS, WIDE, Era, Model, Tally, arguments_of, hostile, nothing_leaked, sent_only

from gunbot_mcp.config import Settings
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.recorder import Recorder

MakeSettings = Callable[..., Settings]
pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOTH_ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])

EXCHANGES: tuple[tuple[str, str], ...] = (
    ("binance", "Binance"),
    ("binance", "BINANCE"),
    ("binance", "bInance"),
    ("binance", "binance#1"),
    ("binance", "binance#01"),
    ("binance", "Binance#1"),
    ("binance#2", "binance#02"),
    ("binance#2", "Binance#2"),
    ("binanceFutures", "binancefutures"),
    ("binanceus", "binanceUS"),
    ("okex5", "okx"),
    ("okex5", "OKX"),
    ("okex5", "okex"),
    ("okex5", "OKEX5"),
    ("okex5", "okx#1"),
    ("okex5#2", "okx#2"),
    ("bybit", "ByBit"),
    ("gateio", "gate"),
    ("huobi", "HuoBi"),
)
"""An exchange as Gunbot names it, and as somebody may write it."""
PAIRS: tuple[tuple[str, str], ...] = (
    ("USDT-BTC", "BTC-USDT"),
    ("USDT-BTC", "usdt-btc"),
    ("USDT-BTC", "USDT-btc"),
    ("USDT-BTC", "Usdt-Btc"),
    ("USDT-BTC", "btc-usdt"),
    ("USDT-ETH", "ETH-USDT"),
)
"""A pair as Gunbot lists it, and as somebody may write it."""
KNOWN = sorted({pair for pair, _ in PAIRS})
MONEY: dict[str, Any] = dict.fromkeys(("USDT", "BTC", "ETH"), "1e9")
LIMITS: dict[str, Any] = {**WIDE, "max_order": MONEY, "max_day": MONEY, "without_market_data": "allow"}


@pytest.fixture
def gunbot(recorder: "Recorder") -> "Recorder":
    """A Gunbot that has both pairs on every exchange, and takes every order."""
    recorder.on("/pairs", recorder.json({"status": "success", "pairList": KNOWN}))
    return recorder


def spelled(place: dict[str, str]) -> list[tuple[dict[str, str], str]]:
    """Return every other spelling of that place, each with the right name of what is misspelt."""
    exchange, pair = place["exchange"], place["pair"]
    named = [({**place, "exchange": wrong}, exchange) for right, wrong in EXCHANGES if right == exchange]
    return named + [({**place, "pair": wrong}, pair) for right, wrong in PAIRS if right == pair]


async def refused(model: Model, tool: str, arguments: dict[str, Any], right: str) -> bool:
    """Call, and return whether it was refused at once, no ticket was made, and the right name was said.

    Where the exchange cannot do it at all, that is said instead.
    """
    found = await model.call(tool, arguments)
    said = model.tally.shown[-1]
    told = right in said or "not_supported" in said
    return "ticket" not in found and found.get("status") is None and told


def none_slipped(slipped: list[object], gunbot: "Recorder", tally: Tally, approved: int) -> None:
    tally.unapproved = max(tally.unapproved, len(slipped))
    assert slipped == []
    sent_only(approved, gunbot, tally)
    assert "internal" not in tally.codes
    nothing_leaked(tally)


async def approve_all(runtime: Runtime) -> None:
    """A human who approves whatever waits, reading no names."""
    desk = await runtime.desk()
    for ticket in await desk.list(states={State.PENDING}):
        await desk.approve(ticket.id, by=TERMINAL)


def place(exchange: str, pair: str) -> dict[str, str]:
    return {"exchange": exchange, "pair": pair}


PLACES = [place(exchange, "USDT-BTC") for exchange in dict.fromkeys(right for right, _ in EXCHANGES)]


@BOTH_ERAS
async def test_another_spelling_is_not_another_order_while_a_duplicate_is_refused(
    era: Era, behind: MakeSettings, gunbot: "Recorder", tally: Tally
) -> None:
    slipped: list[object] = []
    chosen = behind(limits={**LIMITS, "duplicate_seconds": 3600})
    order = {**arguments_of("buy_limit"), **place("binance", "USDT-BTC")}
    async with hostile(chosen, era, tally) as (runtime, model):
        assert (await model.call("buy_limit", order))["status"] in {"awaiting_approval", "asked"}
        await approve_all(runtime)
        for where, right in [*spelled(place("binance", "USDT-BTC")), *spelled(place("binance#2", "USDT-BTC"))]:
            if not await refused(model, "buy_limit", {**order, **where}, right):
                slipped.append(where)
        await approve_all(runtime)
    none_slipped(slipped, gunbot, tally, approved=1)


@BOTH_ERAS
async def test_another_spelling_is_not_another_pair_while_an_order_of_unknown_fate_locks_it(
    era: Era, behind: MakeSettings, gunbot: "Recorder", tally: Tally
) -> None:
    slipped: list[object] = []
    gunbot.on("/trade/buy", gunbot.http(500, b'{"status": "error", "message": "An internal error occurred"}'))
    order = {**arguments_of("buy_limit"), **place("binance", "USDT-BTC")}
    async with hostile(behind(limits=LIMITS), era, tally) as (runtime, model):
        assert (await model.call("buy_limit", order))["status"] in {"awaiting_approval", "asked"}
        await approve_all(runtime)
        (lost,) = await (await runtime.desk()).list()
        assert lost.state is State.UNKNOWN
        for where, right in spelled(place("binance", "USDT-BTC")):
            for tool in ("buy_limit", "buy_market", "buy_oco"):
                held = await refused(model, tool, {**arguments_of(tool), **where}, right)
                slipped += [] if held else [(tool, where)]
        await approve_all(runtime)
    none_slipped(slipped, gunbot, tally, approved=1)


@BOTH_ERAS
@pytest.mark.parametrize("allowed", [{"exchanges": ["binance"]}, {"pairs": ["binance/USDT-BTC"]}], ids=str)
async def test_no_spelling_is_allowed_by_a_list_that_does_not_name_it(
    era: Era, allowed: dict[str, list[str]], behind: MakeSettings, gunbot: "Recorder", tally: Tally
) -> None:
    slipped: list[object] = []
    async with hostile(behind(limits={**LIMITS, **allowed}), era, tally) as (runtime, model):
        for exchange, wrong in EXCHANGES:
            for name in (exchange, wrong):
                if name == "binance":
                    continue
                for tool in ORDER_TOOLS:
                    found = await model.call(tool, {**arguments_of(tool), **place(name, "USDT-BTC")})
                    if "ticket" in found:
                        slipped.append((tool, name))
        await approve_all(runtime)
    none_slipped(slipped, gunbot, tally, approved=0)


@BOTH_ERAS
@pytest.mark.parametrize("where", PLACES, ids=lambda where: where["exchange"])
async def test_every_order_tool_refuses_every_other_spelling_with_the_right_name(
    era: Era, where: dict[str, str], behind: MakeSettings, gunbot: "Recorder", tally: Tally
) -> None:
    slipped: list[object] = []
    async with hostile(behind(limits=LIMITS), era, tally) as (runtime, model):
        for other, right in spelled(where):
            for tool in ORDER_TOOLS:
                held = await refused(model, tool, {**arguments_of(tool), **other}, right)
                slipped += [] if held else [(tool, other)]
        await approve_all(runtime)
    none_slipped(slipped, gunbot, tally, approved=0)
