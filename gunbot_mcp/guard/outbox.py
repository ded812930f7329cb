"""From an approval to Gunbot and back into the ledger: claim, re-check, write the intent, one POST, record.

Everything here runs shielded: a client that goes away does not stop an order half-way. The claim is one atomic
statement, so whoever comes second sends nothing. Where the ledger cannot be written, nothing is sent; where it cannot
be written *afterwards*, the outcome goes to a spool file and the log, and from there into the ledger as soon as any
process of this state folder can write it.

A shield holds back neither the event loop's own cancellation (Ctrl-C) nor an interrupt; those pass, but not before it
is written down what they cut off.
"""

from __future__ import annotations

import contextlib
import json
import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio

from gunbot_mcp.errors import (
    ConfigInvalid,
    GatewayError,
    GatewayRejected,
    GunbotMcpError,
    LedgerUnavailable,
    Unauthorized,
)
from gunbot_mcp.files import write_private
from gunbot_mcp.tickets.ticket import State, Ticket, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from gunbot_mcp.arguments import Args
    from gunbot_mcp.endpoints import AnyEndpoint
    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.ledger.ledger import Ledger

logger = logging.getLogger(__name__)

ACTOR = "sender"
RECORD_ATTEMPTS = 5
RECORD_PAUSE = 0.1
CLAIM_HOLDS = timedelta(seconds=15)
"""How long after its claim an order may still be sent: far less than any lease, after which others take it for lost."""

LATE = "late_outcome"
"""The event for a sender's word that came after somebody had settled the ticket otherwise: it must not be lost."""

