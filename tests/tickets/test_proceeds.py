"""What a sell brings: about what the book pays, at least what a limit or the slippage leaves, fees taken off."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.config import Limits
from gunbot_mcp.domain import Cancel, Close, Intent, Leg, Place, Side
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.notional import worst_case
from gunbot_mcp.tickets.proceeds import Costs, proceeds

BOOK = Book(bid=Decimal("50992.35"), ask=Decimal("51007.65"))
COSTS = Costs(fee_percent=Decimal("0.1"), slippage_percent=Decimal(1))
POSITIVE = st.decimals("0.000001", "1000000", places=6)


def sell(*legs: Leg, amount: str = "0.002", pair: str = "USDT-BTC", exchange: str = "binance") -> Place:
    return Place(side=Side.SELL, exchange=exchange, pair=pair, amount=Decimal(amount), legs=legs)


def test_a_market_sell_gets_about_what_the_best_bid_pays_and_at_least_what_the_slippage_leaves() -> None:
    found = proceeds(sell(Leg()), BOOK, COSTS)
    assert found is not None
    assert found.about == Decimal("0.002") * Decimal("50992.35") * Decimal("0.999")  # 101.88…, not 103.14
    assert found.about is not None
    assert found.least == found.about * Decimal("0.99")
    assert found.asset == "USDT"


def test_a_limit_is_a_floor_with_fees_taken_off() -> None:
    found = proceeds(sell(Leg(limit=Decimal(52000))), BOOK, COSTS)
    assert found is not None
    assert (found.about, found.least) == (None, Decimal("103.896"))


def test_a_stop_is_worth_its_limit_and_not_its_trigger() -> None:
    found = proceeds(sell(Leg(stop=Decimal(49000), limit=Decimal(30000))), BOOK, COSTS)
    assert found is not None
    assert found.least == Decimal("59.94")


def test_of_two_legs_the_worse_one_counts_in_any_order() -> None:
    legs = (Leg(limit=Decimal(52000)), Leg(stop=Decimal(49000), limit=Decimal(48900)))
    for order in (legs, legs[::-1]):
        found = proceeds(sell(*order), BOOK, COSTS)
        assert found is not None
        assert found.least == Decimal("97.7022")


def test_a_leg_without_a_floor_leaves_the_whole_order_without_one() -> None:
    trail = Leg(trail=Decimal(500))
    for legs in ((trail,), (Leg(limit=Decimal(52000)), trail)):
        found = proceeds(sell(*legs), BOOK, COSTS)
        assert found is not None
        assert (found.about, found.least) == (None, None)


def test_contracts_are_counted_by_what_they_hold() -> None:
    order = sell(Leg(limit=Decimal("0.12")), amount="400", pair="USDT-DOGE-LONG", exchange="okex5")
    found = proceeds(order, None, COSTS, contract_size=Decimal(1000))
    assert found is not None
    assert found.least == Decimal("47952.000")


def test_closing_a_long_sells_and_closing_a_short_buys() -> None:
    leg = Leg(limit=Decimal(50000))
    long = Close(exchange="bybit", pair="USDT-BTC-LONG", amount=Decimal("0.002"), leg=leg)
    found = proceeds(long, BOOK, COSTS)
    assert found is not None
    assert found.least == Decimal("99.900")
    assert proceeds(Close(exchange="bybit", pair="USDT-BTC-SHORT", amount=Decimal(1), leg=leg), BOOK, COSTS) is None


@pytest.mark.parametrize(
    ("intent", "book"),
    [
        (Place(side=Side.BUY, exchange="binance", pair="USDT-BTC", amount=Decimal(1), legs=(Leg(),)), BOOK),
        (Cancel(exchange="binance", pair="USDT-BTC", order_id="1", price=Decimal(1), order_type="limit"), BOOK),
        (sell(Leg()), None),
        (sell(Leg()), Book(bid=None, ask=Decimal(51000))),
        (sell(Leg(limit=Decimal(1)), pair="XBTUSD"), BOOK),
    ],
)
def test_where_nothing_is_sold_or_nothing_is_known_nothing_is_said(intent: Intent, book: Book | None) -> None:
    assert proceeds(intent, book, COSTS) is None


def test_without_known_costs_a_floor_is_before_fees_and_a_market_price_is_not_promised() -> None:
    found = proceeds(sell(Leg(limit=Decimal(50000))), BOOK, None)
    assert found is not None
    assert (found.least, found.costs) == (Decimal("100.000"), None)
    assert proceeds(sell(Leg()), BOOK, None) is None


@given(amount=POSITIVE, limit=POSITIVE, stop=POSITIVE, bid=POSITIVE)
def test_one_never_gets_more_than_the_worst_case_that_limits_count(
    amount: Decimal, limit: Decimal, stop: Decimal, bid: Decimal
) -> None:
    book = Book(bid=bid, ask=bid)
    for legs in ((Leg(),), (Leg(limit=limit),), (Leg(limit=limit), Leg(stop=stop, limit=limit))):
        order = sell(*legs, amount=str(amount))
        found, worst = proceeds(order, book, Costs.of(Limits())), worst_case(order, book, Limits())
        assert found is not None
        assert found.least is not None
        assert 0 <= found.least <= (found.about or found.least) <= worst.amount
