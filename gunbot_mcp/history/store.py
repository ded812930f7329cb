"""One key's files: taking in records, taking out what Gunbot removed, setting aside what is damaged.

Whoever holds a `KeyFiles` holds the key's lock. Every change writes new files first and then the manifest, so that a
crash at any instruction leaves the old state or the new one; files that no manifest names are swept up later.
"""

import contextlib
import hashlib
import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunbot_mcp.errors import HistoryUnavailable
from gunbot_mcp.history.engine import Damaged, Engine, unwritable
from gunbot_mcp.history.manifest import MANIFEST, File, Manifest, Unreadable, decoded, folder_of
from gunbot_mcp.history.parquet import FILED, IDENTITY, Counted, copy, write_rows
from gunbot_mcp.history.place import Place
from gunbot_mcp.history.reader import quoted
from gunbot_mcp.history.record import Identity, Row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ASIDE = "aside"
KEYS = "keys"
GRACE_SECONDS = 120.0
"""How long a file that no longer counts stays for those who are reading by an older list."""
_SMALL = 5_000
_FACTOR = 4
"""A month's file is written anew with what is added, if it is small, or no larger than so many times the addition."""
_SAID = "pair, id, time_ms, side, price, amount, cost, fees, pnl, cost_given, extra"


@dataclass(slots=True)
class Absorbed:
    """What a batch of rows brought: identities that were not known, and how many known ones say something else now."""

    new: set[Identity] = field(default_factory=set[Identity])
    edited: int = 0


def load(place: Place, key: str) -> Manifest:
    """Return a key's manifest; an empty one where there is none, or none that can be read."""
    content = place.read(f"{KEYS}/{folder_of(key)}/{MANIFEST}")
    with contextlib.suppress(Unreadable):
        if content is not None:
            return decoded(content)
    return Manifest(key=key)


def held_keys(place: Place) -> list[str]:
    """Return the keys that the mirror holds something of."""
    found: list[str] = []
    for name in place.names(KEYS):
        content = place.read(name) if name.endswith(f"/{MANIFEST}") else None
        with contextlib.suppress(Unreadable):
            if content is not None:
                found.append(decoded(content).key)
    return sorted(found)


