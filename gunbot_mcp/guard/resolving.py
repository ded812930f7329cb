"""A human's word about an order: it settles the ticket, whatever was found by looks, its own or another ticket's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gunbot_mcp.errors import TicketClosed
from gunbot_mcp.guard.following import was_found
from gunbot_mcp.tickets.channels import Proof
from gunbot_mcp.tickets.passkey import Deed, settling
from gunbot_mcp.tickets.ticket import Certainty, Observation, Reason, ReasonCode, State, Ticket

if TYPE_CHECKING:
    from datetime import datetime

    from gunbot_mcp.ledger.transaction import Transaction
    from gunbot_mcp.tickets.channels import Actor
    from gunbot_mcp.tickets.passkey import Touch


def can_be_settled(ticket: Ticket) -> bool:
    """Return whether a human's word about the order can still change something: it is asked for at once, and once."""
    if ticket.state is State.UNKNOWN:
        return True
    by_word = ticket.reason is not None and ticket.reason.code is ReasonCode.HUMAN_PLACED
    return ticket.state is State.ACCEPTED and not by_word and not _is_named(ticket)


async def resolve(
    write: Transaction,
    ticket: Ticket,
    *,
    placed: bool,
    order_id: str | None,
    by: Actor,
    touch: Touch | None,
    at: datetime,
) -> Ticket:
    """Write down what a human says became of an order, and return the ticket as it is then.

    Raises:
        TicketClosed: its fate is known, or a human has settled it or named this order for another ticket already.
        BadTouch: a passkey is said to have decided, and did not.
    """
    named = placed and bool(order_id)
    word = Observation(
        order_ids=(order_id,) if placed and order_id else (),
        where="human",
        state=None if placed else "gone",
        certainty=Certainty.HUMAN,
        seen_at=at,
    )
    reason = Reason(ReasonCode.HUMAN_PLACED if placed else ReasonCode.HUMAN_NOT_PLACED)
    kept = None
    if by.row.proof is Proof.PASSKEY:
        said = settling(ticket, placed=placed, order_id=order_id)
        by = (await write.proven(touch, Deed.RESOLVE, said, live=ticket.live)).actor
        kept = None if touch is None else {"touch": touch.facts(Deed.RESOLVE, said)}
    if placed and order_id:
        await _give_way(write, ticket, order_id, by)
    now = await write.get(ticket.id) or ticket
    moved = None
    if now.state is State.UNKNOWN or (was_found(now) and not placed):
        to, seen = (State.ACCEPTED if placed else State.VOID), (word if named else None)
        moved = await write.move(ticket.id, now.state, to, actor=by, detail=kept, reason=reason, observed=seen)
    elif can_be_settled(now) and (named or not placed):
        # Gunbot's word stays the reason where it gave one.
        because = reason if was_found(now) else None
        moved = await write.observe(ticket.id, word, by, reason=because, detail=kept)
    if moved is None:
        raise TicketClosed(f"ticket {ticket.id} is {now.state.value}, and settled", "there is nothing to resolve")
    return moved


async def _give_way(write: Transaction, ticket: Ticket, order_id: str, by: Actor) -> None:
    """Take the order from another ticket of ours that was matched with it: that one's own is looked for again.

    Raises:
        TicketClosed: a human has named it for that one.
    """
    for other in await write.placed_as(ticket.instance, ticket.exchange, ticket.pair, order_id):
        if other.id == ticket.id or other.cancels:
            continue
        if _is_named(other):
            raise TicketClosed(
                f"a human has named order {order_id} for ticket {other.id}",
                "name another order, or say only that it was placed",
            )
        if was_found(other):
            overruled = Reason(ReasonCode.OVERRULED, {"by": ticket.id})
            await write.move(other.id, State.ACCEPTED, State.UNKNOWN, actor=by, reason=overruled, observed=None)
        else:
            await write.observe(other.id, None, by)


def _is_named(ticket: Ticket) -> bool:
    return ticket.observed is not None and ticket.observed.certainty is Certainty.HUMAN
