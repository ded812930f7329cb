"""What can be done inside the ledger's one write transaction."""

import json
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Unpack, cast

from sqlalchemy import CursorResult, Executable, bindparam, delete, insert, update

from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import LedgerUnavailable, clean
from gunbot_mcp.ledger import version_1
from gunbot_mcp.ledger.database import Database, Head
from gunbot_mcp.ledger.errands import Errands
from gunbot_mcp.ledger.passkeys import REGISTERED, RESTORED, REVOKED, PasskeyWrites
from gunbot_mcp.ledger.port import Link, Parameters
from gunbot_mcp.ledger.reads import MADE, MANDATE, TICKET
from gunbot_mcp.ledger.rows import (
    OUTCOME_COLUMNS,
    Changes,
    Event,
    Row,
    columns_of,
    event_of,
    event_row,
    facts_of,
    mandate_facts,
    mandate_of,
    mandate_row,
    project,
    sightings_of,
    ticket_of,
    ticket_row,
)
from gunbot_mcp.ledger.tables import events, halts, head, mandates, sightings, tickets
from gunbot_mcp.ledger.verify import problems
from gunbot_mcp.tickets import content, mandate
from gunbot_mcp.tickets.channels import Actor, Proof
from gunbot_mcp.tickets.content import canonical, instant_text, money_text
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.passkey import Deed, Touch
from gunbot_mcp.tickets.ticket import CLOSED, TRANSITIONS, Observation, Reason, State, Ticket

RESERVED = frozenset(
    {"created", "imported", "observed", "mandate_created", "mandate_imported", "mandate_spent", "mandate_revoked"}
    | {"migrated", "halt_set", "halt_lifted", REGISTERED, REVOKED, RESTORED, *State}
)
"""Kinds of events that only the methods which change the rows may append; `verify` replays them, `RESTORED` apart."""

_ADD_TICKET = insert(tickets)
_ADD_MANDATE = insert(mandates)
_ADD_EVENT = insert(events)
_MOVE = (
    update(tickets)
    .where(tickets.c.id == bindparam("the_id"), tickets.c.state == bindparam("before"))
    .returning(*tickets.c)
)
_SET_MANDATE = update(mandates).where(mandates.c.id == bindparam("the_id"))
_SET_HEAD = update(head).where(head.c.id == 1)
_FORGET_SIGHTINGS = delete(sightings).where(sightings.c.ticket == bindparam("ticket"))
_ADD_SIGHTING = insert(sightings)
_ADD_HALT = insert(halts)
_LIFT_HALTS = update(halts).where(halts.c.lifted_at.is_(None)).returning(halts.c.id)


