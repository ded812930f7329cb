"""The ledger: every ticket, every step of it, who took it and when; durable before anything is sent."""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Self

import anyio
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.errands import noticed
from gunbot_mcp.ledger.passkeys import PASSKEY_EVENTS, PASSKEY_ROWS, sound
from gunbot_mcp.ledger.reads import (
    CANCELS_SINCE,
    DECIDED,
    IN_FLIGHT_NOW,
    KEYS,
    LOSS_RESUMED,
    ORDERS_SINCE,
    OUTCOMES_SINCE,
    PIN_EVENTS,
    PLACED,
    PLACED_AMONG,
    SENT_SINCE,
    TICKET,
    UNFINISHED,
    Placed,
    Totals,
    events_of,
    mandates_of,
    placed_of,
    sent_of,
    tickets_in,
    wrong_pins,
)
from gunbot_mcp.ledger.rows import Changes, Event, Row, event_of, mandate_of, rows_of, ticket_of
from gunbot_mcp.ledger.signed import Signature
from gunbot_mcp.ledger.tables import tickets
from gunbot_mcp.ledger.transaction import Transaction
from gunbot_mcp.ledger.verify import problems
from gunbot_mcp.tickets.content import instant_of, instant_text
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.passkey import Passkey
from gunbot_mcp.tickets.spent import Sent, longest_row
from gunbot_mcp.tickets.ticket import State, Ticket

__all__ = ["Changes", "Database", "Event", "Ledger", "Totals", "Transaction"]

_PATIENCE = 5.0
_QUEUE = 30.0

_Tickets = list[Ticket]
_Rows = list[Row]


