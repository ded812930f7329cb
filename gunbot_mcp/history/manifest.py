"""The list of what counts: one small file per key, replaced atomically after the files that it names are there."""

import hashlib
import re
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field, ValidationError

FORMAT = 1
"""What this version writes and reads; a newer list is set aside."""
MANIFEST = "manifest.json"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Model):
    """One Parquet file of a key and month. Times in milliseconds; `size` and `sha256` tell whether it is still whole.

    `strays`: records whose own pair is not the key's. `odd`: records that could not be read in part.
    """

    name: str
    month: str
    records: int
    first_ms: int | None
    last_ms: int | None
    odd: int
    strays: int
    size: int
    sha256: str


class Manifest(_Model):
    """One key. `complete`: all that Gunbot listed at `fetched_ms` is here; it then said `total`, where it says that.

    While it is not, the newest `read` records are. `shrank` of the records are no longer listed by Gunbot and count,
    `reset` were removed by it and lie aside; `duplicates` are positions of its list that repeat a record.
    """

    format: int = FORMAT
    key: str
    generation: int = 0
    files: tuple[File, ...] = ()
    complete: bool = False
    total: int | None = None
    read: int = 0
    fetched_ms: int | None = None
    shrank: int = 0
    reset: int = 0
    duplicates: int = 0
    damaged: int = Field(default=0, description="Files set aside since the key was last complete.")
    endless: int = Field(default=0, description="Records read when the list did not end where it may, and was left.")

    @property
    def records(self) -> int:
        return sum(file.records for file in self.files)

    @property
    def odd(self) -> int:
        return sum(file.odd for file in self.files)

    @property
    def strays(self) -> int:
        return sum(file.strays for file in self.files)

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)

    @property
    def first_ms(self) -> int | None:
        return min((file.first_ms for file in self.files if file.first_ms is not None), default=None)

    @property
    def last_ms(self) -> int | None:
        return max((file.last_ms for file in self.files if file.last_ms is not None), default=None)

    def changed(self, **facts: object) -> "Manifest":
        """Return the next generation, with these fields changed."""
        return self.model_copy(update={"generation": self.generation + 1, **facts})

    def encoded(self) -> bytes:
        # Versions that do not know the field can read all lists but such a one.
        return self.model_dump_json(exclude=None if self.endless else {"endless"}).encode()


class Unreadable(Exception):
    """A manifest that is damaged, or of a newer version."""


@lru_cache(maxsize=128)  # each question reads the lists of all its keys, and of ten years they are long
def decoded(content: bytes) -> Manifest:
    """Return the manifest that a file holds.

    Raises:
        Unreadable: damaged, or of another version.
    """
    try:
        found = Manifest.model_validate_json(content)
    except ValidationError as exc:
        raise Unreadable from exc
    if found.format != FORMAT or "format" not in found.model_fields_set:
        raise Unreadable
    return found


_KEPT = re.compile(r"[^A-Za-z0-9.#-]")


def folder_of(key: str) -> str:
    """Return the name of a key's folder: readable, and different for keys that differ in case or punctuation only."""
    return f"{_KEPT.sub('_', key)[:80]}-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:10]}"
