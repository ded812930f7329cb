"""What the rows of `doctor` look at: one instance's settings and runtime, and one first question to its Gunbot."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import anyio

from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import GatewayError, GatewayTimeout, GunbotMcpError, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gunbot_mcp.config import Settings
    from gunbot_mcp.gunbot.records import Resting
    from gunbot_mcp.runtime import Runtime, Seams

MOST_SECONDS = 10.0
"""The longest that a question to Gunbot may keep a human waiting here, whatever the config allows an order."""


class Patient:
    """One instance under examination. It asks Gunbot for its status and its memory once, whoever needs them."""

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        seams: Seams | None,
        flags: Mapping[str, Any],
        *,
        tries_notices: bool = False,
        at_terminal: bool = False,
    ) -> None:
        """`flags` are the command line's, as they were given to `load`; `tries_notices`: a test notice is sent.

        `at_terminal`: a human reads the answer, and nothing else does.
        """
        self.settings = settings
        self.runtime = runtime
        self.gunbot = runtime.gunbot
        self.flags = flags
        self.tries_notices = tries_notices
        self.at_terminal = at_terminal
        self.clock = (None if seams is None else seams.clock) or Clock()
        self.patience = min(MOST_SECONDS, settings.served.post_seconds)
        self.secrets = settings.secrets()
        self._first, self._second = anyio.Lock(), anyio.Lock()
        self._status: Mapping[str, Any] | GunbotMcpError | None = None
        self._memory: Resting | GunbotMcpError | None = None

    @property
    def live(self) -> bool:
        return self.settings.served.live

    @property
    def if_silent(self) -> str:
        """What to do where something did not answer in time."""
        return "look at Gunbot's load, and at what stands between" if self.live else "run gunbot-mcp doctor again"

    async def status(self) -> Mapping[str, Any] | GunbotMcpError:
        """Return what Gunbot says about the login, or why it could not be asked."""
        async with self._first:
            if self._status is None:
                self._status = GatewayTimeout(f"Gunbot did not answer within {self.patience:g} s", self.if_silent)
                with anyio.move_on_after(self.patience):
                    try:
                        self._status = await self.gunbot.status()
                    except GunbotMcpError as exc:
                        self._status = exc
        return self._status

    async def why_not_asked(self) -> str | None:
        """Return why nothing more is asked of Gunbot; None where it can be asked."""
        match await self.status():
            case Unauthorized():
                return "not asked: Gunbot does not accept the login"
            case GunbotMcpError():
                return "not asked: Gunbot does not answer"
            case _:
                return None

    async def memory(self) -> Resting:
        """Return Gunbot's core memory: the open orders of all pairs that cycle, and the names of these pairs.

        Raises:
            GatewayError: it cannot be read.
        """
        async with self._second:
            if self._memory is None:
                try:
                    self._memory = await self.gunbot.all_open_orders()
                except GatewayError as exc:
                    self._memory = exc
        if isinstance(self._memory, GunbotMcpError):
            raise self._memory
        return self._memory


def tls_failure(error: GunbotMcpError) -> ssl.SSLError | None:
    """Return what went wrong in TLS, where that is why Gunbot was not reached; None for every other reason."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
