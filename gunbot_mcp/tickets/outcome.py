"""What became of a ticket, in words made from facts; only this file writes them. No code parses these words.

`outcome_of` is for people (page, card, terminal), `news_of` for an assistant; `reason_text` is the reason alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gunbot_mcp.domain import MOST_ID, Cancel, plain_text
from gunbot_mcp.errors import clean
from gunbot_mcp.render import instant
from gunbot_mcp.tickets.channels import Speaker
from gunbot_mcp.tickets.ticket import IN_FLIGHT, Certainty, Observation, Reason, ReasonCode, State, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`tone` (good, calm, bad, unsure) picks the colour; `command` is what a human may type next."""

    tone: str
    title: str
    lines: tuple[str, ...]
    command: str | None = None


WHERE: Mapping[str, str] = {
    "open_orders": "open orders",
    "history": "order history",
    "not_open": "no longer among the open orders",
    "human": "a human's word",
}
"""The places where an order can be seen, as answers name them."""


def outcome_of(ticket: Ticket) -> Outcome:
    """Return the words for people about a ticket that is not pending any more."""
    return (_CANCEL_WORDS if ticket.cancels else _ORDER_WORDS)[ticket.state](ticket)


def news_of(ticket: Ticket) -> str:
    """Return what an assistant is told: what happened, and what it may and must not do next."""
    if ticket.state is State.PENDING:
        return f"A human can decide until {instant(ticket.expires_at)}. Look with get_ticket; do not propose it again."
    if ticket.state is State.APPROVED:
        return "It is approved and about to be sent. Look with get_ticket; do not propose it again."
    reason = _sentence(reason_text(ticket))
    if ticket.state is State.ACCEPTED:
        said = (ticket.answer or {}).get("message")
        meaning = "the cancel is handed over" if ticket.cancels else "handed over, which is not a fill"
        word = f"Gunbot said {said!r}: {meaning}." if said else reason
        return f"{word} {_seen_by_model(ticket)}".rstrip()
    if ticket.state in {State.UNKNOWN, State.SENDING}:
        return (
            f"{reason or 'It is being sent.'} Never send it again: get_ticket looks for it, "
            f"list_open_orders and list_orders_page show what exists, a human can run gunbot-mcp resolve {ticket.id}."
            f"{'' if ticket.observed is None else f' {_seen_by_model(ticket)}'}"
        )
    again = {State.EXPIRED: " Ask whether to propose it again.", State.VOID: " Ask before you propose it again."}
    return f"{reason or _sentence(ticket.state.value)}{again.get(ticket.state, '')}"


def brief_of(ticket: Ticket) -> str:
    """Return what became of an order in a few words that strangers may read: no market, no amount."""
    seen = ticket.observed
    if seen is not None and seen.sure and seen.state == "filled":
        return "An order that was to be cancelled filled" if ticket.cancels else "An order filled"
    return _BRIEF.get(ticket.state, "Something became known of an order")


def reason_text(ticket: Ticket) -> str | None:
    """Return why the ticket is in its state, or None where nothing was recorded."""
    return None if ticket.reason is None else _REASONS[ticket.reason.code](ticket, ticket.reason)


def candidate_line(seen: Observation) -> str:
    """Return one order that could be a ticket's, for the human who settles it."""
    return f"It could be {_orders(seen, ' with ')}{_at_price(seen)}, seen in the {WHERE[seen.where]}{_as_of(seen)}."


def seen_line(seen: Observation) -> str:
    """Return what is known of an order at the exchange, how surely, and as of when."""
    if not seen.sure:
        several = len(seen.order_ids) > 1
        which = f"It could be {_orders(seen, ' or ')}{_at_price(seen)}, seen in the {WHERE[seen.where]}{_as_of(seen)}"
        return f"{which}: {'which of them' if several else 'whether it is'}, only a human can say."
    word = " by a human's word" if seen.certainty is Certainty.HUMAN else ""
    if not seen.order_ids:
        return "There is no such order, by a human's word."
    order = f"{_capital(_orders(seen, ' and '))}{_at_price(seen)}"
    if seen.where == "human":
        return f"{order}, by a human's word."
    if seen.seen_at is None:
        # Version 0.1 did not note when it looked, and what it saw may be long ago.
        return (
            f"{order}, seen in the {WHERE[seen.where]}."
            if seen.where != "not_open"
            else f"{order}, {WHERE['not_open']}."
        )
    order = f"{order},{word}," if word else order
    return f"{order} {_state_words(seen)}{_as_of(seen)}."


