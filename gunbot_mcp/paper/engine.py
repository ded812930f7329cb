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
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

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


def advance(orders: Iterable[Order], line: Line, since: int, until: int) -> tuple[list[Order], list[Fill]]:
    """Walk the orders of one pair along its prices in (since, until]; return those still open, and the fills in order.

    Visits only the instants at which something can change: between them every order is quiet.
    """
    live, fills, at = list(orders), list[Fill](), since
    while live:
        low, high = _quiet(live)
        exit_at = line.first_exit(at, until, low, high)
        if exit_at is None:
            break
        at, quote = exit_at, line.quote(exit_at)
        outcomes = [step(order, quote, at) for order in live]
        live = [outcome for outcome in outcomes if isinstance(outcome, Order)]
        fills += [outcome for outcome in outcomes if isinstance(outcome, Fill)]
    return live, fills


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


def _quiet(orders: Sequence[Order]) -> tuple[Decimal, Decimal]:
    """Return the open range of prices in which none of the orders changes in any way."""
    ranges = [_quiet_leg(order.side, state) for order in orders for state in order.legs]
    return max(low for low, _ in ranges), min(high for _, high in ranges)


def _quiet_leg(side: Side, state: LegState) -> tuple[Decimal, Decimal]:
    wakes_at = trigger(side, state)
    if state.sleeps and wakes_at is not None:
        if state.anchor is None:
            return (-_ANY, wakes_at) if side is Side.BUY else (wakes_at, _ANY)
        # The anchor itself is quiet; the next price beyond it moves it.
        if side is Side.BUY:
            return state.anchor.next_minus(), wakes_at
        return wakes_at, state.anchor.next_plus()
    limit = state.leg.limit or Decimal(0)
    return (limit, _ANY) if side is Side.BUY else (-_ANY, limit)
