"""One query of a model over the mirror's files, in a process of its own (`child`) that is killed at the time limit."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.lowlevel import RunVar

import gunbot_mcp
from gunbot_mcp.domain import MOST_EXACT
from gunbot_mcp.errors import Hint, HistoryUnavailable, InvalidArguments, clean
from gunbot_mcp.history.child import DECIMAL, MEMORY_BYTES
from gunbot_mcp.history.reader import Reader, orders_sql
from gunbot_mcp.history.schema_text import COLUMNS_HINT
from gunbot_mcp.history.sql import MOST_SQL

SECONDS = 10.0
"""How long a query's process may take, its start and reading the files included."""
AT_ONCE = 2
"""Queries that run at the same time: each may take a core or two and `MEMORY_BYTES`, and ten at once would add up."""
_turns = RunVar[anyio.Semaphore]("queries' turns")
_MOST_ANSWER = 4_000_000
_MOST_NEAR = 24
_LONGEST_TOLD = 300

# Our own package and nothing else beside the installed ones: not the folder that the server was started in.
_START = """
import sys
from importlib import util
spec = util.spec_from_file_location("gunbot_mcp", sys.argv.pop(1), submodule_search_locations=[sys.argv.pop(1)])
package = sys.modules["gunbot_mcp"] = util.module_from_spec(spec)
spec.loader.exec_module(package)
from gunbot_mcp.history.child import main
main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A query over what `reader` reads: the asked keys' files. Dates in it are those of `zone`; at most `rows` come."""

    sql: str
    reader: Reader
    zone: str = "UTC"
    rows: int = 1_000
    seconds: float = SECONDS
    memory_bytes: int = MEMORY_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A query's table: exact numbers as `Decimal` or int, times as ISO texts; `more` rows than these exist."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    more: bool


async def ask(request: Request) -> Found:
    """Run one query.

    Raises:
        InvalidArguments: what is wrong with it, where, and what to write instead; or it took too long or too much.
        HistoryUnavailable: a file of the mirror is gone or damaged.
    """
    if len(request.sql) > MOST_SQL:
        raise InvalidArguments(
            f"sql has {len(request.sql):,} characters; at most {MOST_SQL:,} are read", "write a shorter query"
        )
    if "\x00" in request.sql or any("\ud800" <= letter <= "\udfff" for letter in request.sql):
        raise InvalidArguments("sql holds a character that no text has", "write it in plain Unicode")
    said = await _answer(request)
    if "error" in said:
        raise _refusal(request.sql, said)
    types: list[str] = said["types"]
    rows = [[_cell(kind, cell) for kind, cell in zip(types, row, strict=True)] for row in said["rows"]]
    return Found(columns=said["columns"], rows=rows, more=said["more"])


def _cell(kind: str, cell: object) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(cell, str) and DECIMAL.fullmatch(kind):
        return Decimal(cell).normalize() if cell.strip("-0.") else Decimal(0)
    if isinstance(cell, int) and abs(cell) > MOST_EXACT:
        return str(cell)  # a client's JSON numbers lose its last digits
    return cell


async def _answer(request: Request) -> dict[str, Any]:
    asked = {
        "sql": request.sql,
        "orders": orders_sql(request.reader.files, shared=request.reader.shared),
        "fills": [fill.row() for fill in request.reader.fills],
        "zone": request.zone,
        "rows": request.rows,
    }
    output: bytes | None = None
    began = False
    with anyio.move_on_after(request.seconds) as scope:
        async with _turn():
            began, left = True, scope.deadline - anyio.current_time()
            output = await _run(json.dumps(asked, default=_iso).encode(), left, request.memory_bytes)
    if not began:
        return {"kind": "busy", "error": f"{AT_ONCE} other queries were still running after {request.seconds:g} s"}
    if output is None:
        return {"kind": "time", "error": f"the query took more than {request.seconds:g} s and was stopped"}
    try:
        return json.loads(output)
    except ValueError:
        return {"kind": "memory", "error": ""}


def _turn() -> anyio.Semaphore:
    """Return what lets a few queries of this event loop run, and the others wait."""
    try:
        return _turns.get()
    except LookupError:
        found = anyio.Semaphore(AT_ONCE)
        _turns.set(found)
        return found


def _iso(moment: object) -> str:
    if isinstance(moment, datetime):
        return moment.isoformat()
    raise TypeError(f"{type(moment).__name__} is not JSON")


async def _run(asked: bytes, seconds: float, memory_bytes: int) -> bytes:
    """Return what the child wrote. However this ends, the child has ended too."""
    package = Path(gunbot_mcp.__file__)
    limits = [str(seconds), str(memory_bytes)]
    process = await anyio.open_process(
        [sys.executable, "-P", "-I", "-B", "-c", _START, str(package), str(package.parent), *limits],
        env={"SYSTEMROOT": os.environ.get("SYSTEMROOT", "")} if sys.platform == "win32" else {},
        cwd=package.anchor,
        stderr=DEVNULL,
        start_new_session=True,
    )
    output = b""
    try:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a child of ours has no pipes")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_write, process.stdin, asked)
            output = await _read(process.stdout)
            tasks.cancel_scope.cancel()
    finally:
        _kill(process)
        with anyio.CancelScope(shield=True):
            await process.aclose()
    return output


async def _write(stream: ByteSendStream, asked: bytes) -> None:
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it died already: its answer says so
        await stream.send(asked)
        await stream.aclose()


async def _read(stream: ByteReceiveStream) -> bytes:
    found = bytearray()
    with suppress(anyio.EndOfStream):
        while len(found) <= _MOST_ANSWER:
            found += await stream.receive()
    return bytes(found) if len(found) <= _MOST_ANSWER else b'{"kind": "size", "error": "its rows are too large"}'


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":  # it has no children there either
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _refusal(sql: str, said: dict[str, Any]) -> InvalidArguments | HistoryUnavailable:
    kind, message = said["kind"], clean(_first_line(str(said["error"])), _LONGEST_TOLD)
    if kind == "files":
        return HistoryUnavailable(
            "the mirror of the order history cannot be read",
            Hint.by_human("run gunbot-mcp history verify", "ask again: what is damaged is fetched again; "),
        )
    if kind == "busy":
        return InvalidArguments(f"sql: {message}, so this one did not run", "ask one at a time")
    if kind in {"time", "memory", "size"}:
        return InvalidArguments(
            f"sql: {message or 'the query needs more memory than it may have'}",
            "aggregate in the query, or ask about fewer keys or a shorter time",
        )
    where = _where(sql, said.get("position"))
    candidates = str(said.get("candidates") or "").replace('"', "").replace(",", ", ")
    near = f"did you mean {clean(candidates, 80)}? " if candidates and kind == "failed" else ""
    return InvalidArguments(f"sql{where}: {message}", f"{near}{said.get('hint') or COLUMNS_HINT}")


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0].strip()


def _where(sql: str, position: int | None) -> str:
    """Say where in the query, in lines and characters from 1, with the words that stand there."""
    if position is None:
        return ""
    before = sql.encode("utf-8", "replace")[:position].decode("utf-8", "ignore")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    near = clean(sql[len(before) :].split("\n", 1)[0].strip()[:_MOST_NEAR], _MOST_NEAR)
    return f", line {line}, character {column}" + (f" (at {near!r})" if near else "")
