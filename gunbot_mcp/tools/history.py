"""`analyze_orders`: how the bot's orders did, from the local mirror of Gunbot's order history."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import anyio
import anyio.to_thread
from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from gunbot_mcp.arguments import Args, Keys, Number, Timezone
from gunbot_mcp.domain import Effect
from gunbot_mcp.errors import GatewayError, clean
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.deadline import seconds_left
from gunbot_mcp.hints import Unfit
from gunbot_mcp.history.analysis import Analysis
from gunbot_mcp.history.answer import Told, history_answer
from gunbot_mcp.history.asking import look
from gunbot_mcp.history.coverage import Coverage
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.metrics.names import near_metrics
from gunbot_mcp.history.metrics.table import METRICS
from gunbot_mcp.history.question import GROUPS, Only, Question, asked_range
from gunbot_mcp.history.value import Rate, Valued, valued
from gunbot_mcp.render import Answer
from gunbot_mcp.tools.periods import Period, text_schema, unknown_pairs
from gunbot_mcp.tools.tool import Audience, Context, Tool

LONGEST_READ = 20.0
"""How many seconds one call waits for Gunbot's pages; what takes longer goes on in the background."""
_SHARE = 0.6
_EXCHANGES_ASKED = 5
ALL = "all"


def _metric(name: str) -> str:
    if name in METRICS or name == ALL:
        return name
    near = near_metrics(name)
    advice = f"metrics near {clean(name, 40)!r}: {', '.join(near)}" if near else '["all"] shows every metric'
    raise Unfit(f"has no metric {clean(name, 40)!r}", {"value": near[0] if near else ALL}, advice)


def _sort(name: str) -> str:
    plain = name.removeprefix("-")
    if plain not in METRICS:
        near = near_metrics(plain)
        right = (near[0] if near else "pnl", "-" if name.startswith("-") else "")
        raise Unfit(f"has no metric {clean(plain, 40)!r}", {"value": right[1] + right[0]})
    return name


def _choice(about: str, *values: str) -> WithJsonSchema:
    return WithJsonSchema({"enum": list(values), "type": "string", "description": about})


def _list(about: str, example: str, **items: object) -> WithJsonSchema:
    described = {"description": about} if about else {}
    return WithJsonSchema({"type": "array", **described, "items": {"type": "string", **items}, "examples": [[example]]})


_Since = Annotated[
    Period,
    text_schema("date, ISO time, 7d, 24h, today, last month, ... (a period ends itself)", "last month"),
]
_Until = Annotated[Period, text_schema("date: its whole day; ISO time: exclusive", "today")]
_GroupBy = Annotated[
    list[Literal["hour", "day", "week", "month", "weekday", "pair", "exchange", "side"]],
    Field(min_length=1, max_length=2),
    _list("one or two", "month", enum=list(GROUPS)),
]
_Metrics = Annotated[
    list[Annotated[str, Field(max_length=64), AfterValidator(_metric)]],
    Field(min_length=1, max_length=len(METRICS)),
    _list("e.g. pnl, worst_day, sharpe, held, break_even; all", "win_rate"),
]
_PlacedBy = Annotated[
    str,
    Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u200b-\u202e\u2066-\u2069]+$", max_length=64),
    text_schema("bot, ticket, a ticket id or a client", "ticket"),
]
_Sort = Annotated[
    str,
    Field(max_length=64),
    AfterValidator(_sort),
    text_schema("metric, lowest first; -metric: highest first", "-pnl"),
]
_Asset = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9]+$", max_length=20),
    text_schema("asset to sum all in, at the books' prices now", "USDT"),
]
_Limit = Annotated[
    int,
    Field(ge=1, le=1000),
    WithJsonSchema({"type": "integer", "description": "groups shown", "minimum": 1, "maximum": 1000, "examples": [12]}),
]


class AnalyzeArgs(Args):
    keys: Annotated[Keys | None, Field(description="default all known")] = None
    since: _Since | None = None
    until: _Until | None = None
    timezone: Annotated[Timezone | None, Field(description="IANA; default UTC")] = None
    group_by: _GroupBy | None = None
    metrics: _Metrics | None = None
    side: Annotated[Literal["buy", "sell"] | None, _choice("of the order", "buy", "sell")] = None
    min_price: Annotated[Number | None, Field(description="> 0")] = None
    max_price: Annotated[Number | None, Field(description="> 0")] = None
    min_amount: Annotated[Number | None, Field(description="> 0")] = None
    max_amount: Annotated[Number | None, Field(description="> 0")] = None
    closes_only: Annotated[bool, Field(description="only records that close a position")] = False
    placed_by: _PlacedBy | None = None
    lots: Annotated[
        Literal["recorded", "fifo", "lifo", "hifo", "average"], Field(description="whose pnl: Gunbot's, or by lots")
    ] = "recorded"
    before_fees: Annotated[bool, Field(description="pnl by lots without fees")] = False
    capital: Annotated[Number | None, Field(description="for max_drawdown_pct")] = None
    sort: _Sort | None = None
    limit: _Limit | None = None
    value_in: _Asset | None = None

    @model_validator(mode="after")
    def _ranges(self) -> "AnalyzeArgs":
        for name in ("price", "amount"):
            least, most = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if least is not None and most is not None and least > most:
                raise Unfit(
                    f"min_{name} must not be above max_{name}",
                    {f"min_{name}": _json(most), f"max_{name}": _json(least)},
                )
        if self.before_fees and self.lots == "recorded":
            raise Unfit("before_fees needs lots: how Gunbot counts fees in its pnl is its own", {"lots": "fifo"})
        return self


