"""Whether a cancel takes risk off, so that it needs no approval. Pure.

Gunbot shows a stop, a trailing stop and a linked leg as plain orders, so of an order of somebody else nobody can tell
what it protects. Without a human goes only the cancel of an order *that this server itself placed* as a plain entry and
found again for certain; and even that one only if everything about it still looks like what was sent.
"""

from collections.abc import Sequence
from enum import StrEnum

from gunbot_mcp.domain import Cancel, Leg, Pair, Place, Side
from gunbot_mcp.exchanges import EXCHANGES, base_name
from gunbot_mcp.guard.evidence import Digits, digits_of, is_amount, is_price
from gunbot_mcp.gunbot.records import Book, OpenOrder
from gunbot_mcp.tickets.ticket import Certainty, Observation, State, Ticket


class Doubt(StrEnum):
    """Why a cancel asks a human. The first that holds is the reason; the words are made elsewhere."""

    NOT_SEEN = "not_seen"  # the order is not among the open orders exactly once, or not as the cancel describes it
    NOT_OURS = "not_ours"  # this server did not place it, or another Gunbot's ticket did
    NOT_PLAIN = "not_plain"  # it was placed as a stop, a trail, a linked leg, a close or an exit
    NOT_CERTAIN = "not_certain"  # it was found by a human's word or as a candidate, or its fate is not known
    NOT_SPOT = "not_spot"  # a buy there may be the exit of a short position
    LOOKS_OTHERWISE = "looks_otherwise"  # its record hints at more than a plain order, or is not what was sent
    NOT_PASSIVE = "not_passive"  # it does not rest below the market: a buy above it is a stop


def find(intent: Cancel, open_orders: Sequence[OpenOrder]) -> OpenOrder | None:
    """Return the open order that the cancel names, if it is there exactly once."""
    found = [order for order in open_orders if order.id == intent.order_id and order.pair == intent.pair]
    return found[0] if len(found) == 1 else None


def doubt(intent: Cancel, seen: OpenOrder | None, placed: Sequence[Ticket], book: Book | None) -> Doubt | None:
    """Return why a human has to decide about this cancel, or None: it only takes an entry of ours off.

    `placed` are the tickets of this instance, made for this very Gunbot, to which the order was found to belong.
    """
    if seen is None or seen.price != intent.price or intent.order_type != "limit":
        return Doubt.NOT_SEEN
    if len(placed) != 1:
        return Doubt.NOT_OURS
    ticket = placed[0]
    order, found = ticket.order.trade, ticket.observed
    if not isinstance(order, Place) or not _is_plain_buy(order):
        return Doubt.NOT_PLAIN
    rules = (
        (Doubt.NOT_CERTAIN, ticket.state is State.ACCEPTED and found is not None and _is_certain(found)),
        (Doubt.NOT_SPOT, _is_spot_only(intent)),
        (Doubt.LOOKS_OTHERWISE, _looks_like(order, seen, book)),
        (Doubt.NOT_PASSIVE, _is_passive(intent, book)),
    )
    return next((why for why, holds in rules if not holds), None)


def _is_certain(found: Observation) -> bool:
    return found.certainty is Certainty.MATCH and found.order_type is not None and not found.final


def _is_passive(intent: Cancel, book: Book | None) -> bool:
    return book is not None and book.ask is not None and not book.crossed and intent.price < book.ask


def _is_plain_buy(order: Place) -> bool:
    legs = order.legs
    return order.side is Side.BUY and len(legs) == 1 and legs[0] == Leg(limit=legs[0].limit) != Leg()


def _is_spot_only(intent: Cancel) -> bool:
    pair, known = Pair.parse(intent.pair), EXCHANGES.get(base_name(intent.exchange))
    return pair is not None and pair.hedge is None and known is not None and known.spot and not known.futures


def _looks_like(order: Place, seen: OpenOrder, book: Book | None) -> bool:
    """Return whether the record is plain, and its side, price and amount are what was sent or what is left of that."""
    digits: Digits = digits_of(book, (seen,), ())
    limit = order.legs[0].limit
    plain = seen.plain and seen.kind == "limit" and seen.order_type == "limit" and seen.side is order.side
    priced = limit is not None and is_price(seen.price, limit, digits.price)
    left = seen.amount is not None and 0 < seen.amount <= order.amount
    return plain and priced and (left or is_amount(seen.amount, order.amount, digits.amount))
