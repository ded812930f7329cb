"""Protocol 2026-07-28: the client holds the question's state and calls again. It may replay, swap and forge it."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import pytest
from mcp import Client, types
from mcp.client.context import ClientRequestContext
from support.calls import status

from gunbot_mcp.config import Settings, load
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.live import LiveGunbot, SteppedClock

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio

BUY = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}
YES: types.InputResponses = {"approval": types.ElicitResult(action="accept", content={"decision": "approve"})}


async def never(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
    """A client that can show forms; these tests answer by hand."""
    del context, params
    raise AssertionError("not asked here")


async def asked(client: Client, tool: str = "buy_limit", **arguments: object) -> types.InputRequiredResult:
    result = await client.session.call_tool(tool, {**BUY, **arguments}, allow_input_required=True)
    assert isinstance(result, types.InputRequiredResult)
    return result


async def answer(
    client: Client,
    state: str | None,
    tool: str = "buy_limit",
    responses: types.InputResponses | None = YES,
    **arguments: object,
) -> str:
    """Call again with a state, and return the result's status or its error's code."""
    result = await client.session.call_tool(
        tool, {**BUY, **arguments}, request_state=state, input_responses=responses, allow_input_required=True
    )
    assert isinstance(result, types.CallToolResult)
    return status(result)


async def test_the_question_carries_the_form_and_no_secret_beyond_its_state(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), elicitation_callback=never) as client,
    ):
        question = await asked(client)
        (ticket,) = await (await runtime.desk()).list()
    assert question.request_state is not None
    ticket_id, _, nonce = question.request_state.partition(".")
    assert ticket_id == ticket.id
    assert re.fullmatch(r"[\w-]{32}", nonce)
    assert question.input_requests is not None
    rest = question.model_dump_json(exclude={"request_state"})
    for secret in (nonce, ticket.nonce_hash, runtime.settings.served.secret()):
        assert secret not in rest
    assert list(question.input_requests) == ["approval"]
    assert live_gunbot.trades == []


async def test_a_confirmed_state_replayed_three_times_places_one_order(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), elicitation_callback=never) as client,
    ):
        state = (await asked(client)).request_state
        assert [await answer(client, state) for _ in range(3)] == ["accepted"] * 3
    assert live_gunbot.paths == ["/trade/buy"]


async def test_a_confirmed_state_sent_many_times_at_once_places_one_order(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    found: list[str] = []
    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), elicitation_callback=never) as client,
    ):
        state = (await asked(client)).request_state

        async def once() -> None:
            found.append(await answer(client, state))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(once)
        assert (await (await runtime.desk()).list())[0].state is State.ACCEPTED
    assert live_gunbot.paths == ["/trade/buy"]
    assert "accepted" in found


async def test_a_state_of_another_ticket_tool_or_order_is_refused(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), elicitation_callback=never) as client,
    ):
        one, two = (await asked(client)).request_state, (await asked(client, price=49000)).request_state
        assert one is not None
        assert two is not None
        assert await answer(client, two) == "ticket_not_found"
        assert await answer(client, one, price=49000) == "ticket_not_found"
        assert await answer(client, one, amount=0.002) == "ticket_not_found"
        assert await answer(client, one, exchange="kraken") == "ticket_not_found"
        assert await answer(client, one, tool="sell_limit") == "ticket_not_found"
        crossed = f"{one.partition('.')[0]}.{two.partition('.')[2]}"
        assert await answer(client, crossed) == "ticket_not_found"
        tickets = await (await runtime.desk()).list()
        assert {ticket.state for ticket in tickets} == {State.PENDING}
    assert live_gunbot.trades == []


FORGERIES: tuple[Callable[[str], str], ...] = (
    lambda _: "",
    lambda _: ".",
    lambda state: state.partition(".")[0],
    lambda state: state.partition(".")[0] + ".",
    lambda state: state[:-1],
    lambda state: state + "x",
    lambda state: state.upper(),
    lambda state: " " + state,
    lambda state: state.replace(".", "\x00."),
    lambda state: state + "é",
    lambda _: "approved",
    lambda state: "é" + state,
    lambda _: "x" * 100_000,
    lambda _: "a." * 50_000,
)


@pytest.mark.parametrize("forge", FORGERIES)
async def test_a_forged_state_is_refused(
    forge: Callable[[str], str], live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), elicitation_callback=never) as client,
    ):
        state = (await asked(client)).request_state
        assert state is not None
        assert await answer(client, forge(state)) == "ticket_not_found"
        (ticket,) = await (await runtime.desk()).list()
        assert ticket.state is State.PENDING
    assert live_gunbot.trades == []


async def test_a_state_of_another_instance_is_refused(live_gunbot: "LiveGunbot", live_settings: MakeSettings) -> None:
    instance = live_settings().served.model_dump(exclude_unset=True) | {"token": live_settings().served.secret()}
    both = {"one": instance, "two": instance}
    async with (
        Runtime(load(instances=both, instance="one", approval={"wait": 0.1})) as one,
        Runtime(load(instances=both, instance="two", approval={"wait": 0.1})) as two,
        Client(build_server(one), elicitation_callback=never) as here,
        Client(build_server(two), elicitation_callback=never) as there,
    ):
        state = (await asked(here)).request_state
        assert await answer(there, state) == "ticket_not_found"
        assert live_gunbot.trades == []
        assert await answer(here, state) == "accepted"


async def test_an_answer_after_the_ticket_expired_sends_nothing(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", stepped_clock: "SteppedClock"
) -> None:
    async with (
        Runtime(live_settings(), seams=stepped_clock.seams) as runtime,
        Client(build_server(runtime), elicitation_callback=never) as client,
    ):
        state = (await asked(client)).request_state
        stepped_clock.pushed += 121
        assert await answer(client, state) == "expired"
        assert await answer(client, state) == "expired"
    assert live_gunbot.trades == []


async def test_an_answer_to_a_ticket_that_was_withdrawn_sends_nothing(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), elicitation_callback=never) as client,
    ):
        state = (await asked(client)).request_state
        assert state is not None
        withdrawn = await client.call_tool("withdraw_ticket", {"ticket_id": state.partition(".")[0]})
        assert not withdrawn.is_error
        assert await answer(client, state) == "declined"
    assert live_gunbot.trades == []


@pytest.mark.parametrize(
    "responses",
    [
        None,
        {},
        {"other": types.ElicitResult(action="accept", content={"decision": "approve"})},
        {"approval": types.ElicitResult(action="accept", content=None)},
        {"approval": types.ListRootsResult(roots=[])},
    ],
)
async def test_a_state_without_a_humans_answer_decides_nothing(
    responses: types.InputResponses | None, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), elicitation_callback=never) as client,
    ):
        state = (await asked(client)).request_state
        assert await answer(client, state, responses=responses) == "awaiting_approval"
        # The question still stands, and a later answer counts.
        assert live_gunbot.trades == []
        assert await answer(client, state) == "accepted"


async def test_an_answer_without_a_state_is_a_new_question(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), elicitation_callback=never) as client,
    ):
        result = await client.session.call_tool("buy_limit", BUY, input_responses=YES, allow_input_required=True)
        assert isinstance(result, types.InputRequiredResult)
    assert live_gunbot.trades == []


async def test_a_state_is_of_no_use_to_other_tools(live_settings: MakeSettings, live_gunbot: "LiveGunbot") -> None:
    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), elicitation_callback=never) as client,
    ):
        state = (await asked(client)).request_state
        assert state is not None
        found = await client.call_tool(
            "get_ticket", {"ticket_id": state.partition(".")[0]}, request_state=state, input_responses=YES
        )
        assert found.structured_content is not None
        assert found.structured_content["status"] == "awaiting_approval"
    assert live_gunbot.trades == []


async def test_in_the_handshake_era_a_state_is_refused_too(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime), mode="legacy") as client:
        found = await client.session.call_tool("buy_limit", BUY, request_state="t1.nonce", input_responses=YES)
        assert isinstance(found, types.CallToolResult)
        assert found.is_error or status(found) == "awaiting_approval"
    assert live_gunbot.trades == []
