"""What a human reads before approving: every asset by name, every price, the worst case, never a caller's own words."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.config import Limits
from gunbot_mcp.domain import Cancel, Intent, Side, grouped
from gunbot_mcp.endpoints import BY_NAME, ENDPOINTS
from gunbot_mcp.gunbot.records import Book, OpenOrder
from gunbot_mcp.tickets.notional import worst_case
from gunbot_mcp.tickets.proceeds import Costs, proceeds
from gunbot_mcp.tickets.sentences import sentence

BOOK = Book(bid=Decimal(49990), ask=Decimal(50000))
PRICES = {"price": 50000, "stop_price": 51000, "limit_price": 51100, "order_id": "77", "order_type": "limit"}


def intent_of(tool: str, **arguments: object) -> Intent:
    endpoint = BY_NAME[tool]
    fields = endpoint.args.model_fields
    given_arguments = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, **PRICES, **arguments}
    args = endpoint.args.model_validate({name: value for name, value in given_arguments.items() if name in fields})
    assert endpoint.intent is not None
    return endpoint.intent(args)


def said(tool: str, **arguments: object) -> str:
    intent = intent_of(tool, **arguments)
    worst = None if isinstance(intent, Cancel) else worst_case(intent, BOOK, Limits())
    return sentence(intent, worst, gets=proceeds(intent, BOOK, Costs.of(Limits())))


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("buy_limit", {}, "Buy 0.001 BTC at 50,000 USDT on binance, at most 50.05 USDT with fees"),
        ("sell_limit", {}, "Sell 0.001 BTC at 50,000 USDT on binance, you get at least 49.95 USDT after fees"),
        (
            "buy_market",
            {"price": None},
            "Buy 0.001 BTC at the market price on binance, at most 50.56 USDT with fees",
        ),
        (
            "sell_market",
            {"price": None, "amount": 0.002},
            (
                "Sell 0.002 BTC at the market price on binance, "
                "you get about 99.88 USDT after fees, at least 98.88 if it slips no more than 1 %"
            ),
        ),
        (
            "buy_stop_limit",
            {},
            "Buy 0.001 BTC at 51,100 USDT once BTC trades at 51,000 USDT on binance, at most 51.16 USDT with fees",
        ),
        (
            "sell_stop_limit",
            {"stop_price": 49000, "limit_price": 30000},
            (
                "Sell 0.001 BTC at 30,000 USDT once BTC trades at 49,000 USDT on binance, "
                "you get at least 29.97 USDT after fees"
            ),
        ),
        (
            "sell_trailing_stop",
            {"stop_price": 49500},
            (
                "Sell 0.001 BTC at the market with a trailing stop (prices 500 USDT apart), on binance "
                "(named: price 50,000, stop 49,500), you get what the market pays then, after fees"
            ),
        ),
        (
            "buy_trailing_stop",
            {},
            (
                "Buy 0.001 BTC at the market with a trailing stop (prices 1,000 USDT apart), on binance "
                "(named: price 50,000, stop 51,000), at most 51.56 USDT with fees"
            ),
        ),
        (
            "buy_oco",
            {},
            (
                "Buy 0.001 BTC at 50,000 USDT or at 51,100 USDT once BTC trades at 51,000 USDT on binance "
                "(the first to fill cancels the other), at most 51.16 USDT with fees"
            ),
        ),
        (
            "sell_oco",
            {"price": 52000, "stop_price": 49000, "limit_price": 48900},
            (
                "Sell 0.001 BTC at 52,000 USDT or at 48,900 USDT once BTC trades at 49,000 USDT on binance "
                "(the first to fill cancels the other), you get at least 48.85 USDT after fees"
            ),
        ),
        (
            "close_limit",
            {"exchange": "bybit", "pair": "USDT-BTC-SHORT"},
            (
                "Close 0.001 BTC of the SHORT position at 50,000 USDT on bybit (USDT-BTC-SHORT), "
                "worth at most 50.05 USDT with fees"
            ),
        ),
        (
            "close_market",
            {"exchange": "bybit#2", "pair": "USDT-BTC"},
            (
                "Close 0.001 BTC of the position at the market price on bybit#2 (USDT-BTC), "
                "worth about 49.94 USDT after fees, at least 49.44 if it slips no more than 1 %"
            ),
        ),
        (
            "buy_limit",
            {"exchange": "bybit", "pair": "USDT-BTC-LONG"},
            ("Open LONG: buy 0.001 BTC at 50,000 USDT on bybit (USDT-BTC-LONG), worth at most 50.05 USDT with fees"),
        ),
        (
            "buy_limit",
            {"exchange": "bybit", "pair": "USDT-BTC-SHORT"},
            ("Close SHORT: buy 0.001 BTC at 50,000 USDT on bybit (USDT-BTC-SHORT), worth at most 50.05 USDT with fees"),
        ),
        (
            "sell_limit",
            {"exchange": "bybit", "pair": "USDT-BTC-LONG"},
            (
                "Close LONG: sell 0.001 BTC at 50,000 USDT on bybit (USDT-BTC-LONG), "
                "worth at least 49.95 USDT after fees"
            ),
        ),
        (
            "sell_limit",
            {"exchange": "bybit", "pair": "USDT-BTC-SHORT"},
            ("Open SHORT: sell 0.001 BTC at 50,000 USDT on bybit (USDT-BTC-SHORT), worth at most 50.05 USDT with fees"),
        ),
        (
            "sell_limit",
            {"exchange": "binance", "pair": "USDT-BTC-SHORT"},  # the row knows of no positions there
            "Sell 0.001 BTC at 50,000 USDT on binance (USDT-BTC-SHORT), worth at least 49.95 USDT after fees",
        ),
        (
            "sell_limit",
            {"price": 1234567.5, "amount": 2},
            "Sell 2 BTC at 1,234,567.5 USDT on binance, you get at least 2,466,665.86 USDT after fees",
        ),
    ],
)
def test_an_order_is_said_in_one_sentence(tool: str, arguments: dict[str, Any], expected: str) -> None:
    assert said(tool, **arguments) == expected


@given(
    tool=st.sampled_from([endpoint.name for endpoint in ENDPOINTS if endpoint.intent]),
    amount=st.decimals("1e-18", "1e18", allow_nan=False).filter(lambda number: number > 0),
    price=st.decimals("1e-18", "1e18", allow_nan=False).filter(lambda number: number > 0 and number != 51000),
)
def test_every_number_of_an_order_stands_in_its_sentence_in_plain_digits(
    tool: str, amount: Decimal, price: Decimal
) -> None:
    text = said(tool, amount=amount, price=price)
    if tool != "cancel_order":
        assert f"{grouped(amount)} BTC" in text
    if tool in {"buy_limit", "sell_limit", "buy_oco", "sell_oco", "close_limit", "cancel_order"}:
        assert f"{grouped(price)} USDT" in text
    assert "\n" not in text


def test_a_pair_of_another_form_is_named_whole() -> None:
    assert sentence(intent_of("buy_limit", pair="XBTUSD")) == "Buy 0.001 XBTUSD at 50,000 on binance"


def seen(**fields: Any) -> OpenOrder:  # noqa: ANN401 - any field
    facts: dict[str, Any] = {
        "id": "77",
        "exchange": "binance",
        "pair": "USDT-BTC",
        "side": Side.SELL,
        "order_type": "limit",
        "kind": "stop_limit",
        "price": Decimal(50000),
        "amount": Decimal("0.5"),
        "raw": {},
    }
    return OpenOrder(**{**facts, **fields})


def test_a_cancel_says_what_the_server_sees_of_the_order() -> None:
    cancel = intent_of("cancel_order")
    assert (
        sentence(cancel, seen=seen())
        == "Cancel the stop limit sell order 77: 0.5 BTC at 50,000 USDT on binance (USDT-BTC)"
    )
    assert (
        sentence(cancel, seen=seen(side=None, amount=None))
        == "Cancel the stop limit order 77: at 50,000 USDT on binance (USDT-BTC)"
    )
    assert sentence(cancel).endswith("the server cannot see it among the open orders")


@pytest.mark.parametrize(
    ("amount", "size", "expected"),
    [
        (400, "1000", "Open LONG: buy 400 contracts of 1,000 DOGE each at 0.12 USDT on okex5 (USDT-DOGE-LONG)"),
        (1, "0.01", "Open LONG: buy 1 contract of 0.01 DOGE each at 0.12 USDT on okex5 (USDT-DOGE-LONG)"),
    ],
)
def test_where_amounts_count_contracts_the_sentence_says_what_one_holds(
    amount: float, size: str, expected: str
) -> None:
    intent = intent_of("buy_limit", exchange="okex5", pair="USDT-DOGE-LONG", amount=amount, price=0.12)
    assert sentence(intent, contract_size=Decimal(size)) == expected
