"""What version 0.1 wrote, read as today's facts: its columns, and its own free texts. The one place that knows them.

Texts are read only by their exact structure: one that is not recognised stays a text, and nothing is added to it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, cast

from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.content import canonical, money_of
from gunbot_mcp.tickets.stored import actor_facts, observation_facts, reason_facts
from gunbot_mcp.tickets.ticket import Certainty, Observation, Reason, ReasonCode, Where

CONTENT_COLUMNS = (
    "id",
    "instance",
    "live",
    "tool",
    "arguments",
    "exchange",
    "pair",
    "side",
    "summary",
    "notional",
    "asset",
    "quote",
    "checks",
    "warnings",
    "client",
    "fingerprint",
    "repeat_of",
    "created_at",
    "expires_at",
    "boot",
    "deadline",
    "nonce_hash",
)
"""A ticket's content: the hash in its `created` event covers these columns as they were stored."""
OUTCOME_COLUMNS = ("decided_by", "owner", "sent_at", "closed_at", "mandate", "reason", "outcome", "observed")
GRANT_COLUMNS = (
    "id",
    "instance",
    "exchange",
    "pairs",
    "asset",
    "max_order",
    "max_total",
    "created_at",
    "expires_at",
    "created_by",
)
"""What a human granted: the hash in `mandate_created` covers these columns."""

TABLES: Mapping[str, frozenset[str]] = {
    "chain": frozenset({"id", "product", "version", "seq", "hash"}),
    "events": frozenset({"seq", "at", "instance", "ticket", "kind", "actor", "detail", "prev", "hash"}),
    "mandates": frozenset({*GRANT_COLUMNS, "spent", "revoked_at"}),
    "tickets": frozenset({*CONTENT_COLUMNS, "state", *OUTCOME_COLUMNS}),
}

_ACTORS: Mapping[str, Actor] = {
    "terminal": Actor("terminal"),
    "approval page": Actor("page"),
    "mode auto (paper)": Actor("auto"),
    "smart cancel rule (a visible entry order)": Actor("smart_cancel"),
    "sender": Actor("sender"),
    "recovery": Actor("recovery"),
    "reconciliation": Actor("following"),
    "clock": Actor("clock"),
}
_NAMED = {"form in ": "form", "ticket card in ": "card", "mandate ": "mandate"}
_BY_THE_CLIENT = frozenset({"created", "withdrawn"})
"""Kinds of events whose actor is the name that a client chose itself, whatever it looks like."""

_SEEN: Mapping[str, tuple[Where, Certainty, Literal["open", "gone"] | None]] = {
    "open orders": ("open_orders", Certainty.MATCH, "open"),
    "order history": ("history", Certainty.MATCH, None),
    "no longer among the open orders": ("not_open", Certainty.MATCH, "gone"),
    "a human's word": ("human", Certainty.HUMAN, None),
}


def content_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ticket's content in form 1: the columns exactly as they were stored."""
    return {"v": 1, **{column: row[column] for column in CONTENT_COLUMNS}}


def grant_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a mandate grants, in form 1."""
    return {"v": 1, **{column: row[column] for column in GRANT_COLUMNS}}


def recorded_hash(content: Mapping[str, Any]) -> str:
    """Return the hash that version 1 recorded of a content when it was made."""
    columns = {name: value for name, value in content.items() if name != "v"}
    return hashlib.sha256(canonical(columns).encode()).hexdigest()


def actor_of(text: str, kind: str) -> Actor:
    """Return who took a step of that kind."""
    if kind in _BY_THE_CLIENT:
        return Actor("client", text)
    for start, channel in _NAMED.items():
        if text.startswith(start):
            return Actor(channel, text.removeprefix(start))
    return _ACTORS.get(text) or Actor("recorded", text)


def facts_of(columns: Mapping[str, Any], state: str) -> dict[str, Any]:
    """Return what version 1 wrote of a ticket that went into `state`, as today's `set` would show it.

    `columns` are some of `OUTCOME_COLUMNS`, JSON as JSON.
    """
    facts: dict[str, Any] = {}
    for name, value in columns.items():
        if name == "outcome":
            facts |= _split(value)
        else:
            facts[name] = None if value is None else _read(name, value, state)
    return facts


def _read(name: str, value: object, state: str) -> Any:  # noqa: ANN401 - any JSON value
    match name:
        case "decided_by":
            return actor_facts(actor_of(str(value), state))
        case "reason":
            return reason_facts(Reason(ReasonCode.RECORDED, {"text": value}))
        case "observed":
            return _observed(value)
        case _:
            return value


def _split(outcome: object) -> dict[str, Any]:
    """Return Gunbot's answer and what was there before sending; version 1 kept them in one."""
    if not isinstance(outcome, dict):
        return {"answer": None, "baseline": None}
    answer = dict(cast("dict[str, Any]", outcome))
    baseline = answer.pop("baseline", None)
    return {"answer": answer or None, "baseline": baseline if isinstance(baseline, dict) else None}


def _observed(found: object) -> dict[str, Any] | None:
    try:
        return observation_facts(_observation(found))
    except (KeyError, TypeError, ValueError):
        # No release wrote such a value; the event still shows it.
        return None


def _observation(found: Any) -> Observation:  # noqa: ANN401 - any JSON value
    where, certainty, state = _SEEN[found["where"]]
    return Observation(
        order_ids=tuple(str(name) for name in found.get("legs") or (found["order_id"],)),
        where=where,
        state="filled" if found.get("filled") is True else state,
        certainty=certainty,
        seen_at=None,
        price=money_of(found.get("price")),
        order_type=found.get("order_type"),
    )
