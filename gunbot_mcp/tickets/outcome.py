"""What became of a ticket, in words for the human who decides, or decided."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gunbot_mcp.errors import clean
from gunbot_mcp.tickets.ticket import State, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`tone` (good, calm, bad, unsure) picks the colour; `command` is what a human may type next."""

    tone: str
    title: str
    lines: tuple[str, ...]
    command: str | None = None


def outcome_of(ticket: Ticket) -> Outcome:
    """Return the words for a ticket that is not pending any more."""
    return (_CANCEL_WORDS if ticket.side == "cancel" else _ORDER_WORDS)[ticket.state](ticket)


# An order


def _under_way(ticket: Ticket) -> Outcome:
    lines = (_NO_ANSWER, "Do not place the order a second time.")
    return Outcome(tone="unsure", title=_on_its_way(ticket), lines=lines)


def _accepted(ticket: Ticket) -> Outcome:
    lines = (_said(ticket), "Accepted is not filled: the order was handed over.", _seen(ticket.observed))
    return Outcome(tone="good", title="Accepted by Gunbot", lines=lines)


def _seen(observed: Mapping[str, Any] | None) -> str:
    if observed is None:
        return "It was not seen among the open orders or fills yet; reload to look again."
    price = f" at {clean(observed['price'], 40)}" if observed.get("price") else ""
    order, where = clean(observed.get("order_id"), 80), clean(observed.get("where"), 80)
    if where == _BY_WORD:
        return f"Order {order}{price}, by a human's word."
    return f"Order {order}{price}, seen in the {where}."


def _rejected(ticket: Ticket) -> Outcome:
    return Outcome(tone="bad", title="Rejected by Gunbot", lines=(_sentence(ticket.reason), "There is no such order."))


def _unknown(ticket: Ticket) -> Outcome:
    return Outcome(
        tone="unsure",
        title="Unknown: the order may exist",
        lines=(
            _sentence(ticket.reason),
            "Do not place it again: look in Gunbot or at the exchange; reloading this page looks, too.",
            "Until it is settled, this pair and side are locked.",
            "When you know whether the order exists, say so in a terminal:",
        ),
        command=f"gunbot-mcp resolve {ticket.id}",
    )


def _void(ticket: Ticket) -> Outcome:
    lines = (_sentence(ticket.reason), "There is no such order.")
    return Outcome(tone="bad", title="Void: this order did not happen", lines=lines)


# A cancel. The order that it is about was there before it, so "no such order" would be wrong, and dangerous.


def _cancel_under_way(ticket: Ticket) -> Outcome:
    lines = (_NO_ANSWER, _capital(f"{_target(ticket)} may still be open."))
    return Outcome(tone="unsure", title=_on_its_way(ticket), lines=lines)


def _cancel_accepted(ticket: Ticket) -> Outcome:
    order, where = _target(ticket), (ticket.observed or {}).get("where")
    if where == _NOT_OPEN:
        return Outcome(tone="good", title=f"Cancelled: {order} is {_NOT_OPEN}", lines=(_said(ticket),))
    if where == _BY_WORD:
        return Outcome(tone="good", title=f"Cancelled: {order} is gone, by a human's word", lines=(_said(ticket),))
    still = f"Handed over is not cancelled: {order} was not seen to be gone yet; reload to look again."
    return Outcome(tone="good", title="Cancel handed over", lines=(_said(ticket), still))


def _not_cancelled(ticket: Ticket) -> Outcome:
    lines = (_sentence(ticket.reason), "Look among the open orders before you rely on it either way.")
    return Outcome(tone="bad", title=f"Not cancelled: {_target(ticket)} may still be open", lines=lines)


def _cancel_unknown(ticket: Ticket) -> Outcome:
    order = _target(ticket)
    return Outcome(
        tone="unsure",
        title=f"Unknown: {order} may still be open",
        lines=(
            # Of an order the reason says that it may exist; the order of a cancel did exist.
            _sentence((ticket.reason or "").removesuffix("; the order may exist") or None),
            "Look in Gunbot or at the exchange whether it is gone; reloading this page looks, too.",
            "When you know it, say so in a terminal:",
        ),
        command=f"gunbot-mcp resolve {ticket.id}",
    )


def _target(ticket: Ticket) -> str:
    """Return `order 461773`, for the order that the cancel is about."""
    try:
        found = json.loads(ticket.arguments).get("order_id")
    except (ValueError, AttributeError):
        found = None
    return "the order" if found is None else f"order {clean(found, 80)}"


# Either


def _declined(ticket: Ticket) -> Outcome:
    return Outcome(tone="calm", title="Declined", lines=(_by("Declined", ticket), "Nothing was sent."))


def _expired(_: Ticket) -> Outcome:
    return Outcome(tone="calm", title="Expired", lines=("Nobody decided in time. Nothing was sent.",))


def _withdrawn(ticket: Ticket) -> Outcome:
    return Outcome(tone="calm", title="Withdrawn", lines=(_by("Withdrawn", ticket), "Nothing was sent."))


def _by(did: str, ticket: Ticket) -> str:
    """Say on which channel it was decided: nobody knows who sat there, and it need not be the reader."""
    who = clean(ticket.decided_by or "a human", 120)
    if who.startswith("form in "):
        return f"{did} in the {who}."
    if who.startswith("ticket card in "):
        return f"{did} on the {who}."
    return f"{did} {_CHANNELS.get(who, f'by {who}')}."


def _on_its_way(ticket: Ticket) -> str:
    return "Approved, about to be sent" if ticket.state is State.APPROVED else "On its way to Gunbot"


def _said(ticket: Ticket) -> str:
    said = (ticket.outcome or {}).get("message")
    return f"Gunbot said: “{clean(said)}”." if said else _sentence(ticket.reason)


def _sentence(reason: str | None) -> str:
    shown = _capital(clean(reason or "no reason was recorded", 400))
    return shown + ("" if shown.endswith((".", "…")) else ".")


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


_NO_ANSWER = "There is no answer yet that can be trusted."
_NOT_OPEN = "no longer among the open orders"
_BY_WORD = "a human's word"
_CHANNELS: Mapping[str, str] = {"terminal": "in a terminal", "approval page": "on the approval page"}

_ORDER_WORDS: Mapping[State, Callable[[Ticket], Outcome]] = {
    State.APPROVED: _under_way,
    State.SENDING: _under_way,
    State.ACCEPTED: _accepted,
    State.REJECTED: _rejected,
    State.UNKNOWN: _unknown,
    State.DECLINED: _declined,
    State.EXPIRED: _expired,
    State.WITHDRAWN: _withdrawn,
    State.VOID: _void,
}
_CANCEL_WORDS: Mapping[State, Callable[[Ticket], Outcome]] = {
    **_ORDER_WORDS,
    State.APPROVED: _cancel_under_way,
    State.SENDING: _cancel_under_way,
    State.ACCEPTED: _cancel_accepted,
    State.REJECTED: _not_cancelled,
    State.UNKNOWN: _cancel_unknown,
    State.VOID: _not_cancelled,
}
