"""Proposing: an order is checked on fresh facts and written down as a ticket.

On paper in `auto` nothing waits for an approval, so there a ticket is claimed in the same transaction and sent. What a
mandate or the smart cancel rule covers is only named here: the desk approves it, which looks at the market once more.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from gunbot_mcp.config import Mode, Settings
from gunbot_mcp.domain import Cancel
from gunbot_mcp.guard import cancels, market
from gunbot_mcp.guard.checks import check_all, check_static, too_many
from gunbot_mcp.gunbot.deadline import keeping_back
from gunbot_mcp.tickets import protection
from gunbot_mcp.tickets.channels import AUTO, SMART_CANCEL, Actor
from gunbot_mcp.tickets.content import fingerprint, hash_nonce, quote_of
from gunbot_mcp.tickets.mandate import covers
from gunbot_mcp.tickets.proceeds import Costs, proceeds
from gunbot_mcp.tickets.sentences import sentence
from gunbot_mcp.tickets.ticket import State, Ticket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from gunbot_mcp.clock import Clock
    from gunbot_mcp.guard.case import Cases
    from gunbot_mcp.guard.market import Survey
    from gunbot_mcp.guard.sending import Sender
    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.ledger.transaction import Transaction
    from gunbot_mcp.reload import Rules
    from gunbot_mcp.tickets.ids import Ids
    from gunbot_mcp.tickets.order import Order

_WINDOW = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A new ticket. `nonce` proves, to the human's own channel only, which proposal an answer belongs to.

    `grant` is the human's standing rule that lets this order be sent without asking (None: a human must approve).
    """

    ticket: Ticket
    nonce: str = field(repr=False)
    grant: Actor | None = None


