"""What a long read tells whoever waits for it: that it still goes on, that it tries again, how far it is.

To whom is a context variable, so it follows a call into its child tasks and into no work in the background. Orders
tell nothing: on their way, nobody's slow pipe may hold them up.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar

import anyio

Tell = Callable[[str], Awaitable[None]]
"""Takes one sentence for whoever waits."""
Found = TypeVar("Found")

BEAT_SECONDS = 3.0
"""How often somebody who waits is told so."""
_HEARD_WITHIN = 1.0
"""A caller that does not take in what it is told must not hold up its own read."""

_TELL: ContextVar[Tell | None] = ContextVar("tell", default=None)


async def say(sentence: str) -> None:
    """Tell the caller of the read under way something, where it wants to hear."""
    tell = _TELL.get()
    if tell is not None:
        with anyio.move_on_after(_HEARD_WITHIN):
            await tell(sentence)


async def telling(tell: Tell, work: Callable[[], Awaitable[Found]], *, every: float = BEAT_SECONDS) -> Found:
    """Return what `work` answers. Meanwhile `tell` hears what it says, and every so many seconds that it goes on."""
    found: list[Found] = []
    token = _TELL.set(tell)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_beat, every)
            found.append(await work())
            tasks.cancel_scope.cancel()
    except ExceptionGroup as group:  # the task group's wrapping of the one error in it: the beat raises none
        failure = group.exceptions[0]
        raise failure from failure.__cause__
    finally:
        _TELL.reset(token)
    return found[0]


async def _beat(every: float) -> None:
    began = anyio.current_time()
    while True:
        await anyio.sleep(every)
        await say(f"Still waiting for the answer, {anyio.current_time() - began:.0f} s so far.")
