"""The first line of every answer from the history: what it covers, what is missing, and how to get that.

Other tools of the history begin with the same line: `covers_line` in words, `covers_facts` for programs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gunbot_mcp.errors import clean
from gunbot_mcp.history import figures_text as text
from gunbot_mcp.history.coverage import Coverage, Note, NoteCode
from gunbot_mcp.history.zones import Zone, millis, moment_of

_NAMED = 3
"""How many keys one line names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What an answer is made from: so many records, from one instant to another (milliseconds), in a zone's range.

    `from_the_start`: nothing is known before. `assets` are those that the figures are in.
    """

    records: int
    first_ms: int | None
    last_ms: int | None
    zone: Zone
    now: datetime
    from_the_start: bool
    assets: Sequence[str] = ()


def covers_line(coverage: Coverage, counted: Counted) -> str:
    """Return `Covers 2 of 2 keys, 22 records, 12 Oct 08:15 - 30 Oct 12:00, complete, read 2 Nov 14:02. UTC, USDT`."""
    read = sum(key.fetched_ms is not None for key in coverage.keys)
    noun = "key" if len(coverage.keys) == 1 else "keys"
    records = "1 record" if counted.records == 1 else f"{counted.records} records"
    parts = [f"Covers {read} of {len(coverage.keys)} {noun}", records]
    if counted.first_ms is not None and counted.last_ms is not None:
        first, last = (text.moment(counted.zone, at, counted.now) for at in (counted.first_ms, counted.last_ms))
        parts.append(f"{first} - {last}" + (" (nothing known before)" if counted.from_the_start else ""))
    parts.append("complete" if coverage.complete else _missing(coverage))
    pages = f" ({coverage.pages} {'page' if coverage.pages == 1 else 'pages'} now)" if coverage.pages else ""
    parts.append(f"read {text.moment(counted.zone, millis(coverage.read_at), counted.now)}{pages}")
    return f"{', '.join(parts)}. {', '.join([counted.zone.name, *counted.assets])}"


def _missing(coverage: Coverage) -> str:
    """Say which keys are not whole, and what helps."""
    lacking = [key for key in coverage.keys if not key.complete]
    said: list[str] = []
    for key in lacking[:_NAMED]:
        of = f" of {key.of}" if key.of is not None else ""
        why = f" ({key.error_code})" if key.error_code else ""
        said.append(f"{clean(key.key, 64)} {key.records}{of} records{why}")
    more = f" and {len(lacking) - _NAMED} more keys" if len(lacking) > _NAMED else ""
    waits = (
        "the rest is being read: ask again"
        if coverage.pending
        else "ask again; a human can read it all with gunbot-mcp history sync"
    )
    endless = {note.key for note in coverage.notes if note.code is NoteCode.ENDLESS}
    if lacking and all(key.key in endless for key in lacking):
        waits = "asking again does not help, see the note"
    return f"NOT complete: {'; '.join(said)}{more}; {waits}" if said else f"NOT complete: {waits}"


_NOTES: dict[NoteCode, str] = {
    NoteCode.DUPLICATES: "{count} repeated in Gunbot's list, counted once",
    NoteCode.EDITED: "{count} that Gunbot changed later, counted as it says now",
    NoteCode.ODD: "{count} that cannot be read in part or at all",
    NoteCode.SHRANK: "{count} that Gunbot lists no more, still counted",
    NoteCode.RESET: "{count} that Gunbot removed, not counted",
    NoteCode.DAMAGED: "{count} damaged files of the mirror set aside and read again",
    NoteCode.AHEAD: "the newest record is {count} s later than this machine's clock",
    NoteCode.AWAY: "Gunbot did not answer for it: what was known before counts",
    NoteCode.STALE: "last read {count} s ago",
    NoteCode.UNPROVEN: "the ledger could not be read: which orders are this server's own is not known",
    NoteCode.ENDLESS: "Gunbot's list did not end after {count} records: it is not read further until a human runs "
    "gunbot-mcp history verify KEY, or removes it with history prune --key KEY",
}


def notes_line(notes: Sequence[Note]) -> str:
    """Return what was odd about the records in one line, empty where nothing was."""
    told = [f"{_NOTES[note.code].format(count=note.count)}{_of(note)}" for note in notes[: 2 * _NAMED]]
    more = f"; {len(notes) - 2 * _NAMED} more" if len(notes) > 2 * _NAMED else ""
    return f"Note: {'; '.join(told)}{more}" if told else ""


def _of(note: Note) -> str:
    return f" ({clean(note.key, 64)})" if note.key else ""


def covers_facts(coverage: Coverage, counted: Counted) -> dict[str, Any]:
    """Return the same as facts, times in ISO form on the zone's clock."""
    facts: dict[str, Any] = {
        "keys": sum(key.fetched_ms is not None for key in coverage.keys),
        "of_keys": len(coverage.keys),
        "records": counted.records,
        "from": iso(counted.zone, counted.first_ms),
        "to": iso(counted.zone, counted.last_ms),
        "from_the_start": counted.from_the_start,
        "complete": coverage.complete,
        "pages_read": coverage.pages,
        "read_at": iso(counted.zone, millis(coverage.read_at)),
    }
    lacking = [key for key in coverage.keys if not key.complete]
    if lacking:
        facts["missing"] = [
            {"key": clean(key.key, 64), "records": key.records, "of": key.of, "error": key.error_code}
            for key in lacking[: 2 * _NAMED]
        ]
        facts["missing_keys"] = len(lacking)
    if coverage.notes:
        facts["notes"] = [
            {"code": note.code.value, "key": note.key, "count": note.count} for note in coverage.notes[: 2 * _NAMED]
        ]
    return facts


def iso(zone: Zone, time_ms: int | None) -> str | None:
    """Return an instant on the zone's clock, with its offset: `2026-10-12T08:15:00+02:00`."""
    if time_ms is None:
        return None
    part = "seconds" if time_ms % 1000 == 0 else "milliseconds"
    return zone.text(time_ms).isoformat(timespec=part) if zone.name != "UTC" else _utc(time_ms, part)


def _utc(time_ms: int, part: str) -> str:
    return moment_of(time_ms).isoformat(timespec=part).replace("+00:00", "Z")
