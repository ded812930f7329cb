"""What one order asks of Gunbot and of the disk: requests, rounds and durable commits. Counts, the same in every run.

A gateway counts every request: in this process for `auto`, as on paper; otherwise on the port of a live instance.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import httpx2
from mcp import Client, types
from starlette.responses import JSONResponse
from support.mandates import grant, mandate

from gunbot_mcp.config import load
from gunbot_mcp.paper.app import PaperGateway
from gunbot_mcp.paper.serve import serve
from gunbot_mcp.runtime import Runtime, Seams
from gunbot_mcp.server.app import build_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Channel = Literal["auto", "mandate", "form"]
Era = Literal["legacy", "auto"]
Tool = Literal["buy_limit", "buy_market"]

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoiYmVuY2gifQ.c2lnbmF0dXJl"
HOLD_STEPS, HOLD_STEP_SECONDS = 12, 0.002
QUIET_STEPS = 2 * HOLD_STEPS
LATE = 2
"""How many requests after an order do not see it yet, where it is shown late: the look in open orders and history."""
_TRADE = "/api/v1/trade/"
_SENT = {"status": "success", "message": "Order sent"}
_WAL_HEADER, _FRAME_HEADER = 32, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`rounds` is the longest chain of requests that were made one after another. `paths` are in order of arrival."""

    paths: tuple[str, ...]
    rounds: int
    commits: int

    @property
    def requests(self) -> int:
        return len(self.paths)


@dataclass(slots=True)
class CountingGateway:
    """A paper gateway that notes when each request came and when its answer was due.

    Every answer is held back for a while, so that requests which do not wait for one another are there together. The
    while is told in steps of the event loop that the client runs in, too: on a busy machine it is as long for both.
    `late`: an order is answered at once and shown only after `LATE` further requests, as Gunbot's core memory may do.
    """

    late: bool = False
    url: str = ""
    seen: list[tuple[str, float, float]] = field(default_factory=list[tuple[str, float, float]])
    _held: int = 0
    _arrived: int = 0
    _hidden: tuple[int, Callable[[], Awaitable[None]]] | None = None
    _paper: PaperGateway = field(default_factory=lambda: PaperGateway(token=TOKEN, market="manual"))

    @property
    def app(self) -> ASGIApp:
        # A function: uvicorn tells the kinds of applications apart by that.
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await self._hold(str(scope["path"]))
                await self._answer(scope, receive, send)
            else:
                await self._paper.app(scope, receive, send)

        return app

    async def aclose(self) -> None:
        await self._paper.aclose()

    def rounds(self) -> int:
        """Return how many of the requests, at most, followed each other without overlap."""
        count, free = 0, 0.0
        for _, arrived, answered in sorted(self.seen, key=lambda one: one[2]):
            if arrived >= free:
                count, free = count + 1, answered
        return count

    async def quiet(self) -> None:
        """Wait until no request has been here for a while."""
        steps, before = 0, self._arrived
        while steps < QUIET_STEPS:
            await asyncio.sleep(HOLD_STEP_SECONDS)
            steps = steps + 1 if before == self._arrived and not self._held else 0
            before = self._arrived

    async def _hold(self, path: str) -> None:
        clock = asyncio.get_running_loop().time
        arrived = clock()
        self._arrived += 1
        self._held += 1
        for _ in range(HOLD_STEPS):
            await asyncio.sleep(HOLD_STEP_SECONDS)
        self._held -= 1
        self.seen.append((path, arrived, clock()))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._hidden is not None and self._arrived > self._hidden[0]:
            late, self._hidden = self._hidden[1], None
            await late()
        if not (self.late and str(scope["path"]).startswith(_TRADE)):
            await self._paper.app(scope, receive, send)
            return
        pieces: list[Message] = []
        while not pieces or pieces[-1].get("more_body"):
            pieces.append(await receive())

        async def body() -> Message:
            return pieces.pop(0)

        async def nobody(_: Message) -> None:
            pass

        async def place() -> None:
            await self._paper.app(scope, body, nobody)

        self._hidden = (self._arrived + LATE, place)
        await JSONResponse(_SENT)(scope, receive, send)


