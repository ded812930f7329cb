"""Who has signed in: a cookie's random value, of which only the hash is kept, for twelve hours and in this process."""

import hashlib
import secrets
from datetime import datetime, timedelta

from gunbot_mcp.clock import Clock

LASTS = timedelta(hours=12)
_MOST = 200


class Sessions:
    """Sessions, each of some `subject`: a passkey's id, or whatever the PIN stands for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, tuple[str, datetime, float]] = {}

    def open(self, subject: str) -> str:
        """Return the cookie's value of a new session."""
        value = secrets.token_urlsafe(32)
        self._open[_hash(value)] = subject, self._clock.now(), self._clock.monotonic()
        while len(self._open) > _MOST:
            del self._open[next(iter(self._open))]
        return value

    def subject(self, value: str) -> str | None:
        """Return whose session it is, or None: there is none, or it is over by either clock."""
        found = self._open.get(_hash(value))
        if found is None:
            return None
        subject, began, ticks = found
        passed = self._clock.now() - began
        if not timedelta(0) <= passed < LASTS or self._clock.monotonic() - ticks >= LASTS.total_seconds():
            del self._open[_hash(value)]
            return None
        return subject

    def close(self, value: str) -> None:
        self._open.pop(_hash(value), None)


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
