"""A Gunbot before the true exchange: it shows what it last saw, late, restarts, and answers in its own ways.

Its memory of a pair is fetched and published once per cycle. Its history is as of some moment up to another cycle
before. After a restart a pair's memory is missing or has no `openOrders` until the next cycle.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import httpx2
from fates.truth import NEVER, Kind, Market, TrueOrder, live
from simulation.processes import START
from support.exchange import Exchange, Post

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What is the same all through a schedule, and differs from one to the next; times in seconds.

    `linked`: records carry the order's own id. `merged`: one record per order, which grows. `remaining`: an open
    order's amount is what is left of it. `tagged`: a stop says that it is one. `hidden`: a stop is not shown before
    it triggers. `stop_price`: a stop's rate is its trigger, not its limit. `ahead`: Gunbot's clock minus ours.
    `drops`: how likely an order that Gunbot said success to never comes to exist. `slow`: most of the network's delay.
    """

    cycle: float
    ahead: float
    lag: float
    linked: bool
    merged: bool
    remaining: bool
    tagged: bool
    hidden: bool
    stop_price: bool
    as_text: bool
    quiet: bool
    lingers: float
    drops: float
    slow: float
    ids: str
    restarts: tuple[tuple[float, float], ...]

    @classmethod
    def drawn(cls, chance: random.Random) -> "Habits":
        cycle = chance.choice((5, 5, 12, 30, 60, 120)) * chance.uniform(0.8, 1.2)
        down = chance.uniform(0, 300)
        return cls(
            cycle=cycle,
            ahead=chance.choice((0.0, 0.0, chance.uniform(-3, 3), chance.uniform(-120, 120))),
            lag=chance.choice((0.0, 1.0)) * cycle,
            linked=chance.random() < 0.9,
            merged=chance.random() < 0.08,
            remaining=chance.random() < 0.15,
            tagged=chance.random() < 0.15,
            hidden=chance.random() < 0.3,
            stop_price=chance.random() < 0.3,
            as_text=chance.random() < 0.3,
            quiet=chance.random() < 0.05,
            lingers=chance.choice((0.0, 0.2)),
            drops=chance.choice((0.0, 0.0, 0.1)),
            slow=chance.choices((0.05, 0.3, 2.0), weights=(6, 3, 1))[0],
            ids=chance.choice(("whole", "digits", "uuid")),
            restarts=((down, down + cycle * chance.uniform(0.5, 3)),) if chance.random() < 0.1 else (),
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What Gunbot fetched: its open orders at `fetched`, its history as of `history`; seen from `published` on."""

    number: int
    fetched: float
    history: float
    published: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What Gunbot showed at `at`: open orders as of a snapshot (None: it showed none), or the history as of `as_of`."""

    to: httpx2.Request
    at: float
    what: str
    as_of: float
    listed: Mapping[str, tuple[Decimal, Decimal]] | None = None


@dataclass
class FakeGunbot(Exchange):
    """Speaks Gunbot's API before the truth. `answers` is all that it showed, in order."""

    market: Market = field(kw_only=True)
    habits: Habits = field(kw_only=True)
    story: list[str] = field(default_factory=list[str])
    truth: list[TrueOrder] = field(default_factory=list[TrueOrder])
    answers: list[Answer] = field(default_factory=list[Answer])
    snapshots: list[Snapshot] = field(default_factory=list[Snapshot])
    refused: set[str] = field(default_factory=set[str])
    _delivery: float | None = None

    def __post_init__(self) -> None:
        self._numbers = count(self.chance.randrange(10_000, 900_000))

    # Time

    def told(self, at: float) -> int:
        """Return an instant as Gunbot writes it, in milliseconds by its own clock."""
        return round((START + timedelta(seconds=at + self.habits.ahead) - _EPOCH).total_seconds() * 1000)

    def snapshot(self, at: float) -> Snapshot:
        """Return what was last published before `at`."""
        chance, habits = self.chance, self.habits
        if not self.snapshots:
            self.snapshots.append(Snapshot(0, -2 * habits.cycle, -3 * habits.cycle, -2 * habits.cycle))
        while (last := self.snapshots[-1]).published <= at:
            fetched = last.fetched + habits.cycle * chance.uniform(0.8, 1.3)
            history = max(last.history, fetched - chance.random() * habits.lag)
            published = max(fetched + chance.choice((0.0, 0.3, 2.0)) * chance.random(), last.published + 0.01)
            self.snapshots.append(Snapshot(last.number + 1, fetched, history, published))
        return next(one for one in reversed(self.snapshots) if one.published <= at)

    def absent(self, at: float) -> bool:
        return any(down <= at < up for down, up in self.habits.restarts)

    # Orders that come

    def new_id(self) -> str:
        number = next(self._numbers)
        match self.habits.ids:
            case "whole":
                return str(number)
            case "digits":
                return f"{self.chance.randrange(10**12, 10**13)}{number:06d}"
            case _:
                return f"{self.chance.getrandbits(64):016x}-{number:06d}"

    def add(self, order: TrueOrder) -> TrueOrder:
        """Let an order come to the exchange, with the life that chance gives it."""
        order.lingers = self.chance.randint(1, 3) if self.chance.random() < self.habits.lingers else 0
        made = live(self.chance, order, self.market, touched=self.market.mid)
        self.truth.append(made)
        self.story.append(f"{made.born:8.1f} comes {made}")
        return made

    def add_linked(self, limit: TrueOrder, stop: TrueOrder) -> None:
        """Let two linked orders come: when one acts or goes, so does the other."""
        first, second = self.add(limit), self.add(stop)
        second.fills, second.ended = (), first.ended
        if self.chance.random() < 0.3:
            first, second = second, first
            first.fills, second.fills = second.fills, ()
            first.fills = tuple(
                type(one)(one.at, one.amount, first.price or one.rate, one.record) for one in first.fills
            )
        first.partner, second.partner = second, first
        if first.fills:
            second.ended = min(second.ended, first.fills[0].at)

    def arrive(self) -> None:
        for at, post in sorted(self._late, key=lambda one: one[0]):
            if at <= self.now():
                self._late.remove((at, post))
                self._delivery = at
                self._take(post)
        self._delivery = None

    def _take(self, post: Post) -> None:
        post.seen = True
        # From Gunbot to the exchange it takes a moment, too.
        now = (self.now() if self._delivery is None else self._delivery) + self.chance.uniform(0.03, 0.3)
        data: dict[str, Any] = json.loads(post.body, parse_float=Decimal, parse_int=Decimal)["data"]
        self.story.append(f"{now:8.1f} Gunbot takes {post.tool} of {post.ticket}")
        if post.tool == "cancel_order":
            named = [order for order in self.truth if order.id == str(data["id"])]
            if self.chance.random() < 0.85:
                done = [order.cancel(now) for order in named]
                self.story.append(f"{now:8.1f} the cancel of {data['id']} {'works' if any(done) else 'comes too late'}")
            return
        amount = self.market.amount(data["amt"])
        if amount <= 0 or self.chance.random() < self.habits.drops:
            self.story.append(f"{now:8.1f} the exchange drops it")
            self.refused.add(post.ticket)
            return
        side = post.tool.partition("_")[0]
        if side == "close":
            side = "buy" if data["pair"].endswith("-SHORT") else "sell"
        made = self._orders(post.tool, side, amount, data, now)
        for order in made:
            order.ticket = post.ticket
        if len(made) == 2:
            self.add_linked(*made)
        else:
            self.add(made[0])

    def _orders(self, tool: str, side: str, amount: Decimal, data: dict[str, Any], now: float) -> list[TrueOrder]:
        cut = self.market.price
        if tool.endswith("market"):
            return [TrueOrder(id=self.new_id(), side=side, kind="market", amount=amount, price=None, born=now)]
        if tool.endswith("trailing_stop"):
            apart = abs(data["price"] - data["stopPrice"])
            price = cut(self.market.mid + apart if side == "buy" else self.market.mid - apart)
            return [self.resting(side, "trail", amount, price, born=now, stop=price)]
        if tool.endswith("stop_limit"):
            return [self.resting(side, "stop", amount, cut(data["limitPrice"]), born=now, stop=cut(data["stopPrice"]))]
        plain = self.resting(side, "limit", amount, cut(data["price"]), born=now)
        if not tool.endswith("oco"):
            return [plain]
        return [plain, self.resting(side, "stop", amount, cut(data["limit"]), born=now, stop=cut(data["stopPrice"]))]

    def resting(
        self, side: str, kind: Kind, amount: Decimal, price: Decimal, *, born: float, stop: Decimal | None = None
    ) -> TrueOrder:
        hides = kind in {"stop", "trail"} and self.habits.hidden
        shown = born + self.chance.random() * 200 if hides else born
        tag: dict[str, object] = {}
        if kind in {"stop", "trail"} and self.habits.tagged:
            word = "TRAILING_STOP" if kind == "trail" else "STOP_LOSS_LIMIT"
            tag = {"orderType": word, "stopPrice": float(stop or price)}
        return TrueOrder(
            id=self.new_id(),
            side=side,
            kind=kind,
            amount=amount,
            price=price,
            born=born,
            stop=stop,
            shown_from=shown,
            tag=tag,
        )

    # What it answers

    def _fail(self, fault: str, request: httpx2.Request, answer: object = None) -> httpx2.Response:
        self.answers = [one for one in self.answers if one.to is not request]
        return super()._fail(fault, request, answer)

    def _answer(self, request: httpx2.Request, post: Post | None) -> object:
        if post is not None:
            self._take(post)
            return {"status": "success", "message": "Order sent"}
        query, now = parse_qs(request.url.query.decode()), self.now()
        answers: dict[str, Callable[[], object]] = {
            "/time": lambda: {"serverTime": self.told(now)},
            "/market/orderbook": self._book,
            "/coremem/single": lambda: {"config": {}, "memory": self._memory(request, now)},
            "/orders/page": lambda: self._page(request, now, int(query["page"][0]), int(query["pageSize"][0])),
            "/orders": lambda: {"data": self._records(request, now)},
            "/pairs": lambda: {"status": "success", "pairList": [self.market.pair, "USDT-XRP"]},
            "/balances": list[object],
            "/auth/status": lambda: {"code": 200, "status": "success", "message": "Authenticated"},
        }
        return answers[request.url.path.removeprefix("/api/v1")]()

    def _number(self, value: Decimal) -> object:
        return format(value.normalize(), "f") if self.habits.as_text else float(value)

    def _book(self) -> object:
        market, chance = self.market, self.chance
        levels = range(1, 13)

        def size() -> float:
            return float(market.lot * chance.randrange(10**6, 10**7))

        return {
            "data": {
                "ask": [[float(market.price(market.mid) + market.tick * n * n), size()] for n in levels],
                "bid": [[float(market.price(market.mid) - market.tick * n * n), size()] for n in levels],
            }
        }

    def listed(self, shown: Snapshot) -> list[TrueOrder]:
        """Return the orders that this snapshot of Gunbot's memory lists, filled ones that linger among them."""

        def lists(order: TrueOrder) -> bool:
            if order.kind == "market" or order.shown_from > shown.fetched:
                return False
            if order.open(shown.fetched):
                return True
            since = sum(1 for one in self.snapshots if order.done < one.fetched <= shown.fetched)
            return order.done < NEVER and order.done <= shown.fetched and since <= order.lingers

        return [order for order in self.truth if lists(order)]

    def face(self, order: TrueOrder, at: float) -> tuple[Decimal, Decimal]:
        """Return the amount and the rate with which an order was listed at a moment."""
        left = order.amount - order.filled(at)
        amount = left if self.habits.remaining and left else order.amount
        by_stop = order.stop is not None and self.habits.stop_price
        return amount, (order.stop if by_stop and order.stop else order.price) or Decimal(0)

    def _memory(self, request: httpx2.Request, now: float) -> object:
        shown = self.snapshot(now)
        pair: dict[str, Any] = {"Bid": float(self.market.mid), "whatstrat": {"PERIOD": 15}}
        if not self.habits.quiet:
            pair |= {"Bid": float(self.market.mid + self.market.tick * (shown.number % 7)), "ABP": shown.number}
        if self.absent(now):
            self.answers.append(Answer(request, now, "open", shown.fetched))
            return self.chance.choice(({}, {self.market.key: pair}, {self.market.key: {**pair, "openOrders": None}}))
        listed = self.listed(shown)
        faces = {order.id: self.face(order, shown.fetched) for order in listed}
        self.answers.append(Answer(request, now, "open", shown.fetched, faces))
        return {self.market.key: {**pair, "openOrders": [self._listing(order, *faces[order.id]) for order in listed]}}

    def _listing(self, order: TrueOrder, amount: Decimal, rate: Decimal) -> object:
        return {
            "id": self._id(order.id),
            "type": order.side,
            "rate": self._number(rate),
            "amount": self._number(amount),
            "cost": float(amount * rate),
            **order.tag,
        }

    def _id(self, text: str) -> object:
        return int(text) if self.habits.ids == "whole" else text

    def records_as_of(self, as_of: float) -> list[tuple[TrueOrder, str, float, Decimal, Decimal]]:
        """Return (order, id, time, amount, rate) of every record of a history as of a moment, oldest first."""
        found: list[tuple[TrueOrder, str, float, Decimal, Decimal]] = []
        for order in self.truth:
            fills = [fill for fill in order.fills if fill.at <= as_of]
            name = order.id if self.habits.linked else ""
            if fills and self.habits.merged:
                amount = sum((fill.amount for fill in fills), Decimal(0))
                rate = sum((fill.amount * fill.rate for fill in fills), Decimal(0)) / amount
                found.append((order, name or fills[0].record, fills[-1].at, amount, round(rate, 10).normalize()))
            else:
                found += [(order, name or fill.record, fill.at, fill.amount, fill.rate) for fill in fills]
        return sorted(found, key=lambda one: one[2])

    def _records(self, request: httpx2.Request, now: float) -> list[dict[str, Any]]:
        as_of = self.snapshot(now).history
        self.answers.append(Answer(request, now, "history", as_of))
        return [
            {
                "time": self.told(at),
                "pair": self.market.pair,
                "type": order.side,
                "rate": self._number(rate),
                "amount": self._number(amount),
                "id": self._id(name),
                "cost": float(amount * rate),
                "fees": float(amount * rate / 1000),
            }
            for order, name, at, amount, rate in reversed(self.records_as_of(as_of))
        ]

    def _page(self, request: httpx2.Request, now: float, page: int, size: int) -> object:
        records = self._records(request, now)
        return {"total": len(records), "page": page, "data": records[page * size : (page + 1) * size]}
