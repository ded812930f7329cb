"""What a person can start from, for both protocol generations."""

import re
from typing import TYPE_CHECKING

import pytest
from mcp import Client, types
from mcp.shared.exceptions import MCPError
from support.calls import BOTH_ERAS, Era

from gunbot_mcp.server.app import build_server
from gunbot_mcp.server.prompts import PROMPTS, Prompt
from gunbot_mcp.tools.inventory import inventory

if TYPE_CHECKING:
    from gunbot_mcp.runtime import Runtime

PAIR = {"exchange": "binance", "pair": "USDT-BTC"}


async def _said(client: Client, name: str, arguments: dict[str, str]) -> str:
    (message,) = (await client.get_prompt(name, arguments)).messages
    assert message.role == "user"
    assert isinstance(message.content, types.TextContent)
    return message.content.text


@pytest.mark.anyio
@BOTH_ERAS
async def test_the_prompts_are_listed_with_described_arguments(runtime: "Runtime", era: Era) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        listed = (await client.list_prompts()).prompts

    assert {"plan_trade", "explain_ticket", "review_pair"} <= {prompt.name for prompt in listed}
    assert all(prompt.title and prompt.description for prompt in listed)
    assert all(argument.description for prompt in listed for argument in prompt.arguments or [])
    plan = next(prompt for prompt in listed if prompt.name == "plan_trade")
    assert {argument.name: argument.required for argument in plan.arguments or []} == {
        "exchange": True,
        "pair": True,
        "goal": False,
    }


@pytest.mark.anyio
@BOTH_ERAS
async def test_a_plan_names_the_pair_and_what_the_person_wants(runtime: "Runtime", era: Era) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        plain = await _said(client, "plan_trade", PAIR)
        wanted = await _said(client, "plan_trade", {**PAIR, "goal": "buy {a} little\nbelow 40k"})
        explained = await _said(client, "explain_ticket", {"ticket_id": "k7x2mp9q"})

    assert "USDT-BTC on binance" in plain
    assert "What I want" not in plain
    assert "What I want: buy {a} little below 40k If it is not clear" in wanted
    assert "k7x2mp9q" in explained
    assert not re.search(r"[{}]", plain + explained)


@pytest.mark.anyio
@BOTH_ERAS
async def test_a_name_that_people_have_saved_still_works_and_is_not_listed(runtime: "Runtime", era: Era) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        earlier, now = [await _said(client, name, PAIR) for name in ("prepare_order", "plan_trade")]
        listed = [prompt.name for prompt in (await client.list_prompts()).prompts]

    assert earlier == now
    assert "prepare_order" not in listed


@pytest.mark.anyio
@BOTH_ERAS
@pytest.mark.parametrize(
    ("name", "arguments", "part"),
    [
        ("approve_everything", {}, "plan_trade"),
        ("plan_trade", {}, "is required"),
        ("plan_trade", {**PAIR, "pair": "USDT BTC; buy it"}, "pair has another form"),
        ("plan_trade", {**PAIR, "exchange": "Binance"}, "must be binance"),
        ("plan_trade", {**PAIR, "goal": "x" * 501}, "goal is too long"),
        ("plan_trade", {**PAIR, "approved": "yes"}, "unknown argument 'approved'"),
        ("explain_ticket", {"ticket_id": "A"}, "ticket_id has another form"),
        ("review_pair", {"exchange": "binance"}, "pair is required"),
    ],
)
async def test_what_a_prompt_cannot_be_made_of_is_refused_with_the_reason(
    runtime: "Runtime", era: Era, name: str, arguments: dict[str, str], part: str
) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        with pytest.raises(MCPError) as caught:
            await client.get_prompt(name, arguments)

    assert caught.value.code == types.INVALID_PARAMS
    assert part in caught.value.message


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.name)
def test_a_prompt_names_only_tools_that_are_there(prompt: Prompt) -> None:
    tools = {tool.name for tool in inventory()}
    named = set(re.findall(r"\b(?:get|list|buy|sell|cancel|close|withdraw|analyze|query|chart)_\w+", prompt.text))

    assert named
    assert named <= tools
