"""What besides tools a client can read: the ticket card, and two prompts for a person to start from."""

from collections.abc import Callable
from typing import Any

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from gunbot_mcp.errors import clean
from gunbot_mcp.history.schema_text import SCHEMA_URI, schema_text
from gunbot_mcp.server.tools import CARD_URI, CHART_URI, UI_MIME

Context = ServerRequestContext[Any, Any]

_PAIR_ARGUMENTS = [
    types.PromptArgument(name="exchange", description="e.g. binance", required=True),
    types.PromptArgument(name="pair", description="e.g. USDT-BTC", required=True),
]
_PROMPTS: dict[str, tuple[types.Prompt, str]] = {
    "prepare_order": (
        types.Prompt(
            name="prepare_order",
            title="Prepare an order",
            description="Look at the market and your balance, then propose one order for you to approve.",
            arguments=_PAIR_ARGUMENTS,
        ),
        """\
Look at get_quote, get_balances and list_open_orders for {pair} on {exchange}. Tell me in three lines what you see. \
Then ask me what I want to do, and propose exactly one order. Do not propose it twice.""",
    ),
    "review_pair": (
        types.Prompt(
            name="review_pair",
            title="Review a pair",
            description="What is open, what filled lately, what it cost.",
            arguments=_PAIR_ARGUMENTS,
        ),
        """\
Look at list_open_orders and the newest page of list_orders_page for {exchange}/{pair}. Say what is open, what filled \
lately at which prices, the fees, and the profit or loss as recorded. Say what you do not know.""",
    ),
}


async def list_resources(ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    del ctx, params
    card = types.Resource(
        uri=CARD_URI,
        name="ticket-card",
        title="Ticket card",
        description="An order and its approval.",
        mime_type=UI_MIME,
    )
    chart = types.Resource(
        uri=CHART_URI, name="chart", title="Chart", description="A chart of the order history.", mime_type=UI_MIME
    )
    schema = types.Resource(
        uri=SCHEMA_URI,
        name="history-schema",
        title="Columns for query_orders",
        description="Tables, columns, rules and two examples for query_orders.",
        mime_type="text/markdown",
    )
    return types.ListResourcesResult(resources=[card, chart, schema])


async def list_resource_templates(
    ctx: Context, params: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    """Return none: there are no resources by parameter, and a server with resources must say so."""
    del ctx, params
    return types.ListResourceTemplatesResult(resource_templates=[])


async def read_resource(ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    del ctx
    uri = str(params.uri)
    if uri not in _READS:
        raise MCPError(types.INVALID_PARAMS, f"there is no resource {clean(uri, 80)}", {"uri": uri})
    mime, read = _READS[uri]
    content = types.TextResourceContents(uri=uri, mime_type=mime, text=read())
    return types.ReadResourceResult(contents=[content])


def _card() -> str:
    from gunbot_mcp.web.card import card_html  # noqa: PLC0415 - read when a client shows cards

    return card_html()


def _chart() -> str:
    from gunbot_mcp.web.chart_view import chart_html  # noqa: PLC0415 - read when a client shows charts

    return chart_html()


_READS: dict[str, tuple[str, Callable[[], str]]] = {
    CARD_URI: (UI_MIME, _card),
    CHART_URI: (UI_MIME, _chart),
    SCHEMA_URI: ("text/markdown", schema_text),
}


async def list_prompts(ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
    del ctx, params
    return types.ListPromptsResult(prompts=[prompt for prompt, _ in _PROMPTS.values()])


async def get_prompt(ctx: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    del ctx
    found = _PROMPTS.get(params.name)
    if found is None:
        raise MCPError(types.INVALID_PARAMS, f"there is no prompt {clean(params.name, 64)!r}")
    prompt, text = found
    given = params.arguments or {}
    missing = [argument.name for argument in prompt.arguments or [] if not given.get(argument.name)]
    if missing:
        raise MCPError(types.INVALID_PARAMS, f"{params.name} needs {', '.join(missing)}")
    filled = text.format(exchange=clean(given["exchange"], 64), pair=clean(given["pair"], 64))
    message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=filled))
    return types.GetPromptResult(description=prompt.description, messages=[message])