async def count_order(
    home: Path, channel: Channel, *, tool: Tool = "buy_limit", era: Era = "legacy", late: bool = False
) -> Counts:
    """Place two orders in one session over MCP and count what the second takes.

    An order that Gunbot shows at once is counted until it is settled; one that is shown `late`, until its answer.
    """
    async with served() as gateway:
        instance = {
            "url": "" if channel == "auto" else gateway.url,
            "token": TOKEN,
            "mode": "approve" if channel == "form" else "auto",
            "limits": {"duplicate_seconds": 0},
        }
        settings = load(home=home, instances={"gunbot": instance}, approval={"page": False})
        seams = Seams(transport=httpx2.ASGITransport(app=gateway.app) if channel == "auto" else None)
        async with Runtime(settings, seams=seams) as runtime:
            if channel == "mandate":
                await grant(runtime, mandate(max_total=Decimal(1000)))
            approve = _approve if channel == "form" else None
            async with Client(build_server(runtime), mode=era, elicitation_callback=approve) as client:
                order = await _order(client, tool)
                await _place(client, tool, order)
                await gateway.quiet()
                gateway.seen.clear()
                gateway.late = late
                before = commits(home / "ledger.sqlite3")
                await _place(client, tool, order)
                if not late:
                    await gateway.quiet()
                paths = tuple(path for path, _, _ in sorted(gateway.seen, key=lambda one: one[1]))
                after = commits(home / "ledger.sqlite3")
                return Counts(paths=paths, rounds=gateway.rounds(), commits=after - before)


async def _order(client: Client, tool: Tool) -> dict[str, Any]:
    """Return the arguments of a small order: a limit rests below the market."""
    pair = {"exchange": "binance", "pair": "USDT-BTC"}
    if tool == "buy_market":
        return {**pair, "amount": 0.0002}
    quote = (await client.call_tool("get_quote", pair)).structured_content
    assert quote is not None
    return {**pair, "amount": 0.0002, "price": round(float(quote["bid"]) * 0.9, 1)}


async def _place(client: Client, tool: Tool, order: dict[str, Any]) -> None:
    result = await client.call_tool(tool, order)
    assert result.structured_content is not None
    assert result.structured_content.get("status") == "accepted", result.structured_content


async def _approve(context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
    del context, params
    return types.ElicitResult(action="accept", content={"decision": "approve"})


@asynccontextmanager
async def served() -> AsyncGenerator[CountingGateway]:
    """Serve a counting gateway on loopback, in this event loop."""
    gateway = CountingGateway()
    ready = asyncio.Event()

    def announce(line: str) -> None:
        gateway.url = line.removeprefix("listening on ")
        ready.set()

    server = asyncio.create_task(serve(gateway, "127.0.0.1", 0, announce))  # pyright: ignore[reportArgumentType] - app and aclose are all it uses
    try:
        await ready.wait()
        yield gateway
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


def commits(database: Path) -> int:
    """Return how many transactions are in a SQLite database's write-ahead log.

    Each was written and synced when it was committed; a transaction that changed nothing is not there. The log's
    format: SQLite's documentation It starts anew after some thousand pages, which no two orders
    fill.
    """
    log = database.with_name(f"{database.name}-wal").read_bytes()
    salt, page = log[16:24], int.from_bytes(log[8:12], "big")
    found = 0
    for at in range(_WAL_HEADER, len(log), _FRAME_HEADER + page):
        frame: bytes = log[at : at + _FRAME_HEADER]
        if frame[8:16] != salt:
            break  # left over from before the log last started anew
        # The last frame of a transaction tells the database's size; the others say 0.
        found += int.from_bytes(frame[4:8], "big") != 0
    return found
