"""Who tells a human what, and when: over a real ledger, with targets and a browser that write down what they get."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.desks import open_desk, propose
from support.shown import Fill, Show, Shown

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.config import Approval, Settings
from gunbot_mcp.errors import LimitExceeded
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.telling.announcer import Announcer, Told, seen
from gunbot_mcp.telling.targets import Notice, Targets
from gunbot_mcp.tickets.channels import TERMINAL

pytestmark = pytest.mark.anyio

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
Work = Callable[[], Awaitable[None]]


class Heard(Targets):
    """Targets that keep what is handed to them; `after` happens once, when the first was."""

    def __init__(self) -> None:
        super().__init__([], full=True)
        self.notices: list[Notice] = []
        self.after: Work | None = None

    def __bool__(self) -> bool:
        return True

    async def hand_over(self, notice: Notice) -> Mapping[str, str]:
        self.notices.append(notice)
        if self.after is not None:
            after, self.after = self.after, None
            await after()
        return {}

    @property
    def said(self) -> list[str]:
        return [notice.short for notice in self.notices]


@dataclass(kw_only=True)
class Process:
    """One process's announcer; `waiting` is the work that it began and nobody waits for."""

    announcer: Announcer
    heard: Heard
    shown: list[str]
    waiting: list[Work] = field(default_factory=list[Work])

    async def run(self) -> None:
        while self.waiting:
            await self.waiting.pop(0)()


def process(desk: Desk, clock: ManualClock, ledger: Ledger | None = None, **approval_given: Any) -> Process:  # noqa: ANN401 - settings
    approval = Approval(open="browser", **approval_given)
    settings = Settings.model_construct(instance="live", instances={}, approval=approval)
    heard, shown, waiting = Heard(), list[str](), list[Work]()

    async def sleep(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))

    def show(url: str) -> bool:
        shown.append(url)
        return True

    told = Told(
        settings=settings,
        ledger=ledger or desk.ledger,
        clock=clock,
        later=waiting.append,
        targets=heard,
        sleep=sleep,
        show=show,
    )
    return Process(announcer=Announcer(told), heard=heard, shown=shown, waiting=waiting)


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[tuple[Desk, ManualClock]]:
    clock = ManualClock(NOON)
    async with open_desk(f"sqlite:///{folder}/l.db", folder, Shown(clock, post="success"), clock=clock) as desk:
        yield desk, clock


async def test_the_first_is_told_at_once_with_what_where_and_how_long(tmp_path: Path) -> None:
    async with opened(tmp_path) as (desk, clock):
        one = process(desk, clock)
        ticket = await propose(desk)

        one.announcer.waits(ticket, f"http://localhost:1/tickets/{ticket.id}")
        await one.run()

    assert one.heard.said == ["An order waits (LIVE)"]
    assert one.heard.notices[0].full == f"waits for you: {ticket.summary}, LIVE, 120 s"
    assert one.heard.notices[0].link == f"http://localhost:1/tickets/{ticket.id}"
    assert clock.now() == NOON


