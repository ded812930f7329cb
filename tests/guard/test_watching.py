"""Following orders in the background: how often, by whom, and when nothing is asked. Time passes only by hand."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.desks import open_desk, propose
from support.shown import Fill, Show, Shown, resting, told

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.config import Instance, Limits, Settings
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.following import Follower
from gunbot_mcp.guard.timing import Timing
from gunbot_mcp.guard.watching import Watcher
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.reload import Rules
from gunbot_mcp.tickets.channels import TERMINAL

pytestmark = pytest.mark.anyio

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
READ = ["/coremem/single", "/orders/page"]


class Over(Exception):
    """The time that a test gives is over."""


@asynccontextmanager
async def watched(
    folder: Path, *, post: str = "success", timing: Timing | None = None
) -> AsyncGenerator[tuple[Desk, Shown, ManualClock, Watcher]]:
    """One accepted order that rests, and a reader that follows it."""
    clock = ManualClock(NOON)
    gunbot = Shown(clock, post=post, after_post=Show([resting()]))
    async with open_desk(f"sqlite:///{folder}/l.db", folder, gunbot, clock=clock) as desk:
        await desk.approve((await propose(desk)).id, by=TERMINAL)
        gunbot.reads.clear()
        async with reader(desk, gunbot, clock, "one", timing=timing) as watcher:
            yield desk, gunbot, clock, watcher


@asynccontextmanager
async def reader(
    desk: Desk, gunbot: Shown, clock: ManualClock, owner: str, *, timing: Timing | None = None, lasts: float = 0
) -> AsyncGenerator[Watcher]:
    limits = Limits(duplicate_seconds=0)
    made = Instance.model_validate({"url": "http://gunbot.invalid", "token": "hush-hush", "limits": limits})
    settings = Settings.model_construct(instance="live", instances={"live": made})
    timing = timing or Timing()
    end = clock.monotonic() + lasts

    async def sleep(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))
        if lasts and clock.monotonic() > end:
            raise Over

    async with Gunbot(made, transport=gunbot, elapsed=clock.monotonic) as adapter:
        follower = Follower(
            settings=settings, rules=Rules(settings), ledger=desk.ledger, gunbot=adapter, clock=clock, timing=timing
        )
        yield Watcher(
            instance="live",
            owner=owner,
            ledger=desk.ledger,
            follower=follower,
            clock=clock,
            timing=timing,
            sleep=sleep,
        )


def looks(gunbot: Shown) -> int:
    return gunbot.reads.count("/coremem/single")


async def test_an_order_is_read_at_most_once_a_second_and_its_end_is_recorded(tmp_path: Path) -> None:
    async with watched(tmp_path) as (desk, gunbot, clock, watcher):
        began = clock.monotonic()
        await watcher.turn()
        assert [path for path in gunbot.reads if path != "/time"] == READ
        assert clock.monotonic() - began >= len(gunbot.reads)
        gunbot.now = Show([], [Fill(at=2.0)])
        gunbot.base = gunbot.millis()
        clock.advance(timedelta(seconds=5))
        await watcher.turn()
        [ticket] = await desk.list()
        assert told(ticket) == "accepted match history filled 77 0.001@49000.1"
        gunbot.reads.clear()
        clock.advance(timedelta(hours=1))
        await watcher.turn()
        assert gunbot.reads == []


@pytest.mark.parametrize(
    ("age", "lasts", "least", "most"),
    [
        (timedelta(0), 100, 12, 20),
        (timedelta(minutes=3), 600, 8, 10),
        (timedelta(hours=2), 6000, 8, 10),
        (timedelta(days=8), 6000, 0, 0),
    ],
)
async def test_the_younger_an_order_the_more_often_it_is_looked_at(
    age: timedelta, lasts: float, least: int, most: int, tmp_path: Path
) -> None:
    async with watched(tmp_path) as (desk, gunbot, clock, _):
        clock.advance(age)
        async with reader(desk, gunbot, clock, "one", lasts=lasts) as watcher:
            with pytest.raises(Over):
                await watcher.run()
        assert least <= looks(gunbot) <= most


async def test_the_first_look_comes_after_the_first_pause(tmp_path: Path) -> None:
    async with watched(tmp_path) as (desk, gunbot, clock, _):
        async with reader(desk, gunbot, clock, "one", lasts=4.9) as watcher:
            with pytest.raises(Over):
                await watcher.run()
        assert gunbot.reads == []


async def test_without_looks_nothing_is_read_in_the_background(tmp_path: Path) -> None:
    async with watched(tmp_path, timing=Timing(looks=0)) as (_, gunbot, _, watcher):
        await watcher.run()
        assert gunbot.reads == []


async def test_one_process_reads_for_all_until_its_lease_is_over(tmp_path: Path) -> None:
    async with (
        watched(tmp_path) as (desk, gunbot, clock, one),
        reader(desk, gunbot, clock, "two") as two,
    ):
        await one.turn()
        seen = looks(gunbot)
        clock.advance(timedelta(seconds=6))
        await two.turn()
        assert (seen, looks(gunbot)) == (1, 1)
        clock.advance(timedelta(seconds=60))
        await two.turn()
        assert looks(gunbot) == 2
        clock.advance(timedelta(seconds=6))
        await one.turn()
        assert looks(gunbot) == 2


async def test_a_gunbot_that_is_away_is_left_alone_for_a_while(tmp_path: Path) -> None:
    async with watched(tmp_path) as (_, gunbot, clock, watcher):
        gunbot.now = Show([resting()], away=True)
        await watcher.turn()
        asked = len(gunbot.reads)
        for _ in range(5):
            clock.advance(timedelta(seconds=10))
            await watcher.turn()
        assert (asked, len(gunbot.reads)) == (1, 1)
        clock.advance(timedelta(seconds=10))
        gunbot.now = Show([resting()])
        await watcher.turn()
        assert looks(gunbot) == 2


async def test_all_orders_of_a_pair_share_a_look(tmp_path: Path) -> None:
    async with watched(tmp_path) as (desk, gunbot, clock, watcher):
        gunbot.after_post = Show([resting(), resting("78", rate=48000)])
        await desk.approve((await propose(desk, price=48000)).id, by=TERMINAL)
        gunbot.reads.clear()
        clock.advance(timedelta(seconds=5))
        await watcher.turn()
        assert looks(gunbot) == 1
