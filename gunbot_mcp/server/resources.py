"""What besides tools a client can read: the ticket card, and two prompts for a person to start from."""

from typing import Any

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from gunbot_mcp.errors import clean
from gunbot_mcp.server.tools import CARD_URI, UI_MIME

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
    return types.ListResourcesResult(resources=[card])


async def list_resource_templates(
    ctx: Context, params: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    """Return none: there are no resources by parameter, and a server with resources must say so."""
    del ctx, params
    return types.ListResourceTemplatesResult(resource_templates=[])


async def read_resource(ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    del ctx
    if str(params.uri) != CARD_URI:
        raise MCPError(types.INVALID_PARAMS, f"there is no resource {clean(params.uri, 80)}", {"uri": str(params.uri)})
    from gunbot_mcp.web.card import card_html  # noqa: PLC0415 - read when a client shows cards

    content = types.TextResourceContents(uri=CARD_URI, mime_type=UI_MIME, text=card_html())
    return types.ReadResourceResult(contents=[content])


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
