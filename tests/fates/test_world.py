"""Over thousands of schedules, nothing false is said of an order, and nearly all orders are found without a human.

`cd tests && python -m fates.play SEED` tells the story of one schedule.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from fates.gunbot import FakeGunbot
from fates.play import Played, play
from fates.schedule import Lie
from simulation.processes import START

from gunbot_mcp.tickets.ticket import Certainty, Observation, Reason, ReasonCode, State, Ticket

Tell = Callable[[str], None]
SCHEDULES, BATCH, SHARES = 10_000, 100, 10
ENOUGH = 0.9
"""In each part."""


def _judge(played: Played, tell: Tell, record: Callable[[str, object], None]) -> None:
    tell(f"{played.schedules:,} schedules before a fake exchange: " + "; ".join(played.tally.lines()))
    again = "tell one again: cd tests && python -m fates.play SEED"
    assert not played.tally.false, "\n\n".join([*played.stories[:3], *played.tally.false[:20], again])
    orders = played.tally.orders
    record("share", [orders["could be"], orders["matched"]])  # 95 % are asked for of all: see `support.shares`
    assert played.tally.share >= ENOUGH, "\n".join([*played.missed[:20], again])


def test_nothing_false_is_said_of_an_order_in_a_few_schedules(
    tell: Tell, record_property: Callable[[str, object], None]
) -> None:
    _judge(play(range(60)), tell, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_nothing_false_is_said_of_an_order_and_nearly_all_are_matched(
    share: int, tell: Tell, record_property: Callable[[str, object], None]
) -> None:
    every = Played()
    for start in range(share * BATCH, SCHEDULES, SHARES * BATCH):
        every.join(play(range(start, start + BATCH)))
    _judge(every, tell, record_property)


def test_a_schedule_is_the_same_on_every_run() -> None:
    one, other = play([8], lie=_void), play([8], lie=_void)
    assert one.tally.said == other.tally.said
    assert one.stories
    assert one.stories == other.stories


# What nothing can break proves nothing: each of these says one thing that is not so, and the judge is to hear it.


def _seen(ticket: Ticket, gunbot: FakeGunbot, **facts: object) -> Ticket:
    """Say that a match was seen just now, with these facts."""
    own = tuple(order.id for order in gunbot.truth if order.ticket == ticket.id)
    observed = Observation(
        order_ids=own or ("nothing",),
        where="open_orders",
        state="open",
        certainty=Certainty.MATCH,
        seen_at=START + timedelta(seconds=gunbot.now()),
    )
    return replace(ticket, observed=replace(observed, **facts))


def _foreign(ticket: Ticket, gunbot: FakeGunbot) -> Ticket:
    other = next((order.id for order in gunbot.truth if not order.ticket), None)
    return ticket if other is None or ticket.cancels else _seen(ticket, gunbot, order_ids=(other,), state=None)


def _missing(ticket: Ticket, gunbot: FakeGunbot) -> Ticket:
    return ticket if ticket.cancels else _seen(ticket, gunbot, order_ids=("4711",))


def _open(ticket: Ticket, gunbot: FakeGunbot) -> Ticket:
    return _seen(ticket, gunbot)


def _filled(ticket: Ticket, gunbot: FakeGunbot) -> Ticket:
    return _seen(ticket, gunbot, state="filled", where="history")


def _average(ticket: Ticket, gunbot: FakeGunbot) -> Ticket:
    return _seen(ticket, gunbot, state="filled", where="history", average=gunbot.market.mid * Decimal("1.01"))


def _partly(ticket: Ticket, gunbot: FakeGunbot) -> Ticket:
    return _seen(ticket, gunbot, state="partly_filled", where="history", filled=gunbot.market.lot / 2)


def _gone(ticket: Ticket, gunbot: FakeGunbot) -> Ticket:
    return _seen(ticket, gunbot, state="gone", where="not_open")


def _void(ticket: Ticket, _: FakeGunbot) -> Ticket:
    return replace(ticket, state=State.VOID, reason=Reason(ReasonCode.UNREACHABLE))


def _rejected(ticket: Ticket, _: FakeGunbot) -> Ticket:
    return replace(ticket, state=State.REJECTED, reason=Reason(ReasonCode.GUNBOT_SAID_NO))


def _by_a_human(ticket: Ticket, _: FakeGunbot) -> Ticket:
    return replace(ticket, state=State.VOID, reason=Reason(ReasonCode.HUMAN_NOT_PLACED))


def _settled_by_a_candidate(ticket: Ticket, gunbot: FakeGunbot) -> Ticket:
    found = replace(ticket, state=State.ACCEPTED, reason=Reason(ReasonCode.FOUND))
    return _seen(found, gunbot, certainty=Certainty.CANDIDATE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lie", "heard"),
    [
        (_foreign, "its own are"),
        (_missing, "not all of them exist"),
        (_open, "it says open, but no open order of that id was shown"),
        (_filled, "it says filled, in truth"),
        (_average, "Gunbot showed"),
        (_partly, "Gunbot showed"),
        (_gone, "it says gone, in truth"),
        (_void, "but Gunbot took it"),
        (_rejected, "but the order exists"),
        (_by_a_human, "none did"),
        (_settled_by_a_candidate, "only a candidate"),
    ],
)
def test_what_is_not_so_is_heard(lie: Lie, heard: str) -> None:
    assert any(heard in wrong for wrong in play(range(12), lie=lie).tally.false)
