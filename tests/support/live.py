"""A live Gunbot that counts what is sent to it."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import anyio
import anyio.to_thread
import httpx2
import pytest
import uvicorn
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from gunbot_mcp.clock import Clock
from gunbot_mcp.config import Settings, load
from gunbot_mcp.loopback import bind, url_of
from gunbot_mcp.paper.app import PaperGateway
from gunbot_mcp.runtime import Seams

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoibGl2ZSJ9.c2VjcmV0LXNpZ25hdHVyZQ"
TRADE = "/api/v1/trade/"


@dataclass(slots=True)
class LiveGunbot:
    """The paper gateway on a real port, as a live instance's Gunbot. Prices stand still until `set_price`.

    `trades` holds path and body of every order that arrived, `taken` how many of them Gunbot took. `hold` is where
    orders stop until `release`: "request" (read, and then never handled or answered), "answer" (handled, not yet
    answered), "half" (half an answer sent); `held` says that one is there. `reply` (status, body), if given, answers
    orders instead of the gateway.
    """

    url: str = ""
    trades: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    taken: int = 0
    requests: int = 0
    hold: Literal["request", "answer", "half"] | None = None
    held: threading.Event = field(default_factory=threading.Event)
    reply: tuple[int, object] | None = None
    _free: threading.Event = field(default_factory=threading.Event)
    _gateway: PaperGateway = field(default_factory=lambda: PaperGateway(token=TOKEN, market="manual"), repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        if not str(scope["path"]).startswith(TRADE):
            await self._gateway.app(scope, receive, send)
            return
        body = await _whole(receive)
        self.trades.append((str(scope["path"]).removeprefix("/api/v1"), body))
        if self.hold == "request":
            await self._wait()
            return
        status, *answer = await self._handle(scope, body)
        self.taken += status["status"] == 200
        if self.hold == "half":
            await send(status)
            status, rest = None, answer[0]["body"]
            await send({"type": "http.response.body", "body": rest[: len(rest) // 2], "more_body": True})
            answer[0]["body"] = rest[len(rest) // 2 :]
        if self.hold is not None:
            await self._wait()
        for message in (status, *answer):
            if message is not None:
                await send(message)

    async def _handle(self, scope: Scope, body: bytes) -> list[Message]:
        answer: list[Message] = []

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Message) -> None:
            answer.append(message)

        app = self._gateway.app if self.reply is None else JSONResponse(self.reply[1], self.reply[0])
        await app(scope, again, keep)
        return answer

    async def _wait(self) -> None:
        self.held.set()
        await anyio.to_thread.run_sync(self._free.wait, 120)

    def release(self) -> None:
        """Let go on what is held, and hold nothing more."""
        self.hold = None
        self._free.set()

    def reset(self, hold: Literal["request", "answer", "half"] | None = None) -> None:
        """Forget what was counted; hold the next order."""
        self.trades, self.taken, self.hold = [], 0, hold
        self.held.clear()
        self._free.clear()

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.trades]

    async def close(self) -> None:
        await self._gateway.aclose()

    def set_price(self, price: float, pair: str = "USDT-BTC", exchange: str = "binance") -> None:
        self.post("/paper/price", {"exch": exchange, "pair": pair, "price": price})

    def place(self, path: str, **fields: object) -> None:
        """Place an order by hand, past the guard; it is not counted."""
        reply, self.reply = self.reply, None
        self.post(path, fields)
        self.trades.pop()
        self.taken -= 1
        self.reply = reply

    def open_orders(self, pair: str = "USDT-BTC", exchange: str = "binance") -> list[dict[str, Any]]:
        memory = self._post("/coremem/single", {"exchange": exchange, "pair": pair}).json()["memory"]
        return list(memory[f"{exchange}/{pair}"]["openOrders"])

    def post(self, path: str, data: object) -> None:
        assert self._post(path, {"data": data}).json()["status"] == "success"

    def _post(self, path: str, body: object) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx2.Client(base_url=self.url, verify=False, trust_env=False, headers=headers) as http:
            return http.post(f"/api/v1{path}", json=body)


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


@contextmanager
def serving(gunbot: LiveGunbot) -> Generator[LiveGunbot]:
    """Serve on a free port of 127.0.0.1, in a thread of its own."""
    listener = bind("127.0.0.1", 0)
    gunbot.url = url_of(listener)
    config = uvicorn.Config(gunbot, log_level="error", log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)

    async def run() -> None:
        await server.serve(sockets=[listener])
        await gunbot.close()

    thread = threading.Thread(target=anyio.run, args=(run,))
    thread.start()
    try:
        yield gunbot
    finally:
        gunbot.release()
        server.should_exit = True
        thread.join()
        listener.close()


class SteppedClock(Clock):
    """The machine's clocks, which a test can push forward; `seams` put it into a runtime."""

    def __init__(self) -> None:
        super().__init__()
        self.seams = Seams(clock=self)
        self.pushed = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.pushed)

    def monotonic(self) -> float:
        return super().monotonic() + self.pushed


@pytest.fixture
def live_gunbot() -> Iterator[LiveGunbot]:
    with serving(LiveGunbot()) as gunbot:
        yield gunbot


@pytest.fixture
def live_settings(live_gunbot: LiveGunbot) -> Callable[..., Settings]:
    """Make the settings of a live instance named `gunbot`; its fields by keyword, `approval` and `limits` too."""

    def make(**fields: Any) -> Settings:  # noqa: ANN401 - any setting
        approval: dict[str, Any] = {"wait": 0.1, **(fields.pop("approval", None) or {})}
        instance = {"url": live_gunbot.url, "token": TOKEN, "read_timeout": 60, **fields}
        return load(instances={"gunbot": instance}, approval=approval)

    return make


@pytest.fixture
def stepped_clock() -> SteppedClock:
    return SteppedClock()
