"""The mirror of an instance, on a real Gunbot: known keys, coverage, faults, other Gunbots, our own tickets."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from history.lists import START, List, order
from support.desks import propose
from support.live import LiveGunbot

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.config import Settings
from gunbot_mcp.errors import GatewayUnreachable, HistoryUnavailable
from gunbot_mcp.history.coverage import Coverage, NoteCode
from gunbot_mcp.history.mirror import Home, Mirror
from gunbot_mcp.history.place import Folder
from gunbot_mcp.history.store import held_keys
from gunbot_mcp.history.sync import Page
from gunbot_mcp.runtime import Later, Runtime
from gunbot_mcp.tickets.channels import TERMINAL

pytestmark = pytest.mark.anyio

BTC, ETH = "binance/USDT-BTC", "binance/USDT-ETH"


class Lists:
    """Several keys' lists; `away` keys are those that cannot be reached."""

    def __init__(self, **counts: int) -> None:
        self.of = {f"binance/USDT-{name}": self._made(count, name) for name, count in counts.items()}
        self.away: set[str] = set()
        self.pages = 0
        self.hold: anyio.Event | None = None

    @staticmethod
    def _made(count: int, name: str) -> list[dict[str, Any]]:
        return [order(n, pair=f"USDT-{name}") for n in reversed(range(count))]

    async def page(self, key: str, page: int, size: int) -> Page:
        self.pages += 1
        if self.hold is not None and page:
            await self.hold.wait()
        if key in self.away:
            raise GatewayUnreachable("away", "start it")
        listed = self.of[key]
        return Page(listed[page * size : (page + 1) * size], len(listed))

    async def keys(self) -> list[str]:
        return list(self.of)


def home(folder: Path, url: str = "https://gunbot:3000") -> Home:
    return Home(folder=folder, instance="main", url=url, live=True)


def clock() -> ManualClock:
    return ManualClock(datetime.fromtimestamp(START / 1000, UTC) + timedelta(days=30))


def counted(mirror: Mirror) -> int:
    with mirror.reader().connect() as connection:
        return connection.sql("SELECT count(*) FROM orders").fetchall()[0][0]


def codes(coverage: Coverage) -> dict[str, int]:
    return {note.code: note.count for note in coverage.notes}


async def test_without_keys_all_are_meant_that_anybody_knows(tmp_path: Path) -> None:
    lists = Lists(BTC=30, ETH=20)
    mirror = Mirror(home(tmp_path), lists, known=lists.keys, clock=clock())

    coverage = await mirror.ready(None, within=60)

    assert [(one.key, one.records, one.complete) for one in coverage.keys] == [(BTC, 30, True), (ETH, 20, True)]
    assert (coverage.complete, coverage.pages, coverage.records, coverage.notes) == (True, 2, 50, ())
    assert coverage.keys[0].first_ms == START
    assert coverage.keys[0].last_ms == START + 29 * 60_000
    assert counted(mirror) == 50
    # A key that nobody else knows any more is still known here.
    lists.of.pop(ETH)
    assert await mirror.keys() == (BTC, ETH)


async def test_what_outlasts_the_call_goes_on_in_the_background(tmp_path: Path) -> None:
    lists = Lists(BTC=1_500)
    lists.hold = anyio.Event()
    later = Later()
    mirror = Mirror(home(tmp_path), lists, later=later.start, clock=clock())

    first = await mirror.ready([BTC], within=1)
    assert (first.complete, first.pending, first.keys[0].of) == (False, (BTC,), 1_500)
    second = await mirror.ready([BTC], within=0.01)
    assert second.pending == (BTC,)
    lists.hold.set()
    third = await mirror.ready([BTC], within=60)
    await later.aclose()

    assert (third.complete, third.pending, third.records) == (True, (), 1_500)
    # One reading for all three.
    assert lists.pages == 2


async def test_without_a_background_what_was_cut_off_is_not_called_fresh(tmp_path: Path) -> None:
    lists = Lists(BTC=1_500)
    mirror = Mirror(home(tmp_path), lists, clock=clock())
    await mirror.ready([BTC], within=60)
    lists.hold = anyio.Event()
    lists.of[BTC] = Lists(BTC=3_000).of[BTC]

    coverage = await mirror.ready([BTC], within=0.2)

    assert (coverage.complete, coverage.pending) == (False, (BTC,))