class KeyFiles:
    """The files of one key, for the holder of its lock; methods block."""

    def __init__(self, place: Place, engine: Engine, key: str) -> None:
        self._place = place
        self._engine = engine
        self._folder = f"{KEYS}/{folder_of(key)}"
        self.key = key
        self.manifest = Manifest(key=key)

    def open(self, *, thorough: bool = False) -> int:
        """Read the manifest, and set aside what is not as it says: gone, truncated, of a newer version.

        Returns how many files were set aside. `thorough` reads every byte.
        """
        with _writing():
            damaged = self._read_manifest()
            good = [file for file in self.manifest.files if self._whole(file, thorough=thorough)]
            for file in self.manifest.files:
                if file not in good:
                    self._set_aside(file.name)
                    damaged += 1
            if len(good) < len(self.manifest.files):
                self.publish(files=tuple(good), complete=False, read=0, damaged=self.manifest.damaged + damaged)
            self._sweep()
        return damaged

    def _read_manifest(self) -> int:
        content = self._place.read(f"{self._folder}/{MANIFEST}")
        self.manifest = Manifest(key=self.key)
        if content is None:
            return 0
        try:
            self.manifest = decoded(content)
        except Unreadable:
            # Its files are nobody's then; they are fetched again.
            self._set_aside(MANIFEST)
            self.manifest = Manifest(key=self.key, damaged=1)
            return 1
        return 0

    def _whole(self, file: File, *, thorough: bool) -> bool:
        name = f"{self._folder}/{file.name}"
        if self._place.size(name) != file.size:
            return False
        return not thorough or _digest(self._place.path(name)) == file.sha256

    def _set_aside(self, name: str) -> None:
        folder = self._folder.removeprefix(f"{KEYS}/")
        self._place.move(f"{self._folder}/{name}", f"{ASIDE}/{folder}/{secrets.token_hex(4)}-{name}")

    def _sweep(self) -> None:
        counted = {f"{self._folder}/{name}" for name in (MANIFEST, *(file.name for file in self.manifest.files))}
        for name in self._place.names(self._folder):
            if name not in counted and (self._place.age(name) or 0) > GRACE_SECONDS:
                self._place.delete(name)

    def forget(self) -> None:
        """Remove all of it: the manifest first, so that nothing is left half named."""
        with _writing():
            names = self._place.names(self._folder)
            for name in sorted(names, key=lambda one: not one.endswith(f"/{MANIFEST}")):
                self._place.delete(name)

    def aside(self) -> int:
        """Return the bytes of what was set aside of this key."""
        folder = f"{ASIDE}/{self._folder.removeprefix(f'{KEYS}/')}"
        return sum(self._place.size(name) or 0 for name in self._place.names(folder))

    def publish(self, **facts: Any) -> None:  # noqa: ANN401 - fields of the manifest
        """Make the next manifest count.

        Raises:
            HistoryUnavailable: it cannot be written; the old one counts.
        """
        following = self.manifest.changed(**facts)
        with _writing():
            self._place.put(f"{self._folder}/{MANIFEST}", following.encoded())
        self.manifest = following

    # -- taking in -------------------------------------------------------------------------------------------------

    def absorb(self, rows: Sequence[Row], **facts: Any) -> Absorbed:  # noqa: ANN401 - fields of the manifest
        """Add the rows that are new and replace those that say something else now; `facts` go into the manifest.

        Raises:
            HistoryUnavailable: it cannot be written; nothing has changed.
            Damaged: a file cannot be read; it was set aside, and the key has to be read anew.
        """
        given = {row.identity: row for row in rows}
        known = self._known(list(given.values()))
        new = {identity for identity in given if identity not in known}
        edited = [row for identity, row in given.items() if identity in known and known[identity][0] != row.said()]
        touched = {known[row.identity][1] for row in edited}
        if not new and not edited:
            if facts:
                self.publish(**facts)
            return Absorbed()
        months: dict[str, list[Row]] = {}
        for row in (*(given[identity] for identity in new), *edited):
            months.setdefault(row.month, []).append(row)
        with self._writing_files() as written:
            files = list(self.manifest.files)
            for month, added in months.items():
                small = max(_SMALL, _FACTOR * len(added))
                older = [one for one in files if one.month == month and (one.records <= small or one.name in touched)]
                files = [one for one in files if one not in older]
                files.append(self._write(month, added, older, written))
            self.publish(files=tuple(sorted(files, key=lambda one: (one.month, one.name))), **facts)
            written.clear()
        return Absorbed(new, len(edited))

    def _known(self, rows: Sequence[Row]) -> dict[Identity, tuple[tuple[object, ...], str]]:
        """Return what the mirror says of these records' identities, and in which file."""
        months = {row.month for row in rows}
        times = [row.time_ms for row in rows if row.time_ms is not None]
        low, high = (min(times), max(times)) if times else (0, 0)
        files = [
            one
            for one in self.manifest.files
            if one.month in months
            and (one.first_ms is None or one.last_ms is None or (one.first_ms <= high and low <= one.last_ms))
        ]
        if not files:
            return {}
        found: dict[Identity, tuple[tuple[object, ...], str]] = {}
        with self._reading(files) as cursor:
            for file in files:
                asked = f"SELECT {_SAID} FROM {_read(self._path(file))} "  # noqa: S608 - our own path
                asked += "WHERE time_ms IS NULL OR id IS NULL OR (time_ms BETWEEN ? AND ? AND id IN (SELECT unnest(?)))"
                ids = [row.id for row in rows if row.id is not None]
                for said in cursor.execute(asked, [low, high, ids]).fetchall():
                    found[identity_of(said[0], said[1], said[2], said[-1])] = (said, file.name)
        return found

    def _write(self, month: str, rows: Sequence[Row], older: Sequence[File], written: list[str]) -> File:
        draft = self._place.draft(self._folder)
        try:
            with self._reading(older) as cursor:
                counted = write_rows(cursor, rows, draft, older=[self._path(one) for one in older])
            return self._keep(draft, month, counted, written)
        finally:
            draft.unlink(missing_ok=True)

    def _keep(self, draft: Path, month: str, counted: Counted, written: list[str]) -> File:
        size, digest = draft.stat().st_size, _digest(draft)
        name = f"{month}.{self.manifest.generation + 1}-{secrets.token_hex(3)}.parquet"
        written.append(name)
        self._place.keep(f"{self._folder}/{name}", draft)
        return File(name=name, month=month, size=size, sha256=digest, **counted._asdict())

    # -- taking out ------------------------------------------------------------------------------------------------

    def identities(self) -> Iterator[tuple[Identity, str]]:
        """Give every record's identity with the name of its file."""
        for file in self.manifest.files:
            with self._reading([file]) as cursor:
                extra = "CASE WHEN id IS NULL OR time_ms IS NULL THEN extra END"
                source = _read(self._path(file))
                result = cursor.execute(f"SELECT pair, id, time_ms, {extra} FROM {source}")  # noqa: S608 - our own path
                while found := result.fetchmany(10_000):
                    for pair, order_id, time_ms, said in found:
                        yield identity_of(pair, order_id, time_ms, said), file.name

    def remove(self, gone: Mapping[Identity, str], **facts: Any) -> None:  # noqa: ANN401 - fields of the manifest
        """Take records out of their files and set them aside, in files of their own; `facts` go into the manifest.

        Raises:
            HistoryUnavailable, Damaged: as `absorb`.
        """
        with self._writing_files() as written:
            files: list[File] = []
            for file in self.manifest.files:
                theirs = [identity for identity, name in gone.items() if name == file.name]
                files += self._without(file, theirs, written) if theirs else [file]
            self.publish(files=tuple(files), **facts)
            written.clear()

    def _without(self, file: File, gone: Sequence[Identity], written: list[str]) -> list[File]:
        kept, removed = self._place.draft(self._folder), self._place.draft(self._folder)
        try:
            with self._reading([file]) as cursor:
                columns = [list(column) for column in zip(*gone, strict=True)]
                unnested = (
                    "unnest(?::VARCHAR[]) AS pair, unnest(?::VARCHAR[]) AS identity, unnest(?::BIGINT[]) AS time_ms"
                )
                cursor.execute(f"CREATE TEMP TABLE gone AS SELECT {unnested}", columns)
                removed_ones = "SELECT (gone.identity, gone.pair, coalesce(gone.time_ms, 0)) FROM gone"
                match = f"({IDENTITY}, held.pair, coalesce(held.time_ms, 0)) IN ({removed_ones})"
                source = f"SELECT {', '.join(FILED)} FROM {_read(self._path(file))} AS held WHERE"  # noqa: S608 - our own path
                copy(cursor, f"{source} {match}", removed)
                counted = copy(cursor, f"{source} NOT {match}", kept)
            folder = self._folder.removeprefix(f"{KEYS}/")
            self._place.keep(f"{ASIDE}/{folder}/removed-{secrets.token_hex(4)}-{file.name}", removed)
            return [self._keep(kept, file.month, counted, written)] if counted.records else []
        finally:
            for draft in (kept, removed):
                draft.unlink(missing_ok=True)

    # -- faults ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self, files: Sequence[File]) -> Generator["DuckDBPyConnection"]:
        try:
            with self._engine.cursor() as cursor:
                yield cursor
        except Damaged as exc:
            if all(self._whole(file, thorough=True) for file in files):
                # What is read is as it was written: it is the writing that failed.
                raise unwritable(exc) from exc
            raise

    @contextlib.contextmanager
    def _writing_files(self) -> Generator[list[str]]:
        """Give a list for the names of files that are written, which are removed again if they come to nothing."""
        written: list[str] = []
        try:
            with _writing():
                yield written
        finally:
            for name in written:
                with contextlib.suppress(OSError):
                    self._place.delete(f"{self._folder}/{name}")

    def _path(self, file: File) -> Path:
        return self._place.path(f"{self._folder}/{file.name}")


def paths_of(place: Place, manifests: Sequence[Manifest]) -> list[Path]:
    """Return the files that these manifests name."""
    return [
        place.path(f"{KEYS}/{folder_of(manifest.key)}/{file.name}") for manifest in manifests for file in manifest.files
    ]


def identity_of(pair: str, order_id: str | None, time_ms: int | None, extra: str | None) -> Identity:
    """Return the identity of a stored row; see `Row.identity`."""
    usable = order_id is not None and time_ms is not None
    return pair, (order_id or "") if usable else (extra or ""), time_ms


def _read(path: Path) -> str:
    return f"read_parquet({quoted(str(path))})"


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@contextlib.contextmanager
def _writing() -> Generator[None]:
    try:
        yield
    except HistoryUnavailable:
        raise
    except OSError as exc:
        raise unwritable(exc) from exc
