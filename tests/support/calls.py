"""An order's calls over MCP: a client whose human answers, and what a result says."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import anyio
import pytest
from mcp import Client, types
from mcp.client.context import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.shared.exceptions import MCPError

from gunbot_mcp.render import ERROR_META
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
    if result.is_error:
        return str(error(result)["code"])
    assert result.structured_content is not None
    return str(result.structured_content["status"])


def error(result: types.CallToolResult) -> Mapping[str, Any]:
    """The facts of an error, which are in `_meta`, and all of which its text says."""
    assert result.is_error
    assert result.structured_content is None
    found: Mapping[str, Any] = (result.meta or {})[ERROR_META]
    hint = f"\nNext: {found['hint']}" if found["hint"] else ""
    assert text(result) == f"{found['code']}: {found['message']}{hint}"
    return found


def ticket_id(result: types.CallToolResult) -> str:
    assert result.structured_content is not None
    return str(result.structured_content["ticket"]["id"])


def text(result: types.CallToolResult) -> str:
    assert len(result.content) == 1
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


async def no_tool(client: Client, tool: str, arguments: dict[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Call what is not there, and return the text and the facts: a protocol error where the protocol asks for one."""
    if client.protocol_version < "2026-07-28":
        result = await client.call_tool(tool, arguments)
        return text(result), error(result)
    with pytest.raises(MCPError) as caught:
        await client.call_tool(tool, arguments)
    assert caught.value.code == types.INVALID_PARAMS
    facts: Any = caught.value.data
    return caught.value.message, facts


async def call(client: Client, tool: str = "buy_limit", **arguments: object) -> str:
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


async def unanswered(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
    """A form that a human looks at and does not answer."""
    del context, params
    await anyio.sleep_forever()
    raise AssertionError
