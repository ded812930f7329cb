"""What became of a ticket, in words for the human who decides, or decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gunbot_mcp.errors import clean
from gunbot_mcp.guard.tickets import State, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`tone` (good, calm, bad, unsure) picks the colour; `command` is what a human may type next."""

    tone: str
    title: str
    lines: tuple[str, ...]
    command: str | None = None


def outcome_of(ticket: Ticket) -> Outcome:
    """Return the words for a ticket that is not pending any more."""
    return _WORDS[ticket.state](ticket)


def _under_way(ticket: Ticket) -> Outcome:
    lines = ("There is no answer yet that can be trusted.", "Do not place the order a second time.")
    title = "Approved, about to be sent" if ticket.state is State.APPROVED else "On its way to Gunbot"
    return Outcome(tone="unsure", title=title, lines=lines)


def _accepted(ticket: Ticket) -> Outcome:
    said = (ticket.outcome or {}).get("message")
    first = f"Gunbot said: “{clean(said)}”." if said else _sentence(ticket.reason)
    return Outcome(
        tone="good",
        title="Accepted by Gunbot",
        lines=(first, "Accepted is not filled: the order was handed over.", _seen(ticket.observed)),
    )


def _seen(observed: Mapping[str, Any] | None) -> str:
    if observed is None:
        return "It was not seen among the open orders or fills yet; reload to look again."
    price = f" at {clean(observed['price'], 40)}" if observed.get("price") else ""
    order, where = clean(observed.get("order_id"), 80), clean(observed.get("where"), 80)
    return f"Order {order}{price}, seen in: {where}."


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


def _declined(ticket: Ticket) -> Outcome:
    return Outcome(tone="calm", title="Rejected by you", lines=(_by(ticket), "Nothing was sent."))


def _expired(_: Ticket) -> Outcome:
    return Outcome(tone="calm", title="Expired", lines=("Nobody decided in time. Nothing was sent.",))


def _withdrawn(ticket: Ticket) -> Outcome:
    return Outcome(tone="calm", title="Withdrawn", lines=(_by(ticket), "Nothing was sent."))


def _void(ticket: Ticket) -> Outcome:
    return Outcome(
        tone="bad", title="Void: this order did not happen", lines=(_sentence(ticket.reason), "There is no such order.")
    )


def _by(ticket: Ticket) -> str:
    return f"Decided by {clean(ticket.decided_by, 120)}."


def _sentence(reason: str | None) -> str:
    shown = clean(reason or "No reason was recorded", 400)
    return f"{shown[:1].upper()}{shown[1:]}" + ("" if shown.endswith((".", "…")) else ".")


_WORDS = {
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
