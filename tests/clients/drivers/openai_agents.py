"""openai-agents, with schemas as they are or made strict: `openai_agents.py plain|strict`."""

import asyncio
import json
import sys
from typing import Any

from story import entry, play, quiet

quiet()

from agents.mcp import MCPServerStdio, MCPUtil  # noqa: E402 - switches are set before
from agents.tool import FunctionTool  # noqa: E402 - likewise
from agents.tool_context import ToolContext  # noqa: E402 - likewise


async def main() -> None:
    server, strict = entry(), sys.argv[1] == "strict"
    parameters: Any = {"command": server.command, "args": server.args, "env": server.env}
    async with MCPServerStdio(parameters) as connected:
        tools = {
            tool.name: tool
            for listed in await connected.list_tools()
            if isinstance(
                tool := MCPUtil.to_function_tool(listed, connected, convert_schemas_to_strict=strict), FunctionTool
            )
        }

        async def call(tool: str, arguments: dict[str, Any]) -> object:
            found = tools[tool]
            if found.strict_json_schema:
                # Such a model must give every argument a value.
                arguments = {name: arguments.get(name, "") for name in found.params_json_schema["properties"]}
            text = json.dumps(arguments)
            context: Any = ToolContext(context=None, tool_name=tool, tool_call_id="1", tool_arguments=text)
            found_text: Any = await found.on_invoke_tool(context, text)
            return found_text["text"] if isinstance(found_text, dict) else found_text

        assert all(tool.strict_json_schema is strict for tool in tools.values())
        await play("openai-agents", {name: tool.params_json_schema for name, tool in tools.items()}, call)


asyncio.run(main())
