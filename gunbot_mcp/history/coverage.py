"""What an answer from the mirror covers, as facts: which keys, from when to when, read when, and what is missing.

The codes of notes, each with the key that it is about and how many:

    duplicates  positions of Gunbot's list that repeat a record (counted once)
    edited      records that Gunbot says differently than before (its newest word counts)
    odd         records that cannot be read in part, or at all (see `record.py`)
    shrank      older records that Gunbot lists no more, and that still count
    reset       records that Gunbot removed, set aside: they do not count
    damaged     files of the mirror that were set aside and are fetched again
    ahead       seconds by which the newest record is later than this machine's clock
    away        the key could not be read now (`error_code` says why); what is here is as old as `fetched_ms` says
    stale       seconds since the key was last read, where it could not be read now, or is still being read
    unproven    the ledger could not be asked which orders are our own tickets'
    endless     records that were read when Gunbot's list of the key did not end where it may: it is not read further
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class NoteCode(StrEnum):
    DUPLICATES = "duplicates"
    EDITED = "edited"
    ODD = "odd"
    SHRANK = "shrank"
    RESET = "reset"
    DAMAGED = "damaged"
    AHEAD = "ahead"
    AWAY = "away"
    STALE = "stale"
    UNPROVEN = "unproven"
    ENDLESS = "endless"


@dataclass(frozen=True, slots=True)
class Note:
    """`key` None: about all of them."""

    code: NoteCode
    key: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCoverage:
    """One key. Times are milliseconds since 1970; `fetched_ms` is when it was last compared with Gunbot's list.

    `complete`: all that Gunbot had then is here. Otherwise `of` says how many records Gunbot speaks of, where it does,
    and `error_code` why the reading failed, where it did.
    """

    key: str
    records: int
    first_ms: int | None
    last_ms: int | None
    fetched_ms: int | None
    complete: bool
    error_code: str | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """`pages` were read now, for `records` in all; `pending` keys are still being read in the background."""

    keys: tuple[KeyCoverage, ...]
    read_at: datetime
    complete: bool
    pending: tuple[str, ...]
    pages: int
    records: int
    notes: tuple[Note, ...] = ()
