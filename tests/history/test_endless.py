"""A list that never ends is left where it may end: what was read is kept, said, and not read again by itself."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from history.lists import KEY, START, List, Mirrored, ids_of, order

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.history.bounds import Bounds
from gunbot_mcp.history.coverage import Coverage, Note, NoteCode
from gunbot_mcp.history.covered import Counted, covers_line, notes_line
from gunbot_mcp.history.manifest import Manifest, decoded
from gunbot_mcp.history.mirror import Home, Mirror
from gunbot_mcp.history.sync import Page
from gunbot_mcp.history.zones import Zone

SMALL = Bounds(records=1_000)


class Fountain:
    """A Gunbot whose every page is full of records that were never given before; `total` is what it says of them."""

    def __init__(self, total: int | None = None, *, most: int = 1000, grows: bool = False, padding: int = 0) -> None:
        self.total = total
        self.most = most
        self.grows = grows
        self.padding = padding
        self.given = 0
        self.asked: list[tuple[int, int]] = []

    async def page(self, key: str, page: int, size: int) -> Page:
        assert key == KEY
        self.asked.append((page, size))
        count = min(size, self.most)
        records: Sequence[Mapping[str, Any]] = [
            order(10_000_000 - self.given - n, note=f"{self.given + n}" * self.padding) for n in range(count)
        ]
        self.given += count
        if self.total is not None and self.grows:
            self.total += count
        return Page(records, self.total)


@pytest.fixture
def mirrored(tmp_path: Path) -> Mirrored:
    return Mirrored(tmp_path, size=100, bounds=SMALL)


@pytest.mark.parametrize(
    ("source", "pages"),
    [
        (Fountain(), 10),
        (Fountain(10**12), 10),
        (Fountain(0), 10),
        (Fountain(50), 10),
        (Fountain(100, grows=True), 10),
        (Fountain(300), 5),
    ],
    ids=["no-total", "absurd", "none", "fewer-than-a-page", "growing", "exceeded"],
)
def test_pages_without_end_are_left_at_the_bound_and_what_was_read_is_kept(
    mirrored: Mirrored, source: Fountain, pages: int
) -> None:
    mirrored.sync(source)

    assert len(source.asked) <= pages + 1
    assert (mirrored.manifest.complete, mirrored.manifest.endless > 0) == (False, True)
    assert len(mirrored.ids()) >= 500


def test_a_list_that_was_left_is_read_again_by_a_human_only(mirrored: Mirrored) -> None:
    mirrored.sync(Fountain())
    listed = List([order(n) for n in reversed(range(150))])

    assert mirrored.sync(listed).pages == 0
    assert mirrored.sync(listed, whole=True).pages == 2
    assert (mirrored.manifest.complete, mirrored.manifest.endless) == (True, 0)
    assert mirrored.ids() == ids_of(listed.orders)


def test_a_complete_key_that_becomes_endless_keeps_its_records_and_is_not_called_complete(mirrored: Mirrored) -> None:
    listed = List([order(n) for n in reversed(range(150))])
    mirrored.sync(listed)

    mirrored.sync(Fountain())

    assert set(ids_of(listed.orders)) <= set(mirrored.ids())
    assert (mirrored.manifest.complete, mirrored.manifest.endless > 0) == (False, True)


def test_a_sync_that_is_cut_off_again_and_again_does_not_begin_a_new_bound_each_time(mirrored: Mirrored) -> None:
    source = Fountain(10**12)
    give, left = source.page, [7]

    async def cut(key: str, page: int, size: int) -> Page:
        left[0] -= 1
        if left[0] < 0:
            raise TimeoutError
        return await give(key, page, size)

    source.page = cut
    for _ in range(4):
        left[0] = 7
        if not mirrored.manifest.endless:
            try:
                mirrored.sync(source)
            except TimeoutError:
                continue

    assert mirrored.manifest.endless
    assert len(mirrored.ids()) <= SMALL.records + 500


@pytest.mark.parametrize("bounds", [Bounds(pages=7), Bounds(size=15_000), Bounds(files=1)])
def test_pages_bytes_and_files_are_bounded_too(tmp_path: Path, bounds: Bounds) -> None:
    mirrored = Mirrored(tmp_path, size=100, bounds=bounds)
    source = Fountain(padding=30)

    mirrored.sync(source)

    assert mirrored.manifest.endless
    assert len(source.asked) <= 20


def test_what_a_gunbot_replaces_again_and_again_does_not_fill_the_disk_with_what_lies_aside(tmp_path: Path) -> None:
    mirrored = Mirrored(tmp_path, size=100, bounds=Bounds(size=60_000))
    source = Fountain(100, padding=10)

    for _ in range(60):
        mirrored.sync(source)

    assert mirrored.manifest.endless
    aside = sum(mirrored.place.size(name) or 0 for name in mirrored.place.names("aside"))
    assert aside < 90_000


def test_an_answer_says_that_a_list_did_not_end_and_what_a_person_can_do(tmp_path: Path) -> None:
    source, clock = Fountain(1000), ManualClock(datetime.fromtimestamp(START / 1000, UTC) + timedelta(days=9000))
    home = Home(folder=tmp_path, instance="main", url="https://gunbot:3000", live=True)
    mirror = Mirror(home, source, clock=clock)

    async def run() -> Sequence[Coverage]:
        return [await mirror.ready([KEY], within=60), await mirror.ready([KEY], within=60)]

    first, again = anyio.run(run)

    assert (first.complete, first.pending, first.pages) == (False, (), len(source.asked))
    assert (again.complete, again.pending, again.pages) == (False, (), 0)
    assert [note.code for note in again.notes] == [NoteCode.ENDLESS]
    zone = Zone("UTC", 0, 1)
    counted = Counted(records=1, first_ms=0, last_ms=0, zone=zone, now=clock.now(), from_the_start=True)
    assert "NOT complete" in covers_line(again, counted)
    assert "ask again" not in covers_line(again, counted)
    assert "history verify" in notes_line([Note(NoteCode.ENDLESS, KEY, 4_000)])


def test_a_list_that_ended_is_written_as_older_versions_read_it() -> None:
    assert b"endless" not in Manifest(key=KEY).encoded()
    assert decoded(Manifest(key=KEY, endless=7).encoded()).endless == 7