def _state_words(seen: Observation) -> str:
    part = "" if seen.filled is None else f"{plain_text(seen.filled)} of it filled{_average(seen)}"
    match seen.state:
        case "filled":
            amount = "" if seen.filled is None else f", {plain_text(seen.filled)}{_average(seen)}"
            return f"filled{amount}{_last_fill(seen)}"
        case "gone":
            return f"is gone; {part}, the rest did not fill" if part else "is gone and did not fill"
        case "partly_filled" if seen.where == "not_open":
            return f"is no longer open{_since(seen)}; {part}, more was not seen up to now"
        case "partly_filled":
            return f"is partly filled: {part}"
        case "open":
            return "is open"
        case _:
            return (
                f"is no longer open{_since(seen)}; no fill was seen up to now"
                if seen.where == "not_open"
                else "was seen"
            )


def _average(seen: Observation) -> str:
    return "" if seen.average is None else f" at {plain_text(seen.average)} on average"


def _last_fill(seen: Observation) -> str:
    return "" if seen.filled_at is None else f", last at {_clock(seen.filled_at)}"


def _since(seen: Observation) -> str:
    return "" if seen.since is None else f" since {_clock(seen.since)}"


def _as_of(seen: Observation) -> str:
    return "" if seen.seen_at is None else f", as of {_clock(seen.seen_at)}"


def _clock(at: datetime) -> str:
    # With its date: an order is followed for a week.
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _orders(seen: Observation, between: str) -> str:
    # Ids are Gunbot's words, not ours.
    names = [clean(name, MOST_ID) for name in seen.order_ids]
    return f"{'orders' if names[1:] else 'order'} {between.join(names)}"


# Reasons


def _fact(reason: Reason, name: str = "message") -> str:
    return clean(reason.facts.get(name, ""), 400)


def _stopper(reason: Reason) -> str:
    return "a fault of gunbot-mcp" if reason.facts.get("by") == "fault" else "the process was stopped"


def _lost(reason: Reason) -> str:
    if reason.facts.get("ended"):
        return "the process that had it ended"
    return "nobody has said for too long what became of it"


def _may_exist(ticket: Ticket) -> str:
    # The order that a cancel is about did exist.
    return "" if ticket.cancels else "; the order may exist"


def _declined_reason(ticket: Ticket, _: Reason) -> str:
    who = ticket.decided_by
    if who is None or who.row.speaks_for is Speaker.HUMAN:
        return "declined by a human"
    return f"declined {clean(who.place, 120)}"


def _no_time(_: Ticket, reason: Reason) -> str:
    return (
        f"nothing was sent: waiting for Gunbot's answer may take {_fact(reason, 'needs')} s, and its call had only "
        f"{_fact(reason, 'left')} s left; Gunbot answers slowly"
    )


