"""pydantic-ai: an agent whose model is a function of ours, which calls one tool and hands back what it was told."""

import asyncio
from typing import Any

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from story import as_text, entry, play, quiet

quiet()


async def main() -> None:
    server = entry()
    toolset: Any = MCPToolset(StdioTransport(command=server.command, args=server.args, env=server.env))
    seen: dict[str, object] = {}
    wanted: list[tuple[str, dict[str, Any]]] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.update({tool.name: tool.parameters_json_schema for tool in info.function_tools})
        for part in messages[-1].parts:
            if isinstance(part, RetryPromptPart):
                return ModelResponse(parts=[TextPart(part.model_response())])
            if isinstance(part, ToolReturnPart):
                return ModelResponse(parts=[TextPart(part.model_response_str())])
        if not wanted:
            return ModelResponse(parts=[TextPart("ready")])
        tool, arguments = wanted.pop()
        return ModelResponse(parts=[ToolCallPart(tool, arguments)])

    agent: Any = Agent(FunctionModel(model), toolsets=[toolset])

    async def call(tool: str, arguments: dict[str, Any]) -> object:
        wanted.append((tool, arguments))
        return as_text((await agent.run("go on")).output)

    async with agent:
        await agent.run("look")
        await play("pydantic-ai-slim", seen, call)


asyncio.run(main())
