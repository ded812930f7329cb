"""How long the call under way may still take: its reads and their retries share it, whoever asks them.

It is a context variable, so it follows a call into its child tasks and into no work in the background.
"""

import contextlib
import math
from collections.abc import Generator
from contextvars import ContextVar

import anyio

_UNTIL: ContextVar[float] = ContextVar("answer_until", default=math.inf)

_MARGIN = 0.25
_SHARE = 0.05
_READS = 0.8


@contextlib.contextmanager
def answer_within(seconds: float) -> Generator[None]:
    """Give what happens inside so many seconds, or what is left of an outer call's, if that is less.

    A little is kept back, at most a quarter of a second, in which the answer is put together and handed over.
    """
    until = anyio.current_time() + seconds - min(_MARGIN, seconds * _SHARE)
    token = _UNTIL.set(min(_UNTIL.get(), until))
    try:
        yield
    finally:
        _UNTIL.reset(token)


@contextlib.contextmanager
def keeping_back(seconds: float) -> Generator[None]:
    """Let what happens inside leave so many seconds of the call's time to what comes after it, where it has them."""
    left = seconds_left() - seconds
    # Between the reads and the order, the ledger has its turn.
    with answer_within(left * _READS) if left > 0 else contextlib.nullcontext():
        yield


def seconds_left() -> float:
    """Return what is left of the call's time: infinite where no call waits, not positive where it is over."""
    return _UNTIL.get() - anyio.current_time()
