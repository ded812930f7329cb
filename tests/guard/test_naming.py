"""What an order's name means is checked before its limits: which pair, and what its amount counts."""

from decimal import Decimal

import pytest
from guard.cases import buy, case, limits

from gunbot_mcp.domain import Cancel, Leg, Side
from gunbot_mcp.errors import LimitExceeded, PairNotAllowed, Refused
from gunbot_mcp.exchanges import EXCHANGES
from gunbot_mcp.guard.case import Case
from gunbot_mcp.guard.checks import check_all
from gunbot_mcp.gunbot.records import Book

DOGE = "USDT-DOGE-LONG"


def refused(found: Case) -> Refused:
    with pytest.raises(Refused) as refusal:
        check_all(found)
    return refusal.value


def contracts(exchange: str = "okex5", pair: str = DOGE, size: str | None = None, amount: str = "400") -> Case:
    intent = buy(amount, "0.12", exchange=exchange, pair=pair)
    return case(intent, book=None, live=False, contract_size=None if size is None else Decimal(size))


# The pair


@pytest.mark.parametrize("written", ["BTC-USDT", "BTCUSDT", "usdt-btc", "USDT_BTC"])
def test_a_wrong_name_is_answered_with_the_right_one_and_never_with_a_limit(written: str) -> None:
    found = refused(case(buy(pair=written, amount="100"), pairs=("USDT-ETH", "USDT-BTC"), limits=limits(max_order={})))

    assert isinstance(found, PairNotAllowed)
    assert "Gunbot writes it USDT-BTC" in found.message
    assert "USDT-BTC" in found.hint
    assert "limit" not in str(found)


def test_a_cancel_of_a_wrong_name_is_told_the_right_one_too() -> None:
    cancel = Cancel(exchange="binance", pair="BTC-USDT", order_id="1", price=Decimal(1), order_type="limit")

    assert "USDT-BTC" in refused(case(cancel, tool="cancel_order", pairs=("USDT-BTC",))).message


def test_a_name_that_the_list_lacks_altogether_passes_with_a_warning() -> None:
    warnings = check_all(case(pairs=("USDT-ETH",))).warnings

    assert warnings == ("Gunbot's list of binance has no USDT-BTC.",)


def test_the_sides_of_a_pair_are_named_and_not_chosen() -> None:
    spot = buy(exchange="bybit")

    [warning] = check_all(case(spot, pairs=("USDT-BTC-LONG", "USDT-BTC-SHORT"))).warnings

    assert warning == "Gunbot's list of bybit has no USDT-BTC; it has USDT-BTC-LONG and USDT-BTC-SHORT."


def test_without_a_list_a_live_order_has_a_warning_and_paper_and_cancels_have_none() -> None:
    cancel = Cancel(exchange="binance", pair="USDT-BTC", order_id="1", price=Decimal(1), order_type="limit")

    assert check_all(case(pairs=None)).warnings == ("Gunbot does not say which pairs binance has: check the name.",)
    assert check_all(case(pairs=None, live=False)).warnings == ()
    assert check_all(case(cancel, tool="cancel_order", pairs=None)).warnings == ()


@pytest.mark.parametrize(
    ("pair", "meant"),
    [("BTC-USDT", "USDT-BTC"), ("DOGE-USDT", "USDT-DOGE"), ("usdt-BTC", "USDT-BTC")],
)
@pytest.mark.parametrize("pairs", [None, ("USDT-ETH",)])
def test_without_a_list_that_has_it_a_name_that_looks_wrong_is_not_told_to_raise_a_limit(
    pair: str, meant: str, pairs: tuple[str, ...] | None
) -> None:
    for side in Side:
        found = refused(case(buy("1", pair=pair, side=side), pairs=pairs))

        assert isinstance(found, LimitExceeded)
        assert f"did you mean {meant}?" in found.hint
        assert "raise" not in found.hint
        assert "set limits" not in found.hint


