"""An order's calls over MCP: a client whose human answers, and what a result says."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import anyio
import pytest
from mcp import Client, types
from mcp.client.context import ClientRequestContext
from mcp.client.session import ElicitationFnT

from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.ticket import Ticket

Era = Literal["legacy", "auto"]

BUY = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}
BOTH_ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])


def answering(
    action: str, content: Mapping[str, Any] | None = None, *, before: Callable[[], None] = lambda: None
) -> ElicitationFnT:
    """A client whose human gives this answer to every form; `{code}` stands for the code in the message."""

    async def answer(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        before()
        code = re.search(r"code: (\d{4})", params.message)
        filled = {name: code[1] if code and value == "{code}" else value for name, value in (content or {}).items()}
        return types.ElicitResult.model_validate({"action": action, "content": filled if content is not None else None})

    return answer


PATIENT = {"wait": 60}
"""The approval setting of calls that a human ends, however slow the machine is."""
APPROVING = answering("accept", {"decision": "approve"})


def status(result: types.CallToolResult) -> str:
    """The result's status, or its error's code."""
    found = result.structured_content
    assert found is not None
    return str(found["error"]["code"] if result.is_error else found["status"])


def ticket_id(result: types.CallToolResult) -> str:
    assert result.structured_content is not None
    return str(result.structured_content["ticket"]["id"])


def text(result: types.CallToolResult) -> str:
    assert len(result.content) == 1
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


async def call(client: Client, tool: str = "buy_limit", **arguments: Any) -> str:  # noqa: ANN401 - any argument
    return status(await client.call_tool(tool, {**BUY, **arguments} if tool == "buy_limit" else arguments))


async def only_ticket(runtime: Runtime) -> Ticket:
    (found,) = await (await runtime.desk()).list()
    return found


async def some_ticket(runtime: Runtime) -> Ticket:
    """Wait until an order has become a ticket."""
    with anyio.fail_after(60):
        found: list[Ticket] = []
        while not found:
            found = await (await runtime.desk()).list()
    return found[0]
