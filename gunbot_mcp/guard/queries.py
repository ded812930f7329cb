"""The reads that the ledger and its write transaction share, as statements."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from gunbot_mcp.guard.rows import instant_text
from gunbot_mcp.guard.tables import events, mandates, tickets
from gunbot_mcp.guard.tickets import State

Query = Select[Any]


def ticket(ticket_id: str) -> Query:
    return select(tickets).where(tickets.c.id == ticket_id)


def tickets_in(states: Collection[State] | None, instance: str | None) -> Query:
    query = select(tickets)
    if states is not None:
        query = query.where(tickets.c.state.in_([state.value for state in states]))
    return query if instance is None else query.where(tickets.c.instance == instance)


def mandates_of(instance: str | None) -> Query:
    query = select(mandates).order_by(mandates.c.created_at, mandates.c.id)
    return query if instance is None else query.where(mandates.c.instance == instance)


def events_of(ticket_id: str | None, limit: int | None) -> Query:
    """Newest first."""
    query = select(events).order_by(events.c.seq.desc()).limit(limit)
    return query if ticket_id is None else query.where(events.c.ticket == ticket_id)


def pin_events(since: datetime) -> Query:
    """PIN attempts since then, and every success (which may name one of them), oldest first."""
    return (
        select(events)
        .where(events.c.kind.in_(("pin_wrong", "pin_ok")), events.c.at >= instant_text(since))
        .order_by(events.c.seq)
    )
