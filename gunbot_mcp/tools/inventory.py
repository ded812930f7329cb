"""All tools in one list, endpoints and companions alike, and the one gate in front of them."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gunbot_mcp.approval.forms import Question
from gunbot_mcp.arguments import Args
from gunbot_mcp.domain import Effect
from gunbot_mcp.endpoints import BY_NAME, AnyEndpoint, Result
from gunbot_mcp.errors import GunbotMcpError, UnknownTool, clean
from gunbot_mcp.instance import Mode, require_trading
from gunbot_mcp.render import Answer
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.view import TICKET_OUTPUT
from gunbot_mcp.tools.chart import CHART_TOOLS
from gunbot_mcp.tools.guess import guess
from gunbot_mcp.tools.history import HISTORY_TOOLS
from gunbot_mcp.tools.limits import LIMIT_TOOLS
from gunbot_mcp.tools.market import MARKET_TOOLS
from gunbot_mcp.tools.orders import ORDERS_OUTPUT, keys_of, keys_without_orders, orders_answer
from gunbot_mcp.tools.pairs import PAIR_TOOLS, rightly_named, with_names
from gunbot_mcp.tools.query import QUERY_TOOLS
from gunbot_mcp.tools.tickets import TICKET_TOOLS
from gunbot_mcp.tools.tool import AnyTool, Audience, Context, Tool

_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the gate knows of a caller: the instance's mode, and whether the client's ticket card has buttons."""

    mode: Mode
    card: bool


def gate(tools: Mapping[str, AnyTool], name: str, access: Access) -> AnyTool:
    """Return the tool of that name, if this caller may call it: every step in this order, the first that fails raises.

    1. name      there is such a tool
    2. audience  a tool of the ticket card is there only for a client whose card has buttons
    3. identity  nothing to check: no call proves yet who makes it
    4. scope     nothing to check: what an identity may call is decided here, once there are identities
    5. mode      read-only allows only reads

    A client's list shows exactly the tools that pass here.

    Raises:
        UnknownTool: steps 1 and 2: a tool for somebody else is refused as if it did not exist.
        ReadOnly: step 5.
    """
    tool = tools.get(name)
    if tool is None or (tool.audience is Audience.CARD and not access.card):
        named = (tool for tool in tools.values() if tool.audience is Audience.MODEL)
        raise UnknownTool(f"there is no tool {clean(name, _LONGEST_NAME)!r}", guess(name[:_LONGEST_NAME], named))
    if tool.effect is not Effect.READ:
        require_trading(access.mode)
    return tool


class Inventory:
    """A list of tools, in its order, with the gate in front.

    Raises:
        ValueError: two tools have one name.
    """

    def __init__(self, tools: Iterable[AnyTool]) -> None:
        self._tools: dict[str, AnyTool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ValueError(f"two tools are named {tool.name}")
            self._tools[tool.name] = tool

    def __iter__(self) -> Iterator[AnyTool]:
        return iter(self._tools.values())

    def admit(self, name: str, access: Access) -> AnyTool:
        """Return the tool to call.

        Raises:
            UnknownTool, ReadOnly: see `gate`.
        """
        return gate(self._tools, name, access)

    def listed(self, access: Access) -> list[AnyTool]:
        """Return the tools that this caller may call."""
        return [tool for tool in self if self._passes(tool, access)]

    def _passes(self, tool: AnyTool, access: Access) -> bool:
        try:
            self.admit(tool.name, access)
        except GunbotMcpError:
            return False
        return True


def inventory() -> Inventory:
    """Return the product's tools: one for each row that the table of endpoints has now, then the companions."""
    companions = (*MARKET_TOOLS, *PAIR_TOOLS, *LIMIT_TOOLS, *TICKET_TOOLS, *HISTORY_TOOLS, *QUERY_TOOLS, *CHART_TOOLS)
    return Inventory((*map(endpoint_tool, BY_NAME.values()), *companions))


def endpoint_tool(endpoint: AnyEndpoint) -> AnyTool:
    sent = endpoint.result is Result.SENT
    return Tool(
        name=endpoint.name,
        title=endpoint.title,
        about=endpoint.about,
        args=endpoint.args,
        output=TICKET_OUTPUT if sent else ORDERS_OUTPUT[endpoint.result],
        effect=endpoint.effect,
        audience=Audience.MODEL,
        handler=functools.partial(_propose if sent else _read, endpoint),
        endpoint=endpoint,
    )


async def _read(endpoint: AnyEndpoint, context: Context, args: Args) -> Answer:
    keys = keys_of(args)
    body = await rightly_named(context.gunbot, keys, context.gunbot.read(endpoint, args))
    answer = orders_answer(endpoint, args, body)
    empty = keys_without_orders(endpoint, keys, body)
    return await with_names(context.gunbot, empty, answer) if empty else answer


async def _propose(endpoint: AnyEndpoint, context: Context, args: Args) -> Answer | Question:
    return await context.propose(Order.of(endpoint, args))
