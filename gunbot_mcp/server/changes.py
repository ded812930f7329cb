"""Tells clients when their list of tools has changed: the config became stricter while the server runs, or laxer again.

Handshake-era clients are sent the notification; from 2026-07-28 on, clients open a stream for it.
"""

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import anyio
from mcp import types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourcesListChanged, ToolsListChanged

from gunbot_mcp.server.edge import Context

LOOK_EVERY = 2.0
"""Seconds between two looks at the config file: one `stat`, and no more, while it does not change."""
_SESSIONS = 200
"""Over HTTP, nobody tells that a client has gone; so many of the newest ones are remembered."""

Lists = tuple[Sequence[str], Sequence[str]]
"""The names of the tools, and of the other things that come and go with them."""


class ChangingServer(Server[Any]):
    """The SDK's server, whose handshake says that its lists can change."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        options = notification_options or NotificationOptions(tools_changed=True, resources_changed=True)
        return super().create_initialization_options(options, experimental_capabilities, extensions)


class Changes:
    """Looks at the lists of one server and tells all of its clients. `watched` is False where nothing can change."""

    def __init__(
        self,
        lists: Callable[[], Lists],
        in_background: Callable[[Callable[[], Awaitable[None]]], None],
        *,
        watched: bool,
        every: float = LOOK_EVERY,
    ) -> None:
        self._lists = lists
        self._in_background = in_background
        self._watched = watched
        self._every = every
        self._last = lists()
        self._bus = InMemorySubscriptionBus()
        self._sessions = deque[ServerSession](maxlen=_SESSIONS)
        self.listen = ListenHandler(self._bus)

    async def joined(self, ctx: Context, params: types.NotificationParams | None) -> None:
        """Remember a client that has just shaken hands."""
        del params
        self._sessions.append(ctx.session)

    async def look(self) -> None:
        """Tell everybody what has changed since the last look."""
        tools, others = self._lists()
        before, self._last = self._last, (tools, others)
        if tools != before[0]:
            await self._bus.publish(ToolsListChanged())
            for session in list(self._sessions):
                await self._tell(session.send_tool_list_changed)
        if others != before[1]:
            await self._bus.publish(ResourcesListChanged())
            for session in list(self._sessions):
                await self._tell(session.send_resource_list_changed)

    async def _tell(self, send: Callable[[], Awaitable[None]]) -> None:
        # A client that does not read must not keep the news from the others.
        with anyio.move_on_after(self._every):
            await send()

    @contextlib.asynccontextmanager
    async def watching(self, server: Server[Any]) -> AsyncGenerator[dict[str, Any]]:
        """Look again and again from the server's start on, for as long as its runtime lives."""
        del server
        if self._watched:
            self._watched = False
            self._in_background(self._watch)
        yield {}

    async def _watch(self) -> None:
        while True:
            await anyio.sleep(self._every)
            await self.look()
