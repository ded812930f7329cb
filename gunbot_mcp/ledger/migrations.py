"""The numbered migrations, each a named function. Each runs inside the one transaction that changes the tables.

A new one goes to the end of `MIGRATIONS`; names that only one version used are in their own file (`version_1.py`).
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any

import anyio.lowlevel
from sqlalchemy import CursorResult, Text, bindparam, column, insert, select, table, text
from sqlalchemy.schema import CreateIndex, CreateTable

from gunbot_mcp.ledger import version_1
from gunbot_mcp.ledger.aside import copied_aside
from gunbot_mcp.ledger.port import Link, Port
from gunbot_mcp.ledger.rows import (
    START,
    Row,
    columns_of,
    event_row,
    project,
    project_mandate,
    rows_of,
    sightings_of,
)
from gunbot_mcp.ledger.tables import PRODUCT, VERSION, events, head, mandates, metadata, sightings, tickets
from gunbot_mcp.tickets.channels import MIGRATION
from gunbot_mcp.tickets.content import canonical

_PAGE = 250
_Run = Callable[..., Awaitable[CursorResult[Any]]]


async def create(port: Port, connection: Link) -> None:
    """Make the tables where there are none."""
    run = partial(port.run, connection)
    await _make_tables(run, but=())
    await run(insert(head), {"id": 1, "product": PRODUCT, "version": VERSION, "seq": 0, "hash": START})
    await port.commit(connection)


async def migrate(port: Port, connection: Link, version: int, now: datetime) -> None:
    """Bring the tables of an earlier version up to date, one version after the other.

    The caller holds every lock, and undoes everything if this raises.

    Raises:
        LedgerUnavailable: no copy could be kept aside.
    """
    async with copied_aside(port, version, now):
        for number, step in MIGRATIONS:
            if number > version:
                await step(port, connection, now)
        await port.commit(connection)


async def to_version_2(port: Port, connection: Link, now: datetime) -> None:
    """Let the events carry a ticket's content, and the other tables be what the events add up to.

    The old events stay byte for byte. For each ticket and mandate, one new event says what it was made with.
    """
    run = partial(port.run, connection)
    if not port.is_sqlite:
        await run(text("LOCK TABLE chain, tickets, mandates, events IN ACCESS EXCLUSIVE MODE"))
    for name in ("tickets_by_age", "tickets_by_send", "tickets_by_state", "tickets_by_fingerprint", "events_by_ticket"):
        await run(text(f"DROP INDEX IF EXISTS {name}"))
    for name in ("tickets", "mandates", "chain"):
        await run(text(f"ALTER TABLE {name} RENAME TO v1_{name}"))
    if not port.is_sqlite:
        # The other three tables of the copy are the old ones themselves.
        await run(text("CREATE TABLE v1_events AS TABLE events"))
    await _make_tables(run, but={"events"})
    await run(_BY_TICKET)
    end = (await run(text("SELECT seq, hash FROM v1_chain"))).one()
    chain = _Chain(run, now, (end.seq, end.hash))
    await chain.append([("migrated", canonical({"from": 1, "to": 2}), None, None)])
    async for page in _pages(run, "v1_mandates"):
        granted = [_mandate(row) for row in page]
        await run(insert(mandates), granted)
        await chain.append(("mandate_imported", _carrying(row), None, row["instance"]) for row in granted)
    async for page in _pages(run, "v1_tickets"):
        kept = [_ticket(row) for row in page]
        await run(insert(tickets), kept)
        if seen := [sighting for row in kept for sighting in sightings_of(row)]:
            await run(insert(sightings), seen)
        await chain.append(("imported", _carrying(row), row["id"], row["instance"]) for row in kept)
    seq, newest = chain.end
    await run(insert(head), {"id": 1, "product": PRODUCT, "version": 2, "seq": seq, "hash": newest})
    if port.is_sqlite:
        for name in ("tickets", "mandates", "chain"):
            await run(text(f"DROP TABLE v1_{name}"))
    else:
        await run(text("ANALYZE tickets, events"))


MIGRATIONS: tuple[tuple[int, Callable[[Port, Link, datetime], Awaitable[None]]], ...] = ((2, to_version_2),)


def _mandate(row: Row) -> dict[str, Any]:
    grant = version_1.grant_of(row)
    changing = {name: row[name] for name in ("spent", "revoked_at")}
    return {"id": row["id"], "content": canonical(grant), **project_mandate(grant), **changing}


def _ticket(row: Row) -> dict[str, Any]:
    content = version_1.content_of(row)
    before = {name: row[name] for name in version_1.OUTCOME_COLUMNS}
    for name in ("outcome", "observed"):
        before[name] = None if before[name] is None else json.loads(before[name])
    became = columns_of(version_1.facts_of(before, row["state"]))
    return {"id": row["id"], "state": row["state"], "content": canonical(content), **project(content), **became}


def _carrying(row: Row) -> str:
    """Return the detail of an event that carries a row's content, which is canonical already."""
    return f'{{"content":{row["content"]}}}'


_BY_TICKET = CreateIndex(next(index for index in events.indexes if index.name == "events_by_ticket"))


async def _make_tables(run: _Run, but: Iterable[str]) -> None:
    for new in metadata.sorted_tables:
        if new.name not in but:
            await run(CreateTable(new))
            for index in sorted(new.indexes, key=lambda index: str(index.name)):
                await run(CreateIndex(index))


async def _pages(run: _Run, name: str) -> AsyncGenerator[list[Row]]:
    key = column("id", Text)
    query = select(text("*")).select_from(table(name, key)).order_by(key).limit(_PAGE)
    page = rows_of(await run(query))
    following = query.where(key > bindparam("last"))
    while page:
        yield page
        # On SQLite nothing else here gives the event loop's other tasks a turn.
        await anyio.lowlevel.checkpoint()
        page = rows_of(await run(following, {"last": page[-1]["id"]}))


class _Chain:
    """Appends the migration's own events."""

    def __init__(self, run: _Run, now: datetime, end: tuple[int, str]) -> None:
        self._run = run
        self._now = now
        self.end = end

    async def append(self, steps: Iterable[tuple[str, str, str | None, str | None]]) -> None:
        """Append kind, detail, ticket and instance of each."""
        rows: list[dict[str, Any]] = []
        for kind, detail, ticket, instance in steps:
            row = event_row(self.end, self._now, kind, MIGRATION, detail, ticket=ticket, instance=instance)
            rows.append(row)
            self.end = (row["seq"], row["hash"])
        await self._run(insert(events), rows)