def test_a_name_that_the_list_has_is_right_however_it_looks() -> None:
    assert "limits.max_order" in refused(case(buy("1", pair="BTC-USDT"), pairs=("BTC-USDT",))).hint


# What an amount counts


def test_an_amount_in_contracts_of_unknown_size_is_refused_and_the_hint_names_the_key() -> None:
    found = refused(contracts())

    assert found.code == "limit_exceeded"
    assert "count contracts" in found.message
    assert '"okex5/USDT-DOGE-LONG" = "SIZE"' in found.hint
    assert ".contracts]" in found.hint


def test_with_its_size_the_worst_case_is_what_the_contracts_hold() -> None:
    # 400 contracts of 1,000 DOGE at 0.12: not 48.048 USDT, but a thousand times that.
    assert "could cost 48,048 USDT" in refused(contracts(size="1000")).message

    worst = check_all(contracts(size="1000", amount="2")).notional

    assert worst is not None
    assert worst.amount == Decimal(2) * 1000 * Decimal("0.12") * Decimal("1.001")


@pytest.mark.parametrize(
    ("exchange", "pair"),
    [
        ("binanceFutures", "USDT-DOGE"),
        ("bydfi", "USDT-DOGE"),
        ("bitget", DOGE),
        ("hyperliquid", "USDT-DOGE"),
        ("krakenFutures", "USDT-DOGE"),
        ("bitmex", "USDT-DOGE"),
        ("okex5#2", DOGE),
        ("binance", DOGE),
        ("newone", DOGE),
    ],
)
def test_where_futures_may_count_contracts_an_order_needs_a_size(exchange: str, pair: str) -> None:
    assert "count contracts" in refused(contracts(exchange, pair)).message
    assert check_all(contracts(exchange, pair, size="1")).notional is not None


@pytest.mark.parametrize(
    ("exchange", "pair"),
    [
        ("bybit", DOGE),
        ("bybit", "USDT-DOGE"),
        ("okex5", "USDT-DOGE"),
        ("bitget", "USDT-DOGE"),
        ("binance", "USDT-DOGE"),
    ],
)
def test_where_amounts_count_the_asset_an_order_needs_none(exchange: str, pair: str) -> None:
    assert check_all(contracts(exchange, pair)).warnings == ("There is no order book to compare this order with.",)


def test_an_exchange_that_nobody_knows_is_taken_for_spot_with_a_warning() -> None:
    warnings = check_all(case(buy(exchange="newone"))).warnings

    assert warnings == ("How newone counts amounts is not known: the worst case takes them for BTC.",)


@pytest.mark.parametrize("pair", ["XBT-USD", "XBT-MONTH", "XBT-QUART", "USD-BTC-200417", "XBTUSD"])
@pytest.mark.parametrize("exchange", ["bitmex", "krakenFutures", "okex5"])
def test_a_future_with_a_name_of_its_own_has_no_worst_case_and_is_refused(exchange: str, pair: str) -> None:
    found = refused(contracts(exchange, pair, size="1"))

    assert "its name does not say which asset pays" in found.message
    assert "raise" not in found.hint


@pytest.mark.parametrize(("book_holds", "passes"), [("1999", False), ("2000", True)])
def test_contracts_that_fill_at_the_market_need_a_book_that_holds_what_is_in_them(
    book_holds: str, *, passes: bool
) -> None:
    level = (Decimal("0.12"), Decimal(book_holds))
    intent = buy("2", exchange="okex5", pair=DOGE, legs=(Leg(),))
    found = case(
        intent,
        tool="buy_market",
        contract_size=Decimal(1000),
        limits=limits(max_order={"USDT": "1000"}),
        book=Book(bid=level[0], ask=level[0], bids=(level,), asks=(level,)),
    )

    if passes:
        check_all(found)
    else:
        assert "the book holds only" in refused(found).message


def test_every_exchange_with_futures_says_how_they_count_and_where_that_is_known_from() -> None:
    for exchange in EXCHANGES.values():
        counted, source = exchange.on_futures
        assert counted in {"asset", "contracts", "unknown"}
        assert source
