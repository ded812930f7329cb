"""An account of six pairs, 2,500 fills in 60 days and 306 balances, in a Gunbot that needs no port."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from history.generator import Record, history, write
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from support.live import TOKEN

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.config import load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.paper.app import PaperGateway
from gunbot_mcp.render import Answer
from gunbot_mcp.runtime import Runtime, Seams

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
BTC = "binance/USDT-BTC"
STYLES: Mapping[str, str] = {
    BTC: "grid",
    "binance/USDT-ETH": "dca",
    "binance/USDT-XRP": "bursts",
    "binance/USDT-BNB": "resets",
    "kraken/USDT-BTC": "gaps",
    "bybit/USDT-ETH-SHORT": "hedge",
}
BALANCES = [
    {"Asset": "USDT", "Exchange": "binance", "Available Qty": "5120.5", "On Order": "379.5"},
    {"Asset": "BTC", "Exchange": "binance", "Available Qty": "0.0315", "On Order": "0.0005"},
    {"Asset": "ETH", "Exchange": "binance", "Available Qty": "1.25", "On Order": "0"},
    {"Asset": "XRP", "Exchange": "binance", "Available Qty": "812.5", "On Order": "0.0"},
    {"Asset": "USDT", "Exchange": "kraken", "Available Qty": "900", "On Order": "0.0"},
    {"Asset": "BTC", "Exchange": "kraken", "Available Qty": "0.004", "On Order": "0.0"},
    *({"Asset": f"A{number}", "Exchange": "binance", "Available Qty": "0.0", "On Order": "0"} for number in range(300)),
]


def records() -> dict[str, list[Record]]:
    """Return the histories, oldest first in each key."""
    share, rest = divmod(2_500, len(STYLES))
    return {
        key: history(key, style, count=share + (number < rest), seed=9, days=60, end_ms=NOW_MS)
        for number, (key, style) in enumerate(STYLES.items())
    }


@dataclass
class _Gunbot:
    """The paper gateway with these balances instead of its own."""

    gateway: PaperGateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = JSONResponse(BALANCES) if scope["path"] == "/api/v1/balances" else self.gateway.app
        await app(scope, receive, send)


@dataclass
class Account:
    """A running instance on the account. `said` are the answers to the calls of an assistant, in their order."""

    runtime: Runtime
    http: httpx2.AsyncClient
    clock: ManualClock
    said: list[Answer] = field(default_factory=list[Answer])

    async def ask(self, tool: str, **arguments: object) -> Answer:
        answer = await self.runtime.dispatcher.call(tool, arguments, Caller(name="claude"))
        assert isinstance(answer, Answer)
        assert not answer.is_error, answer.text
        self.said.append(answer)
        return answer

    async def propose(self, tool: str, **arguments: object) -> str:
        """Propose an order, which is no answer to a question, and return its ticket."""
        answer: Any = await self.runtime.dispatcher.call(tool, arguments, Caller(name="claude"))
        return str(answer.structured["ticket"]["id"])

    async def set_price(self, price: float) -> None:
        data = {"exch": "binance", "pair": "USDT-BTC", "price": price}
        answer = await self.http.post("/api/v1/paper/price", json={"data": data})
        assert answer.json()["status"] == "success"

    def pass_seconds(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


@asynccontextmanager
async def account(folder: Path) -> AsyncGenerator[Account]:
    """Run the account as a live instance whose clock stands at `NOW`; its history is made new in the folder."""
    file, clock = folder / "made.jsonl", ManualClock(NOW)
    write(records(), file)
    gateway = PaperGateway(token=TOKEN, market="manual", orders=file, clock=clock.now)
    transport = httpx2.ASGITransport(app=_Gunbot(gateway))
    settings = load(
        instances={"gunbot": {"url": "http://127.0.0.1:9", "token": TOKEN, "read_timeout": 60}}, approval={"wait": 0.1}
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with (
            Runtime(settings, seams=Seams(transport=transport, backoff=0, clock=clock)) as runtime,
            httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:9", headers=headers) as http,
        ):
            yield Account(runtime, http, clock)
    finally:
        await gateway.aclose()
