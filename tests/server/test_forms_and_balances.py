"""A form says what one has, where that was read a moment ago; it costs no request to Gunbot."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from mcp import Client, types
from mcp.client.context import ClientRequestContext
from support.calls import BUY, PATIENT, status

from gunbot_mcp.config import Settings
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server

if TYPE_CHECKING:
    from support.live import LiveGunbot

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio


class Human:
    """Gives one answer to every form and keeps what the forms said."""

    def __init__(self, decision: str = "reject") -> None:
        self.forms: list[str] = []
        self._decision = decision

    async def __call__(self, context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        self.forms.append(params.message)
        return types.ElicitResult(action="accept", content={"decision": self._decision})

    @property
    def haves(self) -> list[list[str]]:
        return [[line for line in form.split("\n") if line.startswith("You have")] for form in self.forms]


async def test_a_form_says_what_one_has_if_the_assistant_just_read_it(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    human = Human()
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=human) as client,
    ):
        await client.call_tool("buy_limit", {**BUY, "price": 49_800})  # from here on the pairs and the clock are known
        counted = [live_gunbot.requests]
        await client.call_tool("buy_limit", BUY)
        counted.append(live_gunbot.requests)
        await client.call_tool("get_balances", {})
        counted.append(live_gunbot.requests)
        assert status(await client.call_tool("buy_limit", {**BUY, "price": 49_900})) == "declined"
        counted.append(live_gunbot.requests)

    _, unread, (have,) = human.haves
    assert unread == []
    assert have.startswith("You have ")
    assert have.endswith("USDT after this order. Read 0 s ago.")
    assert counted[3] - counted[2] == counted[1] - counted[0]


@pytest.mark.usefixtures("live_gunbot")
async def test_what_was_read_before_an_order_is_not_said_any_more(live_settings: MakeSettings) -> None:
    human = Human("approve")
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=human) as client,
    ):
        await client.call_tool("get_balances", {})
        assert status(await client.call_tool("buy_limit", BUY)) == "accepted"
        await client.call_tool("buy_limit", {**BUY, "price": 49_900})

    before, after = human.haves
    assert len(before) == 1
    assert after == []
