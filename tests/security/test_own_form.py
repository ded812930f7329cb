"""What README says of a shell that starts its own server: that it can answer its own form, and what stops it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from security.hostile import Era, approving
from support.calls import BOTH_ERAS, call

from gunbot_mcp.config import Settings
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server

if TYPE_CHECKING:
    from support.live import LiveGunbot

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio
SHUT: dict[str, Any] = {"elicitation": False, "card_buttons": "never"}


async def proposed(chosen: Settings, era: Era) -> str:
    """Propose as a script would that asks nobody, and approves every form that it is shown."""
    async with (
        Runtime(chosen) as runtime,
        Client(build_server(runtime), mode=era, elicitation_callback=approving) as client,
    ):
        return await call(client)


@BOTH_ERAS
async def test_a_script_that_starts_the_server_and_answers_its_own_form_is_the_user_to_it(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    """Not what anybody wants, but what the README says; if this ever fails, the README must change."""
    assert await proposed(live_settings(approval={"wait": 30}), era) == "accepted"
    assert len(live_gunbot.trades) == 1


@BOTH_ERAS
async def test_without_forms_and_buttons_it_gets_no_further_than_a_ticket(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    assert await proposed(live_settings(approval={"wait": 0, **SHUT}), era) == "awaiting_approval"
    assert live_gunbot.trades == []


@BOTH_ERAS
async def test_in_read_only_mode_it_gets_not_even_that(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    assert await proposed(live_settings(mode="read-only"), era) == "read_only"
    assert live_gunbot.trades == []
