"""The mirror of one instance's order history: refreshed on demand, read by DuckDB, bound to one Gunbot.

    mirror = Mirror(Home(folder, instance="main", url=url, live=True), source, ...)
    coverage = await mirror.ready(None, within=20)     # all known keys; what takes longer goes on in the background
    with mirror.reader().connect() as connection: ...

It lies in `history/INSTANCE/BINDING/` of the state folder, where BINDING stands for the Gunbot's address and kind: what
was fetched from another Gunbot is never read.
"""

import functools
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.to_thread

from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import GatewayError, GatewayUnreachable, GunbotMcpError, LedgerUnavailable, Unauthorized
from gunbot_mcp.history.coverage import Coverage, KeyCoverage, Note, NoteCode
from gunbot_mcp.history.engine import Engine
from gunbot_mcp.history.locks import Locks
from gunbot_mcp.history.manifest import Manifest
from gunbot_mcp.history.place import Folder, Place
from gunbot_mcp.history.reader import Fill, Reader
from gunbot_mcp.history.store import KeyFiles, held_keys, load, paths_of
from gunbot_mcp.history.sync import KeySync, Progress, Source

logger = logging.getLogger(__name__)

AT_ONCE = 4
"""Keys that are read at the same time: Gunbot trades meanwhile."""

Later = Callable[[Callable[[], Awaitable[None]]], None]
"""Starts work that may outlive the call."""


async def no_keys() -> Sequence[str]:
    return ()


async def no_fills() -> Sequence[Fill]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a mirror lies, and of which Gunbot it is."""

    folder: Path
    instance: str
    url: str
    live: bool

    @property
    def of_instance(self) -> Path:
        return self.folder / "history" / self.instance

    @property
    def path(self) -> Path:
        kind = "live" if self.live else "paper"
        return self.of_instance / f"{kind}-{hashlib.sha256(self.url.encode()).hexdigest()[:10]}"


@dataclass(slots=True)
class _Job:
    """One key's sync in this process. `error` is the code of what it failed by; `ended`: nothing cut it off."""

    key: str
    told: Progress = field(default_factory=Progress)
    done: anyio.Event = field(default_factory=anyio.Event)
    error: str | None = None
    ended: bool = False


