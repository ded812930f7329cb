"""One POST: its way to Gunbot and back, its result, and how that gets into the ledger whatever happens.

Where the ledger cannot be written *after* sending, the outcome goes to a spool file and the log, and from there into
the ledger as soon as any process of this state folder can write it.
"""

from __future__ import annotations

import contextlib
import json
import logging
from dataclasses import dataclass, field, replace
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
from gunbot_mcp.gunbot.deadline import seconds_left
from gunbot_mcp.tickets.channels import SENDER
from gunbot_mcp.tickets.content import canonical
from gunbot_mcp.tickets.stored import reason_facts, reason_of
from gunbot_mcp.tickets.ticket import Reason, ReasonCode, State, Ticket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from gunbot_mcp.guard.timing import Timing
    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.ledger.transaction import Transaction
    from gunbot_mcp.tickets.order import Order

logger = logging.getLogger(__name__)

LATE = "late_outcome"
"""The event for a sender's result that came after the ticket was settled otherwise: it must not be lost."""

_FORM = 2
"""The form of a spooled file; version 0.1 wrote none."""
_BEFORE: Mapping[State, frozenset[State]] = {
    # The sender's own result also settles a ticket that was meanwhile taken for lost.
    State.ACCEPTED: frozenset({State.SENDING, State.UNKNOWN}),
    State.REJECTED: frozenset({State.SENDING, State.UNKNOWN}),
    # Nothing was sent: the claim may have failed, or it may be unknown whether it did.
    State.VOID: frozenset({State.APPROVED, State.SENDING, State.UNKNOWN}),
    State.UNKNOWN: frozenset({State.SENDING}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of the one POST, or why there was none. `answer` is Gunbot's `message`, or the `error`."""

    state: State
    reason: Reason
    answer: Mapping[str, Any] = field(default_factory=dict[str, Any])


async def post_once(gunbot: Gunbot, order: Order) -> Result:
    """Send the order exactly once and classify the answer. Never repeats; an exception from here is not an answer."""
    try:
        said = await gunbot.trade(order.endpoint, order.args)
    except (GatewayRejected, Unauthorized) as exc:
        return _failed(State.REJECTED, ReasonCode.GUNBOT_SAID_NO, exc)
    except ConfigInvalid as exc:
        return not_sent(exc)
    except GatewayError as exc:
        if not exc.delivered:
            return _failed(State.VOID, ReasonCode.UNREACHABLE, exc)
        return _failed(State.UNKNOWN, ReasonCode.NO_ANSWER, exc)
    return Result(state=State.ACCEPTED, reason=Reason(ReasonCode.TAKEN), answer={"message": said})


class Way:
    """One order's way to Gunbot and back, and the call that waits for its end, though not for ever.

    `ticket` is what is known by now: the claimed one, then with what became of it.
    """

    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket
        self._ended = anyio.Event()

    async def go(self, carrying: Awaitable[None]) -> None:
        """Carry the order, as work that may outlive its call."""
        try:
            await carrying
        finally:
            self._ended.set()

    async def end(self) -> Ticket:
        """Wait for the end, but no longer than the call has time; return the ticket as it is then."""
        with anyio.move_on_after(seconds_left()):
            await self._ended.wait()
        return self.ticket


def not_sent(exc: BaseException) -> Result:
    """Return the result of an approved order that was stopped before its POST."""
    if isinstance(exc, GunbotMcpError):
        return _failed(State.VOID, ReasonCode.CHECK_FAILED, exc)
    return Result(state=State.VOID, reason=Reason(ReasonCode.NOT_SENT, {"by": _by(exc)}))


def cut_off(exc: BaseException) -> Result:
    """Return the result of an order whose POST was cut off from outside, or failed in an unforeseen way."""
    return Result(state=State.UNKNOWN, reason=Reason(ReasonCode.CUT_OFF, {"by": _by(exc)}))


def _failed(state: State, code: ReasonCode, exc: GunbotMcpError) -> Result:
    # Whatever the code says for reads: an order that may have been sent must never be sent again.
    return Result(
        state=state,
        reason=Reason(code, {"message": exc.message}),
        answer={"error": {**exc.as_dict(), "retryable": False}},
    )


def halted_before(reason: str) -> Result:
    """Return the result of a claimed order that the kill switch stopped."""
    return Result(state=State.VOID, reason=Reason(ReasonCode.HALTED, {"message": reason}))


def no_time(needs: float, left: float) -> Result:
    """Return the result of a claimed order whose whole time-out (`needs` seconds) no longer fits into its call."""
    facts = {"needs": f"{needs:.3g}", "left": f"{max(left, 0):.3g}"}
    return Result(state=State.VOID, reason=Reason(ReasonCode.NO_TIME, facts))


def too_late() -> Result:
    """Return the result of a claimed order that was held up for too long."""
    return Result(state=State.VOID, reason=Reason(ReasonCode.TOO_LATE))


def _by(exc: BaseException) -> str:
    """Say what stopped it, without the exception's text, which could contain anything."""
    return "fault" if isinstance(exc, Exception) else "stopped"


def claim_of(ticket: Ticket) -> str | None:
    """Return which attempt to send a ticket's claim belongs to; None if version 0.1 made it."""
    return None if ticket.baseline is None else ticket.baseline.get("claim")


class Outbox:
    """Records results of one state folder's senders.

    `keep` writes a spool file (a seam: tests let it fail).
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        folder: Path,
        timing: Timing,
        keep: Callable[[Path, str], None] = write_private,
    ) -> None:
        self._keep = keep
        self._ledger = ledger
        self._folder = folder / "outcomes"
        self._timing = timing

    async def record(self, ticket: Ticket, result: Result, *, attempts: int | None = None) -> Ticket:
        """Record the result, in several attempts if needed; return the ticket as it is afterwards.

        After the first failure it is also in a file, so that nothing is lost if the process ends while it tries again.
        """
        spooled = False
        try:
            for attempt in range(attempts or self._timing.record_attempts):
                if attempt:
                    await anyio.sleep(self._timing.record_pause * 2**attempt)
                try:
                    done = await self.apply(ticket.id, result, claim_of(ticket)) or ticket
                except LedgerUnavailable as exc:
                    logger.warning("ticket %s: its outcome cannot be recorded yet: %s", ticket.id, exc.message)
                    spooled = spooled or await anyio.to_thread.run_sync(self.spool, ticket, result)
                else:
                    if spooled:
                        _remove(self._file(ticket))
                    return done
        except BaseException:
            # Cancelled or interrupted: there may be no other turn of the event loop, so this does not wait for one.
            if not spooled:
                self.spool(ticket, result)
            raise
        logger.critical("ticket %s is %s, not yet in the ledger: %s", ticket.id, result.state.value, result.reason.code)
        return replace(ticket, state=result.state, reason=result.reason, answer=result.answer)

    async def apply(self, ticket_id: str, result: Result, claim: str | None) -> Ticket | None:
        """Move a ticket that was being sent to its outcome; one that others already settled stays as it is.

        If they settled it otherwise, the sender's result is kept as an event of its own. A result belongs to the
        attempt that made it (`claim`): an attempt that failed must not undo another one.
        """
        async with self._ledger.write() as write:
            found = await write.get(ticket_id)
            if found is None or (claim is not None and claim_of(found) != claim):
                return found
            moved = None
            if found.state in _BEFORE[result.state]:
                moved = await write.move(
                    ticket_id,
                    found.state,
                    result.state,
                    actor=SENDER,
                    reason=result.reason,
                    answer=result.answer or None,
                )
            if moved is None:
                await _keep_late(write, found, result)
        return moved or found

    async def take_in(self, instance: str) -> None:
        """Put results that could only be kept in files into the ledger, then remove the files.

        Raises:
            LedgerUnavailable: the files stay.
        """
        for path in sorted(self._folder.glob("*.json")):
            try:
                ticket_id, result, claim = _read(path)
            except FileNotFoundError:
                continue  # its writer could record it after all
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                logger.warning("%s cannot be read as an outcome; it is left where it is", path)
                continue
            ticket = await self._ledger.get(ticket_id)
            if ticket is None and result.state is State.VOID and claim is not None:
                # The transaction that would have made and claimed it was never stored: there is nothing to close.
                _remove(path)
            elif ticket is not None and ticket.instance == instance:
                await self.apply(ticket_id, result, claim)
                _remove(path)

    def spool(self, ticket: Ticket, result: Result) -> bool:
        """Keep a result that the ledger could not take: in a file (True), or if that fails, in the log (False)."""
        kept = canonical(
            {
                "v": _FORM,
                "ticket": ticket.id,
                "claim": claim_of(ticket),
                "state": result.state.value,
                "reason": reason_facts(result.reason),
                "answer": result.answer,
            }
        )
        try:
            self._keep(self._file(ticket), kept)
        except OSError as exc:
            logger.critical("an outcome cannot be kept in a file either (%s): %s", exc.strerror, kept)
            return False
        return True

    def _file(self, ticket: Ticket) -> Path:
        """Return the file of one try: a try that came to nothing must not write over the word of the one that sent."""
        claim = claim_of(ticket)
        return self._folder / (f"{ticket.id}.json" if claim is None else f"{ticket.id}.{claim}.json")


async def _keep_late(write: Transaction, found: Ticket, result: Result) -> None:
    if result.state in {State.UNKNOWN, found.state} or found.state in {State.PENDING, State.APPROVED}:
        return
    last = await write.last_event(found.id)
    if last is not None and last.kind == LATE:
        return
    detail = {"state": result.state.value, "reason": reason_facts(result.reason), "answer": result.answer}
    await write.event(LATE, actor=SENDER, detail=detail, ticket=found.id, instance=found.instance)
    logger.critical(
        "ticket %s was settled as %s, but its sender says %s (%s)",
        found.id,
        found.state.value,
        result.state.value,
        result.reason.code.value,
    )


def _read(path: Path) -> tuple[str, Result, str | None]:
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    state = State(kept["state"])
    if state not in _BEFORE:
        raise ValueError(f"{state} is no outcome")
    if kept.get("v") == _FORM:
        reason, answer = reason_of(kept["reason"]), dict(kept["answer"])
    else:  # version 0.1's: a free text, and the baseline beside Gunbot's answer
        reason = Reason(ReasonCode.RECORDED, {"text": str(kept["reason"])})
        answer = {name: value for name, value in kept["outcome"].items() if name != "baseline"}
    return str(kept["ticket"]), Result(state=state, reason=reason, answer=answer), kept.get("claim")


def _remove(path: Path) -> None:
    # A file that stays is read again, and then changes nothing.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
