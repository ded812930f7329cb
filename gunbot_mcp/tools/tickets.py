"""The tools for tickets: look, list, take back; and the card's own, with which a human decides."""

from typing import Annotated, Literal

from pydantic import Field

from gunbot_mcp.arguments import Args, TicketId
from gunbot_mcp.domain import Effect
from gunbot_mcp.render import Answer, table_answer
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.ticket import OPEN
from gunbot_mcp.tickets.view import TICKET_OUTPUT, ticket_view
from gunbot_mcp.tools.tool import TABLE_OUTPUT, Audience, Context, Tool


class TicketArgs(Args):
    ticket_id: TicketId


class TicketsArgs(Args):
    open_only: bool = False
    count: Annotated[int, Field(ge=1, le=200)] = 20


class DecideArgs(Args):
    ticket_id: TicketId
    decision: Literal["approve", "reject"]
    key: Annotated[str, Field(min_length=1, max_length=128, repr=False)]


async def _get_ticket(context: Context, args: TicketArgs) -> Answer:
    return await context.ticket_answer(await (await context.desk()).get(args.ticket_id, look=True))


async def _list_tickets(context: Context, args: TicketsArgs) -> Answer:
    desk = await context.desk()
    found = await desk.list(states=OPEN if args.open_only else None, limit=args.count)
    columns = ["id", "state", "summary", "worst_case", "created_at", "expires_at", "decided_by", "order_id", "reason"]
    columns.append("order")
    views = [ticket_view(ticket) for ticket in found]
    noun = f"{'open ' * args.open_only}ticket{'' if len(found) == 1 else 's'}"
    more = ", perhaps more" if len(found) == args.count else ""
    return table_answer(
        f"{len(found)} {noun}, newest first{more}", columns, [[view[name] for name in columns] for view in views]
    )


async def _withdraw_ticket(context: Context, args: TicketArgs) -> Answer:
    return await context.ticket_answer(
        await (await context.desk()).withdraw(args.ticket_id, by=Actor("client", context.who))
    )


async def _decide_ticket(context: Context, args: DecideArgs) -> Answer:
    """Take a human's click on the ticket card: proven by the key that only the card was given."""
    desk = await context.desk()
    by = Actor("card", context.who)
    ticket = await desk.check_key(args.ticket_id, args.key)
    decide = desk.approve if args.decision == "approve" else desk.decline
    return await context.ticket_answer(await decide(ticket.id, by=by))


# Unannotated like the table of endpoints, and for the same reason.
TICKET_TOOLS = (
    Tool(
        name="get_ticket",
        title="Get ticket",
        about="What became of an order; looks for one of unknown fate.",
        args=TicketArgs,
        output=TICKET_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_get_ticket,
    ),
    Tool(
        name="list_tickets",
        title="List tickets",
        about="Proposed orders and their states, newest first.",
        args=TicketsArgs,
        output=TABLE_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_list_tickets,
    ),
    Tool(
        name="withdraw_ticket",
        title="Withdraw ticket",
        about="Take back an order that nobody has approved yet.",
        args=TicketArgs,
        output=TICKET_OUTPUT,
        effect=Effect.LOCAL,
        audience=Audience.MODEL,
        handler=_withdraw_ticket,
    ),
    Tool(
        name="decide_ticket",
        title="Decide ticket",
        about="For the ticket card only: a human's click, proven by the card's key.",
        args=DecideArgs,
        output=TICKET_OUTPUT,
        effect=Effect.ORDER,
        audience=Audience.CARD,
        handler=_decide_ticket,
    ),
)
