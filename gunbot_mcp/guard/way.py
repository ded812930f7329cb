"""One order's way to Gunbot and back, and the call that waits for its end, though not for ever."""

from collections.abc import Awaitable

import anyio

from gunbot_mcp.gunbot.deadline import seconds_left
from gunbot_mcp.tickets.ticket import Ticket


class Way:
    """`ticket` is what is known by now: the claimed one, then with what became of it."""

    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket
        self._ended = anyio.Event()
        self._failure: BaseException | None = None

    async def go(self, carrying: Awaitable[None]) -> None:
        """Carry the order, as work that may outlive its call."""
        try:
            await carrying
        except BaseException as exc:
            self._failure = exc
            raise
        finally:
            self._ended.set()

    async def end(self) -> Ticket:
        """Wait for the end, but no longer than the call has time; return the ticket as it is then.

        Raises:
            Exception: what went wrong on the way. If it was stopped from outside, what is known is enough.
        """
        with anyio.move_on_after(seconds_left()):
            await self._ended.wait()
        if isinstance(self._failure, Exception):
            raise self._failure
        return self.ticket
