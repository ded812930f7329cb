"""The process in which a query runs: it takes one request on stdin, answers on stdout, and ends.

What keeps a query in (each alone lets something through, FACTS of November 2026):
1. the process: no environment, no token, limits of memory, time, files and file sizes where the platform has them;
2. `sql.check`: one SELECT over our tables, by its syntax tree;
3. the data: the asked keys' records are copied into memory first. Then nothing outside is needed any more, so the
   engine may reach nothing (no folder, no file, no network, settings locked), and on POSIX no descriptor can be opened.
The mirror's files are opened by our own SELECT alone, for reading; the query itself never sees them.

Request: `{"sql", "orders", "fills", "zone", "rows"}`; `orders` is our own SELECT over the files, `fills` are the
ledger's rows. Answer: `{"columns", "types", "rows", "more"}` with decimals as text, or
`{"error", "position", "candidates", "hint", "kind"}`.
"""

import json
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunbot_mcp.history.reader import add_fills
from gunbot_mcp.history.sql import NotAllowed, check

if sys.platform != "win32":  # no such limits there
    import resource

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_BYTES = 1_500_000_000
"""The most address space that a query's process has."""
ENGINE_MB = 700
"""What the engine itself tries to stay in, so that most queries that are too large end with a word of its own."""
_THREADS = 2
_FILES = 256
_PLAIN = frozenset(
    {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
    | {"HUGEINT", "UHUGEINT", "VARCHAR", "JSON"}
)
DECIMAL = re.compile(r"DECIMAL\(\d+,\d+\)")
LOCKS = (
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET enable_external_access = false",
    "SET errors_as_json = true",
    "SET lock_configuration = true",
)


def confine(seconds: float, memory_bytes: int = MEMORY_BYTES) -> None:
    """Limit this process, where the platform can: its own last resorts, should its parent die."""
    with suppress(OSError):
        # Where memory runs out on the whole machine, this goes first and not the server.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if sys.platform == "win32":  # no such limits there; the parent's timer ends it
        return

    cpu = math.ceil(seconds) * _THREADS + 1
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, memory_bytes),
    ):
        with suppress(OSError, ValueError):  # a stricter hard limit than ours stays
            resource.setrlimit(limit, (most, most))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + 1)


def open_nothing_more() -> None:
    """Make it impossible to open a file or a socket from here on; what is open stays usable."""
    if sys.platform == "win32":  # no such limit there
        return

    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def engine() -> "DuckDBPyConnection":
    """Return a connection to an empty database in memory."""
    import duckdb

    settings: dict[str, Any] = {"threads": _THREADS, "memory_limit": f"{ENGINE_MB}MB", "temp_directory": ""}
    return duckdb.connect(":memory:", config=settings)


def load(request: Mapping[str, Any]) -> "DuckDBPyConnection":
    """Return a connection whose tables `orders` and `fills_by_ticket` are in memory, and nothing else within reach.

    Raises:
        duckdb.Error: a file cannot be read, or memory is short.
    """
    connection = engine()
    connection.execute(f"SET TimeZone = '{request['zone']}'")
    connection.execute(f"CREATE TABLE orders AS {request['orders']}")
    add_fills(connection, request["fills"])
    for lock in LOCKS:
        connection.execute(lock)
    return connection


def gate(connection: "DuckDBPyConnection", sql: str) -> None:
    """Check a query.

    Raises:
        NotAllowed: see `sql.check`.
    """
    found = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    check(str(found[0]) if found else "{}")


