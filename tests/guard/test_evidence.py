"""Digits and cuts, records added up, and what was there before: the ground that every statement about an order has."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.guard.evidence import Baseline, Digits, digits_of, fills_of, is_amount, is_price, places, same
from gunbot_mcp.gunbot.records import Book

D = Decimal
FILL: dict[str, Any] = {"id": 5, "time": 1, "pair": "USDT-BTC", "type": "buy", "rate": 49000, "amount": 0.001}


@given(st.decimals("0.00000001", "1e9", places=8))
def test_a_number_that_came_back_as_a_double_is_the_same_number(amount: Decimal) -> None:
    assert same(D(repr(float(amount))), amount)


@given(st.decimals("0.00000001", "1e6", places=8), st.integers(0, 8))
def test_an_amount_is_cut_down_and_never_up(amount: Decimal, digits: int) -> None:
    cut = amount.quantize(D(1).scaleb(-digits), "ROUND_DOWN")
    # Where the key shows so many digits, that many are no cut of its own.
    assert is_amount(cut, amount, digits) == (cut > 0)
    higher = cut + D(1).scaleb(-digits)
    # Two numbers that are one double cannot be told apart.
    assert is_amount(higher, amount, digits) == same(higher, amount)


@pytest.mark.parametrize(
    ("found", "sent", "digits", "fits"),
    [
        ("0.00102", "0.0010204", 5, True),
        ("0.00102", "0.0010204", 0, True),  # it alone shows five digits, and loses little by them
        ("0.001", "0.0010204", 0, False),  # it alone shows three, and would lose two percent
        ("0.001", "0.0010204", 5, False),
        ("508", "508.64699", 0, True),
        ("16", "16.62", 0, True),  # everything on the key is whole
        ("16", "16.62", 2, False),
        ("0.0010205", "0.0010204", 7, False),
        ("0", "0.0010204", 2, False),
    ],
)
def test_only_a_cut_to_the_digits_of_the_key_is_the_amount(found: str, sent: str, digits: int, *, fits: bool) -> None:
    assert is_amount(D(found), D(sent), digits) is fits


@pytest.mark.parametrize(
    ("found", "digits", "fits"),
    [
        ("49000.123", 2, True),
        ("49000.12", 2, True),
        ("49000.13", 2, True),
        ("49000.1", 2, False),
        ("49000.1", 1, True),
        ("49001", 0, True),
        ("49002", 0, False),
    ],
)
def test_a_price_is_cut_either_way(found: str, digits: int, *, fits: bool) -> None:
    assert is_price(D(found), D("49000.123"), digits) is fits


def test_the_digits_of_a_key_are_the_most_that_it_shows() -> None:
    book = Book(bid=D("1.5"), ask=D("1.60"), bids=((D("1.5"), D("0.123")),), asks=((D("1.60"), D("7")),))
    assert digits_of(book, (), [{"rate": "1.555", "amount": 2}]) == Digits(price=3, amount=3)
    assert digits_of(None, (), ()) == Digits()
    assert [places(D(text)) for text in ("1.50", "100", "1e-9", "NaN")] == [1, 0, 9, 0]


def test_the_records_of_one_id_are_added_up_and_weighted() -> None:
    found = fills_of([{**FILL, "amount": 0.003, "rate": 100, "time": 9}, FILL], "USDT-BTC")["5"]
    assert (found.amount, found.average, found.first, found.last) == (D("0.004"), D(12325), 1, 9)
    assert found.whole


@pytest.mark.parametrize("broken", [{"rate": None}, {"amount": "much"}, {"time": "?"}, {"amount": 0}])
def test_an_order_with_a_record_that_cannot_be_read_is_not_whole(broken: dict[str, Any]) -> None:
    assert not fills_of([FILL, {**FILL, **broken}], "USDT-BTC")["5"].whole
    assert fills_of([{**FILL, **broken}], "USDT-BTC") == {}


@pytest.mark.parametrize(
    "baseline",
    [
        Baseline(open_ids=frozenset({"b", "a"}), filled_ids=frozenset(), at_millis=5, memory="x"),
        Baseline(open_ids=frozenset(), filled_ids=None, at_millis=5, t0=7, bid=D("1.50"), ask=D(2), memory="x"),
        Baseline(open_ids=None, filled_ids=None, at_millis=0, digits=Digits(price=1, amount=2), target=D("0.1")),
    ],
)
def test_what_was_there_before_survives_being_written_down(baseline: Baseline) -> None:
    assert Baseline.from_dict(baseline.as_dict()) == baseline


def test_an_empty_list_of_version_0_1_may_have_been_no_list_at_all() -> None:
    old: dict[str, Any] = {"open_ids": [], "filled_ids": [], "at_millis": 5}
    assert Baseline.from_dict(old).open_ids is None
    assert Baseline.from_dict({**old, "open_ids": ["1"]}).open_ids == {"1"}
