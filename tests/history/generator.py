"""Histories like those of real bots, the same for the same seed: grids, DCA, bursts, gaps, hedge pairs, resets.

Records have Gunbot's eighteen fields with its own arithmetic (doubles): `cost = rate·amount`, `fees = cost·f`, and
`pnl` of what closes by "cheapest lot first, both fees in" (hedge pairs without fees).

    account(seed=7, keys=6, records=2_500, days=60)        # {key: [record…]}, oldest first
    write(account(…), path)                                # for `gunbot-mcp paper --orders FILE`
"""

import heapq
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]
FEE = 0.001
END_MS = 1_793_491_200_000
"""2026-11-01T00:00Z."""
_DAY = 86_400_000
_LOT = 0.02


@dataclass(slots=True)
class _Pair:
    """One pair while its history is made: the price walks, lots come and go."""

    key: str
    rng: random.Random
    price: float
    make_id: Callable[[random.Random, int], int | str]
    now: float = 0.0
    step: float = 0.0
    made: list[Record] = field(default_factory=list[Record])
    lots: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    held: float = 0.0
    cost: float = 0.0
    paid: float = 10_000.0

    @property
    def pair(self) -> str:
        return self.key.partition("/")[2]

    @property
    def opens_by(self) -> str:
        return "sell" if self.pair.endswith("-SHORT") else "buy"

    def wait(self, times: float = 1.0) -> None:
        """Let time pass, about `times` an average step, and the price walk."""
        self.now += self.step * times * self.rng.expovariate(1.0)
        self.price *= 1 + self.rng.gauss(0.0, 0.004)
        self.price = min(max(self.price, 1e-6), 1e7)

    def open(self, spend: float, *, off: float = 0.0) -> None:
        rate = self._rate(off)
        amount = round(spend / rate, 8) or 1e-8
        heapq.heappush(self.lots, (rate, amount))
        self.held += amount
        self.cost += rate * amount
        self._record(self.opens_by, rate, amount, 0)

    def close(self, share: float = 1.0, *, off: float = 0.0) -> None:
        """Close a share of what is held, cheapest first; where nothing is known to be held, sell a little anyway."""
        rate = self._rate(off)
        amount = round(self.held * share, 8) or round(20 / rate, 8) or 1e-8
        matched, left = 0.0, amount
        while left > 1e-12 and self.lots:
            bought, has = heapq.heappop(self.lots)
            taken = min(has, left)
            matched += bought * taken
            left -= taken
            if has - taken > 1e-12:
                heapq.heappush(self.lots, (bought, has - taken))
        self.held = max(0.0, self.held - amount)
        self.cost = max(0.0, self.cost - matched)
        matched += rate * max(0.0, left)
        gained = rate * amount - matched
        fees = 0.0 if self._hedged else FEE * (rate * amount + matched)
        self._record(
            "buy" if self.opens_by == "sell" else "sell",
            rate,
            amount,
            (-gained if self.opens_by == "sell" else gained) - fees,
        )

    @property
    def _hedged(self) -> bool:
        return self.pair.endswith(("-LONG", "-SHORT"))

    def _rate(self, off: float) -> float:
        return float(f"{self.price * (1 + off):.7g}")

    def _record(self, side: str, rate: float, amount: float, pnl: float) -> None:
        cost = rate * amount
        fees = cost * FEE
        base = cost + fees if side == "buy" else cost - fees
        self.paid += -cost if side == "buy" else cost
        average = self.cost / self.held if self.held > 1e-12 else 0
        self.made.append(
            {
                "time": int(self.now),
                "pair": self.pair,
                "type": side,
                "rate": rate,
                "amount": amount,
                "id": self.make_id(self.rng, len(self.made)),
                "cost": cost,
                **({"toCancel": True} if side == "buy" else {}),
                "fees": fees,
                "baseValue": base,
                "costProceed": -base if side == "buy" else base,
                "averagePrice": average * (1 + FEE),
                "pnlPrice": average,
                "balance": self.held,
                "baseBalance": self.paid,
                "inventory_cost": average,
                "ABP": average / (1 - FEE) ** 2,
                "pnl": pnl,
            }
        )


def _grid(one: _Pair, count: int) -> None:
    """Buys a level down, sells a level up: many small gains, one bag when the price runs away."""
    while len(one.made) < count:
        one.wait()
        if len(one.lots) > 12 or (one.lots and one.rng.random() < 0.5):
            one.close(one.rng.uniform(0.1, 0.4), off=_LOT / 4)
        else:
            one.open(25, off=-_LOT / 4)


def _dca(one: _Pair, count: int) -> None:
    """The same sum again and again, and now and then all of it is sold."""
    while len(one.made) < count:
        one.wait()
        if one.rng.random() < 0.04 and one.lots:
            one.close(off=0.03)
        else:
            one.open(50)


def _bursts(one: _Pair, count: int) -> None:
    """Dozens of orders in a few seconds, several in the same millisecond; then nothing for long."""
    while len(one.made) < count:
        one.wait(30)
        for _ in range(min(30, count - len(one.made))):
            if one.rng.random() < 0.5:
                one.now += one.rng.randrange(0, 900)
            if one.lots and one.rng.random() < 0.45:
                one.close(one.rng.uniform(0.05, 1.0))
            else:
                one.open(one.rng.choice((10.0, 20.0, 100.0)))


