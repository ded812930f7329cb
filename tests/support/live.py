"""A live Gunbot that counts what is sent to it."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

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

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoibGl2ZSJ9.c2VjcmV0LXNpZ25hdHVyZQ"
TRADE = "/api/v1/trade/"


@dataclass(slots=True)
class LiveGunbot:
    """The paper gateway on a real port, as a live instance's Gunbot. Prices stand still until `set_price`.

    `trades` holds path and body of every order that arrived. `hold` (if set) keeps orders waiting until it is set;
    `arrived` says that one is there. `reply` (status, body), if given, answers orders instead of the gateway.
    """

    url: str = ""
    trades: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    requests: int = 0
    hold: threading.Event | None = None
    arrived: threading.Event = field(default_factory=threading.Event)
    reply: tuple[int, object] | None = None
    _gateway: PaperGateway = field(default_factory=lambda: PaperGateway(token=TOKEN, market="manual"), repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        if not str(scope["path"]).startswith(TRADE):
            await self._gateway.app(scope, receive, send)
            return
        body = await _whole(receive)
        self.trades.append((str(scope["path"]).removeprefix("/api/v1"), body))
        self.arrived.set()
        if self.hold is not None:
            await anyio.to_thread.run_sync(self.hold.wait, 30)
        if self.reply is not None:
            await JSONResponse(self.reply[1], self.reply[0])(scope, receive, send)
            return

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._gateway.app(scope, again, send)

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
        if gunbot.hold is not None:
            gunbot.hold.set()
        server.should_exit = True
        thread.join()
        listener.close()


class SteppedClock(Clock):
    """The machine's clocks, which a test can push forward."""

    def __init__(self) -> None:
        super().__init__()
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
        approval = {"wait": 0.1, **fields.pop("approval", {})}
        instance = {"url": live_gunbot.url, "token": TOKEN, "read_timeout": 5, **fields}
        return load(instances={"gunbot": instance}, approval=approval)

    return make


@pytest.fixture
def stepped_clock(monkeypatch: pytest.MonkeyPatch) -> SteppedClock:
    """The clock of every runtime that the test opens."""
    stepped = SteppedClock()
    monkeypatch.setattr("gunbot_mcp.runtime.Clock", lambda: stepped)
    return stepped
