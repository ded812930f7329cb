"""How far an order's prices lie from the market, in words. Pure."""

from collections.abc import Iterator
from decimal import Decimal

from gunbot_mcp.domain import Cancel, Intent, Side, decimal_text, grouped, legs_of, side_of
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.notional import named_prices

_CENT = Decimal("0.01")


def distances(intent: Intent, book: Book) -> Iterator[tuple[str, str]]:
    """Yield each of the order's prices with its distance from the side of the book that it meets."""
    if isinstance(intent, Cancel):
        yield f"Its price {grouped(intent.price)}", away(intent.price, *nearest(intent.price, book))
        return
    price, side = met(side_of(intent), book)
    named = list(named_prices(intent))
    for word, value in named:
        yield f"{word.capitalize()} {grouped(value)}", away(value, price, side)
    for leg in legs_of(intent):
        if leg.trail is not None:
            yield f"Trails by {grouped(leg.trail)}", f"{percent_of(leg.trail, price)} of the {side}"
    if not named:
        yield "Market order", f"fills near the {side}, {grouped(price)}"


def met(side: Side, book: Book) -> tuple[Decimal, str]:
    """Return the side of the book that an order trades against; where that is empty, the other."""
    ask = (book.ask, "ask")
    bid = (book.bid, "bid")
    for price, word in (ask, bid) if side is Side.BUY else (bid, ask):
        if price is not None:
            return price, word
    raise ValueError("an empty book has no side")


def nearest(price: Decimal, book: Book) -> tuple[Decimal, str]:
    sides = [(value, word) for value, word in ((book.bid, "bid"), (book.ask, "ask")) if value is not None]
    return min(sides, key=lambda side: abs(side[0] - price))


def away(value: Decimal, reference: Decimal, word: str) -> str:
    if value == reference:
        return f"exactly at the {word}"
    return f"{percent_of(abs(value - reference), reference)} {'above' if value > reference else 'below'} the {word}"


def percent_of(part: Decimal, whole: Decimal) -> str:
    percent = part / whole * 100
    return f"{decimal_text(percent.quantize(_CENT))} %" if percent >= _CENT else "less than 0.01 %"
