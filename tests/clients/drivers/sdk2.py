"""The Python SDK 2.x in either protocol generation, whose human answers its form: `sdk2.py legacy|auto`."""

import asyncio
import sys
from typing import Any

from mcp import Client, StdioServerParameters, types
from story import entry, play, tell


async def human(context: Any, params: Any) -> types.ElicitResult:
    del context
    tell("form", text=params.message, schema=params.requested_schema)
    return types.ElicitResult(action="accept", content={"decision": "approve"})


async def main() -> None:
    server = entry()
    parameters = StdioServerParameters(command=server.command, args=server.args, env=server.env)
    async with Client(parameters, mode=sys.argv[1], elicitation_callback=human) as client:
        listed = await client.list_tools()

        async def call(tool: str, arguments: dict[str, Any]) -> str:
            result = await client.call_tool(tool, arguments)
            return "\n".join(part.text for part in result.content if isinstance(part, types.TextContent))

        await play("mcp", {tool.name: tool.input_schema for tool in listed.tools}, call)


asyncio.run(main())