class Proposer:
    """Makes one instance's tickets."""

    def __init__(
        self,
        *,
        settings: Settings,
        rules: Rules,
        gunbot: Gunbot,
        ledger: Ledger,
        cases: Cases,
        clock: Clock,
        ids: Ids,
        sender: Sender,
        tidy: Callable[[], Awaitable[None]],
    ) -> None:
        """`rules` are the settings in force; `tidy` settles what dead processes left half-way, so that it counts."""
        self._settings = settings
        self._rules = rules
        self._instance = settings.served
        self._gunbot = gunbot
        self._ledger = ledger
        self._cases = cases
        self._clock = clock
        self._ids = ids
        self._sender = sender
        self._tidy = tidy
        self._pace = {"orders": Pace(clock.monotonic), "cancels": Pace(clock.monotonic)}

    async def propose(self, order: Order, *, client: str, send: bool = False) -> Proposal:
        """Check an order and make its ticket. With `send`, it is sent at once on paper in `auto`.

        Raises:
            Refused: a check failed. GatewayError: the market cannot be asked. LedgerUnavailable: no ticket can be kept.
        """
        check_static(self._cases.static(order))
        what = "cancels" if order.trade is None else "orders"
        with self._pace[what].place(self._rules.last.served.limits.orders_per_minute, what):
            await self._tidy()
            # An order that is sent at once needs its baseline now; one that is approved later gets a fresh one then.
            at_once = send and self._sends_all
            paper = not self._instance.live
            with keeping_back(self._instance.post_seconds if at_once else 0):
                shown = await market.survey(self._gunbot, order.intent, paper=paper, whole=at_once)
            nonce, claim = self._ids.nonce(), self._ids.claim()
            with anyio.CancelScope(shield=True):
                return await self._write_and_send(order, shown, client, nonce, claim if at_once else None)
        raise AssertionError("a shield lets nothing out")  # by its type, a scope may swallow an exception

    @property
    def _sends_all(self) -> bool:
        """Whether nothing waits for an approval here."""
        return self._rules.last.effective_mode is Mode.AUTO and not self._instance.live

    async def _write_and_send(
        self, order: Order, shown: Survey, client: str, nonce: str, claim: str | None
    ) -> Proposal:
        proposal = await self._write_down(order, shown, client, nonce, claim)
        if proposal.ticket.state is not State.SENDING:
            return proposal
        return replace(proposal, ticket=await self._sender.send(proposal.ticket))

    async def _write_down(self, order: Order, shown: Survey, client: str, nonce: str, claim: str | None) -> Proposal:
        """Record the ticket; with a `claim`, it gets the right to be sent in the same transaction."""
        claimed: Ticket | None = None
        try:
            async with self._ledger.write() as write:
                made = await write.add(await self._ticket(write, order, shown, client, nonce), Actor("client", client))
                grant = await self._grant(write, made, shown)
                # Meanwhile the mode may have become stricter: then the ticket waits for a human.
                if claim is not None and grant is AUTO:
                    granted = await self._sender.grant(write, made, AUTO)
                    claimed = await self._sender.claim(write, granted, shown, claim)
        except BaseException as exc:
            # The commit may have been done although it reported a failure: then nobody will use its claim.
            if claimed is not None:
                await self._sender.take_back(claimed, exc)
            raise
        return Proposal(ticket=claimed or made, nonce=nonce, grant=grant)

    async def _ticket(self, write: Transaction, order: Order, shown: Survey, client: str, nonce: str) -> Ticket:
        mark = fingerprint(self._settings.name, self._instance.url, order)
        case = await self._cases.full(
            write, order, shown.book, pairs=shown.pairs, mark=mark, repeat_of=order.repeat_of, client=client
        )
        verdict = check_all(case)
        now, ttl = self._clock.now(), self._rules.last.approval.ttl
        worst = verdict.notional
        intent = order.intent
        seen = placed = lost = None
        if isinstance(intent, Cancel):
            seen = cancels.find(intent, shown.open_orders)
            placed = await self._placed(write, intent)
            lost = protection.lost(intent, seen, placed)
        costs = Costs.of(self._rules.last.served.limits)
        return Ticket(
            id=self._ids.ticket(),
            instance=self._settings.name,
            live=self._instance.live,
            url=self._instance.url,
            order=order,
            summary=sentence(
                intent,
                worst,
                seen,
                gets=proceeds(intent, shown.book, costs, contract_size=case.contract_size),
                placed=placed,
                contract_size=case.contract_size,
            ),
            notional=None if worst is None else worst.amount,
            asset=None if worst is None else worst.asset,
            purpose=case.purpose,
            contract_size=case.contract_size,
            quote=quote_of(shown.book, now, costs.as_texts()),
            checks=verdict.checks,
            warnings=verdict.warnings if lost is None else (*verdict.warnings, lost),
            client=client,
            fingerprint=mark,
            repeat_of=order.repeat_of,
            created_at=now,
            expires_at=now + timedelta(seconds=ttl),
            boot=self._clock.boot_id(),
            deadline=self._clock.monotonic() + ttl,
            nonce_hash=hash_nonce(nonce),
        )

    async def _grant(self, write: Transaction, ticket: Ticket, shown: Survey) -> Actor | None:
        """Return the human's standing rule that covers this ticket, if there is one."""
        if self._sends_all:
            return AUTO
        intent = ticket.order.intent
        if isinstance(intent, Cancel):
            smart = self._rules.last.served.cancel == "smart" and await self._sender.doubt(write, intent, shown) is None
            return SMART_CANCEL if smart else None
        if self._rules.last.effective_mode is not Mode.AUTO or ticket.notional is None or ticket.asset is None:
            return None
        now = self._clock.now()
        for mandate in await write.mandates(self._settings.name, active_at=now):
            if covers(
                mandate,
                live=self._instance.live,
                url=self._instance.url,
                exchange=ticket.exchange,
                pair=ticket.pair,
                asset=ticket.asset,
                notional=ticket.notional,
                now=now,
            ):
                return Actor("mandate", mandate.id)
        return None

    async def _placed(self, write: Transaction, intent: Cancel) -> Ticket | None:
        """Return the ticket that placed the order of a cancel, if it went out through here and was found again."""
        found = await write.placed_as(self._settings.name, intent.exchange, intent.pair, intent.order_id)
        return protection.placed_as(intent, found)


class Pace:
    """A first brake on floods, in memory, before the market is asked; the ledger's own count decides.

    Counts what this process proposed within a minute, and what it is proposing right now.

    Places taken by proposals that are still being checked, and may yet be refused, count for that long.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._made: deque[float] = deque()
        self._under_way = 0

    @contextmanager
    def place(self, most: int, what: str) -> Generator[None]:
        """Hold one of `most` places while proposing; it is kept for a minute if that succeeds.

        Raises:
            LimitExceeded: all are taken.
        """
        started = self._monotonic()
        while self._made and self._made[0] <= started - _WINDOW:
            self._made.popleft()
        if len(self._made) + self._under_way >= most:
            raise too_many(most, what)
        self._under_way += 1
        try:
            yield
            self._made.append(self._monotonic())
        finally:
            self._under_way -= 1
