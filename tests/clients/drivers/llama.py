"""llama-index: a process for each call."""

import asyncio
from typing import Any

from llama_index.tools.mcp import BasicMCPClient, McpToolSpec
from story import entry, play, quiet

quiet()


async def main() -> None:
    server = entry()
    client = BasicMCPClient(server.command, args=server.args, env=server.env)
    tools = {tool.metadata.name: tool for tool in await McpToolSpec(client).to_tool_list_async()}

    async def call(tool: str, arguments: dict[str, Any]) -> object:
        return (await tools[tool].acall(**arguments)).content

    schemas = {str(name): tool.metadata.get_parameters_dict() for name, tool in tools.items()}
    await play("llama-index-tools-mcp", schemas, call)


asyncio.run(main())