_BEFORE: Mapping[State, frozenset[State]] = {
    # The sender's own word also settles a ticket that somebody took for lost meanwhile.
    State.ACCEPTED: frozenset({State.SENDING, State.UNKNOWN}),
    State.REJECTED: frozenset({State.SENDING, State.UNKNOWN}),
    # Nothing was sent: the claim may have failed, or it may be unknown whether it did.
    State.VOID: frozenset({State.APPROVED, State.SENDING, State.UNKNOWN}),
    State.UNKNOWN: frozenset({State.SENDING}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the one POST came to, or why there was none. `facts` goes into the ticket."""

    state: State
    reason: str
    facts: dict[str, Any]


async def post_once(gunbot: Gunbot, endpoint: AnyEndpoint, args: Args) -> Outcome:
    """Send the order exactly once and classify the answer. Never repeats; what it raises is no answer at all."""
    try:
        said = await gunbot.trade(endpoint, args)
    except (GatewayRejected, Unauthorized) as exc:
        return Outcome(state=State.REJECTED, reason=exc.message, facts={"error": _error(exc)})
    except ConfigInvalid as exc:
        return not_sent(exc)
    except GatewayError as exc:
        if not exc.delivered:
            return Outcome(
                state=State.VOID, reason="Gunbot could not be reached; nothing was sent", facts={"error": _error(exc)}
            )
        return Outcome(
            state=State.UNKNOWN, reason=f"sent, but {exc.message}; the order may exist", facts={"error": _error(exc)}
        )
    return Outcome(state=State.ACCEPTED, reason="Gunbot took the order", facts={"message": said})


def not_sent(exc: BaseException) -> Outcome:
    """Return the outcome of an approved order that was stopped before its POST."""
    if isinstance(exc, GunbotMcpError):
        return Outcome(state=State.VOID, reason=f"nothing was sent: {exc.message}", facts={"error": _error(exc)})
    return Outcome(state=State.VOID, reason=f"nothing was sent: {_what(exc)} before sending", facts={})


def cut_off(exc: BaseException) -> Outcome:
    """Return the outcome of an order whose POST was cut off from outside, or failed in a way that nobody foresaw."""
    return Outcome(state=State.UNKNOWN, reason=f"{_what(exc)} while sending; the order may exist", facts={})


def too_late(ticket: Ticket, now: datetime, *, halted: str | None) -> Outcome | None:
    """Return why a claimed order is not sent any more, or None: it still is.

    A process that was frozen after its claim, or whose clock was set, must not send what others have meanwhile taken
    for lost and a human may have settled. A halt holds to the last moment.
    """
    if halted is not None:
        return Outcome(state=State.VOID, reason=f"nothing was sent: trading is halted: {halted}", facts={})
    if ticket.sent_at is not None and abs(now - ticket.sent_at) <= CLAIM_HOLDS:
        return None
    return Outcome(state=State.VOID, reason="nothing was sent: too much time passed after the claim", facts={})


def _error(exc: GunbotMcpError) -> dict[str, Any]:
    # Whatever the code says of reads: an order that may have been sent is never to be sent again.
    return {**exc.as_dict(), "retryable": False}


def _what(exc: BaseException) -> str:
    """Say what stopped it, without the exception's text: nobody knows what stands in it."""
    return "a fault of gunbot-mcp" if isinstance(exc, Exception) else "the process was stopped"


async def record(
    ledger: Ledger, folder: Path, ticket: Ticket, outcome: Outcome, *, attempts: int = RECORD_ATTEMPTS
) -> Ticket:
    """Write the outcome down, whatever it takes; return the ticket as it then is.

    From the first failure on the outcome lies in a file, so that a process that ends while it tries again loses
    nothing.
    """
    facts = {**(ticket.outcome or {}), **outcome.facts}
    spooled = False
    try:
        for attempt in range(attempts):
            if attempt:
                await anyio.sleep(RECORD_PAUSE * 2**attempt)
            try:
                done = await apply_outcome(ledger, ticket, outcome.state, outcome.reason, facts)
            except LedgerUnavailable as exc:
                logger.warning("ticket %s: its outcome cannot be recorded yet: %s", ticket.id, exc.message)
                spooled = spooled or await anyio.to_thread.run_sync(
                    spool, folder, ticket.id, outcome.state, outcome.reason, facts
                )
            else:
                if spooled:
                    _remove(_spool_file(folder, ticket.id))
                return done
    except BaseException:
        # Cancelled or interrupted: there may be no other turn of the event loop, so this does not wait for one.
        if not spooled:
            spool(folder, ticket.id, outcome.state, outcome.reason, facts)
        raise
    logger.critical("ticket %s is %s, not yet in the ledger: %s", ticket.id, outcome.state.value, outcome.reason)
    return replace(ticket, state=outcome.state, reason=outcome.reason, outcome=facts)


async def apply_outcome(ledger: Ledger, ticket: Ticket, state: State, reason: str, facts: dict[str, Any]) -> Ticket:
    """Move a ticket that was being sent to its outcome; a ticket that others already settled stays as it is.

    If they settled it otherwise, the sender's word is kept as an event of its own.
    """
    async with ledger.write() as write:
        moved = await write.move(ticket.id, _BEFORE[state], state, actor=ACTOR, reason=reason, outcome=facts)
        if moved is not None:
            return moved
        found = await write.get(ticket.id) or ticket
        if state not in {State.UNKNOWN, found.state} and found.state not in {State.PENDING, State.APPROVED}:
            last = await write.last_event(ticket.id)
            if last is None or last.kind != LATE:
                detail = {"state": state.value, "reason": reason, "outcome": facts}
                await write.event(LATE, actor=ACTOR, detail=detail, ticket=ticket.id, instance=ticket.instance)
                logger.critical(
                    "ticket %s was settled as %s, but its sender says %s: %s", ticket.id, found.state, state, reason
                )
        return found


def _spool_file(folder: Path, ticket_id: str) -> Path:
    return folder / "outcomes" / f"{ticket_id}.json"


def spool(folder: Path, ticket_id: str, state: State, reason: str, facts: dict[str, Any]) -> bool:
    """Keep an outcome that the ledger could not take in a file of its own; on failure, in the log. Return which."""
    kept = canonical({"ticket": ticket_id, "state": state.value, "reason": reason, "outcome": facts})
    try:
        write_private(_spool_file(folder, ticket_id), kept)
    except OSError as exc:
        logger.critical("an outcome cannot be kept in a file either (%s): %s", exc.strerror, kept)
        return False
    return True


async def take_in_spool(ledger: Ledger, folder: Path, instance: str) -> None:
    """Put outcomes that could only be kept in files into the ledger, then remove the files.

    Raises:
        LedgerUnavailable: the files stay.
    """
    for path in sorted((folder / "outcomes").glob("*.json")):
        try:
            ticket_id, outcome = _read_spool(path)
        except FileNotFoundError:
            continue  # whoever wrote it could record it after all
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            logger.warning("%s cannot be read as an outcome; it is left where it is", path)
            continue
        ticket = await ledger.get(ticket_id)
        if ticket is not None and ticket.instance == instance:
            await apply_outcome(ledger, ticket, outcome.state, outcome.reason, outcome.facts)
            _remove(path)


def _read_spool(path: Path) -> tuple[str, Outcome]:
    kept = json.loads(path.read_text(encoding="utf-8"))
    state = State(kept["state"])
    if state not in _BEFORE:
        raise ValueError(f"{state} is no outcome")
    return str(kept["ticket"]), Outcome(state=state, reason=str(kept["reason"]), facts=dict(kept["outcome"]))


def _remove(path: Path) -> None:
    # A file that stays is read again, and then changes nothing.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
