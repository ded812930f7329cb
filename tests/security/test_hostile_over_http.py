"""A program at the HTTP port of a live instance answers its own forms and clicks its own cards: nothing is sent.

Whoever can reach the port can be the client, so nobody knows whether a human saw the form that it says was approved.
Only the page with its PIN and the terminal speak for a human there.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from mcp import types
from mcp.shared.exceptions import MCPError
from security.hostile import (
    ORDER_TOOLS,
    WIDE,
    Era,
    Model,
    Tally,
    approval_of,
    approving,
    arguments_of,
    hostile,
    hostile_over_http,
    nothing_happened,
    sent_only,
)

from gunbot_mcp.config import Settings
from gunbot_mcp.server.tools import UI_EXTENSION, UI_MIME
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.live import LiveGunbot

MakeSettings = Callable[..., Settings]
pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOTH_ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])

DECLARED: dict[str, Any] = {
    "io.modelcontextprotocol/clientCapabilities": {
        "elicitation": {"form": {}},
        "extensions": {UI_EXTENSION: {"mimeTypes": [UI_MIME]}},
    }
}
"""What a client says about itself beside one call, whatever it said before."""


def order(tool: str, price: int = 50000) -> dict[str, Any]:
    """Valid arguments; the market buy is dear enough that a form asks for a code."""
    amount = {"amount": 0.004} if tool == "buy_market" else {}
    priced = {"price": price} if tool == "buy_limit" else {}
    return {**arguments_of(tool), "exchange": "bybit" if tool.startswith("close") else "binance", **amount, **priced}


async def answer(model: Model, tool: str, arguments: dict[str, Any], asked: types.InputRequiredResult) -> None:
    """Answer a question as a human who approves would have, three times."""
    answers: types.InputResponses = {}
    for name, request in (asked.input_requests or {}).items():
        assert isinstance(request, types.ElicitRequest)
        assert isinstance(request.params, types.ElicitRequestFormParams)
        answers[name] = approval_of(request.params.message, request.params.requested_schema)
    for _ in range(3):
        await model.call(tool, arguments, request_state=asked.request_state, input_responses=answers)


@BOTH_ERAS
async def test_a_client_that_approves_every_form_itself(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    chosen = live_settings(limits=WIDE, approval={"wait": 0.1})
    async with hostile_over_http(chosen, era, tally, answer=approving) as (runtime, model):
        for tool in ORDER_TOOLS:
            before = len(model.questions)
            await model.call(tool, order(tool))
            await model.call(tool, order(tool), meta=DECLARED)
            for asked in model.questions[before:]:
                await answer(model, tool, order(tool), asked)
            # The SDK's own loop: it shows the form and calls again, as every ready-made client does.
            tally.calls += 1
            try:
                result = await model.client.call_tool(tool, order(tool))
            except MCPError:
                continue
            tally.shown.append(f"{result.content}")
        await nothing_happened(runtime, live_gunbot, tally)


@BOTH_ERAS
async def test_a_question_asked_on_a_pipe_and_answered_over_http(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    chosen = live_settings(limits=WIDE, approval={"wait": 0})
    async with (
        hostile(chosen, "auto", tally, forms=True) as (runtime, near),
        hostile_over_http(chosen, era, tally, answer=approving) as (_, far),
    ):
        for turn in range(5):
            await near.call("buy_limit", order("buy_limit", 50000 - turn))
            await answer(far, "buy_limit", order("buy_limit", 50000 - turn), near.questions[-1])
        assert len(near.questions) == 5
        await nothing_happened(runtime, live_gunbot, tally)


@BOTH_ERAS
@pytest.mark.parametrize("buttons", ["paper", "always"])
async def test_a_client_that_clicks_its_own_card(
    era: Era, buttons: str, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    chosen = live_settings(limits=WIDE, approval={"wait": 0, "card_buttons": buttons})
    async with hostile_over_http(chosen, era, tally, cards=True) as (runtime, model):
        await model.client.list_tools()
        for tool in ORDER_TOOLS:
            found = await model.call(tool, order(tool))
            if "ticket" in found:
                await model.call("get_ticket", {"ticket_id": found["ticket"]["id"]})
        assert len(model.cards) > len(ORDER_TOOLS)
        await click(model, [card | {"key": card["key"] or "k"} for card in model.cards])
        await nothing_happened(runtime, live_gunbot, tally)


@BOTH_ERAS
async def test_keys_of_cards_shown_on_a_pipe_and_used_over_http(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    chosen = live_settings(limits=WIDE, approval={"wait": 0, "card_buttons": "always"})
    async with (
        hostile(chosen, era, tally, cards=True) as (runtime, near),
        hostile_over_http(chosen, era, tally, cards=True) as (_, far),
    ):
        for tool in ORDER_TOOLS:
            await near.call(tool, order(tool))
        assert all(card["key"] for card in near.cards)
        await click(far, near.cards)
        await nothing_happened(runtime, live_gunbot, tally)


async def click(model: Model, cards: list[dict[str, Any]]) -> None:
    for card in cards:
        arguments = {"ticket_id": card["ticket"]["id"], "decision": "approve", "key": card["key"]}
        await model.call("decide_ticket", arguments)
        await model.call("decide_ticket", arguments, meta=DECLARED)


async def test_the_same_orders_go_out_once_a_human_approves_them_elsewhere(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    """Otherwise the tests above would prove nothing but that nothing works."""
    chosen = live_settings(limits=WIDE, approval={"wait": 0})
    async with hostile_over_http(chosen, "auto", tally) as (runtime, model):
        found = await model.call("buy_limit", order("buy_limit"))
        approved = await (await runtime.desk()).approve(found["ticket"]["id"], by=TERMINAL)
        assert approved.state is State.ACCEPTED
    sent_only(1, live_gunbot, tally)
