"""Tickets, mandates and events as rows, and back. Pure; only this knows the columns."""

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypedDict

from sqlalchemy import Result

from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger import version_1
from gunbot_mcp.tickets import content, mandate
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.content import canonical, instant_of, instant_text, money_text, storable
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.stored import (
    actor_facts,
    actor_of,
    observation_facts,
    observation_of,
    reason_facts,
    reason_of,
)
from gunbot_mcp.tickets.ticket import Observation, Reason, State, Ticket

Row = Mapping[str, Any]

START = "0" * 64
"""The hash before the first event."""


class Changes(TypedDict, total=False):
    """What a transition may write."""

    decided_by: Actor | None
    owner: str | None
    sent_at: datetime | None
    closed_at: datetime | None
    mandate: str | None
    reason: Reason | None
    answer: Mapping[str, Any] | None
    baseline: Mapping[str, Any] | None
    observed: Observation | None


OUTCOME_COLUMNS = tuple(Changes.__annotations__)
"""What a transition may write; everything else in a ticket, but its state, is content."""

_JSON = frozenset({"decided_by", "reason", "answer", "baseline", "observed"})
_FACTS: Mapping[str, Callable[[Any], Any]] = {
    "decided_by": actor_facts,
    "sent_at": instant_text,
    "closed_at": instant_text,
    "reason": reason_facts,
    "answer": dict,
    "baseline": dict,
    "observed": observation_facts,
}
"""How a change becomes JSON; what is not named is text."""
_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "decided_by": actor_of,
    "sent_at": instant_of,
    "closed_at": instant_of,
    "reason": reason_of,
    "observed": observation_of,
}
"""And back; what is not named stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of the chain. `detail_text` is the JSON as stored, which is what `hash` covers."""

    seq: int
    at: datetime
    instance: str | None
    ticket: str | None
    kind: str
    actor: Actor
    detail_text: str
    prev: str
    hash: str

    @property
    def detail(self) -> Mapping[str, Any]:
        return MappingProxyType(json.loads(self.detail_text))


# What becomes of a ticket


def facts_of(changes: Changes) -> dict[str, Any]:
    """Return the changes as an event's `set` shows them.

    Raises:
        ValueError: a naive instant.
    """
    return {name: None if value is None else _FACTS.get(name, storable)(value) for name, value in changes.items()}


def columns_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that an event's `set` writes."""
    return {name: canonical(value) if name in _JSON and value is not None else value for name, value in facts.items()}


# Tickets and mandates


def ticket_row(ticket: Ticket) -> dict[str, Any]:
    """Return the row of a sealed, new ticket."""
    return {"id": ticket.id, "state": ticket.state.value, "content": ticket.content, **_projected(ticket)}


