"""Passkeys: what a touch signs, and whether it did. Pure; `webauthn` is loaded when the first one is checked.

What is signed is SHA-256 over the deed's domain, a line feed, and the canonical content of what is decided: a touch
for one order counts for no other order, and for no other deed. User verification (a PIN, finger or face at the device)
is required; the counters of authenticators are not relied on: a ticket is decided once, whatever is played back.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from gunbot_mcp.errors import GunbotMcpError, Unauthorized, clean
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.content import canonical
from gunbot_mcp.tickets.ticket import Ticket

if TYPE_CHECKING:
    from gunbot_mcp.tickets.webauthn_calls import Webauthn

MOST_TEXT = 4096
"""No touch's JSON is longer."""
MOST_REGISTRATION = 16_384
LONGEST_NAME = 40
_B64 = re.compile(r"[A-Za-z0-9_-]{1,3000}")
_PARTS = ("authenticatorData", "clientDataJSON", "signature")


class Deed(StrEnum):
    """What a touch is for: the domain of what is signed."""

    APPROVE = "gunbot-mcp/approve/v1"
    MANDATE = "gunbot-mcp/mandate/v1"
    RESUME = "gunbot-mcp/resume/v1"
    RESOLVE = "gunbot-mcp/resolve/v1"
    REGISTER = "gunbot-mcp/register/v1"
    VOUCH = "gunbot-mcp/vouch/v1"
    REVOKE = "gunbot-mcp/revoke/v1"
    SESSION = "gunbot-mcp/session/v1"


class BadTouch(GunbotMcpError):
    """The touch does not count for this. Nothing was decided."""

    code = Unauthorized.code
    status = 403

    def __init__(self, why: str) -> None:
        super().__init__(f"the passkey's answer does not count: {why}; nothing was decided", "open the page again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A registered key. `rp` is the host that it belongs to, `live` whether it may count on live instances.

    `proof` is what let it in: `pin`, `passkey` (another one), or `none` (on paper, where no PIN was set).
    """

    id: str
    public_key: bytes = field(repr=False)
    sign_count: int
    origin: str
    rp: str
    name: str
    live: bool
    proof: str
    registered_at: datetime
    registered_by: Actor
    revoked_at: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the public key as the authenticator gave it (COSE), in hex."""
        return hashlib.sha256(self.public_key).hexdigest()

    @property
    def actor(self) -> Actor:
        return Actor("passkey", f"{self.name} ({self.fingerprint[:8]})")

    def counts(self, *, live: bool) -> bool:
        return self.revoked_at is None and (self.live or not live)


@dataclass(frozen=True, slots=True)
class Touch:
    """An authenticator's answer, and the origin of the page that asked for it. `said` is its JSON's members."""

    said: Mapping[str, Any]
    origin: str

    @property
    def passkey(self) -> str:
        """The id that the answer itself names; whose key it is must be looked up by it."""
        return str(self.said["rawId"])

    def facts(self, deed: Deed, content: str | None = None) -> dict[str, Any]:
        """Return how a ledger keeps it; with `content` where the event does not carry what was signed."""
        kept = {"deed": deed.value, "origin": self.origin, "answer": dict(self.said)}
        return kept if content is None else {**kept, "content": content}


def challenge_of(deed: Deed, content: str) -> bytes:
    """Return what a touch for this deed signs."""
    return hashlib.sha256(f"{deed.value}\n{content}".encode()).digest()


def settling(ticket: Ticket, *, placed: bool, order_id: str | None) -> str:
    """Return what a touch signs that settles a ticket by a human's word."""
    return canonical({"ticket": ticket.id, "digest": ticket.digest, "placed": placed, "order_id": order_id})


def fits(origin: str, rp: str) -> bool:
    """Return whether a page of this origin may ask for passkeys of this host: https, or localhost itself."""
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
    except ValueError:
        return False
    return host == rp and (parts.scheme == "https" or (parts.scheme, host) == ("http", "localhost"))


def parse_touch(text: str, origin: str) -> Touch:
    """Return the touch in an authenticator's JSON; what is not needed to check it is left out.

    Raises:
        BadTouch: it is no such JSON.
    """
    found = _members(text, MOST_TEXT)
    response = found.get("response")
    if not isinstance(response, dict):
        raise BadTouch("it is no answer of an authenticator")
    parts = cast("dict[str, Any]", response)
    values = [found.get("id"), found.get("rawId"), *(parts.get(name) for name in _PARTS)]
    if found.get("type") != "public-key" or not all(isinstance(one, str) and _B64.fullmatch(one) for one in values):
        raise BadTouch("it is no answer of an authenticator")
    said = {
        "id": found["id"],
        "rawId": found["rawId"],
        "type": "public-key",
        "response": {name: parts[name] for name in _PARTS},
    }
    return Touch(said, origin)


def touch_of(kept: object) -> Touch:
    """Return a touch that a ledger keeps.

    Raises:
        BadTouch: it is damaged.
    """
    if not isinstance(kept, dict):
        raise BadTouch("none was given")
    facts = cast("dict[str, Any]", kept)
    try:
        return parse_touch(json.dumps(facts["answer"]), str(facts["origin"]))
    except (KeyError, ValueError) as exc:
        raise BadTouch("it is damaged") from exc


@cache
def webauthn() -> "Webauthn":
    """Return the library's calls."""
    from gunbot_mcp.tickets.webauthn_calls import Webauthn  # noqa: PLC0415 - it takes 70 ms to load, and most processes see no passkey

    return Webauthn()


def check_touch(touch: Touch, challenge: bytes, passkey: Passkey) -> None:
    """Check that this passkey gave this touch for this challenge, at a page of its own address, with its user verified.

    Raises:
        BadTouch: it did not.
    """
    # The library ties neither id to the key.
    if not touch.said["id"] == touch.passkey == passkey.id:
        raise BadTouch("it names another passkey")
    if not fits(touch.origin, passkey.rp):
        raise BadTouch("it was given at another address")
    try:
        webauthn().check_answer(touch.said, passkey.public_key, challenge=challenge, rp=passkey.rp, origin=touch.origin)
    except ValueError as exc:
        raise BadTouch(clean(exc, 160) or "it cannot be read") from exc


def plain_name(text: str) -> str:
    """Return a passkey's name as it may be shown anywhere."""
    return clean(text, LONGEST_NAME).strip() or "passkey"


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def members_of_registration(text: str) -> dict[str, Any]:
    """Return a registration's JSON.

    Raises:
        BadTouch: it is none.
    """
    return _members(text, MOST_REGISTRATION)


def _members(text: str, most: int) -> dict[str, Any]:
    try:
        found: object = json.loads(text) if len(text) <= most else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadTouch("it is no answer of an authenticator")
    return cast("dict[str, Any]", found)
