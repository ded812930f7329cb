from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gunbot_mcp.domain import Leg, Place, Side
from gunbot_mcp.paper.simulator import Simulator

D = Decimal
START = datetime(2026, 3, 2, tzinfo=UTC)
KEY = "binance/USDT-BTC"


def place(side: Side, *legs: Leg, amount: str = "0.5") -> Place:
    return Place(side=side, exchange="binance", pair="USDT-BTC", amount=D(amount), legs=legs)


def history(seed: int, every: int) -> list[Any]:
    """What close trails and stops became after ten minutes, looking every so many seconds."""
    now = START
    with closing(Simulator(None, seed=seed, market="walk", clock=lambda: now)) as simulator:
        for side, sign in ((Side.SELL, -1), (Side.BUY, 1)):
            for trail in (5, 20, 60, 150):
                simulator.trade(place(side, Leg(trail=D(trail))))
            for distance in (10, 40, 120):
                stop, away = 51000 + sign * distance, 51000 - sign * distance
                simulator.trade(place(side, Leg(stop=D(stop), limit=D(away))))
                simulator.trade(place(side, Leg(limit=D(away)), Leg(stop=D(stop), limit=D(away + sign))))
        for _ in range(0, 600, every):
            now += timedelta(seconds=every)
            simulator.memory()
        return [simulator.orders(KEY), simulator.memory(), simulator.balances()]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_looking_often_changes_nothing(seed: int) -> None:
    once = history(seed, 600)
    assert len(once[0]) > 5
    assert history(seed, 1) == once
    assert history(seed, 50) == once


def test_a_trailing_buy_that_jumps_beyond_its_owners_money_is_cancelled() -> None:
    with closing(Simulator(None, seed=1, market="manual", clock=lambda: START)) as simulator:
        simulator.trade(place(Side.BUY, Leg(trail=D(100)), amount="19"))
        simulator.move_price("binance", "USDT-BTC", D(60000))
        assert simulator.orders(KEY) == []
        assert simulator.memory([KEY])[KEY]["openOrders"] == []
        (usdt,) = [row for row in simulator.balances() if (row["Exchange"], row["Asset"]) == ("binance", "USDT")]
        assert (usdt["Available Qty"], usdt["On Order"]) == ("1000000", "0")


def test_amounts_and_prices_are_the_doubles_that_javascript_would_make_of_them() -> None:
    with closing(Simulator(None, seed=1, market="manual", clock=lambda: START)) as simulator:
        simulator.trade(place(Side.BUY, Leg(limit=D("50000.123456789012345678")), amount="0.123456789012345678"))
        (order,) = simulator.memory([KEY])[KEY]["openOrders"]
        assert (order["amount"], order["rate"]) == (0.12345678901234568, 50000.12345678901)
        simulator.move_price("binance", "USDT-BTC", D(50000))
        (record,) = simulator.orders(KEY)
        assert (record["amount"], record["rate"]) == (0.12345678901234568, 50000.12345678901)
