"""Completes what a person types into a prompt or an address: exchanges, pairs, tickets. It never waits long for Gunbot.

What takes longer than a call may wait goes on in the background, so that the next letter typed finds the answer.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import anyio
from mcp import types
from mcp.shared.exceptions import MCPError

from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.errors import GunbotMcpError, clean
from gunbot_mcp.exchanges import EXCHANGES
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.edge import Context
from gunbot_mcp.server.prompts import prompt_named
from gunbot_mcp.server.resources import READINGS
from gunbot_mcp.tools.pairs import PairsArgs

MOST = 100
"""The protocol's own bound."""
COMPLETE_WITHIN = 2.0
"""Seconds for which one call waits at most."""


class Completions:
    """Completes the arguments of prompts and of addresses. No call waits longer than `within` seconds."""

    def __init__(self, runtime: Runtime, *, within: float = COMPLETE_WITHIN) -> None:
        self._runtime = runtime
        self._within = within
        self._asking: dict[str, tuple[anyio.Event, list[str]]] = {}

    async def complete(self, ctx: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        """Return up to 100 values that begin with what was typed, in either case of its letters.

        Raises:
            MCPError: there is no such prompt or address.
        """
        del ctx
        argument = _kind_of(params.ref, params.argument.name)
        given: Mapping[str, str] = (params.context.arguments if params.context is not None else None) or {}
        every = await self._values(argument, given)
        typed = params.argument.value.casefold()
        found = [value for value in dict.fromkeys(every) if value.casefold().startswith(typed)]
        completion = types.Completion(values=found[:MOST], total=len(found), has_more=len(found) > MOST)
        return types.CompleteResult(completion=completion)

    async def _values(self, argument: str, given: Mapping[str, str]) -> Iterable[str]:
        match argument:
            case "exchange":
                return self._exchanges()
            case "pair":
                return await self._pairs(given.get("exchange", ""))
            case "ticket_id":
                return await self._in_time("tickets", self._tickets)
            case _:
                return ()

    def _exchanges(self) -> list[str]:
        """Return the exchanges by name; those on which orders are allowed come first."""
        settings = self._runtime.rules.last
        names = sorted({*EXCHANGES, *settings.capabilities})
        allowed = [name for name in settings.served.limits.exchanges if name[:1].isalpha()]
        return [*allowed, *names]

    async def _pairs(self, exchange: str) -> list[str]:
        try:
            asked = parse_arguments(PairsArgs, {"exchange": exchange}).exchange
        except GunbotMcpError:
            return []

        async def names() -> list[str]:
            return [clean(name, 64) for name in await self._runtime.gunbot.pairs(asked)]

        return await self._in_time(f"pairs of {asked}", names)

    async def _tickets(self) -> list[str]:
        return [ticket.id for ticket in await (await self._runtime.desk()).list(limit=MOST)]

    async def _in_time(self, what: str, ask: Callable[[], Awaitable[list[str]]]) -> list[str]:
        """Return what `ask` answers, or nothing where it fails or takes too long; all who wait share one question."""
        if what not in self._asking:
            done, found = self._asking[what] = anyio.Event(), list[str]()

            async def run() -> None:
                try:
                    found.extend(await ask())
                except GunbotMcpError:
                    pass  # nobody who is typing can do anything about it
                finally:
                    del self._asking[what]
                    done.set()

            self._runtime.in_background(run)
        done, found = self._asking[what]
        with anyio.move_on_after(self._within):
            await done.wait()
        return found


def _kind_of(ref: types.ResourceTemplateReference | types.PromptReference, name: str) -> str:
    """Return which argument of ours is meant.

    Raises:
        MCPError: there is no such prompt or address.
    """
    if isinstance(ref, types.PromptReference):
        known: Mapping[str, Any] = prompt_named(ref.name).args.model_fields
        return name if name in known else ""
    reading = next((reading for reading in READINGS if reading.uri == ref.uri and reading.argument is not None), None)
    if reading is None or reading.argument is None:
        raise MCPError(types.INVALID_PARAMS, f"there is no template {clean(ref.uri, 80)}", {"uri": ref.uri})
    return reading.argument if name == "id" else ""
