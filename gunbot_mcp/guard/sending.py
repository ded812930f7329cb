"""From an approval to Gunbot: look at the market, approve and claim in one transaction, one POST, record, look for it.

Everything here runs shielded: a client that goes away does not stop an order half-way. Approval and claim are one
transaction, so a second approval sends nothing. Where the ledger cannot be written, nothing is sent; what Gunbot
answered is recorded by the `Outbox`, in the ledger, a file or the log.

A shield does not stop the event loop's own cancellation (Ctrl-C) or an interrupt; these pass, but only after what they
cut off is recorded.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import anyio

from gunbot_mcp.domain import Cancel
from gunbot_mcp.errors import (
    ConfigInvalid,
    GatewayError,
    GunbotMcpError,
    Halted,
    Hint,
    LedgerUnavailable,
    LimitExceeded,
    Refused,
    TicketClosed,
)
from gunbot_mcp.guard import market, outbox
from gunbot_mcp.guard.cancels import doubt, find
from gunbot_mcp.guard.checks import check_all
from gunbot_mcp.guard.following import made_for, unsettled
from gunbot_mcp.guard.halt import halted
from gunbot_mcp.gunbot.deadline import keeping_back, seconds_left
from gunbot_mcp.tickets.channels import NEEDS, SENDER, SMART_CANCEL, Actor, Proof
from gunbot_mcp.tickets.content import seen_book
from gunbot_mcp.tickets.passkey import BadTouch, Deed
from gunbot_mcp.tickets.ticket import State, Ticket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from pathlib import Path

    from gunbot_mcp.clock import Clock
    from gunbot_mcp.config import Settings
    from gunbot_mcp.guard.cancels import Doubt
    from gunbot_mcp.guard.case import Cases
    from gunbot_mcp.guard.following import Follower
    from gunbot_mcp.guard.market import Survey
    from gunbot_mcp.guard.outbox import Outbox, Result
    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.ledger.transaction import Transaction
    from gunbot_mcp.tickets.ids import Ids
    from gunbot_mcp.tickets.notional import Notional
    from gunbot_mcp.tickets.passkey import Touch

    Later = Callable[[Callable[[], Awaitable[None]]], None]

CLAIM_HOLDS = timedelta(seconds=15)
"""How long after its claim an order may still be sent: far less than any lease, after which others take it for lost."""

_MOST_WAIT = 1.0
"""Seconds that an order waits so that its fill is known to be its own. A Gunbot slower than that gives candidates."""
_STILL = Hint("a human can still approve it", "you can still approve it")

logger = logging.getLogger(__name__)


class Sent:
    """What this process knows of the orders that it sent, for as long as the ledger cannot be asked."""

    _MOST = 200

    def __init__(self) -> None:
        self._kept: dict[str, Ticket] = {}

    def keep(self, ticket: Ticket) -> Ticket:
        """Remember the ticket as it is now, and return it."""
        self._kept.pop(ticket.id, None)
        self._kept[ticket.id] = ticket
        while len(self._kept) > self._MOST:
            del self._kept[next(iter(self._kept))]
        return ticket

    def get(self, ticket_id: str) -> Ticket | None:
        return self._kept.get(ticket_id)


class Sender:
    """Sends one instance's orders; each at most once."""

    def __init__(
        self,
        *,
        settings: Settings,
        gunbot: Gunbot,
        ledger: Ledger,
        cases: Cases,
        clock: Clock,
        ids: Ids,
        owner: str,
        folder: Path,
        outbox: Outbox,
        follower: Follower,
        later: Later | None,
    ) -> None:
        """`owner` names this process in its claims; `later` runs what may outlive the call."""
        self._settings = settings
        self._gunbot = gunbot
        self._ledger = ledger
        self._cases = cases
        self._clock = clock
        self._ids = ids
        self._owner = owner
        self._folder = folder
        self._outbox = outbox
        self._follower = follower
        self._later = later
        self.sent = Sent()

    async def approve(self, ticket: Ticket, by: Actor, touch: Touch | None = None) -> Ticket:
        """Approve a pending ticket and send it. Of several decisions at once, one counts; the others get an error.

        Raises:
            TicketClosed: it is already decided. Halted, ConfigInvalid, BadTouch: it goes on waiting.
            LedgerUnavailable: nothing was sent.
        """
        claim = self._ids.claim()
        shown: Survey | GatewayError
        try:
            # A Gunbot that keeps back what a baseline needs must not use up the order's own time.
            with keeping_back(self._settings.served.post_seconds):
                shown = await market.survey(self._gunbot, ticket.order.intent)
        except GatewayError as exc:
            shown = exc
        except BaseException as exc:
            # What stopped an approved order is on record before it is raised.
            await self._commit_decision(ticket, by, exc, claim, touch=touch)
            raise
        claimed = await self._commit_decision(ticket, by, shown, claim, touch=touch)
        return await self.send(claimed) if claimed.state is State.SENDING else claimed

    async def _commit_decision(
        self, ticket: Ticket, by: Actor, shown: Survey | BaseException, claim: str, *, touch: Touch | None
    ) -> Ticket:
        """Decide in one transaction; what fails while it is stored takes the claim back."""
        try:
            async with self._ledger.write() as write:
                return await self._decide(write, ticket, by, shown, claim, touch=touch)
        except (TicketClosed, Halted, ConfigInvalid, BadTouch):
            raise
        except BaseException as exc:
            await self.take_back(replace(ticket, baseline={"claim": claim}), exc)
            raise

    async def _decide(
        self,
        write: Transaction,
        ticket: Ticket,
        by: Actor,
        shown: Survey | BaseException,
        claim: str,
        *,
        touch: Touch | None,
    ) -> Ticket:
        """Approve, check once more, and take the right to send; the ticket comes back as `sending`, or as closed."""
        await _check_intact(write, ticket)
        await self._cases.require_running(write)
        if not self._cases.is_open(by):
            raise TicketClosed(f"the config has meanwhile closed this way to approve: {by}", _STILL)
        if by == SMART_CANCEL:
            await self._check_cancel(write, ticket, shown)
        approved = await self.grant(write, ticket, by, touch)
        if isinstance(shown, BaseException):
            return await _refuse(write, approved, shown)
        refusal: GunbotMcpError | None = self._cases.out_of_date(ticket)
        try:
            case = await self._cases.full(write, ticket.order, shown.book, pairs=shown.pairs, exclude=ticket.id)
            verdict = check_all(replace(case, seen=seen_book(ticket)))
            await self._check_mandate(write, approved, verdict.notional)
        except Refused as exc:
            refusal = refusal or exc
        if refusal is not None:
            return await _refuse(write, approved, refusal)
        return await self.claim(write, approved, shown, claim)

    async def doubt(self, write: Transaction, intent: Cancel, shown: Survey) -> Doubt | None:
        """Return why a human has to decide about a cancel, by what the ledger and the market say now."""
        placed = await write.placed_as(self._settings.name, intent.exchange, intent.pair, intent.order_id)
        ours = [ticket for ticket in placed if not ticket.cancels and made_for(ticket, self._settings)]
        # Of an order with an owner elsewhere nobody here can tell what it is.
        owners = ours if len(ours) == len([one for one in placed if not one.cancels]) else []
        return doubt(intent, find(intent, shown.open_orders), owners, shown.book)

    async def _check_cancel(self, write: Transaction, ticket: Ticket, shown: Survey | BaseException) -> None:
        """Look at an order once more before its cancel goes without a human: it may have changed since the ticket.

        Raises:
            TicketClosed: the rule no longer covers it; a human can still decide.
        """
        intent = ticket.order.intent
        if isinstance(shown, BaseException) or not isinstance(intent, Cancel):
            covered = False
        else:
            covered = await self.doubt(write, intent, shown) is None
        if not covered:
            raise TicketClosed("the rule for cancels does not cover it any more", _STILL)

    async def grant(self, write: Transaction, ticket: Ticket, by: Actor, touch: Touch | None = None) -> Ticket:
        """Record an approval; under a mandate, its cost is first taken from the mandate. A passkey's needs its touch.

        Raises:
            TicketClosed: it is already decided, its mandate no longer covers it, or the channel does not count.
            BadTouch: no passkey that counts here gave this touch for this ticket.
        """
        needs, kept = self._cases.live_needs, None
        if not by.row.counts(live=ticket.live, needs=needs):
            raise TicketClosed(f"an approval by {by} does not count on this instance", _STILL)
        if by.row.proof is Proof.PASSKEY:
            by = (await write.proven(touch, Deed.APPROVE, ticket.content, live=ticket.live)).actor
            kept = None if touch is None else {"touch": touch.facts(Deed.APPROVE)}
        mandate = by.name if by.channel == "mandate" else None
        if mandate is not None and not await self._given(write, mandate, needs):
            raise TicketClosed(f"mandate {mandate} was not made with what live_needs = {needs!r} asks for", _STILL)
        if mandate is not None and not await self._spend(write, mandate, ticket.notional or Decimal(0), by):
            raise TicketClosed(f"mandate {mandate} does not cover ticket {ticket.id} any more", _STILL)
        moved = await write.move(
            ticket.id,
            State.PENDING,
            State.APPROVED,
            actor=by,
            detail=kept,
            decided_by=by,
            owner=self._owner,
            mandate=mandate,
        )
        if moved is None:
            raise closed(await write.get(ticket.id) or ticket)
        return moved

    async def _given(self, write: Transaction, mandate: str, needs: str) -> bool:
        """Return whether a mandate was made with what counts now; a mandate that is not there counts for nothing."""
        active = await write.mandates(self._settings.name, active_at=self._clock.now())
        made = next((one for one in active if one.id == mandate), None)
        return made is None or made.created_by.row.proof in NEEDS[needs]

    async def claim(self, write: Transaction, approved: Ticket, shown: Survey, claim: str) -> Ticket:
        """Take the right to send, and record what was there just before."""
        baseline = {} if shown.baseline is None else shown.baseline.as_dict()
        claimed = await write.move(
            approved.id,
            State.APPROVED,
            State.SENDING,
            actor=SENDER,
            owner=self._owner,
            sent_at=self._clock.now(),
            baseline={**baseline, "claim": claim},
        )
        if claimed is None:
            raise closed(await write.get(approved.id) or approved)
        return claimed

    async def _check_mandate(self, write: Transaction, ticket: Ticket, worst: Notional | None) -> None:
        """Refuse an order that its mandate no longer covers: it was revoked, has expired, or the price has risen.

        Raises:
            LimitExceeded: nothing was spent beyond what the approval took.
        """
        if ticket.mandate is None or worst is None:
            return
        active = await write.mandates(self._settings.name, active_at=self._clock.now())
        mandate = next((one for one in active if one.id == ticket.mandate), None)
        more = worst.amount - (ticket.notional or Decimal(0))
        covered = mandate is not None and worst.amount <= mandate.max_order
        if not covered or (more > 0 and not await self._spend(write, ticket.mandate, more, SENDER)):
            raise LimitExceeded(f"mandate {ticket.mandate} does not cover it any more", Hint.propose_again())

    async def _spend(self, write: Transaction, mandate: str, amount: Decimal, by: Actor) -> bool:
        served = self._settings.served
        # What costs nothing that can be told (a cancel) is not what a mandate is for.
        return amount > 0 and await write.spend(mandate, amount, actor=by, live=served.live, url=served.url)

    async def take_back(self, claimed: Ticket, exc: BaseException) -> None:
        """Close a ticket that may be claimed although the transaction reported a failure: nobody will send it."""
        await self._outbox.record(claimed, outbox.not_sent(exc), attempts=1)

    async def send(self, claimed: Ticket) -> Ticket:
        """Send a ticket that this process has claimed: one POST, recorded, then one look for the order.

        The POST begins only if its whole time-out still fits into the call's time. Once begun, it goes on in the
        background when that time is over, and the ticket comes back as it is then. From the POST on, whatever fails,
        the caller gets the ticket: without it, an order that exists would be placed again.
        """
        self.sent.keep(claimed)
        spare, way = seconds_left() - self._settings.served.post_seconds, outbox.Way(claimed)
        if self._later is None:
            await way.go(self._carry(way, spare))
        else:
            self._later(lambda: way.go(self._carry(way, spare)))
        return await way.end()

    async def _carry(self, way: outbox.Way, spare: float) -> None:
        try:
            await self._send_and_record(way, spare)
            way.ticket = self.sent.keep(await self._look(way.ticket))
        except Exception:  # the top of an order's way: its caller gets the ticket as it is known, the log the traceback
            logger.exception("ticket %s: its way failed in an unforeseen way", way.ticket.id)

    async def _send_and_record(self, way: outbox.Way, spare: float) -> None:
        """Send the order, unless it is too late for that, and record what came of it.

        `spare` is what the call has left beyond the POST's own time, in seconds: below 0, the POST could outlast it.
        """
        claimed = way.ticket
        with anyio.CancelScope(shield=True):
            try:
                await self._let_the_clock_pass(claimed, spare)
                result = (
                    self._too_late(claimed)
                    or self._no_time(spare)
                    or await outbox.post_once(self._gunbot, claimed.order)
                )
            except Exception as exc:  # any fault at all: the order may have left, so it is `unknown` and not lost
                logger.exception("ticket %s: sending failed in an unforeseen way", claimed.id)
                result = outbox.cut_off(exc)
            except BaseException as exc:
                way.ticket = self.sent.keep(await self._outbox.record(claimed, outbox.cut_off(exc)))
                raise
            known = replace(claimed, state=result.state, reason=result.reason, answer=result.answer)
            try:
                known = await self._outbox.record(claimed, result)
            finally:
                # Also where it cannot be recorded; it is in the spool or the log then.
                way.ticket = self.sent.keep(known)

    async def _look(self, done: Ticket) -> Ticket:
        """Look for the order once; what is not found now is looked for later."""
        if not unsettled(done):
            return done
        done = await self._follower.look(done)
        if self._later is not None and unsettled(done):
            self._later(lambda: self._follower.follow(done))
        return done

    def _no_time(self, spare: float) -> Result | None:
        """Return why a POST must not begin any more: it could outlast the call. None: it may."""
        needs = self._settings.served.post_seconds
        return outbox.no_time(needs, needs + spare) if spare < 0 else None

    async def _let_the_clock_pass(self, claimed: Ticket, spare: float) -> None:
        """Wait until Gunbot's clock has passed the baseline's `t0`, an upper bound, so that a fill of ours is after it.

        That is as long as Gunbot took to tell its time, less what the claim took: mostly milliseconds.
        """
        t0 = (claimed.baseline or {}).get("t0")
        if isinstance(t0, int) and not claimed.cancels:
            await anyio.sleep(max(0.0, min(_MOST_WAIT, spare, self._gunbot.clock.seconds_until(t0))))

    def _too_late(self, ticket: Ticket) -> Result | None:
        """Return why a claimed order must not be sent any more, or None if it may be.

        A process that was frozen after its claim, or whose clock was set, must not send what others have meanwhile
        taken for lost and a human may have settled. A halt counts until the last moment.
        """
        reason = halted(self._folder)
        if reason is not None:
            return outbox.halted_before(reason)
        return None if _fresh(ticket, self._clock.now()) else outbox.too_late()


def _fresh(ticket: Ticket, now: datetime) -> bool:
    return ticket.sent_at is not None and abs(now - ticket.sent_at) <= CLAIM_HOLDS


async def _refuse(write: Transaction, approved: Ticket, why: BaseException) -> Ticket:
    result = outbox.not_sent(why)
    moved = await write.move(
        approved.id, State.APPROVED, State.VOID, actor=SENDER, reason=result.reason, answer=result.answer
    )
    return moved or approved


async def _check_intact(write: Transaction, ticket: Ticket) -> None:
    """Refuse a ticket that somebody edited in the store: what would be sent is not what the human reads.

    Raises:
        LedgerUnavailable: it was edited.
    """
    if not await write.intact(ticket.id):
        raise LedgerUnavailable(
            f"ticket {ticket.id} is not what was recorded when it was made; nothing was sent",
            "gunbot-mcp ledger --verify shows what was changed",
        )


def closed(ticket: Ticket) -> TicketClosed:
    who = f" (by {ticket.decided_by})" if ticket.decided_by else ""
    return TicketClosed(
        f"ticket {ticket.id} is already {ticket.state.value}{who}",
        "get_ticket shows what became of it",
        human="its page shows what became of it",
    )
