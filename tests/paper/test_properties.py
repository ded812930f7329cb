"""Whatever is ordered, cancelled, moved and restarted, the accounts add up."""

import contextlib
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gunbot_mcp.domain import Cancel, Close, Leg, Place, Side
from gunbot_mcp.paper.accounts import add, held_by, paid_by
from gunbot_mcp.paper.pairs import LISTINGS, opening_balances
from gunbot_mcp.paper.simulator import Rejected, Simulator, order_id

D = Decimal
KEYS = ["binance/USDT-BTC", "binance/BTC-ETH", "bybit/USDT-BTC-LONG", "bybit/USDT-BTC-SHORT"]
START = datetime(2026, 3, 2, tzinfo=UTC)

factors = st.floats(0.93, 1.07).map(lambda x: round(x, 4))
amounts = st.one_of(st.sampled_from([0.001, 1.0, 4.0, 9.99]), st.floats(1e-15, 30.0))


@dataclass(frozen=True)
class Order:
    """What a test may ask for; prices are shares of the pair's start price."""

    key: str
    side: Side
    amount: float
    kind: str
    one: float
    two: float
    three: float

    def intent(self) -> Place | Close:
        listing = LISTINGS[self.key]
        price = [D(repr(float(listing.start) * factor)) for factor in (self.one, self.two, self.three)]
        legs = {
            "market": (Leg(),),
            "limit": (Leg(limit=price[0]),),
            "stop": (Leg(stop=price[0], limit=price[1]),),
            "trail": (Leg(trail=abs(price[0] - price[1]) / 50 + listing.tick),),
            "two": (Leg(limit=price[0]), Leg(stop=price[1], limit=price[2])),
        }
        amount = D(repr(self.amount))
        if self.kind == "close":
            return Close(exchange=listing.exchange, pair=listing.name, amount=amount, leg=Leg(limit=price[0]))
        return Place(side=self.side, exchange=listing.exchange, pair=listing.name, amount=amount, legs=legs[self.kind])


order_values = st.builds(
    Order,
    key=st.sampled_from(KEYS),
    side=st.sampled_from(Side),
    amount=amounts,
    kind=st.sampled_from(["market", "limit", "stop", "trail", "two", "close"]),
    one=factors,
    two=factors,
    three=factors,
)
waits = st.one_of(st.integers(0, 120), st.integers(0, 7 * 86_400)).map(lambda seconds: timedelta(seconds=seconds))


