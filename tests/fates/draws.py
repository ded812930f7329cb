"""What a schedule chooses at random: a market, our orders, and what other bots trade beside them."""

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fates.gunbot import FakeGunbot
from fates.truth import ROUNDINGS, Market, TrueOrder

_SPOT = (("USDT-BTC", 50_000, 2, 5), ("USDT-ETH", 2500, 2, 4), ("USDT-DOGE", "0.12", 5, 0), ("BTC-ETH", "0.05", 6, 4))
_FUTURES = (("USDT-BTC-LONG", 50_000, 1, 3), ("USDT-ETH-SHORT", 2500, 2, 2))
_TOOLS = {
    "buy_limit": 30,
    "sell_limit": 20,
    "buy_market": 10,
    "sell_market": 10,
    "buy_oco": 5,
    "sell_oco": 5,
    "buy_stop_limit": 5,
    "sell_stop_limit": 5,
    "buy_trailing_stop": 3,
    "sell_trailing_stop": 3,
}
_CLOSES = {"close_limit": 3, "close_market": 2, "buy_limit": 1}


@dataclass(frozen=True, slots=True)
class Planned:
    """An order that a model will propose."""

    tool: str
    arguments: dict[str, Any]

    @property
    def side(self) -> str:
        if self.tool.startswith("close"):
            return "buy" if self.arguments["pair"].endswith("-SHORT") else "sell"
        return self.tool.partition("_")[0]


def market(chance: random.Random) -> Market:
    """A pair and its steps: powers of ten, sometimes a digit finer or coarser, rarely odd ones (0.05, 0.0005)."""
    futures = chance.random() < 0.2
    pair, mid, price, amount = chance.choice(_FUTURES if futures else _SPOT)
    shift = chance.choice((0, 0, 1))
    odd = 5 if chance.random() < 0.04 else 1
    return Market(
        exchange="bybit" if futures else "binance",
        pair=pair,
        mid=Decimal(mid) * Decimal(str(round(chance.uniform(0.97, 1.03), 4))),
        tick=Decimal(1).scaleb(-price - shift),
        lot=odd * Decimal(1).scaleb(-amount - (shift if amount else 0)),
        rounding=chance.choice(ROUNDINGS),
    )


def order(chance: random.Random, where: Market) -> Planned:
    """An order of ours: its numbers on the exchange's steps, or with digits that the exchange will cut."""
    tools = _CLOSES if where.exchange == "bybit" else _TOOLS
    tool = chance.choices(list(tools), weights=list(tools.values()))[0]
    rough = chance.random() < 0.5

    def price(percent: float) -> Decimal:
        value = where.mid * (1 + Decimal(str(round(percent, 6))) / 100)
        return _digits(value, where.tick, rough=rough)

    amount = _digits(chance.randint(20, 4000) * where.lot * Decimal("1.000373"), where.lot, rough=rough)
    found: dict[str, Any] = {"exchange": where.exchange, "pair": where.pair, "amount": amount}
    side = Planned(tool, found).side
    away = -1 if side == "buy" else 1
    near, far = chance.uniform(0.05, 3), chance.uniform(3.1, 6)
    if tool.endswith("oco"):
        beyond = far + chance.choice((0.0, 0.3))
        stop = {"stop_price": price(-away * far), "limit_price": price(-away * beyond)}
        return Planned(tool, {**found, "price": price(away * near), **stop})
    if tool.endswith("stop_limit"):
        return Planned(tool, {**found, "stop_price": price(-away * near), "limit_price": price(-away * (near + 0.2))})
    if tool.endswith("trailing_stop"):
        return Planned(tool, {**found, "price": price(0), "stop_price": price(-away * near)})
    if tool.endswith("market"):
        return Planned(tool, found)
    crosses = chance.random() < 0.1
    return Planned(tool, {**found, "price": price(-away * 0.2 if crosses else away * near)})


