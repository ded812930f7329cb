"""Why a ticket is in its state, in words: one row for each code. People and assistants read the same; see `outcome`."""

from collections.abc import Callable, Mapping

from gunbot_mcp.errors import clean
from gunbot_mcp.tickets.channels import Speaker
from gunbot_mcp.tickets.seen import WHERE
from gunbot_mcp.tickets.ticket import Reason, ReasonCode, Ticket


def reason_text(ticket: Ticket) -> str | None:
    """Return why the ticket is in its state, or None where nothing was recorded."""
    return None if ticket.reason is None else _REASONS[ticket.reason.code](ticket, ticket.reason)


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
    ReasonCode.OVERRULED: lambda _t, r: (
        f"the order that was found for it is ticket {_fact(r, 'by')}'s, by a human's word; its own is not known"
    ),
    ReasonCode.FILLED_FIRST: lambda _t, _r: "the order filled before the cancel",
    ReasonCode.CANCEL_SEEN: lambda _t, _r: "the order is gone and did not fill",
    ReasonCode.HUMAN_PLACED: lambda _t, _r: "a human found the order",
    ReasonCode.HUMAN_NOT_PLACED: lambda _t, _r: "a human found that the order never arrived",
    ReasonCode.GUNBOT_SAID_NO: lambda _t, r: _fact(r),
    ReasonCode.NO_ANSWER: lambda t, r: f"sent, but {_fact(r)}{_may_exist(t)}",
    ReasonCode.CUT_OFF: lambda t, r: f"{_stopper(r)} while sending{_may_exist(t)}",
    ReasonCode.SENDER_LOST: lambda _t, r: (
        f"{_lost(r)} while sending; Gunbot may have the order: look for it in Gunbot's open orders and history"
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
