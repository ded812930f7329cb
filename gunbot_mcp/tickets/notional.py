"""The worst case of an order, in the asset that pays for it. Pure.

A buy with a limit costs at most its limit; everything that fills at the market is priced from the book plus slippage;
a sell is worth the higher of its own prices and the book (a sell limit far below the market still gives away what the
market would have paid). Of several legs the most expensive one counts, since one fill cancels the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext

from gunbot_mcp.config import Limits
from gunbot_mcp.domain import EXACT, Close, Leg, Pair, Place, Side, legs_of, side_of
from gunbot_mcp.errors import LimitExceeded
from gunbot_mcp.gunbot.records import Book

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Notional:
    """`amount` of `asset`, fees included, at `price` per unit of the traded asset."""

    amount: Decimal
    asset: str
    price: Decimal


def worst_case(
    intent: Place | Close, book: Book | None, limits: Limits, contract_size: Decimal | None = None
) -> Notional:
    """Return the worst-case notional; with `contract_size`, the amount counts contracts of so much traded asset.

    Raises:
        LimitExceeded: it cannot be computed; an order of unknown worst case is not sent.
    """
    pair = Pair.parse(intent.pair)
    if pair is None:
        raise LimitExceeded(
            f"the worst case of {intent.pair} cannot be computed: its name does not say which asset pays",
            "pairs look like USDT-BTC; trade this one in Gunbot itself",
        )
    reference = intent.reference if isinstance(intent, Place) else None
    with localcontext(EXACT):  # a rounded worst case could be a digit below the real one
        price = max(_price(leg, side_of(intent), reference, book, limits) for leg in legs_of(intent))
        with_fee = intent.amount * (contract_size or 1) * price * (1 + limits.fee_percent / _HUNDRED)
    return Notional(with_fee, pair.paying, price)


def _price(leg: Leg, side: Side, reference: Decimal | None, book: Book | None, limits: Limits) -> Decimal:
    if side is Side.BUY and leg.limit is not None:
        return leg.limit
    quote = None if book is None else book.ask or book.bid
    named = [price for price in (leg.limit, leg.stop, reference) if price is not None]
    if leg.limit is not None:
        return max([*named, *([quote] if quote is not None else [])])
    if quote is None:
        raise LimitExceeded(
            "the worst case of an order without a limit cannot be computed: there is no price in the book",
            "use an order with a limit price, or wait for market data",
        )
    slipped = max([quote, *named]) * (1 + limits.slippage_percent / _HUNDRED)
    return slipped + (leg.trail or 0)


def named_prices(intent: Place | Close) -> Iterator[tuple[str, Decimal]]:
    """Yield every price that the caller named, with the word for it."""
    for leg in legs_of(intent):
        if leg.limit is not None:
            yield "limit price", leg.limit
        if leg.stop is not None:
            yield "stop price", leg.stop
    if isinstance(intent, Place) and intent.reference is not None:
        yield "price", intent.reference
    if isinstance(intent, Place) and intent.trigger is not None:
        yield "stop price", intent.trigger
