"""The Python SDK 1.x, whose human answers its form."""

import asyncio
from typing import Any

from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from story import entry, play, tell


async def human(context: Any, params: Any) -> types.ElicitResult:
    del context
    tell("form", text=params.message, schema=params.requestedSchema)
    return types.ElicitResult(action="accept", content={"decision": "approve"})


async def main() -> None:
    server = entry()
    parameters = StdioServerParameters(command=server.command, args=server.args, env=server.env)
    async with (
        stdio_client(parameters) as (read, write),
        ClientSession(read, write, elicitation_callback=human) as session,
    ):
        await session.initialize()
        listed = await session.list_tools()

        async def call(tool: str, arguments: dict[str, Any]) -> str:
            result = await session.call_tool(tool, arguments)
            return "\n".join(part.text for part in result.content if isinstance(part, types.TextContent))

        nothing = {"repeat_of": None, "fields": [], "max_rows": None}
        await play("mcp", {tool.name: tool.inputSchema for tool in listed.tools}, call, left_out=nothing)


asyncio.run(main())
