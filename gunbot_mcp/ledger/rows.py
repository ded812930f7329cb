"""Tickets, mandates and events as rows of text, and back. The one place that knows how a value is stored."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, TypedDict, TypeVar

from sqlalchemy import Result, Select, select

from gunbot_mcp.domain import decimal_text
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger.tables import events, mandates, tickets
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.ticket import State, Ticket, canonical

Row = Mapping[str, Any]
_T = TypeVar("_T")

START = "0" * 64
"""The hash before the first event."""

OUTCOME_COLUMNS = ("decided_by", "owner", "sent_at", "closed_at", "mandate", "reason", "outcome", "observed")
"""What a transition may write; everything else in a ticket, but its state, is content."""
CONTENT_COLUMNS = tuple(
    field.name for field in fields(Ticket) if field.name != "state" and field.name not in OUTCOME_COLUMNS
)
GRANT_COLUMNS = tuple(field.name for field in fields(Mandate) if field.name not in {"spent", "revoked_at"})
"""What a human granted; only `spent` and `revoked_at` change."""

_INSTANTS = frozenset({"created_at", "expires_at", "revoked_at", "sent_at", "closed_at"})
_MONEY = frozenset({"notional", "max_order", "max_total", "spent"})
_JSON = frozenset({"quote", "checks", "warnings", "outcome", "observed", "pairs"})
_TUPLES = frozenset({"checks", "warnings", "pairs"})


class Changes(TypedDict, total=False):
    """The columns that a transition may write."""

    decided_by: str | None
    owner: str | None
    sent_at: datetime | None
    closed_at: datetime | None
    mandate: str | None
    reason: str | None
    outcome: Mapping[str, Any] | None
    observed: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of the chain. `detail_text` is the JSON as stored, which is what `hash` covers."""

    seq: int
    at: datetime
    instance: str | None
    ticket: str | None
    kind: str
    actor: str
    detail_text: str
    prev: str
    hash: str

    @property
    def detail(self) -> Mapping[str, Any]:
        return MappingProxyType(json.loads(self.detail_text))


def instant_text(instant: datetime) -> str:
    """Return ISO-8601 in UTC with six decimals, so that text order is time order.

    Raises:
        ValueError: the instant is naive.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant must be aware")
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def encode(column: str, value: object) -> Any:  # noqa: ANN401 - whatever the store keeps: text, int, float, NULL
    """Return the value as it is stored.

    Raises:
        ValueError: a naive instant, or money that is not finite.
    """
    if value is None:
        return None
    if column in _INSTANTS and isinstance(value, datetime):
        return instant_text(value)
    if column in _MONEY and isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{column} must be finite")
        return decimal_text(value)
    if column in _JSON:
        return canonical(value)
    if column == "live":
        return int(bool(value))
    return storable(value) if isinstance(value, str) else value


def storable(text: str) -> str:
    """Return the text as both stores can keep it: a NUL becomes a replacement mark, half a surrogate its escape."""
    return str(text).replace("\x00", "\ufffd").encode("utf-8", "backslashreplace").decode("utf-8")


def encode_all(columns: Iterable[str], source: object) -> dict[str, Any]:
    """Return the named attributes of a ticket or mandate as a row."""
    return {column: encode(column, getattr(source, column)) for column in columns}


def ticket_row(ticket: Ticket) -> dict[str, Any]:
    return encode_all((*CONTENT_COLUMNS, "state", *OUTCOME_COLUMNS), ticket)


def mandate_row(mandate: Mandate) -> dict[str, Any]:
    return encode_all((*GRANT_COLUMNS, "spent", "revoked_at"), mandate)


def rows_of(result: Result[Any]) -> list[Row]:
    names = list(result.keys())
    return [dict(zip(names, values, strict=True)) for values in result.all()]


def ticket_of(row: Row) -> Ticket:
    """Return a row's ticket.

    Raises:
        LedgerUnavailable: the row is damaged; it holds what no ticket could have written.
    """
    return _decoded(Ticket, row)


def mandate_of(row: Row) -> Mandate:
    """Return a row's mandate.

    Raises:
        LedgerUnavailable: the row is damaged.
    """
    return _decoded(Mandate, row)


def event_of(row: Row) -> Event:
    """Return a row's event.

    Raises:
        LedgerUnavailable: the row is damaged.
    """
    try:
        values = {name: row[name] for name in ("seq", "instance", "ticket", "kind", "actor", "prev", "hash")}
        event = Event(**values, at=datetime.fromisoformat(row["at"]), detail_text=row["detail"])
        _ = event.detail
    except (ValueError, TypeError) as exc:
        raise _damaged("event", row["seq"]) from exc
    return event


def money_of(text: str) -> Decimal:
    """Return stored money.

    Raises:
        LedgerUnavailable: it is damaged; sums and limits must not go on without it.
    """
    try:
        amount = Decimal(text)
    except (InvalidOperation, ValueError, TypeError):
        amount = None
    if amount is None or not amount.is_finite():
        raise LedgerUnavailable("an amount in the ledger is damaged", "run gunbot-mcp ledger --verify")
    return amount


def content_hash(columns: Iterable[str], row: Row) -> str:
    """Return SHA-256 over the named columns as they are stored."""
    return hashlib.sha256(canonical({column: row[column] for column in columns}).encode()).hexdigest()


def event_hash(row: Row) -> str:
    """Return SHA-256 over the canonical JSON of an event row without its own hash (`detail` as its stored text)."""
    columns = ("seq", "at", "instance", "ticket", "kind", "actor", "detail", "prev")
    return content_hash(columns, row)


def in_event(column: str, stored: object) -> object:
    """Return a stored value as an event's detail shows it: JSON as JSON, the rest as it is."""
    return json.loads(stored) if column in _JSON and isinstance(stored, str) else stored


def in_row(column: str, shown: object) -> object:
    """Return the stored value that an event's detail shows; the inverse of `in_event`."""
    return canonical(shown) if column in _JSON and shown is not None else shown


def _decoded(cls: Callable[..., _T], row: Row) -> _T:
    try:
        return cls(**{column: _decode(column, value) for column, value in row.items()})
    except (ValueError, TypeError) as exc:
        raise _damaged(getattr(cls, "__name__", "row").lower(), row["id"]) from exc


def _decode(column: str, value: Any) -> Any:  # noqa: ANN401 - see encode
    if value is None:
        return None
    if column in _INSTANTS:
        instant = datetime.fromisoformat(value)
        instant_text(instant)  # refuses a naive one
        return instant
    if column in _MONEY:
        return money_of(value)
    if column in _JSON:
        return tuple(json.loads(value)) if column in _TUPLES else json.loads(value)
    if column == "live":
        return bool(value)
    return State(value) if column == "state" else value


def _damaged(what: str, name: object) -> LedgerUnavailable:
    return LedgerUnavailable(f"the ledger's {what} {name} is damaged", "run gunbot-mcp ledger --verify")


# The reads that the ledger and its write transaction share, as statements

Query = Select[Any]


def ticket_query(ticket_id: str) -> Query:
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
