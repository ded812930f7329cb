"""Writing rows to Parquet, through DuckDB: decimals go in as text and are cast by it, so no digit passes a double."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gunbot_mcp.domain import decimal_text
from gunbot_mcp.history.reader import quoted
from gunbot_mcp.history.record import COLUMNS, MONEY, Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path

    from duckdb import DuckDBPyConnection

FORMAT = 1
"""What the columns mean; a file of a newer format is not read."""

FILED: Mapping[str, str] = {**COLUMNS, "odd": "BOOLEAN"}
"""The columns of a file: those of the view, and whether something in the record could not be read."""
IDENTITY = "CASE WHEN held.id IS NOT NULL AND held.time_ms IS NOT NULL THEN held.id ELSE held.extra::VARCHAR END"
"""The identity of a row of `held` (named: what it is compared with has such columns, too), as text, never as JSON."""

_FROM_TIME = "make_timestamptz(time_ms * 1000)"
_SENT = [name for name in (*FILED, "identity") if name != "time"]


class Counted(NamedTuple):
    """What a file holds. Times in milliseconds; `strays` are not of their key's own pair."""

    records: int
    first_ms: int | None
    last_ms: int | None
    odd: int
    strays: int


def write_rows(
    connection: DuckDBPyConnection, rows: Sequence[Row], target: Path, *, older: Sequence[Path] = ()
) -> Counted:
    """Write the rows, and those of the `older` files that they do not replace, to one new file, by time.

    Raises:
        duckdb.Error, OSError: the target may be there in part.
    """
    incoming = ", ".join(f"unnest(?::{_sent_as(name)}[]) AS {name}" for name in _SENT)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE incoming AS SELECT {incoming}", [_column(rows, n) for n in _SENT])
    columns = ", ".join(_FROM_TIME + " AS time" if name == "time" else _cast(name) for name in FILED)
    found = f"SELECT {columns} FROM incoming"  # noqa: S608 - our own names
    if older:
        listed = ", ".join(quoted(str(file)) for file in older)
        found += (
            f" UNION ALL SELECT {', '.join(FILED)} FROM read_parquet([{listed}]) AS held "  # noqa: S608 - our own paths
            "WHERE NOT EXISTS (SELECT 1 FROM incoming WHERE incoming.pair = held.pair "
            f"AND incoming.time_ms IS NOT DISTINCT FROM held.time_ms AND incoming.identity = ({IDENTITY}))"
        )
    return copy(connection, found, target)


def copy(connection: DuckDBPyConnection, found: str, target: Path) -> Counted:
    """Write what a SELECT finds to one new file, by time; see `write_rows`."""
    options = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{gunbot_mcp_format: '{FORMAT}'}}"
    connection.execute(f"COPY ({found} ORDER BY time_ms, id) TO {quoted(str(target))} ({options})")
    counted = connection.execute(
        "SELECT count(*), min(time_ms), max(time_ms), count(*) FILTER (odd), "  # noqa: S608 - a quoted path of our own
        f"count(*) FILTER (key <> exchange || '/' || pair) FROM read_parquet({quoted(str(target))})"
    ).fetchone()
    assert counted is not None  # noqa: S101 - an aggregate has one row
    return Counted(*counted)


def _sent_as(name: str) -> str:
    kind = FILED.get(name, "VARCHAR")
    return "VARCHAR" if kind in {MONEY, "JSON"} else kind


def _cast(name: str) -> str:
    return name if _sent_as(name) == FILED[name] else f"{name}::{FILED[name]} AS {name}"


def _column(rows: Sequence[Row], name: str) -> list[Any]:
    if name == "identity":
        return [row.identity[1] for row in rows]
    if FILED[name] == MONEY:
        return [_text(getattr(row, name)) for row in rows]
    return [getattr(row, name) for row in rows]


def _text(number: Decimal | None) -> str | None:
    return None if number is None else decimal_text(number)
