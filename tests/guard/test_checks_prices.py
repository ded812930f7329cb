"""The checks of a price: the band around the market, prices that act at once, and a market that moved."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from guard.cases import BOOK, buy, case, limits, order, refusal

from gunbot_mcp.domain import Leg, Side
from gunbot_mcp.guard.checks import check_all
from gunbot_mcp.gunbot.records import Book

# The price band


@pytest.mark.parametrize(
    "leg",
    [
        Leg(limit=Decimal(60001)),
        Leg(limit=Decimal(39999)),
        Leg(stop=Decimal(60001), limit=Decimal(50000)),
        Leg(stop=Decimal(50001), limit=Decimal(60001)),
        Leg(trail=Decimal(10001)),
    ],
)
def test_every_named_price_must_lie_within_the_band(leg: Leg) -> None:
    assert refusal(case(buy(legs=(Leg(limit=Decimal(49000)), leg)))) == "price_out_of_band"
    wide = limits(price_band_percent="30")
    check_all(case(buy(legs=(leg,)), limits=wide))


def test_the_reference_price_of_a_market_order_must_lie_within_the_band_too() -> None:
    assert refusal(order("buy_market", amount=0.001, price=10)) == "price_out_of_band"


def test_the_edges_of_the_band_pass() -> None:
    check_all(case(buy(price="60000")))
    check_all(case(buy(price="40000")))
    sell = buy(side=Side.SELL, price="59988")
    check_all(case(sell))
    assert refusal(case(replace(sell, legs=(Leg(limit=Decimal("59988.01")),)))) == "price_out_of_band"


def test_without_a_book_a_live_order_is_refused_unless_the_user_allows_it_and_a_paper_order_warns() -> None:
    assert refusal(case(book=None)) == "price_out_of_band"
    empty = Book(bid=None, ask=None)
    assert refusal(case(book=empty)) == "price_out_of_band"
    verdict = check_all(case(book=None, limits=limits(without_market_data="allow")))
    assert verdict.warnings == ("There is no order book to compare this order with.",)
    assert check_all(case(book=None, live=False)).warnings == verdict.warnings


def test_where_one_side_of_the_book_is_empty_the_other_one_is_compared_with() -> None:
    half = Book(bid=Decimal(49990), ask=None)
    assert check_all(case(book=half)).warnings == ()
    assert refusal(case(buy(price="90000"), book=half)) == "price_out_of_band"


# The wrong side


@pytest.mark.parametrize(
    ("tool", "prices", "words"),
    [
        ("buy_limit", {"price": 50000}, ["fills at once"]),
        ("sell_limit", {"price": 49990}, ["fills at once"]),
        ("buy_stop_limit", {"stop_price": 50000, "limit_price": 50100}, ["triggers at once"]),
        ("sell_stop_limit", {"stop_price": 49990, "limit_price": 49900}, ["triggers at once"]),
        ("buy_stop_limit", {"stop_price": 51000, "limit_price": 50900}, ["may rest"]),
        ("sell_stop_limit", {"stop_price": 49000, "limit_price": 49100}, ["may rest"]),
        ("buy_limit", {"price": 49999.99}, []),
        ("sell_limit", {"price": 50001}, []),
        ("buy_stop_limit", {"stop_price": 50100, "limit_price": 50100}, []),
        ("sell_stop_limit", {"stop_price": 49900, "limit_price": 49900}, []),
        ("buy_market", {}, []),
    ],
)
def test_prices_that_act_at_once_warn_by_default_and_are_refused_where_the_user_wants_it(
    tool: str, prices: Mapping[str, float], words: list[str]
) -> None:
    found = order(tool, amount=0.001, **prices)
    warnings = check_all(found).warnings
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))
    strict = replace(found, limits=limits(wrong_side="refuse"))
    if words:
        assert refusal(strict) == "price_out_of_band"
    else:
        check_all(strict)


@pytest.mark.parametrize(
    ("tool", "prices", "words"),
    [
        (
            "sell_stop_limit",
            {"stop_price": 49000, "limit_price": 45000},
            "The limit 45,000 lies 8.2 % below the stop 49,000: once triggered it may sell for as little as 45,000.",
        ),
        (
            "buy_stop_limit",
            {"stop_price": 51000, "limit_price": 55000},
            "The limit 55,000 lies 7.8 % above the stop 51,000: once triggered it may pay as much as 55,000.",
        ),
        (
            "sell_oco",
            {"price": 52000, "stop_price": 49000, "limit_price": 45000},
            "The limit 45,000 lies 8.2 % below the stop 49,000: once triggered it may sell for as little as 45,000.",
        ),
        ("sell_stop_limit", {"stop_price": 49000, "limit_price": 48600}, None),  # within the slippage of 1 %
        ("buy_stop_limit", {"stop_price": 51000, "limit_price": 51510}, None),
    ],
)
def test_a_limit_far_behind_its_stop_is_said_to_be_the_floor_and_is_no_reason_to_refuse(
    tool: str, prices: Mapping[str, float], words: str | None
) -> None:
    found = order(tool, amount=0.001, **prices)
    expected = () if words is None else (words,)
    assert check_all(found).warnings == expected
    assert check_all(replace(found, limits=limits(wrong_side="refuse"))).warnings == expected
    wide = replace(found, limits=limits(slippage_percent="9"))
    assert check_all(wide).warnings == ()


def test_a_floor_of_30_000_under_a_stop_of_49_000_is_said_without_a_book_too() -> None:
    found = order("sell_stop_limit", amount=0.001, stop_price=49000, limit_price=30000)
    free = replace(found, book=None, live=False, limits=limits(price_band_percent="50"))
    said = check_all(free).warnings
    assert said[0] == "There is no order book to compare this order with."
    assert said[1].endswith("once triggered it may sell for as little as 30,000.")


@pytest.mark.parametrize(
    ("tool", "prices", "at"),
    [
        ("buy_oco", {"price": 50000, "stop_price": 49900, "limit_price": 49850}, 50000),
        ("sell_oco", {"price": 52500, "stop_price": 52550, "limit_price": 52600}, 52500),
    ],
)
def test_the_pages_own_oco_examples_pass_with_warnings(tool: str, prices: Mapping[str, float], at: int) -> None:
    near_book = Book(bid=Decimal(at - 5), ask=Decimal(at + 5))
    found = replace(order(tool, amount=0.001, **prices), book=near_book)
    warnings = check_all(found).warnings
    assert any("triggers at once" in warning for warning in warnings)
    assert any("may rest" in warning for warning in warnings)


# Before sending


@pytest.mark.parametrize(
    ("tool", "then", "now", "passes"),
    [
        ("buy_market", "50000", "50500", True),
        ("buy_market", "50000", "50500.01", False),
        ("buy_market", "50000", "30000", True),
        ("sell_market", "50000", "49500", True),
        ("sell_market", "50000", "49499.99", False),
        ("sell_market", "50000", "59000", True),
        ("buy_limit", "49900", "50900", True),
    ],
)
def test_what_fills_at_the_market_is_void_once_the_market_is_worse_than_what_the_human_saw(
    tool: str, then: str, now: str, *, passes: bool
) -> None:
    prices = {"price": 49900} if tool == "buy_limit" else {}
    seen, book = (Book(bid=Decimal(price), ask=Decimal(price)) for price in (then, now))
    found = replace(order(tool, amount=0.001, **prices), seen=seen, book=book)
    if passes:
        check_all(found)
    else:
        assert refusal(found) == "price_out_of_band"


def test_where_nothing_was_seen_or_is_to_be_seen_nothing_moved() -> None:
    market = order("buy_market", amount=0.001)
    check_all(replace(market, seen=Book(bid=None, ask=None)))
    limited = replace(order("buy_limit", amount=0.001, price=49900), live=False, seen=BOOK)
    check_all(replace(limited, book=Book(bid=Decimal(49990), ask=None)))


@pytest.mark.parametrize(
    ("tool", "stop", "word"),
    [
        ("buy_trailing_stop", 50100, ""),
        ("sell_trailing_stop", 49900, ""),
        ("buy_trailing_stop", 49900, "below"),
        ("sell_trailing_stop", 50100, "above"),
    ],
)
def test_a_trail_whose_named_stop_lies_on_the_other_side_warns_of_it(tool: str, stop: float, word: str) -> None:
    found = order(tool, amount=0.001, price=50000, stop_price=stop)
    assert [f"lies {word} the price" in warning for warning in check_all(found).warnings] == [True] * bool(word)
    assert refusal(order(tool, amount=0.001, price=50000, stop_price=10)) == "price_out_of_band"


# Depth


def deep(*asks: tuple[str, str]) -> Book:
    levels = tuple((Decimal(price), Decimal(amount)) for price, amount in asks)
    below = tuple((2 * 50_000 - price, amount) for price, amount in levels)
    return Book(bid=below[0][0], ask=levels[0][0], bids=below, asks=levels)


@pytest.mark.parametrize("tool", ["buy_market", "sell_market"])
@pytest.mark.parametrize(
    ("amount", "fits"), [(0.0005, True), (0.001, True), (0.0015, True), (0.0016, False), (0.004, False)]
)
def test_what_fills_at_the_market_must_fit_into_the_book_within_the_slippage(
    tool: str, amount: float, *, fits: bool
) -> None:
    book = deep(("50001", "0.001"), ("50499", "0.0005"), ("51000", "1000"))
    found = replace(order(tool, amount=amount), book=book)
    if fits:
        check_all(found)
    else:
        assert refusal(found) == "price_out_of_band"


def test_a_trailing_stop_ends_in_a_market_order_and_must_fit_too() -> None:
    book = deep(("50001", "0.001"), ("51000", "1000"))
    fits, too_much = (
        replace(order("sell_trailing_stop", amount=amount, price=50000, stop_price=49900), book=book)
        for amount in (0.001, 0.0011)
    )
    check_all(fits)
    assert refusal(too_much) == "price_out_of_band"


def test_a_limit_protects_itself_however_thin_the_book_is() -> None:
    check_all(case(buy(amount="0.004"), book=deep(("50001", "0.0001"))))


@pytest.mark.parametrize("live", [True, False])
def test_an_order_without_a_limit_needs_somebody_to_trade_with(*, live: bool) -> None:
    no_ask = Book(bid=Decimal(49990), ask=None)
    assert refusal(replace(order("buy_market", amount=0.001), live=live, book=no_ask)) == "price_out_of_band"
    check_all(replace(order("sell_market", amount=0.001), live=live, book=no_ask))
