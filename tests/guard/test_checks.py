"""What each check lets pass and what it refuses; the defaults fit small orders."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from guard.cases import buy, case, limits, order, refusal
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.config import Limits, Mode
from gunbot_mcp.domain import Cancel, Capability, Close, Leg, grouped, money
from gunbot_mcp.errors import LimitExceeded, NotSupported, PriceOutOfBand, Refused
from gunbot_mcp.exchanges import CapabilityMatrix
from gunbot_mcp.guard.checks import check_all, check_static
from gunbot_mcp.gunbot.records import Book

NUMBERS = st.decimals(min_value="0.000000000000000001", max_value="1e18", allow_nan=False, allow_infinity=False)


# The defaults


def test_a_50_usdt_order_passes_every_check_by_default() -> None:
    verdict = check_all(case())
    assert verdict.checks == (
        "mode",
        "halt",
        "exchange",
        "pair",
        "capability",
        "pair known",
        "units",
        "order notional",
        "day notional",
        "day count",
        "price band",
        "wrong side",
        "rate",
        "duplicate",
        "patience",
        "pair lock",
        "day loss",
        "rejections",
    )
    assert verdict.warnings == ()
    assert verdict.notional is not None
    assert verdict.notional.amount == Decimal("49.9499")


@pytest.mark.parametrize("tool", ["buy_market", "sell_market"])
def test_a_50_usdt_market_order_passes_by_default(tool: str) -> None:
    assert check_all(order(tool, amount=0.001)).warnings == ()


@pytest.mark.parametrize(
    ("tool", "prices"),
    [
        ("buy_limit", {"price": 49900}),
        ("sell_limit", {"price": 51000}),
        ("buy_market", {}),
        ("sell_market", {}),
        ("buy_stop_limit", {"stop_price": 51000, "limit_price": 51100}),
        ("sell_stop_limit", {"stop_price": 49000, "limit_price": 48900}),
        ("buy_trailing_stop", {"price": 50000, "stop_price": 50500}),
        ("sell_trailing_stop", {"price": 50000, "stop_price": 49500}),
        ("buy_oco", {"price": 49000, "stop_price": 51000, "limit_price": 51100}),
        ("sell_oco", {"price": 51000, "stop_price": 49000, "limit_price": 48900}),
    ],
)
def test_a_5000_usdt_order_of_any_kind_is_stopped_by_default(tool: str, prices: Mapping[str, float]) -> None:
    assert check_all(order(tool, amount=0.001, **prices)).notional is not None
    assert refusal(order(tool, amount=0.1, **prices)) == "limit_exceeded"


# The switch


def test_a_halt_names_its_reason_without_control_characters() -> None:
    with pytest.raises(Refused, match="trading is halted: fire in the hall"):
        check_static(case(halted="fire\nin the hall"))
    with pytest.raises(Refused, match=r"^halted: trading is halted \("):
        check_static(case(halted=""))


# Allow-lists


@pytest.mark.parametrize(
    ("patterns", "exchange", "pair", "passes"),
    [
        (["USDT-BTC"], "binance", "USDT-BTC", True),
        (["USDT-BTC"], "binance", "USDT-BTC-LONG", False),
        (["USDT-*"], "binance", "USDT-ETH", True),
        (["USDT-*"], "binance", "BTC-USDT-LONG", False),
        (["binance/USDT-BTC"], "binance", "USDT-BTC", True),
        (["binance/USDT-BTC"], "kraken", "USDT-BTC", False),
        (["binance/USDT-BTC"], "binance#2", "USDT-BTC", False),
        (["binance#2/*"], "binance#2", "USDT-BTC", True),
        (["binance#2/*"], "binance", "USDT-BTC", False),
        (["usdt-btc"], "binance", "USDT-BTC", False),
        (["BTC-ETH", "USDT-B*"], "binance", "USDT-BNB", True),
        ([], "binance", "USDT-BTC", True),
    ],
)
def test_pairs_are_allowed_by_name_or_pattern_on_all_exchanges_or_one(
    patterns: list[str], exchange: str, pair: str, *, passes: bool
) -> None:
    found = case(buy(exchange=exchange, pair=pair), limits=limits(pairs=patterns))
    if passes:
        check_static(found)
    else:
        assert refusal(found) == "pair_not_allowed"


@pytest.mark.parametrize(
    ("allowed", "exchange", "passes"),
    [
        (["binance"], "binance", True),
        (["binance"], "binance#2", False),
        (["binance#2"], "binance#2", True),
        (["binance#2"], "binance", False),
        (["binance"], "Binance", False),
        ([], "binance#3", True),
    ],
)
def test_a_slot_is_another_account_and_allowed_only_by_its_own_name(
    allowed: list[str], exchange: str, *, passes: bool
) -> None:
    found = case(buy(exchange=exchange), limits=limits(exchanges=allowed))
    if passes:
        check_static(found)
    else:
        assert refusal(found) == "exchange_not_allowed"


# Capabilities


def test_an_exchange_that_cannot_is_refused_with_the_exchanges_that_can_and_the_key_that_allows_it() -> None:
    found = order("buy_oco", exchange="kraken", amount=0.001, price=49000, stop_price=51000, limit_price=51100)
    with pytest.raises(Refused, match="binance") as refused:
        check_all(found)
    assert refused.value.code == "not_supported"
    assert "[capabilities] kraken" in refused.value.hint
    check_all(replace(found, matrix=CapabilityMatrix({"kraken": [Capability.OCO]})))


def test_an_exchange_that_nobody_knows_can_do_limit_market_and_cancel_and_nothing_else() -> None:
    check_all(order("buy_limit", exchange="newone", amount=0.001, price=49900))
    assert (
        refusal(order("sell_stop_limit", exchange="newone", amount=0.001, stop_price=49000, limit_price=48900))
        == "not_supported"
    )


# Money


@pytest.mark.parametrize("table", ["max_order", "max_day"])
def test_an_asset_without_a_limit_is_refused_by_name(table: str) -> None:
    amounts = {"max_order": {"DOGE": "1e9"}, "max_day": {"DOGE": "1e9"}, table: {"USDT": "1000"}}
    found = case(buy(pair="DOGE-BTC"), limits=limits(**amounts))
    with pytest.raises(Refused, match="DOGE") as refused:
        check_all(found)
    assert refused.value.code == "limit_exceeded"
    assert f"limits.{table}.DOGE" in refused.value.hint


def test_an_asset_in_other_letters_is_another_asset() -> None:
    assert refusal(case(buy(pair="usdt-BTC"))) == "limit_exceeded"


def test_the_limit_itself_passes_and_a_digit_more_does_not() -> None:
    exact = limits(max_order={"USDT": "49.9499"})
    check_all(case(limits=exact))
    assert refusal(case(buy(price="49900.000000000001"), limits=exact)) == "limit_exceeded"
    assert refusal(case(limits=limits(max_order={"USDT": "49.949899999999999999999999999999999"}))) == "limit_exceeded"


def test_what_was_sent_today_counts_and_only_in_its_own_asset() -> None:
    check_all(case(day_notional={"USDT": Decimal("950.0501")}))
    assert refusal(case(day_notional={"USDT": Decimal("950.0502")})) == "limit_exceeded"
    check_all(case(day_notional={"BTC": Decimal(10**6)}))


def test_the_number_of_orders_is_limited_per_day_and_per_minute() -> None:
    few = limits(orders_per_day=3, orders_per_minute=2)
    check_all(case(limits=few, day_count=2, minute_count=1))
    assert refusal(case(limits=few, day_count=3)) == "limit_exceeded"
    assert refusal(case(limits=few, minute_count=2)) == "limit_exceeded"


@given(amount=NUMBERS, price=NUMBERS, quote=NUMBERS)
def test_whatever_the_numbers_a_check_passes_or_refuses_and_never_breaks(
    amount: Decimal, price: Decimal, quote: Decimal
) -> None:
    for limit in (Limits(), limits(max_order={"USDT": "1e60"}, max_day={"USDT": "1e60"})):
        found = case(buy(str(amount), str(price)), limits=limit, book=Book(bid=quote, ask=quote))
        with contextlib.suppress(LimitExceeded, PriceOutOfBand):
            check_all(found)


@given(NUMBERS.filter(lambda number: number < Decimal("1e18")))
def test_money_is_shown_with_eight_decimals_and_never_understated(amount: Decimal) -> None:
    shown = Decimal(money(amount).replace(",", ""))
    assert amount <= shown < amount + Decimal("1e-8")
    assert "e" not in money(amount).lower()


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("50.05000", "50.05"), ("100", "100"), ("0.000000001", "0.00000001"), ("1e25", "10" + ",000" * 8)],
)
def test_money_reads_like_money(amount: str, shown: str) -> None:
    assert money(Decimal(amount)) == shown


# Repeats and unknown fates


def test_the_same_order_again_passes_only_if_it_names_its_twin() -> None:
    assert refusal(case(twin="abc")) == "duplicate_order"
    assert refusal(case(twin="abc", repeat_of="xyz")) == "duplicate_order"
    check_all(case(twin="abc", repeat_of="abc"))
    check_all(case(repeat_of="abc"))
    with pytest.raises(Refused, match="abc") as refused:
        check_all(case(twin="abc"))
    assert "repeat_of = 'abc'" in refused.value.hint


def test_an_order_of_unknown_fate_locks_its_pair_and_side_and_is_named() -> None:
    with pytest.raises(Refused, match="abc") as refused:
        check_all(case(lock="abc"))
    assert refused.value.code == "pair_locked"
    assert "gunbot-mcp resolve abc" in refused.value.for_human


# Cancels


def test_a_cancel_passes_what_is_not_about_money_and_is_counted_apart() -> None:
    cancel = Cancel(exchange="binance", pair="USDT-BTC", order_id="1", price=Decimal(1), order_type="limit")
    found = case(cancel, tool="cancel_order", book=None, day_count=10**6, lock="x", twin="y")
    verdict = check_all(found)
    assert verdict.checks == ("mode", "halt", "exchange", "pair", "capability", "pair known", "rate", "patience")
    assert verdict.notional is None
    assert refusal(replace(found, minute_count=30)) == "limit_exceeded"
    assert refusal(replace(found, halted="")) == "halted"
    assert refusal(replace(found, mode=Mode.READ_ONLY)) == "read_only"


@pytest.mark.parametrize("pair", ["USDT-BTC-LONG", "USDT-BTC-SHORT"])
@pytest.mark.parametrize("at_the_market", [True, False])
def test_closing_a_position_is_an_order_and_passes_every_check(pair: str, *, at_the_market: bool) -> None:
    leg = Leg() if at_the_market else Leg(limit=Decimal(50000))
    intent = Close(exchange="bybit", pair=pair, amount=Decimal("0.001"), leg=leg)
    found = case(intent, tool="close_market" if at_the_market else "close_limit")
    assert "duplicate" in check_all(found).checks
    assert refusal(replace(found, intent=replace(intent, amount=Decimal(1)))) == "limit_exceeded"


def test_refusals_show_plain_digits() -> None:
    found = case(buy("1000000000000000000", "1000000000000000000"))
    with pytest.raises(Refused) as refused:
        check_all(found)
    assert grouped(Decimal("1.001e36")) in refused.value.message


def test_an_exchange_in_another_case_is_told_its_name() -> None:
    found = order("buy_oco", exchange="Binance", amount=0.001, price=49000, stop_price=51000, limit_price=51100)
    with pytest.raises(NotSupported) as refused:
        check_all(found)
    assert refused.value.hint == "did you mean binance?"
