"""A Gunbot that shows exactly what a test says, look after look; and orders told in one line."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from gunbot_mcp.clock import Clock
from gunbot_mcp.tickets.ticket import Ticket

EPOCH = 1_900_000_000_000
ABSENT = "absent"
"""Instead of orders: the pair's memory has no `openOrders`."""
MISSING = "missing"
"""Instead of orders: the memory does not hold the pair."""
BOOK = {"ask": [[50000.51, 0.12345], [50001, 2]], "bid": [[49999.52, 0.54321], [49999, 3]]}


def resting(order_id: str = "77", **more: object) -> dict[str, Any]:
    """Return an open order as Gunbot shows it: by default the one that `support.desks.propose` asks for."""
    return {"id": order_id, "type": "buy", "rate": 49000.1, "amount": 0.001, "cost": 49.0001, **more}


@dataclass(frozen=True)
class Fill:
    """A record; `at` is in seconds after the baseline was read."""

    id: str = "77"
    at: float = 1.0
    amount: float = 0.001
    rate: float = 49000.1
    type: str = "buy"
    pair: str = "USDT-BTC"


@dataclass(frozen=True)
class Show:
    """What Gunbot shows at one look, `after` seconds past the one before.

    `bid` alone moves the memory; `orders` may be ABSENT, MISSING or anything else that is no list.
    """

    orders: object = ()
    fills: Sequence[Fill] = ()
    bid: float = 1.0
    after: float = 10.0
    down: str = ""
    """A path that fails at this look."""
    away: bool = False


@dataclass
class Shown(httpx2.AsyncBaseTransport):
    """`post` is how the POST ends: "success", "lost" (no answer) or "no". `now` is what it shows."""

    clock: Clock
    now: Show = field(default_factory=Show)
    post: str = "lost"
    timed: bool = True
    after_post: Show | None = None
    posts: list[str] = field(default_factory=list[str])
    reads: list[str] = field(default_factory=list[str])
    base: int = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v1")
        if path.startswith("/trade/"):
            self.posts.append(path)
            self.now = self.after_post or self.now
            return self._answer(request)
        self.reads.append(path)
        if self.now.away:
            raise httpx2.ConnectError("refused", request=request)
        if self.now.down and path == self.now.down:
            return httpx2.Response(400, json={"status": "error", "message": "not now"})
        if path == "/market/orderbook":
            return httpx2.Response(200, json={"data": BOOK})
        if path == "/time":
            return httpx2.Response(200, json={"serverTime": self.millis()} if self.timed else {})
        if path == "/coremem/single":
            return httpx2.Response(200, json=self._memory(json.loads(request.content)))
        data = [self._record(fill) for fill in self.now.fills]
        return httpx2.Response(200, json={"total": len(data), "page": 0, "data": data})

    def millis(self) -> int:
        return EPOCH + int(self.clock.monotonic() * 1000)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.post == "lost":
            raise httpx2.ReadTimeout("slow", request=request)
        if self.post == "no":
            return httpx2.Response(400, json={"status": "error", "message": "no"})
        return httpx2.Response(200, json={"status": "success", "message": "Order sent"})

    def _memory(self, asked: dict[str, str]) -> dict[str, Any]:
        if self.now.orders == MISSING:
            return {"memory": {}}
        shown: dict[str, Any] = {"Bid": self.now.bid}
        if self.now.orders != ABSENT:
            shown["openOrders"] = self.now.orders
        return {"memory": {f"{asked['exchange']}/{asked['pair']}": shown}}

    def _record(self, fill: Fill) -> dict[str, Any]:
        said = {name: value for name, value in vars(fill).items() if name != "at"}
        return {**said, "time": (self.base or self.millis()) + int(fill.at * 1000)}


def told(ticket: Ticket) -> str:
    """Return a ticket's fate in one line: `accepted match open_orders open 77`."""
    seen = ticket.observed
    if seen is None:
        return f"{ticket.state.value} nothing"
    filled = (
        ""
        if seen.filled is None or seen.average is None
        else f" {seen.filled.normalize():f}@{seen.average.normalize():f}"
    )
    where = f"{seen.certainty.value} {seen.where} {seen.state or '-'}"
    return f"{ticket.state.value} {where} {'+'.join(seen.order_ids)}{filled}"
