"""What one has of what an order takes: said to the human who decides, silent where a balance says nothing."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from gunbot_mcp.guard.holdings import have
from gunbot_mcp.gunbot.balances import Balance
from gunbot_mcp.tickets.ticket import Ticket

MakeTicket = Callable[..., Ticket]


def balance(asset: str, available: str | None, exchange: str = "binance") -> Balance:
    amount = None if available is None else Decimal(available)
    return Balance(exchange=exchange, asset=asset, available=amount, on_order=None)


HELD = [balance("USDT", "1234.567"), balance("BTC", "0.00123456789"), balance("USDT", "9", "binance#2")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"side": "buy"}, "You have 1,234.56 USDT available on binance; at least 1,184.51 USDT after this order."),
        ({"side": "sell"}, "You have 0.00123456 BTC available on binance; 0.000234567 BTC after this order."),
        (
            {"side": "buy", "exchange": "binance#2"},
            "You have 9 USDT available on binance#2, less than this order may take.",
        ),
        ({"side": "buy", "pair": "EUR-BTC", "asset": "EUR"}, None),
        ({"side": "buy", "exchange": "kraken"}, None),
        ({"side": "cancel", "notional": None, "asset": None}, None),
        ({"side": "buy", "pair": "XBTUSD"}, None),
    ],
)
def test_the_asset_that_the_order_takes_is_named_with_what_is_there(
    make_ticket: MakeTicket, fields: dict[str, str], expected: str | None
) -> None:
    assert have(make_ticket(**fields), HELD) == expected


def test_a_sell_of_more_than_is_there_is_told(make_ticket: MakeTicket) -> None:
    said = have(make_ticket(side="sell"), [balance("BTC", "0.0009")])
    assert said == "You have 0.0009 BTC available on binance, less than this order may take."


@pytest.mark.parametrize(
    ("side", "pair", "expected"),
    [
        ("buy", "USDT-BTC-LONG", "You have 5 USDT available on bybit."),  # margin: how much it binds is not known
        ("sell", "USDT-BTC-LONG", None),
        ("buy", "USDT-BTC-SHORT", None),
        ("sell", "USDT-BTC-SHORT", None),
    ],
)
def test_a_balance_says_nothing_about_a_position(
    make_ticket: MakeTicket, side: str, pair: str, expected: str | None
) -> None:
    held = [balance("USDT", "5", "bybit"), balance("BTC", "5", "bybit")]
    assert have(make_ticket(side=side, exchange="bybit", pair=pair), held) == expected


def test_a_balance_that_is_no_number_or_stands_there_twice_is_not_told(make_ticket: MakeTicket) -> None:
    assert have(make_ticket(side="buy"), [balance("USDT", None)]) is None
    assert have(make_ticket(side="buy"), [balance("USDT", "1"), balance("USDT", "2")]) is None
