"""Filling one key of the mirror from Gunbot's pages, newest first: the cost grows with what is new.

A quiet key costs one small page. Where something is new, pages are read until the number that Gunbot says (`total`) is
accounted for and known records appear. Where the numbers do not agree (records removed, a reset, doubles, a list in
another order), and for a key's first time, the whole list is read, more than once if it changes meanwhile:

1. New records shift the others to later positions: some are read twice, none is missed.
2. Removed records shift the others to earlier positions: then a pass has read less than Gunbot says, and is repeated.
3. What Gunbot lists no more, and is older than all that it lists, still counts (a list that was cut short); everything
   else that it lists no more was removed, and is set aside. An empty list removes nothing: a Gunbot that has just
   started may not know its orders yet.
4. A list that goes on beyond what Gunbot says, or beyond all bounds (`bounds.py`), is left there: what was read counts,
   the key is not complete, and nobody but a human has it read again.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio.to_thread

from gunbot_mcp.errors import GatewayInvalidResponse, GatewayTimeout
from gunbot_mcp.history.bounds import Bounds, Endless
from gunbot_mcp.history.engine import Damaged
from gunbot_mcp.history.record import Identity, Row, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gunbot_mcp.history.store import Absorbed, KeyFiles

PROBE = 50
"""Records of the page that is asked first: a quiet key costs no more."""
PAGE = 1000
_SMALLEST = 100
_BATCH = 5
"""Pages that become durable together."""
_PASSES = 4
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; `total` is how many records Gunbot says the list has, None where it does not say."""

    records: Sequence[Mapping[str, Any]]
    total: int | None


class Source(Protocol):
    """Where pages come from: newest first, counted from 0. Raises `GatewayError`."""

    async def page(self, key: str, page: int, size: int) -> Page: ...


@dataclass(slots=True)
class Progress:
    """What a sync has done so far; `of` is what Gunbot says the list has."""

    pages: int = 0
    records: int = 0
    new: int = 0
    edited: int = 0
    removed: int = 0
    damaged: int = 0
    of: int | None = None


@dataclass(slots=True)
class _Read:
    """A page as rows, with the position of its first record."""

    rows: list[Row]
    at: int
    size: int
    total: int | None

    @property
    def last(self) -> bool:
        """Whether the list ends here, or should: where Gunbot names no total, only an empty page says so."""
        return not self.rows or self.beyond or (self.total is not None and len(self.rows) < self.size)

    @property
    def beyond(self) -> bool:
        """Whether this is more than a page behind the end that Gunbot names."""
        return self.total is not None and self.at > self.total + self.size


@dataclass(slots=True)
class _Pass:
    """One reading of the whole list: what it held, and how its length moved meanwhile."""

    seen: set[int] = field(default_factory=set[int])
    oldest_ms: int | None = None
    totals: list[int] = field(default_factory=list[int])
    repeats: bool = False

    @property
    def shrinking(self) -> bool:
        return any(later < earlier for earlier, later in zip(self.totals, self.totals[1:], strict=False))

    @property
    def accounted(self) -> bool:
        """Whether everything was read that was listed when the pass began, and nothing was missed."""
        return not self.totals or (not self.shrinking and self.totals[0] <= len(self.seen) <= self.totals[-1])


