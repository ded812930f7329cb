"""`gunbot-mcp tickets | approve | reject | resolve`: a human's decisions, in a terminal."""

from datetime import datetime

import click

from gunbot_mcp.cli.human import at_terminal, require_terminal, with_desk
from gunbot_mcp.cli.listings import as_json_option, show_tickets
from gunbot_mcp.cli.screen import say
from gunbot_mcp.cli.touch import proven
from gunbot_mcp.config import Settings, load
from gunbot_mcp.errors import TicketClosed
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.resolving import can_be_settled
from gunbot_mcp.tickets.channels import TERMINAL, Actor
from gunbot_mcp.tickets.passkey import Deed, settling
from gunbot_mcp.tickets.seen import candidate_line
from gunbot_mcp.tickets.sentences import buttons_of
from gunbot_mcp.tickets.ticket import OPEN, Observation, State, Ticket
from gunbot_mcp.tickets.view import human_text, kind_of, seconds_left

_instance = click.option("--instance", help="The instance to use, where the config has several.")


@click.command()
@click.option("--all", "everything", is_flag=True, help="Closed tickets, too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@as_json_option
@_instance
def tickets(everything: bool, limit: int, instance: str | None, *, as_json: bool) -> None:
    """List orders that wait for a decision, newest first."""
    settings = load(instance=instance)
    states = None if everything else OPEN | {State.UNKNOWN}
    found, now = with_desk(settings, lambda desk: _list(desk, states, limit))
    show_tickets(found, now, empty="no tickets" if everything else "nothing waits for a decision", as_json=as_json)


async def _list(desk: Desk, states: frozenset[State] | None, limit: int) -> tuple[list[Ticket], datetime]:
    return await desk.list(states=states, limit=limit), desk.clock.now()


@click.command()
@click.argument("ticket_id", metavar="ID")
@_instance
def approve(ticket_id: str, instance: str | None) -> int:
    """Approve ticket ID: the order is sent at once."""
    require_terminal("approving")
    settings = load(instance=instance)
    ticket = with_desk(settings, lambda desk: _approve(settings, desk, ticket_id))
    return _report(ticket)


async def _approve(settings: Settings, desk: Desk, ticket_id: str) -> Ticket:
    ticket = await desk.get(ticket_id)
    if ticket.state is not State.PENDING:
        raise TicketClosed(f"ticket {ticket.id} is already {ticket.state.value}", "gunbot-mcp tickets --all shows it")
    await _show(ticket, desk)
    does, kind = buttons_of(ticket).approve, kind_of(ticket)
    asked = f"{does}?" if ticket.cancels else f"Send this {kind} order now?"
    lines = (f"{does}: {ticket.summary}", f"{kind} instance {ticket.instance}, ticket {ticket.id}")
    by, touch = await proven(settings, desk, Deed.APPROVE, ticket.content, lines, ticket=ticket.id)
    if touch is None and not click.confirm(asked, default=False):
        raise click.Abort
    return await desk.approve(ticket.id, by=by, touch=touch)


@click.command()
@click.argument("ticket_id", metavar="ID")
@_instance
def reject(ticket_id: str, instance: str | None) -> int:
    """Decline ticket ID: nothing is sent."""
    settings = load(instance=instance)
    # Anybody may decline an order; the record says "a human at a terminal" only where one sits there.
    by = TERMINAL if at_terminal() else Actor("command")
    ticket = with_desk(settings, lambda desk: desk.decline(ticket_id, by=by))
    say(human_text(ticket))
    return 0


@click.command()
@click.argument("ticket_id", metavar="ID")
@click.option("--placed/--not-placed", "placed", default=None, help="What you found at the exchange.")
@click.option("--order-id", help="The order's id at the exchange, with --placed.")
@_instance
def resolve(ticket_id: str, placed: bool | None, order_id: str | None, instance: str | None) -> int:
    """Settle ticket ID: look for its order, or say what you found.

    Your word counts more than what was found.
    """
    settings = load(instance=instance)
    if placed is None:
        ticket, candidates = with_desk(settings, lambda desk: _look(desk, ticket_id))
        say(human_text(ticket))
        for order in candidates:
            say(candidate_line(order))
        if can_be_settled(ticket):
            say("Look at the exchange, then say --placed [--order-id X] or --not-placed.")
        return 0 if ticket.state is not State.UNKNOWN else 1
    require_terminal("settling a ticket by your word")
    ticket = with_desk(settings, lambda desk: _resolve(settings, desk, ticket_id, placed=placed, order_id=order_id))
    say(human_text(ticket))
    return 0


async def _look(desk: Desk, ticket_id: str) -> tuple[Ticket, list[Observation]]:
    ticket = await desk.get(ticket_id, look=True)
    sure = ticket.observed is not None and ticket.observed.sure
    return ticket, await desk.candidates(ticket) if can_be_settled(ticket) and not sure else []


async def _resolve(settings: Settings, desk: Desk, ticket_id: str, *, placed: bool, order_id: str | None) -> Ticket:
    ticket = await desk.get(ticket_id)
    if not can_be_settled(ticket):
        raise TicketClosed(f"ticket {ticket.id} is {ticket.state.value}, and settled", "there is nothing to resolve")
    await _show(ticket, desk)
    for one in await desk.placed(ticket.exchange, ticket.pair, [order_id] if order_id else []):
        if one.ticket.id != ticket.id and can_be_settled(one.ticket):
            say(
                f"Order {order_id} counts as that of ticket {one.ticket.id}; by your word it no longer does, and that "
                f"one's own is looked for.",
                fg="yellow",
            )
    word = "it was placed" if placed else "it was not placed"
    lines = (f"Settle by your word: {word}", ticket.summary, f"its order: {order_id or 'no id given'}")
    said = settling(ticket, placed=placed, order_id=order_id)
    by, touch = await proven(settings, desk, Deed.RESOLVE, said, lines, ticket=ticket.id)
    return await desk.resolve(ticket.id, placed=placed, order_id=order_id, by=by, touch=touch)


async def _show(ticket: Ticket, desk: Desk) -> None:
    say(f"{kind_of(ticket)} instance {ticket.instance}, ticket {ticket.id}")
    say(ticket.summary, bold=True)
    market = await desk.market(ticket, balances=ticket.state is State.PENDING)
    if market.have is not None:
        say(market.have)
    say(market.note or f"The book at {market.at}: bid {market.bid}, ask {market.ask}")
    for what, where in market.distances:
        say(f"{what}: {where}")
    for warning in ticket.warnings:
        say(f"Warning: {warning}", fg="yellow")
    left = f"; {seconds_left(ticket, desk.clock.now())} s left" if ticket.state is State.PENDING else ""
    say(f'Proposed by "{ticket.client}"{left}')


def _report(ticket: Ticket) -> int:
    say(human_text(ticket))
    return 0 if ticket.state is State.ACCEPTED else 1
