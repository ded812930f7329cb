"""Gunbot's clock, as closely as it can be known from here: what it says, how long that took, and how long ago it was.

Records carry Gunbot's times, so "was this before or after my order" is asked of Gunbot's clock, never of ours.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

KEPT_SECONDS = 60.0
"""How long one reading serves: two clocks drift apart by far less than a millisecond in that time."""
CLOSE_SECONDS = 0.5
"""A reading that took longer (a first connection, a busy machine) serves orders only until there is a closer one.

Each order waits as long as the reading took: below this, that costs less than one more request with each order.
"""


def elapsed_seconds() -> float:
    """Return seconds that never go back and count the time that the machine sleeps, too.

    A reading from before a sleep would otherwise make Gunbot's clock seem as late as the machine slept.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class Reading:
    """`millis` is what Gunbot said (epoch), at some moment between `asked` and `answered` (seconds of our counter)."""

    millis: int
    asked: float
    answered: float

    @property
    def width(self) -> float:
        """Return the seconds that it took, within which nobody knows when Gunbot said it."""
        return self.answered - self.asked

    def earliest(self, now: float) -> int:
        """Return a lower bound of Gunbot's clock at `now`: it said `millis` at the latest when it answered."""
        return self.millis + int((now - self.answered) * 1000)

    def latest(self, now: float) -> int:
        """Return an upper bound of Gunbot's clock at `now`: it said `millis` at the earliest when it was asked."""
        return self.millis + int((now - self.asked) * 1000) + 2


class ServerClock:
    """One Gunbot's clock. `ask` reads `/time`; `elapsed` counts our seconds (a seam)."""

    def __init__(self, ask: Callable[[], Awaitable[int]], elapsed: Callable[[], float] = elapsed_seconds) -> None:
        self._ask = ask
        self._elapsed = elapsed
        self._reading: Reading | None = None

    async def read(self, *, closely: bool = False) -> None:
        """Make sure that there is a reading of the last minute; `closely`: try for a closer one where that took long.

        Raises:
            GatewayError: Gunbot cannot be asked, or does not tell its time.
        """
        kept = self._fresh()
        if kept is not None and not (closely and kept.width > CLOSE_SECONDS):
            return
        asked = self._elapsed()
        millis = await self._ask()
        new, kept = Reading(millis, asked, self._elapsed()), self._fresh()
        self._reading = kept if kept is not None and kept.width < new.width else new

    def latest(self) -> int | None:
        """Return an upper bound of Gunbot's clock at this moment, in milliseconds since the epoch; None: not known."""
        reading = self._fresh()
        return None if reading is None else reading.latest(self._elapsed())

    def seconds_until(self, millis: int) -> float:
        """Return how long to wait until Gunbot's clock has passed that instant for certain; 0 where it is not known."""
        reading = self._fresh()
        return 0.0 if reading is None else max(0.0, (millis - reading.earliest(self._elapsed())) / 1000)

    def _fresh(self) -> Reading | None:
        reading = self._reading
        if reading is None or not 0 <= self._elapsed() - reading.answered <= KEPT_SECONDS:
            return None
        return reading
