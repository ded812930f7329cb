"""Lots: what each method takes first, parts that add up, positions that cross zero."""

import random
import time
from collections import deque
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunbot_mcp.history.lots import UNIT, Fill, Method, Shape, match, shape_of

BUY, SELL = True, False


def fill(at: int, buys: bool | None, amount: int, cost: int, fees: int = 0, *, closes: bool | None = None) -> Fill:  # noqa: FBT001 - as a side reads
    return Fill(at, buys, buys is SELL if closes is None else closes, amount, cost, fees, cost * UNIT // (amount or 1))


THREE = (fill(0, BUY, 10, 100, 10), fill(1, BUY, 10, 300, 30), fill(2, BUY, 10, 200, 20), fill(9, SELL, 15, 999))


@pytest.mark.parametrize(
    ("method", "basis", "opening", "longest"),
    [
        (Method.FIFO, 100 + 150, 10 + 15, 9),
        (Method.LIFO, 200 + 150, 20 + 15, 8),
        (Method.HIFO, 300 + 100, 30 + 10, 8),
        (Method.AVERAGE, 300, 30, 0),
    ],
)
def test_which_lots_a_method_takes_first(method: Method, basis: int, opening: int, longest: int) -> None:
    [(at, matched, *taken, _, long, opened)] = match(THREE, Shape.LONG, method)

    assert (at, matched, opened) == (3, 15, 0)
    assert (*taken, long) == (basis, opening, longest)


def test_of_equal_rates_the_highest_first_takes_the_older() -> None:
    fills = (fill(0, BUY, 10, 100), fill(5, BUY, 10, 100), fill(9, SELL, 10, 100))

    assert match(fills, Shape.LONG, Method.HIFO)[0][5] == 9


def test_the_last_part_of_a_lot_takes_the_rest() -> None:
    fills = (fill(0, BUY, 3, 100, 10), *(fill(at, SELL, 1, 50) for at in (1, 2, 3)))

    found = match(fills, Shape.LONG, Method.FIFO)

    assert [row[2] for row in found] == [33, 33, 34]
    assert [row[3] for row in found] == [3, 3, 4]


def test_what_is_sold_beyond_the_known_lots_matches_nothing_and_opens_nothing() -> None:
    fills = (fill(0, SELL, 5, 50), fill(1, BUY, 4, 40), fill(2, SELL, 6, 60), fill(3, SELL, 1, 10))

    assert [row[1:3] for row in match(fills, Shape.LONG, Method.FIFO)] == [(0, 0), (4, 40), (0, 0)]


def test_short_pairs_open_with_sells() -> None:
    fills = (fill(0, SELL, 5, 50, closes=False), fill(1, BUY, 5, 40, closes=True))

    assert match(fills, Shape.SHORT, Method.FIFO)[0][:3] == (1, 5, 50)


def test_a_record_that_crosses_zero_closes_first_and_opens_with_the_rest() -> None:
    fills = (fill(0, BUY, 4, 40, 4), fill(1, SELL, 10, 200, 20), fill(2, BUY, 6, 60, 6))

    first, crossing, back = match(fills, Shape.SIGNED, Method.FIFO)

    assert (first[1], first[6]) == (0, 4)
    assert (crossing[1], crossing[2], crossing[6]) == (4, 40, 6)
    assert (back[1], back[2], back[3], back[6]) == (6, 120, 12, 0)


def test_a_record_without_side_or_amount_touches_no_lot() -> None:
    fills = (fill(0, BUY, 4, 40), fill(1, None, 4, 40, closes=True), fill(2, SELL, 0, 0), fill(3, SELL, 4, 80))

    assert [row[0] for row in match(fills, Shape.LONG, Method.FIFO)] == [3]


def test_a_buy_that_says_it_closed_something_takes_no_lot_of_a_spot_pair() -> None:
    fills = (fill(0, BUY, 4, 40), fill(1, BUY, 4, 80, closes=True), fill(2, SELL, 4, 90))

    assert [row[:3] for row in match(fills, Shape.LONG, Method.FIFO)] == [(1, 0, 0), (2, 4, 40)]


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("binance/USDT-BTC", Shape.LONG),
        ("bybit/USDT-BTC-LONG", Shape.LONG),
        ("bybit/USDT-BTC-SHORT", Shape.SHORT),
        ("bitmex/XBTUSD", Shape.SIGNED),
        ("binanceFutures/USDT-BTC", Shape.SIGNED),
        ("nobody/USDT-BTC", Shape.LONG),
    ],
)
def test_what_opens_a_lot_of_a_pair(key: str, shape: Shape) -> None:
    exchange, _, pair = key.partition("/")

    assert shape_of(exchange, pair) is shape


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 12), st.integers(1, 50), st.integers(0, 9)), max_size=25),
    st.sampled_from([Method.FIFO, Method.LIFO, Method.HIFO]),
)
def test_lots_equal_a_queue_of_single_units(orders: list[tuple[bool, int, int, int]], method: Method) -> None:
    fills = [
        Fill(at, buys, not buys, amount * UNIT, amount * rate * UNIT, amount * fee * UNIT, rate * UNIT)
        for at, (buys, amount, rate, fee) in enumerate(orders)
    ]
    units: deque[tuple[int, int, int]] = deque()
    expected: list[tuple[int, int, int, int]] = []
    for at, (buys, amount, rate, fee) in enumerate(orders):
        if buys:
            units.extend([(rate, fee, at)] * amount)
            continue
        taken: list[tuple[int, int, int]] = []
        while units and len(taken) < amount:
            if method is Method.FIFO:
                taken.append(units.popleft())
            elif method is Method.LIFO:
                taken.append(units.pop())
            else:
                best = max(units, key=lambda unit: (unit[0], -unit[2]))
                units.remove(best)
                taken.append(best)
        rates, fees, ages = (sum(column) for column in zip(*taken, strict=True)) if taken else (0, 0, 0)
        waited = sum(rate * (at - opened) for rate, _, opened in taken)
        expected.append((len(taken), rates, fees, waited))
        assert ages >= 0

    found = match(fills, Shape.LONG, method)

    assert [tuple(Fraction(value, UNIT) for value in row[1:5]) for row in found] == expected


@pytest.mark.slow
@pytest.mark.parametrize("method", [Method.FIFO, Method.LIFO, Method.HIFO, Method.AVERAGE])
def test_a_million_records_take_seconds(method: Method) -> None:
    chance = random.Random(7)
    fills: list[Fill] = []
    for at in range(1_000_000):
        amount, rate = chance.randrange(1, 10**18), chance.randrange(10**18, 10**23)
        buys = chance.random() < 0.55
        fills.append(Fill(at, buys, not buys, amount, amount * rate // UNIT, amount * rate // UNIT // 1000, rate))

    began = time.process_time()
    match(fills, Shape.LONG, method)
    took = time.process_time() - began

    print(f"{method}: {took:.1f} s")
    assert took < 5
