"""What a schedule chooses at random: the orders that a model proposes or that strangers placed, a human's mandate."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

from simulation.processes import START
from support.exchange import Exchange, Order

from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.mandate import Mandate

PAIRS = ("USDT-BTC", "USDT-ETH")
MANDATE_LIMIT = Decimal(60)


def strangers(chance: random.Random) -> list[Order]:
    """Orders that look the same, placed before by somebody else; some of them fill sooner or later."""
    return [
        Order(
            id=f"{900 + number}",
            pair=PAIRS[0],
            side="buy",
            amount=0.001,
            rate=49_000,
            ticket="",
            shown_at=-10,
            filled_at=chance.choice((None, -5.0, chance.random() * 20)),
        )
        for number in range(chance.choice((1, 2)))
    ]


def order(chance: random.Random, exchange: Exchange, number: int, *, twins: bool) -> tuple[str, dict[str, Any]]:
    """The tool and the arguments of the schedule's `number`th order."""
    amount = Decimal("0.001") if chance.random() < 0.6 else Decimal("0.0011") + Decimal("0.00001") * number
    common = {"exchange": "binance", "pair": PAIRS[0] if chance.random() < 0.8 else PAIRS[1]}
    if twins:
        return "buy_limit", {**common, "pair": PAIRS[0], "amount": Decimal("0.001"), "price": Decimal(49_000)}
    tool = chance.choice(("buy_limit", "buy_limit", "buy_limit", "sell_limit", "buy_market", "cancel_order"))
    if tool == "cancel_order":
        known = chance.choice([order.id for order in exchange.orders] or ["1000"])
        return tool, {**common, "order_id": known, "price": Decimal(49_000), "order_type": "limit"}
    if tool == "buy_market":
        return tool, {**common, "amount": amount}
    return tool, {**common, "amount": amount, "price": Decimal("49000.10")}


def mandate(chance: random.Random, name: str, instance: str) -> Mandate:
    """A mandate for one order. That order comes within seconds, so the mandate may end before, during or after it."""
    lasts = chance.choice((172_800.0, 172_800.0, chance.random() * 12))
    return Mandate(
        id=name,
        instance=instance,
        exchange="binance",
        pairs=PAIRS[:1],
        asset="USDT",
        max_order=MANDATE_LIMIT,
        max_total=MANDATE_LIMIT,
        live=True,
        url="http://gunbot.invalid",
        created_at=START - timedelta(days=2),
        expires_at=START + timedelta(seconds=lasts),
        created_by=TERMINAL,
    )