class Transaction(Errands, PasskeyWrites):
    """One write transaction. From its first line to its end nobody else changes anything.

    After any failure inside it, also one that the caller caught, the transaction is not committed: `Ledger.write`
    then ends with `LedgerUnavailable`. Not for use by several tasks, nor after its block.
    """

    def __init__(self, database: Database, connection: Link, clock: Clock, newest: Head) -> None:
        self.first = database.first
        self._database = database
        self._connection = connection
        self._clock = clock
        self._start = newest
        self._end = newest
        self._broken = False
        self._over = False

    # Tickets

    async def add(self, ticket: Ticket, actor: Actor) -> Ticket:
        """Record a new ticket and return it as it is stored: sealed, without characters that a store cannot keep.

        Raises:
            ValueError: it is not pending, or somebody already decided about it; or its content cannot be written down.
        """
        if ticket.state is not State.PENDING or any(getattr(ticket, name) is not None for name in OUTCOME_COLUMNS):
            raise ValueError("a new ticket is pending, and nothing has happened to it")
        stored = content.sealed(ticket)
        # The content's own text, so that what the event carries is what the row holds.
        detail = f'{{"content":{stored.content}}}'
        with self._whole():
            await self._run(_ADD_TICKET, ticket_row(stored))
            await self._append("created", actor, detail, ticket=stored.id, instance=stored.instance)
        return stored

    async def intact(self, ticket_id: str) -> bool:
        """Return whether the ticket's row is what the chain recorded when it was made."""
        made = await self._rows(MADE, id=ticket_id)
        found = await self._rows(TICKET, id=ticket_id)
        try:
            recorded = recorded_content(
                [(row["kind"], json.loads(row["detail"])) for row in sorted(made, key=lambda row: row["seq"])]
            )
            return (
                recorded is not None
                and len(found) == 1
                and found[0]["content"] == canonical(recorded)
                and all(found[0][name] == value for name, value in project(recorded).items())
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return False

    async def move(
        self,
        ticket_id: str,
        from_: State | Collection[State],
        to: State,
        *,
        actor: Actor,
        detail: Mapping[str, Any] | None = None,
        **changes: Unpack[Changes],
    ) -> Ticket | None:
        """Move the ticket and return it, or None where it is in none of the `from_` states (the race is lost).

        The event's kind is the new state; its detail is `from`, `set` (the changes) and the caller's `detail`.
        `closed_at` is set to now in a final state, unless it is given.

        Raises:
            ValueError: a transition that TRANSITIONS does not have, or `sending` without `owner` and `sent_at`.
        """
        allowed = {from_} if isinstance(from_, State) else set(from_)
        wrong = [state for state in allowed if to not in TRANSITIONS.get(state, frozenset())]
        if wrong or not allowed:
            raise ValueError(f"no ticket moves from {', '.join(sorted(wrong)) or 'nowhere'} to {to}")
        if to is State.SENDING and not (changes.get("owner") and changes.get("sent_at")):
            raise ValueError("sending needs its owner and its time")
        if to in CLOSED:
            changes.setdefault("closed_at", self._clock.now())
        elif State.ACCEPTED in allowed:
            changes.setdefault("closed_at", None)
        return await self._change(ticket_id, allowed, to, actor=actor, detail=detail, changes=changes)

    async def observe(
        self,
        ticket_id: str,
        observed: Observation | None,
        actor: Actor,
        *,
        reason: Reason | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Ticket | None:
        """Record what a sent order looks like at the exchange, and with `reason` by whose word.

        None where the ticket is neither accepted nor unknown.
        """
        changes: Changes = {"observed": observed}
        if reason is not None:
            changes["reason"] = reason
        states = {State.ACCEPTED, State.UNKNOWN}
        return await self._change(ticket_id, states, None, actor=actor, detail=detail, changes=changes)

    async def _change(
        self,
        ticket_id: str,
        allowed: set[State],
        to: State | None,
        *,
        actor: Actor,
        detail: Mapping[str, Any] | None,
        changes: Changes,
    ) -> Ticket | None:
        unknown = set(changes) - set(OUTCOME_COLUMNS)
        reserved = set(detail or {}) & {"from", "set"}
        if unknown or reserved:
            raise ValueError(f"not for the caller to set: {', '.join(sorted(unknown | reserved))}")
        shown = facts_of(changes)
        values = columns_of(shown)
        if to is not None:
            values["state"] = to.value
        with self._whole():
            # One state after the other, since the event says which it was. Nothing else can change it in between.
            for state in (one for one in State if one in allowed):
                found = await self._rows(_MOVE, the_id=ticket_id, before=state.value, **values)
                if found:
                    after = ticket_of(found[0])
                    if "observed" in changes:
                        await self._sighted(found[0])
                    moved = {} if to is None else {"from": state.value}
                    facts = canonical({**(detail or {}), **moved, "set": shown})
                    kind = "observed" if to is None else to.value
                    await self._append(kind, actor, facts, ticket=ticket_id, instance=after.instance)
                    return after
        return None

    async def _sighted(self, row: Row) -> None:
        # An order that no longer belongs to this ticket is free for others.
        await self._run(_FORGET_SIGHTINGS, {"ticket": row["id"]})
        if found := sightings_of(row):
            await self._run(_ADD_SIGHTING, found)

    # Mandates

    async def add_mandate(self, given: Mandate, touch: Touch | None = None) -> Mandate:
        """Record a human's mandate and return it as it is stored: sealed. A passkey's needs its touch.

        Raises:
            ValueError: something is already spent of it, or it is revoked; or it cannot be written down.
            BadTouch: a passkey is said to have made it, and did not.
        """
        if given.spent or given.revoked_at is not None:
            raise ValueError("a new mandate is unspent and not revoked")
        stored = mandate.sealed(given)
        detail = f'{{"content":{stored.content}}}'
        if stored.created_by.row.proof is Proof.PASSKEY:
            await self.proven(touch, Deed.MANDATE, stored.content, live=stored.live is not False)
            kept = None if touch is None else touch.facts(Deed.MANDATE)
            detail = f'{{"content":{stored.content},"touch":{canonical(kept)}}}'
        with self._whole():
            await self._run(_ADD_MANDATE, mandate_row(stored))
            await self._append("mandate_created", stored.created_by, detail, ticket=None, instance=stored.instance)
        return stored

    async def revoke_mandate(self, mandate_id: str, actor: Actor) -> bool:
        """Revoke the mandate; False if there is no such mandate, or it is already revoked."""
        found = await self._mandate(mandate_id)
        if found is None or found.revoked_at is not None:
            return False
        await self._set_mandate("mandate_revoked", replace(found, revoked_at=self._clock.now()), "revoked_at", actor)
        return True

    async def spend(self, mandate_id: str, amount: Decimal, *, actor: Actor, live: bool, url: str) -> bool:
        """Take `amount` from the mandate for an order to the Gunbot of that kind and address.

        False, and nothing is taken, if it is not in force, was made for another Gunbot, or a cap forbids it.

        Raises:
            ValueError: the amount is not finite, or not greater than 0.
        """
        if not amount.is_finite() or amount <= 0:
            raise ValueError("only a finite amount greater than 0 can be spent")
        found = await self._mandate(mandate_id)
        if found is None or not found.active(self._clock.now()) or not found.is_for(live=live, url=url):
            return False
        if not found.affords(amount):
            return False
        spent = replace(found, spent=found.spent + amount)
        await self._set_mandate("mandate_spent", spent, "spent", actor, amount=money_text(amount))
        return True

    async def _mandate(self, mandate_id: str) -> Mandate | None:
        found = await self._rows(MANDATE, id=mandate_id)
        return mandate_of(found[0]) if found else None

    async def _set_mandate(self, kind: str, changed: Mandate, name: str, actor: Actor, **detail: object) -> None:
        values = {name: mandate_facts(changed)[name]}
        with self._whole():
            await self._run(_SET_MANDATE, {"the_id": changed.id, **values})
            facts = canonical({**detail, "mandate": changed.id, "set": values})
            await self._append(kind, actor, facts, ticket=None, instance=changed.instance)

    # Halts

    async def halt(self, reason: str, actor: Actor) -> None:
        """Stop every claim that is made with this ledger, of whatever instance, until `lift_halts`."""
        made = str(self._end[0] + 1)
        at = instant_text(self._clock.now())
        values = {"instance": None, "at": at, "by": str(actor), "reason": clean(reason, 500)}
        with self._whole():
            await self._run(_ADD_HALT, {"id": made, **values, "lifted_at": None, "lifted_by": None})
            facts = canonical({"halt": made, "set": values})
            await self._append("halt_set", actor, facts, ticket=None, instance=None)

    async def lift_halts(self, actor: Actor, touch: Touch | None = None, said: str = "") -> int:
        """Take back every halt that holds; return how many there were. A passkey's word is a touch over `said`."""
        if actor.row.proof is Proof.PASSKEY:
            await self.proven(touch, Deed.RESUME, said, live=True)
        kept = {} if touch is None else {"touch": touch.facts(Deed.RESUME, said)}
        values = {"lifted_at": instant_text(self._clock.now()), "lifted_by": str(actor)}
        with self._whole():
            lifted = sorted((await self._run(_LIFT_HALTS, values)).scalars())
            if lifted:
                facts = canonical({"halts": lifted, "set": values, **kept})
                await self._append("halt_lifted", actor, facts, ticket=None, instance=None)
        return len(lifted)

    # Events

    async def event(
        self,
        kind: str,
        *,
        actor: Actor,
        detail: Mapping[str, Any] | None = None,
        ticket: str | None = None,
        instance: str | None = None,
    ) -> Event:
        """Append an event that changes no row.

        Raises:
            ValueError: the kind is reserved for the methods that change rows.
        """
        if kind in RESERVED:
            raise ValueError(f"a caller must not append {kind}")
        with self._whole():
            return await self._append(kind, actor, canonical(detail or {}), ticket=ticket, instance=instance)

    async def _append(self, kind: str, actor: Actor, detail: str, *, ticket: str | None, instance: str | None) -> Event:
        row = event_row(self._end, self._clock.now(), kind, actor, detail, ticket=ticket, instance=instance)
        await self._run(_ADD_EVENT, row)
        self._end = (row["seq"], row["hash"])
        return event_of(row, self.first)

    # The transaction itself

    @property
    def _now(self) -> datetime:
        return self._clock.now()

    async def problems(self) -> list[str]:
        """Return what is wrong with the ledger as it would be if this transaction ended now; see `Ledger.verify`."""
        with self._database.faults():
            return await problems(self._database, self._connection)

    async def finish(self) -> None:
        """Write the chain's new end; for `Ledger.write` only.

        Raises:
            LedgerUnavailable: something failed earlier, so nothing must be committed.
        """
        if self._broken:
            raise LedgerUnavailable("an earlier step failed; nothing of it was stored", "try again")
        if self._end != self._start:
            seq, newest = self._end
            await self._run(_SET_HEAD, {"seq": seq, "hash": newest})
        self._over = True

    @property
    def end(self) -> Head:
        """The newest event, that this transaction appended or found."""
        return self._end

    def abandon(self) -> None:
        self._over = True

    @contextmanager
    def _whole(self) -> Generator[None]:
        """Half of a change must never be committed, even if the caller swallows the error."""
        try:
            yield
        except BaseException:
            self._broken = True
            raise

    async def _run(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        if self._over:
            raise RuntimeError("this write transaction is over")
        with self._whole(), self._database.faults():
            return await self._database.run(self._connection, statement, parameters)


def recorded_content(made: Sequence[tuple[str, Mapping[str, Any]]]) -> Mapping[str, Any] | None:
    """Return the content in the events that made a ticket, or None if they do not agree. Pure."""
    match made:
        case [("created", created)] if isinstance(created["content"], dict):
            return cast("dict[str, Any]", created["content"])
        case [("created", created), ("imported", imported)]:
            found = imported["content"]
            return found if version_1.recorded_hash(found) == created["content"] else None
        case _:
            return None
