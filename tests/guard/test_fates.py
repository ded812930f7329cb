"""What may be said of an order: what was sent, what Gunbot then shows over time, what may be said, and what must not.

Each row is an order that went out without an answer (or with Gunbot's "success"), and the looks after it. The first
look is the one that belongs to the sending itself. The numbers are those of the table in docs/FATES.md.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.desks import open_desk, propose
from support.shown import ABSENT, MISSING, Fill, Show, Shown, resting, told

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.outcome import news_of, outcome_of
from gunbot_mcp.tickets.ticket import State, Ticket

pytestmark = pytest.mark.anyio

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
Look = tuple[Show, str]

D = Decimal
CUT = {"amount": D("0.0010204"), "price": D("49000.123")}
MARKET = {"price": None}
OCO = {"stop_price": D(52_000), "limit_price": D(52_100)}
STOP = {"price": None, "stop_price": D(51_000), "limit_price": D(51_100)}
TRAIL = {"price": D(50_000), "stop_price": D(50_500)}
CANCEL = {"amount": None, "order_id": "77", "price": D("49000.1"), "order_type": "limit"}
GRID = [Fill(str(n), at=-50 * n) for n in range(1, 5)]
LINKED = Fill("5", at=-100, amount=0.3)
"""An older record of an order that stood among the open ones of the baseline: on this key, ids link."""
OPEN5 = resting("5", amount=0.3)

NOTHING = "unknown nothing"
OPEN = "accepted match open_orders open 77"
FILLED = "accepted match history filled 77 0.001@49000.1"
CANDIDATE = "unknown candidate open_orders open 77"


@dataclass(frozen=True)
class Row:
    """`says` are the looks in turn, with what may be said after each; `never` are words that must not come up."""

    name: str
    says: tuple[Look, ...]
    tool: str = "buy_limit"
    sent: dict[str, Any] = field(default_factory=dict[str, Any])
    before: Show = field(default_factory=Show)
    post: str = "lost"
    timed: bool = True
    never: tuple[str, ...] = ()


def row(name: str, *says: Look, **more: Any) -> Row:  # noqa: ANN401 - any field
    return Row(name, says, **more)


def show(*orders: dict[str, Any], **more: Any) -> Show:  # noqa: ANN401 - any field
    return Show(orders=list(orders), **more)


def fills(*records: Fill, **more: Any) -> Show:  # noqa: ANN401 - any field
    return Show(orders=[], fills=records, **more)


def market(name: str, *says: Look, **more: Any) -> Row:  # noqa: ANN401 - any field
    return Row(name, says, tool="buy_market", sent=MARKET, **more)


def cancel(name: str, *says: Look, **more: Any) -> Row:  # noqa: ANN401 - any field
    return Row(name, says, tool="cancel_order", sent=CANCEL, **{"before": show(resting(), OPEN5), **more})


BOUGHT: dict[str, Any] = {"rate": 50000.51}
AT_ASK = "accepted match history filled 77 0.001@50000.51"

ROWS = (
    # 1: what cannot be read is not known
    row("1 nothing is shown", (Show(), NOTHING)),
    row("1 openOrders is absent", (Show(ABSENT), NOTHING)),
    row("1 openOrders is null", (Show(None), NOTHING)),
    row("1 openOrders is an object", (Show({"a": resting()}), NOTHING)),
    row("1 the pair is missing", (Show(MISSING), NOTHING)),
    row("1 the memory cannot be read", (show(resting(), down="/coremem/single"), NOTHING)),
    row("1 the history cannot be read", (show(resting(), down="/orders/page"), NOTHING)),
    row("1 populated later", (Show(ABSENT), NOTHING), (show(resting()), OPEN)),
    row("1 a baseline without open ids: candidates", (show(resting()), CANDIDATE), before=Show(ABSENT)),
    row(
        "1 and for ever",
        (show(resting()), CANDIDATE),
        (show(resting(), bid=2), CANDIDATE),
        (show(resting(), bid=3, after=9000), CANDIDATE),
        before=Show(None),
    ),
    row(
        "1 an older look-alike where nothing was populated",
        (show(resting("5")), CANDIDATE.replace("77", "5")),
        before=Show(MISSING),
    ),
    # 2: limits
    row("2 exactly what was sent", (show(resting()), OPEN)),
    row("2 numbers as text", (show(resting(rate="49000.10", amount="0.00100")), OPEN)),
    row("2 cut by the exchange", (show(resting(amount=0.00102, rate=49000.12)), OPEN), sent=CUT),
    row("2 a price that was rounded up", (show(resting(amount=0.00102, rate=49000.13)), OPEN), sent=CUT),
    row("2 a sell", (show(resting(type="sell", rate=51000.0)), OPEN), tool="sell_limit", sent={"price": D(51000)}),
    row(
        "2 a close at limit",
        (show(resting(type="sell")), OPEN),
        tool="close_limit",
        sent={"exchange": "bybit", "pair": "USDT-BTC-LONG"},
    ),
    row("2 it was there before", (show(resting()), NOTHING), before=show(resting())),
    row("2 the other side", (show(resting(type="sell")), NOTHING)),
    row("2 another pair", (show(resting(pair="USDT-ETH")), NOTHING)),
    row("2 no side", (show(resting(type=None)), NOTHING)),
    row("2 more than was sent", (show(resting(amount=0.0011)), NOTHING)),
    row("2 nearly the same size, larger", (show(resting(amount=0.00100001)), NOTHING)),
    row("2 another price", (show(resting(rate=49000.2)), NOTHING)),
    row("2 it names another kind", (show(resting(kind="stop_limit")), NOTHING)),
    row("2 it has a stop price", (show(resting(stopPrice=48000)), NOTHING)),
    row("2 without an id", (show(resting("")), NOTHING)),
    row("2 shown late", (Show(), NOTHING), (show(resting(), after=100), OPEN)),
    row("2 after success it has its id", (show(resting()), OPEN), post="success"),
    # 3: less than sure
    row("3 nearly the same size, smaller", (show(resting(amount=0.00099)), CANDIDATE)),
    row("3 a remainder, perhaps", (show(resting(amount=0.0004)), CANDIDATE)),
    row("3 an amount coarser than the key", (show(resting(amount=0.001, rate=49000.12)), CANDIDATE), sent=CUT),
    row("3 a price coarser than the key", (show(resting(rate=49000.0, amount=0.00102)), CANDIDATE), sent=CUT),
    row(
        "3 what rests and what is filled add up",
        (
            show(resting(amount=0.0006), fills=(Fill(amount=0.0004),)),
            "accepted match open_orders partly_filled 77 0.0004@49000.1",
        ),
    ),
    # 4 and 5: several
    row("4 two fit", (show(resting(), resting("78")), "unknown candidate open_orders - 77+78")),
    row(
        "4 one of two goes away: which was it?",
        (show(resting(), resting("78")), "unknown candidate open_orders - 77+78"),
        (show(resting("78")), "unknown candidate open_orders - 78+77"),
    ),
    row("4 a resting one and a fill", (show(resting(), fills=(Fill("9"),)), "unknown candidate open_orders - 77+9")),
    # A grid bot
    row(
        "2 where the account trades that amount again and again, it is a candidate",
        (show(resting(), fills=GRID), CANDIDATE),
        before=fills(*GRID),
    ),
    row(
        "2 and where it traded others, it is not",
        (show(resting()), OPEN),
        before=fills(*(Fill(str(n), at=-50 * n, amount=0.002) for n in range(1, 5))),
    ),
    # 6: stops and trails
    row("6 a stop: whatever rests", (show(resting(rate=51100)), CANDIDATE), tool="buy_stop_limit", sent=STOP),
    row(
        "6 a stop: a plain order at its stop price",
        (show(resting(rate=51000)), CANDIDATE),
        tool="buy_stop_limit",
        sent=STOP,
    ),
    row(
        "6 a stop whose record names kind and stop",
        (show(resting(rate=51100, kind="stop_limit", stopPrice=51000)), OPEN),
        tool="buy_stop_limit",
        sent=STOP,
    ),
    row(
        "6 a stop of another trigger",
        (show(resting(rate=51100, kind="stop_limit", stopPrice=51001)), CANDIDATE),
        tool="buy_stop_limit",
        sent=STOP,
    ),
    row(
        "6 a trail: a plain order far away",
        (show(resting(type="sell", rate=42000)), CANDIDATE),
        tool="sell_trailing_stop",
        sent=TRAIL | {"stop_price": D(49_500)},
    ),
    row(
        "6 a trail that fills",
        (fills(Fill(type="sell", rate=49500)), "unknown candidate history - 77 0.001@49500"),
        tool="sell_trailing_stop",
        sent=TRAIL | {"stop_price": D(49_500)},
    ),
    # 7: OCO
    row(
        "7 both legs",
        (show(resting(), resting("78", rate=52100)), "accepted match open_orders open 77+78"),
        tool="buy_oco",
        sent=OCO,
    ),
    row(
        "7 a leg at its stop price",
        (show(resting(), resting("78", rate=52000)), "accepted match open_orders open 77+78"),
        tool="buy_oco",
        sent=OCO,
    ),
    row("7 one leg, perhaps a stranger's", (show(resting()), CANDIDATE), tool="buy_oco", sent=OCO),
    row(
        "7 three",
        (
            show(resting(), resting("78", rate=52100), resting("79", rate=52100)),
            "unknown candidate open_orders - 77+78+79",
        ),
        tool="buy_oco",
        sent=OCO,
    ),
    # 8: market
    market("8 its fill", (fills(Fill(**BOUGHT)), AT_ASK)),
    market(
        "8 in parts of one id",
        (
            fills(Fill(amount=0.0004, rate=50000), Fill(amount=0.0006, rate=50010, at=2)),
            "accepted match history filled 77 0.001@50006",
        ),
    ),
    row(
        "8 cut by the exchange",
        (fills(Fill(amount=0.00102, rate=50000.5)), "accepted match history filled 77 0.00102@50000.5"),
        tool="buy_market",
        sent={"price": None, "amount": D("0.0010204")},
    ),
    market("8 a fill 50 s before it was sent", (fills(Fill(at=-50, **BOUGHT)), NOTHING)),
    market("8 a fill a moment before", (fills(Fill(at=-0.001, **BOUGHT)), NOTHING)),
    market("8 a fill after a minute", (Show(), NOTHING), (fills(Fill(at=61, **BOUGHT), after=70), NOTHING)),
    market("8 a fill 10 % below the quote", (fills(Fill(rate=45000)), NOTHING)),
    market("8 a resting order is never it", (show(resting()), NOTHING)),
    market("8 a stop of the bot is never it", (show(resting(rate=50000, kind="stop_limit")), NOTHING)),
    market(
        "8 a part of the sum", (fills(Fill(amount=0.0004, **BOUGHT)), "unknown candidate history - 77 0.0004@50000.51")
    ),
    market(
        "8 several ids",
        (
            fills(Fill(amount=0.0004, **BOUGHT), Fill("78", amount=0.0006, **BOUGHT)),
            "unknown candidate history - 77+78",
        ),
    ),
    market("8 two whole ones", (fills(Fill(**BOUGHT), Fill("78", **BOUGHT)), "unknown candidate history - 77+78")),
    market("8 one that was there before", (fills(Fill(**BOUGHT)), NOTHING), before=fills(Fill(at=-1, **BOUGHT))),
    market("8 a sell", (fills(Fill(type="sell", **BOUGHT)), NOTHING)),
    market(
        "8 without Gunbot's clock",
        (fills(Fill(**BOUGHT)), "unknown candidate history - 77 0.001@50000.51"),
        timed=False,
    ),
    market(
        "8 where the history could not be read before",
        (fills(Fill(**BOUGHT)), "unknown candidate history - 77 0.001@50000.51"),
        before=Show([], down="/orders/page"),
    ),
    market(
        "8 a resting order of somebody else that fills",
        (fills(Fill(**BOUGHT)), NOTHING),
        before=show(resting(rate=50000)),
    ),
    # 9: limits that were never seen open
    row("9 filled before it was seen", (fills(Fill()), FILLED)),
    row("9 at a better price", (fills(Fill(rate=48900)), "accepted match history filled 77 0.001@48900")),
    row("9 at a much better price: a stranger's", (fills(Fill(rate=47000)), NOTHING)),
    row("9 at a worse price", (fills(Fill(rate=49000.2)), NOTHING)),
    row("9 before it was sent", (fills(Fill(at=-50)), NOTHING)),
    row("9 long after", (Show(), NOTHING), (fills(Fill(at=5000), after=6000), FILLED)),
    row("9 a part", (fills(Fill(amount=0.0004)), "unknown candidate history - 77 0.0004@49000.1")),
    row("9 two", (fills(Fill(), Fill("78")), "unknown candidate history - 77+78")),
    row("9 an order that rested before and fills now", (fills(Fill()), NOTHING), before=show(resting())),
    # 10 and 11: an order that is known
    row(
        "10 an accepted order is followed to its end",
        (show(resting()), OPEN),
        (
            show(resting(amount=0.0006), fills=(Fill(amount=0.0004, rate=49000),)),
            "accepted match open_orders partly_filled 77 0.0004@49000",
        ),
        (
            fills(Fill(amount=0.0004, rate=49000), Fill(amount=0.0006, rate=48990, at=20)),
            "accepted match history filled 77 0.001@48994",
        ),
        post="success",
    ),
    row(
        "10 a fill outranks what still rests",
        (show(resting()), OPEN),
        (show(resting(), fills=(Fill(),)), FILLED),
        post="success",
    ),
    row(
        "10 parts are not forgotten when they drop off the page",
        (show(resting()), OPEN),
        (show(resting(), fills=(Fill(amount=0.0004),)), "accepted match open_orders partly_filled 77 0.0004@49000.1"),
        (show(resting()), "accepted match open_orders partly_filled 77 0.0004@49000.1"),
        post="success",
    ),
    row(
        "10 a cut order is filled by what the exchange took",
        (show(resting(amount=0.00102, rate=49000.12)), OPEN),
        (fills(Fill(amount=0.00102, rate=49000.12)), "accepted match history filled 77 0.00102@49000.12"),
        sent=CUT,
    ),
    row("11 not known at one look stays what it was", (show(resting()), OPEN), (Show(ABSENT), OPEN)),
    # 12 and 13: gone
    row(
        "12 no longer open, no fill seen",
        (show(resting()), OPEN),
        (Show([]), "accepted match not_open - 77"),
        never=("did not fill", "ancelled"),
    ),
    row(
        "12 however long",
        (show(resting()), OPEN),
        (Show([]), "accepted match not_open - 77"),
        (Show([], bid=2, after=86_000), "accepted match not_open - 77"),
        (Show([], bid=3, after=86_000), "accepted match not_open - 77"),
        never=("did not fill",),
    ),
    row(
        "12 a later record, but ids were never seen to link",
        (show(resting()), OPEN),
        (Show([], bid=2), "accepted match not_open - 77"),
        (Show([], bid=3), "accepted match not_open - 77"),
        (fills(Fill("9", at=900, amount=0.5), bid=4, after=900), "accepted match not_open - 77"),
    ),
    row(
        "12 the fill comes late",
        (show(resting()), OPEN),
        (Show([]), "accepted match not_open - 77"),
        (fills(Fill(), after=400), FILLED),
    ),
    row(
        "12 it comes back",
        (show(resting()), OPEN),
        (Show([]), "accepted match not_open - 77"),
        (show(resting(), bid=2), OPEN),
    ),
    row(
        "13 gone, and did not fill",
        (show(resting(), OPEN5), OPEN),
        (show(OPEN5, bid=2, fills=(LINKED,)), "accepted match not_open - 77"),
        (
            show(OPEN5, bid=3, fills=(LINKED, Fill("9", at=900, amount=0.5)), after=900),
            "accepted match not_open gone 77",
        ),
        before=show(OPEN5),
    ),
    row(
        "13 gone after a part of it filled",
        (show(resting(), OPEN5), OPEN),
        (
            show(OPEN5, bid=2, fills=(LINKED, Fill(amount=0.0004))),
            "accepted match not_open partly_filled 77 0.0004@49000.1",
        ),
        (
            show(OPEN5, bid=3, fills=(LINKED, Fill(amount=0.0004), Fill("9", at=900, amount=0.5)), after=900),
            "accepted match not_open gone 77 0.0004@49000.1",
        ),
        before=show(OPEN5),
    ),
    row(
        "13 the later record is from before it went",
        (show(resting(), OPEN5), OPEN),
        (show(OPEN5, bid=2, fills=(LINKED,), after=900), "accepted match not_open - 77"),
        (show(OPEN5, bid=3, fills=(LINKED, Fill("9", at=100, amount=0.5))), "accepted match not_open - 77"),
        before=show(OPEN5),
    ),
    row(
        "13 the memory did not move on",
        (show(resting(), OPEN5), OPEN),
        (show(OPEN5, fills=(LINKED,)), "accepted match not_open - 77"),
        (show(OPEN5, fills=(LINKED, Fill("9", at=900, amount=0.5)), after=900), "accepted match not_open - 77"),
        before=show(OPEN5),
    ),
    # 14: cancels
    cancel("14 still listed at once is not known yet", (show(resting(), OPEN5), "accepted nothing"), post="success"),
    cancel(
        "14 still listed after the memory moved on",
        (show(resting(), OPEN5, bid=2), "accepted nothing"),
        (show(resting(), OPEN5, bid=3), OPEN),
        post="success",
        never=("Cancelled",),
    ),
    cancel(
        "14 not listed is not cancelled yet",
        (show(OPEN5), "accepted match not_open - 77"),
        post="success",
        never=("did not fill", "Cancelled"),
    ),
    cancel(
        "14 it filled before the cancel", (show(OPEN5, fills=(Fill(),)), FILLED), post="success", never=("Cancelled:",)
    ),
    cancel(
        "14 lost, gone, and 31 s later",
        (show(OPEN5), "unknown match not_open - 77"),
        (show(OPEN5, after=31), "unknown match not_open - 77"),
        never=("did not fill",),
    ),
    cancel(
        "14 lost, and Gunbot restarts unpopulated",
        (Show(ABSENT), NOTHING),
        (Show(ABSENT, after=31), NOTHING),
        (Show(None, after=31), NOTHING),
        (show(resting(), OPEN5), NOTHING),
        never=("did not fill",),
    ),
    cancel(
        "14 lost, and it filled",
        (show(OPEN5), "unknown match not_open - 77"),
        (show(OPEN5, fills=(Fill(),), after=400), "void match history filled 77 0.001@49000.1"),
    ),
    cancel(
        "14 lost, and a part filled",
        (show(OPEN5, fills=(Fill(amount=0.0004),)), "unknown match not_open partly_filled 77 0.0004@49000.1"),
    ),
    cancel(
        "14 lost, and 13 settles it",
        (show(OPEN5, bid=2, fills=(LINKED,)), "unknown match not_open - 77"),
        (
            show(OPEN5, bid=3, fills=(LINKED, Fill("9", at=900, amount=0.5)), after=900),
            "accepted match not_open gone 77",
        ),
    ),
    cancel(
        "14 lost, of an order that was never seen", (Show([]), NOTHING), (Show([], bid=2), NOTHING), before=Show([])
    ),
    cancel(
        "14 lost, still listed",
        (show(resting(), OPEN5), NOTHING),
        (show(resting(), OPEN5, bid=2), NOTHING),
        (show(resting(), OPEN5, bid=3), "unknown match open_orders open 77"),
    ),
    # 15: nothing found
    row(
        "15 nothing is found, however long",
        *((Show([], bid=n, after=80_000), NOTHING) for n in range(1, 7)),
        never=("no such order", "not placed", "never arrived", "did not fill"),
    ),
    # 16: a second fit
    row(
        "16 a second one fits before the memory moved on",
        (show(resting()), OPEN),
        (show(resting(), resting("78"), bid=2), "unknown candidate open_orders - 77+78"),
    ),
    row(
        "16 where Gunbot said success, only the observation changes",
        (show(resting()), OPEN),
        (show(resting(), resting("78"), bid=2), "accepted candidate open_orders - 77+78"),
        post="success",
    ),
    row(
        "16 the first one goes as the second comes",
        (show(resting()), OPEN),
        (show(resting("78"), bid=2), "unknown candidate open_orders - 77+78"),
    ),
    row(
        "16 and it stays in doubt when one of them goes",
        (show(resting()), OPEN),
        (show(resting(), resting("78"), bid=2), "unknown candidate open_orders - 77+78"),
        (show(resting(), bid=3), "unknown candidate open_orders - 77+78"),
    ),
    row(
        "16 after the memory moved on, the first is ours",
        (show(resting()), OPEN),
        (show(resting(), bid=2), OPEN),
        (show(resting(), resting("78"), bid=3), OPEN),
    ),
)


async def play(one: Row, url: str, folder: Path) -> list[tuple[Ticket, str]]:
    """Send the order, look as often as the row says, and return each ticket with what was expected of it."""
    clock = ManualClock(NOON)
    gunbot = Shown(clock, now=one.before, post=one.post, timed=one.timed, after_post=one.says[0][0])
    found: list[tuple[Ticket, str]] = []
    async with open_desk(url, folder, gunbot, clock=clock) as desk:
        ticket = await propose(desk, one.tool, **one.sent)
        gunbot.base = gunbot.millis() + 2
        ticket = await desk.approve(ticket.id, by=TERMINAL)
        found.append((ticket, one.says[0][1]))
        for shown, expected in one.says[1:]:
            clock.advance(timedelta(seconds=shown.after))
            gunbot.now = shown
            ticket = await desk.get(ticket.id, look=True)
            found.append((ticket, expected))
        assert len(gunbot.posts) == 1
        stored = await desk.get(ticket.id)
        assert told(stored) == told(ticket)
        assert await desk.ledger.verify() == []
    return found


@pytest.mark.parametrize("one", ROWS, ids=[one.name for one in ROWS])
async def test_only_what_was_seen_is_said(one: Row, tmp_path: Path) -> None:
    found = await play(one, f"sqlite:///{tmp_path}/ledger.db", tmp_path)

    assert [told(ticket) for ticket, _ in found] == [expected for _, expected in found]
    for ticket, _ in found:
        words = " ".join((*outcome_of(ticket).lines, outcome_of(ticket).title, news_of(ticket)))
        seen = ticket.observed
        assert not [word for word in one.never if word in words]
        assert ("did not fill" in words) <= (seen is not None and seen.state == "gone")
        assert (seen is None) or "as of" in words or seen.where == "human"
        if ticket.state is State.UNKNOWN:
            assert "no such order" not in words.lower()


def test_there_are_a_hundred_rows_and_every_rule_but_those_of_several_tickets_has_some() -> None:
    assert len(ROWS) >= 100
    assert {one.name.split()[0] for one in ROWS} == {str(n) for n in range(1, 17)} - {"5"}
