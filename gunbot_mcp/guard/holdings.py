"""What one has of the asset that an order spends, for the human who decides. Pure; silent where nothing is known.

Orders about positions are silent, too, unless they open one by buying: a balance says nothing about a position.
"""

from collections.abc import Iterable
from decimal import Decimal

from gunbot_mcp.domain import Cancel, Pair, Purpose, Side, money, side_of
from gunbot_mcp.exchanges import purpose_of
from gunbot_mcp.gunbot.balances import Balance
from gunbot_mcp.tickets.sentences import owns
from gunbot_mcp.tickets.ticket import Ticket


def spent_asset(ticket: Ticket) -> str | None:
    """Return the asset that the order takes from a balance; None where that cannot be said."""
    intent = ticket.order.intent
    pair = Pair.parse(intent.pair)
    if isinstance(intent, Cancel) or pair is None:
        return None
    if side_of(intent) is Side.BUY:
        return pair.paying if owns(intent) or purpose_of(intent) is Purpose.ENTRY else None
    return pair.traded if owns(intent) else None


def have(ticket: Ticket, balances: Iterable[Balance]) -> str | None:
    """Return e.g. `You have 1,234.50 USDT available on binance; at least 1,184.45 USDT after this order.`.

    Where it is less than the order may take, that is said instead.
    """
    asset = spent_asset(ticket)
    found = [one for one in balances if one.exchange == ticket.exchange and one.asset == asset]
    if asset is None or len(found) != 1 or found[0].available is None:
        return None
    available = found[0].available
    said = f"You have {money(available, asset, down=True)} {asset} available on {ticket.exchange}"
    needs = _needs(ticket)
    # What a position binds is a part of its worth, the leverage's; how large a part, nobody here knows.
    if needs is None or not owns(ticket.order.intent):
        return f"{said}."
    if available < needs:
        return f"{said}, less than this order may take."
    buys = ticket.order.trade is not None and side_of(ticket.order.trade) is Side.BUY
    left = money(available - needs, asset, down=True)
    return f"{said}; {'at least ' if buys else ''}{left} {asset} after this order."


def _needs(ticket: Ticket) -> Decimal | None:
    order = ticket.order.trade
    if order is None:
        return None
    return ticket.notional if side_of(order) is Side.BUY else order.amount
