"""The PIN that turns a page's or terminal's yes into a human's: kept as a scrypt hash, with few tries allowed.

The rule of the gate, exactly:

1. A try is first recorded as `pin_wrong`, in one write transaction with counting, and committed before the PIN is
   looked at. If it proves right, `pin_ok` (naming the try's number in `attempt`) takes it back.
2. A try counts for 24 hours from its own instant, unless taken back. A right PIN does not clear the wrong ones
   before it.
3. Where three tries count, the next one is read a minute after the last, then two minutes after it, four, eight, and so
   on up to an hour: see `wait_after`. What comes earlier is refused unread and not recorded. Nobody is locked out for
   longer than that hour.
4. On a live instance, what is shorter than six characters is refused unread, whatever it is: release 0.1 took PINs of
   four, which are too easily guessed. Such a PIN still counts on paper, and for setting a longer one.

Because of 1, tries at the same time, from any number of processes, get three guesses together, and a crash or kill
after the look gains nothing. Someone who only wants to annoy can block the PIN, never guess it: 32 guesses in the first
day, 24 in every day after it.
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
from typing import TYPE_CHECKING, cast

import anyio.to_thread

from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError, InvalidArguments, Unauthorized
from gunbot_mcp.files import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gunbot_mcp.clock import Clock
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.tickets.channels import Actor

WINDOW = timedelta(hours=24)
"""How long a wrong try counts."""
FREE_TRIES = 3
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
SHORTEST, LONGEST = 6, 64

_N, _R, _P = 2**15, 8, 1
_MAX_MEMORY = 128 * 1024 * 1024
_SALT_BYTES, _KEY_BYTES = 16, 32
_SHORT = f"a PIN of fewer than {SHORTEST} characters does not count on a live instance"
_LENGTHEN = "set a longer one with gunbot-mcp pin; it asks for the old one first"


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
        InvalidArguments: not 6 to 64 characters, or a control character among them.
        ConfigInvalid: the file could not be written; the old PIN still holds.
    """
    if not SHORTEST <= _length(pin) <= LONGEST or any(unicodedata.category(mark) in {"Cc", "Cs"} for mark in pin):
        raise InvalidArguments(
            f"a PIN has {SHORTEST} to {LONGEST} characters, no control characters", "six digits are enough"
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    record = {
        # Of the PIN itself only a hash is kept, so how short it may be is written down while it is known.
        "at_least": SHORTEST,
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


def may_be_short(folder: Path) -> bool:
    """Return whether the PIN was set when shorter ones were allowed, so that it may not count on a live instance."""
    try:
        found: object = json.loads(_path(folder).read_bytes())
    except (OSError, ValueError):
        return False  # none, or damaged: both are told elsewhere
    at_least = cast("dict[str, object]", found).get("at_least") if isinstance(found, dict) else None
    return not isinstance(at_least, int) or at_least < SHORTEST


def wait_after(tries: "Sequence[datetime]", now: "datetime") -> timedelta:
    """Return how long from `now` no PIN is read, after these wrong tries (as recorded, the newest last). Pure."""
    if len(tries) < FREE_TRIES:
        return timedelta(0)
    # The exponent is capped, too: a number of days does not overflow.
    delay = min(_FIRST_WAIT * 2 ** min(len(tries) - FREE_TRIES, 16), _LONGEST_WAIT)
    # If the clock was set back since, the last try is in the future; nobody waits longer than the delay.
    return min(max(tries[-1] + delay - now, timedelta(0)), delay)


def check_pin(folder: Path, pin: str) -> bool:
    """Return whether the PIN is right, unthrottled: `PinGate` is what approvals use. Takes about a tenth of a second.

    Raises:
        ConfigInvalid: no PIN is set, or its file is damaged.
    """
    return _load(folder).matches(pin)


class PinGate:
    """Checks PINs by the rule at the top of this module."""

    def __init__(self, ledger: "Ledger", folder: Path, clock: "Clock", *, live: bool) -> None:
        """`live`: the instance is live, so short PINs do not count."""
        self._ledger = ledger
        self._folder = folder
        self._clock = clock
        self._live = live

    async def wait(self) -> timedelta:
        """Return how long from now no PIN is read, whichever it is."""
        now = self._clock.now()
        return wait_after(await self._ledger.wrong_pins(now - WINDOW), now)

    async def verify(self, pin: str, *, actor: "Actor", ticket: str | None) -> None:
        """Return if the PIN is right.

        Raises:
            WrongPin: it is wrong, or it was refused unread; the hint says what to do, or how long to wait.
            ConfigInvalid: no PIN is set, or its file is damaged: no PIN is right.
            LedgerUnavailable: the try cannot be recorded: no PIN is right.
        """
        record = _load(self._folder)
        if self._live and _length(pin) < SHORTEST:
            raise WrongPin(_SHORT, _LENGTHEN)
        now = self._clock.now()
        async with self._ledger.write() as write:
            counted = await write.wrong_pins(now - WINDOW)
            wait = wait_after(counted, now)
            # The wait after a try in the future (the clock was set back) begins now, with this one.
            recorded = not wait or counted[-1] > now
            attempt = await write.event("pin_wrong", actor=actor, ticket=ticket) if recorded else None
        if attempt is None or wait:
            raise WrongPin("too many wrong PINs", f"wait {_minutes(wait)}, then try again")
        if not await anyio.to_thread.run_sync(record.matches, pin):
            wait = wait_after([*counted, now], now)
            left = FREE_TRIES - len(counted) - 1
            tries = f"{left} more {'try' if left == 1 else 'tries'} before you have to wait"
            raise WrongPin("the PIN is wrong", f"wait {_minutes(wait)}, then try again" if wait else tries)
        async with self._ledger.write() as write:
            await write.event("pin_ok", actor=actor, ticket=ticket, detail={"attempt": attempt.seq})


def _normal(pin: str) -> str:
    # One character can be typed as several code points: a terminal and a browser need not agree.
    return unicodedata.normalize("NFC", pin)


def _length(pin: str) -> int:
    return len(_normal(pin))


def _path(folder: Path) -> Path:
    return folder / "pin.json"


def _scrypt(pin: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    text = _normal(pin).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=_KEY_BYTES)


def _load(folder: Path) -> _Record:
    path = _path(folder)
    hint = "set one with gunbot-mcp pin"
    try:
        data = json.loads(path.read_bytes())
        n, r, p = (int(data[name]) for name in ("n", "r", "p"))
        salt, key = (b64decode(data[name], validate=True) for name in ("salt", "key"))
        # Only a forger would use weaker numbers than ours; larger ones would only exhaust the memory.
        sound = data["kdf"] == "scrypt" and (n, r, p) == (_N, _R, _P)
        sound = sound and len(salt) >= _SALT_BYTES and len(key) == _KEY_BYTES
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
