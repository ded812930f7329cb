"""How a ticket gets into each state of the ledger."""

from support.made import NOON

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.rows import Changes
from gunbot_mcp.tickets.channels import TERMINAL, Actor
from gunbot_mcp.tickets.ticket import Certainty, Observation, State, Ticket

CLIENT = Actor("client", "a client")

ROUTES: dict[State, tuple[State, ...]] = {
    State.PENDING: (),
    State.APPROVED: (State.APPROVED,),
    State.SENDING: (State.APPROVED, State.SENDING),
    State.ACCEPTED: (State.APPROVED, State.SENDING, State.ACCEPTED),
    State.REJECTED: (State.APPROVED, State.SENDING, State.REJECTED),
    State.UNKNOWN: (State.APPROVED, State.SENDING, State.UNKNOWN),
    State.DECLINED: (State.DECLINED,),
    State.EXPIRED: (State.EXPIRED,),
    State.WITHDRAWN: (State.WITHDRAWN,),
    State.VOID: (State.VOID,),
}
"""How a pending ticket gets into each state."""


def seen(order_id: str) -> Observation:
    """An observation of an open order, matched for sure."""
    return Observation(
        order_ids=(order_id,), where="open_orders", state="open", certainty=Certainty.MATCH, seen_at=NOON
    )


def needed(to: State, clock: ManualClock) -> Changes:
    return {"owner": "host:1:0123456789abcdef", "sent_at": clock.now()} if to is State.SENDING else {}


async def put(ledger: Ledger, ticket: Ticket, state: State, clock: ManualClock) -> None:
    """Record the ticket and lead it into a state."""
    async with ledger.write() as write:
        await write.add(ticket, CLIENT)
        now = State.PENDING
        for to in ROUTES[state]:
            assert await write.move(ticket.id, now, to, actor=TERMINAL, **needed(to, clock)) is not None
            now = to