def project(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that are read out of a ticket's content. Pure.

    Raises:
        ValueError, KeyError, TypeError: the content is damaged.
    """
    if found["v"] == 1:
        # Taken unchanged: in version 1, these columns were part of the content.
        return {name: found[name] for name in _PROJECTED}
    return _projected(content.ticket_of(canonical(found)))


def _projected(ticket: Ticket) -> dict[str, Any]:
    return {
        "instance": ticket.instance,
        "tool": ticket.tool,
        "exchange": ticket.exchange,
        "pair": ticket.pair,
        "side": ticket.side,
        "notional": money_text(ticket.notional),
        "asset": ticket.asset,
        "fingerprint": ticket.fingerprint,
        "created_at": instant_text(ticket.created_at),
        "expires_at": instant_text(ticket.expires_at),
    }


_PROJECTED = (
    "instance",
    "tool",
    "exchange",
    "pair",
    "side",
    "notional",
    "asset",
    "fingerprint",
    "created_at",
    "expires_at",
)


def ticket_of(row: Row) -> Ticket:
    """Return a row's ticket.

    Raises:
        LedgerUnavailable: the row is damaged: it holds what no ticket could have written.
    """
    try:
        made = _made(row["content"])
        _must_agree(row, {"id": made.id, **_projected(made)})
        return replace(made, state=State(row["state"]), **{name: _value(name, row[name]) for name in OUTCOME_COLUMNS})
    except (ValueError, KeyError, TypeError) as exc:
        raise _damaged("ticket", row["id"]) from exc


@functools.lru_cache(maxsize=256)
def _made(text: str) -> Ticket:
    """Return the pending ticket of a content, decoded once: the same text always means the same ticket."""
    return content.ticket_of(text)


def _must_agree(row: Row, columns: Mapping[str, Any]) -> None:
    if any(row[name] != value for name, value in columns.items()):
        raise ValueError("its columns are not what its content says")


def _value(name: str, stored: str | None) -> Any:  # noqa: ANN401 - any member of Changes
    if stored is None:
        return None
    found = json.loads(stored) if name in _JSON else stored
    return _VALUES[name](found) if name in _VALUES else found


def sightings_of(row: Row) -> list[dict[str, Any]]:
    """Return a row of `sightings` for each order that was found to belong to the row's ticket."""
    observed = None if row.get("observed") is None else json.loads(row["observed"])
    # What is only a candidate belongs to nobody yet.
    names = () if observed is None or observed.get("certainty") == "candidate" else observed["order_ids"]
    place = {"instance": row["instance"], "exchange": row["exchange"], "pair": row["pair"], "ticket": row["id"]}
    return [{**place, "order_id": name} for name in dict.fromkeys(map(storable, names))]


def mandate_row(given: Mandate) -> dict[str, Any]:
    """Return the row of a sealed mandate."""
    return {
        "id": given.id,
        "content": given.content,
        **project_mandate(json.loads(given.content)),
        **mandate_facts(given),
    }


def mandate_facts(given: Mandate) -> dict[str, Any]:
    """Return what changes in a mandate, as its events and its row show it."""
    revoked_at = given.revoked_at
    return {"spent": money_text(given.spent), "revoked_at": None if revoked_at is None else instant_text(revoked_at)}


def project_mandate(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that are read out of a mandate's content. Pure."""
    return {name: found[name] for name in ("instance", "created_at", "expires_at")}


def mandate_of(row: Row) -> Mandate:
    """Return a row's mandate.

    Raises:
        LedgerUnavailable: the row is damaged.
    """
    try:
        granted = mandate.mandate_of(row["content"])
        _must_agree(row, {"id": granted.id, "instance": granted.instance})
        revoked_at = row["revoked_at"]
        return replace(
            granted, spent=money_of(row["spent"]), revoked_at=None if revoked_at is None else instant_of(revoked_at)
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise _damaged("mandate", row["id"]) from exc


def money_of(stored: str) -> Decimal:
    """Return stored money.

    Raises:
        LedgerUnavailable: it is damaged; sums and limits must not go on without it.
    """
    try:
        amount = content.money_of(stored)
    except (ValueError, TypeError):
        amount = None
    if amount is None:
        raise LedgerUnavailable("an amount in the ledger is damaged", "run gunbot-mcp ledger --verify")
    return amount


# Events


def event_of(row: Row, first: int) -> Event:
    """Return a row's event. `first` is the number of the first event that this version's tables kept.

    Raises:
        LedgerUnavailable: the row is damaged.
    """
    try:
        # Not decided by the actor's text: a client of version 0.1 could have called itself anything.
        old = row["seq"] < first
        actor = version_1.actor_of(row["actor"], row["kind"]) if old else actor_of(json.loads(row["actor"]))
        values = {name: row[name] for name in ("seq", "instance", "ticket", "kind", "prev", "hash")}
        event = Event(**values, actor=actor, at=instant_of(row["at"]), detail_text=row["detail"])
        _ = event.detail
    except (ValueError, TypeError) as exc:
        raise _damaged("event", row["seq"]) from exc
    return event


def event_row(
    after: tuple[int, str],
    at: datetime,
    kind: str,
    actor: Actor,
    detail: str,
    *,
    ticket: str | None,
    instance: str | None,
) -> dict[str, Any]:
    """Return the row that follows the event of that number and hash. `detail` is canonical JSON."""
    row: dict[str, Any] = {
        "seq": after[0] + 1,
        "at": instant_text(at),
        "instance": None if instance is None else storable(instance),
        "ticket": None if ticket is None else storable(ticket),
        "kind": storable(kind),
        "actor": canonical(actor_facts(actor)),
        "detail": detail,
        "prev": after[1],
    }
    row["hash"] = event_hash(row)
    return row


def content_hash(columns: Iterable[str], row: Row) -> str:
    """Return SHA-256 over the named columns as they are stored."""
    return hashlib.sha256(canonical({column: row[column] for column in columns}).encode()).hexdigest()


_HASHED = ("seq", "at", "instance", "ticket", "kind", "actor", "detail", "prev")


def event_hash(row: Row) -> str:
    """Return SHA-256 over the canonical JSON of an event row without its own hash (`detail` as its stored text)."""
    return content_hash(_HASHED, row)


def rows_of(result: Result[Any]) -> list[Row]:
    names = list(result.keys())
    return [dict(zip(names, values, strict=True)) for values in result.all()]


def _damaged(what: str, name: object) -> LedgerUnavailable:
    return LedgerUnavailable(f"the ledger's {what} {name} is damaged", "run gunbot-mcp ledger --verify")
