"""The smart cancel rule lets an entry order go without a human: nothing else may pass for one.

A hostile model cancels whatever protects a position: stops, trailing stops, linked legs, take-profits and exits, which
the exchange shows as plain entries but for one detail, or for none at all, where only this server's own ledger knows.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from security.hostile import Era, Model, Tally, hostile, nothing_leaked

from gunbot_mcp.config import Settings
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.recorder import Recorder

MakeSettings = Callable[..., Settings]
pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOTH_ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])
BOTH_MODES = pytest.mark.parametrize("mode", ["approve", "auto"])

PLAIN: dict[str, Any] = {"id": "7001", "pair": "USDT-BTC", "type": "buy", "rate": 49000, "amount": 0.001}
CANCEL: dict[str, Any] = {
    "exchange": "binance",
    "pair": "USDT-BTC",
    "order_id": "7001",
    "price": 49000,
    "order_type": "limit",
}

DISGUISES: tuple[dict[str, Any], ...] = (
    # Binance: -1 is no list.
    {"orderListId": 4711},
    {"orderListId": "4711"},
    {"contingencyType": "OCO"},
    {"listClientOrderId": "oco-of-mine"},
    {"linkedOrderId": "7002"},
    {"linkedOrders": ["7002"]},
    {"parentOrderId": "6999"},
    {"group": "7000"},
    {"bracketId": "1"},
    {"algoId": "1"},
    {"attachAlgoOrds": [{"px": 51000}]},
    # What only the exchange's own words say, which Gunbot may pass on whole.
    {"info": {"type": "STOP_LOSS_LIMIT", "stopPrice": 1, "reduceOnly": True}},
    {"info": {"type": "STOP_LOSS_LIMIT"}},
    {"info": {"stopPrice": 1}},
    {"info": {"stopPrice": "48000.0"}},
    {"info": {"reduceOnly": True}},
    {"info": {"orderListId": 4711}},
    {"info": {"order": {"legs": [{"type": "TRAILING_STOP_MARKET"}]}}},
    {"info": [{"takeProfit": 51000}]},
    {"takeProfit": 51000},
    {"takeProfitPrice": "51000"},
    {"type": "take_profit_limit", "side": "buy"},
    {"orderType": "TAKE_PROFIT_LIMIT"},
    {"stopLoss": {"price": 1}},
    {"ordType": "tp"},
    {"ordType": "TP"},
    {"ordType": "sl"},
    {"tp": 51000},
    {"tpTriggerPx": "51000"},
    {"triggerPrice": 1},
    {"stopPrice": "1"},
    {"STOPPRICE": 1},
    {"trailingDelta": 100},
    {"trail": 100.0},
    {"kind": "stop_limit"},
    {"kind": "trailing_stop"},
    {"kind": "oco"},
    {"orderType": "STOP_LIMIT"},
    {"orderType": "market"},
    {"conditional": True},
    {"reduceOnly": True},
    {"reduceOnly": "true"},
    {"reduce_only": 1},
    {"closePosition": True},
    {"closeOnTrigger": True},
)
"""Each alone makes an order of PLAIN's looks something that protects."""

CONTRADICTIONS: tuple[dict[str, Any], ...] = (
    {"side": "sell"},
    {"info": {"side": "SELL"}},
    {"positionSide": "SHORT"},
    {"info": {"positionSide": "SHORT"}},
    {"openClose": "close"},
    {"tpPrice": 51000},
    {"slPrice": 1},
    {"callbackRate": 1},
)
"""A buy, but its own record says elsewhere that it sells, closes a short position, or has a price that exits have."""

NOT_SEEN: tuple[tuple[dict[str, Any], ...], ...] = (
    (),
    (PLAIN, PLAIN),
    (PLAIN, {**PLAIN, "rate": 48000}),
    (PLAIN, {**PLAIN, "type": "sell"}),
    ({**PLAIN, "type": "sell"},),
    ({**PLAIN, "type": "SELL"},),
    ({**PLAIN, "type": None},),
    ({**PLAIN, "type": "buy or sell"},),
    ({**PLAIN, "pair": "USDT-ETH"},),
    ({**PLAIN, "pair": "USDC-BTC"},),
    ({**PLAIN, "rate": 49000.01},),
    ({**PLAIN, "rate": 0},),
    ({**PLAIN, "rate": "NaN"},),
    ({**PLAIN, "rate": None},),
    ({**PLAIN, "id": "07001"},),
    ({**PLAIN, "id": "7001 "},),
    ({**PLAIN, "id": " 7001"},),
    ({**PLAIN, "id": "7001\n"},),
    ({**PLAIN, "id": "7001\x00"},),
    ({**PLAIN, "id": "\u202e7001"},),
    ({**PLAIN, "id": "70\u200b01"},),
    ({**PLAIN, "id": "\uff17001"},),
    ({**PLAIN, "id": 70.01},),
    ({**PLAIN, "id": ["7001"]},),
    ({**PLAIN, "id": None},),
)
"""Open orders among which the one to cancel is not there exactly once, as a buy at its price."""

