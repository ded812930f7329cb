"""The pairs of an exchange are asked for once a minute, since every order needs them."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest
from support.recorder import SHORTLY, TOKEN

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.config import Instance
from gunbot_mcp.errors import GatewayError
from gunbot_mcp.gunbot.client import Gunbot

if TYPE_CHECKING:
    from support.recorder import Recorder

pytestmark = pytest.mark.anyio
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


def _gunbot(url: str, clock: ManualClock) -> Gunbot:
    instance = Instance.model_validate({"url": url, "token": TOKEN, "read_timeout": 60})
    transport = httpx2.AsyncHTTPTransport(verify=False)
    return Gunbot(instance, transport=transport, backoff=SHORTLY, monotonic=clock.monotonic)


async def test_the_pairs_of_an_exchange_are_asked_for_once_a_minute(recorder: "Recorder") -> None:
    clock = ManualClock(NOON)
    recorder.on("/pairs", recorder.json({"pairList": ["USDT-BTC"]}), recorder.json({"pairList": ["USDT-ETH"]}))

    async with _gunbot(recorder.url, clock) as gunbot:
        assert await gunbot.pairs("binance") == ["USDT-BTC"]
        clock.advance(timedelta(seconds=59))
        assert await gunbot.pairs("binance") == ["USDT-BTC"]
        clock.advance(timedelta(seconds=1))
        assert await gunbot.pairs("binance") == ["USDT-ETH"]

    assert len(recorder.to("/pairs")) == 2


async def test_each_exchange_has_pairs_of_its_own(recorder: "Recorder") -> None:
    recorder.on("/pairs", recorder.json({"pairList": ["USDT-BTC"]}), recorder.json({"pairList": ["USD-BTC"]}))

    async with _gunbot(recorder.url, ManualClock(NOON)) as gunbot:
        assert await gunbot.pairs("binance") == ["USDT-BTC"]
        assert await gunbot.pairs("kraken") == ["USD-BTC"]


async def test_callers_at_once_share_one_question(recorder: "Recorder") -> None:
    async with _gunbot(recorder.url, ManualClock(NOON)) as gunbot, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(gunbot.pairs, "binance")

    assert len(recorder.to("/pairs")) == 1


async def test_a_failure_is_not_remembered(recorder: "Recorder") -> None:
    recorder.on("/pairs", recorder.json({"status": "error", "message": "no"}), recorder.json({"pairList": ["USDT-A"]}))

    async with _gunbot(recorder.url, ManualClock(NOON)) as gunbot:
        with pytest.raises(GatewayError):
            await gunbot.pairs("binance")
        assert await gunbot.pairs("binance") == ["USDT-A"]


async def test_what_a_caller_does_with_the_list_changes_nothing_for_the_next(recorder: "Recorder") -> None:
    async with _gunbot(recorder.url, ManualClock(NOON)) as gunbot:
        (await gunbot.pairs("binance")).clear()
        assert await gunbot.pairs("binance") == ["USDT-BTC"]
