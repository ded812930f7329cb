"""Serving an ASGI application on loopback with uvicorn, quietly, until told to stop."""

import contextlib
import errno
import functools
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any

import anyio
import uvicorn

from gunbot_mcp.errors import ConfigInvalid, clean

GRACE_SECONDS = 3
"""How long open requests may go on when a server is told to stop."""


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 picks a free one.

    Raises:
        ConfigInvalid: the port is taken, or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on connections whose socket names its protocol. Without it, every answer on a kept
    # connection waits about 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let another program take the port, too
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as exc:
        listener.close()
        taken = isinstance(exc, OSError) and exc.errno == errno.EADDRINUSE
        reason = "the port is taken" if taken else clean(exc)
        raise ConfigInvalid(
            f"cannot listen on {clean(host)}:{port}: {reason}", "choose another port, or 0 for a free one"
        ) from exc
    return listener


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Announces itself when it can be called and stopped; a signal ends it like any other end, with all clean-up."""

    def __init__(
        self, config: uvicorn.Config, announce: Callable[[], None], ending: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._announce = announce
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams that end by themselves need no grace.
        self._ending()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._announce()

    async def main_loop(self) -> None:
        try:
            await super().main_loop()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self.shutdown()
            raise

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        # uvicorn's own handler raises the signal again after it has stopped, which would kill us during clean-up.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


async def serve_loopback(
    app: Any,  # noqa: ANN401 - any ASGI application
    host: str,
    port: int,
    *,
    announce: Callable[[str], None],
    ending: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT, SIGTERM or cancellation; `announce` gets the address once connections are accepted.

    `ending` is called first when it stops: whoever keeps answers open lets them end.
    """
    listener = bind(host, port)
    try:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="on",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        await serve_sockets(config, [listener], announce=announce, ending=ending)
    finally:
        listener.close()


async def serve_sockets(
    config: uvicorn.Config,
    listeners: list[socket.socket],
    *,
    announce: Callable[[str], None],
    ending: Callable[[], None] = lambda: None,
) -> None:
    """As `serve_loopback`, on sockets that listen already and that the caller closes; the first one is announced."""
    server = _Server(config, functools.partial(announce, url_of(listeners[0])), ending)
    await server.serve(sockets=listeners)
