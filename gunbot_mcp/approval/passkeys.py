"""Registering passkeys: what lets one in, the two steps at the authenticator, and what everybody is told of it.

What lets one in:

    there is none yet   the PIN; where no instance is live and no PIN is set, nothing: such a one counts on paper only
    there is one        a touch of one that counts, over the new one's content; no PIN does
    at the public url   a code that was made at a terminal, with what the two lines above ask for

Challenges are made and remembered here, for five minutes, in this process.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gunbot_mcp.approval.passkey_code import Code, forget, look_up
from gunbot_mcp.approval.pin import PinGate, has_pin
from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.ledger.passkeys import NotAllowed, content_of
from gunbot_mcp.tickets.channels import PAGE, TERMINAL
from gunbot_mcp.tickets.content import canonical
from gunbot_mcp.tickets.passkey import (
    BadTouch,
    Deed,
    Passkey,
    b64,
    challenge_of,
    members_of_registration,
    parse_touch,
    plain_name,
    unb64,
    webauthn,
)

if TYPE_CHECKING:
    from gunbot_mcp.clock import Clock
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.tickets.webauthn_calls import Made

NEW_FOR = timedelta(hours=24)
"""How long everybody is told of a new passkey, or of one that was revoked."""
_HOLDS = timedelta(minutes=5)
_MOST_BEGUN = 20


def request_options(deed: Deed, content: str, rp: str, passkeys: Sequence[Passkey]) -> dict[str, Any]:
    """Return what a browser needs to ask for a touch, as JSON: of one of these passkeys (none: of any for the host)."""
    return {
        "challenge": b64(challenge_of(deed, content)),
        "timeout": 60_000,
        "rpId": rp,
        "allowCredentials": [{"type": "public-key", "id": one.id} for one in passkeys],
        "userVerification": "required",
    }


def of_host(passkeys: Sequence[Passkey], rp: str, *, live: bool) -> list[Passkey]:
    """Return those that can be touched at a page of this host and count there."""
    return [one for one in passkeys if one.rp == rp and one.counts(live=live)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    name: str
    proof: str
    live: bool
    challenge: bytes
    at: datetime
    code: Code | None = None
    made: Passkey | None = None
    response: Mapping[str, Any] | None = None


class Registrar:
    """Registers passkeys of one address. `any_live`: an instance of the config is live."""

    def __init__(
        self, ledger: "Ledger", clock: "Clock", folder: Path, *, rp: str, origin: Callable[[], str], any_live: bool
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._folder = folder
        self._rp = rp
        self._origin = origin
        self._any_live = any_live
        self._begun: dict[str, _Begun] = {}

    @property
    def address(self) -> str:
        """The address of the page that registers them."""
        return f"{self._origin()}/passkeys"

    async def needs(self) -> str:
        """Return what lets a new one in here: `touch`, `pin` or `none`.

        Raises:
            ConfigInvalid: an instance is live, and no PIN is set.
        """
        known = await self._ledger.passkeys()
        if any(one.counts(live=True) for one in known):
            return "touch"
        if has_pin(self._folder):
            return "pin"
        if self._any_live:
            raise ConfigInvalid("the first passkey needs the PIN, and none is set", "gunbot-mcp pin")
        return "none"

    async def begin(self, name: str, *, pin: str = "", code: str | None = None) -> tuple[str, dict[str, Any]]:
        """Return the ceremony's id, and what the browser needs to make a passkey.

        Raises:
            GunbotMcpError: the PIN or the code is wrong, or there is none.
        """
        found = None
        if code is not None:
            found = look_up(self._folder, code, self._clock.now())
            proof, live = found.proof, found.live
        else:
            needs = await self.needs()
            if needs == "pin":
                gate = PinGate(self._ledger, self._folder, self._clock, live=True)
                await gate.verify(pin, actor=PAGE, ticket=None)
            proof, live = {"touch": ("passkey", True), "pin": ("pin", True), "none": ("none", False)}[needs]
        now, name = self._clock.now(), plain_name(name)
        said = canonical({"name": name, "rp": self._rp, "nonce": secrets.token_hex(16)})
        begun = _Begun(
            name=name, proof=proof, live=live, challenge=challenge_of(Deed.REGISTER, said), at=now, code=found
        )
        ceremony = secrets.token_urlsafe(24)
        self._begun[ceremony] = begun
        while len(self._begun) > _MOST_BEGUN:
            del self._begun[next(iter(self._begun))]
        return ceremony, await self._options(begun)

    async def _options(self, begun: _Begun) -> dict[str, Any]:
        # A device whose passkey was revoked may make another one.
        known = [one for one in await self._ledger.passkeys() if one.rp == self._rp and one.revoked_at is None]
        return webauthn().creation_options(
            rp=self._rp, user=begun.name, challenge=begun.challenge, known=[unb64(one.id) for one in known]
        )

    async def made(self, ceremony: str, text: str) -> Passkey | dict[str, Any]:
        """Take what the authenticator made; return the registered passkey, or what another one must be asked for.

        Raises:
            BadTouch: it was not made for this ceremony here. NotAllowed: something else lets it in.
        """
        begun = self._taken(ceremony)
        credential, response = _verified(text, begun.challenge, rp=self._rp, origin=self._origin())
        passkey = Passkey(
            id=b64(credential.id),
            public_key=credential.public_key,
            sign_count=credential.sign_count,
            origin=self._origin(),
            rp=self._rp,
            name=begun.name,
            live=begun.live,
            proof=begun.proof,
            registered_at=self._clock.now(),
            registered_by=PAGE if begun.code is None else TERMINAL,
        )
        if begun.proof == "passkey" and begun.code is None:
            able = of_host(await self._ledger.passkeys(), self._rp, live=True)
            if not able:
                raise NotAllowed(
                    "a further passkey needs a touch of one that counts, and none belongs to this address",
                    'with live_needs = "pin", gunbot-mcp passkey --revoke ends the others; then the PIN lets one in',
                )
            self._begun[ceremony] = replace(begun, made=passkey, response=response)
            return request_options(Deed.VOUCH, content_of(passkey, response), self._rp, able)
        async with self._ledger.write() as write:
            if begun.code is None:
                return await write.register_passkey(passkey, response)
            vouch = begun.code.vouch
            done = await write.register_passkey(passkey, response, vouch=vouch, said=begun.code.said)
            # A code lets one in, once: it goes before the new passkey counts.
            forget(self._folder, begun.code)
            return done

    async def vouched(self, ceremony: str, text: str) -> Passkey:
        """Take the touch of another passkey over what was made; return the registered passkey.

        Raises:
            BadTouch: it does not count.
        """
        begun = self._taken(ceremony)
        if begun.made is None or begun.response is None:
            raise BadTouch("nothing was made that it could vouch for")
        async with self._ledger.write() as write:
            return await write.register_passkey(begun.made, begun.response, vouch=parse_touch(text, self._origin()))

    def _taken(self, ceremony: str) -> _Begun:
        """Return what was begun; each step is taken once."""
        begun = self._begun.pop(ceremony, None)
        if begun is None or not timedelta(0) <= self._clock.now() - begun.at <= _HOLDS:
            raise BadTouch("it was not asked for, or too long ago")
        return begun


def _verified(text: str, challenge: bytes, *, rp: str, origin: str) -> "tuple[Made, dict[str, str]]":
    said = members_of_registration(text)
    try:
        made = webauthn().check_registration(said, challenge=challenge, rp=rp, origin=origin)
    except ValueError as exc:
        raise BadTouch(clean(exc, 160) or "it cannot be read") from exc
    if said.get("rawId") != b64(made.id):
        raise BadTouch("it names another passkey than it made")
    # The library read both of them.
    return made, {name: str(said["response"][name]) for name in ("attestationObject", "clientDataJSON")}


_LET_IN = {"pin": "with the PIN", "passkey": "with another passkey", "none": "without a PIN, for paper only"}


def news(passkeys: Sequence[Passkey], now: datetime) -> tuple[str, ...]:
    """Return what every page tells for a day: new passkeys, and those that no longer count."""
    told: list[str] = []
    for one in passkeys:
        if now - one.registered_at < NEW_FOR:
            how = _LET_IN.get(one.proof, "")
            told.append(f'Passkey "{one.name}" ({one.fingerprint[:8]}) was registered {_when(one.registered_at)} {how}')
        if one.revoked_at is not None and now - one.revoked_at < NEW_FOR:
            told.append(f'Passkey "{one.name}" ({one.fingerprint[:8]}) was revoked {_when(one.revoked_at)}')
    return tuple(told)


def _when(at: datetime) -> str:
    return f"at {at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Fact:
    """For `doctor`. `well`: True good, None worth knowing, False broken."""

    well: bool | None
    what: str
    detail: str


def facts(
    passkeys: Sequence[Passkey], now: datetime, *, live: bool, live_needs: str, public_url: str = ""
) -> list[Fact]:
    """Return what there is to say about passkeys on an instance. Pure."""
    active = [one for one in passkeys if one.revoked_at is None]
    counting = [one for one in active if one.counts(live=live)]
    names = ", ".join(f"{one.name} at {one.rp}, SHA-256 {one.fingerprint}" for one in counting)
    found = [Fact(True, "passkeys", f"{len(counting)}: {names}")] if counting else []
    if not counting and live and live_needs == "passkey":
        none = "live_needs is passkey, and none counts, so nothing can be approved; gunbot-mcp passkey"
        found.append(Fact(False, "passkeys", none))
    elif not counting:
        found.append(Fact(None, "passkeys", "none; gunbot-mcp passkey registers one, and a touch then approves"))
    host = urlsplit(public_url).hostname
    if public_url and not any(one.rp == host for one in active):
        nobody = f"no passkey belongs to {public_url}, so nobody can sign in: gunbot-mcp passkey --public"
        found.append(Fact(None, "public url", nobody))
    return [*found, *(Fact(None, "passkeys", text) for text in news(passkeys, now))]
