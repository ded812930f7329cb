"""The facts for the guard's checks, gathered inside one transaction, in which nobody else can change them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from gunbot_mcp.domain import Cancel, Intent, side_of
from gunbot_mcp.errors import TicketClosed
from gunbot_mcp.guard.checks import Case
from gunbot_mcp.guard.halt import halted
from gunbot_mcp.tickets.content import fingerprint, parse_stored

if TYPE_CHECKING:
    from pathlib import Path

    from gunbot_mcp.clock import Clock
    from gunbot_mcp.config import Settings
    from gunbot_mcp.endpoints import AnyEndpoint
    from gunbot_mcp.exchanges import CapabilityMatrix
    from gunbot_mcp.gunbot.records import Book
    from gunbot_mcp.ledger.transaction import Write
    from gunbot_mcp.tickets.ticket import Ticket

_CLOCK_SLACK = timedelta(seconds=5)


class Checks:
    """Makes the cases that `policy` judges, for one instance."""

    def __init__(self, *, settings: Settings, matrix: CapabilityMatrix, clock: Clock, folder: Path) -> None:
        self._settings = settings
        self._instance = settings.served
        self._matrix = matrix
        self._clock = clock
        self._folder = folder

    def case(self, endpoint: AnyEndpoint, intent: Intent) -> Case:
        """Return the case as far as it can be judged without asking the market or the ledger."""
        return Case(
            tool=endpoint.name,
            intent=intent,
            needs=endpoint.needs,
            mode=self._settings.effective_mode,
            live=self._instance.live,
            limits=self._instance.limits,
            matrix=self._matrix,
            halted=halted(self._folder),
        )

    async def facts(
        self,
        write: Write,
        endpoint: AnyEndpoint,
        intent: Intent,
        book: Book | None,
        *,
        mark: str | None = None,
        repeat_of: str | None = None,
        exclude: str | None = None,
    ) -> Case:
        """Return the case as it stands inside this transaction, in which nobody else can change it."""
        name, now, new = self._settings.name, self._clock.now(), exclude is None
        minute = now - timedelta(minutes=1)
        if isinstance(intent, Cancel):
            count = await write.count_since(name, minute, cancels=True) if new else 0
            return replace(self.case(endpoint, intent), minute_count=count)
        asset = intent.pair.partition("-")[0]
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        totals = await write.totals(name, asset, day, exclude=exclude)
        lock = await write.lock(name, intent.exchange, intent.pair, side_of(intent).value)
        window = timedelta(seconds=self._instance.limits.duplicate_seconds)
        twin = await write.twin(name, mark, now - window) if new and mark is not None and window else None
        return replace(
            self.case(endpoint, intent),
            book=book,
            day_notional={asset: totals.notional},
            day_count=totals.count,
            minute_count=await write.count_since(name, minute) if new else 0,
            twin=None if twin is None else twin.id,
            repeat_of=repeat_of,
            lock=None if lock is None else lock.id,
        )

    def out_of_date(self, ticket: Ticket) -> TicketClosed | None:
        """Return why the ticket must not be sent any more, whatever the checks say."""
        if self.is_expired(ticket):
            return TicketClosed("it expired between approval and sending", "propose it again")
        if ticket.live is not self._instance.live:
            was, now = ("live", "paper") if ticket.live else ("paper", "live")
            return TicketClosed(f"it was proposed to a {was} instance, and {ticket.instance} is {now} now", "")
        if ticket.fingerprint != fingerprint(
            self._settings.name, self._instance.url, ticket.tool, parse_stored(ticket)
        ):
            return TicketClosed(f"it was proposed to another Gunbot than {ticket.instance} is now", "propose it again")
        return None

    def is_expired(self, ticket: Ticket) -> bool:
        """Return whether its time is up, by either clock; a wall clock that was set back ends it, too."""
        now = self._clock.now()
        if now >= ticket.expires_at or now < ticket.created_at - _CLOCK_SLACK:
            return True
        return ticket.boot == self._clock.boot_id() and self._clock.monotonic() >= ticket.deadline
