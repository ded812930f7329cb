"""The words of the product: numbers without loss, pairs in Gunbot's order."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.domain import (
    Close,
    Leg,
    Pair,
    Place,
    Side,
    decimal_text,
    exact_number,
    exact_or_zero,
    grouped,
    money,
    side_of,
    to_decimal,
)


@given(st.floats(min_value=1e-18, max_value=1e18) | st.integers(min_value=1, max_value=10**18))
def test_a_number_becomes_the_decimal_of_its_shortest_text(value: float) -> None:
    assert exact_number(value) == Decimal(repr(value))
    assert Decimal(decimal_text(exact_number(value))) == Decimal(repr(value))


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Decimal(0), Decimal(-1), Decimal("1e19")])
def test_a_decimal_that_no_order_can_have_is_refused(value: Decimal) -> None:
    with pytest.raises(ValueError, match="must be"):
        exact_number(value)


@pytest.mark.parametrize(("value", "kind"), [(None, "null"), (True, "a boolean"), ("1", "a string"), ([], "an array")])
def test_what_is_no_number_is_called_by_its_json_name(value: object, kind: str) -> None:
    with pytest.raises(ValueError, match=f"not {kind}"):
        exact_number(value)


def test_what_json_cannot_say_is_refused_too() -> None:
    for value in (b"1", {1}, object(), 1j):
        with pytest.raises(ValueError, match="must be a JSON number"):
            exact_number(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18) | st.integers().map(Decimal))
def test_decimal_text_is_json_without_an_exponent(value: Decimal) -> None:
    text = decimal_text(value)

    assert "e" not in text.lower()
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == value


@pytest.mark.parametrize(
    ("value", "found"),
    [("1.50", "1.50"), (" 2 ", "2"), (3, "3"), (0.1, "0.1"), (Decimal("4.0"), "4.0"), ("1e3", "1E+3"), ("-1", "-1")],
)
def test_a_gateways_number_may_be_text(value: object, found: str) -> None:
    assert str(to_decimal(value)) == found


@pytest.mark.parametrize("value", [None, True, "", "x", "NaN", "inf", [], {}, "1,5", float("nan"), float("inf"), b"1"])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert to_decimal(value) is None


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("USDT-BTC", Pair("USDT", "BTC")),
        ("USDT-BTC-LONG", Pair("USDT", "BTC", "LONG")),
        ("USDT-BTC-SHORT", Pair("USDT", "BTC", "SHORT")),
        ("XBTUSD", None),
        ("USDT-BTC-FLAT", None),
        ("-BTC", None),
        ("USDT--LONG", None),
        ("A-B-C-D", None),
        ("", None),
    ],
)
def test_a_pair_names_the_paying_asset_first(name: str, pair: Pair | None) -> None:
    assert Pair.parse(name) == pair


@pytest.mark.parametrize(
    ("pair", "side"), [("USDT-BTC-LONG", Side.SELL), ("USDT-BTC-SHORT", Side.BUY), ("X", Side.SELL)]
)
def test_closing_a_long_sells_and_closing_a_short_buys(pair: str, side: Side) -> None:
    assert side_of(Close(exchange="bybit", pair=pair, amount=Decimal(1), leg=Leg())) is side


def test_an_order_trades_on_its_own_side() -> None:
    order = Place(side=Side.BUY, exchange="binance", pair="USDT-BTC", amount=Decimal(1), legs=(Leg(),))

    assert side_of(order) is Side.BUY


@pytest.mark.parametrize(
    ("amount", "asset", "cost", "gain"),
    [
        ("51000.5", "USDT", "51,000.50", "51,000.50"),
        ("101.8827", "USDT", "101.89", "101.88"),
        ("250", "EUR", "250", "250"),
        ("0.0048049", "USDT", "0.0049", "0.0048"),  # two digits at least: a price of nothing is no price
        ("0.00102", "BTC", "0.00102", "0.00102"),
        ("0.00102041234", "BTC", "0.00102042", "0.00102041"),
        ("1234567.891", "DOGE", "1,234,568", "1,234,567"),
        ("0.00000000000012345678", "SHIB", "0.000000000000123457", "0.000000000000123456"),
        ("0", "USDT", "0", "0"),
    ],
)
def test_computed_money_has_the_digits_its_asset_needs_costs_rounded_up_and_proceeds_down(
    amount: str, asset: str, cost: str, gain: str
) -> None:
    assert (money(Decimal(amount), asset), money(Decimal(amount), asset, down=True)) == (cost, gain)


@given(st.decimals("1e-18", "1e36", allow_nan=False), st.sampled_from(["USDT", "BTC", ""]))
def test_a_rounded_cost_is_never_less_and_a_rounded_gain_never_more(amount: Decimal, asset: str) -> None:
    cost, gain = (Decimal(money(amount, asset, down=down).replace(",", "")) for down in (False, True))
    assert gain <= amount <= cost


@given(st.decimals("1e-18", "1e18", allow_nan=False))
def test_a_number_that_somebody_typed_keeps_every_digit(number: Decimal) -> None:
    assert Decimal(grouped(number).replace(",", "")) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [("48000.0", "48,000"), ("48000", "48,000"), ("0.10", "0.10"), ("48000.00", "48,000.00"), ("1.05", "1.05")],
)
def test_a_whole_number_that_a_client_made_a_double_of_reads_as_a_whole_number(number: str, text: str) -> None:
    assert grouped(Decimal(number)) == text


@pytest.mark.parametrize(
    "name",
    ["XBT-USD", "XBT-USDT", "XBT-MONTH", "XBT-QUART", "ETH-QUART", "USD-BTC-200417", "USD-BTC-200417-LONG", "XBTUSD"],
)
def test_a_future_with_a_name_of_its_own_says_no_paying_asset(name: str) -> None:
    assert Pair.parse(name) is None


@pytest.mark.parametrize(("name", "paying"), [("USD-XBT", "USD"), ("XBT-ETH", "XBT"), ("USDT-BTC-SHORT", "USDT")])
def test_a_name_that_begins_with_what_pays_is_read_so(name: str, paying: str) -> None:
    found = Pair.parse(name)

    assert found is not None
    assert found.paying == paying


@pytest.mark.parametrize("zero", [0, 0.0, -0.0, Decimal(0), Decimal("0.00")])
def test_zero_may_stand_for_no_price(zero: object) -> None:
    assert str(exact_or_zero(zero)) == "0"


@pytest.mark.parametrize("value", [False, -1, "0", None, float("nan"), 1e-30])
def test_nothing_else_that_is_no_price_may(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        exact_or_zero(value)
