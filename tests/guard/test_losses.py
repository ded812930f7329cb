"""What a day's history stops: entries after a loss or a row of rejections, and never an exit."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from guard.cases import buy, case, limits, refusal

from gunbot_mcp.config import Settings, load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.domain import Side
from gunbot_mcp.guard.checks import check_all
from gunbot_mcp.guard.losses import Closed, DayLoss, DayResult, day_loss
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.spent import longest_row

if TYPE_CHECKING:
    from support.live import LiveGunbot, SteppedClock

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio
DAY = datetime(2026, 3, 1, tzinfo=UTC)
NOON = DAY + timedelta(hours=12)
BUY = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 40000}
SELL = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 41000}
LOSS = {"max_day_loss": {"USDT": "5"}}


def _day(*closes: tuple[int, str, str], **changes: Any) -> DayResult:  # noqa: ANN401 - any field
    found = [Closed(round((DAY + timedelta(hours=h)).timestamp() * 1000), asset, Decimal(p)) for h, asset, p in closes]
    facts: dict[str, Any] = {"since": DAY, "at": NOON, "closes": found, "keys": {"binance/USDT-BTC": NOON}}
    return DayResult(**{**facts, **changes})


def _loss(found: DayResult | None, since: datetime = DAY, now: datetime = NOON) -> DayLoss:
    return day_loss(found, "USDT", day=DAY, since=since, now=now)


# The computation


def test_the_lowest_point_of_the_day_counts_so_that_what_was_reached_stays_reached() -> None:
    found = _loss(_day((1, "USDT", "3"), (2, "USDT", "-9"), (3, "BTC", "-100"), (4, "USDT", "8")))

    assert (found.loss, found.unknown) == (6, None)


def test_a_day_that_only_won_lost_nothing() -> None:
    assert _loss(_day((1, "USDT", "3"))).loss == 0


def test_after_a_human_resumed_the_count_begins_anew() -> None:
    result = _day((1, "USDT", "-9"), (4, "USDT", "-2"))

    assert _loss(result, since=DAY + timedelta(hours=2)).loss == 2


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "not been read yet"),
        (_day(since=DAY + timedelta(days=1)), "not been read yet"),
        (_day(since=DAY - timedelta(days=1), at=DAY - timedelta(seconds=30)), "43230 s ago"),
        (_day(at=NOON - timedelta(seconds=61)), "61 s ago"),
        (_day(at=NOON + timedelta(seconds=61)), "61 s ago"),
        (_day(keys={"binance/USDT-BTC": None}), "binance/USDT-BTC is not read whole"),
        (_day(keys={"binance/USDT-BTC": NOON - timedelta(seconds=90)}), "90 s ago"),
        (_day(keys={"bitmex/XBT-QUART-X": None}), "not read whole"),
    ],
    ids=[
        "nothing",
        "tomorrow's",
        "yesterday's",
        "old",
        "a clock set back",
        "half a key",
        "an old key",
        "a pair without assets",
    ],
)
def test_what_is_not_known_now_is_said_to_be_so(found: DayResult | None, said: str) -> None:
    assert said in str(_loss(found).unknown)


def test_just_after_midnight_the_reading_of_the_day_before_counts_while_it_is_fresh() -> None:
    read = DAY - timedelta(seconds=30)
    yesterdays = _day((-1, "USDT", "-9"), since=DAY - timedelta(days=1), at=read, keys={"binance/USDT-BTC": read})

    found = _loss(yesterdays, now=DAY + timedelta(seconds=5))

    assert (found.loss, found.unknown) == (0, None)


def test_a_key_that_pays_in_another_asset_may_be_older() -> None:
    assert _loss(_day(keys={"binance/BTC-ETH": None, "binance/USDT-BTC": NOON})).unknown is None


@pytest.mark.parametrize(
    ("states", "longest"),
    [
        ([], 0),
        (["rejected", "rejected"], 2),
        (["rejected", "rejected", "accepted", "rejected"], 2),
        (["rejected", "void", "sending", "rejected"], 2),
        (["rejected", "unknown", "rejected"], 1),
    ],
)
def test_a_row_of_rejections_ends_with_an_answer_that_is_none_and_stays_the_longest(
    states: list[str], longest: int
) -> None:
    assert longest_row(states) == longest


# The checks


@pytest.mark.parametrize("facts", [{"day_loss": DayLoss(asset="USDT", loss=Decimal(5))}, {"rejections": 2}], ids=str)
def test_entries_are_refused_and_exits_are_not(facts: dict[str, Any]) -> None:
    rules = limits(**LOSS, halt_after_rejections=2)

    assert refusal(case(**facts, limits=rules)) == "limit_exceeded"
    check_all(case(buy(side=Side.SELL, price="50100"), tool="sell_limit", **facts, limits=rules))


def test_a_loss_that_is_not_known_refuses_entries_on_live_instances_only() -> None:
    facts: dict[str, Any] = {
        "day_loss": DayLoss(asset="USDT", loss=Decimal(0), unknown="old"),
        "limits": limits(**LOSS),
    }

    assert refusal(case(**facts)) == "limit_exceeded"
    check_all(case(**facts, live=False))


# Over the dispatcher


async def _call(runtime: Runtime, tool: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - an answer
    return await runtime.dispatcher.call(tool, arguments, Caller(name="tests"))


async def _limit(runtime: Runtime, name: str) -> dict[str, Any]:
    answer = await _call(runtime, "get_limits", {})
    rows = [dict(zip(answer.structured["columns"], row, strict=True)) for row in answer.structured["rows"]]
    return next(row for row in rows if row["limit"] == name)


def _lose(gunbot: "LiveGunbot") -> None:
    """Lose about 10 USDT by hand, in Gunbot itself."""
    gunbot.place("/trade/buy/market", exch="binance", pair="USDT-BTC", amt=0.001)
    gunbot.set_price(40000)
    gunbot.place("/trade/sell/market", exch="binance", pair="USDT-BTC", amt=0.001)


async def _approve(runtime: Runtime, order: dict[str, Any]) -> Any:  # noqa: ANN401 - an answer
    answer = await _call(runtime, "buy_limit", order)
    desk = await runtime.desk()
    return await desk.approve(answer.structured["ticket"]["id"], by=TERMINAL)


async def test_a_loss_that_somebody_else_made_stops_entries_of_a_live_instance_until_a_human_resumes(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(limits=LOSS)) as runtime:
        live_gunbot.set_price(50000)
        before = await _call(runtime, "buy_limit", {**BUY, "price": 49000})
        _lose(live_gunbot)
        await runtime.day_watch().refresh(max_age=0)
        shown = await _limit(runtime, "max_day_loss")
        entry, leave = await _call(runtime, "buy_limit", BUY), await _call(runtime, "sell_limit", SELL)
        desk = await runtime.desk()
        async with desk.ledger.write() as write:
            await write.event("loss_resumed", actor=TERMINAL, instance="gunbot")
        after = await _call(runtime, "buy_limit", {**BUY, "price": 39000})
        problems = await desk.ledger.verify()

    assert before.structured["status"] == "awaiting_approval"
    assert shown["most"] == 5
    assert shown["used"] > 9
    assert shown["left"] == 0
    assert entry.error["code"] == "limit_exceeded"
    assert "resume --loss" in entry.error["hint"]
    assert leave.structured["status"] == "awaiting_approval"
    assert after.structured["status"] == "awaiting_approval", after.text
    assert problems == []


async def test_an_approval_is_checked_against_the_loss_once_more(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(limits=LOSS)) as runtime:
        live_gunbot.set_price(50000)
        waiting = await _call(runtime, "buy_limit", {**BUY, "price": 45000})
        _lose(live_gunbot)
        await runtime.day_watch().refresh(max_age=0)
        live_gunbot.reset()
        ticket = await (await runtime.desk()).approve(waiting.structured["ticket"]["id"], by=TERMINAL)

    assert ticket.state.value == "void"
    assert live_gunbot.trades == []


async def test_a_history_older_than_a_minute_refuses_entries_of_a_live_instance_and_asks_gunbot_nothing_for_it(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", stepped_clock: "SteppedClock"
) -> None:
    async with Runtime(live_settings(limits=LOSS), seams=stepped_clock.seams) as runtime:
        live_gunbot.set_price(50000)
        await runtime.desk()
        stepped_clock.pushed = 120
        entry = await _call(runtime, "buy_limit", {**BUY, "price": 49000})
        leave = await _call(runtime, "sell_limit", {**SELL, "price": 51000})
        shown = await _limit(runtime, "max_day_loss")
        await runtime.day_watch().refresh()
        again = await _call(runtime, "buy_limit", {**BUY, "price": 49000})

    assert entry.error["code"] == "limit_exceeded"
    assert "not known now" in entry.error["message"]
    assert leave.structured["status"] == "awaiting_approval"
    assert "not known now" in shown["for"]
    assert again.structured["status"] == "awaiting_approval", again.text


async def test_orders_that_gunbot_rejects_in_a_row_stop_entries_until_a_human_resumes(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(limits={"halt_after_rejections": 2})) as runtime:
        live_gunbot.set_price(50000)
        live_gunbot.reply = (400, {"status": "error", "message": "Invalid input"})
        states = [(await _approve(runtime, {**BUY, "price": 49000 + n})).state.value for n in range(2)]
        shown = await _limit(runtime, "halt_after_rejections")
        entry = await _call(runtime, "buy_limit", {**BUY, "price": 49010})
        leave = await _call(runtime, "sell_limit", {**SELL, "price": 51000})
        async with (await runtime.desk()).ledger.write() as write:
            await write.event("loss_resumed", actor=TERMINAL, instance="gunbot")
        after = await _call(runtime, "buy_limit", {**BUY, "price": 49020})

    assert states == ["rejected", "rejected"]
    assert (shown["most"], shown["used"], shown["left"]) == (2, 2, 0)
    assert entry.error["code"] == "limit_exceeded"
    assert "2 orders in a row" in entry.error["message"]
    assert leave.structured["status"] == "awaiting_approval"
    assert after.structured["status"] == "awaiting_approval"


async def test_on_paper_the_limit_holds_as_well_and_an_auto_order_passes_it() -> None:
    paper = {"mode": "auto", "market": "manual", "limits": {"max_day_loss": {"USDT": "5"}}}
    async with Runtime(load(instances={"paper": paper})) as runtime:
        sent = await _call(runtime, "buy_limit", {**BUY, "price": 50000})
        shown = await _limit(runtime, "max_day_loss")

    assert sent.structured["status"] == "accepted", sent.text
    assert (shown["used"], shown["left"]) == (0, 5)