async def test_gunbot_away_is_answered_from_the_mirror_with_its_age(tmp_path: Path) -> None:
    lists, time = Lists(BTC=30, ETH=20), clock()
    mirror = Mirror(home(tmp_path), lists, clock=time, at_once=1)
    await mirror.ready([BTC, ETH], within=60)
    time.advance(timedelta(hours=2))
    lists.away |= {BTC, ETH}
    lists.pages = 0

    coverage = await mirror.ready([BTC, ETH], within=60)

    assert (coverage.complete, coverage.records) == (False, 50)
    assert {one.error_code for one in coverage.keys} == {"gateway_unreachable"}
    assert codes(coverage) == {NoteCode.AWAY: 0, NoteCode.STALE: 7200}
    assert counted(mirror) == 50
    # The second key did not have to find out by itself.
    assert lists.pages == 1


async def test_a_key_read_a_moment_ago_is_not_asked_for_again_where_that_is_enough(tmp_path: Path) -> None:
    lists, time = Lists(BTC=30), clock()
    mirror = Mirror(home(tmp_path), lists, clock=time)
    await mirror.ready([BTC], within=60)
    time.advance(timedelta(seconds=59))

    assert (await mirror.ready([BTC], within=60, max_age=60)).pages == 0
    time.advance(timedelta(seconds=2))
    assert (await mirror.ready([BTC], within=60, max_age=60)).pages == 1


