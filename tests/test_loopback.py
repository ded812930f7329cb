"""Serving on loopback: what holds for each of our servers."""

import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest

from gunbot_mcp.loopback import serve_loopback
from gunbot_mcp.web.background import Background

Serving = Callable[[Any], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def in_front(app: object) -> AsyncGenerator[str]:
    sender, receiver = anyio.create_memory_object_stream[str](1)
    async with sender, receiver, anyio.create_task_group() as group:

        async def run() -> None:
            await serve_loopback(app, "127.0.0.1", 0, announce=sender.send_nowait)

        group.start_soon(run)
        yield await receiver.receive()
        group.cancel_scope.cancel()


@asynccontextmanager
async def in_the_background(app: Any) -> AsyncGenerator[str]:  # noqa: ANN401 - any ASGI application
    background = Background(app)
    try:
        yield await background.start(0)
    finally:
        await background.aclose()


def accepted_from(client: tuple[str, int]) -> socket.socket:
    """Return this process's own end of the connection that came from `client`."""
    for number in range(3, 1024):
        with contextlib.suppress(OSError):
            found = socket.socket(fileno=os.dup(number))
            with contextlib.suppress(OSError):
                if found.getpeername()[:2] == client:
                    return found
            found.close()
    raise LookupError(client)


@pytest.mark.anyio
@pytest.mark.parametrize("serving", [in_front, in_the_background])
async def test_answers_are_sent_at_once_and_do_not_wait_for_an_acknowledgement(serving: Serving) -> None:
    found: list[int] = []

    async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:  # noqa: ANN401 - ASGI
        if scope["type"] == "lifespan":
            for stage in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{stage}.complete"})
            return
        with contextlib.closing(accepted_from(tuple(scope["client"]))) as connection:
            found.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with serving(app) as url, httpx2.AsyncClient() as client:
        assert (await client.get(url)).status_code == 204
    assert found != [0]
    assert len(found) == 1
