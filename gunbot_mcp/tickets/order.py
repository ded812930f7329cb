"""The typed order: endpoint, arguments and intent, decoded once when a call or a stored ticket comes in. Pure."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gunbot_mcp.arguments import Args
from gunbot_mcp.domain import Cancel, Close, Intent, Place, side_of
from gunbot_mcp.endpoints import BY_NAME, AnyEndpoint
from gunbot_mcp.errors import Internal
from gunbot_mcp.gunbot.wire import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Order:
    """One order (or cancel), whole. `arguments` is its exact JSON text, as a ticket keeps it."""

    endpoint: AnyEndpoint
    args: Args = field(repr=False)
    intent: Intent
    arguments: str = field(repr=False)

    @classmethod
    def of(cls, endpoint: AnyEndpoint, args: Args) -> "Order":
        """Return the order that a call means.

        Raises:
            Internal: the endpoint only reads.
        """
        if endpoint.intent is None:
            raise Internal(f"{endpoint.name} is a read and has no intent")
        return cls(endpoint, args, endpoint.intent(args), json_text(args.model_dump(exclude_none=True)))

    @classmethod
    def stored(cls, tool: str, arguments: str) -> "Order":
        """Return the order that a ticket keeps, with exactly the digits that were approved.

        Raises:
            ValueError: there is no such tool, or these are not its arguments.
        """
        endpoint = BY_NAME.get(tool)
        if endpoint is None or endpoint.intent is None:
            raise ValueError(f"there is no order tool {tool!r}")
        found: Mapping[str, Any] = json.loads(arguments, parse_float=Decimal, parse_int=Decimal)
        args = endpoint.args.model_validate(found)
        return cls(endpoint, args, endpoint.intent(args), arguments)

    @property
    def tool(self) -> str:
        return self.endpoint.name

    @property
    def key(self) -> str:
        """Return `exchange/pair`."""
        return f"{self.intent.exchange}/{self.intent.pair}"

    @property
    def side(self) -> str:
        """Return buy, sell or cancel."""
        return "cancel" if isinstance(self.intent, Cancel) else side_of(self.intent).value

    @property
    def trade(self) -> Place | Close | None:
        """Return the intent if it is an order that can fill; None for a cancel."""
        return None if isinstance(self.intent, Cancel) else self.intent

    @property
    def repeat_of(self) -> str | None:
        return getattr(self.args, "repeat_of", None)
