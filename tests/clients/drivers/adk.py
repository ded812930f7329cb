"""google-adk: an agent whose model is a class of ours, which calls one tool and hands back what it was told."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from google.adk.agents import LlmAgent
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from google.genai import types
from mcp import StdioServerParameters
from story import as_text, entry, play, quiet

quiet()

SEEN: dict[str, object] = {}
WANTED: list[tuple[str, dict[str, Any]]] = []


class Model(BaseLlm):
    """Calls what is wanted, then says what the tool answered."""

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        del stream
        for tool in llm_request.config.tools or []:
            for declared in getattr(tool, "function_declarations", None) or []:
                whole = declared.model_dump(exclude_none=True, mode="json")
                SEEN[declared.name] = whole.get("parameters_json_schema") or whole.get("parameters")
        answers = [part.function_response for part in llm_request.contents[-1].parts or [] if part.function_response]
        if answers:
            part = types.Part(text=as_text(answers[0].response))
        elif WANTED:
            tool, arguments = WANTED.pop()
            part = types.Part(function_call=types.FunctionCall(name=tool, args=arguments))
        else:
            part = types.Part(text="ready")
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


async def main() -> None:
    server = entry()
    parameters = StdioServerParameters(command=server.command, args=server.args, env=server.env)
    toolset = McpToolset(connection_params=StdioConnectionParams(server_params=parameters))
    agent = LlmAgent(name="agent", model=Model(model="ours"), tools=[toolset])
    runner = InMemoryRunner(agent, app_name="tests")
    session = await runner.session_service.create_session(app_name="tests", user_id="u")

    async def say() -> str:
        last = ""
        message = types.Content(role="user", parts=[types.Part(text="go on")])
        async for event in runner.run_async(user_id="u", session_id=session.id, new_message=message):
            for part in (event.content.parts or []) if event.content else []:
                last = part.text or last
        return last

    async def call(tool: str, arguments: dict[str, Any]) -> str:
        WANTED.append((tool, arguments))
        return await say()

    await say()
    await play("google-adk", SEEN, call)
    await toolset.close()


asyncio.run(main())
