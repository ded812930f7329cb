"""What columns of order records mean that nobody guesses, and the one that we add: each time as people write it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gunbot_mcp.gunbot.records import Table
from gunbot_mcp.history.record import millis_of
from gunbot_mcp.render import from_millis

TIME_ISO = "time_iso"
"""Our own column, beside Gunbot's `time`."""

MEANINGS = {
    "averagePrice": "about inventory_cost plus the fee",
    "inventory_cost": "average price of the lots still held, oldest sold first, without fees",
    "ABP": "break-even: average price of the lots still held, cheapest sold first, with fees both ways; 0: none held",
    "pnlPrice": "not documented by Gunbot",
}
"""As far as Gunbot's own records show: these formulas agree with published ones, Gunbot documents none."""


def meanings(columns: Iterable[str]) -> dict[str, str]:
    """Return what those of these columns mean that need a word."""
    shown = set(columns)
    return {name: meaning for name, meaning in MEANINGS.items() if name in shown}


def meanings_line(found: dict[str, str]) -> str:
    """Return the same in one line, empty where there is nothing to say."""
    said = "; ".join(f"{name}: {meaning}" for name, meaning in found.items())
    return f"Prices, as computed from records: {said}" if said else ""


def with_times(table: Table, records: Sequence[Mapping[str, Any]], picked: Sequence[str] | None) -> Table:
    """Put each time in ISO form right after Gunbot's milliseconds; where columns are picked, only if it is picked.

    A field of that name which a record has itself is left as it is.
    """
    if picked:
        if TIME_ISO not in table.columns or any(TIME_ISO in record for record in records):
            return table
        at = table.columns.index(TIME_ISO)
        behind = at + 1
    else:
        if TIME_ISO in table.columns or "time" not in table.columns:
            return table
        at = behind = table.columns.index("time") + 1
    times = [time_iso(record.get("time")) for record in records]
    rows = [[*row[:at], time, *row[behind:]] for row, time in zip(table.rows, times, strict=True)]
    return Table([*table.columns[:at], TIME_ISO, *table.columns[behind:]], rows)


def time_iso(time: object) -> str | None:
    """Return a record's time, whatever its unit, to the second; None where it is none."""
    return from_millis(millis(time))


def millis(time: object) -> int | None:
    """Return a record's time in milliseconds, however Gunbot wrote it."""
    return time if type(time) is int and _PLAIN[0] < time < _PLAIN[1] else millis_of(time)


_PLAIN = (10**11, 10**14)
"""Whole numbers between these are milliseconds: almost all."""
