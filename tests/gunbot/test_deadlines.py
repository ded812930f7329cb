"""An answer has its time, however it comes; reads share the time of their call, and an order has its own."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest
from support.recorder import SHORTLY, TOKEN

from gunbot_mcp.config import Instance
from gunbot_mcp.endpoints import BY_NAME, LimitArgs, OrdersArgs
from gunbot_mcp.errors import GatewayError, GatewayTimeout, GatewayUnreachable
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.deadline import answer_within, keeping_back, seconds_left

if TYPE_CHECKING:
    from support.recorder import Recorder, Reply
    from support.silent import SilentGunbot

pytestmark = pytest.mark.anyio

BUY = BY_NAME["buy_limit"]
ORDER = LimitArgs(exchange="binance", pair="USDT-BTC", amount=Decimal("0.001"), price=Decimal(50000))
ORDERS = BY_NAME["list_orders"]
OF_BTC = OrdersArgs(key="binance/USDT-BTC")
MUCH = 10
"""Seconds that nothing here may take, and that a dripping or silent Gunbot would."""


def _gunbot(url: str, **times: float) -> Gunbot:
    instance = Instance.model_validate({"url": url, "token": TOKEN, **times})
    return Gunbot(instance, transport=httpx2.AsyncHTTPTransport(verify=False), backoff=SHORTLY)


def _dripping(recorder: "Recorder", part: str) -> "Reply":
    reply = recorder.json({"status": "success", "message": "Order sent", "padding": "x" * 500})
    if part == "head":
        return replace(reply, drip=0.1)
    head, _, body = reply.raw.partition(b"\r\n\r\n")
    # Whole chunks in quick succession: no pause between two bytes is ever long.
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    del head
    return replace(reply, raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, drip=0.02)


@pytest.mark.parametrize("part", ["head", "body"])
async def test_a_dripping_answer_holds_an_order_no_longer_than_read_timeout(recorder: "Recorder", part: str) -> None:
    recorder.on("*", _dripping(recorder, part))
    began = time.monotonic()

    async with _gunbot(recorder.url, read_timeout=0.5) as gunbot:
        with pytest.raises(GatewayTimeout) as caught:
            await gunbot.trade(BUY, ORDER)

    assert time.monotonic() - began < MUCH
    assert caught.value.delivered is True
    assert len(recorder.trades) == 1


@pytest.mark.parametrize("part", ["head", "body"])
async def test_a_dripping_answer_holds_a_read_no_longer_than_read_timeout(recorder: "Recorder", part: str) -> None:
    recorder.on("*", _dripping(recorder, part))
    began = time.monotonic()

    async with _gunbot(recorder.url, read_timeout=0.5) as gunbot:
        with pytest.raises(GatewayTimeout):
            await gunbot.all_open_orders()

    assert time.monotonic() - began < MUCH


async def test_an_answer_that_drips_but_comes_in_time_is_an_answer(recorder: "Recorder") -> None:
    recorder.on("*", replace(recorder.json({"status": "success", "message": "Order sent"}), drip=0.001))

    async with _gunbot(recorder.url, read_timeout=60) as gunbot:
        assert await gunbot.trade(BUY, ORDER) == "Order sent"


async def test_a_silent_gunbot_holds_a_read_with_all_its_tries_no_longer_than_the_deadline(
    recorder: "Recorder",
) -> None:
    recorder.on("*", recorder.raw(b"", "hang"))
    began = time.monotonic()

    async with _gunbot(recorder.url, read_timeout=60, deadline=0.5) as gunbot:
        with pytest.raises(GatewayTimeout):
            await gunbot.read(ORDERS, OF_BTC)

    assert time.monotonic() - began < MUCH
    assert recorder.paths(1) == ["/api/v1/orders"]


async def test_another_try_has_only_what_the_first_left(recorder: "Recorder") -> None:
    recorder.on("*", recorder.http(503, b""), recorder.raw(b"", "hang"))
    began = time.monotonic()

    async with _gunbot(recorder.url, read_timeout=60, deadline=0.5) as gunbot:
        with pytest.raises(GatewayTimeout):
            await gunbot.read(ORDERS, OF_BTC)

    assert time.monotonic() - began < MUCH
    assert recorder.paths(2) == ["/api/v1/orders"] * 2


async def test_all_reads_of_a_call_share_its_time(recorder: "Recorder") -> None:
    recorder.on("*", recorder.raw(b"", "hang"))
    began = time.monotonic()

    async with _gunbot(recorder.url, read_timeout=60) as gunbot:
        with answer_within(0.5):
            for _ in range(50):
                with pytest.raises(GatewayError):
                    await gunbot.balances()

    assert time.monotonic() - began < MUCH


async def test_an_order_that_has_begun_is_not_cut_off_to_keep_the_calls_time(recorder: "Recorder") -> None:
    recorder.on("/trade/buy", replace(recorder.json({"status": "success", "message": "Order sent"}), late=0.5))

    async with _gunbot(recorder.url, read_timeout=60) as gunbot:
        with answer_within(0.1):
            assert await gunbot.trade(BUY, ORDER) == "Order sent"


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that takes connections and never says anything, TLS included."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


async def test_time_that_ends_before_the_first_byte_has_delivered_nothing(mute: int) -> None:
    async with _gunbot(f"https://127.0.0.1:{mute}", connect_timeout=60, deadline=0.5) as gunbot:
        with pytest.raises(GatewayUnreachable) as caught:
            await gunbot.balances()

    assert caught.value.delivered is False


async def test_an_order_to_a_port_that_never_finishes_tls_was_not_delivered(mute: int) -> None:
    async with _gunbot(f"https://127.0.0.1:{mute}", connect_timeout=0.3) as gunbot:
        with pytest.raises(GatewayUnreachable) as caught:
            await gunbot.trade(BUY, ORDER)

    assert caught.value.delivered is False


async def test_who_is_cut_off_amid_a_tls_handshake_hangs_up(silent_gunbot: "SilentGunbot") -> None:
    async with (
        _gunbot(silent_gunbot.url.replace("http:", "https:"), connect_timeout=60) as gunbot,
        anyio.create_task_group() as calls,
    ):
        calls.start_soon(gunbot.balances)
        assert await silent_gunbot.until(silent_gunbot.asked, MUCH)
        calls.cancel_scope.cancel()
    assert await silent_gunbot.until(silent_gunbot.hung_up, MUCH)


async def test_a_call_inside_a_call_has_no_more_time_than_the_outer_one() -> None:
    with answer_within(10):
        with answer_within(1000):
            assert seconds_left() < 10
        with answer_within(1):
            assert seconds_left() < 1
        assert seconds_left() > 1
    assert seconds_left() == float("inf")


async def test_time_is_kept_back_for_what_comes_after_where_there_is_enough() -> None:
    with answer_within(1000):
        with keeping_back(600):
            assert 250 < seconds_left() < 400
        with keeping_back(2000):
            assert seconds_left() > 900
