"""Does the chain hold, and do the rows agree with it? Contract in `Ledger.verify`."""

import hashlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import anyio.lowlevel
from sqlalchemy import Column, CursorResult, Table, literal, select, tuple_

from gunbot_mcp.ledger import version_1
from gunbot_mcp.ledger.port import Link, Port, in_sync
from gunbot_mcp.ledger.rows import (
    OUTCOME_COLUMNS,
    START,
    Row,
    columns_of,
    event_hash,
    project,
    project_mandate,
    rows_of,
    sightings_of,
)
from gunbot_mcp.ledger.schema import first_event
from gunbot_mcp.ledger.signed import Signature, Signed
from gunbot_mcp.ledger.tables import credentials, events, halts, head, mandates, sightings, tickets
from gunbot_mcp.tickets.content import canonical
from gunbot_mcp.tickets.passkey import Deed, challenge_of
from gunbot_mcp.tickets.ticket import TRANSITIONS, State

_PAGE = 1000
_Run = Callable[..., Awaitable[CursorResult[Any]]]


@dataclass(slots=True)
class _Expected:
    """What the events say about a row: the hash of its content, and the values of what may change.

    `old` is the hash that version 1 recorded in the content's place, until an event carries the content itself.
    """

    values: dict[str, object]
    content: str | None = None
    old: object = None
    challenge: bytes = b""
    """What a passkey signs that approves it."""


async def problems(port: Port, connection: Link, signatures: list[Signature] | None = None) -> list[str]:
    """`signatures` gets every touch in the ledger that was checked and holds."""
    run = partial(port.run, connection)
    found: list[str] = []
    replay = _Replay(found, await in_sync(connection, first_event), [] if signatures is None else signatures)
    seq, previous = 0, START
    async for row in _pages(run, events):
        if row["seq"] != seq + 1:
            missing = f"event {seq + 1} is" if row["seq"] == seq + 2 else f"events {seq + 1} to {row['seq'] - 1} are"
            found.append(f"{missing} missing")
        elif row["prev"] != previous:
            found.append(f"event {row['seq']} does not follow event {seq}: one of them was changed or replaced")
        if event_hash(row) != row["hash"]:
            found.append(f"event {row['seq']} was changed")
        seq, previous = row["seq"], row["hash"]
        replay.take(row)
    found += _end_problems(rows_of(await run(select(head))), seq, previous)
    async for row in _pages(run, tickets):
        found += _row_problems("ticket", row, replay.tickets.pop(row["id"], None))
    found += await _sighting_problems(run)
    async for row in _pages(run, mandates):
        found += _row_problems("mandate", row, replay.mandates.pop(row["id"], None))
    async for row in _pages(run, halts):
        expected = replay.halts.pop(row["id"], None)
        if expected is None or any(row[name] != value for name, value in expected.items()):
            found.append(f"halt {row['id']} is not what its events say")
    async for row in _pages(run, credentials):
        found += replay.passkeys.row_problems(row)
    found += replay.passkeys.missing()
    found += [f"halt {name} is missing" for name in replay.halts]
    found += [f"ticket {name} is missing" for name in replay.tickets]
    found += [f"mandate {name} is missing" for name in replay.mandates]
    return found


async def _sighting_problems(run: _Run) -> list[str]:
    """Both are read once more, ticket by ticket, with at most a page of each in memory."""
    seen = _pages(run, sightings, (sightings.c.ticket, *sightings.primary_key.columns[:-1]))
    found: list[str] = []
    one = await anext(seen, None)
    async for row in _pages(run, tickets):
        expected, there = _expected_sightings(row), list[Row]()
        while one is not None and one["ticket"] == row["id"]:
            there.append(one)
            one = await anext(seen, None)
        if sorted(map(_sighting, there)) != sorted(map(_sighting, expected)):
            found.append(f"ticket {row['id']}: its orders are not what was observed")
    return found if one is None else [*found, f"orders of ticket {one['ticket']}, which is not there"]


def _expected_sightings(row: Row) -> list[dict[str, Any]]:
    try:
        return sightings_of(row)
    except (ValueError, KeyError, TypeError):
        return []  # the damaged observation is reported already


def _sighting(row: Row) -> tuple[str, str, str, str]:
    return (row["instance"], row["exchange"], row["pair"], row["order_id"])


async def _pages(run: _Run, table: Table, order: Sequence[Column[Any]] = ()) -> AsyncGenerator[Row]:
    keys = order or list(table.primary_key.columns)
    query = select(table).order_by(*keys).limit(_PAGE)
    page = rows_of(await run(query))
    while page:
        for row in page:
            yield row
        await anyio.lowlevel.checkpoint()
        last = tuple_(*(literal(page[-1][key.name], key.type) for key in keys))
        page = rows_of(await run(query.where(tuple_(*keys) > last)))


def _end_problems(ends: list[Row], seq: int, newest: str) -> list[str]:
    if len(ends) != 1:
        return ["the chain's end is missing"]
    end = ends[0]
    if end["seq"] > seq:
        return [f"the newest events are missing: the last is {seq}, and {end['seq']} was written"]
    if (end["seq"], end["hash"]) != (seq, newest):
        return [f"the chain ends at event {seq}, but its end says {end['seq']}, with another hash"]
    return []


