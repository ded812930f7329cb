"""The tools around the seventeen: only what the job needs. One row each, like `endpoints.py`, with its own function."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal

from pydantic import Field, model_validator

from gunbot_mcp.arguments import AnyArgs, Args, Exchange, PairName, TicketId
from gunbot_mcp.domain import Capability, Effect, Pair, decimal_text
from gunbot_mcp.errors import GatewayInvalidResponse
from gunbot_mcp.exchanges import CapabilityMatrix
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.records import OpenOrder
from gunbot_mcp.render import Answer, instant, number, table_answer
from gunbot_mcp.tickets.view import TICKET_OUTPUT, ticket_answer, ticket_view

if TYPE_CHECKING:
    from gunbot_mcp.guard.desk import Desk
    from gunbot_mcp.tickets.ticket import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a companion works with. `desk` opens the guard when it is first needed; `who` asks."""

    gunbot: Gunbot
    matrix: CapabilityMatrix
    desk: Callable[[], Awaitable["Desk"]]
    how_to_approve: Callable[["Ticket"], Awaitable[Mapping[str, Any] | None]]
    who: str = "unknown client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion(Generic[AnyArgs]):
    """One tool around the seventeen; `run` answers it. `for_app`: for the ticket card in the client, not for models."""

    name: str
    args: type[AnyArgs]
    effect: Effect
    output: Mapping[str, Any]
    for_app: bool = False
    run: Callable[[Context, AnyArgs], Awaitable[Answer]]
    about: str

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize()


class NoArgs(Args):
    pass


class QuoteArgs(Args):
    exchange: Exchange
    pair: PairName


class BalancesArgs(Args):
    exchange: Annotated[Exchange | None, Field(description="default all")] = None


class OpenOrdersArgs(Args):
    exchange: Exchange | None = None
    pair: PairName | None = None

    @model_validator(mode="after")
    def _a_pair_is_on_an_exchange(self) -> "OpenOrdersArgs":
        if self.exchange is None and self.pair is not None:
            raise ValueError("pair needs its exchange, too; without both, the orders of all active pairs are listed")
        return self


async def _quote(context: Context, args: QuoteArgs) -> Answer:
    book = await context.gunbot.order_book(f"{args.exchange}/{args.pair}")
    if book.bid is None or book.ask is None:
        raise GatewayInvalidResponse(
            f"there is no price for {args.exchange}/{args.pair}: a side of its book is empty",
            "the pair must be active in Gunbot",
        )
    spread = book.ask - book.bid
    percent = (spread / book.ask * 100).quantize(Decimal("0.0001"))
    assets = Pair.parse(args.pair)
    unit = f" {assets.paying} per {assets.traded}" if assets else ""
    now = instant(datetime.now(UTC))
    return Answer(
        structured={
            "exchange": args.exchange,
            "pair": args.pair,
            "bid": number(book.bid),
            "bid_amount": number(book.bid_amount),
            "ask": number(book.ask),
            "ask_amount": number(book.ask_amount),
            "spread": number(spread),
            "spread_percent": number(percent),
            "at": now,
        },
        text=f"{args.exchange}/{args.pair} at {now}: bid {decimal_text(book.bid)}{_for(book.bid_amount)}, "
        f"ask {decimal_text(book.ask)}{_for(book.ask_amount)}{unit}, "
        f"spread {decimal_text(spread)} ({decimal_text(percent)} %)",
    )


def _for(amount: Decimal | None) -> str:
    return "" if amount is None else f" (amount {decimal_text(amount)})"


async def _balances(context: Context, args: BalancesArgs) -> Answer:
    found = [
        balance
        for balance in await context.gunbot.balances()
        if args.exchange is None or balance.exchange == args.exchange
    ]
    others = list(dict.fromkeys(name for balance in found for name in balance.others))
    rows = [[b.exchange, b.asset, b.available, b.on_order, *map(b.others.get, others)] for b in found]
    where = f" on {args.exchange}" if args.exchange else ""
    noun = "balance" if len(rows) == 1 else "balances"
    columns = ["exchange", "asset", "available", "on_order", *others]
    return table_answer(f"{len(rows)} {noun}{where}", columns, rows)


_OPEN_COLUMNS = ("order_id", "exchange", "pair", "side", "kind", "price", "amount", "order_type")
_NORMALISED = frozenset({"id", "pair", "type", "kind", "rate", "price", "amount", "orderType"})


async def _open_orders(context: Context, args: OpenOrdersArgs) -> Answer:
    if args.exchange is not None and args.pair is not None:
        where = f"on {args.exchange}/{args.pair}"
        found = await context.gunbot.open_orders(args.exchange, args.pair)
        if found is None:
            note = f"Gunbot's memory does not hold {args.exchange}/{args.pair}, so its open orders are not known"
            return table_answer(f"{note}; the pair must be active in Gunbot", _OPEN_COLUMNS, [])
    else:
        every = await context.gunbot.all_open_orders()
        found = [order for order in every if args.exchange in {None, order.exchange}]
        where = f"on all active pairs of {args.exchange}" if args.exchange else "on all active pairs"
    others = list(dict.fromkeys(name for order in found for name in order.raw if name not in _NORMALISED))
    rows = [[*_open_row(order), *(order.raw.get(name) for name in others)] for order in found]
    noun = "order" if len(rows) == 1 else "orders"
    return table_answer(f"{len(rows)} open {noun} {where}, slightly delayed", [*_OPEN_COLUMNS, *others], rows)


