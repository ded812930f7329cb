"""The page's seventeen sample calls and four sample records, from an MCP client to the wire and back."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from gunbot_mcp import __version__
from gunbot_mcp.endpoints import BY_NAME, ENDPOINTS, Result
from gunbot_mcp.gunbot.records import RECORD_FIELDS
from gunbot_mcp.server.app import build_server

if TYPE_CHECKING:
    from support.recorder import Recorder

    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.runtime import Runtime

CALLS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "fixtures" / "sample_calls.json").read_text(encoding="utf-8")
)
SENT = [call for call in CALLS if call["method"] == "POST"]
READ = [call for call in CALLS if call["method"] == "GET"]
MODES = ("legacy", "auto")
pytestmark = pytest.mark.anyio


def _named(call: dict[str, Any]) -> str:
    return str(call["tool"])


def _check(recorder: "Recorder", call: dict[str, Any], token: str) -> None:
    [request] = recorder.to(call["target"].removeprefix("/api/v1").partition("?")[0])
    assert (request.method, request.target, request.body.decode()) == (call["method"], call["target"], call["body"])
    body = {"content-length": str(len(call["body"]))} if call["method"] == "POST" else {}
    assert request.headers == {
        "host": request.headers["host"],
        "user-agent": f"gunbot-mcp/{__version__}",
        "accept": "application/json",
        "accept-encoding": request.headers["accept-encoding"],
        "connection": "keep-alive",
        "content-type": "application/json",
        "authorization": f"Bearer {token}",
        **body,
    }


def test_the_page_has_one_sample_call_of_every_endpoint() -> None:
    assert [call["tool"] for call in CALLS] == [endpoint.name for endpoint in ENDPOINTS]


@pytest.mark.parametrize("call", SENT, ids=_named)
async def test_the_adapter_sends_a_sample_trade_byte_for_byte(
    gunbot: "Gunbot", recorder: "Recorder", call: dict[str, Any], token: str
) -> None:
    endpoint = BY_NAME[call["tool"]]

    said = await gunbot.trade(endpoint, endpoint.args.model_validate(call["arguments"]))

    assert said == "Order sent"
    _check(recorder, call, token)


@pytest.mark.parametrize("call", READ, ids=_named)
async def test_the_adapter_sends_a_sample_read_byte_for_byte(
    gunbot: "Gunbot", recorder: "Recorder", call: dict[str, Any], token: str
) -> None:
    endpoint = BY_NAME[call["tool"]]

    await gunbot.read(endpoint, endpoint.args.model_validate(call["arguments"]))

    _check(recorder, call, token)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("call", CALLS, ids=_named)
async def test_a_sample_call_through_mcp_reaches_the_gateway_byte_for_byte(
    runtime: "Runtime", recorder: "Recorder", call: dict[str, Any], mode: str, token: str
) -> None:
    async with Client(build_server(runtime), mode=mode) as client:
        result = await client.call_tool(call["tool"], call["arguments"])

    assert not result.is_error, result.content
    _check(recorder, call, token)
    answer = result.structured_content
    assert answer is not None
    if BY_NAME[call["tool"]].result is Result.SENT:
        assert answer["status"] == "accepted"
        assert answer["gateway"] == {"message": "Order sent"}


@pytest.mark.parametrize("mode", MODES)
async def test_the_sample_records_arrive_with_every_field_and_digit(
    runtime: "Runtime", fixtures: Path, mode: str
) -> None:
    source = (fixtures / "sample_orders.json").read_text(encoding="utf-8")
    # Numbers as the page's own text, so that a lost digit cannot hide in a float.
    expected = json.loads(source, parse_float=str, parse_int=str)["data"]

    async with Client(build_server(runtime), mode=mode) as client:
        result = await client.call_tool("list_orders", {"key": "binance/USDT-BTC"})

    answer = result.structured_content
    assert answer is not None
    # Beside the milliseconds stands the same time for people.
    columns = ["time", "time_iso", *RECORD_FIELDS[1:]]
    assert answer["columns"] == columns
    shown = json.loads(json.dumps(answer["rows"]), parse_float=str, parse_int=str)
    assert [_without_iso(dict(zip(columns, row, strict=True))) for row in shown] == [
        {"toCancel": None, **record} for record in expected
    ]
    assert answer["covers"] == {"from": "2024-11-14T14:38:26Z", "to": "2024-11-14T20:58:14Z"}
    [content] = result.content
    assert content.type == "text"
    table = content.text.splitlines()
    begins = table.index(",".join(columns))
    lines = table[begins + 1 : begins + 1 + len(expected)]
    assert [_without_iso(dict(zip(columns, line.split(","), strict=True))) for line in lines] == [
        {"toCancel": "", **record, **({"toCancel": "true"} if "toCancel" in record else {})} for record in expected
    ]


def _without_iso(record: dict[str, Any]) -> dict[str, Any]:
    millis = int(record["time"])
    assert datetime.fromisoformat(record.pop("time_iso")).timestamp() == millis // 1000
    return record
