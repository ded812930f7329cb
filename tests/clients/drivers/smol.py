"""smolagents, which knows functions that wait for their answer only."""

import asyncio
from typing import Any

from mcp import StdioServerParameters
from smolagents import MCPClient
from story import entry, play, quiet

quiet()


def main() -> None:
    server = entry()
    parameters = StdioServerParameters(command=server.command, args=server.args, env=server.env)
    with MCPClient(parameters, structured_output=False) as listed:
        tools = {tool.name: tool for tool in listed}

        async def call(tool: str, arguments: dict[str, Any]) -> object:
            return await asyncio.to_thread(tools[tool], sanitize_inputs_outputs=True, **arguments)

        schemas = {name: {"type": "object", "properties": tool.inputs} for name, tool in tools.items()}
        asyncio.run(play("smolagents", schemas, call))


main()