async def test_the_link_asks_for_a_touch_where_the_config_says_so_and_never_for_several_orders_nor_by_itself(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (desk, clock):
        one = process(desk, clock, touch_at_once=True, public_url="https://orders.example.org")
        ticket = await propose(desk)
        local = f"http://localhost:1/tickets/{ticket.id}"
        one.announcer.waits(ticket, local)
        await one.run()
        for amount in ("0.0011", "0.0012"):
            one.announcer.waits(await propose(desk, amount=Decimal(amount)), "http://localhost:1/tickets/x")
        await one.run()

    links = [notice.link for notice in one.heard.notices]
    assert links == [f"https://orders.example.org/tickets/{ticket.id}#touch", "https://orders.example.org"]
    assert one.shown == [local]


async def test_those_that_follow_are_told_together_once_the_pause_is_over(tmp_path: Path) -> None:
    async with opened(tmp_path) as (desk, clock):
        one = process(desk, clock)
        one.announcer.waits(await propose(desk), "http://localhost:1/tickets/x")
        await one.run()
        for amount in ("0.0011", "0.0012"):
            one.announcer.waits(await propose(desk, amount=Decimal(amount)), "http://localhost:1/tickets/x")
        await one.run()

    assert one.heard.said == ["An order waits (LIVE)", "2 orders wait (LIVE)"]
    assert clock.now() - NOON == timedelta(seconds=30)


async def test_of_several_processes_one_speaks_for_a_ticket(tmp_path: Path) -> None:
    async with opened(tmp_path) as (desk, clock):
        one, other = process(desk, clock), process(desk, clock)
        ticket = await propose(desk)
        for each in (one, other):
            each.announcer.waits(ticket, "http://localhost:1/tickets/x")
        await one.run()
        await other.run()

    assert (one.heard.said, other.heard.said) == (["An order waits (LIVE)"], [])
    assert one.shown == ["http://localhost:1/tickets/x"]
    assert other.shown == []


async def test_a_ticket_that_is_decided_before_its_turn_is_not_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as (desk, clock):
        one = process(desk, clock)
        first, second = await propose(desk), await propose(desk, amount=Decimal("0.0011"))
        one.announcer.waits(first, "http://localhost:1/tickets/x")
        await desk.decline(second.id, by=TERMINAL)
        await one.run()

    assert one.heard.said == ["An order waits (LIVE)"]


async def test_the_browser_opens_again_only_for_what_comes_after_the_page_was_seen(tmp_path: Path) -> None:
    async with opened(tmp_path) as (desk, clock):
        one = process(desk, clock)
        tickets = [await propose(desk, amount=Decimal(f"0.001{number}")) for number in range(3)]
        for ticket in tickets[:2]:
            one.announcer.waits(ticket, ticket.id)
            await one.run()
        await seen(desk.ledger, tickets[0].id)
        one.announcer.waits(tickets[2], tickets[2].id)
        await one.run()

    assert one.shown == [tickets[0].id, tickets[2].id]


async def test_what_became_of_an_order_is_told_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as (desk, clock):
        one, other = process(desk, clock), process(desk, clock)
        done = await desk.approve((await propose(desk)).id, by=TERMINAL)
        for each in (one, other):
            each.announcer.changed(done)
            await each.run()
    assert done.state == "accepted"
    assert one.heard.said == []

    clock = ManualClock(NOON)
    filled = Shown(clock, post="success", after_post=Show([], [Fill()]))
    async with open_desk(f"sqlite:///{tmp_path}/2.db", tmp_path, filled, clock=clock) as desk:
        one, other = process(desk, clock), process(desk, clock)
        done = await desk.approve((await propose(desk)).id, by=TERMINAL)
        for each in (one, other):
            each.announcer.changed(done)
            await each.run()
    assert done.observed is not None
    assert (one.heard.said, other.heard.said) == (["An order filled (LIVE)"], [])


async def test_a_gunbot_that_says_no_is_told_and_one_whose_answer_is_lost_too(tmp_path: Path) -> None:
    for post, said in (("no", "Gunbot rejected an order (LIVE)"), ("lost", "The fate of an order is unknown (LIVE)")):
        clock = ManualClock(NOON)
        folder = tmp_path / post
        folder.mkdir()
        async with open_desk(f"sqlite:///{folder}/l.db", folder, Shown(clock, post=post), clock=clock) as desk:
            one = process(desk, clock)
            one.announcer.changed(await desk.approve((await propose(desk)).id, by=TERMINAL))
            await one.run()
        assert one.heard.said == [said]


async def test_after_five_orders_that_nobody_decided_a_client_is_refused_until_one_is_or_time_passes(
    tmp_path: Path,
) -> None:
    clock = ManualClock(NOON)
    where = f"sqlite:///{tmp_path}/l.db"
    async with open_desk(where, tmp_path, Shown(clock), clock=clock, approval=Approval(open="browser")) as desk:
        tickets = [await propose(desk, amount=Decimal(f"0.001{number}")) for number in range(5)]
        with pytest.raises(LimitExceeded, match="left undecided"):
            await propose(desk, amount=Decimal("0.0019"))
        await desk.decline(tickets[0].id, by=TERMINAL)
        after = await propose(desk, amount=Decimal("0.0019"))
        with pytest.raises(LimitExceeded, match="left undecided"):
            await propose(desk, amount=Decimal("0.0018"))
        clock.advance(timedelta(minutes=16))
        await propose(desk, amount=Decimal("0.0018"))
    assert after.summary


async def test_a_client_that_takes_a_new_name_each_time_is_refused_after_fifteen_orders(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    where = f"sqlite:///{tmp_path}/l.db"
    async with open_desk(where, tmp_path, Shown(clock), clock=clock, approval=Approval(open="browser")) as desk:
        for number in range(10, 25):
            await propose(desk, client=f"client {number}", amount=Decimal(f"0.0010{number}"))
        with pytest.raises(LimitExceeded, match="the last 15 orders were left undecided"):
            await propose(desk, client="yet another", amount=Decimal("0.0019"))


async def test_where_nobody_is_told_orders_may_wait(tmp_path: Path) -> None:
    async with opened(tmp_path) as (desk, _):
        for number in range(7):
            await propose(desk, amount=Decimal(f"0.001{number}"))
