"""A ticket as people, models and pages see it: the same facts everywhere."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from gunbot_mcp.domain import decimal_text, grouped, plain_text
from gunbot_mcp.errors import clean
from gunbot_mcp.render import Answer, instant
from gunbot_mcp.tickets.content import seen_book
from gunbot_mcp.tickets.outcome import may_change, news_in_two, news_of, outcome_of
from gunbot_mcp.tickets.reasons import reason_text
from gunbot_mcp.tickets.seen import WHERE, seen_line
from gunbot_mcp.tickets.sentences import buttons_of, figure_of, headline_of
from gunbot_mcp.tickets.ticket import Observation, State, Ticket

STATUS: Mapping[State, str] = {
    State.PENDING: "awaiting_approval",
    State.APPROVED: "unknown",
    State.SENDING: "unknown",
    State.ACCEPTED: "accepted",
    State.REJECTED: "rejected",
    State.UNKNOWN: "unknown",
    State.DECLINED: "declined",
    State.EXPIRED: "expired",
    State.WITHDRAWN: "declined",
    State.VOID: "void",
}
"""The `status` of an order tool's answer for each state. Approved or being sent, it has no trustworthy answer yet."""


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
        "worst_case": worst_case_text(ticket),
        "warnings": list(ticket.warnings),
        "created_at": instant(ticket.created_at),
        "proposed_by": ticket.client,
        "decided_by": None if ticket.decided_by is None else str(ticket.decided_by),
        "order_id": None if ticket.observed is None or not ticket.observed.sure else _first(ticket.observed),
        "order": None if ticket.observed is None else seen_line(ticket.observed),
        "reason": reason_text(ticket),
    }


def worst_case_text(ticket: Ticket) -> str | None:
    """Return what limits count, with every digit: `50.0500 USDT`; None for a cancel. Sentences round it."""
    return None if ticket.notional is None else f"{decimal_text(ticket.notional)} {clean(ticket.asset, 20)}"


def observed_view(seen: Observation) -> dict[str, Any]:
    """Return what was seen of the order, as answers carry it; `legs` only where it has several ids.

    What is only a candidate has no `order_id`: its ids stand in `candidates`.
    """
    several = seen.sure and len(seen.order_ids) > 1
    facts = {
        "order_id": _first(seen) if seen.sure else None,
        "candidates": None if seen.sure else list(seen.order_ids),
        "certainty": seen.certainty.value,
        "state": seen.state,
        "where": WHERE[seen.where],
        "price": None if seen.price is None else plain_text(seen.price),
        "order_type": seen.order_type,
        "filled": True if seen.sure and seen.state == "filled" else None,
        "filled_amount": None if seen.filled is None else plain_text(seen.filled),
        "average_price": None if seen.average is None else plain_text(seen.average),
        "filled_at": None if seen.filled_at is None else instant(seen.filled_at),
        "not_open_since": None if seen.since is None else instant(seen.since),
        "legs": list(seen.order_ids) if several else None,
        "as_of": None if seen.seen_at is None else instant(seen.seen_at),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _first(seen: Observation) -> str | None:
    return seen.order_ids[0] if seen.order_ids else None


def shown_quote(ticket: Ticket) -> dict[str, str] | None:
    """Return the `bid` and `ask` that the order was proposed with, as people read them; None without a book."""
    book = seen_book(ticket)
    if book is None:
        return None
    return {side: "none" if price is None else grouped(price) for side, price in (("bid", book.bid), ("ask", book.ask))}


TICKET_META = "gunbot-mcp/ticket"
"""The key of `card_view` in a result's `_meta`."""


def card_view(ticket: Ticket) -> dict[str, Any]:
    """Return what a ticket's card shows: the ticket, and every text about it that this server writes.

    `outcome` is None while the ticket waits for a decision; its `command` is what a human may type next.
    """
    headline, figure = headline_of(ticket), figure_of(ticket)
    outcome = None if ticket.state is State.PENDING else outcome_of(ticket)
    return {
        "ticket": ticket_view(ticket),
        "headline": {"what": headline.what, "worth": headline.worth},
        "words": asdict(buttons_of(ticket)),
        "told": None if outcome is None else news_of(ticket),
        "follows": may_change(ticket),
        "figure": {"word": figure.word, "amount": figure.amount, "note": figure.note},
        "outcome": None
        if outcome is None
        else {
            "tone": outcome.tone,
            "title": clean(outcome.title, 400),
            "lines": [clean(line, 600) for line in outcome.lines if line],
            "lead": outcome.lead,
            "command": outcome.command,
        },
    }


def human_text(ticket: Ticket) -> str:
    """Return what a terminal says of a ticket: its order, and what became of it."""
    about = f"Ticket {ticket.id}, {kind_of(ticket)} instance {ticket.instance}, state {ticket.state.value}"
    if ticket.state is State.PENDING:
        return f"{ticket.summary}\nIt waits for a decision until {instant(ticket.expires_at)}.\n{about}"
    said = outcome_of(ticket)
    return "\n".join(line for line in (said.title, *said.lines, ticket.summary, about, said.lead, said.command) if line)


def kind_of(ticket: Ticket) -> str:
    return "LIVE" if ticket.live else "PAPER"


def seconds_left(ticket: Ticket, now: datetime) -> int:
    return max(0, int((ticket.expires_at - now).total_seconds()))


_OBJECT_OR_NULL: Mapping[str, Any] = {"anyOf": [{"type": "object"}, {"type": "null"}]}

TICKET_OUTPUT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": sorted(set(STATUS.values()))},
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
    """Return a ticket in both forms. `approve` says how a human decides; `note` is one more sentence for the text.

    The line that begins with the status, the labels before others and the last line are what a ticket card reads in
    clients that pass on nothing but the text.
    """
    said, failed = (ticket.answer or {}).get("message"), (ticket.answer or {}).get("error")
    status = STATUS[ticket.state]
    structured: dict[str, Any] = {
        "status": status,
        "ticket": ticket_view(ticket),
        "gateway": None if said is None else {"message": said},
        "observed": None if ticket.observed is None else observed_view(ticket.observed),
    }
    if approve is not None and status == "awaiting_approval":
        structured["approve"] = dict(approve)
    if failed is not None and status != "accepted":
        structured["error"] = failed
    happened = news_in_two(ticket)
    structured["note"] = f"{happened} {note}" if note else str(happened)
    lines = [f"{status}: {ticket.summary}", happened.happened, f"Next: {happened.next}" if happened.next else ""]
    if "approve" in structured:
        # What to do comes first: some clients show their models little more than a first line.
        page, left = structured["approve"]["page"], structured["approve"]["seconds_left"]
        what = f"Show the human this link now; {left} s left: {page}" if page else f"A human decides; {left} s left."
        lines.insert(0, f"Nothing has been sent. {what}")
    lines += [f"Warning: {warning}" for warning in ticket.warnings]
    if "approve" in structured:
        lines.append(f"To approve: {structured['approve']['how']}")
    if note:
        lines.append(note)
    card = card_view(ticket)
    if card["outcome"] is not None:
        lines.append(f"Outcome: {card['outcome']['title']}")
    lines.append(f"Ticket {ticket.id}, {kind_of(ticket)} instance {ticket.instance}, state {ticket.state.value}")
    return Answer(structured=structured, text="\n".join(line for line in lines if line), meta={TICKET_META: card})