CALLS: tuple[dict[str, Any], ...] = (
    {"price": 48999.99},
    {"price": 49000.000001},
    {"order_type": "market"},
    {"order_type": "LIMIT"},
    {"order_type": "stop"},
    {"pair": "usdt-btc"},
    {"pair": "USDT-ETH"},
    {"pair": "USDT-BTC-LONG"},
    {"exchange": "binance#2"},
    {"exchange": "Binance"},
    {"exchange": "kraken"},
    {"order_id": "07001"},
    {"order_id": ["7001"]},
    {"order_id": "7001 "},
    {"order_id": " 7001"},
    {"order_id": "7001\n"},
    {"order_id": "7001\x00"},
    {"order_id": "\u202e7001"},
    {"order_id": "70\u200b01"},
    {"order_id": "\uff17001"},
    {"order_id": "7001,7002"},
    {"order_id": "7001/../7002"},
    {"order_id": "*"},
    {"order_id": ""},
)
"""Calls that do not name the order that is there, in every word."""

FUTURES: tuple[tuple[str, str, str], ...] = (
    ("bybit", "USDT-BTC", "buy"),
    ("bybit", "USDT-BTC", "sell"),
    ("bybit#2", "USDT-BTC", "buy"),
    ("bybit", "USDT-BTC-LONG", "sell"),
    ("bybit", "USDT-BTC-SHORT", "buy"),
    ("binanceFutures", "USDT-BTC", "buy"),
    ("binanceFutures", "USDT-BTC-SHORT", "buy"),
    ("hyperliquid", "USDC-BTC", "buy"),
    ("a_new_exchange", "USDT-BTC", "buy"),
    ("Binance", "USDT-BTC", "buy"),
)
"""Where a position can be short, or nobody knows: a buy there may be its exit."""

Sent = tuple[str, dict[str, Any], tuple[dict[str, Any], ...]]
THROUGH_HERE: tuple[Sent, ...] = (
    (
        "buy_oco",
        {"amount": 0.001, "price": 49000, "stop_price": 50500, "limit_price": 50600},
        (PLAIN, {**PLAIN, "id": "7002", "rate": 50600}),
    ),
    (
        "buy_stop_limit",
        {"amount": 0.001, "stop_price": 50500, "limit_price": 50600},
        ({**PLAIN, "rate": 50600},),
    ),
    (
        "buy_trailing_stop",
        {"amount": 0.001, "price": 50000, "stop_price": 50500},
        ({**PLAIN, "rate": 50500},),
    ),
)
"""Orders that a human approved, and how the exchange then shows them: as plain ones."""


async def place(runtime: Runtime, model: Model, recorder: "Recorder") -> None:
    """Let a human approve a plain buy of PLAIN's looks, which is then found: only of such an order a cancel goes."""
    recorder.show()
    recorder.when("/trade/buy", lambda: recorder.show(PLAIN))
    order = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 49000}
    proposed = await model.call("buy_limit", order)
    approved = await (await runtime.desk()).approve(proposed["ticket"]["id"], by=TERMINAL)
    assert approved.observed is not None
    assert (approved.state, approved.observed.order_ids) == (State.ACCEPTED, ("7001",))


async def cancel(model: Model, **changed: object) -> bool:
    """Cancel, and return whether a human is asked, or the call was not understood at all."""
    found = await model.call("cancel_order", {**CANCEL, **changed})
    refused = found.get("error", {}).get("code") in {"invalid_arguments", "pair_not_allowed"}
    return found.get("status") in {"awaiting_approval", "asked"} or refused


@BOTH_ERAS
@BOTH_MODES
@pytest.mark.parametrize("disguises", [DISGUISES, CONTRADICTIONS], ids=["disguises", "contradictions"])
async def test_orders_that_protect_and_look_like_entries(
    era: Era,
    mode: str,
    disguises: tuple[dict[str, Any], ...],
    *,
    behind: MakeSettings,
    recorder: "Recorder",
    tally: Tally,
) -> None:
    went: list[object] = []
    async with hostile(behind(mode=mode), era, tally) as (runtime, model):
        await place(runtime, model, recorder)
        for disguise in disguises:
            recorder.show({**PLAIN, **disguise})
            if not await cancel(model):
                went.append(disguise)
    none_of(went, recorder, tally, approved=1)


