"""A Gunbot in memory, behind a network that fails in every way that a seed can choose."""

import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import httpx2

from gunbot_mcp.endpoints import BY_NAME

_TRADES = {f"/api/v1{row.path}": row.name for row in BY_NAME.values() if row.intent is not None}

BEFORE = ("refused", "no route", "unsent", "reset before", "5xx before", "junk before", "not json before")
"""Faults after which Gunbot has not seen the request."""
AFTER = ("timeout", "reset", "truncated", "5xx", "junk", "redirect", "late")
"""Faults after which it has (`late`: it will)."""
SAYS_NO = ("400", "401", "200 error")


@dataclass
class Order:
    id: str
    pair: str
    side: str
    amount: float
    rate: float
    ticket: str
    shown_at: float
    filled_at: float | None
    gone_at: float | None = None


@dataclass
class Post:
    """One attempt to send an order; `seen` says whether Gunbot took it.

    `halted` says whether sending was halted when it was handed over to the network, `began` when the last write to the
    ledger before it, its claim, began.
    """

    ticket: str
    tool: str
    body: str
    at: float
    seen: bool = False
    halted: bool = False
    began: datetime | None = None


async def _nothing(_: object) -> None: ...


@dataclass
class Exchange(httpx2.AsyncBaseTransport):
    """`step` is awaited before and after delivery, `ticket` says whose order a POST is, `now` is in seconds.

    `halted` and `began` are called for these two fields of a `Post`. `plan` names the faults of the next orders (None:
    none); after that they come by chance. `lag` is the most by which core memory and history are late, `fills` how
    likely a resting order fills within a minute.
    """

    chance: random.Random = field(default_factory=lambda: random.Random(1))
    step: Callable[[str], Awaitable[None]] = _nothing
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = _nothing
    ticket: Callable[[], str] = str
    halted: Callable[[], bool] = bool
    began: Callable[[], datetime | None] = lambda: None
    trade_fault: float = 0.0
    read_fault: float = 0.0
    lag: float = 0.0
    fills: float = 0.0
    plan: list[str | None] = field(default_factory=list[str | None])
    posts: list[Post] = field(default_factory=list[Post])
    orders: list[Order] = field(default_factory=list[Order])
    _ids: Iterator[int] = field(default_factory=lambda: count(1000))
    _late: list[tuple[float, Post]] = field(default_factory=list[tuple[float, Post]])

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        halted = self.halted()
        await self.step("before the request")
        trade = _TRADES.get(request.url.path)
        post = None
        if trade is not None:
            post = Post(self.ticket(), trade, request.content.decode(), self.now(), halted=halted, began=self.began())
            self.posts.append(post)
        fault = self._fault(post)
        if self.chance.random() < 0.3:
            await self.sleep(self.chance.random() * 2)
        if fault in BEFORE:
            return self._fail(fault.removesuffix(" before"), request)
        if fault in SAYS_NO:
            return self._no(fault)
        await self.step("delivered")
        self.arrive()
        if post is not None and fault == "late":
            self._late.append((self.now() + self.chance.random() * 8, post))
            raise httpx2.ReadTimeout("late", request=request)
        answer = self._answer(request, post)
        if self.chance.random() < 0.3:
            await self.sleep(self.chance.random() * 2)
        await self.step("answered")
        if fault is not None:
            return self._fail(fault, request, answer)
        return httpx2.Response(200, json=answer)

    def _fault(self, post: Post | None) -> str | None:
        if post is not None and self.plan:
            return self.plan.pop(0)
        if self.chance.random() >= (self.read_fault if post is None else self.trade_fault):
            return None
        return self.chance.choice((*BEFORE, *AFTER, *SAYS_NO))

    def _fail(self, fault: str, request: httpx2.Request, answer: object = None) -> httpx2.Response:
        match fault:
            case "refused":
                raise httpx2.ConnectError("refused", request=request)
            case "no route":
                raise httpx2.ConnectTimeout("no route", request=request)
            case "unsent":
                raise httpx2.WriteTimeout("slow", request=request)
            case "timeout" | "late":
                raise httpx2.ReadTimeout("slow", request=request)
            case "reset":
                raise httpx2.ReadError("reset", request=request)
            case "truncated":
                text = json.dumps(answer)
                return httpx2.Response(200, text=text[: self.chance.randrange(len(text))])
            case "5xx":
                body = {"status": "error", "message": "An internal error occurred"}
                return httpx2.Response(self.chance.choice((500, 502, 503, 504)), json=body)
            case "redirect":
                return httpx2.Response(307, headers={"location": "/elsewhere"})
            case "not json":
                return httpx2.Response(200, text="<html>welcome</html>")
            case _:
                return httpx2.Response(200, json=self.chance.choice(({}, [], None, "success", {"status": "ok"}, 7)))

    def _no(self, fault: str) -> httpx2.Response:
        body = {"status": "error", "message": "no"}
        return httpx2.Response({"400": 400, "401": 401}.get(fault, 200), json=body)

    # What Gunbot does

    def arrive(self) -> None:
        """Deliver what was on its way, if it is time."""
        due = [post for at, post in self._late if at <= self.now()]
        self._late = [(at, post) for at, post in self._late if at > self.now()]
        for post in due:
            self._take(post)

    def _take(self, post: Post) -> None:
        post.seen = True
        data, now = json.loads(post.body)["data"], self.now()
        if post.tool == "cancel_order":
            for order in self.orders:
                if order.id == data["id"] and order.filled_at is None:
                    order.gone_at = now
            return
        market = post.tool.endswith("market")
        self.orders.append(
            Order(
                id=str(next(self._ids)),
                pair=data["pair"],
                side=post.tool.partition("_")[0],
                amount=float(data["amt"]),
                rate=float(data.get("price", 50_000)),
                ticket=post.ticket,
                shown_at=now + self.chance.random() * self.lag,
                filled_at=now
                if market
                else now + self.chance.random() * 60
                if self.chance.random() < self.fills
                else None,
            )
        )

    def _answer(self, request: httpx2.Request, post: Post | None) -> object:
        now = self.now()
        if post is not None:
            self._take(post)
            return {"status": "success", "message": "Order sent"}
        if request.url.path.endswith("/market/orderbook"):
            return {"data": {"ask": [[50_000.5, 1.0]], "bid": [[49_999.5, 1.0]]}}
        if request.url.path.endswith("/coremem/single"):
            asked = json.loads(request.content)
            shown = [order for order in self._of(asked["pair"]) if order.filled_at is None or order.filled_at > now]
            key = f"{asked['exchange']}/{asked['pair']}"
            return {"memory": {key: {"Bid": 49_999.5, "openOrders": [self._open(one) for one in shown]}}}
        if request.url.path.endswith("/time"):
            return {"serverTime": self.millis(now)}
        pair = parse_qs(request.url.query.decode())["key"][0].partition("/")[2]
        filled = [order for order in self._of(pair) if order.filled_at is not None and order.filled_at <= now]
        return {"total": len(filled), "page": 0, "data": [self._record(order) for order in filled]}

    def _of(self, pair: str) -> list[Order]:
        now = self.now()
        return [
            order
            for order in self.orders
            if order.pair == pair and order.shown_at <= now and (order.gone_at is None or order.gone_at > now)
        ]

    def _open(self, order: Order) -> dict[str, Any]:
        shown = {"id": order.id, "pair": order.pair, "type": order.side, "orderType": "limit"}
        return {**shown, "kind": "limit", "rate": order.rate, "amount": order.amount}

    def _record(self, order: Order) -> dict[str, Any]:
        record = {"id": int(order.id), "pair": order.pair, "type": order.side, "rate": order.rate}
        assert order.filled_at is not None
        return {**record, "amount": order.amount, "time": self.millis(order.filled_at)}

    @staticmethod
    def millis(at: float) -> int:
        """Gunbot's own clock, in milliseconds since the epoch; it has nothing to do with ours."""
        return 1_900_000_000_000 + int(at * 1000)
