"""The desk: where orders are proposed, decided, looked for and settled. Front ends share one; others do the work.

    propose  Proposer: checks → ticket (pending); what a standing rule covers is sent at once, if the caller wants it
    approve  Sender: pending → approved → re-check → sending → one POST → accepted | rejected | unknown, then a look
    get      Follower: what became of it

Only callers that speak for a human call `approve`. No tool does.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from gunbot_mcp.errors import LedgerUnavailable, TicketClosed, TicketNotFound, clean
from gunbot_mcp.files import write_private
from gunbot_mcp.guard import market
from gunbot_mcp.guard.case import Cases
from gunbot_mcp.guard.following import Follower, unfinished
from gunbot_mcp.guard.foresight import refusal_now
from gunbot_mcp.guard.holdings import have
from gunbot_mcp.guard.losses import Losses, not_known
from gunbot_mcp.guard.outbox import Outbox
from gunbot_mcp.guard.proposing import Proposal, Proposer
from gunbot_mcp.guard.recovery import recover
from gunbot_mcp.guard.resolving import resolve
from gunbot_mcp.guard.sending import Sender, closed
from gunbot_mcp.guard.timing import Timing
from gunbot_mcp.guard.usage import Line, lines, usage
from gunbot_mcp.guard.watching import Watcher
from gunbot_mcp.gunbot.deadline import answer_within, seconds_left
from gunbot_mcp.reload import Rules
from gunbot_mcp.tickets.channels import CLOCK, Actor
from gunbot_mcp.tickets.content import hash_nonce
from gunbot_mcp.tickets.ids import Ids
from gunbot_mcp.tickets.ticket import IN_FLIGHT, OPEN, Reason, ReasonCode, State, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from gunbot_mcp.clock import Clock
    from gunbot_mcp.config import Settings
    from gunbot_mcp.exchanges import CapabilityMatrix
    from gunbot_mcp.guard.sending import Later
    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.ledger.reads import Placed
    from gunbot_mcp.tickets.order import Order
    from gunbot_mcp.tickets.passkey import Touch
    from gunbot_mcp.tickets.ticket import Observation


class Desk:
    """One instance's desk. The ledger is shared with other processes and replicas; nothing here relies on memory."""

    def __init__(
        self,
        *,
        settings: Settings,
        gunbot: Gunbot,
        ledger: Ledger,
        matrix: CapabilityMatrix,
        clock: Clock,
        owner: str,
        folder: Path,
        rules: Rules | None = None,
        ids: Ids | None = None,
        timing: Timing | None = None,
        later: Later | None = None,
        told: Callable[[Ticket], None] = lambda _: None,
        keep: Callable[[Path, str], None] = write_private,
        losses: Losses = not_known,
    ) -> None:
        """`owner` names this process; `later` runs what may outlive a call (None: nothing does).

        `rules` are the settings in force (None: `settings`, for ever).
        `losses` says at once what was last read of the day's history; `told` hears of fates, and must not raise.
        `ids`, `timing` and `keep` (which writes a spool file) are seams.
        """
        self._settings = settings
        self._instance = settings.served
        self._gunbot = gunbot
        self._ledger = ledger
        self._clock = clock
        self._folder = folder
        self._timing = timing or Timing()
        rules = rules or Rules(settings)
        self._rules = rules
        self._losses = losses
        self._cases = Cases(settings=settings, rules=rules, matrix=matrix, clock=clock, folder=folder, losses=losses)
        self._news: dict[str, anyio.Event] = {}
        self._under_way: set[str] = set()
        self._outbox = Outbox(ledger=ledger, folder=folder, timing=self._timing, keep=keep)
        self._told = told
        self._follower = Follower(
            settings=settings, rules=rules, ledger=ledger, gunbot=gunbot, clock=clock, timing=self._timing, told=told
        )
        ids = ids or Ids()
        self._watcher = Watcher(
            instance=settings.name,
            owner=owner,
            ledger=ledger,
            follower=self._follower,
            clock=clock,
            timing=self._timing,
        )
        self._sender = Sender(
            settings=settings,
            gunbot=gunbot,
            ledger=ledger,
            cases=self._cases,
            clock=clock,
            ids=ids,
            owner=owner,
            folder=folder,
            outbox=self._outbox,
            follower=self._follower,
            later=later,
        )
        self._proposer = Proposer(
            settings=settings,
            rules=rules,
            gunbot=gunbot,
            ledger=ledger,
            cases=self._cases,
            clock=clock,
            ids=ids,
            sender=self._sender,
            tidy=self._tidy,
        )

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def clock(self) -> Clock:
        return self._clock

    # Proposing and deciding

    async def propose(self, order: Order, *, client: str, send: bool = False) -> Proposal:
        """Check an order and make its ticket. Nothing is sent, except with `send` what a human's standing rule covers.

        Raises:
            Refused: a check failed. GatewayError: the market cannot be asked. LedgerUnavailable: no ticket can be kept.
        """
        proposal = await self._proposer.propose(order, client=client, send=send)
        ticket = proposal.ticket
        if not send or proposal.grant is None or ticket.state is not State.PENDING:
            return proposal
        try:
            ticket = await self.approve(ticket.id, by=proposal.grant)
        except TicketClosed:
            # The rule no longer covers it; then a human decides, as for every other order.
            ticket = await self.get(ticket.id)
        return replace(proposal, ticket=ticket)

    async def approve(self, ticket_id: str, *, by: Actor, touch: Touch | None = None) -> Ticket:
        """Approve and send. Of several decisions at once, one counts; the others get an error.

        Raises:
            TicketNotFound, TicketClosed.
            BadTouch: a passkey is said to have decided, and did not. LedgerUnavailable: nothing was sent.
        """
        ticket = await self.get(ticket_id)
        if ticket.state is not State.PENDING:
            raise closed(ticket)
        self._under_way.add(ticket_id)
        try:
            with anyio.CancelScope(shield=True), answer_within(self._instance.answer_seconds):
                ticket = await self._sender.approve(ticket, by, touch)
                self._told(ticket)
        finally:
            self._under_way.discard(ticket_id)
            self._tell(ticket_id)
        return ticket

    async def decline(self, ticket_id: str, *, by: Actor) -> Ticket:
        """Decline a pending ticket."""
        return await self._close(ticket_id, State.DECLINED, by=by, code=ReasonCode.DECLINED)

    async def withdraw(self, ticket_id: str, *, by: Actor) -> Ticket:
        """Withdraw a pending ticket: its proposer may take it back."""
        return await self._close(ticket_id, State.WITHDRAWN, by=by, code=ReasonCode.WITHDRAWN)

    async def resolve(
        self, ticket_id: str, *, placed: bool, order_id: str | None, by: Actor, touch: Touch | None = None
    ) -> Ticket:
        """Settle a ticket by a human's word: the order exists (`order_id`), or it never did.

        That overrules what was found by its looks, too. Gunbot's own "success" stays `accepted`: then only the
        observation changes. It frees nothing of today's limits.

        Raises:
            TicketClosed: its fate is known, a human has settled it already, or given its order to another ticket, or
                this way does not count here.
            BadTouch: a passkey is said to have decided, and did not.
        """
        ticket = await self.get(ticket_id)
        if not by.row.suffices(live=ticket.live, needs=self._cases.live_needs):
            raise TicketClosed(f"the word of {by} does not count on this instance", "live_needs in the config says so")
        async with self._ledger.write() as write:
            at = self._clock.now()
            settled = await resolve(write, ticket, placed=placed, order_id=order_id, by=by, touch=touch, at=at)
        self._tell(ticket_id)
        return settled

    async def _close(self, ticket_id: str, state: State, *, by: Actor, code: ReasonCode) -> Ticket:
        ticket = await self.get(ticket_id)
        async with self._ledger.write() as write:
            moved = await write.move(ticket_id, State.PENDING, state, actor=by, decided_by=by, reason=Reason(code))
            if moved is None:
                raise closed(await write.get(ticket_id) or ticket)
        self._tell(ticket_id)
        return moved

    # What dead processes left behind

    async def recover(self) -> None:
        """Settle what this or another process left half-way: outcomes kept in files, senders that died.

        Raises:
            LedgerUnavailable: what is not settled yet is left for the next call.
        """
        await self._outbox.take_in(self._settings.name)
        lease = timedelta(seconds=4 * self._instance.post_seconds + 60)
        await recover(self._ledger, self._folder, self._clock, lease=lease, instance=self._settings.name)

    async def _tidy(self) -> None:
        """Recover if an order is on its way: its sender may be dead, its outcome may lie in a file."""
        if await self._ledger.in_flight(self._settings.name):
            await self.recover()

    async def limits(self) -> list[Line]:
        """Return every limit of this instance, what is used of it, what is left, and until when.

        Raises:
            LedgerUnavailable: what is used cannot be counted.
        """
        served = self._rules.last.served
        day = self._losses() if served.limits.max_day_loss else None
        used = await usage(self._ledger, self._settings.name, self._clock.now(), day)
        return list(lines(served.limits, served.contracts, used))

    # Looking

    async def placed(self, exchange: str, pair: str, order_ids: Collection[str]) -> list[Placed]:
        """Return which of these orders are for sure this instance's tickets'."""
        return await self._ledger.placed_among(self._settings.name, exchange, pair, order_ids)

    async def get(self, ticket_id: str, *, look: bool = False) -> Ticket:
        """Return the ticket as it is now; with `look`, first look at what became of its order.

        Raises:
            TicketNotFound: there is none, or it belongs to another instance.
        """
        try:
            ticket = await self._ledger.get(ticket_id)
        except LedgerUnavailable:
            # Of what it sent, this process knows more than a ledger that cannot be asked.
            if (sent := self._sender.sent.get(ticket_id)) is None:
                raise
            return sent
        if ticket is None:
            raise TicketNotFound(f"there is no ticket {clean(ticket_id, 40)!r}", "the list of tickets shows them")
        if ticket.instance != self._settings.name:
            raise TicketNotFound(
                f"ticket {ticket_id} belongs to another instance", f"this server serves {self._settings.name} only"
            )
        if ticket.state is State.PENDING and self._cases.is_expired(ticket):
            async with self._ledger.write() as write:
                reason = Reason(ReasonCode.EXPIRED)
                moved = await write.move(ticket_id, State.PENDING, State.EXPIRED, actor=CLOCK, reason=reason)
                ticket = moved or await write.get(ticket_id) or ticket
        if look and ticket.state in IN_FLIGHT:
            # Where the ledger takes nothing now, that it is on its way is still the answer.
            with contextlib.suppress(LedgerUnavailable):
                await self.recover()
                ticket = await self._ledger.get(ticket_id) or ticket
        if look and unfinished(ticket):
            with answer_within(self._instance.answer_seconds):
                ticket = await self._follower.look(ticket)
        return ticket

    async def after(self, ticket: Ticket) -> Ticket:
        """Return the ticket, which was like that before, as it is now; as one of unknown fate if nobody can be asked.

        For whoever made a ticket and must name it in an answer: meanwhile anybody may have approved it.
        """
        try:
            return await self.get(ticket.id)
        except LedgerUnavailable as exc:
            return replace(ticket, state=State.UNKNOWN, reason=Reason(ReasonCode.UNREAD, {"message": exc.message}))

    async def watch(self) -> None:
        """Follow this instance's orders to their end in the background, until cancelled."""
        await self._watcher.run()

    async def market(self, ticket: Ticket, *, balances: bool = False) -> market.BookView:
        """Return the book as it is now beside the ticket; never raises if there is no market.

        With `balances`, also what one has of what the order spends.
        """
        seen = await market.look(self._gunbot, ticket, self._clock, balances=balances)
        return replace(seen, refused=refusal_now(self._cases, ticket, seen.book))

    def have_lately(self, ticket: Ticket) -> str | None:
        """Return what one has of what the order spends, if read a moment ago, and how long ago; asks nobody."""
        lately = self._gunbot.balances_lately()
        said = None if lately is None else have(ticket, lately[0])
        return None if lately is None or said is None else f"{said} Read {lately[1]:.0f} s ago."

    async def candidates(self, ticket: Ticket) -> list[Observation]:
        """Return the orders that could be this ticket's, if Gunbot can be asked: a human chooses from them."""
        return await self._follower.candidates(ticket)

    async def check_key(self, ticket_id: str, key: str) -> Ticket:
        """Return the ticket that `key` (its nonce) belongs to.

        Raises:
            TicketNotFound: no such ticket, or not its key; which of the two is not said.
        """
        # Both come from a client and may be anything; a store takes no half surrogates and no NUL.
        plain = ticket_id.isascii() and ticket_id.isalnum() and key.isascii()
        ticket = await self._ledger.get(ticket_id) if plain else None
        if ticket is None or not secrets.compare_digest(hash_nonce(key), ticket.nonce_hash):
            raise TicketNotFound("there is no such ticket with this key", "it is decided on its own card")
        return await self.get(ticket_id)

    async def list(self, *, states: Collection[State] | None = None, limit: int = 50) -> list[Ticket]:
        """Return this instance's tickets, newest first; the expired ones are marked as such."""
        found = await self._ledger.list(self._settings.name, states=states, limit=limit)
        late = [ticket.id for ticket in found if ticket.state is State.PENDING and self._cases.is_expired(ticket)]
        if not late:
            return found
        for ticket_id in late:
            await self.get(ticket_id)
        return await self._ledger.list(self._settings.name, states=states, limit=limit)

    async def wait(self, ticket_id: str, seconds: float, *, fresh: bool = False) -> Ticket:
        """Return the ticket once it is decided and settled, or as it is after `seconds`. `fresh`: it is pending now.

        A decision may be taken by another process, so the ledger is polled; a decision in this process wakes it at
        once. If the order is being sent, it waits longer: the outcome comes soon. Its call's own time ends all waiting.
        """
        grace = self._instance.post_seconds
        deadline = self._clock.monotonic() + seconds
        while True:
            news = self._news.setdefault(ticket_id, anyio.Event())
            if fresh:
                fresh = False
                with anyio.move_on_after(min(self._timing.poll, seconds, seconds_left())):
                    await news.wait()
                continue
            ticket = await self.get(ticket_id)
            left = deadline - self._clock.monotonic()
            busy = ticket_id in self._under_way
            if ticket.state in IN_FLIGHT or busy:
                left += grace
            left = min(left, seconds_left())
            if (ticket.state not in OPEN and not busy) or left <= 0:
                self._news.pop(ticket_id, None)
                return ticket
            with anyio.move_on_after(min(self._timing.poll, left)):
                await news.wait()

    def _tell(self, ticket_id: str) -> None:
        """Wake everybody who waits for this ticket."""
        news = self._news.pop(ticket_id, None)
        if news is not None:
            news.set()
