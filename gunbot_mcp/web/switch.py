"""The kill switch on the front page: halting needs nobody's proof, going on needs what approving needs.

POST /halt     token                     stop all trading of this user and of this state folder
POST /resume   token, pin, ceremony, touch
"""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gunbot_mcp.approval.passkeys import of_host, request_options
from gunbot_mcp.approval.pin import LONGEST, has_pin
from gunbot_mcp.clock import Clock
from gunbot_mcp.config import Settings
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.guard import halt
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.reload import Rules
from gunbot_mcp.tickets.channels import PAGE
from gunbot_mcp.tickets.content import canonical, instant_text
from gunbot_mcp.tickets.passkey import Deed, parse_touch
from gunbot_mcp.web import gate
from gunbot_mcp.web.ways import Gate

_MOST_BEGUN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What the front page shows. `touch` is what a browser needs to ask for one (JSON); `plain`: a form counts."""

    token: str = field(repr=False)
    pin: bool
    plain: bool
    touch: str | None
    ceremony: str
    longest: int = LONGEST


class Halts:
    """The switch of one state folder, as its page shows and moves it."""

    def __init__(
        self,
        *,
        settings: Settings,
        rules: Rules,
        folder: Path,
        ledger: Ledger,
        clock: Clock,
        pin_gate: Gate,
        origin: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._folder = folder
        self._ledger = ledger
        self._clock = clock
        self._pin_gate = pin_gate
        self._origin = origin
        self._token = secrets.token_hex(32)
        self._begun: dict[str, str] = {}

    async def shown(self, *, here: bool) -> Switch:
        """Return its forms; `here`: the page is at the address that passkeys belong to."""
        reason = halt.halted(self._folder)
        able = of_host(await self._ledger.passkeys(), "localhost", live=self._any_live) if reason and here else []
        ceremony, touch = "", None
        if reason and able:
            ceremony = secrets.token_urlsafe(24)
            said = {"resume": reason, "at": instant_text(self._clock.now()), "nonce": secrets.token_hex(16)}
            self._begun[ceremony] = canonical(said)
            while len(self._begun) > _MOST_BEGUN:
                del self._begun[next(iter(self._begun))]
            touch = json.dumps(request_options(Deed.RESUME, self._begun[ceremony], "localhost", able))
        plain = not self._only_touch and (has_pin(self._folder) or not self._any_live)
        return Switch(token=self._token, pin=has_pin(self._folder), plain=plain, touch=touch, ceremony=ceremony)

    def check(self, token: str) -> None:
        """Raises NotOurs: the form is not of this process's page."""
        if not hmac.compare_digest(self._token.encode(), token.encode()):
            raise gate.NotOurs("this form is out of date; nothing was done", "open the front page again")

    async def halt(self) -> None:
        """Throw both switches, and tell a shared ledger.

        Raises:
            ConfigInvalid: the user's switch could not be thrown.
        """
        reason = "halted on the approval page"
        # The user's may be out of reach where the home's is not: each is tried.
        try:
            halt.throw(halt.users_switch(), reason)
        finally:
            halt.halt(self._folder, reason)
        if self._settings.ledger.url.get_secret_value():
            async with self._ledger.write() as write:
                await write.halt(reason, PAGE)

    async def resume(self, form: Mapping[str, str]) -> None:
        """Go on, for who proves to be the human.

        Raises:
            GunbotMcpError: the PIN or the touch is missing or wrong; all stays halted.
        """
        shared = bool(self._settings.ledger.url.get_secret_value())
        if touched := form.get("touch"):
            said = self._begun.pop(form.get("ceremony", ""), None)
            if said is None:
                raise gate.NotOurs("this form is out of date; all stays halted", "open the front page again")
            touch = parse_touch(touched, self._origin())
            async with self._ledger.write() as write:
                by = (await write.proven(touch, Deed.RESUME, said, live=self._any_live)).actor
                if shared:
                    await write.lift_halts(by, touch, said)
                else:
                    await write.event("resumed", actor=by, detail={"touch": touch.facts(Deed.RESUME, said)})
        else:
            await self._by_pin(form.get("pin", ""))
            if shared:
                async with self._ledger.write() as write:
                    await write.lift_halts(PAGE)
        # The switches come last: where the ledger's halt cannot be lifted, all stays halted.
        halt.resume(self._folder)
        halt.lift(halt.users_switch())

    async def _by_pin(self, pin: str) -> None:
        if self._only_touch:
            raise gate.NotOurs("only a touch of your passkey lets trading go on; all stays halted", "touch it")
        if self._any_live and not has_pin(self._folder):
            raise ConfigInvalid("letting live orders go on needs a PIN, and none is set", "gunbot-mcp pin")
        if has_pin(self._folder):
            if not pin:
                raise gate.NoPin("going on needs your PIN; all stays halted", "type it beside Resume")
            await self._pin_gate.verify(pin, actor=PAGE, ticket=None)

    @property
    def _any_live(self) -> bool:
        return any(instance.live for instance in self._settings.instances.values())

    @property
    def _only_touch(self) -> bool:
        return self._any_live and self._rules.last.approval.live_needs == "passkey"