def _row_problems(what: str, row: Row, expected: _Expected | None) -> list[str]:
    name = f"{what} {row['id']}"
    if expected is None:
        return [f"{name} was never recorded in the chain"]
    if expected.content is None:
        return [f"{name}: no event says what it was made with"]
    if _hash(row["content"]) != expected.content:
        found = [f"{name} is not what was recorded when it was made"]
    else:
        columns = _columns(what, json.loads(row["content"]))
        found = [f"{name}: {one} is not what its content says" for one, value in columns.items() if row[one] != value]
    return found + [
        f"{name}: {column} is not what its events say"
        for column, value in expected.values.items()
        if row[column] != value
    ]


def _columns(what: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return (project if what == "ticket" else project_mandate)(content)


def _hash(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


class _Replay:
    """Follows the events that change rows. Damaged ones are reported, not raised: the walk goes on.

    `first` is the number of the first event that this version's tables kept: the ones before are read as version 1's.
    """

    def __init__(self, found: list[str], first: int, signatures: list[Signature]) -> None:
        self.tickets: dict[str, _Expected] = {}
        self.mandates: dict[str, _Expected] = {}
        self.halts: dict[str, dict[str, object]] = {}
        self.passkeys = Signed(found, signatures, first)
        self._found = found
        self._first = first

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
        ticket = self.tickets.get(row["ticket"])
        self.passkeys.take(row, facts, approves=b"" if ticket is None else ticket.challenge)
        match kind:
            case "created":
                pending: dict[str, object] = {"state": State.PENDING.value, **dict.fromkeys(OUTCOME_COLUMNS)}
                self._create(row, self.tickets, row["ticket"], pending, facts.get("content"))
            case "mandate_created":
                unspent: dict[str, object] = {"spent": facts.get("spent", "0"), "revoked_at": None}
                name = facts.get("mandate") or _id(facts.get("content"))
                self._create(row, self.mandates, name, unspent, facts.get("content"))
            case "imported":
                self._carry(row, self.tickets.get(row["ticket"]), facts.get("content"))
            case "mandate_imported":
                self._carry(row, self.mandates.get(str(_id(facts.get("content")))), facts.get("content"))
            case "mandate_spent" | "mandate_revoked":
                self._change(row, self.mandates.get(str(facts.get("mandate"))), facts.get("set"))
            case "observed":
                self._change(row, self.tickets.get(row["ticket"]), facts.get("set"))
            case _ if kind in set(State):
                self._move(row, State(kind), facts)
            case _:
                self._halt(row, facts)

    def _create(
        self, row: Row, known: dict[str, _Expected], name: object, values: dict[str, object], content: object
    ) -> None:
        if not isinstance(name, str) or name in known:
            self._found.append(f"event {row['seq']} makes {name} a second time")
            return
        known[name] = _Expected(values, old=content)
        if row["seq"] >= self._first:
            self._fill(row, known[name], content)

    def _carry(self, row: Row, expected: _Expected | None, content: object) -> None:
        """Take the content that the migration carried over: it must match the hash that version 1 recorded."""
        if expected is None or expected.content is not None or not isinstance(content, dict):
            self._found.append(f"event {row['seq']} carries over what was never made, or was already")
            return
        found = cast("dict[str, Any]", content)
        if version_1.recorded_hash(found) != expected.old:
            self._found.append(f"event {row['seq']} carries over another content than was recorded when it was made")
        self._fill(row, expected, found)

    def _fill(self, row: Row, expected: _Expected, content: object) -> None:
        text = canonical(content)
        expected.content, expected.challenge = _hash(text), challenge_of(Deed.APPROVE, text)
        try:
            _columns("mandate" if row["kind"].startswith("mandate") else "ticket", cast("dict[str, Any]", content))
        except (ValueError, KeyError, TypeError):
            self._found.append(f"event {row['seq']} carries no content that can be read")
            expected.content = ""

    def _move(self, row: Row, to: State, facts: Mapping[str, Any]) -> None:
        expected = self.tickets.get(row["ticket"])
        before = None if expected is None else expected.values["state"]
        if before not in TRANSITIONS or to not in TRANSITIONS[State(before)] or facts.get("from") != before:
            self._found.append(f"event {row['seq']} moves ticket {row['ticket']} from {before} to {to}")
        self._change(row, expected, facts.get("set"))
        if expected is not None:
            expected.values["state"] = to.value

    def _halt(self, row: Row, facts: Mapping[str, Any]) -> None:
        """Follow the two kinds of events that set and lift halts; no other kind changes a row."""
        if row["kind"] not in {"halt_set", "halt_lifted"}:
            return
        names: object = [facts.get("halt")] if row["kind"] == "halt_set" else facts.get("halts")
        values: object = facts.get("set")
        if not isinstance(names, list) or not isinstance(values, dict):
            self._found.append(f"event {row['seq']} does not say which halt it sets or lifts")
            return
        for name in cast("list[object]", names):
            before = self.halts.setdefault(str(name), {"lifted_at": None, "lifted_by": None})
            before |= cast("dict[str, object]", values)

    def _change(self, row: Row, expected: _Expected | None, values: object) -> None:
        if expected is None or not isinstance(values, dict):
            self._found.append(f"event {row['seq']} changes what was never made, or does not say how")
            return
        shown = cast("dict[str, object]", values)
        if row["seq"] < self._first:
            shown = version_1.facts_of(shown, row["kind"])
        expected.values |= {name: value for name, value in columns_of(shown).items() if name in expected.values}


def _id(content: object) -> object:
    return cast("dict[str, object]", content).get("id") if isinstance(content, dict) else None
