"""Worst cases: what an order can cost at most, computed without rounding, or a refusal that says why not."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gunbot_mcp.config import Limits
from gunbot_mcp.domain import Close, Leg, Place, Side
from gunbot_mcp.errors import LimitExceeded
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.notional import Notional, named_prices, worst_case

LIMITS = Limits()  # fee 0.1 %, slippage 1 %
FEE = Decimal("1.001")
BOOK = Book(bid=Decimal(49990), ask=Decimal(50000))

prices = st.decimals(min_value="0.00000001", max_value="1e9", places=8)
amounts = st.decimals(min_value="0.00000001", max_value="1e9", places=8)
books = st.none() | st.builds(Book, bid=st.none() | prices, ask=prices)


def place(side: Side, *legs: Leg, amount: str | Decimal = "0.001", reference: str | None = None) -> Place:
    return Place(
        side=side,
        exchange="binance",
        pair="USDT-BTC",
        amount=Decimal(amount),
        legs=legs,
        reference=None if reference is None else Decimal(reference),
    )


def buy(*legs: Leg, amount: str | Decimal = "0.001", reference: str | None = None) -> Place:
    return place(Side.BUY, *legs, amount=amount, reference=reference)


def sell(*legs: Leg, amount: str | Decimal = "0.001", reference: str | None = None) -> Place:
    return place(Side.SELL, *legs, amount=amount, reference=reference)


@given(price=prices, amount=amounts, book=books)
def test_a_buy_limit_costs_exactly_its_limit_times_its_amount_and_the_fee(
    price: Decimal, amount: Decimal, book: Book | None
) -> None:
    found = worst_case(buy(Leg(limit=price), amount=amount), book, LIMITS)
    with localcontext(prec=100):
        assert found == Notional(price * amount * FEE, "USDT", price)


def test_a_worst_case_with_more_digits_than_the_usual_context_is_not_rounded() -> None:
    amount, price = Decimal("999999999.123456789"), Decimal("123456789012.987654321")
    found = worst_case(buy(Leg(limit=price), amount=amount), None, LIMITS)
    with localcontext(prec=200):
        assert found.amount == amount * price * FEE


@given(price=prices, amount=amounts, quote=prices)
def test_a_sell_limit_counts_at_the_higher_of_its_limit_and_the_book(
    price: Decimal, amount: Decimal, quote: Decimal
) -> None:
    found = worst_case(sell(Leg(limit=price), amount=amount), Book(bid=quote, ask=quote), LIMITS)
    assert found.price == max(price, quote)


def test_a_buy_limit_far_above_the_book_counts_at_its_limit() -> None:
    assert worst_case(buy(Leg(limit=Decimal(90000))), BOOK, LIMITS).price == 90000


@given(amount=amounts, bid=prices, spread=prices, side=st.sampled_from(Side))
def test_a_market_order_is_never_free_and_counts_above_the_ask(
    amount: Decimal, bid: Decimal, spread: Decimal, side: Side
) -> None:
    book = Book(bid=bid, ask=bid + spread)
    found = worst_case(place(side, Leg(), amount=amount), book, LIMITS)
    assert found.amount > 0
    assert found.price == (bid + spread) * Decimal("1.01")


def test_a_market_order_counts_at_the_price_that_its_caller_named_where_that_is_higher() -> None:
    assert worst_case(buy(Leg(), reference="60000"), BOOK, LIMITS).price == 60000 * Decimal("1.01")
    assert worst_case(buy(Leg(), reference="40000"), BOOK, LIMITS).price == 50000 * Decimal("1.01")


def test_where_only_bids_are_left_a_market_order_counts_at_the_bid() -> None:
    assert worst_case(buy(Leg()), Book(bid=Decimal(49990), ask=None), LIMITS).price == 49990 * Decimal("1.01")


@pytest.mark.parametrize("book", [None, Book(bid=None, ask=None)])
@pytest.mark.parametrize("leg", [Leg(), Leg(trail=Decimal(100))])
def test_what_fills_at_the_market_without_a_price_in_the_book_is_refused_and_says_why(
    book: Book | None, leg: Leg
) -> None:
    with pytest.raises(LimitExceeded, match="no price in the book") as refused:
        worst_case(buy(leg, reference="50000"), book, LIMITS)
    assert refused.value.hint


def test_a_stop_limit_buy_counts_at_its_limit_and_a_sell_at_its_dearest_price() -> None:
    leg = Leg(stop=Decimal(51000), limit=Decimal(52000))
    assert worst_case(buy(leg), BOOK, LIMITS).price == 52000
    assert worst_case(sell(Leg(stop=Decimal(53000), limit=Decimal(48000))), BOOK, LIMITS).price == 53000


def test_a_trailing_stop_counts_at_the_slipped_book_plus_its_trail() -> None:
    leg = Leg(trail=Decimal(700))
    assert worst_case(buy(leg, reference="50000"), BOOK, LIMITS).price == 50500 + 700
    assert worst_case(sell(leg, reference="60000"), BOOK, LIMITS).price == 60600 + 700


def test_both_legs_of_an_oco_are_looked_at_and_the_dearest_counts() -> None:
    cheap, dear = Leg(limit=Decimal(48000)), Leg(stop=Decimal(51000), limit=Decimal(51100))
    assert worst_case(buy(cheap, dear), BOOK, LIMITS).price == 51100
    assert worst_case(buy(dear, cheap), BOOK, LIMITS).price == 51100


def test_closing_a_position_counts_like_the_order_that_it_is() -> None:
    def close(pair: str, leg: Leg) -> Notional:
        return worst_case(Close(exchange="bybit", pair=pair, amount=Decimal(1), leg=leg), BOOK, LIMITS)

    assert close("USDT-BTC-LONG", Leg(limit=Decimal(49000))) == Notional(50000 * FEE, "USDT", Decimal(50000))
    assert close("USDT-BTC-SHORT", Leg(limit=Decimal(49000))) == Notional(49000 * FEE, "USDT", Decimal(49000))
    assert close("USDT-BTC-LONG", Leg()) == Notional(50500 * FEE, "USDT", Decimal(50500))


@pytest.mark.parametrize("name", ["XBTUSD", "USDT-BTC-MID", "USDT-BTC-LONG-X", "BTC"])
def test_a_pair_that_does_not_say_which_asset_pays_is_refused_and_says_why(name: str) -> None:
    intent = Place(side=Side.BUY, exchange="bitmex", pair=name, amount=Decimal(1), legs=(Leg(limit=Decimal(1)),))
    with pytest.raises(LimitExceeded, match="which asset pays"):
        worst_case(intent, BOOK, LIMITS)


@given(
    one=amounts,
    two=amounts,
    leg=st.builds(Leg, limit=st.none() | prices, stop=st.none() | prices, trail=st.none() | prices),
    side=st.sampled_from(Side),
    book=books,
)
def test_a_larger_amount_never_has_a_smaller_worst_case(
    one: Decimal, two: Decimal, leg: Leg, side: Side, book: Book | None
) -> None:
    assume(leg.limit is not None or book is not None)
    less, more = sorted((one, two))
    smaller = worst_case(place(side, leg, amount=less), book, LIMITS)
    larger = worst_case(place(side, leg, amount=more), book, LIMITS)
    assert Decimal(0) < smaller.amount <= larger.amount


@given(fee=st.decimals("0", "5", places=3), slippage=st.decimals("0", "50", places=2), amount=amounts)
def test_a_higher_fee_or_slippage_never_makes_an_order_cheaper(
    fee: Decimal, slippage: Decimal, amount: Decimal
) -> None:
    free = LIMITS.model_copy(update={"fee_percent": Decimal(0), "slippage_percent": Decimal(0)})
    strict = LIMITS.model_copy(update={"fee_percent": fee, "slippage_percent": slippage})
    order = buy(Leg(), amount=amount)
    assert worst_case(order, BOOK, strict).amount >= worst_case(order, BOOK, free).amount


def test_every_price_that_the_caller_named_is_found_with_its_word() -> None:
    oco = buy(Leg(limit=Decimal(1)), Leg(stop=Decimal(2), limit=Decimal(3)))
    assert list(named_prices(oco)) == [
        ("limit price", Decimal(1)),
        ("limit price", Decimal(3)),
        ("stop price", Decimal(2)),
    ]
    assert list(named_prices(buy(Leg(), reference="4"))) == [("price", Decimal(4))]
    close = Close(exchange="bybit", pair="USDT-BTC-LONG", amount=Decimal(1), leg=Leg(limit=Decimal(5)))
    assert list(named_prices(close)) == [("limit price", Decimal(5))]
