"""What approving a ticket needs on a page: a touch, the PIN, a click; or why nobody can approve it there."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from gunbot_mcp.approval.passkeys import of_host, request_options
from gunbot_mcp.approval.pin import has_pin
from gunbot_mcp.config import Settings
from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError, Halted, PriceOutOfBand
from gunbot_mcp.guard.halt import halted
from gunbot_mcp.guard.market import BookView
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.reload import Rules
from gunbot_mcp.tickets.channels import PAGE, Actor
from gunbot_mcp.tickets.passkey import Deed, Passkey
from gunbot_mcp.tickets.ticket import Ticket
from gunbot_mcp.tickets.ways import needs_pin
from gunbot_mcp.web.frame import kind_word
from gunbot_mcp.web.view_model import Form


class Gate(Protocol):
    """What checks a PIN: `approval.pin.PinGate`."""

    async def verify(self, pin: str, *, actor: Actor, ticket: str | None) -> None: ...

    async def wait(self) -> timedelta: ...


class Ways:
    """The ways to approve the tickets of one instance at one address: the loopback one, or the `public` url."""

    def __init__(
        self,
        *,
        settings: Settings,
        rules: Rules,
        folder: Path,
        ledger: Ledger,
        pin_gate: Gate,
        port: Callable[[], int | None],
        public: str,
        ours: Callable[[], bool],
    ) -> None:
        """`ours` says whether `localhost`, at that port, leads here and nowhere else."""
        self._settings = settings
        self._rules = rules
        self.folder = folder
        self._ledger = ledger
        self._pin_gate = pin_gate
        self._port = port
        self._public = public
        self._ours = ours
        self.rp = urlsplit(public).hostname or "localhost"

    async def form(
        self, ticket: Ticket, token: str, *, here: bool, from_outside: bool = False, book: BookView | None = None
    ) -> Form:
        """Return how to decide; `here`: the page is at the address that passkeys belong to.

        In the market of `book` the order may be one that would not be sent; then nobody is asked to approve it. What is
        out of the ordinary is never asked for at once, nor is anything that a page led to: see `gate.is_from_outside`.
        """
        able = await self.able(ticket)
        asked = request_options(Deed.APPROVE, ticket.content, self.rp, able)
        ordinary = not ticket.warnings and book is not None and book.note is None
        return Form(
            token=token,
            pin=self.needs_pin(ticket),
            locked=await self.locked(ticket),
            obstacle=self.obstacle(ticket, able, book),
            plain=self.plain(ticket) and (has_pin(self.folder) or not ticket.live),
            touch=json.dumps(asked) if able and here else None,
            at_once=from_outside and ordinary and self._rules.last.approval.touch_at_once,
            elsewhere=f"{self.origin()}/tickets/{ticket.id}" if able and not here and self._ours() else None,
        )

    def needs_pin(self, ticket: Ticket) -> bool:
        live = ticket.live or self._settings.served.live
        return self.plain(ticket) and needs_pin("page", live=live, pin_set=has_pin(self.folder))

    def plain(self, ticket: Ticket) -> bool:
        """Return whether the form counts here without a touch."""
        live = ticket.live or self._settings.served.live
        return not self._public and PAGE.row.suffices(live=live, needs=self._rules.last.approval.live_needs)

    async def able(self, ticket: Ticket) -> list[Passkey]:
        """Return the passkeys that can approve this ticket at this address."""
        return of_host(await self._ledger.passkeys(), self.rp, live=ticket.live or self._settings.served.live)

    def origin(self) -> str:
        """Return the address at which this page asks for touches: the browser says which one it was asked at."""
        return self._public or f"http://localhost:{self._port()}"

    async def locked(self, ticket: Ticket) -> int:
        """Return for how many more minutes no PIN is read, after too many wrong ones on any channel; 0 if it is."""
        if not self.needs_pin(ticket):
            return 0
        return -(-await self._pin_gate.wait() // timedelta(minutes=1))

    def obstacle(self, ticket: Ticket, able: list[Passkey], book: BookView | None = None) -> GunbotMcpError | None:
        """Return why nobody can approve this ticket here and now, whatever is typed."""
        if ticket.live is not self._settings.served.live:
            return ConfigInvalid(
                f"this ticket is for a {kind_word(live=ticket.live)} instance, and {ticket.instance} is now "
                f"{kind_word(live=not ticket.live)}",
                "reject it and let it be proposed again",
            )
        if not able and not self.plain(ticket):
            how = f"gunbot-mcp passkey{' --public' if self._public else ''}"
            return ConfigInvalid(
                "a touch of a passkey approves this, and none that counts belongs to this address", how
            )
        if ticket.live and not has_pin(self.folder) and not able:
            return ConfigInvalid("approving live orders here needs a PIN, and none is set", "gunbot-mcp pin")
        if not self._rules.last.approval.page:
            return ConfigInvalid("the config has switched this page off", f"gunbot-mcp approve {ticket.id}")
        if (reason := halted(self.folder)) is not None:
            return Halted(f"trading is halted: {reason}", "gunbot-mcp resume")
        return None if book is None else _moved(book)


def _moved(book: BookView) -> GunbotMcpError | None:
    """Return why the order would not be sent into the market of now."""
    if book.refused is None:
        return None
    return PriceOutOfBand(f"{book.refused}: this would not be sent", "this page looks again every few seconds")