class KeySync:
    """One key's sync, for the holder of its lock. `now_ms` dates what is fetched."""

    def __init__(
        self,
        source: Source,
        files: KeyFiles,
        now_ms: int,
        told: Progress,
        *,
        size: int = PAGE,
        bounds: Bounds | None = None,
    ) -> None:
        self._source = source
        self._files = files
        self._now = max(now_ms, files.manifest.fetched_ms or 0)
        self._told = told
        self._size = size
        self._probe = min(PROBE, size)
        self._bounds = bounds or Bounds()
        self._had = files.manifest.records > 0
        self._fresh = set[int]()
        self._met_known = False

    async def run(self, *, whole: bool = False) -> None:
        """Bring the key up to date; `whole` reads all of it again, and so finds what was edited long ago.

        A key whose list did not end (`Manifest.endless`) is read again with `whole` only.

        Raises:
            GatewayError: Gunbot cannot be asked; what was read so far is kept.
            HistoryUnavailable: the mirror cannot be written.
        """
        if self._files.manifest.endless and not whole:
            return
        if whole:
            self._bounds = await _in_thread(self._bounds.beyond, self._files)
        try:
            await self._unless_damaged(whole=whole)
        except Endless:
            read = max(1, self._told.records)
            await self._settle(complete=False, endless=read, total=None)

    async def _unless_damaged(self, *, whole: bool) -> None:
        try:
            await self._run(whole=whole)
        except Damaged:
            self._told.damaged += await _in_thread(functools.partial(self._files.open, thorough=True))
            await self._whole()

    async def _run(self, *, whole: bool) -> None:
        manifest = self._files.manifest
        if not whole and manifest.complete and await self._top():
            return
        if not whole and not manifest.complete and manifest.read and await self._resumed():
            return
        await self._whole()

    # -- what is new -----------------------------------------------------------------------------------------------

    async def _top(self) -> bool:
        """Read from the newest record to known ones; False where the numbers do not agree."""
        manifest = self._files.manifest
        before = manifest.total
        fresh, positions, first_total = set[Identity](), 0, None
        read = await self._page(0, self._probe)
        new = await self._absorb_top(read, fresh)
        if read.rows and len(new) == len({row.identity for row in read.rows}) and not read.last:
            # More than a small page: its records are cheap to read once more.
            read = await self._page(0, self._size)
            new |= await self._absorb_top(read, fresh)
        if read.rows and before == 0 and manifest.records:
            return False  # Gunbot listed none of what is here, and now it lists something: which of it still counts?
        while True:
            first_total = read.total if first_total is None else first_total
            positions += sum(row.identity in fresh for row in read.rows)
            met_known = any(row.identity not in fresh for row in read.rows)
            doubles, over = 0, False
            if before is None or read.total is None:
                agreed = met_known and not new
            else:
                # Doubles among the new ones are positions, not records; while the list moves, nobody can tell.
                doubles = read.total - before - len(fresh)
                agreed = doubles == (positions - len(fresh) if read.total == first_total else 0)
                over = doubles < 0
            if agreed and (met_known or read.last):
                await self._settle(total=read.total, duplicates=manifest.duplicates + doubles)
                return True
            if over or read.last or (met_known and not new):
                return False
            read = await self._page(read.at + len(read.rows), self._size)
            new = await self._absorb_top(read, fresh)

    async def _absorb_top(self, read: _Read, fresh: set[Identity]) -> set[Identity]:
        absorbed = await self._absorb(read.rows)
        fresh |= absorbed.new
        return absorbed.new

    # -- all of it -------------------------------------------------------------------------------------------------

    async def _resumed(self) -> bool:
        """Go on where an earlier sync was cut off; False where that does not lead to what Gunbot says."""
        had, fresh = self._files.manifest.read, set[Identity]()
        read = await self._page(0, self._size)
        while True:
            new = await self._absorb_top(read, fresh)
            if read.last or any(row.identity not in new for row in read.rows):
                break
            read = await self._page(read.at + len(read.rows), self._size)
        if not read.last:
            # One page earlier than where it stopped: what was removed meanwhile must not open a gap.
            start = max(read.at + len(read.rows), had + len(fresh) - self._size)
            while not read.last:
                read = await self._page(start, self._size)
                await self._absorb(read.rows, read=max(had, read.at + len(read.rows)))
                start = read.at + len(read.rows)
        manifest = self._files.manifest
        if read.total is None or read.total != manifest.records - manifest.shrank:
            return False
        await self._settle(total=read.total)
        return True

    async def _whole(self) -> None:
        """Read the whole list until what was read is what Gunbot says, and settle what it lists no more."""
        for _ in range(_PASSES):
            found = await self._passes()
            listed = found.totals[0] if found.totals else None
            doubles = 0 if listed is None else max(0, listed - len(found.seen))
            total = None if listed is None else max(listed, len(found.seen))
            # What came meanwhile is at the top; only with it do the numbers prove that nothing was missed.
            moved = bool(found.totals) and found.totals[-1] != total and len(found.seen) <= found.totals[-1]
            await self._settle_gone(found, total=total, duplicates=doubles, complete=not moved)
            if not moved or await self._top():
                return
        raise self._restless()

    async def _passes(self) -> _Pass:
        """Read the list once, or again until it was read without a gap."""
        union, lengths, before = set[int](), set[int](), 0
        for turn in range(_PASSES):
            found = await self._pass()
            if found.accounted:
                return found
            union |= found.seen
            lengths |= set(found.totals)
            if lengths == {len(union)}:
                # Of records with the same time, each pass may see others: together they are all.
                found.seen = union
                return found
            missing = found.totals[0] - len(found.seen)
            if turn and missing == before and not found.shrinking and found.seen == union:
                if found.repeats:
                    raise GatewayInvalidResponse(
                        f"Gunbot gives the same page of {self._files.key} again and again",
                        "this version answers differently",
                    )
                return found
            before = missing
        raise self._restless()

    def _restless(self) -> GatewayInvalidResponse:
        return GatewayInvalidResponse(
            f"Gunbot's list of orders of {self._files.key} changes faster than it can be read", "ask again later"
        )

    async def _pass(self) -> _Pass:
        found, batch, at = _Pass(), list[Row](), 0
        count = 0
        while True:
            read = await self._page(at, self._size)
            if read.total is not None:
                found.totals.append(read.total)
            hashes = {hash(row.identity) for row in read.rows}
            repeated = bool(hashes) and hashes <= found.seen
            found.repeats |= repeated and read.at > 0 and len(hashes) > 1
            found.seen |= hashes
            times = [row.time_ms for row in read.rows if row.time_ms is not None]
            if times:
                found.oldest_ms = min(times) if found.oldest_ms is None else min(found.oldest_ms, *times)
            batch += read.rows
            count += 1
            ended = read.last or (read.total is None and repeated)
            if ended or count % _BATCH == 0:
                await self._absorb(batch, **self._so_far(read))
                batch = []
            if read.beyond and hashes and not repeated:
                raise Endless
            if ended:
                return found
            at = read.at + len(read.rows)

    def _so_far(self, read: _Read) -> dict[str, Any]:
        """Return what a key that was never complete says of itself meanwhile."""
        manifest = self._files.manifest
        if manifest.complete:
            return {}
        return {"read": read.at + len(read.rows), "total": read.total}

    async def _settle_gone(self, found: _Pass, **facts: Any) -> None:  # noqa: ANN401 - fields of the manifest
        manifest = self._files.manifest
        gone: dict[Identity, str] = {}
        if manifest.records > len(found.seen):
            gone = await _in_thread(self._not_in, found.seen)
        cut = {
            identity for identity in gone if not found.seen or (self._met_known and _older(identity, found.oldest_ms))
        }
        removed = {identity: name for identity, name in gone.items() if identity not in cut}
        facts |= {"shrank": len(cut), "reset": manifest.reset + len(removed)}
        if removed:
            self._told.removed += len(removed)
            await _in_thread(functools.partial(self._files.remove, removed))
        await self._settle(**facts)

    def _not_in(self, seen: set[int]) -> dict[Identity, str]:
        return {identity: name for identity, name in self._files.identities() if hash(identity) not in seen}

    # -- pages and files -------------------------------------------------------------------------------------------

    async def _page(self, at: int, size: int) -> _Read:
        """Read the page that holds position `at`; a Gunbot that is slow, or gives fewer, is asked for fewer."""
        await _in_thread(functools.partial(self._bounds.require, self._files, at=at, pages=self._told.pages))
        while True:
            try:
                page = await self._source.page(self._files.key, at // size, size)
                break
            except GatewayTimeout:
                if size <= _SMALLEST:
                    raise
                size = self._size = max(_SMALLEST, size // 4)
        rows = await _in_thread(self._rows, page.records)
        self._told.pages += 1
        self._told.records += len(rows)
        # A number below what one page holds is none.
        total = page.total if page.total is None or page.total >= len(rows) else None
        self._told.of = total
        first = at // size * size
        if total is not None and first == 0 and 0 < len(rows) < min(size, total):
            size = self._size = len(rows)
        return _Read(rows, first, size, total)

    def _rows(self, records: Sequence[Mapping[str, Any]]) -> list[Row]:
        return [row_of(record, self._files.key, self._now) for record in records]

    async def _absorb(self, rows: Sequence[Row], **facts: Any) -> Absorbed:  # noqa: ANN401 - fields of the manifest
        absorbed = await _in_thread(functools.partial(self._files.absorb, rows, **facts))
        self._told.new += len(absorbed.new)
        self._told.edited += absorbed.edited
        if self._had:
            # What this very sync brought does not tell whether anything of the old list is still listed.
            self._fresh |= {hash(identity) for identity in absorbed.new}
            self._met_known = self._met_known or any(hash(row.identity) not in self._fresh for row in rows)
        return absorbed

    async def _settle(self, **facts: Any) -> None:  # noqa: ANN401 - fields of the manifest
        settled = {"complete": True, "read": 0, "damaged": 0, "endless": 0, "fetched_ms": self._now, **facts}
        await _in_thread(functools.partial(self._files.publish, **settled))


def _older(identity: Identity, than_ms: int | None) -> bool:
    return identity[2] is not None and than_ms is not None and identity[2] < than_ms


async def _in_thread(work: Callable[..., _T], *arguments: Any) -> _T:  # noqa: ANN401 - passed on as they are
    """Run blocking work to its end, also if its caller goes away: the files must not be left half-way."""
    return await anyio.to_thread.run_sync(functools.partial(work, *arguments))