class Mirror:
    """One instance's mirror. Belongs to one event loop; any number of processes may have the same one.

    `known` tells keys that nobody named, `fills` which orders are of our own tickets, `later` outlives a call (without
    it, what does not end in time is cut off, and gone on from next time). `place` and `page` are seams.
    """

    def __init__(
        self,
        home: Home,
        source: Source,
        *,
        known: Callable[[], Awaitable[Sequence[str]]] = no_keys,
        fills: Callable[[], Awaitable[Sequence[Fill]]] = no_fills,
        later: Later | None = None,
        clock: Clock | None = None,
        place: Place | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        self.home = home
        self.place: Place = place or Folder(home.path)
        self._source = source
        self._known = known
        self._ask_fills = fills
        self._later = later
        self._clock = clock or Clock()
        self._engine = Engine()
        self._locks = Locks(home.path / "locks")
        self._turns = anyio.Semaphore(at_once)
        self._running: dict[str, _Job] = {}
        self._fills: Sequence[Fill] = ()

    def close(self) -> None:
        self._engine.close()

    async def keys(self) -> tuple[str, ...]:
        """Return every key that Gunbot's memory, the config, the ledger or the mirror knows, sorted."""
        held = await anyio.to_thread.run_sync(held_keys, self.place)
        return tuple(sorted({*held, *await self._known()}))

    def progress(self) -> Mapping[str, Progress]:
        """Return how far the syncs of this process are that run now, by key."""
        return {key: job.told for key, job in self._running.items()}

    async def forget(self, keys: Iterable[str]) -> None:
        """Remove what is held of these keys. What Gunbot still lists can be fetched again.

        Raises:
            HistoryUnavailable: it cannot be removed.
        """
        for key in keys:
            async with self._locks.of(key):
                await anyio.to_thread.run_sync(KeyFiles(self.place, self._engine, key).forget)

    def reader(self, keys: Iterable[str] | None = None) -> Reader:
        """Return the files of these keys (None: of all that are held) as they are now, with our own fills."""
        wanted = held_keys(self.place) if keys is None else list(dict.fromkeys(keys))
        manifests = [load(self.place, key) for key in wanted]
        shared = len(manifests) > 1 and any(manifest.strays for manifest in manifests)
        return Reader(paths_of(self.place, manifests), self._fills, shared)

    async def ready(
        self, keys: Sequence[str] | None, *, within: float, whole: bool = False, max_age: float = 0
    ) -> Coverage:
        """Bring these keys (None: all known ones) up to date, and say what the mirror covers then.

        At most `within` seconds; what takes longer goes on in the background. A key that was read at most `max_age`
        seconds ago is not asked for. `whole` reads everything again, and so finds what was edited long ago.

        Nothing that Gunbot or the disk does is an error here: the coverage says it.
        """
        wanted = await self.keys() if keys is None else tuple(dict.fromkeys(keys))
        fills_known = await self._refresh_fills()
        stale = [key for key in wanted if whole or not await self._fresh(key, max_age)]
        jobs = [self._running.get(key) or _Job(key) for key in stale]
        begun = [job for job in jobs if job.key not in self._running]
        self._running |= {job.key: job for job in begun}

        async def work() -> None:
            await self._run(begun, whole=whole)

        async def wait() -> None:
            for job in jobs:
                await job.done.wait()

        with anyio.move_on_after(within):
            if self._later is None:
                await work()
            elif begun:
                self._later(work)
            await wait()
        return await anyio.to_thread.run_sync(self._coverage, wanted, jobs, fills_known)

    async def _refresh_fills(self) -> bool:
        try:
            self._fills = await self._ask_fills()
        except LedgerUnavailable:
            return False
        return True

    async def _fresh(self, key: str, max_age: float) -> bool:
        if max_age <= 0:
            return False
        manifest = await anyio.to_thread.run_sync(load, self.place, key)
        age = (self._now_ms() - (manifest.fetched_ms or 0)) / 1000
        return manifest.complete and 0 <= age <= max_age

    # -- the work --------------------------------------------------------------------------------------------------

    async def _run(self, jobs: Sequence[_Job], *, whole: bool) -> None:
        down: list[GatewayError] = []
        try:
            async with anyio.create_task_group() as tasks:
                for job in jobs:
                    tasks.start_soon(self._one, job, down, whole)
        finally:
            for job in jobs:
                self._end(job)

    async def _one(self, job: _Job, down: list[GatewayError], whole: bool) -> None:  # noqa: FBT001 - start_soon knows no names
        try:
            async with self._turns:
                if down:
                    # Gunbot is away for this round: hundreds of keys must not wait for it one after the other.
                    job.error, job.ended = down[0].code, True
                    return
                await self._sync(job, whole=whole)
                job.ended = True
        except GunbotMcpError as exc:
            job.error, job.ended = exc.code, True
            if isinstance(exc, GatewayUnreachable | Unauthorized):
                down.append(exc)
            logger.info("the history of %r: %s", job.key, exc)
        finally:
            self._end(job)

    def _end(self, job: _Job) -> None:
        self._running.pop(job.key, None)
        job.done.set()

    async def _sync(self, job: _Job, *, whole: bool) -> None:
        asked_ms = self._now_ms()
        async with self._locks.of(job.key):
            files = KeyFiles(self.place, self._engine, job.key)
            await anyio.to_thread.run_sync(self._bind)
            job.told.damaged = await anyio.to_thread.run_sync(functools.partial(files.open, thorough=whole))
            manifest = files.manifest
            if not whole and manifest.complete and (manifest.fetched_ms or 0) > asked_ms:
                return  # another process did it while this one waited for its turn
            await KeySync(self._source, files, self._now_ms(), job.told).run(whole=whole)

    def _bind(self) -> None:
        """Write down whose mirror this is, for people and for `history prune`."""
        if self.place.size("mirror.json") is None:
            facts = {"format": 1, "instance": self.home.instance, "url": self.home.url, "live": self.home.live}
            self.place.put("mirror.json", json.dumps(facts).encode())

    def _now_ms(self) -> int:
        return round(self._clock.now().timestamp() * 1000)

    # -- what it covers --------------------------------------------------------------------------------------------

    def _coverage(self, keys: Sequence[str], jobs: Sequence[_Job], fills_known: bool) -> Coverage:  # noqa: FBT001 - run_sync knows no names
        by_key = {job.key: job for job in jobs}
        manifests = {key: load(self.place, key) for key in keys}
        covered = tuple(self._key_coverage(key, manifests[key], by_key.get(key)) for key in keys)
        pending = tuple(job.key for job in jobs if not job.ended)
        newest = max((one.last_ms for one in covered if one.last_ms is not None), default=0)
        now_ms = self._now_ms()
        notes = [note for key in keys for note in _notes(manifests[key], by_key.get(key))]
        notes += [Note(NoteCode.AWAY, one.key, 0) for one in covered if one.error_code is not None]
        notes += [
            Note(NoteCode.STALE, one.key, max(0, now_ms - one.fetched_ms) // 1000)
            for one in covered
            if one.fetched_ms is not None and (one.error_code is not None or one.key in pending)
        ]
        if newest > now_ms:
            notes.append(Note(NoteCode.AHEAD, None, (newest - now_ms + 999) // 1000))
        if not fills_known:
            notes.append(Note(NoteCode.UNPROVEN, None, 0))
        # An answer names a few of them: that a key is not read further comes first.
        notes.sort(key=lambda note: note.code is not NoteCode.ENDLESS)
        return Coverage(
            keys=covered,
            # A clock of ours that is behind must not hide what has already happened.
            read_at=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=max(now_ms, newest)),
            complete=all(one.complete and one.error_code is None for one in covered) and not pending,
            pending=pending,
            pages=sum(job.told.pages for job in jobs),
            records=sum(one.records for one in covered),
            notes=tuple(notes),
        )

    @staticmethod
    def _key_coverage(key: str, manifest: Manifest, job: _Job | None) -> KeyCoverage:
        of = (
            None
            if manifest.complete or manifest.endless
            else (job.told.of if job is not None else None) or manifest.total
        )
        return KeyCoverage(
            key=key,
            records=manifest.records,
            first_ms=manifest.first_ms,
            last_ms=manifest.last_ms,
            fetched_ms=manifest.fetched_ms,
            complete=manifest.complete,
            error_code=None if job is None else job.error,
            of=of,
        )


def _notes(manifest: Manifest, job: _Job | None) -> list[Note]:
    counts = {
        NoteCode.ENDLESS: manifest.endless,
        NoteCode.DUPLICATES: manifest.duplicates,
        NoteCode.EDITED: 0 if job is None else job.told.edited,
        NoteCode.ODD: manifest.odd,
        NoteCode.SHRANK: manifest.shrank,
        NoteCode.RESET: manifest.reset,
        NoteCode.DAMAGED: max(manifest.damaged, 0 if job is None else job.told.damaged),
    }
    return [Note(code, manifest.key, count) for code, count in counts.items() if count]