_REASONS: Mapping[ReasonCode, Callable[[Ticket, Reason], str]] = {
    ReasonCode.TAKEN: lambda _t, _r: "Gunbot took the order",
    ReasonCode.FOUND: lambda t, _r: f"found in the {WHERE[t.observed.where]}" if t.observed else "found",
    ReasonCode.CONTESTED: lambda _t, _r: "a second order fits as well: it is not clear which of them is this one",
    ReasonCode.FILLED_FIRST: lambda _t, _r: "the order filled before the cancel",
    ReasonCode.CANCEL_SEEN: lambda _t, _r: "the order is gone and did not fill",
    ReasonCode.HUMAN_PLACED: lambda _t, _r: "a human found the order",
    ReasonCode.HUMAN_NOT_PLACED: lambda _t, _r: "a human found that the order never arrived",
    ReasonCode.GUNBOT_SAID_NO: lambda _t, r: _fact(r),
    ReasonCode.NO_ANSWER: lambda t, r: f"sent, but {_fact(r)}{_may_exist(t)}",
    ReasonCode.CUT_OFF: lambda t, r: f"{_stopper(r)} while sending{_may_exist(t)}",
    ReasonCode.SENDER_LOST: lambda _t, r: (
        f"{_lost(r)} while sending; Gunbot may have the order: look for it in Gunbot's open orders and history, "
        "or say what you found with gunbot-mcp resolve"
    ),
    ReasonCode.UNREACHABLE: lambda _t, _r: "Gunbot could not be reached; nothing was sent",
    ReasonCode.CHECK_FAILED: lambda _t, r: f"nothing was sent: {_fact(r)}",
    ReasonCode.NOT_SENT: lambda _t, r: f"nothing was sent: {_stopper(r)} before sending",
    ReasonCode.HALTED: lambda _t, r: f"nothing was sent: trading is halted: {_fact(r)}",
    ReasonCode.NO_TIME: _no_time,
    ReasonCode.TOO_LATE: lambda _t, _r: "nothing was sent: too much time passed after the claim",
    ReasonCode.UNREAD: lambda t, r: f"whether it was sent cannot be said now: {_fact(r)}{_may_exist(t)}",
    ReasonCode.SENDER_LOST_BEFORE: lambda _t, r: f"{_lost(r)} after the approval; nothing was sent",
    ReasonCode.DECLINED: _declined_reason,
    ReasonCode.EXPIRED: lambda _t, _r: "nobody decided in time",
    ReasonCode.WITHDRAWN: lambda _t, _r: "withdrawn by the client",
    ReasonCode.RECORDED: lambda _t, r: _fact(r, "text"),
}


# An order


def _under_way(ticket: Ticket) -> Outcome:
    lines = (_NO_ANSWER, "Do not place the order a second time.")
    return Outcome(tone="unsure", title=_on_its_way(ticket), lines=lines)


def _accepted(ticket: Ticket) -> Outcome:
    seen = ticket.observed
    known = seen is not None and seen.final
    lines = (_said(ticket), *(() if known else (_HANDED_OVER,)), _seen(seen))
    return Outcome(tone="good", title="Accepted by Gunbot", lines=lines)


def _seen(seen: Observation | None) -> str:
    if seen is None:
        return "It was not seen among the open orders or fills yet; look again in a moment."
    return seen_line(seen)


def _rejected(ticket: Ticket) -> Outcome:
    return Outcome(tone="bad", title="Rejected by Gunbot", lines=(_why(ticket), "There is no such order."))


def _unknown(ticket: Ticket) -> Outcome:
    return Outcome(
        tone="unsure",
        title="Unknown: the order may exist",
        lines=(
            _why(ticket),
            "Do not place it again: look in Gunbot or at the exchange; looking again here asks Gunbot, too.",
            "Until it is settled, this pair and side are locked.",
            *(() if ticket.observed is None else (seen_line(ticket.observed),)),
            "When you know whether the order exists, say so in a terminal:",
        ),
        command=f"gunbot-mcp resolve {ticket.id}",
    )


def _void(ticket: Ticket) -> Outcome:
    lines = (_why(ticket), "There is no such order.")
    return Outcome(tone="bad", title="Void: this order did not happen", lines=lines)


# A cancel. The order that it is about was there before it, so "no such order" would be wrong, and dangerous.


def _cancel_under_way(ticket: Ticket) -> Outcome:
    lines = (_NO_ANSWER, _capital(f"{_target(ticket)} may still be open."))
    return Outcome(tone="unsure", title=_on_its_way(ticket), lines=lines)


def _cancel_accepted(ticket: Ticket) -> Outcome:
    order, seen = _target(ticket), ticket.observed
    if seen is None:
        still = f"Handed over is not cancelled: {order} was not seen to be gone yet; look again in a moment."
        return Outcome(tone="good", title="Cancel handed over", lines=(_said(ticket), still))
    lines = (_said(ticket), *(() if seen.where == "human" else (seen_line(seen),)))
    tone, title = _cancel_title(order, seen)
    return Outcome(tone=tone, title=title, lines=lines)


def _cancel_title(order: str, seen: Observation) -> tuple[str, str]:
    match (seen.where, seen.state):
        case ("human", _):
            return "good", f"Cancelled: {order} is gone, by a human's word"
        case (_, "gone"):
            return "good", f"Cancelled: {order} is {WHERE['not_open']}"
        case ("not_open", _):
            return "good", f"Cancel handed over: {order} is {WHERE['not_open']}"
        case ("open_orders", _):
            return "unsure", f"Still open: the cancel of {order} was not seen to work"
        case (_, "filled"):
            return "bad", f"Not cancelled: {order} filled before the cancel"
        case _:
            return "unsure", f"Cancel handed over: a part of {order} filled"


