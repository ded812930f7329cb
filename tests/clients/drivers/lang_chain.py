"""langchain-mcp-adapters: by default a process for each call."""

import asyncio
from typing import Any

from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.client import MultiServerMCPClient
from story import entry, play, quiet

quiet()


async def main() -> None:
    server = entry()
    connection: Any = {"transport": "stdio", "command": server.command, "args": server.args, "env": server.env}
    tools = {tool.name: tool for tool in await MultiServerMCPClient({"gunbot": connection}).get_tools()}

    async def call(tool: str, arguments: dict[str, Any]) -> object:
        message = await tools[tool].ainvoke({"type": "tool_call", "id": "1", "name": tool, "args": arguments})
        return message.text

    schemas = {name: convert_to_openai_tool(tool)["function"]["parameters"] for name, tool in tools.items()}
    await play("langchain-mcp-adapters", schemas, call)


asyncio.run(main())
