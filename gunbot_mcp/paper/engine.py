"""Open orders and a price path in, fills out. Pure: no I/O, no clock, no accounts.

An order is legs; the first leg that acts (fills, or wakes at its stop or trail) removes the others. The rules:

- A leg without limit, stop and trail is a market order: it fills at the book, buys at the ask, sells at the bid.
- A limit that is new and inside the book fills at the book's better price. A resting limit fills at exactly its limit
  once the price touches it: never worse.
- A stop wakes when the price touches it from its side (buy: price >= stop, sell: price <= stop), at once if it is
  already beyond; what then remains is the leg without its stop.
- A trail follows the best price since it was placed (sell: the high, buy: the low) at its distance; touched, it
  becomes a market order.

The book's quantities do not bound a fill: practice is about prices and rules, not about depth.

A resting order is quiet in a range of prices: while the price stays inside, nothing about the order changes. The store
finds orders by the ends of these ranges, so that only orders which may change are looked at.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from gunbot_mcp.domain import Leg, Side
from gunbot_mcp.paper.market import Line, Quote

_ANY = Decimal("Infinity")


@dataclass(frozen=True, slots=True, kw_only=True)
class LegState:
    """A leg and what it has seen: `awake` once its stop or trail was touched, `anchor` the best price since placed."""

    id: int
    leg: Leg
    awake: bool = False
    anchor: Decimal | None = None

    @property
    def sleeps(self) -> bool:
        return not self.awake and (self.leg.stop is not None or self.leg.trail is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An open order. `n` counts placements; `placed` is in epoch milliseconds; `amount` in the traded asset."""

    n: int
    exchange: str
    pair: str
    side: Side
    amount: Decimal
    legs: tuple[LegState, ...]
    placed: int
    closing: bool = False
    reference: Decimal | None = None

    @property
    def key(self) -> str:
        return f"{self.exchange}/{self.pair}"


@dataclass(frozen=True, slots=True)
class Fill:
    """The whole amount of `order`, through its leg `leg_id`, at the instant `at` and the price `rate`."""

    order: Order
    leg_id: int
    at: int
    rate: Decimal


def trigger(side: Side, state: LegState) -> Decimal | None:
    """Return the price at which a sleeping leg wakes."""
    if state.leg.trail is not None and state.anchor is not None:
        return state.anchor - state.leg.trail if side is Side.SELL else state.anchor + state.leg.trail
    return state.leg.stop


def place(order: Order, quote: Quote, at: int) -> Order | Fill:
    """Return what a new order meets: a fill at once, or the order as it rests (anchored, perhaps awake)."""
    return _step(order, quote, at, fresh=True)


def step(order: Order, quote: Quote, at: int) -> Order | Fill:
    """Return what a resting order becomes when the price is `quote`."""
    return _step(order, quote, at, fresh=False)


class Resting(Protocol):
    """The open orders of one pair, or of pairs that share one price, found by their quiet ranges."""

    def quiet(self) -> tuple[Decimal, Decimal] | None:
        """Return the open range of prices in which none of the orders changes, or None without orders."""
        ...

    def touched(self, price: Decimal) -> Iterable[Order]:
        """Return the orders whose own range does not contain the price, in the order of their placing."""
        ...

    def put(self, order: Order) -> None:
        """Keep what an order has become."""
        ...

    def remove(self, order: Order) -> None:
        """Stop finding this order: it fills."""
        ...


def advance(resting: Resting, line: Line, since: int, until: int) -> list[Fill]:
    """Walk the orders of one pair along its prices in (since, until]; return the fills in order.

    Visits only the instants at which something can change: between them every order is quiet.
    """
    fills, at = list[Fill](), since
    while (bounds := resting.quiet()) is not None:
        exit_at = line.first_exit(at, until, *bounds)
        if exit_at is None:
            break
        at = exit_at
        fills += meet(resting, line.quote(at), at)
    return fills


def meet(resting: Resting, quote: Quote, at: int) -> list[Fill]:
    """Update the orders that the price reaches, and return the fills."""
    fills = list[Fill]()
    for order in list(resting.touched(quote.price)):
        outcome = step(order, quote, at)
        if isinstance(outcome, Fill):
            resting.remove(order)
            fills.append(outcome)
        elif outcome != order:
            resting.put(outcome)
    return fills


def quiet(order: Order) -> tuple[float, float]:
    """Return the open range of prices in which the order does not change, as doubles: never wider than it is."""
    ranges = [_quiet_leg(order.side, state) for state in order.legs]
    return _not_below(max(low for low, _ in ranges)), _not_above(min(high for _, high in ranges))


def _not_below(bound: Decimal) -> float:
    near = float(bound)
    return near if Decimal(repr(near)) >= bound else math.nextafter(near, math.inf)


def _not_above(bound: Decimal) -> float:
    near = float(bound)
    return near if Decimal(repr(near)) <= bound else math.nextafter(near, -math.inf)


def _step(order: Order, quote: Quote, at: int, *, fresh: bool) -> Order | Fill:
    legs = tuple(_follow(order.side, state, quote.price) for state in order.legs)
    for state in legs:
        woken = state.sleeps and _touches(order.side, trigger(order.side, state), quote.price)
        if state.sleeps and not woken:
            continue
        acting = replace(state, awake=True) if woken else state
        rate = _rate(order.side, acting, quote, fresh=fresh or woken)
        if rate is not None:
            return Fill(order, state.id, at, rate)
        if woken:
            return replace(order, legs=(acting,))
    return order if legs == order.legs else replace(order, legs=legs)


def _follow(side: Side, state: LegState, price: Decimal) -> LegState:
    if state.leg.trail is None or state.awake:
        return state
    best = price if state.anchor is None else (max if side is Side.SELL else min)(state.anchor, price)
    return state if best == state.anchor else replace(state, anchor=best)


def _touches(side: Side, stop: Decimal | None, price: Decimal) -> bool:
    return stop is not None and (price >= stop if side is Side.BUY else price <= stop)


def _rate(side: Side, state: LegState, quote: Quote, *, fresh: bool) -> Decimal | None:
    """Return the price at which a waking or resting leg fills now, or None."""
    limit, book = state.leg.limit, quote.ask if side is Side.BUY else quote.bid
    if limit is None:
        return book
    inside, touched = (
        (book <= limit, quote.price <= limit) if side is Side.BUY else (book >= limit, quote.price >= limit)
    )
    if fresh and inside:
        return book
    return limit if touched else None


def _quiet_leg(side: Side, state: LegState) -> tuple[Decimal, Decimal]:
    wakes_at = trigger(side, state)
    if state.sleeps and wakes_at is not None:
        if state.anchor is None:
            return (-_ANY, wakes_at) if side is Side.BUY else (wakes_at, _ANY)
        # The anchor itself is quiet; the next price beyond it moves it.
        if side is Side.BUY:
            return _next_double(state.anchor, -math.inf), wakes_at
        return wakes_at, _next_double(state.anchor, math.inf)
    limit = state.leg.limit or Decimal(0)
    return (limit, _ANY) if side is Side.BUY else (-_ANY, limit)


def _next_double(price: Decimal, towards: float) -> Decimal:
    return Decimal(repr(math.nextafter(float(price), towards)))
