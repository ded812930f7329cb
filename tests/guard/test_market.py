"""How far an order's prices lie from the book, in words."""

from decimal import Decimal
from typing import Any

import pytest

from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.guard.market import distances
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.order import Order

BOOK = Book(bid=Decimal(99), ask=Decimal(100))
PAIR: dict[str, Any] = {"exchange": "binance", "pair": "USDT-BTC"}


def told(tool: str, book: Book = BOOK, **arguments: object) -> list[tuple[str, str]]:
    endpoint = BY_NAME[tool]
    return list(distances(Order.of(endpoint, parse_arguments(endpoint.args, {**PAIR, **arguments})).intent, book))


@pytest.mark.parametrize(
    ("tool", "price", "words"),
    [
        ("buy_limit", 98, "2.00 % below the ask"),
        ("buy_limit", 101.5, "1.50 % above the ask"),
        ("buy_limit", 100, "exactly at the ask"),
        ("buy_limit", 99.999, "less than 0.01 % below the ask"),
        ("sell_limit", 101, "2.02 % above the bid"),
    ],
)
def test_a_limit_is_compared_with_the_side_that_it_meets(tool: str, price: float, words: str) -> None:
    assert told(tool, amount=1, price=price) == [(f"Limit price {Decimal(repr(price))}", words)]


def test_a_market_order_is_told_where_it_fills() -> None:
    assert told("buy_market", amount=1) == [("Market order", "fills near the ask, 100")]


def test_each_price_of_two_legs_is_compared() -> None:
    found = told("sell_oco", amount=1, price=110, stop_price=90, limit_price=89)
    assert sorted(found) == [
        ("Limit price 110", "11.11 % above the bid"),
        ("Limit price 89", "10.10 % below the bid"),
        ("Stop price 90", "9.09 % below the bid"),
    ]


def test_a_trail_is_a_part_of_the_price() -> None:
    found = told("sell_trailing_stop", amount=1, price=99, stop_price=94.05)
    assert ("Trails by 4.95", "5.00 % of the bid") in found


def test_closing_a_short_position_buys() -> None:
    assert told("close_limit", pair="USDT-BTC-SHORT", amount=1, price=98) == [
        ("Limit price 98", "2.00 % below the ask")
    ]


def test_a_cancelled_order_is_compared_with_the_nearer_side() -> None:
    low = told("cancel_order", price=90, order_id="7", order_type="limit")
    assert low == [("Its price 90", "9.09 % below the bid")]
    high = told("cancel_order", price=110, order_id="7", order_type="limit")
    assert high == [("Its price 110", "10.00 % above the ask")]


@pytest.mark.parametrize(
    ("book", "words"),
    [
        (Book(bid=Decimal(99), ask=None), "1.01 % below the bid"),
        (Book(bid=None, ask=Decimal(100)), "2.00 % below the ask"),
    ],
)
def test_where_one_side_is_empty_the_other_serves(book: Book, words: str) -> None:
    assert told("buy_limit", book, amount=1, price=98) == [("Limit price 98", words)]


def test_an_empty_book_is_not_compared_with() -> None:
    with pytest.raises(ValueError, match="empty"):
        told("buy_limit", Book(bid=None, ask=None), amount=1, price=98)
