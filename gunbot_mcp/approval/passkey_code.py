"""The code that lets a passkey in at the public url: made at a terminal, good once and for ten minutes.

It has 80 bits, which nobody guesses in ten minutes; a limit of tries would only let a stranger use them up.
The file holds only its hash, and what the one who made it proved: the PIN, or a touch of another passkey over it.
"""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gunbot_mcp.errors import GunbotMcpError, Unauthorized
from gunbot_mcp.files import write_private
from gunbot_mcp.tickets.content import canonical, instant_of, instant_text
from gunbot_mcp.tickets.passkey import BadTouch, Touch, touch_of

_FILE = "passkey-code.json"
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_LENGTH = 16
LASTS = timedelta(minutes=10)


class BadCode(GunbotMcpError):
    """No code, a wrong one, or one that is over: which of them is not said."""

    code = Unauthorized.code
    status = 403

    def __init__(self) -> None:
        super().__init__("this code lets no passkey in", "gunbot-mcp passkey --public makes a new one")


@dataclass(frozen=True, slots=True)
class Code:
    """`said` is what `vouch` signed, which is about this code."""

    hash: str
    proof: str
    live: bool
    vouch: Touch | None = None
    said: str | None = None


def new_code() -> tuple[str, str]:
    """Return a new code and the text that a passkey signs which vouches for whatever it lets in."""
    code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return code, canonical({"code": _hash(code)})


def keep(
    folder: Path, code: str, now: datetime, *, proof: str, live: bool, vouch: dict[str, Any] | None = None
) -> None:
    """Write the code's hash down; an earlier code no longer counts.

    Raises:
        OSError: it could not be written.
    """
    _write(
        folder,
        {
            "hash": _hash(code),
            "until": instant_text(now + LASTS),
            "proof": proof,
            "live": live,
            "vouch": vouch,
        },
    )


def look_up(folder: Path, code: str, now: datetime) -> Code:
    """Return what this code lets in.

    Raises:
        BadCode: it does not count.
    """
    try:
        kept: dict[str, Any] = json.loads((folder / _FILE).read_bytes())
        left = instant_of(kept["until"]) - now
        vouch = None if kept["vouch"] is None else touch_of(kept["vouch"])
        said = None if kept["vouch"] is None else str(kept["vouch"]["content"])
        found = Code(str(kept["hash"]), str(kept["proof"]), kept["live"] is True, vouch, said)
        if not timedelta(0) < left <= LASTS:
            raise BadCode
    except (OSError, ValueError, KeyError, TypeError, BadTouch):
        raise BadCode from None
    if not hmac.compare_digest(found.hash, _hash(code)):
        raise BadCode
    return found


def forget(folder: Path, code: Code) -> None:
    """Spend the code for good.

    Raises:
        BadCode: it is spent already, or another one has taken its place.
    """
    path = folder / _FILE
    try:
        same = json.loads(path.read_bytes())["hash"] == code.hash
        if not same:
            raise BadCode
        path.unlink()
    except (OSError, ValueError, KeyError, TypeError):
        raise BadCode from None


def _write(folder: Path, kept: dict[str, Any]) -> None:
    write_private(folder / _FILE, json.dumps(kept))


def _hash(code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(f"gunbot-mcp/passkey-code/v1\n{plain}".encode()).hexdigest()