async def test_what_is_asked_since_a_day_is_looked_for_in_no_month_before(tmp_path: Path) -> None:
    month = 31 * 86_400_000
    lists = Lists(BTC=0, ETH=0)
    for key in lists.of:
        lists.of[key] = [
            {**order(n, pair=key.split("/")[1]), "time": START + (n // 2) * month + n % 2} for n in reversed(range(48))
        ]
    mirror = Mirror(home(tmp_path), lists, known=lists.keys, clock=clock())
    await mirror.ready(None, within=20)
    since = START + 23 * month + 1
    every, recent = mirror.reader(), mirror.reader(since_ms=since)
    found: list[list[tuple[Any, ...]]] = []
    for reader in (every, recent):
        with reader.connect() as connection:
            asked = connection.execute("SELECT key, id FROM orders WHERE time_ms >= ? ORDER BY ALL", [since])
            found.append(asked.fetchall())

    assert len(every.files) > 40
    assert len(recent.files) == 2
    assert found[0] == found[1]
    assert len(found[1]) == 2


async def test_the_mirror_of_another_gunbot_is_not_used(tmp_path: Path) -> None:
    mirror = Mirror(home(tmp_path), Lists(BTC=30), clock=clock())
    await mirror.ready([BTC], within=60)

    other = Mirror(home(tmp_path, "https://another:3000"), Lists(BTC=7), clock=clock())

    assert await other.keys() == ()
    assert (await other.ready([BTC], within=60)).records == 7
    assert counted(mirror) == 30


async def test_all_that_lies_there_is_private(tmp_path: Path) -> None:
    mirror = Mirror(home(tmp_path), Lists(BTC=30), clock=clock())
    await mirror.ready([BTC], within=60)

    found = list((tmp_path / "history").rglob("*"))
    assert {oct(path.stat().st_mode & 0o777) for path in found if path.is_file()} == {"0o600"}
    assert {oct(path.stat().st_mode & 0o777) for path in found if path.is_dir()} == {"0o700"}


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def overwrite(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def make_newer(file: Path) -> None:
    manifest = file.with_name("manifest.json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text(encoding="utf-8")), "format": 2}), encoding="utf-8")


def make_no_json(file: Path) -> None:
    file.with_name("manifest.json").write_text("{", encoding="utf-8")


@pytest.mark.parametrize("damage", [truncate, Path.unlink, make_newer, make_no_json])
async def test_a_damaged_file_is_set_aside_fetched_again_and_said(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    lists = Lists(BTC=120)
    mirror = Mirror(home(tmp_path), lists, clock=clock())
    await mirror.ready([BTC], within=60)
    damage(mirror.reader([BTC]).files[0])

    coverage = await mirror.ready([BTC], within=60)

    assert (coverage.complete, coverage.records, codes(coverage)) == (True, 120, {NoteCode.DAMAGED: 1})
    assert counted(mirror) == 120
    assert len(mirror.place.names("aside")) == (0 if damage is Path.unlink else 1)
    assert codes(await mirror.ready([BTC], within=60)) == {}


async def test_a_file_damaged_inside_is_found_when_it_is_read(tmp_path: Path) -> None:
    lists = Lists(BTC=120)
    mirror = Mirror(home(tmp_path), lists, clock=clock())
    await mirror.ready([BTC], within=60)
    overwrite(mirror.reader([BTC]).files[0])

    with pytest.raises(HistoryUnavailable), mirror.reader([BTC]).connect() as connection:
        connection.sql("SELECT count(*) FROM orders").fetchall()
    coverage = await mirror.ready([BTC], within=60)

    assert (coverage.complete, codes(coverage)) == (True, {NoteCode.DAMAGED: 1})
    assert counted(mirror) == 120


async def test_a_clock_behind_gunbot_s_hides_no_record_and_is_said(tmp_path: Path) -> None:
    behind = ManualClock(datetime.fromtimestamp(START / 1000, UTC))
    mirror = Mirror(home(tmp_path), Lists(BTC=30), clock=behind)

    coverage = await mirror.ready([BTC], within=60)

    assert codes(coverage) == {NoteCode.AHEAD: 29 * 60}
    assert coverage.read_at == behind.now() + timedelta(minutes=29)


@pytest.mark.slow
async def test_four_hundred_keys_are_one_answer(tmp_path: Path) -> None:
    lists = Lists(**{f"C{n}": 3 for n in range(400)})
    mirror = Mirror(home(tmp_path), lists, known=lists.keys, clock=clock())

    coverage = await mirror.ready(None, within=300)

    assert (len(coverage.keys), coverage.complete, coverage.pages) == (400, True, 400)
    assert counted(mirror) == 1_200


async def test_what_is_no_key_is_said_and_the_others_are_read(
    live_gunbot: LiveGunbot, live_settings: Callable[..., Settings]
) -> None:
    del live_gunbot
    async with Runtime(live_settings()) as runtime:
        coverage = await runtime.mirror().ready(["../etc", BTC, "binance/USDT-NOTHING"], within=60)

    assert [one.error_code for one in coverage.keys] == ["invalid_arguments", None, "gateway_rejected"]


async def test_orders_of_our_own_tickets_are_told_apart_from_gunbot_s_own(
    live_gunbot: LiveGunbot, live_settings: Callable[..., Settings]
) -> None:
    live_gunbot.place("/trade/buy/market", exch="binance", pair="USDT-BTC", amt=0.001)
    async with Runtime(live_settings()) as runtime:
        desk = await runtime.desk()
        ticket = await propose(desk, "buy_market", exchange="binance", pair="USDT-BTC", amount=Decimal("0.002"))
        await desk.approve(ticket.id, by=TERMINAL)
        await desk.get(ticket.id, look=True)
        mirror = runtime.mirror()
        coverage = await mirror.ready(None, within=60)

        assert BTC in {one.key for one in coverage.keys}
        with mirror.reader().connect() as connection:
            found = connection.sql(
                "SELECT o.amount, f.ticket, f.client, f.approved_by, f.approved_at > o.time - INTERVAL 1 MINUTE, "
                "f.summary FROM orders o LEFT JOIN fills_by_ticket f USING (key, id) ORDER BY o.time_ms, o.amount"
            ).fetchall()
    assert found == [
        (Decimal("0.001"), None, None, None, None, None),
        (Decimal("0.002"), ticket.id, "model", str(TERMINAL), True, ticket.summary),
    ]


class Full(Folder):
    """A place whose disk can be full."""

    full = False

    def keep(self, name: str, draft: Path) -> None:
        if self.full:
            raise OSError(28, os.strerror(28), str(draft))
        super().keep(name, draft)


async def test_a_disk_without_room_leaves_the_mirror_as_it_was_and_says_so(tmp_path: Path) -> None:
    lists = Lists(BTC=30)
    place = Full(home(tmp_path).path)
    mirror = Mirror(home(tmp_path), lists, clock=clock(), place=place)
    await mirror.ready([BTC], within=60)
    place.full = True
    lists.of[BTC] = Lists(BTC=90).of[BTC]

    coverage = await mirror.ready([BTC], within=60)

    assert (coverage.keys[0].error_code, coverage.complete, coverage.records) == ("history_unavailable", False, 30)
    assert counted(mirror) == 30
    place.full = False
    assert (await mirror.ready([BTC], within=60)).records == 90
    assert not [name for name in place.names() if "draft" in name]


def test_a_list_of_what_is_held_needs_nobody_else(tmp_path: Path) -> None:
    mirror = Mirror(home(tmp_path), List(), clock=clock())
    assert held_keys(mirror.place) == []
