"""What can be done inside the ledger's one write transaction."""

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Unpack

from sqlalchemy import CursorResult, Executable, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger.database import Store
from gunbot_mcp.ledger.rows import (
    CONTENT_COLUMNS,
    GRANT_COLUMNS,
    OUTCOME_COLUMNS,
    Changes,
    Event,
    Query,
    Row,
    content_hash,
    encode,
    event_hash,
    event_of,
    events_of,
    in_event,
    instant_text,
    mandate_of,
    mandate_row,
    mandates_of,
    money_of,
    pin_events,
    rows_of,
    storable,
    ticket_of,
    ticket_query,
    ticket_row,
    tickets_in,
)
from gunbot_mcp.ledger.tables import chain, events, mandates, tickets
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.ticket import SPENT, TRANSITIONS, State, Ticket, canonical

RESERVED = frozenset({"created", "observed", "mandate_created", "mandate_spent", "mandate_revoked", *State})
"""Kinds of events that only the methods which change the rows may append; `verify` replays them."""

_NOT_SENT = (State.DECLINED, State.EXPIRED, State.WITHDRAWN, State.VOID, State.REJECTED)


@dataclass(frozen=True, slots=True)
class Totals:
    """`notional` in the asked asset; `count` orders of the whole instance, whatever their asset."""

    notional: Decimal
    count: int


