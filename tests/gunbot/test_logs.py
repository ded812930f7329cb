"""No log of any level holds a credential, whatever Gunbot puts into its headers."""

import logging
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.recorder import TOKEN, adapter

from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.config import Instance
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import GatewayError
from gunbot_mcp.gunbot.client import Gunbot

if TYPE_CHECKING:
    from support.recorder import Recorder

HEADERS = f"Set-Cookie: jwt={TOKEN}; Path=/\r\nAuthorization: Bearer {TOKEN}\r\nX-Token: {TOKEN}\r\n"
LIBRARIES = ("", "httpx2", "httpcore2", "httpcore2.http11", "httpcore2.connection")
SECRETS = (TOKEN, "set-cookie", "authorization", "x-token", "hunter2")


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret.lower() in text.lower()]


@pytest.mark.anyio
async def test_at_debug_neither_our_headers_nor_gunbots_are_logged(
    recorder: "Recorder", caplog: pytest.LogCaptureFixture
) -> None:
    for name in LIBRARIES:
        caplog.set_level(logging.DEBUG, logger=name or None)
    order = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}
    endpoint = BY_NAME["buy_limit"]
    recorder.on("*", recorder.http(200, b'{"status": "success", "message": "Order sent"}', extra=HEADERS))
    async with adapter(recorder.url) as gunbot:
        await gunbot.status()
        await gunbot.trade(endpoint, parse_arguments(endpoint.args, order))
    assert "GET /auth/status: 200" in caplog.text
    assert "POST /trade/buy: 200" in caplog.text
    assert leaks(caplog.text) == []


@pytest.mark.anyio
async def test_at_debug_a_login_is_not_logged(recorder: "Recorder", caplog: pytest.LogCaptureFixture) -> None:
    for name in LIBRARIES:
        caplog.set_level(logging.DEBUG, logger=name or None)
    body = b'{"status": "success", "token": "%s"}' % TOKEN.encode()
    recorder.on("/auth/login", recorder.http(200, body, extra=HEADERS))
    fields = {"url": recorder.url, "password": "hunter2", "wallet": "0123456789abcdef"}
    async with Gunbot(Instance.model_validate(fields)) as gunbot:
        await gunbot.status()
    assert len(recorder.to("/auth/login")) == 1
    assert leaks(caplog.text) == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        f"HTTP/1.1 200 OK\r\nSet-Cookie {TOKEN}\r\n\r\n",
        f"HTTP/1.1 200 {TOKEN}\r\nContent-Length: {TOKEN}\r\n\r\n",
        f"{TOKEN}\r\n\r\n",
    ],
)
async def test_an_answer_that_is_no_http_is_not_quoted_in_a_traceback(
    recorder: "Recorder", caplog: pytest.LogCaptureFixture, answer: str
) -> None:
    caplog.set_level(logging.DEBUG)
    recorder.on("/auth/status", recorder.raw(answer.encode()))
    async with adapter(recorder.url) as gunbot:
        try:
            await gunbot.status()
        except GatewayError as exc:
            logging.getLogger("anybody").debug("it failed", exc_info=exc)
    assert "it failed" in caplog.text
    assert leaks(caplog.text) == []


@pytest.mark.parametrize("command_line", [["doctor"], ["call", "list_orders", '{"key": "binance/USDT-BTC"}']])
def test_a_command_at_debug_prints_no_credential(
    recorder: "Recorder", command: list[str], child_environment: dict[str, str], command_line: list[str]
) -> None:
    answer = b'{"status": "success", "data": [], "serverTime": 1, "memory": {}}'
    recorder.on("*", recorder.http(200, answer, extra=HEADERS))
    environment = {"GUNBOT_URL": recorder.url, "GUNBOT_TOKEN": TOKEN, "GUNBOT_MCP_LOG": "debug"}
    done = subprocess.run(
        [*command, *command_line],
        capture_output=True,
        text=True,
        env={**child_environment, **environment},
        check=False,
    )
    assert (done.returncode, " DEBUG " in done.stderr) == (0, True), done.stderr
    assert leaks(done.stdout + done.stderr) == []
