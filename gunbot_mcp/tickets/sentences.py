"""What a human reads before approving: one sentence that names the assets, written here and never by a model."""

from dataclasses import dataclass
from decimal import Decimal

from gunbot_mcp.domain import (
    Cancel,
    Close,
    Intent,
    Leg,
    Pair,
    Place,
    Side,
    assets_of,
    decimal_text,
    legs_of,
    money,
    side_of,
)
from gunbot_mcp.gunbot.records import OpenOrder
from gunbot_mcp.tickets.notional import Notional
from gunbot_mcp.tickets.ticket import Ticket
from gunbot_mcp.tickets.units import size_text


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in two pieces: `what` the order does, and the end that says its `worth`, which may be empty."""

    what: str
    worth: str = ""

    def __str__(self) -> str:
        return self.what + self.worth


def headline_of(ticket: Ticket) -> Sentence:
    """Return the ticket's summary in two pieces, from its typed order; in one piece if the two together differ from it.

    A human must see the summary that the ticket was made with, so a piece is shown apart only if nothing is lost.
    """
    if ticket.notional is None or ticket.asset is None:
        return Sentence(ticket.summary)
    intent = ticket.order.intent
    pieces = Sentence(what(intent, contract_size=ticket.contract_size), worth(intent, ticket.notional, ticket.asset))
    return pieces if str(pieces) == ticket.summary else Sentence(ticket.summary)


def sentence(
    intent: Intent,
    worst: Notional | None = None,
    seen: OpenOrder | None = None,
    *,
    contract_size: Decimal | None = None,
) -> str:
    """Return e.g. `Buy 0.001 BTC at 50000 USDT on binance, at most 50.05 USDT with fees`."""
    return what(intent, seen, contract_size=contract_size) + (worth(intent, worst.amount, worst.asset) if worst else "")


def what(intent: Intent, seen: OpenOrder | None = None, *, contract_size: Decimal | None = None) -> str:
    """Return the sentence without its worth: `Buy 0.001 BTC at 50000 USDT on binance`."""
    if isinstance(intent, Cancel):
        return _cancel(intent, seen)
    paying, traded = assets_of(intent)
    side = side_of(intent)
    size = size_text(intent.amount, traded, contract_size)
    if isinstance(intent, Close):
        pair = Pair.parse(intent.pair)
        hedge = f"{pair.hedge} " if pair and pair.hedge else ""
        verb = f"Close {size} of the {hedge}position"
    else:
        verb = f"{side.value.capitalize()} {size}"
    ways = " or ".join(_way(leg, side, paying, traded) for leg in legs_of(intent))
    whole = f"{verb} {ways} on {intent.exchange}"
    if isinstance(intent, Place) and intent.trigger is not None and intent.reference is not None:
        whole += f" (named: price {decimal_text(intent.reference)}, stop {decimal_text(intent.trigger)})"
    if isinstance(intent, Place) and len(intent.legs) > 1:
        whole += " (the first to fill cancels the other)"
    return whole


def worth(intent: Intent, amount: Decimal, asset: str) -> str:
    """Return the end of the sentence: `, at most 50.05 USDT with fees`. A cancel has no worth: its end is empty."""
    if isinstance(intent, Cancel):
        return ""
    spends = side_of(intent) is Side.BUY and isinstance(intent, Place)
    return f", {'at most' if spends else 'worth at most'} {money(amount)} {asset} with fees"


def _way(leg: Leg, side: Side, paying: str, traded: str) -> str:
    def price(value: Decimal) -> str:
        return f"{decimal_text(value)} {paying}".rstrip()

    if leg.trail is not None:
        move = "rises" if side is Side.BUY else "falls"
        turn = "low" if side is Side.BUY else "high"
        return f"at the market once {traded} {move} {price(leg.trail)} from its {turn}"
    at = "at the market price" if leg.limit is None else f"at {price(leg.limit)}"
    return at if leg.stop is None else f"{at} once {traded} trades at {price(leg.stop)}"


def _cancel(intent: Cancel, seen: OpenOrder | None) -> str:
    paying, traded = assets_of(intent)
    where = f"on {intent.exchange} ({intent.pair})"
    if seen is None:
        return (
            f"Cancel order {intent.order_id} at {decimal_text(intent.price)} {paying} {where}; "
            "the server cannot see it among the open orders"
        )
    side = f"{seen.side.value} " if seen.side else ""
    amount = f"{decimal_text(seen.amount)} {traded} " if seen.amount is not None else ""
    return (
        f"Cancel the {seen.kind.replace('_', ' ')} {side}order {intent.order_id}: "
        f"{amount}at {decimal_text(intent.price)} {paying} {where}"
    )