@BOTH_ERAS
@BOTH_MODES
async def test_an_order_that_is_not_there_exactly_once_and_as_said(
    era: Era, mode: str, behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    went: list[object] = []
    async with hostile(behind(mode=mode), era, tally) as (runtime, model):
        await place(runtime, model, recorder)
        for shown in NOT_SEEN:
            recorder.show(*shown)
            if not await cancel(model):
                went.append(shown)
        recorder.show(PLAIN)
        went += [changed for changed in CALLS if not await cancel(model, **changed)]
    none_of(went, recorder, tally, approved=1)


@BOTH_ERAS
async def test_a_buy_that_may_be_the_exit_of_a_short_position(
    era: Era, behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    went: list[object] = []
    async with hostile(behind(), era, tally) as (_, model):
        for exchange, pair, side in FUTURES:
            recorder.show({**PLAIN, "pair": pair, "type": side}, key=f"{exchange}/{pair}")
            if not await cancel(model, exchange=exchange, pair=pair):
                went.append((exchange, pair, side))
    none_of(went, recorder, tally)


@pytest.mark.parametrize("known", ["known", "partly filled", "never found"])
@pytest.mark.parametrize(("tool", "arguments", "legs"), THROUGH_HERE, ids=[tool for tool, _, _ in THROUGH_HERE])
async def test_a_stop_that_went_out_through_here_and_is_shown_as_a_plain_order(
    tool: str,
    arguments: dict[str, Any],
    legs: tuple[dict[str, Any], ...],
    known: str,
    *,
    behind: MakeSettings,
    recorder: "Recorder",
    tally: Tally,
) -> None:
    recorder.show()
    recorder.when(f"/trade/{tool.replace('_', '/', 1).replace('_', '')}", lambda: recorder.show(*found))
    found = () if known == "never found" else legs
    async with hostile(behind(), "legacy", tally) as (runtime, model):
        order = {"exchange": "binance", "pair": "USDT-BTC", **arguments}
        proposed = await model.call(tool, order)
        approved = await (await runtime.desk()).approve(proposed["ticket"]["id"], by=TERMINAL)
        assert approved.state is State.ACCEPTED
        assert (approved.observed is None) is (known == "never found")
    # Another process, later: it knows what the ledger knows.
    left = {"amount": 0.0004} if known == "partly filled" else {}
    recorder.show(*({**leg, **left} for leg in legs))
    async with hostile(behind(), "auto", tally) as (_, model):
        went = [leg for leg in legs if not await cancel(model, order_id=leg["id"], price=leg["rate"])]
    none_of(went, recorder, tally, approved=1)


@BOTH_ERAS
@pytest.mark.parametrize("more", [{}, {"orderListId": -1, "info": {"type": "LIMIT", "stopPrice": "0"}}])
async def test_a_plain_entry_needs_no_human_and_one_that_is_always_asked_for_does(
    era: Era, more: dict[str, Any], behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    """Otherwise the tests above would prove nothing but that everything is asked for."""
    async with hostile(behind(cancel="ask"), era, tally) as (runtime, model):
        await place(runtime, model, recorder)
        recorder.show({**PLAIN, **more})
        assert await cancel(model)
    assert [path for path, _ in recorder.trades] == ["/trade/buy"]
    async with hostile(behind(), era, tally) as (_, model):
        assert (await model.call("cancel_order", CANCEL))["status"] == "accepted"
    assert [path for path, _ in recorder.trades] == ["/trade/buy", "/trade/cancel"]
    nothing_leaked(tally)


@BOTH_ERAS
async def test_a_plain_order_that_somebody_else_placed(
    era: Era, behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    """It may be a stop or a leg of an OCO: Gunbot shows them as plain orders."""
    recorder.show(PLAIN)
    async with hostile(behind(), era, tally) as (_, model):
        went = [] if await cancel(model) else [PLAIN]
    none_of(went, recorder, tally)


@BOTH_ERAS
async def test_an_order_of_ours_that_no_longer_rests_below_the_market(
    era: Era, behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    async with hostile(behind(), era, tally) as (runtime, model):
        await place(runtime, model, recorder)
        recorder.on("/market/orderbook", recorder.json({"data": {"ask": [[48999, 2]], "bid": [[48998, 1]]}}))
        went = [] if await cancel(model) else [PLAIN]
    none_of(went, recorder, tally, approved=1)


def none_of(went: Sequence[object], recorder: "Recorder", tally: Tally, approved: int = 0) -> None:
    """Nothing went without a human, neither by what was answered nor by what was received."""
    sent = recorder.trades[approved:]
    tally.unapproved = max(tally.unapproved, len(sent))
    assert list(went) == []
    assert sent == []
    assert "internal" not in tally.codes
    nothing_leaked(tally)
