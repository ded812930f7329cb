"""`chart_orders`: the order history as a picture, a line of blocks, and the numbers."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

import anyio.to_thread
from pydantic import Field, WithJsonSchema

from gunbot_mcp.arguments import Args, Keys, Timezone
from gunbot_mcp.domain import Effect
from gunbot_mcp.gunbot.deadline import seconds_left
from gunbot_mcp.history.coverage import Coverage
from gunbot_mcp.history.covered import Counted, covers_facts, covers_line, notes_line
from gunbot_mcp.history.question import Question, asked_range
from gunbot_mcp.history.reader import Reader
from gunbot_mcp.history.zones import Zone
from gunbot_mcp.render import Answer
from gunbot_mcp.tools.periods import Period, text_schema, unknown_pairs
from gunbot_mcp.tools.tool import TABLE_OUTPUT, Audience, Context, Tool

LONGEST_READ = 20.0
"""Seconds that a call waits for Gunbot's pages; what takes longer goes on in the background."""
_SHARE = 0.6
_SINCE = "30d"


_KINDS = Literal["pnl", "days", "fills", "holdings"]


_Chart = Annotated[
    _KINDS,
    WithJsonSchema(
        {
            "type": "string",
            "description": "pnl: cumulative, with drawdown; days: pnl and volume; fills: on one pair's price",
            "enum": list(get_args(_KINDS)),
            "examples": ["pnl"],
        }
    ),
]
_Since = Annotated[Period, text_schema("date, 7d, last month, all; default 30d", "last month")]
_Until = Annotated[Period, text_schema("date: its whole day", "2026-10-31")]
_Asset = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]+$", max_length=20), text_schema("paying asset; default the most used", "USDT")
]


class ChartArgs(Args):
    chart: _Chart
    keys: Annotated[Keys | None, Field(description="default all known")] = None
    since: _Since | None = None
    until: _Until | None = None
    timezone: Annotated[Timezone | None, Field(description="IANA; default UTC")] = None
    asset: _Asset | None = None


def question_of(args: ChartArgs, now: datetime) -> Question:
    """Return which records these arguments ask for.

    Raises:
        InvalidArguments: the range is empty, or in the future.
    """
    zone = args.timezone or "UTC"
    # Of two ends only the later one given: thirty days back from now may lie after it.
    since = args.since or (_SINCE if args.until is None else "all")
    keys = None if args.keys is None else tuple(dict.fromkeys(args.keys))
    return Question(keys=keys, zone=zone, now=now, asked=asked_range(since, args.until, zone, now))


async def _chart(context: Context, args: ChartArgs) -> Answer:
    from gunbot_mcp.history.charts import picture  # noqa: PLC0415 - tools are listed before charts are needed

    question_of(args, datetime.now(UTC))  # an impossible range is refused before anything is read
    mirror = context.mirror()
    coverage = await mirror.ready(args.keys, within=min(LONGEST_READ, seconds_left() * _SHARE))
    keys = [key.key for key in coverage.keys]
    reader = await anyio.to_thread.run_sync(mirror.reader, keys)
    unknown = await unknown_pairs(context.gunbot, args.keys, coverage)
    work = functools.partial(draw, reader, args, coverage, unknown, pictures=picture.available())
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


def draw(reader: Reader, args: ChartArgs, coverage: Coverage, unknown: list[str], *, pictures: bool) -> Answer:
    """Return the answer over what the mirror holds now. Blocks: run it in a thread.

    Raises:
        InvalidArguments: see `charts.series`.
        HistoryUnavailable: a file of the mirror cannot be read.
    """
    from gunbot_mcp.history import charts  # noqa: PLC0415 - tools are listed before charts are needed

    question = question_of(args, coverage.read_at)
    known = min((key.first_ms for key in coverage.keys if key.first_ms is not None), default=None)
    zone = question.range_from(known)
    scope = charts.Scope(since_ms=zone.since_ms, until_ms=zone.until_ms, zone=zone.name, asset=args.asset)
    with reader.connect() as connection:
        chart = charts.series(charts.Kind(args.chart), connection, scope)
        counted = _counted(
            connection.execute(_COUNTED, [zone.since_ms, zone.until_ms]).fetchone(), zone, question, known
        )
    lines = [covers_line(coverage, counted), notes_line(coverage.notes), *unknown]
    answer = charts.chart_answer(chart, "\n".join(filter(None, lines)), pictures=pictures)
    answer.structured["covers"] = covers_facts(coverage, counted)
    return answer


_COUNTED = "SELECT count(*), min(time_ms), max(time_ms) FROM orders WHERE time_ms >= ? AND time_ms < ?"


def _counted(found: tuple[Any, ...] | None, zone: Zone, question: Question, known: int | None) -> Counted:
    records, first, last = found or (0, None, None)
    since = question.asked[0]
    start = known is not None and (since is None or since <= known)
    return Counted(records=records, first_ms=first, last_ms=last, zone=zone, now=question.now, from_the_start=start)


CHART_OUTPUT: Mapping[str, Any] = {
    **TABLE_OUTPUT,
    "properties": {
        **TABLE_OUTPUT["properties"],
        "covers": {"type": "object"},
        "chart": {"type": "string"},
        "sparkline": {"type": "string"},
        "facts": {"type": "array", "items": {"type": "string"}},
    },
}

# Unannotated like the table of endpoints, and for the same reason.
CHART_TOOLS = (
    Tool(
        name="chart_orders",
        title="Chart orders",
        about="A picture of filled orders with its numbers: pnl and drawdown, days, fills on the price, holdings.",
        args=ChartArgs,
        output=CHART_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_chart,
    ),
)
