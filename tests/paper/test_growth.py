"""Orders and lots are found by index; what is found must be what looking at every one of them finds."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from itertools import islice
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gunbot_mcp.domain import Leg, Side
from gunbot_mcp.paper import engine
from gunbot_mcp.paper.accounts import Inventory, Lot, add, reserve
from gunbot_mcp.paper.data import FILE, PaperData
from gunbot_mcp.paper.engine import Fill, LegState, Order
from gunbot_mcp.paper.market import Line, Quote, Walk
from gunbot_mcp.paper.pairs import LISTINGS
from gunbot_mcp.paper.transaction import PaperTransaction

D = Decimal
KEY = "binance/USDT-BTC"
TICK = D("0.01")

prices = st.decimals(48_000, 54_000, places=2)
legs: st.SearchStrategy[tuple[Leg, ...]] = st.one_of(
    prices.map(lambda limit: (Leg(limit=limit),)),
    st.tuples(prices, prices).map(lambda two: (Leg(stop=two[0], limit=two[1]),)),
    st.decimals("0.01", 900, places=9).map(lambda trail: (Leg(trail=trail),)),
    st.tuples(prices, prices, prices).map(lambda three: (Leg(limit=three[0]), Leg(stop=three[1], limit=three[2]))),
)


def order(n: int, side: Side, its: tuple[Leg, ...]) -> Order:
    states = tuple(LegState(id=100_000 + 2 * n + i, leg=leg) for i, leg in enumerate(its))
    return Order(n=n, exchange="binance", pair="USDT-BTC", side=side, amount=D("0.1"), legs=states, placed=0)


class Kept:
    """The orders of one key as the file finds them."""

    def __init__(self, tx: PaperTransaction) -> None:
        self._tx = tx

    def quiet(self) -> tuple[Decimal, Decimal] | None:
        return self._tx.quiet(KEY)

    def touched(self, price: Decimal) -> list[Order]:
        return self._tx.orders_touched(KEY, price)

    def put(self, order: Order) -> None:
        self._tx.put_order(order)

    def remove(self, order: Order) -> None:
        self._tx.drop_order(order)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), wanted=st.lists(st.tuples(st.sampled_from(Side), legs), max_size=12))
def test_the_orders_that_an_index_finds_are_those_that_change(
    seed: int, wanted: list[tuple[Side, tuple[Leg, ...]]]
) -> None:
    line = Line(curve=Walk(seed, "USDT-BTC", 51_000.0), opened=0, tick=TICK)
    placed = [engine.place(order(n, *one), line.quote(0), 0) for n, one in enumerate(wanted, start=1)]
    resting = {one.n: one for one in placed if isinstance(one, Order)}
    with closing(PaperData(None, seed=1, market="manual", now=0)) as data, data.transaction() as tx:
        for one in resting.values():
            tx.put_order(one)
        found = engine.advance(Kept(tx), line, 0, 900_000)
        kept = {one.n: one for one in tx.orders(KEY)}
        reserved = tx.balances()
    fills: list[Fill] = []
    for second in range(1, 901):
        quote = line.quote(1000 * second)
        for n, one in sorted(resting.items()):
            outcome = engine.step(one, quote, 1000 * second)
            if isinstance(outcome, Fill):
                del resting[n]
                fills.append(outcome)
            else:
                resting[n] = outcome
    assert (found, kept) == (fills, resting)
    for asset in ("USDT", "BTC"):
        shares = [amount for name, amount in (reserve(one, LISTINGS[KEY]) for one in kept.values()) if name == asset]
        total = D(0)
        for share in shares:
            total = add(total, share)
        assert reserved["binance", asset].reserved == total


@settings(max_examples=200, deadline=None)
@given(its=legs, side=st.sampled_from(Side), seen=prices, price=prices)
def test_an_order_changes_only_outside_its_quiet_range(
    its: tuple[Leg, ...], side: Side, seen: Decimal, price: Decimal
) -> None:
    placed = engine.place(order(1, side, its), Quote(seen, seen - TICK, seen + TICK), 0)
    if isinstance(placed, Fill):
        return
    low, high = engine.quiet(placed)
    inside = low < float(price) < high
    changed = engine.step(placed, Quote(price, price - TICK, price + TICK), 1) != placed
    assert not (inside and changed)


def test_what_an_order_reads_takes_the_database_no_more_steps_when_there_is_more(tmp_path: Path) -> None:
    few, many = (steps_of_the_reads(tmp_path / str(count), count) for count in (100, 4_000))
    assert many < 1.5 * few


def steps_of_the_reads(folder: Path, count: int) -> int:
    """Return the work of SQLite's machine for what one order reads, with so many used and unused lots and orders."""
    with closing(PaperData(folder, seed=1, market="manual", now=0)) as data, data.transaction() as tx:
        lots = [Lot(n, 50_000.0 + n, D(n % 2), D(1 - n % 2)) for n in range(1, count + 1)]
        tx.set_lots(KEY, lots, Inventory())
        for n in range(1, count + 1):
            tx.put_order(order(n, Side.BUY, (Leg(limit=D(n)),)))
    steps = [0]

    def count_step() -> int:
        steps[0] += 1
        return 0

    with closing(sqlite3.connect(folder / FILE)) as connection:
        tx = PaperTransaction(connection)
        connection.set_progress_handler(count_step, 1)
        assert list(tx.keys_with_orders()) == [KEY]
        assert tx.quiet(KEY) == (count, D("Infinity"))
        assert [one.n for one in tx.orders_touched(KEY, D(count - 1))] == [count - 1, count]
        assert tx.has_orders("binance", at_least=50)
        assert [one.n for one in islice(tx.oldest_lots(KEY), 2)] == [0, 1]
        assert [one.n for one in islice(tx.cheapest_lots(KEY), 2)] == [2, 4]
        assert tx.newest_lot(KEY) == count
        tx.inventory(KEY)
        tx.balance("binance", "USDT")
        assert tx.order_of_leg(str(100_002)) is not None
    return steps[0]
