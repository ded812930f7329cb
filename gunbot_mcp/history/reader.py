"""Reading the mirror: DuckDB over its files, as the views `orders` and `fills_by_ticket`.

    with Reader(files).connect() as connection:
        connection.sql("SELECT count(*), sum(fees) FROM orders").fetchall()

`orders` has the columns of `record.COLUMNS`; of a record that two keys' histories hold it shows the version fetched
last. Records without a time, an id or a price are in the files and not in the view: the coverage counts them (`odd`).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gunbot_mcp.errors import Hint, HistoryUnavailable
from gunbot_mcp.history.record import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from duckdb import DuckDBPyConnection

MEMORY = "160MB"
THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """An order of the history that one of our tickets placed; a row of `fills_by_ticket`."""

    key: str
    id: str
    ticket: str
    client: str
    approved_by: str | None
    approved_at: datetime | None
    summary: str

    def row(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in FILL_COLUMNS}


FILL_COLUMNS = {
    "key": "VARCHAR",
    "id": "VARCHAR",
    "ticket": "VARCHAR",
    "client": "VARCHAR",
    "approved_by": "VARCHAR",
    "approved_at": "TIMESTAMPTZ",
    "summary": "VARCHAR",
}


@dataclass(frozen=True, slots=True)
class Reader:
    """The files of some keys, as they were listed at one moment. `shared`: keys may hold the same record twice."""

    files: Sequence[Path]
    fills: Sequence[Fill] = ()
    shared: bool = False

    @contextmanager
    def connect(
        self, *, memory: str = MEMORY, threads: int = THREADS, orders: bool = True
    ) -> Generator[DuckDBPyConnection]:
        """Give a connection of its own, in UTC, with the two views; without `orders` where nobody asks it.

        DuckDB looks at each file to make that view: of ten years of many keys there are thousands.

        Raises:
            HistoryUnavailable: a file is gone or damaged; `Mirror.ready` sets it aside and fetches it again.
        """
        import duckdb

        # On disk beside the mirror nothing may be written, and a question that needs more memory than this is an error.
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        connection = duckdb.connect(":memory:", config=settings)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            # One question reads the same files several times, and what a name stands for never changes.
            connection.execute("SET parquet_metadata_cache = true")
            if orders:
                connection.execute(f"CREATE VIEW orders AS {self.orders_sql()}")
            add_fills(connection, [fill.row() for fill in self.fills])
            yield connection
        except (duckdb.IOException, duckdb.InvalidInputException) as exc:
            raise HistoryUnavailable(
                f"the mirror of the order history cannot be read: {type(exc).__name__}",
                Hint.by_human("run gunbot-mcp history verify", "ask again: what is damaged is fetched again; "),
            ) from exc
        finally:
            connection.close()

    def orders_sql(self) -> str:
        """Return the SELECT behind the view `orders`."""
        return orders_sql(self.files, shared=self.shared)


def orders_sql(files: Sequence[Path | str], *, shared: bool = False) -> str:
    """Return the SELECT behind the view `orders` over these files."""
    if not files:
        nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in COLUMNS.items())
        return f"SELECT {nothing} WHERE false"
    listed = ", ".join(quoted(str(file)) for file in files)
    # A record that another key's history holds, too, counts once. Within a key the store sees to that.
    newest = (
        " QUALIFY row_number() OVER (PARTITION BY exchange, pair, id, time_ms ORDER BY fetched_ms DESC, key) = 1"
        if shared
        else ""
    )
    return (
        f"SELECT {', '.join(COLUMNS)} FROM read_parquet([{listed}]) "  # noqa: S608 - quoted paths from this package
        f"WHERE time_ms IS NOT NULL AND id IS NOT NULL AND price IS NOT NULL{newest}"
    )


def select(columns: str, records: str, rest: str = "") -> str:
    """Return a query. Its parts are this package's own SQL; a caller's text is a parameter, or `quoted`, in them."""
    return f"SELECT {columns} FROM {records} {rest}"  # noqa: S608 - no part is a caller's text, as the line above asks of whoever calls this


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def add_fills(connection: DuckDBPyConnection, fills: Sequence[Mapping[str, object]]) -> None:
    """Make the table `fills_by_ticket` of what `Fill.row` returns: in one statement, since one each takes seconds."""
    columns = ", ".join(f"{name} {kind}" for name, kind in FILL_COLUMNS.items())
    connection.execute(f"CREATE TABLE fills_by_ticket ({columns})")
    if fills:
        insert = "INSERT INTO fills_by_ticket BY NAME SELECT unnest($fills, recursive := true)"
        connection.execute(insert, {"fills": list(fills)})
