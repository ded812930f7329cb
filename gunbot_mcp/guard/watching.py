"""Following orders to their end in the background, so that the ledger knows what became of them when somebody asks.

One process reads for an instance, by a lease in the ledger; the others look again when the lease may have ended. All
orders of one pair share a look. Nothing is read where nothing is followed, and a Gunbot that is away is left alone.
What a process does not get to is left to the next look of any process.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from gunbot_mcp.errors import GatewayError, GunbotMcpError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from gunbot_mcp.clock import Clock
    from gunbot_mcp.guard.following import Follower
    from gunbot_mcp.guard.timing import Timing
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.tickets.ticket import Ticket

logger = logging.getLogger(__name__)

LEASE = "following"


class Watcher:
    """The background reader of one instance. `sleep` is a seam."""

    def __init__(
        self,
        *,
        instance: str,
        owner: str,
        ledger: Ledger,
        follower: Follower,
        clock: Clock,
        timing: Timing,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._instance = instance
        self._owner = owner
        self._ledger = ledger
        self._follower = follower
        self._clock = clock
        self._timing = timing
        self._sleep = sleep
        self._looked: dict[str, float] = {}
        self._leased_until = float("-inf")
        self._away_until = float("-inf")

    async def run(self) -> None:
        """Follow until cancelled; the first look comes after the first pause."""
        if not self._timing.looks:
            return
        while True:
            await self._sleep(self._timing.follow_young)
            try:
                await self.turn()
            except GunbotMcpError as exc:
                logger.info("following orders: %s", exc.code)

    async def turn(self) -> None:
        """Look once at everything that is due.

        Raises:
            LedgerUnavailable: what is due stays due.
        """
        due = await self._due()
        if not due or not await self._has_lease():
            return
        for place, tickets in due.items():
            if self._clock.monotonic() < self._away_until or not await self._has_lease():
                return
            await self._look(place, tickets)

    async def _look(self, place: tuple[str, str], tickets: list[Ticket]) -> None:
        now = self._clock.monotonic()
        self._looked |= {ticket.id: now for ticket in tickets}
        try:
            seen = await self._follower.see(*place, between=lambda: self._sleep(self._timing.between_requests))
        except GatewayError as exc:
            logger.info("following orders on %s/%s: %s", *place, exc.code)
            if not exc.delivered or exc.retryable:
                self._away_until = self._clock.monotonic() + self._timing.away
            await self._sleep(self._timing.between_requests)
            return
        for ticket in tickets:
            await self._follower.record(ticket, seen)

    async def _due(self) -> dict[tuple[str, str], list[Ticket]]:
        """Return the tickets whose time has come, by exchange and pair, the youngest first."""
        if self._clock.monotonic() < self._away_until:
            return {}
        now = self._clock.now()
        found = await self._ledger.unfinished(self._instance, now - timedelta(seconds=self._timing.followed_for))
        followed = [ticket for ticket in found if self._follower.can_look(ticket)]
        self._looked = {ticket.id: self._looked[ticket.id] for ticket in followed if ticket.id in self._looked}
        due: dict[tuple[str, str], list[Ticket]] = {}
        for place in _places(reversed(followed)):
            here = [ticket for ticket in followed if (ticket.exchange, ticket.pair) == place]
            if any(self._is_due(ticket) for ticket in here):
                due[place] = here
        return due

    def _is_due(self, ticket: Ticket) -> bool:
        looked = self._looked.get(ticket.id)
        return looked is None or self._clock.monotonic() - looked >= self._every(ticket)

    def _every(self, ticket: Ticket) -> float:
        timing = self._timing
        age = 0.0 if ticket.sent_at is None else (self._clock.now() - ticket.sent_at).total_seconds()
        if age < timing.young:
            return timing.follow_young
        return timing.follow_old if age < timing.old else timing.follow_oldest

    async def _has_lease(self) -> bool:
        """Take or renew the lease; it is written down again only when half of it has passed."""
        now, lasts = self._clock.monotonic(), self._timing.lease
        if now >= self._leased_until:
            async with self._ledger.write() as write:
                taken = await write.lease(LEASE, self._instance, self._owner, timedelta(seconds=lasts))
            if not taken:
                return False
            self._leased_until = now + lasts / 2
        return True


def _places(tickets: Iterable[Ticket]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((ticket.exchange, ticket.pair) for ticket in tickets))
