"""Prices as a pure function of seed and time, and the book around a price.

A *curve* gives a level at every age (milliseconds since the market opened). Levels are steps: they change at whole
ticks of the curve (`walk`: one second) and hold in between, so a quote and the order that follows it within the same
second meet the same price. A *line* is a curve as one pair sees it: scaled, rounded to the pair's tick, in epoch
milliseconds.

Nothing is sampled more coarsely after a long sleep. A curve can say where it first leaves a range of levels without
visiting every tick, because it knows bounds for whole blocks of time; so a resting order fills at the same tick and
price whether the gateway was asked every second or once in a week.
"""

import hashlib
import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Protocol

SECOND = 1000
MAX_PRICE = Decimal("1e12")
_HALF_SPREAD = Decimal("0.00015")
_LEVEL_STEP = Decimal("0.0002")
_LEVELS = 10
_LEVEL_VALUE = Decimal(400_000)

# (period in seconds, amplitude as a share of the start price). Each period divides the one before it; the amplitudes
# add up to 3.8 %, which therefore bounds the whole path around its start price.
_OCTAVES = ((172_800, 0.010), (21_600, 0.009), (3_600, 0.007), (600, 0.006), (60, 0.0045), (12, 0.0015))
_FINER = tuple(sum(amplitude for _, amplitude in _OCTAVES[k + 1 :]) for k in range(len(_OCTAVES)))
_MASK = (1 << 64) - 1
_MOST_NODES = 100_000
"""Kept in memory; those that are forgotten are computed again."""


