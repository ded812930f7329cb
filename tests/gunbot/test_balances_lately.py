"""Balances that somebody read are known for a minute, to whoever asks no question of Gunbot."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest
from support.recorder import SHORTLY, TOKEN

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.config import Instance
from gunbot_mcp.gunbot.client import Gunbot

if TYPE_CHECKING:
    from support.recorder import Recorder

pytestmark = pytest.mark.anyio


async def test_balances_are_known_with_their_age_for_a_minute(recorder: "Recorder") -> None:
    clock = ManualClock(datetime(2030, 1, 2, 12, tzinfo=UTC))
    instance = Instance.model_validate({"url": recorder.url, "token": TOKEN})
    transport = httpx2.AsyncHTTPTransport(verify=False)
    async with Gunbot(instance, transport=transport, backoff=SHORTLY, monotonic=clock.monotonic) as gunbot:
        assert gunbot.balances_lately() is None
        read = await gunbot.balances()
        clock.advance(timedelta(seconds=59))
        assert gunbot.balances_lately() == (read, 59)
        clock.advance(timedelta(seconds=1))
        assert gunbot.balances_lately() is None

    assert len(recorder.to("/balances")) == 1
