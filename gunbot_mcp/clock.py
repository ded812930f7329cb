"""Time, injectable: the wall clock for records, the monotonic clock and the boot id for expiry."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """The machine's clocks. A ticket keeps both, so that a wall clock that is set back cannot keep it alive."""

    def __init__(self, boot_id: Path = BOOT_ID) -> None:
        """`boot_id` is the file in which the kernel says which boot this is."""
        try:
            self._boot = boot_id.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            # Without the kernel's id, monotonic readings are comparable within this process only.
            self._boot = f"process-{secrets.token_hex(8)}"

    def now(self) -> datetime:
        """Return the wall clock's instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back, comparable among equal `boot_id`s only."""
        return time.monotonic()

    def boot_id(self) -> str:
        """Return an id that changes when `monotonic` restarts."""
        return self._boot


class ManualClock(Clock):
    """A clock that moves only when it is told to: for tests and rehearsals."""

    def __init__(self, start: datetime) -> None:
        super().__init__()
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, by: timedelta) -> None:
        """Let time pass on both clocks."""
        self._now += by
        self._monotonic += by.total_seconds()

    def set_wall(self, now: datetime) -> None:
        """Set the wall clock alone, as an administrator or a time server does."""
        self._now = now
