"""The one path of every call: nothing escapes it, whatever goes wrong."""

import logging
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from support.recorder import SHORTLY

from gunbot_mcp.config import load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.runtime import Runtime, Seams

if TYPE_CHECKING:
    from support.recorder import Recorder

pytestmark = pytest.mark.anyio
ME = Caller(name="tests")
KEY = {"key": "binance/USDT-BTC"}


async def _ask(runtime: Runtime, tool: str, arguments: object) -> Any:  # noqa: ANN401 - an answer of any shape
    return await runtime.dispatcher.call(tool, arguments, ME)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("buylimit", "buy_limit"),
        ("close_markets", "close_market"),
        ("list_order", "list_orders"),
        ("get_quotes", "get_quote"),
    ],
)
async def test_an_unknown_tool_is_answered_with_the_nearest_one(runtime: Runtime, name: str, near: str) -> None:
    answer = await _ask(runtime, name, {})

    assert answer.error["code"] == "unknown_tool"
    assert answer.error["hint"] == f"did you mean {near}?"


@pytest.mark.parametrize(
    "name", ["", "withdraw", "../../buy", "\x00", "x" * 100_000, "BUY_LIMIT_NOW_PLEASE_EVERYTHING"]
)
async def test_a_tool_like_no_other_is_answered_in_one_short_line(runtime: Runtime, name: str) -> None:
    answer = await _ask(runtime, name, {})

    assert answer.error["code"] == "unknown_tool"
    assert len(answer.text) < 300


async def test_an_error_of_gunbot_is_answered_with_its_code(runtime: Runtime, recorder: "Recorder") -> None:
    recorder.on("*", recorder.json({"status": "error", "message": "Invalid input"}, 400))

    answer = await _ask(runtime, "list_orders", KEY)

    assert answer.error["code"] == "gateway_rejected"
    assert "Invalid input" in answer.error["message"]


async def test_a_read_that_cannot_reach_gunbot_may_be_tried_again(refusing_url: str, token: str) -> None:
    settings = load(instances={"gunbot": {"url": refusing_url, "token": token}})

    async with Runtime(settings, seams=Seams(backoff=SHORTLY)) as runtime:
        answer = await _ask(runtime, "list_orders", KEY)

    assert answer.error == {
        "code": "gateway_unreachable",
        "message": "Gunbot cannot be reached; nothing was sent",
        "hint": "start Gunbot, check url and port",
        "retryable": True,
    }


async def test_a_fault_of_ours_has_a_code_for_the_caller_and_a_traceback_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_: httpx2.Request) -> httpx2.Response:
        raise ZeroDivisionError("a secret of the inside")

    async with Runtime(load(), seams=Seams(transport=httpx2.MockTransport(broken))) as runtime:
        answer = await _ask(runtime, "list_orders", KEY)

    assert answer.error["code"] == "internal"
    assert "secret" not in answer.text
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_secrets_of_the_configuration_are_in_no_answer(recorder: "Recorder", token: str) -> None:
    facts = {"url": recorder.url, "token": token, "password": "hunter2", "wallet": "0123456789abcdef-wallet"}
    secrets = (token, "hunter2", "0123456789abcdef-wallet")
    recorder.on("*", recorder.json({"status": "error", "message": " ".join(secrets)}, 400))

    async with Runtime(load(instances={"gunbot": facts})) as runtime:
        for tool, arguments in (
            ("list_orders", KEY),
            ("get_balances", {}),
            ("get_quote", {"exchange": "a", "pair": "b"}),
        ):
            answer = await _ask(runtime, tool, arguments)

            assert "[secret]" in answer.text
            assert not [secret for secret in secrets if secret in f"{answer.text}{answer.structured}"]
