"""mcp-use, through the adapter that its agent uses: null for everything that is left out."""

import asyncio
from typing import Any

from story import entry, play, quiet

quiet()

from langchain_core.utils.function_calling import convert_to_openai_tool  # noqa: E402 - switches are set before
from mcp_use import MCPClient  # noqa: E402 - likewise
from mcp_use.agents.adapters.langchain_adapter import LangChainAdapter  # noqa: E402 - likewise


async def main() -> None:
    server = entry()
    servers = {"gunbot": {"command": server.command, "args": server.args, "env": server.env}}
    client = MCPClient.from_dict({"mcpServers": servers})
    adapter: Any = LangChainAdapter()
    await adapter.create_all(client)
    tools = {tool.name: tool for tool in adapter.tools}

    async def call(tool: str, arguments: dict[str, Any]) -> object:
        message = await tools[tool].ainvoke({"type": "tool_call", "id": "1", "name": tool, "args": arguments})
        return message.text

    schemas = {name: convert_to_openai_tool(tool)["function"]["parameters"] for name, tool in tools.items()}
    try:
        await play("mcp-use", schemas, call)
    finally:
        await client.close_all_sessions()


asyncio.run(main())