class Curve(Protocol):
    """Levels over age, in milliseconds since the market opened."""

    def level(self, age: int) -> float: ...

    def first_outside(self, after: int, until: int, low: float, high: float) -> int | None:
        """Return the age of the first tick in (after, until] whose level is <= `low` or >= `high`, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Still:
    """A price that never moves by itself."""

    start: float

    def level(self, age: int) -> float:  # noqa: ARG002 - the same at every age
        return self.start

    def first_outside(self, after: int, until: int, low: float, high: float) -> int | None:  # noqa: ARG002 - never moves
        return None


class Walk:
    """Six octaves of value noise: bounded within 3.8 % of `start`, mean-reverting, `start` exactly at age 0.

    Between two nodes of an octave the noise is monotone, so over any stretch within one of its cells its range is
    known from the stretch's two ends: that is what lets `first_outside` skip hours and days at once.
    """

    def __init__(self, seed: int, name: str, start: float) -> None:
        digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        self._seeds = tuple(int.from_bytes(digest[4 * k : 4 * k + 8], "big") for k in range(len(_OCTAVES)))
        self._start = start
        self._nodes: dict[tuple[int, int], float] = {}

    def level(self, age: int) -> float:
        second = max(0, age // SECOND)
        return self._start * (1.0 + sum(self._octave(k, second) for k in range(len(_OCTAVES))))

    def first_outside(self, after: int, until: int, low: float, high: float) -> int | None:
        second, last = after // SECOND + 1, until // SECOND
        k = 0
        while second <= last:
            if k == len(_OCTAVES):
                if not low < self.level(second * SECOND) < high:
                    return second * SECOND
                second += 1
            else:
                end = min((second // _OCTAVES[k][0] + 1) * _OCTAVES[k][0], last + 1)
                bottom, top = self._range(k, second, end)
                if not (bottom > low and top < high):
                    k += 1
                    continue
                second = end
            while k and second % _OCTAVES[k - 1][0] == 0:
                k -= 1
        return None

    def _range(self, k: int, begin: int, end: int) -> tuple[float, float]:
        """Return bounds of the level over [begin, end], which lies within one cell of octave `k` and all coarser."""
        bottom, top = -_FINER[k], _FINER[k]
        for octave in range(k + 1):
            one, two = self._octave(octave, begin), self._octave(octave, end)
            bottom += min(one, two)
            top += max(one, two)
        return self._start * (1.0 + bottom - 1e-12), self._start * (1.0 + top + 1e-12)

    def _octave(self, k: int, second: int) -> float:
        period, amplitude = _OCTAVES[k]
        node, within = divmod(second, period)
        left = self._node(k, node)
        if within == 0:
            return amplitude * left
        t = within / period
        return amplitude * (left + (self._node(k, node + 1) - left) * t * t * (3.0 - 2.0 * t))

    def _node(self, k: int, node: int) -> float:
        if node == 0:
            return 0.0  # every path opens at its start price
        value = self._nodes.get((k, node))
        if value is None:
            if len(self._nodes) > _MOST_NODES:
                self._nodes.clear()
            value = self._nodes[k, node] = _hash(self._seeds[k] + node) / (1 << 63) - 1.0
        return value


def _hash(number: int) -> int:
    """Mix 64 bits (the finalizer of splitmix64): the same on every machine, cheap enough to call a million times."""
    number = (number * 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


@dataclass(frozen=True, slots=True)
class Quote:
    """A pair at one instant: the last price and the best prices of the book, in the paying asset."""

    price: Decimal
    bid: Decimal
    ask: Decimal


@dataclass(frozen=True, slots=True)
class Scale:
    """A price set by hand: the level `level` now means `price`, and the curve goes on from there in proportion."""

    price: Decimal
    level: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One pair's prices over epoch milliseconds, rounded to `tick` and never below it."""

    curve: Curve
    opened: int
    tick: Decimal
    scale: Scale | None = None

    def price(self, at: int) -> Decimal:
        level = Decimal(repr(self.curve.level(at - self.opened)))
        if self.scale is not None:
            level = level * self.scale.price / self.scale.level
        return max(self.tick, self.on_tick(level))

    def on_tick(self, price: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
        return (price / self.tick).quantize(Decimal(1), rounding=rounding) * self.tick

    def quote(self, at: int) -> Quote:
        """Return the price with a spread of three basis points around it, or of two ticks where that is more."""
        price = self.price(at)
        half = price * _HALF_SPREAD
        bid = self.on_tick(min(price - half, price - self.tick), ROUND_FLOOR)
        return Quote(price, max(self.tick, bid), self.on_tick(max(price + half, price + self.tick), ROUND_CEILING))

    def first_exit(self, after: int, until: int, low: Decimal, high: Decimal) -> int | None:
        """Return the first instant in (after, until] at which the price is not strictly between the bounds."""
        factor = 1.0 if self.scale is None else float(self.scale.price) / float(self.scale.level)
        # Widened by a tick, so that rounding can only add a tick to look at, never hide one.
        bottom = _float(low + self.tick) / factor * (1 + 1e-9)
        top = _float(high - self.tick) / factor * (1 - 1e-9)
        at = after
        while True:
            age = self.curve.first_outside(at - self.opened, until - self.opened, bottom, top)
            if age is None:
                return None
            at = age + self.opened
            if not low < self.price(at) < high:
                return at

    def book(self, at: int) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """Return (asks, bids), best first: price and quantity of ten levels, two basis points apart."""
        quote = self.quote(at)
        step = max(self.tick, self.on_tick(quote.price * _LEVEL_STEP))
        second = (at - self.opened) // SECOND
        asks = [(quote.ask + i * step, self._quantity(quote, second, i)) for i in range(_LEVELS)]
        bids = [(quote.bid - i * step, self._quantity(quote, second, -1 - i)) for i in range(_LEVELS)]
        return asks, [(price, quantity) for price, quantity in bids if price > 0]

    def _quantity(self, quote: Quote, second: int, level: int) -> Decimal:
        share = Decimal(500 + _hash(second * 64 + level + 32) % 1000) / 1000
        return (_LEVEL_VALUE * share / quote.price).quantize(Decimal("1e-6")) + Decimal("1e-6")


def _float(bound: Decimal) -> float:
    return float(bound) if bound.is_finite() else math.copysign(math.inf, bound)
