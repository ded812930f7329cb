"""The desk: where orders are proposed, decided, sent, looked for and settled. All front ends share one.

    propose  parse → policy → ticket (pending)
    approve  pending → approved → re-check → sending → one POST → accepted | rejected | unknown, then look for it
    decline, withdraw, resolve, get, list

Only `approve` sends, and only callers that speak for a human (or for the rules that a human set: paper `auto`, a
mandate, the smart cancel rule) call it. No tool does.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio

from gunbot_mcp.domain import Cancel, Intent
from gunbot_mcp.endpoints import BY_NAME, AnyEndpoint
from gunbot_mcp.errors import (
    GunbotMcpError,
    LedgerUnavailable,
    LimitExceeded,
    Refused,
    TicketClosed,
    TicketNotFound,
    clean,
)
from gunbot_mcp.guard import following, market, outbox
from gunbot_mcp.guard.case import Checks
from gunbot_mcp.guard.checks import check_all
from gunbot_mcp.guard.halt import halted
from gunbot_mcp.guard.proposing import Proposal, Proposer
from gunbot_mcp.guard.recovery import recover
from gunbot_mcp.tickets.content import hash_nonce, intent_of, parse_stored, seen_book
from gunbot_mcp.tickets.ticket import State, Ticket

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from gunbot_mcp.arguments import Args
    from gunbot_mcp.clock import Clock
    from gunbot_mcp.config import Settings
    from gunbot_mcp.exchanges import CapabilityMatrix
    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.ledger.transaction import Write
    from gunbot_mcp.tickets.notional import Notional

OPEN_STATES = frozenset({State.PENDING, State.APPROVED, State.SENDING})
POLL_SECONDS = 0.4


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
    ) -> None:
        self._settings = settings
        self._instance = settings.served
        self._gunbot = gunbot
        self._ledger = ledger
        self._clock = clock
        self._owner = owner
        self._folder = folder
        self._checks = Checks(settings=settings, matrix=matrix, clock=clock, folder=folder)
        self._proposer = Proposer(
            settings=settings, gunbot=gunbot, ledger=ledger, checks=self._checks, clock=clock, tidy=self._tidy
        )

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def clock(self) -> Clock:
        return self._clock

    # Proposing

    async def propose(self, endpoint: AnyEndpoint, args: Args, *, client: str) -> Proposal:
        """Check an order and make its ticket. Nothing is sent.

        Raises:
            Refused: a check failed. GatewayError: the market cannot be asked. LedgerUnavailable: no ticket can be kept.
        """
        return await self._proposer.propose(endpoint, args, client=client)

    # Deciding

    async def approve(self, ticket_id: str, *, by: str, mandate: str | None = None) -> Ticket:
        """Approve and send. Of several who decide at once, one wins and the others are told.

        Raises:
            TicketNotFound, TicketClosed. LedgerUnavailable: nothing was sent.
        """
        ticket = await self.get(ticket_id)
        with anyio.CancelScope(shield=True):
            ticket = await self._send(await self._approve(ticket, by, mandate))
        return ticket  # noqa: RET504 - by its type, the scope above might swallow an exception

    async def _approve(self, ticket: Ticket, by: str, mandate: str | None) -> Ticket:
        try:
            async with self._ledger.write() as write:
                return await self._decide(write, ticket, by, mandate)
        except TicketClosed:
            raise
        except BaseException as exc:
            # The approval may be stored all the same. Nobody sends it any more, so it must not look alive.
            with contextlib.suppress(LedgerUnavailable):
                await self._void_own(ticket, outbox.not_sent(exc))
            raise

    async def _decide(self, write: Write, ticket: Ticket, by: str, mandate: str | None) -> Ticket:
        await _check_intact(write, ticket)
        if mandate is not None and not await write.spend(mandate, ticket.notional or Decimal(0)):
            raise TicketClosed(
                f"mandate {mandate} does not cover ticket {ticket.id} any more", "a human can still approve it"
            )
        moved = await write.move(
            ticket.id,
            State.PENDING,
            State.APPROVED,
            actor=by,
            decided_by=by,
            owner=self._owner,
            mandate=mandate,
        )
        if moved is None:
            raise _closed(await write.get(ticket.id) or ticket)
        return moved

    async def _void_own(self, ticket: Ticket, outcome: outbox.Outcome) -> None:
        async with self._ledger.write() as write:
            found = await write.get(ticket.id)
            if found is not None and found.state is State.APPROVED and found.owner == self._owner:
                await _move_to_void(write, ticket, outcome)

    async def decline(self, ticket_id: str, *, by: str) -> Ticket:
        """Decline a pending ticket."""
        return await self._close(ticket_id, State.DECLINED, by=by, reason="declined by a human")

    async def withdraw(self, ticket_id: str, *, by: str) -> Ticket:
        """Withdraw a pending ticket: whoever proposed it may take it back."""
        return await self._close(ticket_id, State.WITHDRAWN, by=by, reason="withdrawn by the client")

    async def resolve(self, ticket_id: str, *, placed: bool, order_id: str | None, by: str) -> Ticket:
        """Settle an `unknown` ticket by a human's word: the order exists, or it never did.

        Raises:
            TicketClosed: its fate is not unknown.
        """
        ticket = await self.get(ticket_id)
        observed = {"order_id": order_id, "where": "a human's word"} if placed and order_id else None
        async with self._ledger.write() as write:
            moved = await write.move(
                ticket.id,
                State.UNKNOWN,
                State.ACCEPTED if placed else State.VOID,
                actor=by,
                reason="a human found the order" if placed else "a human found that the order never arrived",
                observed=observed,
            )
        if moved is None:
            raise TicketClosed(
                f"ticket {ticket_id} is {ticket.state.value}, not unknown", "there is nothing to resolve"
            )
        return moved

    async def _close(self, ticket_id: str, state: State, *, by: str, reason: str) -> Ticket:
        ticket = await self.get(ticket_id)
        async with self._ledger.write() as write:
            moved = await write.move(ticket_id, State.PENDING, state, actor=by, decided_by=by, reason=reason)
            if moved is None:
                raise _closed(await write.get(ticket_id) or ticket)
        return moved

    # Sending

    async def _send(self, ticket: Ticket) -> Ticket:
        try:
            endpoint = BY_NAME[ticket.tool]
            args = parse_stored(ticket)
            intent = intent_of(endpoint, args)
            claimed = await self._claim(ticket, endpoint, intent)
        except TicketClosed:
            raise
        except BaseException as exc:
            void = await outbox.record(self._ledger, self._folder, ticket, outbox.not_sent(exc), attempts=1)
            if isinstance(exc, GunbotMcpError) and not isinstance(exc, LedgerUnavailable):
                return void
            raise
        if claimed.state is not State.SENDING:
            return claimed
        try:
            outcome = outbox.too_late(claimed, self._clock.now(), halted=halted(self._folder))
            outcome = outcome or await outbox.post_once(self._gunbot, endpoint, args)
        except BaseException as exc:
            await outbox.record(self._ledger, self._folder, claimed, outbox.cut_off(exc))
            raise
        done = await outbox.record(self._ledger, self._folder, claimed, outcome)
        if done.state in {State.ACCEPTED, State.UNKNOWN}:
            done = await self._settle(done, intent, attempts=3)
        return done

    async def _claim(self, ticket: Ticket, endpoint: AnyEndpoint, intent: Intent) -> Ticket:
        """Check once more and take the right to send; the ticket comes back as `sending`, or as closed.

        Raises:
            GunbotMcpError: nothing must be sent, even where the claim is stored.
        """
        now = None if isinstance(intent, Cancel) else await market.book_of(self._gunbot, intent)
        baseline = await market.baseline_of(self._gunbot, intent)
        await self._gunbot.log_in()
        async with self._ledger.write() as write:
            await _check_intact(write, ticket)
            refusal = self._checks.out_of_date(ticket)
            try:
                case = await self._checks.facts(write, endpoint, intent, now, exclude=ticket.id)
                verdict = check_all(replace(case, seen=seen_book(ticket)))
                await self._check_mandate(write, ticket, verdict.notional)
            except Refused as exc:
                refusal = refusal or exc
            if refusal is not None:
                moved = await _move_to_void(write, ticket, outbox.not_sent(refusal))
                return moved or await write.get(ticket.id) or ticket
            claimed = await write.move(
                ticket.id,
                State.APPROVED,
                State.SENDING,
                actor=outbox.ACTOR,
                owner=self._owner,
                sent_at=self._clock.now(),
                outcome={"baseline": baseline.as_dict()},
            )
        if claimed is None:
            raise _closed(await self._ledger.get(ticket.id) or ticket)
        return claimed

    async def _check_mandate(self, write: Write, ticket: Ticket, worst: Notional | None) -> None:
        """Refuse what its mandate does not cover any more: it was revoked or ran out, or the market rose since.

        Raises:
            LimitExceeded: nothing was spent beyond what the approval took.
        """
        if ticket.mandate is None or worst is None:
            return
        active = await write.mandates(self._settings.name, active_at=self._clock.now())
        mandate = next((one for one in active if one.id == ticket.mandate), None)
        more = worst.amount - (ticket.notional or Decimal(0))
        covered = mandate is not None and worst.amount <= mandate.max_order
        if not covered or (more > 0 and not await write.spend(ticket.mandate, more)):
            raise LimitExceeded(f"mandate {ticket.mandate} does not cover it any more", "propose it again")

    async def _settle(self, ticket: Ticket, intent: Intent, *, attempts: int = 1) -> Ticket:
        try:
            return await following.settle(
                self._ledger, self._gunbot, ticket, intent, clock=self._clock, attempts=attempts
            )
        except GunbotMcpError:
            # What is known is recorded; not learning more is no reason to lose it.
            return ticket

    # What dead processes left behind

    async def recover(self) -> None:
        """Settle what this or another process left half-way: outcomes kept in files, senders that died.

        Raises:
            LedgerUnavailable: it is for the next time.
        """
        await outbox.take_in_spool(self._ledger, self._folder, self._settings.name)
        lease = timedelta(seconds=4 * (self._instance.connect_timeout + self._instance.read_timeout) + 60)
        await recover(self._ledger, self._folder, self._clock, lease=lease, instance=self._settings.name)

    async def _tidy(self) -> None:
        """Recover if an order is on its way: its sender may be dead, its outcome may lie in a file."""
        if await self._ledger.list(self._settings.name, states={State.APPROVED, State.SENDING}, limit=1):
            await self.recover()

    # Looking

    async def get(self, ticket_id: str, *, look: bool = False) -> Ticket:
        """Return the ticket as it is now; with `look`, first try to learn the fate of an unknown one.

        Raises:
            TicketNotFound: there is none, or it belongs to another instance.
        """
        ticket = await self._ledger.get(ticket_id)
        if ticket is None:
            raise TicketNotFound(f"there is no ticket {clean(ticket_id, 40)!r}", "list_tickets shows them")
        if ticket.instance != self._settings.name:
            raise TicketNotFound(
                f"ticket {ticket_id} belongs to another instance", f"this server serves {self._settings.name} only"
            )
        if ticket.state is State.PENDING and self._checks.is_expired(ticket):
            async with self._ledger.write() as write:
                moved = await write.move(
                    ticket_id, State.PENDING, State.EXPIRED, actor="clock", reason="nobody decided in time"
                )
                ticket = moved or await write.get(ticket_id) or ticket
        if look and ticket.state in {State.APPROVED, State.SENDING}:
            await self.recover()
            ticket = await self._ledger.get(ticket_id) or ticket
        unsettled = ticket.state is State.UNKNOWN or (ticket.state is State.ACCEPTED and ticket.observed is None)
        if look and unsettled:
            endpoint = BY_NAME[ticket.tool]
            ticket = await self._settle(ticket, intent_of(endpoint, parse_stored(ticket)))
        return ticket

    async def market(self, ticket: Ticket) -> market.BookView:
        """Return the book as it is now beside the ticket; never raises for want of a market."""
        return await market.look(self._gunbot, ticket, self._clock)

    async def candidates(self, ticket: Ticket) -> list[dict[str, Any]]:
        """Return the orders that could be this ticket's, where Gunbot can be asked: what a human has to choose from."""
        intent = intent_of(BY_NAME[ticket.tool], parse_stored(ticket))
        return await following.candidates(self._ledger, self._gunbot, ticket, intent)

    async def check_key(self, ticket_id: str, key: str) -> Ticket:
        """Return the ticket that `key` (its nonce) belongs to.

        Raises:
            TicketNotFound: no such ticket, or not its key; which of the two is not said.
        """
        # Both come from a client and may be anything; a store takes no half surrogates and no NUL.
        plain = ticket_id.isascii() and ticket_id.isalnum() and key.isascii()
        ticket = await self._ledger.get(ticket_id) if plain else None
        if ticket is None or not secrets.compare_digest(hash_nonce(key), ticket.nonce_hash):
            raise TicketNotFound("there is no such ticket with this key", "a human decides on the ticket's own card")
        return await self.get(ticket_id)

    async def list(self, *, states: Collection[State] | None = None, limit: int = 50) -> list[Ticket]:
        """Return this instance's tickets, newest first; the expired ones are marked as such."""
        found = await self._ledger.list(self._settings.name, states=states, limit=limit)
        late = [ticket.id for ticket in found if ticket.state is State.PENDING and self._checks.is_expired(ticket)]
        if not late:
            return found
        for ticket_id in late:
            await self.get(ticket_id)
        return await self._ledger.list(self._settings.name, states=states, limit=limit)

    async def wait(self, ticket_id: str, seconds: float) -> Ticket:
        """Return the ticket once it is decided and settled, or as it is after `seconds`.

        A decision may be taken by another process, so the ledger is looked at, not only this process's memory. An
        order that is on its way is waited for: its outcome is near.
        """
        grace = self._instance.connect_timeout + self._instance.read_timeout
        deadline = self._clock.monotonic() + seconds
        while True:
            ticket = await self.get(ticket_id)
            left = deadline - self._clock.monotonic()
            if ticket.state in {State.APPROVED, State.SENDING}:
                left += grace
            if ticket.state not in OPEN_STATES or left <= 0:
                return ticket
            await anyio.sleep(min(POLL_SECONDS, left))


async def _check_intact(write: Write, ticket: Ticket) -> None:
    """Refuse a ticket that somebody edited in the store: what would be sent is not what the human reads.

    Raises:
        LedgerUnavailable: always then.
    """
    if not await write.intact(ticket.id) or await write.get(ticket.id) is None:
        raise LedgerUnavailable(
            f"ticket {ticket.id} is not what was recorded when it was made; nothing was sent",
            "gunbot-mcp ledger --verify shows what was changed",
        )


async def _move_to_void(write: Write, ticket: Ticket, outcome: outbox.Outcome) -> Ticket | None:
    return await write.move(
        ticket.id, State.APPROVED, State.VOID, actor=outbox.ACTOR, reason=outcome.reason, outcome=outcome.facts
    )


def _closed(ticket: Ticket) -> TicketClosed:
    who = f" (by {ticket.decided_by})" if ticket.decided_by else ""
    return TicketClosed(
        f"ticket {ticket.id} is already {ticket.state.value}{who}", "get_ticket shows what became of it"
    )
