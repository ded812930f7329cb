"""Proposing: an order is checked on fresh facts and written down as a ticket. Nothing is sent here."""

from __future__ import annotations

import secrets
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from gunbot_mcp.config import Mode, Settings
from gunbot_mcp.domain import Cancel, Intent, side_of
from gunbot_mcp.guard import cancels, market
from gunbot_mcp.guard.checks import check_all, check_static, too_many
from gunbot_mcp.tickets.content import fingerprint, hash_nonce, intent_of, new_id, quote_of, stored_arguments
from gunbot_mcp.tickets.mandate import covers
from gunbot_mcp.tickets.sentences import sentence
from gunbot_mcp.tickets.ticket import Ticket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from gunbot_mcp.arguments import Args
    from gunbot_mcp.clock import Clock
    from gunbot_mcp.endpoints import AnyEndpoint
    from gunbot_mcp.guard.case import Checks
    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.gunbot.records import Book, OpenOrder
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.ledger.transaction import Write


_WINDOW = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A new ticket. `nonce` proves, to the human's own channel only, which proposal an answer belongs to.

    `grant` names the standing rule that lets this order go without asking (None: a human must approve).
    `mandate` is the id of the mandate that covers it.
    """

    ticket: Ticket
    nonce: str = field(repr=False)
    grant: str | None = None
    mandate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the market showed: the book for an order, the order itself for a cancel."""

    book: Book | None = None
    order: OpenOrder | None = None


class Proposer:
    """Makes one instance's tickets."""

    def __init__(
        self,
        *,
        settings: Settings,
        gunbot: Gunbot,
        ledger: Ledger,
        checks: Checks,
        clock: Clock,
        tidy: Callable[[], Awaitable[None]],
    ) -> None:
        """`tidy` settles what dead processes left half-way, so that it counts."""
        self._settings = settings
        self._instance = settings.served
        self._gunbot = gunbot
        self._ledger = ledger
        self._checks = checks
        self._clock = clock
        self._tidy = tidy
        self._pace = {"orders": Pace(clock.monotonic), "cancels": Pace(clock.monotonic)}

    async def propose(self, endpoint: AnyEndpoint, args: Args, *, client: str) -> Proposal:
        """Check an order and make its ticket.

        Raises:
            Refused: a check failed. GatewayError: the market cannot be asked. LedgerUnavailable: no ticket can be kept.
        """
        intent = intent_of(endpoint, args)
        check_static(self._checks.case(endpoint, intent))
        what = "cancels" if isinstance(intent, Cancel) else "orders"
        with self._pace[what].place(self._instance.limits.orders_per_minute, what):
            await self._tidy()
            seen = await self._look(intent)
            nonce = secrets.token_urlsafe(24)
            async with self._ledger.write() as write:
                ticket = await self._write_down(write, endpoint, args, seen, client=client, nonce=nonce)
                grant, mandate = await self._grant(write, ticket, intent, seen.order)
        return Proposal(ticket=ticket, nonce=nonce, grant=grant, mandate=mandate)

    async def _look(self, intent: Intent) -> _Seen:
        if isinstance(intent, Cancel):
            return _Seen(order=cancels.find(intent, await market.open_orders_of(self._gunbot, intent)))
        return _Seen(book=await market.book_of(self._gunbot, intent, paper=not self._instance.live))

    async def _write_down(
        self, write: Write, endpoint: AnyEndpoint, args: Args, seen: _Seen, *, client: str, nonce: str
    ) -> Ticket:
        intent = intent_of(endpoint, args)
        mark = fingerprint(self._settings.name, self._instance.url, endpoint.name, args)
        repeat_of: str | None = getattr(args, "repeat_of", None)
        case = await self._checks.facts(write, endpoint, intent, seen.book, mark=mark, repeat_of=repeat_of)
        verdict = check_all(case)
        now, ttl = self._clock.now(), self._settings.approval.ttl
        worst = verdict.notional
        ticket = Ticket(
            id=new_id(),
            instance=self._settings.name,
            live=self._instance.live,
            tool=endpoint.name,
            arguments=stored_arguments(args),
            exchange=intent.exchange,
            pair=intent.pair,
            side="cancel" if isinstance(intent, Cancel) else side_of(intent).value,
            summary=sentence(intent, worst, seen.order),
            notional=None if worst is None else worst.amount,
            asset=None if worst is None else worst.asset,
            quote=quote_of(seen.book, now),
            checks=verdict.checks,
            warnings=verdict.warnings,
            client=client,
            fingerprint=mark,
            repeat_of=repeat_of,
            created_at=now,
            expires_at=now + timedelta(seconds=ttl),
            boot=self._clock.boot_id(),
            deadline=self._clock.monotonic() + ttl,
            nonce_hash=hash_nonce(nonce),
        )
        await write.add(ticket, client)
        return ticket

    async def _grant(
        self, write: Write, ticket: Ticket, intent: Intent, seen: OpenOrder | None
    ) -> tuple[str | None, str | None]:
        """Return the standing rule of the human's that covers this ticket, if there is one."""
        mode = self._settings.effective_mode
        if mode is Mode.AUTO and not self._instance.live:
            return "mode auto (paper)", None
        if isinstance(intent, Cancel):
            smart = self._instance.cancel == "smart" and await self._is_entry(write, intent, seen)
            return ("smart cancel rule (a visible entry order)", None) if smart else (None, None)
        if mode is not Mode.AUTO or ticket.notional is None or ticket.asset is None:
            return None, None
        now = self._clock.now()
        for mandate in await write.mandates(self._settings.name, active_at=now):
            if covers(
                mandate,
                exchange=ticket.exchange,
                pair=ticket.pair,
                asset=ticket.asset,
                notional=ticket.notional,
                now=now,
            ):
                return f"mandate {mandate.id}", mandate.id
        return None, None

    async def _is_entry(self, write: Write, intent: Cancel, seen: OpenOrder | None) -> bool:
        if seen is None or not cancels.is_entry(intent, seen):
            return False
        since = self._clock.now() - cancels.REMEMBERED
        return not cancels.was_more(seen, await write.sent_on(self._settings.name, intent.exchange, intent.pair, since))


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
        """Hold one of `most` places while proposing; it is kept for a minute if that ends well.

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
