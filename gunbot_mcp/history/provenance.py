"""Which orders of the history are our own tickets', and who approved them. All others are Gunbot's own."""

from collections.abc import Sequence

from gunbot_mcp.history.reader import Fill
from gunbot_mcp.ledger.ledger import Ledger


async def fills_of(ledger: Ledger, instance: str) -> Sequence[Fill]:
    """Return a row for every order at the exchange that was found, for sure, to be a ticket's; oldest first.

    Raises:
        LedgerUnavailable: the ledger cannot be asked.
    """
    return [
        Fill(
            key=f"{placed.ticket.exchange}/{placed.ticket.pair}",
            id=placed.order_id,
            ticket=placed.ticket.id,
            client=placed.ticket.client,
            approved_by=None if placed.ticket.decided_by is None else str(placed.ticket.decided_by),
            approved_at=placed.approved_at,
            summary=placed.ticket.summary,
        )
        for placed in await ledger.placed(instance)
    ]
