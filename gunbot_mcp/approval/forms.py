"""Asking in the client's own form (elicitation), and reading what comes back. An unclear answer is not an approval.

The form has a decision without a default and, above a configured amount, a short code to type. Some clients answer
forms that they never showed: a decline or cancel in under a second counts as not shown.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gunbot_mcp.config import Limits
from gunbot_mcp.guard.market import seen_distances
from gunbot_mcp.tickets.sentences import buttons_of
from gunbot_mcp.tickets.ticket import Ticket
from gunbot_mcp.tickets.view import kind_of, shown_quote

NOT_SHOWN_SECONDS = 1.0


class Reply(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    NOT_SHOWN = "not_shown"
    WRONG_CODE = "wrong_code"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the client shows: `message`, and `schema` for the fields. `code` is None where none must be typed."""

    message: str = field(repr=False)
    schema: dict[str, Any]
    code: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Instead of an answer: the call waits for the client to show `form` and to call again with `state`."""

    form: Form
    state: str = field(repr=False)


def needs_code(ticket: Ticket, limits: Limits) -> bool:
    """Return whether this worst case is above the amount for which a decision alone is enough."""
    if ticket.notional is None or ticket.asset is None:
        return False
    threshold = limits.code_above.get(ticket.asset)
    return threshold is None or ticket.notional > threshold


def form_for(ticket: Ticket, nonce: str, limits: Limits, have: str | None = None) -> Form:
    """Return the form of a ticket; the same ticket and nonce give the same code.

    `have` says what one has of what the order spends, where that is known.
    """
    code = f"{int(hashlib.sha256(f'code:{nonce}'.encode()).hexdigest(), 16) % 10_000:04d}"
    required = needs_code(ticket, limits)
    lines = [f"{kind_of(ticket)} instance {ticket.instance}", ticket.summary]
    if (quote := shown_quote(ticket)) is not None:
        lines.append(f"The book now: bid {quote['bid']}, ask {quote['ask']}")
    lines += [f"{what}: {where}" for what, where in seen_distances(ticket)]
    lines += [] if have is None else [have]
    lines += [f"Warning: {warning}" for warning in ticket.warnings]
    seconds = round((ticket.expires_at - ticket.created_at).total_seconds())
    lines.append(
        f'Proposed by "{ticket.client}". Ticket {ticket.id} waits {seconds} s, until {ticket.expires_at:%H:%M:%S} UTC.'
    )
    properties: dict[str, Any] = {
        "decision": {"type": "string", "title": _decision_title(ticket), "enum": ["approve", "reject"]},
    }
    if required:
        lines.append(f"To approve, also type this code: {code}")
        properties["code"] = {"type": "string", "title": "Code from the message (only to approve)", "maxLength": 4}
    schema = {"type": "object", "properties": properties, "required": ["decision"]}
    return Form(message="\n".join(map(_sentence, lines)), schema=schema, code=code if required else None)


def _decision_title(ticket: Ticket) -> str:
    words = buttons_of(ticket)
    return f"approve: {words.approve}; reject: {words.reject}" if ticket.cancels else "Decision"


def _sentence(line: str) -> str:
    """Return a line that can be read also where the client drops the ends of lines."""
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."


def read_reply(form: Form, action: str, content: Mapping[str, Any] | None, seconds: float | None) -> Reply:
    """Return what a human decided. `seconds` is how long the client took, or None where that is not known."""
    if action == "accept":
        return _read_content(form, content or {})
    if seconds is not None and seconds < NOT_SHOWN_SECONDS:
        return Reply.NOT_SHOWN
    # Closing the form is not a decision; declining it is.
    return Reply.REJECT if action == "decline" else Reply.NOT_SHOWN


def _read_content(form: Form, content: Mapping[str, Any]) -> Reply:
    if not set(content) <= set(form.schema["properties"]):
        return Reply.UNCLEAR
    decision = content.get("decision")
    if decision == "reject":
        return Reply.REJECT
    if decision != "approve":
        return Reply.UNCLEAR
    if form.code is not None and content.get("code") != form.code:
        return Reply.WRONG_CODE
    return Reply.APPROVE
