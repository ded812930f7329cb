"""The ledger: every ticket, every step of it, who took it and when; durable before anything is sent."""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Self

import anyio
from sqlalchemy.ext.asyncio import AsyncConnection

from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger.database import Store
from gunbot_mcp.ledger.rows import (
    Event,
    Query,
    Row,
    event_of,
    events_of,
    mandate_of,
    mandates_of,
    pin_events,
    rows_of,
    ticket_of,
    ticket_query,
    tickets_in,
)
from gunbot_mcp.ledger.tables import tickets
from gunbot_mcp.ledger.transaction import Totals, Write, wrong_pins
from gunbot_mcp.ledger.verify import problems
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.ticket import State, Ticket

__all__ = ["Event", "Ledger", "Totals", "Write"]

_PATIENCE = 5.0
_LONGEST_QUEUE = 30.0

_Tickets = list[Ticket]
_Rows = list[Row]


class Ledger:
    """The durable store, on SQLite or PostgreSQL. Belongs to the event loop that opened it.

    Every failure of the store is `LedgerUnavailable`. It may come from the commit itself (the connection is lost at
    that very moment), and then the change may or may not be stored: whoever gets it while claiming an order must not
    send.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._turn = anyio.Lock()

    @classmethod
    async def open(cls, url: str, *, clock: Clock, patience: float = _PATIENCE) -> "Ledger":
        """Open the ledger, and create it where there is nothing.

        Args:
            url: `sqlite:///path` or `postgresql://user:password@host/database`, with or without a driver's name.
            clock: dates the events.
            patience: seconds to wait for a lock that another process holds.

        Raises:
            ConfigInvalid: not such a URL, or PostgreSQL's driver is not installed.
            LedgerUnavailable: away, damaged, of another version, or not a ledger (and then untouched).
        """
        store = Store(url, patience)
        try:
            await store.prepare()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await store.engine.dispose()
            raise
        return cls(store, clock)

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True), self._store.faults():
            await self._store.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Write]:
        """Give the one write transaction: committed and on disk when the block ends, undone when it raises.

        Inside, cancellation waits: keep the block short, and do nothing in it but this ledger's work.

        Raises:
            LedgerUnavailable: nothing was stored, or (the message says so) it is not known whether it was.
        """
        async with self._in_turn():
            with anyio.CancelScope(shield=True):
                async with self._connection() as connection:
                    with self._store.faults():
                        newest = await self._store.begin(connection)
                    write = Write(self._store, connection, self._clock, newest)
                    try:
                        yield write
                        await write.finish()
                    finally:
                        write.abandon()
                    with self._store.faults(committing=True):
                        await self._store.commit(connection)

    async def get(self, ticket_id: str) -> Ticket | None:
        rows = await self._read(ticket_query(ticket_id))
        return ticket_of(rows[0]) if rows else None

    async def events(self, *, ticket: str | None = None, limit: int | None = None) -> list[Event]:
        """Return the newest `limit` events (None: all), in the order in which they happened."""
        return [event_of(row) for row in reversed(await self._read(events_of(ticket, limit)))]

    async def mandates(self, instance: str | None) -> list[Mandate]:
        """Return all mandates of the instance (None: of all), oldest first, the expired and revoked ones too."""
        return [mandate_of(row) for row in await self._read(mandates_of(instance))]

    async def wrong_pins(self, since: datetime) -> int:
        """Return how many tries of a PIN since then did not turn out right."""
        return len(wrong_pins([event_of(row) for row in await self._read(pin_events(since))]))

    async def verify(self) -> list[str]:
        """Walk the whole chain and return what is wrong with it, in words; an empty list means sound.

        Finds a changed, removed (at the start, in the middle, at the end), inserted or reordered event, and a ticket or
        mandate whose row is not what its events say. Cannot find a forgery by somebody who writes the whole chain anew,
        with its hashes, its end and the rows; nor an older copy of the whole ledger put in its place: there is no key,
        and no witness elsewhere. To have one, keep the last event's hash somewhere else.
        """
        async with self._connection() as connection:
            if not self._store.is_sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            with self._store.faults():
                return await problems(connection)

    async def list(
        self, instance: str | None, *, states: Collection[State] | None = None, limit: int | None = 50
    ) -> _Tickets:
        """Return the instance's tickets (None: of all instances), newest first."""
        query = tickets_in(states, instance).order_by(tickets.c.created_at.desc(), tickets.c.id.desc())
        return [ticket_of(row) for row in await self._read(query.limit(limit))]

    async def _read(self, query: Query) -> _Rows:
        rows: _Rows = []
        with anyio.CancelScope(shield=True):
            async with self._connection() as connection:
                with self._store.faults():
                    rows = rows_of(await connection.execute(query))
        return rows

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        with self._store.faults():
            connection = await self._store.engine.connect()
        try:
            yield connection
        finally:
            with anyio.CancelScope(shield=True), self._store.faults():
                await connection.close()

    @asynccontextmanager
    async def _in_turn(self) -> AsyncGenerator[None]:
        """Queue this process's own writers fairly; only one at a time then competes with other processes."""
        try:
            with anyio.fail_after(_LONGEST_QUEUE):
                await self._turn.acquire()
        except TimeoutError:
            raise LedgerUnavailable("the ledger is too busy; nothing was stored", "try again") from None
        try:
            yield
        finally:
            self._turn.release()
