"""uvicorn on loopback, inside a process that does other work: started once, stopped by it, no signal handlers."""

import asyncio
import contextlib
import contextvars
import functools
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, cast

import anyio
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from gunbot_mcp.approval.inbox import has_ipv6
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.loopback import GRACE_SECONDS, bind, url_of

HOST, HOST_6 = "127.0.0.1", "::1"


class _Server(uvicorn.Server):
    """Leaves the process's signals to its owner, and reports when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class _Prompt(H11Protocol):
    """Closes a connection that sends no complete request in time, so that open ones cannot use up the page's limit."""

    def __init__(self, *uvicorns: Any, seconds: float, **by_name: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*uvicorns, **by_name)
        self._seconds = seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] - as uvicorn has it
        super().connection_made(transport)
        self._seen: object = None
        self.loop.call_later(self._seconds, self._look)

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        # None until the first request is whole, whatever uvicorn declares.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is self._seen and (cycle is None or cycle.response_complete):
            self.transport.close()
            return
        self._seen = cycle
        self.loop.call_later(self._seconds, self._look)


def guarded(app: ASGIApp, request_seconds: float = 10, *, grace: int | None = None) -> uvicorn.Config:
    """Return how pages are served: few connections, each with `request_seconds` for a whole request.

    `grace` is how many seconds open requests may go on when the server stops (None: until they are done).
    """
    return uvicorn.Config(
        app,
        # uvicorn asks for a class, and only ever calls it.
        http=cast("type[H11Protocol]", functools.partial(_Prompt, seconds=request_seconds)),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # There is no proxy in front, so headers that name another client are not trusted.
        proxy_headers=False,
        limit_concurrency=64,
        timeout_graceful_shutdown=grace,
    )


@contextlib.asynccontextmanager
async def beside(app: ASGIApp, listeners: list[socket.socket]) -> AsyncGenerator[None]:
    """Serve an application on sockets that listen already, beside other work, until the block ends."""
    server = _Server(guarded(app, grace=GRACE_SECONDS))
    task = asyncio.create_task(server.serve(sockets=listeners), context=contextvars.Context())
    try:
        await server.ready.wait()
        yield
    finally:
        server.should_exit = True
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])


class Background:
    """Serves one application. Belongs to the event loop in which it was started.

    A connection has `request_seconds` for each whole request. `listen` takes a port, as `loopback.bind` does.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        request_seconds: float = 10,
        listen: Callable[[str, int], socket.socket] = bind,
    ) -> None:
        self._app = app
        self._request_seconds = request_seconds
        self._listen = listen
        self._turn = anyio.Lock()
        self._listener: socket.socket | None = None
        self._second: socket.socket | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int | None:
        """The port, or None while nothing is served."""
        return None if self._listener is None else int(self._listener.getsockname()[1])

    @property
    def both(self) -> bool:
        """Whether `localhost` leads here and to nobody else: browsers try [::1] first."""
        return self._second is not None or not has_ipv6()

    async def start(self, port: int) -> str:
        """Serve at that port, or at any free one if it is taken; return the address. Starts only once.

        Raises:
            ConfigInvalid: no port at all can be listened on.
        """
        async with self._turn:
            if self._listener is None or self._task is None or self._task.done():
                self._close()
                await self._start(port)
            assert self._listener is not None  # noqa: S101 - `_start` set it
            # By name, since passkeys belong to names; not where the name could lead to a stranger.
            return f"http://localhost:{self.port}" if self.both else url_of(self._listener)

    async def _start(self, port: int) -> None:
        try:
            self._listener = self._listen(HOST, port)
        except ConfigInvalid:
            self._listener = self._listen(HOST, 0)
        # Where a stranger has it, the page is still at 127.0.0.1, without passkeys.
        with contextlib.suppress(ConfigInvalid):
            self._second = self._listen(HOST_6, int(self._listener.getsockname()[1])) if has_ipv6() else None
        self._server = _Server(guarded(self._app, self._request_seconds))
        # Its own task and context: when the call that started the page is cancelled, the page goes on.
        self._task = asyncio.create_task(
            self._server.serve(sockets=[one for one in (self._listener, self._second) if one is not None]),
            name="approval page",
            context=contextvars.Context(),
        )
        await self._server.ready.wait()

    async def aclose(self) -> None:
        """Stop; an order that is on its way to Gunbot is waited for. Safe to call twice."""
        async with self._turn:
            if self._server is not None and self._task is not None:
                self._server.should_exit = True
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([self._task])
            self._close()

    def _close(self) -> None:
        for listener in (self._listener, self._second):
            if listener is not None:
                listener.close()
        self._listener = self._second = self._server = self._task = None