class Write:
    """One write transaction. From its first line to its end nobody else changes anything.

    After any failure inside it, also one that the caller caught, the transaction is not committed: `Ledger.write`
    then ends with `LedgerUnavailable`. Not for use by several tasks, nor after its block.
    """

    def __init__(self, store: Store, connection: AsyncConnection, clock: Clock, newest: tuple[int, str]) -> None:
        self._store = store
        self._connection = connection
        self._clock = clock
        self._start = newest
        self._seq: int = newest[0]
        self._hash: str = newest[1]
        self._broken = False
        self._over = False

    # Tickets

    async def add(self, ticket: Ticket, actor: str) -> Ticket:
        """Record a new ticket and return it as it is stored (without the few marks that a store cannot keep).

        Raises:
            ValueError: it is not pending, or somebody already decided about it.
        """
        row = ticket_row(ticket)
        if ticket.state is not State.PENDING or any(row[column] is not None for column in OUTCOME_COLUMNS):
            raise ValueError("a new ticket is pending, and nothing has happened to it")
        stored = ticket_of(row)
        detail = {"digest": stored.digest, "content": content_hash(CONTENT_COLUMNS, row)}
        with self._whole():
            await self._run(insert(tickets).values(row))
            await self._append("created", actor=actor, detail=detail, ticket=stored.id, instance=stored.instance)
        return stored

    async def get(self, ticket_id: str) -> Ticket | None:
        rows = await self._rows(ticket_query(ticket_id))
        return ticket_of(rows[0]) if rows else None

    async def intact(self, ticket_id: str) -> bool:
        """Return whether the ticket's content is what the chain recorded when it was made."""
        query = events_of(ticket_id, None).where(events.c.kind == "created")
        made = [event_of(row).detail for row in await self._rows(query)]
        rows = await self._rows(ticket_query(ticket_id))
        return [detail.get("content") for detail in made] == [content_hash(CONTENT_COLUMNS, row) for row in rows]

    async def move(
        self,
        ticket_id: str,
        from_: State | Collection[State],
        to: State,
        *,
        actor: str,
        detail: Mapping[str, Any] | None = None,
        **columns: Unpack[Changes],
    ) -> Ticket | None:
        """Move the ticket and return it, or None where it is in none of the `from_` states (the race is lost).

        The event's kind is the new state; its detail is `from`, `set` (the columns) and the caller's `detail`.
        `closed_at` is set to now in a state that nothing follows, unless it is given.

        Raises:
            ValueError: a transition that TRANSITIONS does not have, or `sending` without `owner` and `sent_at`.
        """
        allowed = {from_} if isinstance(from_, State) else set(from_)
        wrong = [state for state in allowed if to not in TRANSITIONS.get(state, frozenset())]
        if wrong or not allowed:
            raise ValueError(f"no ticket moves from {', '.join(sorted(wrong)) or 'nowhere'} to {to}")
        if to is State.SENDING and not (columns.get("owner") and columns.get("sent_at")):
            raise ValueError("who sends, and since when, is part of sending")
        if to not in TRANSITIONS:
            columns.setdefault("closed_at", self._clock.now())
        return await self._change(ticket_id, allowed, to, actor=actor, detail=detail, columns=columns)

    async def observe(self, ticket_id: str, observed: Mapping[str, Any], actor: str) -> Ticket | None:
        """Record what an accepted order looks like at the exchange; None where the ticket is not accepted."""
        columns: Changes = {"observed": observed}
        return await self._change(ticket_id, {State.ACCEPTED}, None, actor=actor, detail=None, columns=columns)

    async def _change(
        self,
        ticket_id: str,
        allowed: set[State],
        to: State | None,
        *,
        actor: str,
        detail: Mapping[str, Any] | None,
        columns: Changes,
    ) -> Ticket | None:
        unknown = set(columns) - set(OUTCOME_COLUMNS)
        reserved = set(detail or {}) & {"from", "set"}
        if unknown or reserved:
            raise ValueError(f"not for the caller to set: {', '.join(sorted(unknown | reserved))}")
        values = {column: encode(column, value) for column, value in columns.items()}
        shown = {column: in_event(column, value) for column, value in values.items()}
        with self._whole():
            before = await self.get(ticket_id)
            changed = await self._run(
                update(tickets)
                .where(tickets.c.id == ticket_id, tickets.c.state.in_([state.value for state in allowed]))
                .values(values if to is None else {**values, "state": to.value})
            )
            after = await self.get(ticket_id)
            if changed.rowcount != 1 or before is None or after is None:
                return None
            moved = {} if to is None else {"from": before.state.value}
            await self._append(
                "observed" if to is None else to.value,
                actor=actor,
                detail={**(detail or {}), **moved, "set": shown},
                ticket=ticket_id,
                instance=after.instance,
            )
            return after

    # What the policy asks

    async def totals(self, instance: str, asset: str, since: datetime, *, exclude: str | None = None) -> Totals:
        """Return what was sent, or perhaps sent, since then, without the ticket `exclude`; cancels do not count."""
        query = select(tickets.c.notional, tickets.c.asset).where(
            tickets.c.instance == instance,
            tickets.c.state.in_([state.value for state in SPENT]),
            tickets.c.side != "cancel",
            tickets.c.sent_at >= instant_text(since),
        )
        if exclude is not None:
            query = query.where(tickets.c.id != exclude)
        rows = (await self._run(query)).all()
        spent = (money_of(row.notional) for row in rows if row.asset == asset and row.notional is not None)
        return Totals(sum(spent, Decimal(0)), len(rows))

    async def count_since(self, instance: str, since: datetime, *, cancels: bool = False) -> int:
        """Return how many order tickets (or cancels) were made since then, whatever became of them."""
        kind = tickets.c.side == "cancel" if cancels else tickets.c.side != "cancel"
        query = select(tickets.c.id).where(
            tickets.c.instance == instance, kind, tickets.c.created_at >= instant_text(since)
        )
        return len((await self._run(query)).all())

    async def twin(self, instance: str, fingerprint: str, since: datetime) -> Ticket | None:
        """Return the newest ticket of the same intent since then that was, or may still be, sent."""
        query = (
            tickets_in(set(State) - set(_NOT_SENT), instance)
            .where(tickets.c.fingerprint == fingerprint, tickets.c.created_at >= instant_text(since))
            .order_by(tickets.c.created_at.desc(), tickets.c.id.desc())
        )
        return await self._first(query)

    async def lock(self, instance: str, exchange: str, pair: str, side: str) -> Ticket | None:
        """Return the oldest order of that pair and side whose outcome is unknown; cancels neither lock nor wait."""
        if side == "cancel":
            return None
        query = (
            tickets_in({State.UNKNOWN}, instance)
            .where(tickets.c.exchange == exchange, tickets.c.pair == pair, tickets.c.side == side)
            .order_by(tickets.c.created_at, tickets.c.id)
        )
        return await self._first(query)

    async def sent_on(self, instance: str, exchange: str, pair: str, since: datetime) -> list[Ticket]:
        """Return the pair's tickets that were sent, or perhaps sent, since then, oldest first."""
        query = (
            tickets_in(SPENT, instance)
            .where(tickets.c.exchange == exchange, tickets.c.pair == pair, tickets.c.sent_at >= instant_text(since))
            .order_by(tickets.c.created_at, tickets.c.id)
        )
        return [ticket_of(row) for row in await self._rows(query)]

    async def in_state(self, states: Collection[State], instance: str | None = None) -> list[Ticket]:
        """Return the tickets in these states, oldest first."""
        query = tickets_in(states, instance).order_by(tickets.c.created_at, tickets.c.id)
        return [ticket_of(row) for row in await self._rows(query)]

    # Mandates

    async def add_mandate(self, mandate: Mandate) -> None:
        """Record a human's mandate.

        Raises:
            ValueError: something is already spent of it, or it is revoked.
        """
        row = mandate_row(mandate)
        if mandate.spent or mandate.revoked_at is not None:
            raise ValueError("a new mandate is unspent and not revoked")
        detail = {"mandate": mandate.id, "content": content_hash(GRANT_COLUMNS, row), "spent": row["spent"]}
        with self._whole():
            await self._run(insert(mandates).values(row))
            await self._append(
                "mandate_created", actor=mandate.created_by, detail=detail, ticket=None, instance=mandate.instance
            )

    async def mandates(self, instance: str | None, active_at: datetime | None = None) -> list[Mandate]:
        """Return the instance's mandates, oldest first; with `active_at` only those in force then."""
        found = [mandate_of(row) for row in await self._rows(mandates_of(instance))]
        return [mandate for mandate in found if active_at is None or mandate.active(active_at)]

    async def revoke_mandate(self, mandate_id: str, actor: str) -> bool:
        """Revoke the mandate; False where there is none such, or it is revoked already."""
        mandate = await self._mandate(mandate_id)
        if mandate is None or mandate.revoked_at is not None:
            return False
        await self._set_mandate("mandate_revoked", mandate, actor, {}, revoked_at=self._clock.now())
        return True

    async def spend(self, mandate_id: str, amount: Decimal, *, actor: str = "guard") -> bool:
        """Take `amount` from the mandate; False, and nothing is taken, where it is not in force or a cap forbids it.

        Raises:
            ValueError: the amount is not finite, or not greater than 0.
        """
        if not amount.is_finite() or amount <= 0:
            raise ValueError("only a finite amount greater than 0 can be spent")
        mandate = await self._mandate(mandate_id)
        if mandate is None or not mandate.active(self._clock.now()) or not mandate.affords(amount):
            return False
        detail = {"amount": encode("spent", amount)}
        await self._set_mandate("mandate_spent", mandate, actor, detail, spent=mandate.spent + amount)
        return True

    async def _mandate(self, mandate_id: str) -> Mandate | None:
        query = select(mandates).where(mandates.c.id == mandate_id)
        rows = await self._rows(query)
        return mandate_of(rows[0]) if rows else None

    async def _set_mandate(
        self, kind: str, mandate: Mandate, actor: str, detail: Mapping[str, Any], **columns: object
    ) -> None:
        changed = mandate_row(replace(mandate, **columns))  # pyright: ignore[reportArgumentType] - two callers above
        values = {column: changed[column] for column in columns}
        with self._whole():
            await self._run(update(mandates).where(mandates.c.id == mandate.id).values(values))
            detail = {**detail, "mandate": mandate.id, "set": values}
            await self._append(kind, actor=actor, detail=detail, ticket=None, instance=mandate.instance)

    # Events

    async def event(
        self,
        kind: str,
        *,
        actor: str,
        detail: Mapping[str, Any] | None = None,
        ticket: str | None = None,
        instance: str | None = None,
    ) -> Event:
        """Append an event that changes no row.

        Raises:
            ValueError: the kind is reserved for the methods that change rows.
        """
        if kind in RESERVED:
            raise ValueError(f"{kind} is not for the caller to append")
        with self._whole():
            return await self._append(kind, actor=actor, detail=detail or {}, ticket=ticket, instance=instance)

    async def last_event(self, ticket_id: str) -> Event | None:
        rows = await self._rows(events_of(ticket_id, 1))
        return event_of(rows[0]) if rows else None

    async def wrong_pins(self, since: datetime) -> list[datetime]:
        """Return when PINs were tried since then, oldest first, without those that turned out right."""
        return wrong_pins([event_of(row) for row in await self._rows(pin_events(since))])

    async def _append(
        self, kind: str, *, actor: str, detail: Mapping[str, Any], ticket: str | None, instance: str | None
    ) -> Event:
        row: dict[str, Any] = {
            "seq": self._seq + 1,
            "at": instant_text(self._clock.now()),
            "instance": encode("instance", instance),
            "ticket": encode("ticket", ticket),
            "kind": storable(kind),
            "actor": storable(actor),
            "detail": canonical(detail),
            "prev": self._hash,
        }
        row["hash"] = event_hash(row)
        await self._run(insert(events).values(row))
        self._seq, self._hash = row["seq"], row["hash"]
        return event_of(row)

    # The transaction itself

    async def finish(self) -> None:
        """Write the chain's new end; for `Ledger.write` only.

        Raises:
            LedgerUnavailable: something failed earlier, so nothing must be committed.
        """
        if self._broken:
            raise LedgerUnavailable("an earlier step failed; nothing of it was stored", "try again")
        if (self._seq, self._hash) != self._start:
            await self._run(update(chain).values(seq=self._seq, hash=self._hash))
        self._over = True

    def abandon(self) -> None:
        self._over = True

    @contextmanager
    def _whole(self) -> Generator[None]:
        """Half of a change must never be committed, even if the caller swallows what went wrong."""
        try:
            yield
        except BaseException:
            self._broken = True
            raise

    async def _run(self, statement: Executable) -> CursorResult[Any]:
        if self._over:
            raise RuntimeError("this write transaction is over")
        with self._whole(), self._store.faults():
            return await self._connection.execute(statement)  # pyright: ignore[reportReturnType] - never streamed

    async def _rows(self, query: Query) -> list[Row]:
        return rows_of(await self._run(query))

    async def _first(self, query: Query) -> Ticket | None:
        rows = await self._rows(query.limit(1))
        return ticket_of(rows[0]) if rows else None


def wrong_pins(tries: list[Event]) -> list[datetime]:
    """Return the instants of the attempts (`pin_wrong`) that no `pin_ok` names."""
    right = {event.detail.get("attempt") for event in tries if event.kind == "pin_ok"}
    return [event.at for event in tries if event.kind == "pin_wrong" and event.seq not in right]