def _json(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def question_of(args: AnalyzeArgs, now: datetime) -> Question:
    """Return the question that these arguments ask.

    Raises:
        InvalidArguments: the range is empty, or in the future.
    """
    zone = args.timezone or "UTC"
    metrics = tuple(dict.fromkeys(args.metrics or ()))
    return Question(
        keys=None if args.keys is None else tuple(dict.fromkeys(args.keys)),
        zone=zone,
        now=now,
        asked=asked_range(args.since, args.until, zone, now),
        only=Only(
            side=args.side,
            least_price=args.min_price,
            most_price=args.max_price,
            least_amount=args.min_amount,
            most_amount=args.max_amount,
            closes=args.closes_only,
            by=args.placed_by,
        ),
        groups=tuple(dict.fromkeys(args.group_by or ())),
        metrics=tuple(METRICS) if ALL in metrics else metrics,
        method=None if args.lots == "recorded" else Method(args.lots),
        gross=args.before_fees,
        capital=args.capital,
        sort=args.sort,
        limit=args.limit,
    )


async def _analyze(context: Context, args: AnalyzeArgs) -> Answer:
    question_of(args, datetime.now(UTC))  # an impossible range is refused before anything is read
    mirror = context.mirror()
    coverage = await mirror.ready(args.keys, within=min(LONGEST_READ, seconds_left() * _SHARE))
    question = question_of(args, coverage.read_at)
    keys = [key.key for key in coverage.keys]
    reader = await anyio.to_thread.run_sync(mirror.reader, keys)
    work = functools.partial(look, reader, question, mirror.place.path("matched"), context.contracts)
    found, extras = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    told = Told(
        coverage=coverage,
        analysis=found,
        extras=extras,
        valued=None if args.value_in is None else await _valued(context.gunbot, found, coverage, args.value_in),
        unknown=[f"{said}." for said in await unknown_pairs(context.gunbot, args.keys, coverage)],
    )
    return history_answer(told)


async def _valued(gunbot: Gunbot, found: Analysis, coverage: Coverage, asset: str) -> Valued:
    """Return the sums of all assets in one, at the middle of the books of this moment."""
    exchanges = list(dict.fromkeys(key.key.partition("/")[0] for key in coverage.keys if key.records))
    rates: dict[str, Rate] = {}
    for block in found.blocks:
        for exchange in exchanges[:_EXCHANGES_ASKED]:
            if block.asset in {asset, *rates}:
                break
            rate = await _rate(gunbot, exchange, block.asset, asset)
            if rate is not None:
                rates[block.asset] = rate
    return valued(found, asset, rates)


async def _rate(gunbot: Gunbot, exchange: str, asset: str, wanted: str) -> Rate | None:
    """Return what one unit of `asset` is worth, by the pair that pays in the wanted asset, or by its reverse."""
    for pair, upside_down in ((f"{wanted}-{asset}", False), (f"{asset}-{wanted}", True)):
        key = f"{exchange}/{pair}"
        try:
            book = await gunbot.order_book(key)
        except GatewayError:
            continue
        if book.bid and book.ask:
            middle = (book.bid + book.ask) / 2
            return Rate(asset, 1 / middle if upside_down else middle, key, datetime.now(UTC))
    return None


_NUMBERS: Mapping[str, Any] = {"type": "object", "description": "by paying asset, then by metric"}
ANALYSIS_OUTPUT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "covers": {
            "type": "object",
            "properties": {
                "keys": {"type": "integer"},
                "of_keys": {"type": "integer"},
                "records": {"type": "integer"},
                "complete": {"type": "boolean"},
                "read_at": {"type": "string"},
            },
            "required": ["keys", "of_keys", "records", "complete", "read_at"],
        },
        "zone": {"type": "string"},
        "since": {"type": "string"},
        "until": {"type": "string"},
        "pnl_by": {"type": "string"},
        "totals": _NUMBERS,
        "na": {"type": "object", "description": "why a metric has no number"},
        "details": {"type": "object", "description": "when, which record, on how many days"},
        "columns": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": {"type": "array"}},
        "cut": {"type": "object", "description": "there if these are not all rows"},
    },
    "required": ["covers", "zone", "since", "until", "pnl_by", "totals"],
}
"""The schema of `history/answer.py`'s structured form."""

# Unannotated like the table of endpoints, and for the same reason.
HISTORY_TOOLS = (
    Tool(
        name="analyze_orders",
        title="Analyze orders",
        about="How filled orders did: pnl, fees, win rate, drawdown, ratios, open lots; exact, says what it covers.",
        args=AnalyzeArgs,
        output=ANALYSIS_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_analyze,
    ),
)
