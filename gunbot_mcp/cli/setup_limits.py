"""What `gunbot-mcp setup` asks about pairs and limits, each pair looked up in Gunbot first."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import anyio
import click

from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.cli.questions import Again, Questions, fine
from gunbot_mcp.cli.setup_gunbot import Enabled, Fields, instance_of
from gunbot_mcp.domain import Pair, decimal_text, money
from gunbot_mcp.errors import GatewayError, GatewayRejected, InvalidArguments, clean
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.pairs import look_up
from gunbot_mcp.limits import Limits
from gunbot_mcp.tools.market import QuoteArgs

_ALL = "all"
_OFFERED = 20
_DAYS = 4
"""A day's default, where only the order's was raised: as many orders as the limits' own defaults allow."""


def ask_pairs(ask: Questions, fields: Fields, enabled: Enabled | None, old: Sequence[str]) -> list[str]:
    """Return the pairs that may be traded, as `exchange/PAIR`; empty allows all."""
    here = [f"{exchange}/{name}" for exchange, pairs in (enabled or {}).items() for name, on in pairs.items() if on]
    if enabled is not None and not here:
        click.echo("  ! Gunbot shows no pair that is enabled. It takes orders only where one of that exchange cycles.")
    default = ", ".join(old or here[:_OFFERED]) or _ALL

    def once() -> list[str]:
        text = ask.text("Pairs that may be traded, as exchange/PAIR, with commas; or all", default)
        if text.lower() == _ALL:
            return []
        keys = list(dict.fromkeys(key.strip() for key in text.split(",") if key.strip()))
        if not keys:
            raise Again("no pair was named", "all allows all")
        anyio.run(_look, fields, [key for key in keys if "*" not in key and "/" in key])
        return keys

    return ask.until_good(once)


async def _look(fields: Fields, keys: list[str]) -> None:
    """Tell of each pair whether Gunbot has it and what its market is like.

    Raises:
        Again: a name is none, or the exchange writes it otherwise.
    """
    async with Gunbot(instance_of(fields)) as gunbot:
        for key in keys:
            exchange, _, pair = key.partition("/")
            try:
                parse_arguments(QuoteArgs, {"exchange": exchange, "pair": pair})
            except InvalidArguments as exc:
                raise Again.because(exc) from None
            try:
                known = look_up(pair, await gunbot.pairs(exchange))
                if not known.there and known.right is not None:
                    raise Again(
                        f"{exchange} has no pair {clean(pair, 64)}", f"it is {exchange}/{clean(known.right, 64)}"
                    )
                book = await gunbot.order_book(key)
            except GatewayRejected:
                click.echo(f"  ! {key}: Gunbot shows no order book; enable the pair there before you trade it")
            except GatewayError as exc:
                click.echo(f"  ! {key}: could not be looked at ({exc.message})")
            else:
                bid, ask = ("none" if one is None else money(one) for one in (book.bid, book.ask))
                fine(f"{key}: bid {bid}, ask {ask}")


def ask_limits(ask: Questions, pairs: Sequence[str], old: Fields) -> Fields:
    """Return the limits' keys as a config holds them."""
    parsed = [Pair.parse(key.rpartition("/")[2]) for key in pairs]
    assets = list(dict.fromkeys(one.paying for one in parsed if one is not None and one.paying.isalnum()))
    everything = not pairs or not assets
    shown = Limits()
    # A table that is written replaces the default one: where all pairs may be traded, the others' caps stay in it.
    orders = _texts(old.get("max_order") or (shown.max_order if everything else {}))
    days = _texts(old.get("max_day") or (shown.max_day if everything else {}))
    for asset in ["USDT"] if everything else assets:
        order = _ask_amount(
            ask, f"Most that one order may cost, in {asset}", orders.get(asset) or _text(shown.max_order.get(asset))
        )
        before = Decimal(days.get(asset) or _text(shown.max_day.get(asset)))
        day = _ask_amount(
            ask,
            f"Most that all orders of a day may cost, in {asset}",
            decimal_text(before if before >= order else order * _DAYS),
            least=order,
        )
        orders[asset], days[asset] = decimal_text(order), decimal_text(day)
    kept = {key: value for key, value in old.items() if key not in {"max_order", "max_day", "pairs"}}
    return {"max_order": orders, "max_day": days} | ({"pairs": list(pairs)} if pairs else {}) | kept


def _texts(amounts: dict[str, Any]) -> dict[str, str]:
    return {asset: _text(Decimal(str(amount))) for asset, amount in amounts.items()}


def _text(amount: Decimal | None) -> str:
    return "0" if amount is None else decimal_text(amount)


def _ask_amount(ask: Questions, question: str, default: str, least: Decimal = Decimal(0)) -> Decimal:
    def once() -> Decimal:
        text = ask.text(question, default)
        try:
            amount = Decimal(text)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount < 0:
            raise Again(f"{clean(text, 40)} is no amount", "for example 100")
        if amount < least:
            raise Again("that is less than one order may cost", "a day holds one order at least")
        return amount

    return ask.until_good(once)