def _not_cancelled(ticket: Ticket) -> Outcome:
    seen = ticket.observed
    if seen is not None and seen.state == "filled":
        title = f"Not cancelled: {_target(ticket)} filled before the cancel"
        return Outcome(tone="bad", title=title, lines=(_why(ticket), seen_line(seen)))
    lines = (_why(ticket), "Look among the open orders before you rely on it either way.")
    return Outcome(tone="bad", title=f"Not cancelled: {_target(ticket)} may still be open", lines=lines)


def _cancel_unknown(ticket: Ticket) -> Outcome:
    order = _target(ticket)
    return Outcome(
        tone="unsure",
        title=f"Unknown: {order} may still be open",
        lines=(
            _why(ticket),
            "Look in Gunbot or at the exchange whether it is gone; looking again here asks Gunbot, too.",
            *(() if ticket.observed is None else (seen_line(ticket.observed),)),
            "When you know it, say so in a terminal:",
        ),
        command=f"gunbot-mcp resolve {ticket.id}",
    )


def _target(ticket: Ticket) -> str:
    """Return `order 461773`, for the order that the cancel is about."""
    intent = ticket.order.intent
    return f"order {clean(intent.order_id, MOST_ID)}" if isinstance(intent, Cancel) else "the order"


# Either


def _declined(ticket: Ticket) -> Outcome:
    return Outcome(tone="calm", title="Declined", lines=(_by("Declined", ticket), "Nothing was sent."))


def _expired(_: Ticket) -> Outcome:
    return Outcome(tone="calm", title="Expired: nothing was sent", lines=("Nobody decided in time.",))


def _withdrawn(ticket: Ticket) -> Outcome:
    return Outcome(tone="calm", title="Withdrawn", lines=(_by("Withdrawn", ticket), "Nothing was sent."))


def _by(did: str, ticket: Ticket) -> str:
    """Say through which channel it was decided; who decided is not known, and need not be the reader."""
    return f"{did} by a human." if ticket.decided_by is None else f"{did} {clean(ticket.decided_by.place, 120)}."


def _on_its_way(ticket: Ticket) -> str:
    return "Approved, about to be sent" if ticket.state is State.APPROVED else "On its way to Gunbot"


def _said(ticket: Ticket) -> str:
    said = (ticket.answer or {}).get("message")
    return f"Gunbot said: “{clean(said)}”." if said else _why(ticket)


def _why(ticket: Ticket) -> str:
    return _sentence(reason_text(ticket) or "no reason was recorded")


def _seen_by_model(ticket: Ticket) -> str:
    seen = ticket.observed
    if seen is None:
        if ticket.cancels:
            return "It is not known yet whether the order is gone."
        return "It was not seen among the open orders or fills yet."
    if ticket.cancels and seen.where == "open_orders":
        return f"{seen_line(seen)} The cancel was not seen to work."
    return seen_line(seen)


def _at_price(seen: Observation) -> str:
    return "" if seen.price is None else f" at {plain_text(seen.price)}"


def _sentence(text: str | None) -> str:
    shown = _capital(clean(text or "", 400))
    return shown + ("" if shown.endswith((".", "…")) or not shown else ".")


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


_BRIEF: Mapping[State, str] = {
    State.REJECTED: "Gunbot rejected an order",
    State.UNKNOWN: "The fate of an order is unknown",
    State.VOID: "An order did not happen",
}
_HANDED_OVER = "Accepted is not filled: the order was handed over."
_NO_ANSWER = "There is no answer yet that can be trusted."

_ORDER_WORDS: Mapping[State, Callable[[Ticket], Outcome]] = {
    **dict.fromkeys(IN_FLIGHT, _under_way),
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
    **dict.fromkeys(IN_FLIGHT, _cancel_under_way),
    State.ACCEPTED: _cancel_accepted,
    State.REJECTED: _not_cancelled,
    State.UNKNOWN: _cancel_unknown,
    State.VOID: _not_cancelled,
}
