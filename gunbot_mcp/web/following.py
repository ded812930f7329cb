"""What an open page of a ticket asks for every few seconds, until nothing more can become of its order."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio

from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.tickets.outcome import may_change
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.web import view_model
from gunbot_mcp.web.answers import form_word, left_of
from gunbot_mcp.web.frame import Served
from gunbot_mcp.web.ways import Ways

LOOK_SECONDS = 4.0


async def looked(desk: Desk, ticket: Ticket) -> Ticket:
    """Return the ticket after a look at its order, unless that takes too long for somebody who waits for a page."""
    if ticket.state in {State.UNKNOWN, State.ACCEPTED}:
        with anyio.move_on_after(LOOK_SECONDS):
            return await desk.get(ticket.id, look=True)
    return ticket


async def live_facts(desk: Desk, ticket: Ticket, at: Served, ways: Ways, folder: Path) -> dict[str, Any]:
    """Return its state and the seconds left; while it waits the book, and then what became of it."""
    if ticket.state is not State.PENDING:
        ticket = await looked(desk, ticket)
    told: dict[str, Any] = {"state": ticket.state.value, "left": left_of(ticket, desk.clock)}
    if ticket.state is not State.PENDING:
        outcome = asdict(view_model.shown_outcome(at, ticket))
        return {**told, "book": None, "version": None, "outcome": outcome, "follows": may_change(ticket)}
    now = await desk.market(ticket)
    version = form_word(folder, await ways.locked(ticket), now)
    return {**told, "book": {**now.as_dict(), "figure": view_model.figure_now(now, ticket)}, "version": version}
