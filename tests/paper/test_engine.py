from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from gunbot_mcp.domain import Leg, Side
from gunbot_mcp.paper import engine
from gunbot_mcp.paper.engine import Fill, LegState, Order
from gunbot_mcp.paper.market import Line

D = Decimal


@dataclass(frozen=True)
class Steps:
    """A curve that takes the given prices, one a second."""

    prices: tuple[float, ...]

    def level(self, age: int) -> float:
        return self.prices[min(max(0, age // 1000), len(self.prices) - 1)]

    def first_outside(self, after: int, until: int, low: float, high: float) -> int | None:
        seconds = range(after // 1000 + 1, until // 1000 + 1)
        return next((s * 1000 for s in seconds if not low < self.level(s * 1000) < high), None)


def line(*prices: float) -> Line:
    return Line(curve=Steps(prices), opened=0, tick=D("0.01"))


def order(side: Side, *legs: Leg, n: int = 1) -> Order:
    states = tuple(LegState(id=10 * n + i, leg=leg) for i, leg in enumerate(legs))
    return Order(n=n, exchange="binance", pair="USDT-BTC", side=side, amount=D(1), legs=states, placed=0)


class Pool:
    """Open orders in memory, found by looking at each."""

    def __init__(self, orders: Iterable[Order]) -> None:
        self.orders = {order.n: order for order in orders}

    def quiet(self) -> tuple[Decimal, Decimal] | None:
        ranges = [engine.quiet(order) for order in self.orders.values()]
        if not ranges:
            return None
        return D(repr(max(low for low, _ in ranges))), D(repr(min(high for _, high in ranges)))

    def touched(self, price: Decimal) -> list[Order]:
        ranges = [(order, *engine.quiet(order)) for _, order in sorted(self.orders.items())]
        return [order for order, low, high in ranges if not low < float(price) < high]

    def put(self, order: Order) -> None:
        self.orders[order.n] = order

    def remove(self, order: Order) -> None:
        del self.orders[order.n]


def walked(orders: Iterable[Order], prices: Line, since: int, until: int) -> tuple[list[Order], list[Fill]]:
    pool = Pool(orders)
    fills = engine.advance(pool, prices, since, until)
    return list(pool.orders.values()), fills


def run(prices: Line, *orders: Order) -> tuple[list[Order], list[tuple[int, int, Decimal]]]:
    """Place at second 0 and walk to second 100; fills are (leg id, second, rate)."""
    placed = [engine.place(one, prices.quote(0), 0) for one in orders]
    resting = [one for one in placed if isinstance(one, Order)]
    live, later = walked(resting, prices, 0, 100_000)
    fills = [one for one in placed if isinstance(one, Fill)] + later
    return live, [(fill.leg_id, fill.at // 1000, fill.rate) for fill in fills]


def test_market_orders_fill_at_the_book() -> None:
    prices = line(1000)
    quote = prices.quote(0)
    _, fills = run(prices, order(Side.BUY, Leg()), order(Side.SELL, Leg(), n=2))
    assert fills == [(10, 0, quote.ask), (20, 0, quote.bid)]
    assert quote.bid < 1000 < quote.ask


def test_a_marketable_limit_fills_at_the_books_better_price() -> None:
    prices = line(1000)
    _, fills = run(prices, order(Side.BUY, Leg(limit=D(1100))), order(Side.SELL, Leg(limit=D(900)), n=2))
    assert fills == [(10, 0, prices.quote(0).ask), (20, 0, prices.quote(0).bid)]


def test_a_limit_at_the_last_price_fills_at_its_limit() -> None:
    _, fills = run(line(1000), order(Side.BUY, Leg(limit=D(1000))), order(Side.SELL, Leg(limit=D(1000)), n=2))
    assert fills == [(10, 0, D(1000)), (20, 0, D(1000))]


def test_a_resting_limit_fills_at_its_limit_when_the_price_touches_it_even_if_it_jumps_beyond() -> None:
    prices = line(1000, 995, 990, 980, 1020)
    _, fills = run(prices, order(Side.BUY, Leg(limit=D(990))), order(Side.BUY, Leg(limit=D(985)), n=2))
    assert fills == [(10, 2, D(990)), (20, 3, D(985))]
    _, fills = run(prices, order(Side.SELL, Leg(limit=D(1010))))
    assert fills == [(10, 4, D(1010))]


def test_a_limit_that_is_not_touched_rests() -> None:
    resting = order(Side.BUY, Leg(limit=D(500)))
    assert run(line(1000, 600, 501, 700), resting) == ([resting], [])


def test_a_stop_wakes_from_its_side_and_its_limit_then_fills_inside_the_book() -> None:
    prices = line(1000, 1010, 1020)
    _, fills = run(prices, order(Side.BUY, Leg(stop=D(1020), limit=D(1050))))
    assert fills == [(10, 2, prices.quote(2000).ask)]
    prices = line(1000, 1010, 980)
    _, fills = run(prices, order(Side.SELL, Leg(stop=D(980), limit=D(900))))
    assert fills == [(10, 2, prices.quote(2000).bid)]


def test_a_woken_stop_whose_limit_is_out_of_reach_rests_as_a_limit() -> None:
    live, fills = run(line(1000, 950, 960), order(Side.SELL, Leg(stop=D(950), limit=D(970))))
    assert fills == []
    assert [state.awake for state in live[0].legs] == [True]
    _, fills = run(line(1000, 950, 960, 975, 900), order(Side.SELL, Leg(stop=D(950), limit=D(970))))
    assert fills == [(10, 3, D(970))]


def test_a_stop_that_is_already_beyond_wakes_at_once() -> None:
    prices = line(1000)
    _, fills = run(prices, order(Side.BUY, Leg(stop=D(990), limit=D(1100))))
    assert fills == [(10, 0, prices.quote(0).ask)]
    live, fills = run(prices, order(Side.SELL, Leg(stop=D(1010), limit=D(1050))))
    assert (fills, live[0].legs[0].awake) == ([], True)


def test_a_stop_without_limit_becomes_a_market_order() -> None:
    prices = line(1000, 900)
    _, fills = run(prices, order(Side.SELL, Leg(stop=D(950))))
    assert fills == [(10, 1, prices.quote(1000).bid)]


def test_a_selling_trail_follows_the_high_and_never_moves_back() -> None:
    prices = line(1000, 1050, 1020, 1100, 1060, 1051, 1050, 1000)
    _, fills = run(prices, order(Side.SELL, Leg(trail=D(50))))
    assert fills == [(10, 6, prices.quote(6000).bid)]


def test_a_buying_trail_follows_the_low() -> None:
    prices = line(1000, 960, 990, 900, 930, 949, 950, 1000)
    _, fills = run(prices, order(Side.BUY, Leg(trail=D(50))))
    assert fills == [(10, 6, prices.quote(6000).ask)]


def test_a_trail_that_is_not_touched_keeps_its_best_price() -> None:
    live, fills = run(line(1000, 1040, 1030), order(Side.SELL, Leg(trail=D(50))))
    assert (fills, live[0].legs[0].anchor) == ([], 1040)


def test_the_first_of_two_legs_to_fill_removes_the_other() -> None:
    both = (Leg(limit=D(1100)), Leg(stop=D(900), limit=D(890)))
    assert run(line(1000, 1100, 900, 1100), order(Side.SELL, *both)) == ([], [(10, 1, D(1100))])
    prices = line(1000, 900, 1100)
    assert run(prices, order(Side.SELL, *both)) == ([], [(11, 1, prices.quote(1000).bid)])


def test_a_leg_that_only_wakes_removes_its_sibling_too() -> None:
    live, fills = run(line(1000, 900, 895, 1040), order(Side.SELL, Leg(limit=D(1040)), Leg(stop=D(900), limit=D(1050))))
    assert fills == []
    assert [state.id for state in live[0].legs] == [11]


def test_orders_that_fill_at_one_instant_fill_in_the_order_of_their_placing() -> None:
    first, second = order(Side.BUY, Leg(limit=D(900))), order(Side.BUY, Leg(limit=D(950)), n=2)
    _, fills = run(line(1000, 800), first, second)
    assert [leg for leg, _, _ in fills] == [10, 20]


def test_walking_in_many_small_steps_gives_what_one_long_step_gives() -> None:
    prices = line(1000, 1050, 1020, 1100, 1060, 1051, 1050, 1000, 940, 1200)
    orders = [
        order(Side.SELL, Leg(trail=D(50))),
        order(Side.BUY, Leg(limit=D(950)), n=2),
        order(Side.SELL, Leg(limit=D(1200)), Leg(stop=D(900), limit=D(800)), n=3),
    ]
    placed = [engine.place(one, prices.quote(0), 0) for one in orders]
    resting = [one for one in placed if isinstance(one, Order)]
    live, fills = walked(resting, prices, 0, 60_000)
    stepped, collected = resting, list[Fill]()
    for at in range(0, 60_000, 700):
        stepped, more = walked(stepped, prices, at, min(60_000, at + 700))
        collected += more
    assert (stepped, [(f.leg_id, f.at, f.rate) for f in collected]) == (live, [(f.leg_id, f.at, f.rate) for f in fills])
