"""What a human reads before approving: every asset by name, every price, the worst case, never a caller's own words."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.config import Limits
from gunbot_mcp.domain import Cancel, Intent, Side, decimal_text
from gunbot_mcp.endpoints import BY_NAME, ENDPOINTS
from gunbot_mcp.gunbot.records import Book, OpenOrder
from gunbot_mcp.tickets.notional import worst_case
from gunbot_mcp.tickets.sentences import sentence

BOOK = Book(bid=Decimal(49990), ask=Decimal(50000))
PRICES = {"price": 50000, "stop_price": 51000, "limit_price": 51100, "order_id": "77", "order_type": "limit"}


def intent_of(tool: str, **arguments: Any) -> Intent:  # noqa: ANN401 - any argument
    endpoint = BY_NAME[tool]
    fields = endpoint.args.model_fields
    given_arguments = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, **PRICES, **arguments}
    args = endpoint.args.model_validate({name: value for name, value in given_arguments.items() if name in fields})
    assert endpoint.intent is not None
    return endpoint.intent(args)


def said(tool: str, **arguments: Any) -> str:  # noqa: ANN401 - any argument
    intent = intent_of(tool, **arguments)
    return sentence(intent, None if isinstance(intent, Cancel) else worst_case(intent, BOOK, Limits()))


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("buy_limit", {}, "Buy 0.001 BTC at 50000 USDT on binance, at most 50.05 USDT with fees"),
        ("sell_limit", {}, "Sell 0.001 BTC at 50000 USDT on binance, worth at most 50.05 USDT with fees"),
        (
            "buy_market",
            {"price": None},
            "Buy 0.001 BTC at the market price on binance, at most 50.5505 USDT with fees",
        ),
        (
            "sell_market",
            {"price": None},
            "Sell 0.001 BTC at the market price on binance, worth at most 50.5505 USDT with fees",
        ),
        (
            "buy_stop_limit",
            {},
            "Buy 0.001 BTC at 51100 USDT once BTC trades at 51000 USDT on binance, at most 51.1511 USDT with fees",
        ),
        (
            "sell_trailing_stop",
            {"stop_price": 49500},
            (
                "Sell 0.001 BTC at the market once BTC falls 500 USDT from its high on binance "
                "(named: price 50000, stop 49500), "
                "worth at most 51.051 USDT with fees"
            ),
        ),
        (
            "buy_trailing_stop",
            {},
            (
                "Buy 0.001 BTC at the market once BTC rises 1000 USDT from its low on binance "
                "(named: price 50000, stop 51000), "
                "at most 51.5515 USDT with fees"
            ),
        ),
        (
            "buy_oco",
            {},
            (
                "Buy 0.001 BTC at 50000 USDT or at 51100 USDT once BTC trades at 51000 USDT on binance "
                "(the first to fill cancels the other), at most 51.1511 USDT with fees"
            ),
        ),
        (
            "close_limit",
            {"exchange": "bybit", "pair": "USDT-BTC-SHORT"},
            "Close 0.001 BTC of the SHORT position at 50000 USDT on bybit, worth at most 50.05 USDT with fees",
        ),
        (
            "close_market",
            {"exchange": "bybit#2", "pair": "USDT-BTC"},
            "Close 0.001 BTC of the position at the market price on bybit#2, worth at most 50.5505 USDT with fees",
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
        assert f"{decimal_text(amount)} BTC" in text
    if tool in {"buy_limit", "sell_limit", "buy_oco", "sell_oco", "close_limit", "cancel_order"}:
        assert f"{decimal_text(price)} USDT" in text
    assert "\n" not in text


def test_a_pair_of_another_form_is_named_whole() -> None:
    assert sentence(intent_of("buy_limit", pair="XBTUSD")) == "Buy 0.001 XBTUSD at 50000 on binance"


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
        == "Cancel the stop limit sell order 77: 0.5 BTC at 50000 USDT on binance (USDT-BTC)"
    )
    assert (
        sentence(cancel, seen=seen(side=None, amount=None))
        == "Cancel the stop limit order 77: at 50000 USDT on binance (USDT-BTC)"
    )
    assert sentence(cancel).endswith("the server cannot see it among the open orders")
