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
            self.keep(key, answer)
            return answer

    def keep(self, key: str, answer: T) -> None:
        """Remember an answer that somebody got for a reason of their own."""
        self._known[key] = (self._monotonic(), answer)

    def forget(self, key: str) -> None:
        """Know nothing of `key` until it is asked or kept again."""
        self._known.pop(key, None)

    def known(self, key: str) -> tuple[T, float] | None:
        """Return what is known of `key` and its age in seconds, without asking anybody; None where nothing is fresh."""
        answer = self._known.get(key)
        if answer is None or (age := self._monotonic() - answer[0]) >= self._seconds:
            return None
        return answer[1], age
