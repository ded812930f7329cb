"""What one gets for what an order sells, in the asset that pays, fees taken off. Pure.

This is for people; limits count `notional`, which is never less. A limit is a floor: nothing fills below it. What fills
at the market gets about the best bid, and less by as much as it slips. Of several legs the worst one counts, since
nobody knows which of them fills.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext

from gunbot_mcp.config import Limits
from gunbot_mcp.domain import EXACT, Cancel, Intent, Leg, Pair, Side, legs_of, side_of, to_decimal
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.content import seen_book
from gunbot_mcp.tickets.ticket import Ticket

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What an exchange takes and the market may move, in percent: the user's settings when the order was proposed."""

    fee_percent: Decimal
    slippage_percent: Decimal

    @classmethod
    def of(cls, limits: Limits) -> "Costs":
        return cls(fee_percent=limits.fee_percent, slippage_percent=limits.slippage_percent)

    def as_texts(self) -> dict[str, str]:
        return {"fee_percent": str(self.fee_percent), "slippage_percent": str(self.slippage_percent)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proceeds:
    """Amounts of `asset`; None where nobody can say. `costs` None: fees are not taken off, since they are not known."""

    asset: str
    about: Decimal | None
    least: Decimal | None
    costs: Costs | None


def proceeds(
    intent: Intent, book: Book | None, costs: Costs | None, *, contract_size: Decimal | None = None
) -> Proceeds | None:
    """Return what one gets; None for a buy or a cancel, and where nothing can be said.

    `contract_size` is how much of the traded asset one contract holds, where amounts count contracts.
    """
    if isinstance(intent, Cancel) or side_of(intent) is Side.BUY:
        return None
    pair = Pair.parse(intent.pair)
    if pair is None:
        return None
    legs = legs_of(intent)
    with localcontext(EXACT):
        fee = Decimal(0) if costs is None else costs.fee_percent
        each = intent.amount * (contract_size or Decimal(1)) * max(Decimal(0), 1 - fee / _HUNDRED)
        if legs == (Leg(),):
            if book is None or book.bid is None or costs is None:
                return None
            kept = max(Decimal(0), 1 - costs.slippage_percent / _HUNDRED)
            return Proceeds(asset=pair.paying, about=each * book.bid, least=each * book.bid * kept, costs=costs)
        floors = [leg.limit for leg in legs]
        worst = min((floor for floor in floors if floor is not None), default=None)
        least = None if worst is None or None in floors else each * worst
    return Proceeds(asset=pair.paying, about=None, least=least, costs=costs)


def proceeds_of(ticket: Ticket) -> Proceeds | None:
    """Return what a ticket's order gets, by the book and the costs that it was proposed with."""
    return proceeds(ticket.order.intent, seen_book(ticket), costs_of(ticket), contract_size=ticket.contract_size)


def costs_of(ticket: Ticket) -> Costs | None:
    """Return the costs that the ticket keeps beside its book; None where there was no book, or none was kept."""
    quote = ticket.quote or {}
    fee, slippage = to_decimal(quote.get("fee_percent")), to_decimal(quote.get("slippage_percent"))
    return None if fee is None or slippage is None else Costs(fee_percent=fee, slippage_percent=slippage)