class Ledger:
    """The durable store, on SQLite or PostgreSQL. Belongs to the event loop that opened it.

    Every failure of the store is `LedgerUnavailable`. It may come from the commit itself (the connection is lost at
    that very moment), and then the change may or may not be stored: a caller that gets it while claiming an order
    must not send.
    """

    def __init__(self, database: Database, clock: Clock, *, queue: float = _QUEUE) -> None:
        """`database` is prepared; `queue` is how many seconds this process's own writers wait for each other."""
        self._database = database
        self._clock = clock
        self._queue = queue
        self._turn = anyio.Lock()

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        clock: Clock,
        patience: float = _PATIENCE,
        queue: float = _QUEUE,
        database: Database | None = None,
    ) -> "Ledger":
        """Open the ledger, create it if there is none, and bring one of an earlier version up to date.

        Args:
            url: `sqlite:///path` or `postgresql://user:password@host/database`, with or without a driver's name.
            clock: dates the events.
            patience: seconds to wait for a lock that another process holds.
            queue: seconds that this process's own writers wait for each other.
            database: used instead of the one made from `url` and `patience`.

        Raises:
            ConfigInvalid: not such a URL, or PostgreSQL's driver is not installed.
            LedgerUnavailable: away, damaged, of a newer version, or not a ledger (and then untouched).
        """
        store = database or Database(url, patience)
        try:
            await store.prepare(clock)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await store.aclose()
            raise
        return cls(store, clock, queue=queue)

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True), self._database.faults():
            await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        """Give the one write transaction: committed and on disk when the block ends, undone when it raises.

        Inside, cancellation waits: keep the block short, and do nothing in it but this ledger's work.

        Raises:
            LedgerUnavailable: nothing was stored, or (the message says so) it is not known whether it was.
        """
        async with self._in_turn():
            with anyio.CancelScope(shield=True):
                async with self._database.connect() as connection:
                    with self._database.faults():
                        newest = await self._database.begin(connection)
                    transaction = Transaction(self._database, connection, self._clock, newest)
                    try:
                        yield transaction
                        await transaction.finish()
                    finally:
                        transaction.abandon()
                    with self._database.faults(committing=True):
                        await self._database.commit(connection)
                    self._database.committed(transaction.end)

    async def get(self, ticket_id: str) -> Ticket | None:
        found = await self._read(TICKET, id=ticket_id)
        return ticket_of(found[0]) if found else None

    async def unfinished(self, instance: str, since: datetime) -> _Tickets:
        """Return the instance's tickets sent since then of which more may become known, oldest first."""
        found = await self._read(UNFINISHED, instance=instance, since=instant_text(since))
        return [ticket_of(row) for row in sorted(found, key=lambda row: (row["sent_at"], row["id"]))]

    async def in_flight(self, instance: str) -> bool:
        """Return whether any of the instance's tickets is approved or being sent."""
        return bool(await self._read(IN_FLIGHT_NOW, instance=instance))

    async def events(self, ticket: str | None = None, limit: int | None = None) -> list[Event]:
        """Return the newest `limit` events (None: all), in the order in which they happened."""
        found = await self._read(events_of(ticket, limit))
        return [event_of(row, self._database.first) for row in reversed(found)]

    async def placed(self, instance: str) -> list[Placed]:
        """Return the orders at the exchange that are for sure this instance's tickets', the oldest ticket's first."""
        return [placed_of(row) for row in await self._read(PLACED, instance=instance)]

    async def placed_among(self, instance: str, exchange: str, pair: str, order_ids: Collection[str]) -> list[Placed]:
        """Return those of these orders of a pair that are for sure this instance's tickets'."""
        asked = {"exchange": exchange, "pair": pair, "order_ids": sorted(order_ids)}
        return [placed_of(row) for row in await self._read(PLACED_AMONG, instance=instance, **asked)]

    async def keys(self, instance: str) -> list[str]:
        """Return every `exchange/pair` that the instance has tickets of."""
        return sorted(f"{row['exchange']}/{row['pair']}" for row in await self._read(KEYS, instance=instance))

    async def mandates(self, instance: str | None) -> list[Mandate]:
        """Return all mandates of the instance (None: of all), oldest first, the expired and revoked ones too."""
        return [mandate_of(row) for row in await self._read(mandates_of(instance))]

    async def sent_since(self, instance: str, since: datetime) -> list[Sent]:
        """Return the instance's orders that were, or may be, sent since then; cancels are none."""
        return sent_of(await self._read(SENT_SINCE, instance=instance, since=instant_text(since)))

    async def decided(self, ticket_ids: Collection[str]) -> dict[str, datetime]:
        """Return when each of these tickets was approved, declined or taken back; version 0.1 did not write it down."""
        found = await self._read(DECIDED, ids=sorted(ticket_ids))
        return {row["ticket"]: instant_of(row["at"]) for row in found}

    async def rejections(self, instance: str, since: datetime) -> int:
        """Return how many orders that were sent since then Gunbot rejected one after the other, at most."""
        found = await self._read(OUTCOMES_SINCE, instance=instance, since=instant_text(since))
        return longest_row(row["state"] for row in found)

    async def loss_resumed(self, instance: str, since: datetime) -> datetime | None:
        """Return when a human last took back the limits of losses and rejections, if that was since then."""
        [row] = await self._read(LOSS_RESUMED, instance=instance, since=instant_text(since))
        [at] = row.values()
        return None if at is None else instant_of(at)

    async def proposed_since(self, instance: str, since: datetime, *, cancels: bool = False) -> int:
        """Return how many order tickets (or cancels) were made since then, whatever became of them."""
        query = CANCELS_SINCE if cancels else ORDERS_SINCE
        found = await self._read(query, instance=instance, since=instant_text(since))
        return next(iter(found[0].values()))

    async def wrong_pins(self, since: datetime) -> list[datetime]:
        """Return when PINs were tried since then, as recorded, without those that were right."""
        found = await self._read(PIN_EVENTS, since=instant_text(since))
        return wrong_pins([event_of(row, self._database.first) for row in found])

    async def noticed(self, kind: str, ticket_ids: Collection[str]) -> frozenset[str]:
        """Return which of these tickets there was a notice of this kind about."""
        return frozenset(row["ticket"] for row in await self._read(noticed(kind, ticket_ids)))

    async def passkeys(self) -> list[Passkey]:
        """Return every passkey that is what its events say, the oldest first; the revoked ones, too."""
        return sound(await self._read(PASSKEY_EVENTS), await self._read(PASSKEY_ROWS))

    async def verify(self, signatures: list[Signature] | None = None) -> list[str]:
        """Walk the whole chain and return what is wrong with it, in words; an empty list means sound.

        Finds a changed, removed (at the start, in the middle, at the end), inserted or reordered event, and a ticket or
        mandate whose row is not what its events say. Cannot find a forgery by somebody who rewrites the whole chain,
        with its hashes, its end and the rows; nor an older copy of the whole ledger put in its place: there is no key,
        and nothing elsewhere to compare with. To have that, keep the last event's hash somewhere else.

        What passkeys signed is checked against the keys in the chain; `signatures` gets each that holds. Whoever kept a
        key's fingerprint elsewhere has that proof even of a chain that was rewritten.
        """
        async with self._database.connect() as connection:
            if isinstance(connection, AsyncConnection):
                await connection.execution_options(isolation_level="REPEATABLE READ")
            with self._database.faults():
                return await problems(self._database, connection, signatures)

    async def list(
        self, instance: str | None, *, states: Collection[State] | None = None, limit: int | None = 50
    ) -> _Tickets:
        """Return the instance's tickets (None: of all instances), newest first."""
        query = tickets_in(states, instance).order_by(tickets.c.created_at.desc(), tickets.c.id.desc())
        return [ticket_of(row) for row in await self._read(query.limit(limit))]

    async def _read(self, statement: Executable, **parameters: object) -> _Rows:
        found: _Rows = []
        with anyio.CancelScope(shield=True):
            async with self._database.connect() as connection:
                with self._database.faults():
                    found = rows_of(await self._database.run(connection, statement, parameters))
        return found

    @asynccontextmanager
    async def _in_turn(self) -> AsyncGenerator[None]:
        """Queue this process's own writers fairly; only one at a time then competes with other processes."""
        try:
            with anyio.fail_after(self._queue):
                await self._turn.acquire()
        except TimeoutError:
            raise LedgerUnavailable("the ledger is too busy; nothing was stored", "try again") from None
        try:
            yield
        finally:
            self._turn.release()
