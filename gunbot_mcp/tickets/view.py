"""A ticket as people, models and pages see it: the same facts everywhere."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gunbot_mcp.domain import money
from gunbot_mcp.errors import clean
from gunbot_mcp.render import Answer, instant
from gunbot_mcp.tickets.ticket import State, Ticket

STATUS: Mapping[State, str] = {
    State.PENDING: "awaiting_approval",
    State.APPROVED: "awaiting_approval",
    State.SENDING: "unknown",
    State.ACCEPTED: "accepted",
    State.REJECTED: "rejected",
    State.UNKNOWN: "unknown",
    State.DECLINED: "declined",
    State.EXPIRED: "expired",
    State.WITHDRAWN: "declined",
    State.VOID: "void",
}
"""The `status` of an order tool's answer for each state. A ticket that is being sent has no trustworthy answer yet."""


def ticket_view(ticket: Ticket) -> dict[str, Any]:
    """Return the ticket's public facts; amounts are texts with exact digits, instants end in Z, no nonce, no secret."""
    return {
        "id": ticket.id,
        "summary": ticket.summary,
        "state": ticket.state.value,
        "expires_at": instant(ticket.expires_at),
        "instance": ticket.instance,
        "kind": kind_of(ticket),
        "tool": ticket.tool,
        "exchange": ticket.exchange,
        "pair": ticket.pair,
        "worst_case": None if ticket.notional is None else f"{money(ticket.notional)} {ticket.asset}",
        "warnings": list(ticket.warnings),
        "created_at": instant(ticket.created_at),
        "proposed_by": ticket.client,
        "decided_by": ticket.decided_by,
        "order_id": (ticket.observed or {}).get("order_id"),
        "reason": ticket.reason,
    }


def kind_of(ticket: Ticket) -> str:
    return "LIVE" if ticket.live else "PAPER"


def seconds_left(ticket: Ticket, now: datetime) -> int:
    return max(0, int((ticket.expires_at - now).total_seconds()))


_OBJECT_OR_NULL: Mapping[str, Any] = {"type": ["object", "null"]}

TICKET_OUTPUT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"enum": sorted(set(STATUS.values()))},
        "ticket": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in ("id", "summary", "state", "expires_at")},
            "required": ["id", "summary", "state", "expires_at"],
        },
        "gateway": _OBJECT_OR_NULL,
        "observed": _OBJECT_OR_NULL,
        "approve": {"type": "object"},
        "error": {"type": "object"},
        "note": {"type": "string"},
    },
    "required": ["status", "ticket", "gateway", "observed"],
}
"""The output schema of every tool that answers with a ticket."""


def ticket_answer(ticket: Ticket, *, approve: Mapping[str, Any] | None = None, note: str | None = None) -> Answer:
    """Return a ticket in both forms. `approve` says how a human decides; `note` is one more sentence for the text."""
    outcome = ticket.outcome or {}
    status = STATUS[ticket.state]
    said = outcome.get("message")
    structured: dict[str, Any] = {
        "status": status,
        "ticket": ticket_view(ticket),
        "gateway": None if said is None else {"message": said},
        "observed": None if ticket.observed is None else dict(ticket.observed),
    }
    if approve is not None and status == "awaiting_approval":
        structured["approve"] = dict(approve)
    if "error" in outcome and status != "accepted":
        structured["error"] = outcome["error"]
    happened = _what_happened(ticket, said)
    structured["note"] = f"{happened} {note}" if note else happened
    lines = [f"{status}: {ticket.summary}", happened]
    lines += [f"Warning: {warning}" for warning in ticket.warnings]
    if "approve" in structured:
        lines.append(f"To approve: {structured['approve']['how']}")
    if note:
        lines.append(note)
    lines.append(f"Ticket {ticket.id}, {kind_of(ticket)} instance {ticket.instance}, state {ticket.state.value}")
    return Answer(structured=structured, text="\n".join(line for line in lines if line))


def _what_happened(ticket: Ticket, said: object) -> str:
    if ticket.state in {State.PENDING, State.APPROVED}:
        return f"A human can decide until {instant(ticket.expires_at)}. Look with get_ticket; do not propose it again."
    if ticket.state is State.ACCEPTED:
        meaning = "the cancel is handed over" if ticket.side == "cancel" else "handed over, which is not a fill"
        word = f"Gunbot said {said!r}: {meaning}." if said else f"{_sentence(ticket.reason)}"
        return f"{word} {_seen(ticket)}".rstrip()
    if ticket.state in {State.UNKNOWN, State.SENDING}:
        return (
            f"{_sentence(ticket.reason or 'it is being sent')} Never send it again: get_ticket looks for it, "
            f"list_open_orders and list_orders_page show what exists, a human can run gunbot-mcp resolve {ticket.id}."
        )
    again = {State.EXPIRED: " Ask whether to propose it again.", State.VOID: " Ask before you propose it again."}
    return f"{_sentence(ticket.reason or ticket.state.value)}{again.get(ticket.state, '')}"


def _sentence(reason: str | None) -> str:
    text = (reason or "").rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _seen(ticket: Ticket) -> str:
    if ticket.observed is None:
        if ticket.side == "cancel":
            return "It is not known yet whether the order is gone."
        return "It was not seen among the open orders or fills yet."
    found = ticket.observed
    # Ids and prices are Gunbot's words, not ours.
    if ticket.side == "cancel":
        return f"Order {clean(found.get('order_id'), 64)} is {clean(found.get('where'), 80)}."
    price = f" at {clean(found['price'], 40)}" if found.get("price") else ""
    return f"Order id {clean(found.get('order_id'), 64)}{price}, seen in the {clean(found.get('where'), 80)}."
