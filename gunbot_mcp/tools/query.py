"""`query_orders`: one SELECT of a model's own over the local mirror, for what no form foresees."""

from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
from pydantic import Field, WithJsonSchema

from gunbot_mcp.arguments import Args, Keys, MaxRows, Timezone
from gunbot_mcp.domain import Effect
from gunbot_mcp.gunbot.deadline import seconds_left
from gunbot_mcp.history.coverage import Coverage
from gunbot_mcp.history.covered import Counted, covers_facts, covers_line, notes_line
from gunbot_mcp.history.sql import MOST_SQL
from gunbot_mcp.history.zones import Zone, millis
from gunbot_mcp.render import Answer, Window, table_answer
from gunbot_mcp.tools.periods import unknown_pairs
from gunbot_mcp.tools.tool import TABLE_OUTPUT, Audience, Context, Tool

if TYPE_CHECKING:
    from gunbot_mcp.history.query import Found

LONGEST_READ = 15.0
"""Seconds that a call waits for Gunbot's pages: the query has its own time after them."""
_SHARE = 0.5
_ROWS = 1_000
"""Rows that are asked of a query unless the caller says: more than fit an answer."""

_Sql = Annotated[
    str,
    Field(min_length=1, max_length=MOST_SQL),
    WithJsonSchema(
        {
            "type": "string",
            "description": "one SELECT, DuckDB's dialect",
            "minLength": 1,
            "maxLength": MOST_SQL,
            "examples": ["SELECT pair, sum(pnl) AS pnl FROM orders WHERE closes GROUP BY ALL"],
        }
    ),
]


class QueryArgs(Args):
    sql: _Sql
    keys: Annotated[Keys | None, Field(description="default all known")] = None
    timezone: Annotated[Timezone | None, Field(description="of dates in it; default UTC")] = None
    max_rows: MaxRows = None


async def _query(context: Context, args: QueryArgs) -> Answer:
    from gunbot_mcp.history.query import SECONDS, Request, ask  # noqa: PLC0415 - tools are listed before it is needed

    mirror, zone = context.mirror(), args.timezone or "UTC"
    coverage = await mirror.ready(args.keys, within=min(LONGEST_READ, seconds_left() * _SHARE))
    keys = [key.key for key in coverage.keys]
    reader = await anyio.to_thread.run_sync(mirror.reader, keys)
    seconds = min(SECONDS, max(1.0, seconds_left() - 1))
    rows = args.max_rows or _ROWS
    found = await ask(Request(sql=args.sql, reader=reader, zone=zone, rows=rows, seconds=seconds))
    unknown = await unknown_pairs(context.gunbot, args.keys, coverage)
    return query_answer(found, coverage, args, unknown)


def query_answer(found: "Found", coverage: Coverage, args: QueryArgs, unknown: list[str]) -> Answer:
    """Return a query's table in both forms, its coverage first; rows are cut like those of other tables."""
    counted = all_counted(coverage, args.timezone or "UTC")
    count = f"{len(found.rows)} {'row' if len(found.rows) == 1 else 'rows'}"
    more = ", and there are more: aggregate, or use LIMIT and OFFSET" if found.more else ""
    lines = [covers_line(coverage, counted), notes_line(coverage.notes), *unknown, f"{count}{more}"]
    return table_answer(
        "\n".join(filter(None, lines)),
        found.columns,
        found.rows,
        {"covers": covers_facts(coverage, counted), **({"more": True} if found.more else {})},
        window=Window(tool="query_orders", asked=args),
    )


def all_counted(coverage: Coverage, zone: str) -> Counted:
    """Return what an answer over all records of its keys is made from."""
    first, last = (
        pick((at for key in coverage.keys if (at := getattr(key, name)) is not None), default=None)
        for pick, name in ((min, "first_ms"), (max, "last_ms"))
    )
    now = coverage.read_at.astimezone(UTC)
    begin = millis(now) if first is None else first
    return Counted(
        records=sum(key.records for key in coverage.keys),
        first_ms=first,
        last_ms=last,
        zone=Zone(zone, begin, max(begin, millis(now)) + 1),
        now=now,
        from_the_start=True,
    )


QUERY_OUTPUT: Mapping[str, Any] = {
    **TABLE_OUTPUT,
    "properties": {**TABLE_OUTPUT["properties"], "covers": {"type": "object"}, "more": {"type": "boolean"}},
}

_ABOUT = (
    "One read-only SELECT over filled orders, for what analyze_orders cannot say. orders: key exchange pair paying "
    "traded hedge id time_ms time side price amount cost fees pnl cost_given closes extra(JSON) fetched_ms; "
    "fills_by_ticket: key id ticket client approved_by approved_at summary. More: gunbot://history/schema."
)

# Unannotated like the table of endpoints, and for the same reason.
QUERY_TOOLS = (
    Tool(
        name="query_orders",
        title="Query orders",
        about=_ABOUT,
        args=QueryArgs,
        output=QUERY_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_query,
    ),
)
