"""The tools for tickets: look, list, take back; and the card's own, with which a human decides."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from gunbot_mcp.arguments import Args, Skip, TicketId, Timezone
from gunbot_mcp.domain import Effect
from gunbot_mcp.errors import clean
from gunbot_mcp.history.answer import ROOM_BY_DEFAULT
from gunbot_mcp.history.question import EXAMPLES, asked_range, is_period
from gunbot_mcp.history.zones import millis, moment_of
from gunbot_mcp.render import ROOM, Answer, Window, instant, table_answer
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.ticket import OPEN, SPENT
from gunbot_mcp.tickets.view import TICKET_OUTPUT, ticket_view
from gunbot_mcp.tools.tool import TABLE_OUTPUT, Audience, Context, Tool

if TYPE_CHECKING:
    from gunbot_mcp.guard.desk import Desk


def _period(text: str) -> str:
    if not is_period(text):
        raise ValueError(f"is no time that is known here: {EXAMPLES}")
    return text


_Since = Annotated[
    str,
    Field(max_length=40),
    AfterValidator(_period),
    WithJsonSchema({"type": "string", "description": "as in analyze_orders", "examples": ["today"]}),
]
_MOST = 1000


class TicketArgs(Args):
    ticket_id: TicketId


class TicketsArgs(Args):
    open_only: Annotated[bool, Field(description="only those that wait or are being sent")] = False
    count: Annotated[int, Field(ge=1, le=200, description="at most so many")] = 20
    since: _Since | None = None
    timezone: Annotated[Timezone | None, Field(description="IANA; default UTC")] = None
    skip: Skip = 0


class DecideArgs(Args):
    ticket_id: TicketId
    decision: Annotated[Literal["approve", "reject"], Field(description="the human's")]
    key: Annotated[str, Field(min_length=1, max_length=128, repr=False, description="the card's", examples=["key"])]


async def _get_ticket(context: Context, args: TicketArgs) -> Answer:
    return await context.ticket_answer(await (await context.desk()).get(args.ticket_id, look=True))


async def _list_tickets(context: Context, args: TicketsArgs) -> Answer:
    desk = await context.desk()
    if args.since is not None:
        return await _since(desk, args, args.since)
    found = await desk.list(states=OPEN if args.open_only else None, limit=args.skip + args.count)
    columns = ["id", "state", "summary", "worst_case", "created_at", "expires_at", "decided_by", "order_id", "reason"]
    columns.append("order")
    views = [ticket_view(ticket) for ticket in found]
    noun = f"{'open ' * args.open_only}ticket{'' if len(found) == 1 else 's'}"
    more = ", perhaps more" if len(found) == args.skip + args.count else ""
    return table_answer(
        f"{len(found)} {noun}, newest first{more}",
        columns,
        [[view[name] for name in columns] for view in views],
        window=Window(tool="list_tickets", asked=args),
    )


_DECIDED = ("created_at", "id", "summary", "state", "proposed_by", "decided_by", "decided_at", "outcome")


async def _since(desk: "Desk", args: TicketsArgs, since: str) -> Answer:
    """Say what was proposed in a stretch of time, who decided it and when, and what became of it.

    Short, with the newest and the sums of all, unless rows are asked for: a busy day is more than a model has to read.
    """
    zone, now = args.timezone or "UTC", desk.clock.now()
    first, after = asked_range(since, None, zone, now)
    every = await desk.list(states=OPEN if args.open_only else None, limit=_MOST)
    found = [one for one in every if (first or 0) <= millis(one.created_at) < (after or millis(now) + 1)]
    at = await desk.ledger.decided([one.id for one in found])
    rows: list[list[object]] = []
    for one in found:
        decided = at.get(one.id)
        view = {**ticket_view(one), "decided_at": None if decided is None else instant(decided)}
        view["outcome"] = view["order"] or view["reason"]
        rows.append([view[name] for name in _DECIDED])
    sent = sum(one.state in SPENT for one in found)
    states = Counter(one.state for one in found)
    by_state = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    noun = f"{'open ' * args.open_only}ticket{'' if len(found) == 1 else 's'}"
    from_ms = "" if first is None else f" ({instant(moment_of(first))})"
    older = len(every) == _MOST and millis(every[-1].created_at) >= (first or 0)
    headline = (
        f"{len(found)} {noun}{' and perhaps more' * older} since {clean(since, 40)}{from_ms}, {sent} sent to Gunbot"
        f"{f' ({by_state})' if found else ''}; newest first. All other orders are Gunbot's own"
    )
    asked_for_rows = {"count", "skip"} & args.model_fields_set
    room = ROOM if asked_for_rows else ROOM_BY_DEFAULT
    window = Window(tool="list_tickets", asked=args, by_default=room, count=args.count)
    return table_answer(headline, _DECIDED, rows, window=window)


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
        about="Proposed orders and their states, newest first; with since: also who decided, and when.",
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
