"""Whether a cancel takes risk off. Pure.

Cancelling an entry order that the server can see among the open orders needs no approval: nothing can be spent by it.
Cancelling a stop, a trailing stop, a linked leg, an exit, or an order that cannot be seen may leave a position without
its protection, so a human decides.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from gunbot_mcp.domain import Cancel, Pair, Side
from gunbot_mcp.exchanges import EXCHANGES, base_name
from gunbot_mcp.guard.matching import same
from gunbot_mcp.gunbot.records import OpenOrder
from gunbot_mcp.tickets.ticket import Ticket

REMEMBERED = timedelta(days=30)
"""How long an order that was sent from here may still rest: stops rest for weeks."""
PLAIN = frozenset({"buy_limit", "sell_limit"})


def find(intent: Cancel, open_orders: Sequence[OpenOrder]) -> OpenOrder | None:
    """Return the open order that the cancel names, if it is there exactly once."""
    found = [order for order in open_orders if order.id == intent.order_id and order.pair == intent.pair]
    return found[0] if len(found) == 1 else None


def is_entry(intent: Cancel, seen: OpenOrder | None) -> bool:
    """Return True only for a plain limit order that opens exposure and matches the cancel in every field."""
    if seen is None or not seen.plain or seen.kind != "limit" or seen.order_type != "limit":
        return False
    if intent.order_type != "limit" or seen.price != intent.price:
        return False
    pair, known = Pair.parse(intent.pair), EXCHANGES.get(base_name(intent.exchange))
    hedge = None if pair is None else pair.hedge
    if hedge is None and (known is None or known.futures):
        # Where positions can be short, a buy may be the exit of one.
        return False
    return seen.side is (Side.SELL if hedge == "SHORT" else Side.BUY)


def was_more(seen: OpenOrder, sent: Iterable[Ticket]) -> bool:
    """Return whether the order may be a stop, a trail or a linked leg that went out through here.

    The exchange may show such an order as a plain one; the ledger knows better, by its id or by its amount.
    """
    return any(
        (ticket.observed is not None and seen.id in ticket.observed.order_ids)
        or (seen.amount is not None and same(seen.amount, order.amount))
        for ticket in sent
        if ticket.tool not in PLAIN and (order := ticket.order.trade) is not None
    )