def _gaps(one: _Pair, count: int) -> None:
    """A grid whose bot is switched off for weeks."""
    while len(one.made) < count:
        one.wait(200 if one.rng.random() < 0.01 else 0.5)
        if one.lots and one.rng.random() < 0.5:
            one.close(one.rng.uniform(0.2, 1.0), off=_LOT / 2)
        else:
            one.open(40, off=-_LOT / 2)


def _hedge(one: _Pair, count: int) -> None:
    """Entries in a few steps, exits in one, at a stop or at a target."""
    while len(one.made) < count:
        for _ in range(one.rng.randrange(1, 4)):
            one.wait()
            one.open(120)
        one.wait(3)
        one.close(off=one.rng.choice((-0.015, 0.01, 0.02)))
    del one.made[count:]


def _resets(one: _Pair, count: int) -> None:
    """What was bought is forgotten now and then: sales follow whose purchases nobody knows."""
    while len(one.made) < count:
        one.wait()
        if one.rng.random() < 0.005:
            one.lots.clear()
            one.held, one.cost = 0.0, 0.0
            one.close()
        elif one.lots and one.rng.random() < 0.45:
            one.close(one.rng.uniform(0.2, 1.0), off=_LOT / 4)
        else:
            one.open(30)


STYLES: Mapping[str, Callable[[_Pair, int], None]] = {
    "grid": _grid,
    "dca": _dca,
    "bursts": _bursts,
    "gaps": _gaps,
    "hedge": _hedge,
    "resets": _resets,
}

IDS: Sequence[Callable[[random.Random, int], int | str]] = (
    # As the simulator gives them, unique on a pair and repeated across pairs; beyond 2^53; UUIDs; Kraken's.
    lambda _, n: 100_000 + n,
    lambda rng, n: 1_000_000_000_000_000_000 + n * 1_000_003 + rng.randrange(1000),
    lambda rng, n: f"{rng.getrandbits(64):016x}-{n:08d}",
    lambda rng, n: f"O{rng.getrandbits(30):06X}-{n:05d}",
)
_COINS: Sequence[str] = (
    *("BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "LTC"),
    *("LINK", "DOT", "TRX", "SHIB", "AVAX", "ATOM", "NEAR"),
)
_PRICES = (60_000.0, 2_500.0, 600.0, 150.0, 0.6, 0.4, 0.12, 80.0, 12.0, 6.0, 0.15, 0.00002, 30.0, 8.0, 5.0)
_PLACES: Sequence[tuple[str, str, str]] = (
    ("binance", "grid", ""),
    ("binance", "dca", ""),
    ("kraken", "bursts", ""),
    ("bybit", "hedge", "-LONG"),
    ("bybit", "hedge", "-SHORT"),
    ("binance#2", "gaps", ""),
    ("kucoin", "resets", ""),
)


def keys_of(keys: int) -> list[tuple[str, str]]:
    """Return so many keys with their styles, all different."""
    found: dict[str, str] = {}
    for paying in ("USDT", "USDC", "BTC", "EUR"):
        for coin in _COINS:
            for exchange, style, hedge in _PLACES:
                found.setdefault(f"{exchange}/{paying}-{coin}{hedge}", style)
    # One of each style first: a small account has them all.
    order = sorted(found.items(), key=lambda one: _COINS.index(one[0].split("-")[1]) % len(_COINS))
    return order[:keys]


def history(
    key: str, style: str, *, count: int, seed: int = 1, days: float = 365, end_ms: int = END_MS
) -> list[Record]:
    """Return one key's records, oldest first, over about so many days before `end_ms`."""
    rng = random.Random(f"{seed}/{key}/{style}")
    coin = key.partition("/")[2].split("-")[1]
    start = end_ms - days * _DAY
    one = _Pair(key, rng, dict(zip(_COINS, _PRICES, strict=True)).get(coin, 10.0), rng.choice(IDS))
    one.now, one.step = start, days * _DAY / max(1, count)
    STYLES[style](one, count)
    # The styles wait differently: bring all of it into the asked days, in order.
    spread = (end_ms - start) / max(1.0, one.now - start) * 0.999
    for record in one.made:
        record["time"] = int(start + (record["time"] - start) * spread)
    return one.made


def account(
    seed: int = 1, *, keys: int = 6, records: int = 2_500, days: float = 60, end_ms: int = END_MS
) -> dict[str, list[Record]]:
    """Return an account's histories: `records` in all, oldest first in each key."""
    named = keys_of(keys)
    share, rest = divmod(records, len(named))
    return {
        key: history(key, style, count=share + (n < rest), seed=seed, days=days, end_ms=end_ms)
        for n, (key, style) in enumerate(named)
    }


def lines(histories: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """Give the file that `gunbot-mcp paper --orders` reads, line by line."""
    for key, made in histories.items():
        for record in made:
            yield json.dumps({"key": key, "record": record}, separators=(",", ":")) + "\n"


def write(histories: Mapping[str, Sequence[Record]], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines(histories))
