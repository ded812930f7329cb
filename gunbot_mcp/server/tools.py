"""The tools as MCP clients see them, derived from the tables."""

from collections.abc import Mapping
from typing import Any

from mcp import types

from gunbot_mcp import companions
from gunbot_mcp.config import Mode
from gunbot_mcp.domain import Effect
from gunbot_mcp.endpoints import ENDPOINTS, AnyEndpoint, Result
from gunbot_mcp.schema import input_schema
from gunbot_mcp.tickets.view import TICKET_OUTPUT

UI_EXTENSION = "io.modelcontextprotocol/ui"
UI_MIME = "text/html;profile=mcp-app"
CARD_URI = "ui://gunbot-mcp/ticket.html"

_ROWS: Mapping[str, Any] = {
    "columns": {"type": "array", "items": {"type": "string"}},
    "rows": {"type": "array", "items": {"type": "array"}},
    "covers": {"type": "object"},
}
_COUNT: Mapping[str, Any] = {"type": ["integer", "number", "null"]}
_LIST: Mapping[str, Any] = {"type": "array"}

OUTPUTS: Mapping[Result, Mapping[str, Any]] = {
    Result.SENT: TICKET_OUTPUT,
    Result.ORDERS: {"type": "object", "properties": _ROWS, "required": ["columns", "rows"]},
    Result.DAYS: {"type": "object", "properties": {"days": _LIST, "orders": _LIST, "closeOrders": _LIST}},
    Result.PAGE: {
        "type": "object",
        "properties": {**_ROWS, "total": _COUNT, "totalCount": _COUNT, "page": _COUNT},
        "required": ["columns", "rows"],
    },
}


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


def endpoint_tool(endpoint: AnyEndpoint) -> types.Tool:
    return types.Tool(
        name=endpoint.name,
        title=endpoint.title,
        description=endpoint.about,
        input_schema=input_schema(endpoint.args),
        output_schema=dict(OUTPUTS[endpoint.result]),
        annotations=annotations(endpoint.effect, endpoint.title),
        _meta=None if endpoint.effect is Effect.READ else _card_meta(),
    )


def companion_tool(companion: companions.AnyCompanion) -> types.Tool:
    return types.Tool(
        name=companion.name,
        title=companion.title,
        description=companion.about,
        input_schema=input_schema(companion.args),
        output_schema=dict(companion.output),
        annotations=annotations(companion.effect, companion.title),
        _meta={"ui": {"visibility": ["app"]}} if companion.for_app else None,
    )


def _card_meta() -> dict[str, Any]:
    # Some hosts read only the flat key.
    return {"ui": {"resourceUri": CARD_URI}, "ui/resourceUri": CARD_URI}


def tools(mode: Mode = Mode.APPROVE, *, for_app: bool = False) -> list[types.Tool]:
    """Return the tools of an instance: in read-only mode those that trade are not there.

    `for_app` adds what the ticket card in the client calls; hosts keep it from their models, but the boundary is the
    card's key, not that.
    """
    rows = [(endpoint.effect, endpoint_tool(endpoint)) for endpoint in ENDPOINTS]
    rows += [(row.effect, companion_tool(row)) for row in companions.COMPANIONS if for_app or not row.for_app]
    return [tool for effect, tool in rows if mode is not Mode.READ_ONLY or effect is Effect.READ]
