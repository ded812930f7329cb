"""crewai-tools, whose tools are functions that wait for their answer."""

import asyncio
from typing import Any

from story import entry, play, quiet

quiet()

from crewai_tools import MCPServerAdapter  # noqa: E402 - switches are set before
from mcp import StdioServerParameters  # noqa: E402 - likewise


def main() -> None:
    server = entry()
    parameters = StdioServerParameters(command=server.command, args=server.args, env=server.env)
    with MCPServerAdapter(parameters) as listed:
        tools: dict[str, Any] = {tool.name: tool for tool in listed}

        async def call(tool: str, arguments: dict[str, Any]) -> object:
            return await asyncio.to_thread(tools[tool].run, **arguments)

        schemas = {name: tool.args_schema.model_json_schema() for name, tool in tools.items()}
        asyncio.run(play("crewai-tools", schemas, call))


main()
