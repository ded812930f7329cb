"""Does the chain hold, and do the rows agree with it? Contract in `Ledger.verify`."""

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger.rows import (
    CONTENT_COLUMNS,
    GRANT_COLUMNS,
    OUTCOME_COLUMNS,
    START,
    Row,
    content_hash,
    event_hash,
    in_row,
    rows_of,
    ticket_of,
)
from gunbot_mcp.ledger.tables import chain, events, mandates, tickets
from gunbot_mcp.tickets.ticket import TRANSITIONS, State

_PAGE = 1000


@dataclass(slots=True)
class _Expected:
    """What the events say about a row: the hash of what never changes, and the stored values of what may."""

    content: object
    values: dict[str, object] = field(default_factory=dict[str, object])
    digest: object = None


async def problems(connection: AsyncConnection) -> list[str]:
    found: list[str] = []
    replay = _Replay(found)
    seq, previous = 0, START
    async for row in _pages(connection, events):
        if row["seq"] != seq + 1:
            missing = f"event {seq + 1} is" if row["seq"] == seq + 2 else f"events {seq + 1} to {row['seq'] - 1} are"
            found.append(f"{missing} missing")
        elif row["prev"] != previous:
            found.append(f"event {row['seq']} does not follow event {seq}: one of them was changed or replaced")
        if event_hash(row) != row["hash"]:
            found.append(f"event {row['seq']} was changed")
        seq, previous = row["seq"], row["hash"]
        replay.take(row)
    found += _end_problems(rows_of(await connection.execute(select(chain))), seq, previous)
    async for row in _pages(connection, tickets):
        found += _row_problems("ticket", row, replay.tickets.pop(row["id"], None), CONTENT_COLUMNS)
    async for row in _pages(connection, mandates):
        found += _row_problems("mandate", row, replay.mandates.pop(row["id"], None), GRANT_COLUMNS)
    found += [f"ticket {name} is missing" for name in replay.tickets]
    found += [f"mandate {name} is missing" for name in replay.mandates]
    return found


async def _pages(connection: AsyncConnection, table: Table) -> AsyncGenerator[Row]:
    key = table.primary_key.columns[0]
    query = select(table).order_by(key).limit(_PAGE)
    page = rows_of(await connection.execute(query))
    while page:
        for row in page:
            yield row
        page = rows_of(await connection.execute(query.where(key > page[-1][key.name])))


def _end_problems(ends: list[Row], seq: int, newest: str) -> list[str]:
    if len(ends) != 1:
        return ["the chain's end is missing"]
    end = ends[0]
    if end["seq"] > seq:
        return [f"the newest events are missing: the last is {seq}, and {end['seq']} was written"]
    if (end["seq"], end["hash"]) != (seq, newest):
        return [f"the chain ends at event {seq}, but its end says {end['seq']}, with another hash"]
    return []


def _row_problems(what: str, row: Row, expected: _Expected | None, content: tuple[str, ...]) -> list[str]:
    name = f"{what} {row['id']}"
    if expected is None:
        return [f"{name} was never recorded in the chain"]
    found: list[str] = []
    if content_hash(content, row) != expected.content:
        found.append(f"{name} is not what was recorded when it was made")
    elif what == "ticket" and _digest(row) != expected.digest:
        found.append(f"{name} has another digest than was recorded when it was made")
    return found + [
        f"{name}: {column} is not what its events say"
        for column, value in expected.values.items()
        if row[column] != value
    ]


def _digest(row: Row) -> str | None:
    try:
        return ticket_of(row).digest
    except LedgerUnavailable:
        return None


class _Replay:
    """Follows the events that change rows. Damaged ones are told, not raised: the walk goes on."""

    def __init__(self, found: list[str]) -> None:
        self.tickets: dict[str, _Expected] = {}
        self.mandates: dict[str, _Expected] = {}
        self._found = found

    def take(self, row: Row) -> None:
        kind = row["kind"]
        try:
            detail = json.loads(row["detail"])
        except (ValueError, TypeError):
            detail = None
        if not isinstance(detail, dict):
            self._found.append(f"event {row['seq']} holds no details that can be read")
            return
        facts = cast("dict[str, Any]", detail)
        if kind == "created":
            values: dict[str, object] = {"state": State.PENDING.value, **dict.fromkeys(OUTCOME_COLUMNS)}
            self._create(row, self.tickets, row["ticket"], _Expected(facts.get("content"), values, facts.get("digest")))
        elif kind == "mandate_created":
            values = {"spent": facts.get("spent"), "revoked_at": None}
            self._create(row, self.mandates, facts.get("mandate"), _Expected(facts.get("content"), values))
        elif kind in {"mandate_spent", "mandate_revoked"}:
            self._change(row, self.mandates.get(str(facts.get("mandate"))), facts.get("set"))
        elif kind == "observed":
            self._change(row, self.tickets.get(row["ticket"]), facts.get("set"))
        elif kind in set(State):
            self._move(row, State(kind), facts)

    def _create(self, row: Row, known: dict[str, _Expected], name: object, expected: _Expected) -> None:
        if not isinstance(name, str) or name in known:
            self._found.append(f"event {row['seq']} makes {name} a second time")
            return
        known[name] = expected

    def _move(self, row: Row, to: State, facts: Mapping[str, Any]) -> None:
        expected = self.tickets.get(row["ticket"])
        before = None if expected is None else expected.values["state"]
        if before not in TRANSITIONS or to not in TRANSITIONS[State(before)] or facts.get("from") != before:
            self._found.append(f"event {row['seq']} moves ticket {row['ticket']} from {before} to {to}")
        self._change(row, expected, facts.get("set"))
        if expected is not None:
            expected.values["state"] = to.value

    def _change(self, row: Row, expected: _Expected | None, values: object) -> None:
        if expected is None or not isinstance(values, dict):
            self._found.append(f"event {row['seq']} changes what was never made, or does not say how")
            return
        for column, shown in cast("dict[str, object]", values).items():
            if column in expected.values:
                expected.values[column] = in_row(column, shown)