def run(connection: "DuckDBPyConnection", sql: str, most: int) -> dict[str, Any]:
    """Return the query's columns, their types and at most `most` rows, and whether there are more."""
    relation = connection.sql(sql)
    columns, types = list(relation.columns), [str(kind) for kind in relation.types]
    # The engine writes out what JSON has no form for: its own texts are exact, Python's types are narrower than its.
    shown = ", ".join(
        f"#{at}" if kind in _PLAIN or DECIMAL.fullmatch(kind) else f"CAST(#{at} AS {_written(kind)})"
        for at, kind in enumerate(types, 1)
    )
    rows = relation.project(shown).limit(most + 1).fetchall()
    readers = [_reader(kind) for kind in types]
    cells = [[read(cell) for read, cell in zip(readers, row, strict=True)] for row in rows[:most]]
    return {"columns": columns, "types": types, "rows": cells, "more": len(rows) > most}


def _written(kind: str) -> str:
    return "DOUBLE" if kind in {"FLOAT", "DOUBLE"} else "VARCHAR"


def _reader(kind: str) -> Callable[[Any], Any]:
    if DECIMAL.fullmatch(kind):
        return lambda cell: None if cell is None else format(cell, "f")
    if kind in {"FLOAT", "DOUBLE"}:
        return _double
    if kind == "TIMESTAMP WITH TIME ZONE":
        return _instant
    return lambda cell: cell


def _double(cell: float | None) -> float | str | None:
    """Return a double; what JSON has no number for, as text."""
    if cell is None or math.isfinite(cell):
        return cell
    return "NaN" if math.isnan(cell) else "Infinity" if cell > 0 else "-Infinity"


def _instant(cell: str | None) -> str | None:
    """Return `2026-03-01 12:00:00+01` as ISO 8601; what has no such form (infinity, BC) as it is."""
    if cell is None or " (BC)" in cell or cell.endswith("infinity"):
        return cell
    text = cell.replace(" ", "T", 1)
    if text.endswith("+00"):
        return text.removesuffix("+00") + "Z"
    return text if text[-3] == ":" else f"{text}:00"


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one request; never raises for what is wrong with its query."""
    import duckdb

    try:
        gate(engine(), request["sql"])
    except NotAllowed as exc:
        return {"error": exc.message, "position": exc.position, "hint": exc.hint, "kind": "refused"}
    try:
        connection = load(request)
    except (duckdb.Error, MemoryError) as exc:
        return {"error": str(exc), "kind": "files"}
    open_nothing_more()
    try:
        return run(connection, request["sql"], request["rows"])
    except (duckdb.OutOfMemoryException, MemoryError):
        return {"error": "", "kind": "memory"}
    except duckdb.Error as exc:
        unbound = _unbound(connection, request["sql"])
        # Positions in what fails while it runs are those of a text that the engine made around it.
        return _failed(unbound) if unbound else {**_failed(str(exc)), "position": None}


def _unbound(connection: "DuckDBPyConnection", sql: str) -> str | None:
    """Return the error of a query that cannot be bound, with its position: only this way of asking tells it."""
    import duckdb

    try:
        connection.execute(f"EXPLAIN {sql}")
    except duckdb.Error as exc:
        return str(exc)
    return None  # it can be bound, and failed while it ran


_EXPLAIN = len("EXPLAIN ")
_KIND = re.compile(r"^[A-Za-z ]{1,30} Error: ")


def _failed(text: str) -> dict[str, Any]:
    start = text.find("{")
    facts: dict[str, Any] = {}
    with suppress(ValueError):
        facts = json.loads(text[start:].strip()) if start >= 0 else {}
    position = str(facts.get("position", ""))
    return {
        "error": facts.get("exception_message") or _KIND.sub("", text),
        "position": max(0, int(position) - _EXPLAIN) if position.isdigit() else None,
        "candidates": facts.get("candidates") if facts.get("error_subtype") != "NO_MATCHING_FUNCTION" else None,
        "kind": "failed",
    }


def main() -> None:
    """Serve one request. The limits come as arguments (seconds, bytes), to hold before anything is read."""
    confine(float(sys.argv[1]), int(sys.argv[2]))
    found = answer(json.loads(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(json.dumps(found, allow_nan=False, ensure_ascii=True).encode())
    sys.stdout.buffer.flush()
    # What the engine holds is freed with the process, at once.
    os._exit(0)
