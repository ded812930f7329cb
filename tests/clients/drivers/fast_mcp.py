"""FastMCP's client, whose human answers its form."""

import asyncio
from typing import Any

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport
from fastmcp.exceptions import ToolError
from story import entry, play, tell


async def human(message: str, response_type: Any, params: Any, context: Any) -> ElicitResult[Any]:
    del response_type, context
    tell("form", text=message, schema=params.requested_schema)
    return ElicitResult(action="accept", content={"decision": "approve"})


async def main() -> None:
    server = entry()
    transport = StdioTransport(command=server.command, args=server.args, env=server.env)
    async with Client(transport, elicitation_handler=human) as client:
        listed = await client.list_tools()

        async def call(tool: str, arguments: dict[str, Any]) -> str:
            try:
                result = await client.call_tool(tool, arguments)
            except ToolError as exc:
                return str(exc)
            return "\n".join(getattr(part, "text", "") for part in result.content)

        nothing = {"repeat_of": "", "fields": None, "max_rows": ""}
        await play("fastmcp", {tool.name: tool.input_schema for tool in listed}, call, left_out=nothing)


asyncio.run(main())
