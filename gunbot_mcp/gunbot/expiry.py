"""Until when a token is good, as the token itself says it. Read, never verified: only Gunbot can do that.

Gunbot's tokens are JSON Web Tokens, from its GUI and from its login alike; their payload is base64, not encrypted.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from pydantic_core import from_json

from gunbot_mcp.instance import Instance

_LONGEST = 16_384
_PARTS = 3
_MILLISECONDS = 10**11
"""What is above was counted in milliseconds: in seconds it would be the year 5138."""

SOON = timedelta(days=14)
"""When a human is told: Gunbot's own tokens live for about 900 days."""

Source = Literal["token", "token_file", "token_keyring", "password", "none"]
"""The key of the config that the token comes from; `GUNBOT_TOKEN` is `token`, a login of ours `password`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Facts about a token, without the token. None: not said, or not known yet (before the first login)."""

    source: Source
    issued_at: datetime | None = None
    expires_at: datetime | None = None

    def left(self, now: datetime) -> timedelta | None:
        """Return how long it is good from now, negative where it has expired; None where it does not say."""
        return None if self.expires_at is None else self.expires_at - now


def credential(instance: Instance, token: str) -> Credential:
    """Return the facts about the token that an instance uses now; "" is none yet. Pure."""
    claims = _claims(token)
    return Credential(
        source=_source(instance), issued_at=_instant(claims.get("iat")), expires_at=_instant(claims.get("exp"))
    )


def expired(token: str, now: datetime) -> str | None:
    """Return a half-sentence that says since when a token is no longer good; None where it does not say so."""
    until = _instant(_claims(token).get("exp"))
    return f"by its own words it expired on {until:%Y-%m-%d}" if until is not None and until <= now else None


def _source(instance: Instance) -> Source:
    """Return what wins, in the order of `Instance.secret` and the adapter's login."""
    if instance.token_file is not None:
        return "token_file"
    if instance.token_keyring:
        return "token_keyring"
    if instance.token.get_secret_value().strip():
        return "token"
    return "password" if instance.password.get_secret_value() else "none"


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != _PARTS or len(token) > _LONGEST:
        return {}
    try:
        body = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found: Any = from_json(body)
    except (ValueError, binascii.Error):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _instant(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = value / 1000 if value > _MILLISECONDS else value
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
