"""`get_limits`: every limit and what is left of it, so that nobody has to find out by being refused."""

from gunbot_mcp.domain import Effect
from gunbot_mcp.guard.usage import Line
from gunbot_mcp.limits import EXITS_ARE_WIDER
from gunbot_mcp.render import Answer, instant, table_answer
from gunbot_mcp.tools.market import NoArgs
from gunbot_mcp.tools.tool import TABLE_OUTPUT, Audience, Context, Tool

_ABOUT = (
    "Amounts are worst cases with fees, in the asset that pays. An exit leaves a risk: a close, a sell of a -LONG, a "
    "buy of a -SHORT, a sell where an exchange has spot only; every other order is an entry. Unless the config says "
    f"otherwise, exits have {EXITS_ARE_WIDER} times the entries' caps. An asset that is not named is refused"
)


async def _get_limits(context: Context, args: NoArgs) -> Answer:
    del args
    found = await (await context.desk()).limits()
    columns = ["limit", "for", "asset", "most", "used", "left", "until"]
    return table_answer(f"{len(found)} limits. {_ABOUT}", columns, [_row(line) for line in found])


def _row(line: Line) -> list[object]:
    until = None if line.until is None else instant(line.until)
    return [line.key, line.holds_for, line.asset, line.most, line.used, line.left, until]


# Unannotated like the table of endpoints, and for the same reason.
LIMIT_TOOLS = (
    Tool(
        name="get_limits",
        title="Get limits",
        about="Every limit of orders: how much is used, how much is left, until when; entries and exits apart.",
        args=NoArgs,
        output=TABLE_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_get_limits,
    ),
)