class Accounts(RuleBasedStateMachine):
    """A simulator on a file, beside a list of what was promised: every leg's id with its limit."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = START
        self.legs: dict[int, tuple[Side, Decimal | None, Decimal]] = {}
        self.groups: list[set[int]] = []

    @initialize(seed=st.integers(0, 1000), market=st.sampled_from(["walk", "manual"]))
    def begin(self, seed: int, market: str) -> None:
        self.seed, self.market = seed, market
        self.simulator = self.open()

    def open(self) -> Simulator:
        return Simulator(Path(self.folder.name), seed=self.seed, market=self.market, clock=lambda: self.now)

    def teardown(self) -> None:
        if hasattr(self, "simulator"):
            self.simulator.close()
        self.folder.cleanup()

    @rule(order=order_values)
    def trade(self, order: Order) -> None:
        intent = order.intent()
        before = self.simulator.balances(), self.simulator.memory()
        try:
            self.simulator.trade(intent)
        except Rejected:
            assert (self.simulator.balances(), self.simulator.memory()) == before
            return
        legs = (intent.leg,) if isinstance(intent, Close) else intent.legs
        side = intent.side if isinstance(intent, Place) else Side.BUY if intent.pair.endswith("SHORT") else Side.SELL
        ids = [order_id(self.seed, len(self.legs) + i) for i in range(len(legs))]
        self.groups.append(set(ids))
        self.legs |= {one: (side, leg.limit, intent.amount) for one, leg in zip(ids, legs, strict=True)}

    @rule(wait=waits)
    def sleep(self, wait: timedelta) -> None:
        self.now += wait

    @rule(key=st.sampled_from(KEYS), factor=st.one_of(factors, st.floats(0.4, 2.6)))
    def move(self, key: str, factor: float) -> None:
        listing = LISTINGS[key]
        self.simulator.move_price(listing.exchange, listing.name, D(repr(float(listing.start) * factor)))

    @precondition(lambda self: any(self.resting()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        key, shown = data.draw(st.sampled_from(self.resting()))
        exchange, _, pair = key.partition("/")
        self.simulator.trade(
            Cancel(
                exchange=exchange,
                pair=pair,
                order_id=shown["id"],
                price=D(repr(shown["rate"])),
                order_type=shown["orderType"],
            )
        )
        gone = next(group for group in self.groups if int(shown["id"]) in group)
        assert not gone & {int(one["id"]) for _, one in self.resting()}

    @rule()
    def restart(self) -> None:
        before = self.simulator.balances(), self.simulator.memory(), [self.simulator.orders(key) for key in KEYS]
        self.simulator.close()
        self.simulator = self.open()
        assert (
            self.simulator.balances(),
            self.simulator.memory(),
            [self.simulator.orders(key) for key in KEYS],
        ) == before

    def resting(self) -> list[tuple[str, dict[str, Any]]]:
        if not hasattr(self, "simulator"):
            return []
        return [(key, one) for key, memory in self.simulator.memory().items() for one in memory["openOrders"]]

    @invariant()
    def balances_are_the_opening_plus_the_records_and_never_negative(self) -> None:
        if not hasattr(self, "simulator"):
            return
        rows = self.simulator.balances()
        expected = opening_balances()
        for key in KEYS:
            listing = LISTINGS[key]
            records = self.simulator.orders(key)
            for record in records:
                paying, holding = (listing.exchange, listing.paying), (listing.exchange, listing.holding)
                expected[paying] = add(expected[paying], paid_by(record, listing))
                expected[holding] = add(expected[holding], held_by(record, listing))
            if listing.hedge and records:
                assert float(expected[listing.exchange, listing.holding]) == records[0]["balance"] >= 0
        for row in rows:
            available, reserved = D(row["Available Qty"]), D(row["On Order"])
            assert available >= 0
            assert reserved >= 0
            assert add(available, reserved) == expected[row["Exchange"], row["Asset"]]

    @invariant()
    def fills_keep_their_limits_and_no_order_fills_twice(self) -> None:
        if not hasattr(self, "simulator"):
            return
        records = [record for key in KEYS for record in self.simulator.orders(key)]
        filled = [record["id"] for record in records]
        assert len(set(filled)) == len(filled)
        assert all(len(group & set(filled)) <= 1 for group in self.groups)
        still_open = {int(one["id"]) for _, one in self.resting()}
        for group in self.groups:
            assert not (group & set(filled) and group & still_open)
        for record in records:
            side, limit, amount = self.legs[record["id"]]
            assert (record["type"], record["amount"]) == (side, float(amount))
            if limit is not None:
                assert record["rate"] <= float(limit) if side is Side.BUY else record["rate"] >= float(limit)


Accounts.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_the_accounts_always_add_up = Accounts.TestCase


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    steps=st.lists(st.tuples(order_values, waits), min_size=1, max_size=8),
    glances=st.integers(1, 5),
)
def test_the_same_seed_gives_the_same_history_however_often_somebody_looks(
    seed: int, steps: list[tuple[Order, timedelta]], glances: int
) -> None:
    def history(looks: int) -> list[Any]:
        now = START
        simulator = Simulator(None, seed=seed, market="walk", clock=lambda: now)
        try:
            for order, wait in steps:
                with contextlib.suppress(Rejected):
                    simulator.trade(order.intent())
                for _ in range(looks):
                    now += wait / looks
                    simulator.memory()
            return [simulator.balances(), simulator.memory(), *(simulator.orders(key) for key in KEYS)]
        finally:
            simulator.close()

    # Waits are whole seconds; parts of them need not be, and prices step once a second, so the ends must agree.
    assert history(1) == history(glances)


def test_a_trail_that_comes_to_need_more_than_there_is_is_cancelled_and_takes_nothing() -> None:
    state = Accounts()
    try:
        state.begin(seed=0, market="walk")
        short = "bybit/USDT-BTC-SHORT"
        state.trade(order=Order(short, Side.SELL, 9.99, "trail", 1.0, 1.0, 1.0))
        assert any(state.resting())
        state.move(key="bybit/USDT-BTC-LONG", factor=2.0)
        state.balances_are_the_opening_plus_the_records_and_never_negative()
        assert not any(state.resting())
    finally:
        state.teardown()
