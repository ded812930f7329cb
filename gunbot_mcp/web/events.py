"""Server-sent events: one stream tells a browser how much waits, so that tabs in the background know, too.

    data: {"version": …, "count": …, "left": …}

`version` changes when the front page does, `count` is how many tickets wait, `left` the seconds of the one that ends
first (None: nothing waits). A browser keeps one stream for all its tabs (`assets/events.js`): it has six connections.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import asdict, dataclass

import anyio
from starlette.responses import Response, StreamingResponse

from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.web.headers import HEADERS

MOST = 16
"""How many streams are open at once: a server of pages takes few connections."""
_LOOK_SECONDS = 1.0
_LASTS_SECONDS = 600.0
"""A stream ends, and the browser asks for another: whose session is over gets none."""
_QUIET_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Pulse:
    version: str
    count: int
    left: float | None


class Streams:
    """The open streams of one page. `end` lets them end at once: uvicorn's stop waits for what is open."""

    def __init__(self) -> None:
        self._ended = anyio.Event()
        self._open = 0

    def end(self) -> None:
        self._ended.set()

    def answer(self, pulse: Callable[[], Awaitable[Pulse]]) -> Response:
        if self._open >= MOST or self._ended.is_set():
            return Response("too many streams\n", 503, headers=HEADERS, media_type="text/plain")
        return StreamingResponse(self._stream(pulse), headers=HEADERS, media_type="text/event-stream")

    async def _stream(self, pulse: Callable[[], Awaitable[Pulse]]) -> AsyncGenerator[str]:
        self._open += 1
        try:
            yield "retry: 1000\n\n"
            said: tuple[str, int] | None = None
            quiet = 0.0
            began = anyio.current_time()
            while not self._ended.is_set() and anyio.current_time() - began < _LASTS_SECONDS:
                try:
                    now = await pulse()
                except GunbotMcpError:
                    # The ledger may be back in a moment; the page itself says what is wrong.
                    now = None
                if now is not None and (now.version, now.count) != said:
                    said, quiet = (now.version, now.count), 0.0
                    yield f"data: {json.dumps(asdict(now))}\n\n"
                elif quiet >= _QUIET_SECONDS:
                    quiet = 0.0
                    yield ": still here\n\n"
                quiet += _LOOK_SECONDS
                with anyio.move_on_after(_LOOK_SECONDS):
                    await self._ended.wait()
        finally:
            self._open -= 1
