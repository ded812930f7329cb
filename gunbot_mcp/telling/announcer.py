"""Who is told what, and when: the first ticket at once, then at most one notice in a while, each thing once.

Several processes may hold tickets of one instance. Which of them speaks is decided in the ledger: a notice about a
ticket is claimed in the table `notices`, the right to speak now is the lease `notices`, which lasts for the pause. Who
does not get it waits until it may have ended; by then another process has spoken for this ticket, too, or nobody has.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from gunbot_mcp.errors import GunbotMcpError, clean
from gunbot_mcp.telling.browser import open_page
from gunbot_mcp.telling.targets import Notice, Targets
from gunbot_mcp.tickets.channels import Speaker
from gunbot_mcp.tickets.outcome import brief_of, outcome_of
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.tickets.view import kind_of, seconds_left

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gunbot_mcp.clock import Clock
    from gunbot_mcp.config import Settings
    from gunbot_mcp.ledger.ledger import Ledger

logger = logging.getLogger(__name__)

PAUSE = timedelta(seconds=30)
LEASE = "notices"
WAITS, OPENED, SEEN = "waits", "opened", "seen"
_TITLE = "gunbot-mcp"
_TURN_SECONDS = 5.0
"""How often whoever may not speak yet asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an announcer works with. `later` runs what nobody waits for; `sleep` and `show` are seams."""

    settings: Settings
    ledger: Ledger
    clock: Clock
    later: Callable[[Callable[[], Awaitable[None]]], None]
    targets: Targets
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    show: Callable[[str], bool] = field(default=open_page)


class Announcer:
    """Tells the human of one instance. Nothing here is ever waited for by an order, and nothing here raises."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._instance = told.settings.name
        self._links: dict[str, str] = {}
        self._waiting = False
        self._arrived = 0

    # A ticket waits

    def waits(self, ticket: Ticket, page: str | None) -> None:
        """A ticket waits for a human, whose page this is (None: there is none)."""
        if page is not None:
            self._links[ticket.id] = page
            if self._told.settings.approval.open == "browser":
                self._told.later(lambda: self._quietly(self._open(ticket, page)))
        self._arrived += 1
        if self._told.targets and not self._waiting:
            self._waiting = True
            self._told.later(lambda: self._quietly(self._announce()))

    async def _open(self, ticket: Ticket, page: str) -> None:
        # A process that answers one call and ends still shows its ticket.
        with anyio.CancelScope(shield=True):
            async with self._told.ledger.write() as write:
                # One that was opened and not yet seen leads to this ticket as well.
                if await write.unseen(self._instance, OPENED, SEEN):
                    return
                if not await write.notice(ticket.id, OPENED, _owner()):
                    return
            if not self._told.show(page):
                logger.info("no browser could be started to show %s", page)

    async def _announce(self) -> None:
        """Speak for every ticket that waits and was not spoken of, now or when the pause is over."""
        try:
            while True:
                arrived = self._arrived
                # A process that answers one call and ends still speaks for its ticket.
                with anyio.CancelScope(shield=True):
                    await self._speak()
                left = await self._unspoken()
                # Who arrived while the ledger was read is perhaps not in the answer, and nobody else begins for it.
                if self._arrived == arrived:
                    if not left:
                        break
                    await self._told.sleep(_TURN_SECONDS)
        finally:
            self._waiting = False

    async def _speak(self) -> None:
        claimed = await self._claim(_owner())
        if claimed:
            await self._hand_over(self._words(claimed))

    async def _unspoken(self) -> list[Ticket]:
        known = set(self._links)
        pending = await self._told.ledger.list(self._instance, states={State.PENDING}, limit=None)
        now = self._told.clock.now()
        alive = [ticket for ticket in pending if ticket.expires_at > now]
        spoken = await self._told.ledger.noticed(WAITS, [ticket.id for ticket in alive])
        for gone in known - {ticket.id for ticket in alive}:
            self._links.pop(gone, None)
        return [ticket for ticket in alive if ticket.id not in spoken]

    async def _claim(self, me: str) -> list[Ticket]:
        """Return the tickets to speak for now; none while another notice is too fresh."""
        found = await self._unspoken()
        async with self._told.ledger.write() as write:
            if not found or not await write.lease(LEASE, self._instance, me, PAUSE):
                return []
            return [ticket for ticket in found if await write.notice(ticket.id, WAITS, me)]

    def _words(self, tickets: list[Ticket]) -> Notice:
        live = any(ticket.live for ticket in tickets)
        kind = "LIVE" if live else "PAPER"
        if len(tickets) > 1:
            words = f"{len(tickets)} orders wait ({kind})"
            return Notice(title=_TITLE, short=words, full=words, link=self._link(tickets[0]).rpartition("/tickets/")[0])
        ticket = tickets[0]
        left = seconds_left(ticket, self._told.clock.now())
        full = f"waits for you: {clean(ticket.summary, 300)}, {kind}, {left} s"
        return Notice(title=_TITLE, short=f"An order waits ({kind})", full=full, link=self._link(ticket))

    # What became of it

    def changed(self, ticket: Ticket) -> None:
        """Something became known of a ticket's fate."""
        kind = _news(ticket)
        if kind is not None and self._told.targets:
            self._told.later(lambda: self._quietly(self._tell(ticket, kind)))

    async def _tell(self, ticket: Ticket, kind: str) -> None:
        async with self._told.ledger.write() as write:
            if not await write.notice(ticket.id, kind, _owner()):
                return
        outcome = outcome_of(ticket)
        last = next((clean(line, 300) for line in reversed(outcome.lines) if line), "")
        full = f"{clean(outcome.title, 200)}: {clean(ticket.summary, 300)}. {last}"
        notice = Notice(title=_TITLE, short=f"{brief_of(ticket)} ({kind_of(ticket)})", full=full)
        with anyio.CancelScope(shield=True):
            await self._hand_over(notice)

    # Handing over

    def _link(self, ticket: Ticket) -> str:
        approval = self._told.settings.approval
        # Where the human is: a phone cannot open what is on this machine's loopback.
        link = f"{approval.public_url}/tickets/{ticket.id}" if approval.public_url else self._links.get(ticket.id, "")
        return f"{link}#touch" if link and approval.touch_at_once else link

    async def _hand_over(self, notice: Notice) -> None:
        for target, wrong in (await self._told.targets.hand_over(notice)).items():
            logger.warning("approval.notify, target %s: %s", target, wrong)

    async def _quietly(self, work: Awaitable[None]) -> None:
        try:
            await work
        except GunbotMcpError as exc:
            logger.warning("nobody was told: %s", exc.code)


async def seen(ledger: Ledger, ticket_id: str) -> None:
    """A human looks at a ticket's page: the browser may be opened again for what comes after it."""
    if await ledger.noticed(OPENED, [ticket_id]) and not await ledger.noticed(SEEN, [ticket_id]):
        async with ledger.write() as write:
            await write.notice(ticket_id, SEEN, _owner())


def _owner() -> str:
    """Return a name that no other notice has: also within a process, each one competes for its turn."""
    return f"notice-{secrets.token_hex(8)}"


def _news(ticket: Ticket) -> str | None:
    """Return the kind of notice that a ticket's state deserves: what a human approved and need not have watched."""
    if ticket.decided_by is None or (ticket.decided_by.row.speaks_for is not Speaker.HUMAN and not ticket.live):
        return None
    if ticket.state in {State.REJECTED, State.UNKNOWN, State.VOID}:
        return ticket.state.value
    seen = ticket.observed
    return "filled" if seen is not None and seen.sure and seen.state == "filled" else None
