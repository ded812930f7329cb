"""One question through the mirror's files: matched views, figures, and what some forms of answer look up besides."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from gunbot_mcp.domain import to_decimal
from gunbot_mcp.errors import InvalidArguments, clean
from gunbot_mcp.history.analysis import Analysis, analyse, methods_of, view_of
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.matched import Kept
from gunbot_mcp.history.metrics.exact import exactly
from gunbot_mcp.history.metrics.sums import counted_sql, halves, whole
from gunbot_mcp.history.metrics.table import HELD
from gunbot_mcp.history.reader import select
from gunbot_mcp.history.shapes import DayClose, Extras, Shape, shape_of_answer
from gunbot_mcp.history.zones import sql_day

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from gunbot_mcp.history.question import Question
    from gunbot_mcp.history.reader import Reader

MEMORY = "512MB"
_SAID = 3


def look(
    reader: Reader, question: Question, kept: Path | None, sizes: Mapping[str, Decimal] | None = None
) -> tuple[Analysis, Extras]:
    """Return the figures; `kept` is the folder for what is computed once, `sizes` are those of contracts.

    Blocks: run it in a thread.

    Raises:
        HistoryUnavailable: a file of the mirror cannot be read.
        InvalidArguments: nobody of the name in `only.by` is known, or a sum is too large.
    """
    import duckdb

    with reader.connect(memory=MEMORY, orders=False) as connection:
        _require_known(connection, question.only.by)
        try:
            return _looked(connection, reader, question, Kept(kept, sizes))
        except (duckdb.OutOfRangeException, duckdb.ConversionException) as exc:
            raise InvalidArguments(
                "a number or a sum is too large to be added exactly (about 1e19)", "name other keys, or a shorter range"
            ) from exc


def _looked(connection: DuckDBPyConnection, reader: Reader, question: Question, kept: Kept) -> tuple[Analysis, Extras]:
    _attach(connection, reader, question, kept)
    found = analyse(connection, question)
    shape = shape_of_answer(found)
    if shape is Shape.HELD:
        return found, _held(connection, reader, found, kept)
    return found, _closes_of_day(connection, found) if shape is Shape.EXTREME_DAY else Extras()


def _attach(connection: DuckDBPyConnection, reader: Reader, question: Question, kept: Kept) -> None:
    for method in methods_of(question):
        kept.attach(connection, reader.files, shared=reader.shared, method=method, view=view_of(method))


def _require_known(connection: DuckDBPyConnection, by: str | None) -> None:
    if by in {None, "bot", "ticket"}:
        return
    known = connection.execute("SELECT DISTINCT client, ticket FROM fills_by_ticket ORDER BY client").fetchall()
    if any(by in row for row in known):
        return
    clients = list(dict.fromkeys(client for client, _ in known))
    named = f", or a client: {', '.join(clean(client, 40) for client in clients[:5])}" if clients else ""
    raise InvalidArguments(
        f"no order of the history is known to be placed by {clean(by, 40)!r}",
        f"placed_by: ticket (any of this server's), bot (Gunbot's own), a ticket's id{named}",
    )


def _held(connection: DuckDBPyConnection, reader: Reader, found: Analysis, kept: Kept) -> Extras:
    """Return what each method says of the open lots, and Gunbot's own prices, where the newest record has them."""
    held = {found.question.method or Method.FIFO: found.blocks[0].total.figures}
    for method in Method:
        if method not in held:
            question = replace(found.question, method=method, metrics=HELD)
            _attach(connection, reader, question, kept)
            blocks = analyse(connection, question).blocks
            held[method] = blocks[0].total.figures
    return Extras(held={method: held[method] for method in Method}, own=_own(connection, reader, found))


_OWN = ("inventory_cost", "ABP")


def _own(connection: DuckDBPyConnection, reader: Reader, found: Analysis) -> dict[str, Decimal]:
    row = connection.execute(
        select(
            "extra",
            f"({reader.orders_sql()})",
            "WHERE exchange || '/' || pair = ? ORDER BY time_ms DESC, closes DESC, id DESC LIMIT 1",
        ),
        [found.blocks[0].total.sums["first_pair"]],
    ).fetchone()
    extra: dict[str, object] = json.loads(row[0], parse_float=str, parse_int=str) if row and row[0] else {}
    read = {name: to_decimal(extra.get(name)) for name in _OWN}
    return {name: value for name, value in read.items() if value}


def _closes_of_day(connection: DuckDBPyConnection, found: Analysis) -> Extras:
    [name] = found.question.metrics
    day = found.blocks[0].total.figures[name].detail.get("day")
    if day is None:
        return Extras()
    view = view_of(found.question.method or Method.FIFO)
    records = counted_sql(found.question, found.zone, view)
    rows = connection.execute(
        select(
            f"key, id, {halves('p')}",
            records,
            f"WHERE p IS NOT NULL AND {sql_day(found.zone)} = {day} ORDER BY abs(p) DESC, time_ms, key, place",
        )
    ).fetchall()
    closes = [DayClose(key, id_, exactly(whole(before, behind))) for key, id_, before, behind in rows[:_SAID]]
    return Extras(closes=closes, close_count=len(rows))
