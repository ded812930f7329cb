"""What became of a ticket, in words made from facts. No code parses these words.

One fate, two voices: `outcome_of` is for people (page, card, terminal, notice) and names no tool; `news_of` is for an
assistant and names no command as if it could run one. Both say the same reason (`reasons`) and the same of what was
seen of the order (`seen`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gunbot_mcp.domain import MOST_ID, Cancel, assets_of, grouped
from gunbot_mcp.errors import clean
from gunbot_mcp.render import instant
from gunbot_mcp.tickets.reasons import reason_text
from gunbot_mcp.tickets.seen import WHERE, capital, hour, seen_line
from gunbot_mcp.tickets.ticket import IN_FLIGHT, Observation, State, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`tone` (good, calm, bad, unsure) picks the colour.

    `command` is what a human may type next, and `lead` says what for: both are left out beside buttons that do it.
    """

    tone: str
    title: str
    lines: tuple[str, ...]
    lead: str | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What an assistant is told: what happened, and what it may and must not do `next` (may be empty)."""

    happened: str
    next: str = ""

    def __str__(self) -> str:
        return f"{self.happened} {self.next}".strip()


def outcome_of(ticket: Ticket) -> Outcome:
    """Return the words for people about a ticket that is not pending any more."""
    return (_CANCEL_WORDS if ticket.cancels else _ORDER_WORDS)[ticket.state](ticket)


def news_of(ticket: Ticket) -> str:
    """Return what an assistant is told: what happened, and what it may and must not do next."""
    return str(news_in_two(ticket))


def news_in_two(ticket: Ticket) -> News:
    """Return the same, with what it may do apart: that is not for people."""
    if ticket.state is State.PENDING:
        return News(f"A human can decide until {instant(ticket.expires_at)}.", _LOOK)
    if ticket.state is State.APPROVED:
        return News("It is approved and about to be sent.", _LOOK)
    reason = _sentence(reason_text(ticket))
    if ticket.state is State.ACCEPTED:
        said = (ticket.answer or {}).get("message")
        meaning = "the cancel is handed over" if ticket.cancels else "handed over, which is not a fill"
        word = f"Gunbot said {said!r}: {meaning}." if said else reason
        return News(f"{word} {_seen_by_model(ticket)}".strip())
    if ticket.state in {State.UNKNOWN, State.SENDING}:
        seen = "" if ticket.observed is None else f" {_seen_by_model(ticket)}"
        return News(f"{reason or 'It is being sent.'}{seen}", _NEVER_AGAIN)
    again = {State.EXPIRED: "Ask whether to propose it again.", State.VOID: "Ask before you propose it again."}
    return News(reason or _sentence(ticket.state.value), again.get(ticket.state, ""))


def may_change(ticket: Ticket) -> bool:
    """Return whether more may become of a ticket that is decided: it is on its way, or its order is followed."""
    if ticket.state in IN_FLIGHT or ticket.state is State.UNKNOWN:
        return True
    seen = ticket.observed
    settled = seen is not None and (seen.final or seen.where == "human")
    return ticket.state is State.ACCEPTED and not settled


def brief_of(ticket: Ticket) -> str:
    """Return what became of an order in a few words that strangers may read: no market, no amount."""
    seen = ticket.observed
    if seen is not None and seen.sure and seen.state == "filled":
        return "An order that was to be cancelled filled" if ticket.cancels else "An order filled"
    return _BRIEF.get(ticket.state, "Something became known of an order")


# An order


def _under_way(ticket: Ticket) -> Outcome:
    lines = (_NO_ANSWER, "Do not place the order a second time.")
    return Outcome(tone="unsure", title=_on_its_way(ticket), lines=lines)


def _accepted(ticket: Ticket) -> Outcome:
    seen = ticket.observed
    known = seen is not None and seen.final
    lines = (_said(ticket), *(() if known else (_HANDED_OVER,)), _seen(seen))
    tone, title = ("good", "Accepted by Gunbot") if seen is None else _what_came_of(ticket, seen)
    return Outcome(tone=tone, title=title, lines=lines)


def _what_came_of(ticket: Ticket, seen: Observation) -> tuple[str, str]:
    """Return the tone and `Filled 0.001 BTC at 47,998.2 at 14:03:11 UTC` where that is known for sure."""
    trade = ticket.order.trade
    if trade is None or not seen.sure:
        return "good", "Accepted by Gunbot"
    unit = assets_of(trade)[1] if ticket.contract_size is None else "contracts"
    part = "" if seen.filled is None else f" {grouped(seen.filled)}"
    price = "" if seen.average is None else f" at {grouped(seen.average)}"
    at = "" if seen.filled_at is None else f" at {hour(seen.filled_at)}"
    of_all = f" of {grouped(trade.amount)} {unit}"
    return {
        "filled": ("good", f"Filled{part and f'{part} {unit}'}{price}{at}"),
        "partly_filled": ("good", f"Partly filled:{part}{of_all}" if part else "Partly filled"),
        "gone": ("calm", f"Only{part}{of_all} filled" if seen.filled else "The order is gone and did not fill"),
    }.get(seen.state or "", ("good", "Accepted by Gunbot"))


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
        ),
        lead="When you know whether the order exists, say so in a terminal:",
        command=f"gunbot-mcp resolve {ticket.id}",
    )


def _void(ticket: Ticket) -> Outcome:
    lines = (_why(ticket), "There is no such order.")
    return Outcome(tone="bad", title="Void: this order did not happen", lines=lines)


# A cancel. The order that it is about was there before it, so "no such order" would be wrong, and dangerous.


def _cancel_under_way(ticket: Ticket) -> Outcome:
    lines = (_NO_ANSWER, capital(f"{_target(ticket)} may still be open."))
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
        ),
        lead="When you know it, say so in a terminal:",
        command=f"gunbot-mcp resolve {ticket.id}",
    )


def _target(ticket: Ticket) -> str:
    """Return `order 461773`, for the order that the cancel is about."""
    intent = ticket.order.intent
    return f"order {clean(intent.order_id, MOST_ID)}" if isinstance(intent, Cancel) else "the order"


# Either


def _declined(ticket: Ticket) -> Outcome:
    return Outcome(tone="calm", title="Declined", lines=(_by("Declined", ticket), "Nothing was sent."))


def _kept(ticket: Ticket) -> Outcome:
    lines = (_by("Declined", ticket), "Nothing was sent.")
    return Outcome(tone="calm", title=f"Kept: {_target(ticket)} is not cancelled", lines=lines)


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


def _sentence(text: str | None) -> str:
    shown = capital(clean(text or "", 400))
    return shown + ("" if shown.endswith((".", "…")) or not shown else ".")


_BRIEF: Mapping[State, str] = {
    State.REJECTED: "Gunbot rejected an order",
    State.UNKNOWN: "The fate of an order is unknown",
    State.VOID: "An order did not happen",
}
_LOOK = "Look with get_ticket; do not propose it again."
_NEVER_AGAIN = (
    "Never send it again: get_ticket looks for it, list_open_orders and list_orders_page show what exists. "
    "Ask the human to settle it on its page or in a terminal."
)
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
    State.DECLINED: _kept,
    State.UNKNOWN: _cancel_unknown,
    State.VOID: _not_cancelled,
}