def _digits(value: Decimal, step: Decimal, *, rough: bool) -> Decimal:
    """Return a number with up to four digits more than the step's, or on the step."""
    return value.quantize(step.scaleb(-3)) if rough else (value // step) * step


def neighbours(chance: random.Random, gunbot: FakeGunbot, plan: Planned) -> None:
    """Let other bots trade the same pair in the next minutes, some of it much like what we are about to send."""
    where, now = gunbot.market, gunbot.now()
    for _ in range(chance.choice((0, 0, 1, 2, 4))):
        born = now + chance.random() * chance.choice((20, 200))
        gunbot.add(_neighbour(chance, gunbot, plan, where, born))


def _neighbour(chance: random.Random, gunbot: FakeGunbot, plan: Planned, where: Market, born: float) -> TrueOrder:
    amount = max(where.lot, where.amount(plan.arguments["amount"]))
    named = [plan.arguments[name] for name in ("price", "stop_price", "limit_price") if name in plan.arguments]
    price = where.price(chance.choice(named or [where.mid]))
    other = "sell" if plan.side == "buy" else "buy"
    steps = Decimal(chance.choice((-3, -1, 1, 2, 7, 300)))
    near = max(where.lot, amount + steps * where.lot)
    rest = gunbot.resting
    kinds = {
        "twin": (4, lambda: rest(plan.side, "limit", amount, price, born=born)),
        "near amount": (8, lambda: rest(plan.side, "limit", near, price, born=born)),
        "other price": (8, lambda: rest(plan.side, "limit", amount, price + steps * where.tick, born=born)),
        "other side": (5, lambda: rest(other, "limit", amount, price, born=born)),
        "stop": (5, lambda: rest(plan.side, "stop", amount, price, born=born, stop=price + steps * where.tick)),
        "market": (5, lambda: _market(gunbot, plan.side, amount, born)),
        "near market": (5, lambda: _market(gunbot, plan.side, near, born)),
        "any": (12, lambda: _any(chance, gunbot, where, born)),
    }
    kind = chance.choices(list(kinds), weights=[weight for weight, _ in kinds.values()])[0]
    return kinds[kind][1]()


def _any(chance: random.Random, gunbot: FakeGunbot, where: Market, born: float) -> TrueOrder:
    price = where.price(where.mid * Decimal(str(round(chance.uniform(0.95, 1.05), 6))))
    side = chance.choice(("buy", "sell"))
    return gunbot.resting(side, "limit", chance.randint(5, 9000) * where.lot, price, born=born)


def _market(gunbot: FakeGunbot, side: str, amount: Decimal, born: float) -> TrueOrder:
    return TrueOrder(id=gunbot.new_id(), side=side, kind="market", amount=amount, price=None, born=born)


def past(chance: random.Random, gunbot: FakeGunbot, plan: Planned) -> None:
    """What was there before: a history, orders that rest, and sometimes a bot that trades this very amount always."""
    where = gunbot.market
    for _ in range(chance.choice((0, 5, 15))):
        amount = chance.randint(5, 9000) * where.lot
        gunbot.add(_market(gunbot, chance.choice(("buy", "sell")), amount, -3000 * chance.random() - 10))
    for _ in range(chance.choice((0, 0, 1, 3))):
        gunbot.add(_neighbour(chance, gunbot, plan, where, -200 * chance.random()))
    if chance.random() < 0.03:
        amount = max(where.lot, where.amount(plan.arguments["amount"]))
        for _ in range(6):
            gunbot.add(_market(gunbot, chance.choice(("buy", "sell")), amount, -9000 * chance.random() - 10))
    if chance.random() < 0.05:
        # A busy pair: what filled leaves the newest page of the history within minutes.
        lasts = chance.choice((300, 1200))
        for _ in range(150):
            amount = chance.randint(5, 9000) * where.lot
            gunbot.add(_market(gunbot, chance.choice(("buy", "sell")), amount, lasts * chance.random()))
