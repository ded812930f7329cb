"""The row that describes a tool, and what its handler works with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic

from gunbot_mcp.approval.forms import Question
from gunbot_mcp.arguments import AnyArgs
from gunbot_mcp.domain import Effect
from gunbot_mcp.endpoints import AnyEndpoint
from gunbot_mcp.exchanges import CapabilityMatrix
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.render import Answer

if TYPE_CHECKING:
    from gunbot_mcp.guard.desk import Desk
    from gunbot_mcp.history.mirror import Mirror
    from gunbot_mcp.tickets.order import Order
    from gunbot_mcp.tickets.ticket import Ticket


class Audience(StrEnum):
    """Who sees a tool."""

    MODEL = "model"
    CARD = "card"  # the ticket card in a client calls it; clients keep it from their models


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a handler works with in one call. `who` is the client's name, for the records.

    `desk` opens the guard when it is first needed. `propose` takes an order through all its steps;
    `ticket_answer` says what became of a ticket, and how a human can decide it. `mirror` gives the mirror of the order
    history. `opened` gives the desk where it is open already. `contracts` are the sizes that the
    user gave.
    """

    who: str
    gunbot: Gunbot
    matrix: CapabilityMatrix
    desk: Callable[[], Awaitable["Desk"]]
    propose: Callable[["Order"], Awaitable[Answer | Question]]
    ticket_answer: Callable[["Ticket"], Awaitable[Answer]]
    mirror: Callable[[], "Mirror"]
    opened: Callable[[], "Desk | None"] = lambda: None
    contracts: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Generic[AnyArgs]):
    """One tool. `effect` and `audience` decide who may call it, so neither has a default.

    `about` is what models read; `output` is the JSON Schema of the structured answer; `handler` answers a call that
    the gate let through, with its arguments parsed. `endpoint` is the table's row, where the tool was made from one.
    """

    name: str
    title: str
    about: str
    args: type[AnyArgs]
    output: Mapping[str, Any]
    effect: Effect
    audience: Audience
    handler: Callable[[Context, AnyArgs], Awaitable[Answer | Question]]
    endpoint: AnyEndpoint | None = None


AnyTool = Tool[Any]

TABLE_OUTPUT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": {"type": "array"}},
        "cut": {"type": "object", "description": "there if these are not all rows"},
    },
    "required": ["columns", "rows"],
}
"""The schema of `render.table_answer`."""
