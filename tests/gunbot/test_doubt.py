"""Which errors of Gunbot are a clear no: by status and shape; words only raise doubt, and doubt is `unknown`."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.desks import open_desk, propose
from support.exchange import Exchange

from gunbot_mcp.gunbot.doubt import leaves_open
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

pytestmark = pytest.mark.anyio

DOUBTS = [
    "Request timed out",
    "binance: order timeout of 10000ms exceeded",
    "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    "An unexpected response was received from the message bus. Execution status unknown.",
    "connect ETIMEDOUT 1.2.3.4:443",
    "read ECONNRESET",
    "socket hang up",
    "getaddrinfo EAI_AGAIN api.binance.com",
    "Client network socket disconnected before secure TLS connection was established",
    "502 Bad Gateway",
    "Request failed with status code 504",
    "Service unavailable, please try again later",
    "Unknown error",
    "An internal error occurred",
    "The exchange is under maintenance",
    "<html><head><title>cloudflare</title></head>",
    "undefined",
]
CLEAR = [
    "Invalid input",
    "insufficient balance: 512 USDT needed, 500 available",
    "Unknown pair USDT-XYZ",
    "Unknown order sent.",
    "Filter failure: MIN_NOTIONAL",
    "No active pair is cycling on binance",
    "",
    None,
]


class Says(Exchange):
    """A Gunbot that answers every order with one status and message, and takes none."""

    status, body = 200, b""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.startswith("/api/v1/trade/"):
            return await super().handle_async_request(request)
        return httpx2.Response(self.status, content=self.body)


async def fate(tmp_path: Path, status: int, body: dict[str, Any]) -> State:
    gunbot = Says()
    gunbot.status, gunbot.body = status, json.dumps(body).encode()
    async with open_desk(f"sqlite:///{tmp_path}/ledger.db", tmp_path, gunbot) as desk:
        return (await desk.approve((await propose(desk)).id, by=TERMINAL)).state


@pytest.mark.parametrize("words", DOUBTS)
def test_an_error_that_may_be_of_the_way_to_the_exchange_leaves_the_order_open(words: str) -> None:
    assert leaves_open(200, json.dumps({"status": "error", "message": words}).encode())
    assert leaves_open(400, json.dumps({"status": "error", "message": "failed", "reason": words}).encode())


@pytest.mark.parametrize("words", CLEAR)
@pytest.mark.parametrize("status", [200, 400, 403, 404, 422])
def test_an_error_about_what_was_asked_is_a_no(words: str | None, status: int) -> None:
    assert not leaves_open(status, json.dumps({"status": "error", "message": words}).encode())


@pytest.mark.parametrize("status", [408, 409, 425, 429, 499])
def test_a_status_that_is_about_time_or_load_leaves_the_order_open(status: int) -> None:
    assert leaves_open(status, b'{"status":"error","message":"Invalid input"}')


@pytest.mark.parametrize("status", [200, 400])
async def test_an_order_that_gunbot_says_timed_out_is_unknown_and_one_that_it_refuses_is_rejected(
    tmp_path: Path, status: int
) -> None:
    doubt = {"status": "error", "message": "order to binance timed out"}
    assert await fate(tmp_path, status, {"status": "error", "message": "insufficient balance"}) is State.REJECTED
    assert await fate(tmp_path, status, doubt) is State.UNKNOWN


async def test_an_order_without_a_login_is_rejected_whatever_the_words(tmp_path: Path) -> None:
    assert await fate(tmp_path, 401, {"status": "error", "message": "session timed out"}) is State.REJECTED
