"""The reads around the seventeen: quotes, balances, open orders, and what each exchange can do."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, model_validator

from gunbot_mcp.arguments import Args, Exchange, MaxRows, PairName, Skip
from gunbot_mcp.domain import Capability, Effect, Pair, decimal_text
from gunbot_mcp.errors import GatewayInvalidResponse, clean
from gunbot_mcp.exchanges import EXCHANGES
from gunbot_mcp.gunbot.ids import exact
from gunbot_mcp.gunbot.records import OpenOrder
from gunbot_mcp.hints import Unfit
from gunbot_mcp.render import Answer, Window, instant, number, table_answer
from gunbot_mcp.tools.pairs import rightly_named
from gunbot_mcp.tools.tool import TABLE_OUTPUT, Audience, Context, Tool


class NoArgs(Args):
    pass


class QuoteArgs(Args):
    exchange: Exchange
    pair: PairName


class BalancesArgs(Args):
    exchange: Annotated[Exchange | None, Field(description="default all")] = None
    skip: Skip = 0


class OpenOrdersArgs(Args):
    exchange: Annotated[Exchange | None, Field(description="default all")] = None
    pair: Annotated[PairName | None, Field(description="default all active ones")] = None
    max_rows: MaxRows = None
    skip: Skip = 0

    @model_validator(mode="after")
    def _a_pair_is_on_an_exchange(self) -> "OpenOrdersArgs":
        if self.exchange is None and self.pair is not None:
            raise Unfit(
                "pair needs its exchange, too; without both, the orders of all active pairs are listed",
                {"exchange": "binance"},
            )
        return self


async def _quote(context: Context, args: QuoteArgs) -> Answer:
    key = f"{args.exchange}/{args.pair}"
    book = await rightly_named(context.gunbot, [key], context.gunbot.order_book(key))
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
    window = Window(tool="get_balances", asked=args)
    return table_answer(f"{len(rows)} {noun}{where}", columns, rows, window=window)


_OPEN_COLUMNS = ("order_id", "exchange", "pair", "side", "kind", "price", "amount", "order_type")


async def _open_orders(context: Context, args: OpenOrdersArgs) -> Answer:
    if args.exchange is not None and args.pair is not None:
        where = f"on {args.exchange}/{args.pair}"
        found = await context.gunbot.open_orders(args.exchange, args.pair)
        if found is None:
            note = f"Gunbot's memory does not hold {args.exchange}/{args.pair}, so its open orders are not known"
            return table_answer(f"{note}; the pair must be active in Gunbot", _OPEN_COLUMNS, [])
        unknown, unreadable = list[str](), list[str]()
    else:
        every = await context.gunbot.all_open_orders()
        found = [order for order in every.orders if args.exchange in {None, order.exchange}]
        where = f"on all active pairs of {args.exchange}" if args.exchange else "on all active pairs"
        unknown, unreadable = (
            [key for key in keys if args.exchange in {None, key.partition("/")[0]}]
            for keys in (every.unknown, every.unreadable)
        )
    # Every field of every record, except where our own columns say the same of all of them.
    others = list(dict.fromkeys(name for order in found for name in order.raw if not order.says(name)))
    rows = [[*_open_row(order), *(exact(name, order.raw.get(name)) for name in others)] for order in found]
    noun = "order" if len(rows) == 1 else "orders"
    headline = f"{len(rows)} open {noun} {where}, slightly delayed"
    headline += _missing("not known yet", unknown) + _missing("not readable, or not all of them", unreadable)
    extra = {"not_known": unknown, "not_readable": unreadable} if unknown or unreadable else None
    window = Window(tool="list_open_orders", asked=args)
    return table_answer(headline, [*_OPEN_COLUMNS, *map(_column, others)], rows, extra, window=window)


def _missing(what: str, keys: Sequence[str]) -> str:
    return f"; {what}: {', '.join(clean(key, 64) for key in keys)}" if keys else ""


def _column(name: str) -> str:
    """Return the name of one more column; one that we use ourselves says that this is the record's own."""
    return f"gunbot_{name}" if name in _OPEN_COLUMNS else name


def _open_row(order: OpenOrder) -> list[Any]:
    side = order.side.value if order.side else None
    given = (order.id or None, order.exchange, order.pair, side, order.stated_kind)
    return [*given, order.price, order.amount, order.order_type]


def _futures_amounts(name: str) -> str | None:
    """Return what amounts count on an exchange's futures: asset, contracts, unknown; None where it has none."""
    known = EXCHANGES.get(name)
    return known.on_futures[0].value if known is not None and known.futures else None


async def _exchanges(context: Context, args: NoArgs) -> Answer:
    del args
    columns = ["exchange", "spot", "futures", *(capability.value for capability in Capability), "futures_amounts"]
    rows = [
        [name, spot, futures, *(capability in can for capability in Capability), _futures_amounts(name)]
        for name, spot, futures, can in context.matrix.rows()
    ]
    sources = {
        capability.value: {
            name: context.matrix.source(name, capability) for name in context.matrix.exchanges_with(capability)
        }
        for capability in (Capability.STOP_LIMIT, Capability.TRAILING_STOP, Capability.OCO, Capability.CLOSE)
    }
    note = (
        "slots such as binance#2 can do what binance can; a name not listed can do limit, market and cancel; "
        "amounts count the asset on spot, and on futures what futures_amounts says"
    )
    documented = "\n".join(
        f"{word} on {name}: {source}" for word, found in sources.items() for name, source in found.items()
    )
    answer = table_answer(f"{len(rows)} exchanges; {note}", columns, rows, {"note": note, "sources": sources})
    return replace(answer, text=f"{answer.text}\n{documented}")


# Text where a double cannot hold the digits.
_NUMBER = {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]}
_QUOTE_OUTPUT = {
    "type": "object",
    "properties": {
        "exchange": {"type": "string"},
        "pair": {"type": "string"},
        **dict.fromkeys(("bid", "bid_amount", "ask", "ask_amount", "spread", "spread_percent"), _NUMBER),
        "at": {"type": "string"},
    },
    "required": ["exchange", "pair", "bid", "ask", "spread", "at"],
}

# Unannotated like the table of endpoints, and for the same reason.
MARKET_TOOLS = (
    Tool(
        name="get_quote",
        title="Get quote",
        about="Best bid, best ask and spread of an active pair.",
        args=QuoteArgs,
        output=_QUOTE_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_quote,
    ),
    Tool(
        name="get_balances",
        title="Get balances",
        about="Available and reserved amounts per asset.",
        args=BalancesArgs,
        output=TABLE_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_balances,
    ),
    Tool(
        name="list_open_orders",
        title="List open orders",
        about="Resting orders, with the id, price and type that cancel_order needs.",
        args=OpenOrdersArgs,
        output=TABLE_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_open_orders,
    ),
    Tool(
        name="list_exchanges",
        title="List exchanges",
        about="Which exchange can do what, and where that is documented.",
        args=NoArgs,
        output=TABLE_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_exchanges,
    ),
)
