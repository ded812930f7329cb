"""What a cancel would take away. Pure.

Gunbot shows a stop, or one leg of an OCO, as a plain order. What an order really is, this server knows only of the
orders that it placed itself and found again; about every other one it says what it may be.
"""

from collections.abc import Iterable
from decimal import Decimal

from gunbot_mcp.domain import Cancel, Close, Leg, Place, Side, assets_of, grouped, legs_of, side_of
from gunbot_mcp.gunbot.records import OpenOrder
from gunbot_mcp.tickets.sentences import size_of
from gunbot_mcp.tickets.ticket import Certainty, Ticket


def placed_as(intent: Cancel, sent: Iterable[Ticket]) -> Ticket | None:
    """Return the ticket whose order the cancel names, of those `sent` on its pair; a mere candidate is none."""
    for ticket in sent:
        seen = None if ticket.cancels else ticket.observed
        if seen is not None and seen.certainty is not Certainty.CANDIDATE and intent.order_id in seen.order_ids:
            return ticket
    return None


def lost(intent: Cancel, seen: OpenOrder | None, placed: Ticket | None) -> str | None:
    """Return what a human should know before this cancel: which protection goes, or that some may.

    None for an order that was placed here and protects nothing: a plain limit. `seen` is the open order, if there is
    one; `placed` is the ticket that placed it, if that is known.
    """
    order = f"Order {intent.order_id}"
    trade = None if placed is None else placed.order.trade
    if placed is not None and trade is not None:
        return _of_ours(order, trade, placed.contract_size)
    if seen is None:
        return (
            f"{order} is not among the open orders that this server sees. It may be a stop or one leg of an OCO: "
            "then its protection goes, too."
        )
    if seen.kind != "limit":
        kind = seen.kind.replace("_", " ")
        return f"{order} is a {kind} order: if it protects a position, that protection goes."
    return (
        f"{order} may be a stop or one leg of an OCO, which Gunbot shows as a plain order: "
        "then its protection goes, too."
    )


def _of_ours(order: str, placed: Place | Close, contract_size: Decimal | None) -> str | None:
    legs = legs_of(placed)
    if all(leg.stop is None and leg.trail is None for leg in legs):
        return None
    paying, traded = assets_of(placed)
    side = side_of(placed)
    verb = "buys" if side is Side.BUY else "sells"
    ways = " or ".join(_way(leg, side, paying, traded) for leg in legs)
    without = f"nothing {verb} {size_of(placed, contract_size)} {ways}"
    if len(legs) > 1:
        return f"{order} is one leg of an OCO, and the other leg may go with it. Without them, {without}."
    what = "a trailing stop" if any(leg.trail is not None for leg in legs) else "a stop"
    return f"{order} is {what}. Without it, {without}."


def _way(leg: Leg, side: Side, paying: str, traded: str) -> str:
    def price(value: Decimal) -> str:
        return f"{grouped(value)} {paying}".rstrip()

    if leg.trail is not None:
        return f"if {traded} turns {'up' if side is Side.BUY else 'down'}"
    if leg.stop is not None:
        return f"if {traded} {'rises' if side is Side.BUY else 'falls'} to {price(leg.stop)}"
    return "at the market price" if leg.limit is None else f"at {price(leg.limit)}"
