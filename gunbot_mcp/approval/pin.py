"""The PIN that turns a page's or terminal's yes into a human's: kept as a scrypt hash, with few tries allowed.

The rule of the gate, exactly:

1. A try is first recorded as `pin_wrong`, in one write transaction with counting, and committed before the PIN is
   looked at. If it proves right, `pin_ok` (naming the try's number in `attempt`) takes it back.
2. A try counts for 15 minutes from its own instant, unless taken back. A right PIN does not clear the wrong ones
   before it.
3. Where five tries count, every further one is refused unread and not recorded, until the oldest no longer counts.

Because of 1, tries at the same time, from any number of processes, get five guesses together, and a crash or kill after
the look gains nothing. Someone who only wants to annoy can block the PIN, never guess it: 480 guesses a day.
"""

import hashlib
import hmac
import json
import secrets
import unicodedata
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError, InvalidArguments, Unauthorized
from gunbot_mcp.files import write_private

if TYPE_CHECKING:
    from gunbot_mcp.clock import Clock
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.tickets.channels import Actor

WINDOW = timedelta(minutes=15)
TRIES = 5
SHORTEST, LONGEST = 4, 64

_N, _R, _P = 2**15, 8, 1
_MAX_MEMORY = 128 * 1024 * 1024


class WrongPin(GunbotMcpError):
    """The PIN was wrong, or there were too many wrong ones lately. Nothing was approved."""

    code = Unauthorized.code


@dataclass(frozen=True, slots=True, repr=False)
class _Record:
    n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    def matches(self, pin: str) -> bool:
        return hmac.compare_digest(_scrypt(pin, self.salt, self.n, self.r, self.p), self.key)


def set_pin(folder: Path, pin: str) -> None:
    """Set or replace the PIN.

    Raises:
        InvalidArguments: not 4 to 64 characters, or a control character among them.
        ConfigInvalid: the file could not be written; the old PIN still holds.
    """
    if not SHORTEST <= len(pin) <= LONGEST or any(unicodedata.category(mark) in {"Cc", "Cs"} for mark in pin):
        raise InvalidArguments(f"a PIN has {SHORTEST} to {LONGEST} characters, no control characters")
    salt = secrets.token_bytes(16)
    record = {
        "kdf": "scrypt",
        "n": _N,
        "r": _R,
        "p": _P,
        "salt": b64encode(salt).decode(),
        "key": b64encode(_scrypt(pin, salt, _N, _R, _P)).decode(),
    }
    try:
        write_private(_path(folder), json.dumps(record))
    except OSError as exc:
        raise ConfigInvalid(f"cannot write {_path(folder)}: {exc.strerror}", "check the folder's permissions") from exc


def has_pin(folder: Path) -> bool:
    """Return whether a PIN was set; also True if its file is damaged or unreadable, so nobody passes without it."""
    try:
        _path(folder).lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def check_pin(folder: Path, pin: str) -> bool:
    """Return whether the PIN is right, unthrottled: `PinGate` is what approvals use. Takes about a tenth of a second.

    Raises:
        ConfigInvalid: no PIN is set, or its file is damaged.
    """
    return _load(folder).matches(pin)


class PinGate:
    """Checks PINs by the rule at the top of this module."""

    def __init__(self, ledger: "Ledger", folder: Path, clock: "Clock") -> None:
        self._ledger = ledger
        self._folder = folder
        self._clock = clock

    async def verify(self, pin: str, *, actor: "Actor", ticket: str | None) -> None:
        """Return if the PIN is right.

        Raises:
            WrongPin: it is wrong, or it was refused unread; the hint says how long to wait.
            ConfigInvalid: no PIN is set, or its file is damaged: no PIN is right.
            LedgerUnavailable: the try cannot be recorded: no PIN is right.
        """
        record = _load(self._folder)
        now = self._clock.now()
        async with self._ledger.write() as write:
            counted = await write.wrong_pins(now - WINDOW)
            blocked = len(counted) >= TRIES
            attempt = None if blocked else await write.event("pin_wrong", actor=actor, ticket=ticket)
        if attempt is None:
            wait = max(sorted(counted)[len(counted) - TRIES] + WINDOW - now, timedelta(0))
            raise WrongPin("too many wrong PINs", f"wait {_minutes(wait)}, then try again")
        if not await anyio.to_thread.run_sync(record.matches, pin):
            left = TRIES - len(counted) - 1
            wait = _minutes(WINDOW)
            hint = (
                f"{left} more {'try' if left == 1 else 'tries'} within {wait}"
                if left
                else f"wait up to {wait}, then try again"
            )
            raise WrongPin("the PIN is wrong", hint)
        async with self._ledger.write() as write:
            await write.event("pin_ok", actor=actor, ticket=ticket, detail={"attempt": attempt.seq})


def _path(folder: Path) -> Path:
    return folder / "pin.json"


def _scrypt(pin: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # One character can be typed as several code points: a terminal and a browser need not agree.
    text = unicodedata.normalize("NFC", pin).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=32)


def _load(folder: Path) -> _Record:
    path = _path(folder)
    hint = "set one with gunbot-mcp pin"
    try:
        data = json.loads(path.read_bytes())
        n, r, p = (int(data[name]) for name in ("n", "r", "p"))
        salt, key = (b64decode(data[name], validate=True) for name in ("salt", "key"))
        # Only a forger would use weaker numbers than ours; larger ones would only exhaust the memory.
        sound = data["kdf"] == "scrypt" and (n, r, p) == (_N, _R, _P) and len(salt) >= 16 and len(key) == 32  # noqa: PLR2004
    except FileNotFoundError:
        raise ConfigInvalid("no PIN is set", hint) from None
    except OSError as exc:
        raise ConfigInvalid(f"cannot read {path}: {exc.strerror}", "check the file's owner and permissions") from exc
    except (ValueError, KeyError, TypeError):
        sound = False
        n = r = p = 0
        salt = key = b""
    if not sound:
        raise ConfigInvalid(
            f"{path} is damaged, so no PIN is right",
            "remove that file yourself, then set a new PIN with gunbot-mcp pin",
        )
    return _Record(n, r, p, salt, key)


def _minutes(wait: timedelta) -> str:
    minutes = -(-wait // timedelta(minutes=1))
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
