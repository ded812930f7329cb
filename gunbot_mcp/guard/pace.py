"""A first brake on floods, in memory, before the market is asked and the ledger locked. The ledger's count decides."""

from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager

from gunbot_mcp.guard.policy import too_many

_WINDOW = 60.0


class Pace:
    """Counts what this process proposed within a minute, and what it is proposing right now.

    Places taken by proposals that are still being checked, and may yet be refused, count for that long.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._made: deque[float] = deque()
        self._under_way = 0

    @contextmanager
    def place(self, most: int, what: str) -> Generator[None]:
        """Hold one of `most` places while proposing; it is kept for a minute if that ends well.

        Raises:
            LimitExceeded: all are taken.
        """
        started = self._monotonic()
        while self._made and self._made[0] <= started - _WINDOW:
            self._made.popleft()
        if len(self._made) + self._under_way >= most:
            raise too_many(most, what)
        self._under_way += 1
        try:
            yield
            self._made.append(self._monotonic())
        finally:
            self._under_way -= 1
