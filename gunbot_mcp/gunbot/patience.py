"""How long one request may take."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import httpx2

from gunbot_mcp.config import Instance
from gunbot_mcp.errors import GatewayError
from gunbot_mcp.gunbot.failures import no_answer, unreachable


class Patience:
    """How long one request may take: time to connect, then `read_timeout` for the whole answer; `within` in all.

    The HTTP library's own read time-out begins anew with every byte, so a Gunbot that drips would never reach it.
    """

    def __init__(self, instance: Instance, within: float) -> None:
        self._read_timeout = instance.read_timeout
        self._connecting = self._sending = False
        self.scope = anyio.CancelScope(deadline=anyio.current_time() + min(instance.post_seconds, within))
        connect = instance.connect_timeout
        self.timeout = httpx2.Timeout(instance.read_timeout, connect=connect, pool=connect)
        self._hang_up: Callable[[], Awaitable[None]] | None = None

    async def trace(self, event: str, told: Mapping[str, Any]) -> None:
        """Hear from the HTTP library where the request is; another transport (the paper gateway's) says nothing.

        Cut off from outside amid a TLS handshake, the library would leave the connection open: that is closed here.
        """
        self._connecting = True
        if event.endswith("connect_tcp.complete"):
            self._hang_up = told["return_value"].aclose
        elif event.endswith("start_tls.failed") and self._hang_up is not None:
            with anyio.CancelScope(shield=True):
                await self._hang_up()
        elif event.endswith("send_request_headers.started"):
            self._sending = True
            self.scope.deadline = min(self.scope.deadline, anyio.current_time() + self._read_timeout)

    def lost(self) -> GatewayError:
        """Return the error of a request whose time is over."""
        return unreachable() if self._connecting and not self._sending else no_answer()
