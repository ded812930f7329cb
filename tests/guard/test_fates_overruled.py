"""Fates that depend on more than one order, or on a human: equal orders of ours, a match taken back, a human's word."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from support.desks import open_desk, propose
from support.shown import Fill, Show, Shown, resting, told

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.config import Limits
from gunbot_mcp.errors import LimitExceeded, PairLocked, TicketClosed
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.tickets.channels import TERMINAL, Actor
from gunbot_mcp.tickets.outcome import outcome_of
from gunbot_mcp.tickets.ticket import State, Ticket

pytestmark = pytest.mark.anyio

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
NOTHING = "unknown nothing"
OPEN = "accepted match open_orders open 77"


def show(*orders: dict[str, object], bid: float = 1.0) -> Show:
    return Show(orders=list(orders), bid=bid)


def fills(*records: Fill) -> Show:
    return Show(orders=[], fills=records)


# 5: several equal orders of ours


async def several(url: str, folder: Path, sent: int, *looks: Show) -> list[str]:
    """Send equal orders, of none of which anything is shown at once, and look at each of them once a look."""
    clock = ManualClock(NOON)
    gunbot = Shown(clock, post="success")
    async with open_desk(url, folder, gunbot, clock=clock) as desk:
        tickets: list[Ticket] = []
        for _ in range(sent):
            clock.advance(timedelta(seconds=1))
            tickets.append(await desk.approve((await propose(desk)).id, by=TERMINAL))
        for shown in looks:
            clock.advance(timedelta(seconds=10))
            gunbot.now = shown
            tickets = [await desk.get(ticket.id, look=True) for ticket in reversed(tickets)][::-1]
        assert await desk.ledger.verify() == []
        return [told(ticket).removeprefix("accepted ") for ticket in tickets]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (1, ["candidate open_orders open 1", "candidate open_orders open 1"]),
        (2, ["match open_orders open 1", "match open_orders open 2"]),
        (3, ["candidate open_orders - 1+2+3", "candidate open_orders - 1+2+3"]),
    ],
)
async def test_equal_orders_of_ours_get_one_each_only_if_there_are_as_many(
    shown: int, expected: list[str], tmp_path: Path
) -> None:
    orders = [resting(str(number)) for number in range(1, shown + 1)]
    assert await several(f"sqlite:///{tmp_path}/l.db", tmp_path, 2, show(*orders)) == expected


async def test_an_order_of_ours_that_comes_later_does_not_put_the_first_in_doubt(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    gunbot = Shown(clock, post="success", after_post=show(resting("1")))
    async with open_desk(f"sqlite:///{tmp_path}/l.db", tmp_path, gunbot, clock=clock) as desk:
        first = await desk.approve((await propose(desk)).id, by=TERMINAL)
        gunbot.after_post = show(resting("1"), resting("2"))
        second = await desk.approve((await propose(desk)).id, by=TERMINAL)
        assert [told(first)[-1], told(second)[-1]] == ["1", "2"]
        assert told(await desk.get(first.id, look=True)) == "accepted match open_orders open 1"


# 16 and 17: what is taken back, and a human's word


async def test_a_match_that_is_taken_back_locks_its_pair_again_and_both_steps_stand_in_the_chain(
    tmp_path: Path,
) -> None:
    clock = ManualClock(NOON)
    gunbot = Shown(clock, after_post=show(resting()))
    async with open_desk(f"sqlite:///{tmp_path}/l.db", tmp_path, gunbot, clock=clock) as desk:
        ticket = await desk.approve((await propose(desk)).id, by=TERMINAL)
        await desk.withdraw((await propose(desk)).id, by=Actor("client", "model"))
        gunbot.now = show(resting(), resting("78"), bid=2)
        found = await desk.get(ticket.id, look=True)
        assert (found.state, found.closed_at) == (State.UNKNOWN, None)
        with pytest.raises(PairLocked):
            await propose(desk)
        kinds = [event.kind for event in await desk.ledger.events(ticket=ticket.id)]
        assert kinds[-3:] == ["unknown", "accepted", "unknown"]
        assert [one.order_ids for one in await desk.candidates(found)] == [("77",), ("78",)]


@asynccontextmanager
async def matched(folder: Path, post: str) -> AsyncGenerator[tuple[Desk, Shown, Ticket]]:
    """Give a desk one of whose orders, the POST of which ended like that, was found among the open ones."""
    clock = ManualClock(NOON)
    gunbot = Shown(clock, post=post, after_post=show(resting()))
    async with open_desk(f"sqlite:///{folder}/l.db", folder, gunbot, clock=clock) as desk:
        ticket = await desk.approve((await propose(desk)).id, by=TERMINAL)
        assert told(ticket) == OPEN
        yield desk, gunbot, ticket
        assert await desk.ledger.verify() == []


@pytest.mark.parametrize(
    ("post", "placed", "order_id", "expected"),
    [
        ("lost", True, "78", "accepted human human - 78"),
        ("lost", False, None, "void nothing"),
        ("success", True, "78", "accepted human human - 78"),
        ("success", False, None, "accepted human human gone "),
    ],
)
async def test_a_humans_word_overrules_a_match_once(
    post: str, *, placed: bool, order_id: str | None, expected: str, tmp_path: Path
) -> None:
    async with matched(tmp_path, post) as (desk, _, ticket):
        settled = await desk.resolve(ticket.id, placed=placed, order_id=order_id, by=TERMINAL)
        assert told(settled) == expected
        assert told(await desk.get(ticket.id, look=True)) == expected
        with pytest.raises(TicketClosed):
            await desk.resolve(ticket.id, placed=placed, order_id=order_id, by=TERMINAL)


@pytest.mark.parametrize(
    ("post", "expected"), [("lost", "unknown nothing"), ("success", "accepted nothing")], ids=["lost", "success"]
)
async def test_an_order_that_a_human_names_is_taken_from_the_ticket_that_was_matched_with_it(
    post: str, expected: str, tmp_path: Path
) -> None:
    """Of two equal orders one never arrived, and the other was taken for its: both tickets cannot have it."""
    async with matched(tmp_path, post) as (desk, gunbot, first):
        gunbot.post, gunbot.after_post = "lost", None
        second = await desk.approve((await propose(desk)).id, by=TERMINAL)
        named = await desk.resolve(second.id, placed=True, order_id="77", by=TERMINAL)
        assert told(named) == "accepted human human - 77"
        gunbot.now = show()
        overruled = await desk.get(first.id, look=True)
        assert told(overruled) == expected
        if post == "lost":
            assert f"ticket {second.id}'s, by a human's word" in " ".join(outcome_of(overruled).lines)
        # Its own is looked for again, and the order that is spoken for is no candidate.
        gunbot.now = show(resting(), resting("78"), bid=2)
        assert told(await desk.get(first.id, look=True)) == "accepted match open_orders open 78"


async def test_a_human_who_names_one_order_for_two_tickets_is_told_whose_it_is(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    gunbot = Shown(clock)
    async with open_desk(f"sqlite:///{tmp_path}/l.db", tmp_path, gunbot, clock=clock) as desk:
        first = await desk.approve((await propose(desk)).id, by=TERMINAL)
        await desk.resolve(first.id, placed=True, order_id="90", by=TERMINAL)
        second = await desk.approve((await propose(desk)).id, by=TERMINAL)
        with pytest.raises(TicketClosed, match=f"order 90 for ticket {first.id}"):
            await desk.resolve(second.id, placed=True, order_id="90", by=TERMINAL)
        assert told(await desk.get(second.id)) == NOTHING
        assert told(await desk.resolve(second.id, placed=True, order_id=None, by=TERMINAL)) == "accepted nothing"


async def test_an_order_that_a_human_named_is_followed_to_its_end(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    gunbot = Shown(clock)
    async with open_desk(f"sqlite:///{tmp_path}/l.db", tmp_path, gunbot, clock=clock) as desk:
        ticket = await desk.approve((await propose(desk)).id, by=TERMINAL)
        await desk.resolve(ticket.id, placed=True, order_id="90", by=TERMINAL)
        gunbot.now = show(resting("90"))
        assert told(await desk.get(ticket.id, look=True)) == "accepted human open_orders open 90"
        gunbot.now = fills(Fill("90"))
        found = await desk.get(ticket.id, look=True)
        assert told(found) == "accepted human history filled 90 0.001@49000.1"
        assert "by a human's word" in outcome_of(found).lines[-1]


async def test_a_humans_word_frees_none_of_todays_limits(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    limits = Limits(max_day={"USDT": Decimal(80)}, duplicate_seconds=0)
    async with open_desk(f"sqlite:///{tmp_path}/l.db", tmp_path, Shown(clock), clock=clock, limits=limits) as desk:
        ticket = await desk.approve((await propose(desk)).id, by=TERMINAL)
        await desk.resolve(ticket.id, placed=False, order_id=None, by=TERMINAL)
        with pytest.raises(LimitExceeded):
            await propose(desk)


async def test_an_order_of_one_gunbot_is_never_looked_for_at_another(tmp_path: Path) -> None:
    clock, url = ManualClock(NOON), f"sqlite:///{tmp_path}/l.db"
    async with open_desk(url, tmp_path, Shown(clock), clock=clock) as desk:
        ticket = await desk.approve((await propose(desk)).id, by=TERMINAL)
    other = Shown(clock, now=show(resting()))
    async with open_desk(url, tmp_path, other, clock=clock, url="http://another.invalid") as desk:
        assert told(await desk.get(ticket.id, look=True)) == NOTHING
        assert await desk.candidates(ticket) == []
        assert other.reads == []
    async with open_desk(url, tmp_path, other, clock=clock) as desk:
        assert told(await desk.get(ticket.id, look=True)) == OPEN
