"""The tools as MCP clients see them: the inventory's rows in the protocol's types."""

from typing import Any

from mcp import types

from gunbot_mcp.config import Mode
from gunbot_mcp.domain import Effect
from gunbot_mcp.schema import input_schema
from gunbot_mcp.tools.inventory import Access, inventory
from gunbot_mcp.tools.tool import AnyTool, Audience
from gunbot_mcp.web.card import CARD_URI

UI_EXTENSION = "io.modelcontextprotocol/ui"
UI_MIME = "text/html;profile=mcp-app"
CHART_URI = "ui://gunbot-mcp/chart.html"
_VIEWS = {"chart_orders": CHART_URI}
"""Which view in the client shows a read's answer."""


def annotations(effect: Effect, title: str) -> types.ToolAnnotations:
    """Return the hints that follow from an effect: only orders and cancels can destroy, nothing but a read repeats."""
    trades = effect in {Effect.ORDER, Effect.CANCEL}
    return types.ToolAnnotations(
        title=title,
        read_only_hint=effect is Effect.READ,
        destructive_hint=trades,
        idempotent_hint=not trades,
        open_world_hint=effect is not Effect.LOCAL,
    )


def mcp_tool(tool: AnyTool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.about,
        input_schema=input_schema(tool.args),
        output_schema=dict(tool.output),
        annotations=annotations(tool.effect, tool.title),
        _meta=_meta(tool),
    )


def _meta(tool: AnyTool) -> dict[str, Any] | None:
    if tool.audience is Audience.CARD:
        return {"ui": {"visibility": ["app"]}}
    if tool.effect in {Effect.ORDER, Effect.CANCEL}:
        # The answer is shown on the ticket card. Some hosts read only the flat key.
        return {"ui": {"resourceUri": CARD_URI}, "ui/resourceUri": CARD_URI}
    if tool.name in _VIEWS:
        return {"ui": {"resourceUri": _VIEWS[tool.name]}, "ui/resourceUri": _VIEWS[tool.name]}
    return None


def tools(mode: Mode = Mode.APPROVE, *, for_app: bool = False) -> list[types.Tool]:
    """Return the tools that a client of an instance in this mode sees.

    `for_app` adds what the ticket card in the client calls; hosts keep it from their models, but the boundary is the
    card's key, not that.
    """
    return [mcp_tool(tool) for tool in inventory().listed(Access(mode=mode, card=for_app))]