def _open_row(order: OpenOrder) -> list[Any]:
    side = order.side.value if order.side else None
    return [order.id, order.exchange, order.pair, side, order.kind, order.price, order.amount, order.order_type]


async def _exchanges(context: Context, args: NoArgs) -> Answer:
    del args
    columns = ["exchange", "spot", "futures", *(capability.value for capability in Capability)]
    rows = [
        [name, spot, futures, *(capability in can for capability in Capability)]
        for name, spot, futures, can in context.matrix.rows()
    ]
    sources = {
        capability.value: {
            name: context.matrix.source(name, capability) for name in context.matrix.exchanges_with(capability)
        }
        for capability in (Capability.STOP_LIMIT, Capability.TRAILING_STOP, Capability.OCO, Capability.CLOSE)
    }
    note = "slots such as binance#2 can do what binance can; a name not listed can do limit, market and cancel"
    documented = "\n".join(
        f"{word} on {name}: {source}" for word, found in sources.items() for name, source in found.items()
    )
    answer = table_answer(f"{len(rows)} exchanges; {note}", columns, rows, {"note": note, "sources": sources})
    return replace(answer, text=f"{answer.text}\n{documented}")


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
    ticket = await (await context.desk()).get(args.ticket_id, look=True)
    return ticket_answer(ticket, approve=await context.how_to_approve(ticket))


async def _list_tickets(context: Context, args: TicketsArgs) -> Answer:
    from gunbot_mcp.guard.desk import OPEN_STATES  # noqa: PLC0415 - the guard is loaded when it is first needed

    desk = await context.desk()
    found = await desk.list(states=OPEN_STATES if args.open_only else None, limit=args.count)
    columns = ["id", "state", "summary", "worst_case", "created_at", "expires_at", "decided_by", "order_id", "reason"]
    views = [ticket_view(ticket) for ticket in found]
    noun = f"{'open ' * args.open_only}ticket{'' if len(found) == 1 else 's'}"
    more = ", perhaps more" if len(found) == args.count else ""
    return table_answer(
        f"{len(found)} {noun}, newest first{more}", columns, [[view[name] for name in columns] for view in views]
    )


async def _withdraw_ticket(context: Context, args: TicketArgs) -> Answer:
    return ticket_answer(await (await context.desk()).withdraw(args.ticket_id, by=context.who))


async def _decide_ticket(context: Context, args: DecideArgs) -> Answer:
    """Take a human's click on the ticket card: proven by the key that only the card was given."""
    desk = await context.desk()
    by = f"ticket card in {context.who}"
    ticket = await desk.check_key(args.ticket_id, args.key)
    if args.decision == "approve":
        return ticket_answer(await desk.approve(ticket.id, by=by))
    return ticket_answer(await desk.decline(ticket.id, by=by))


_NUMBER = {"type": ["number", "null"]}
_TABLE = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": {"type": "array"}},
    },
    "required": ["columns", "rows"],
}
_QUOTE = {
    "type": "object",
    "properties": {
        "exchange": {"type": "string"},
        "pair": {"type": "string"},
        **dict.fromkeys(("bid", "bid_amount", "ask", "ask_amount", "spread", "spread_percent"), _NUMBER),
        "at": {"type": "string"},
    },
    "required": ["exchange", "pair", "bid", "ask", "spread", "at"],
}

COMPANIONS = (
    Companion(
        name="get_quote",
        args=QuoteArgs,
        effect=Effect.READ,
        output=_QUOTE,
        run=_quote,
        about="Best bid, best ask and spread of an active pair.",
    ),
    Companion(
        name="get_balances",
        args=BalancesArgs,
        effect=Effect.READ,
        output=_TABLE,
        run=_balances,
        about="Available and reserved amounts per asset.",
    ),
    Companion(
        name="list_open_orders",
        args=OpenOrdersArgs,
        effect=Effect.READ,
        output=_TABLE,
        run=_open_orders,
        about="Resting orders, with the id, price and type that cancel_order needs.",
    ),
    Companion(
        name="list_exchanges",
        args=NoArgs,
        effect=Effect.READ,
        output=_TABLE,
        run=_exchanges,
        about="Which exchange can do what, and where that is documented.",
    ),
    Companion(
        name="get_ticket",
        args=TicketArgs,
        effect=Effect.READ,
        output=TICKET_OUTPUT,
        run=_get_ticket,
        about="What became of an order; looks for one of unknown fate.",
    ),
    Companion(
        name="list_tickets",
        args=TicketsArgs,
        effect=Effect.READ,
        output=_TABLE,
        run=_list_tickets,
        about="Proposed orders and their states, newest first.",
    ),
    Companion(
        name="withdraw_ticket",
        args=TicketArgs,
        effect=Effect.LOCAL,
        output=TICKET_OUTPUT,
        run=_withdraw_ticket,
        about="Take back an order that nobody has approved yet.",
    ),
    Companion(
        name="decide_ticket",
        args=DecideArgs,
        effect=Effect.ORDER,
        output=TICKET_OUTPUT,
        for_app=True,
        run=_decide_ticket,
        about="For the ticket card only: a human's click, proven by the card's key.",
    ),
)

AnyCompanion = Companion[Any]
BY_NAME: Mapping[str, AnyCompanion] = {companion.name: companion for companion in COMPANIONS}
