"""What Gunbot said a moment ago, for reads that change rarely and are needed before every order."""

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")

FRESH_SECONDS = 60.0


class Remembered(Generic[T]):
    """Answers by key, each for `seconds`. Callers who ask for the same key at once share one question.

    A failure is not remembered. `monotonic` is the clock that counts (a seam).
    """

    def __init__(self, seconds: float = FRESH_SECONDS, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, T]] = {}
        self._asking: dict[str, anyio.Lock] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what is known of `key`, or what `ask` answers."""
        async with self._asking.setdefault(key, anyio.Lock()):
            known = self._known.get(key)
            if known is not None and self._monotonic() - known[0] < self._seconds:
                return known[1]
            answer = await ask()
            # Counted from the answer, which a slow Gunbot gives long after the question.
            self._known[key] = (self._monotonic(), answer)
            return answer
