"""Adding an endpoint means adding a row: everything else follows, with no other change."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client, types
from mcp.client.context import ClientRequestContext
from support.calls import BOTH_ERAS, PATIENT, Era, answering, status, text
from support.eighteenth import CALL, ROW, WITH_IT
from support.live import LiveGunbot, serving

from gunbot_mcp import endpoints
from gunbot_mcp.cli import run
from gunbot_mcp.config import Settings, load
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

ROOT = Path(__file__).parents[1]
NAME = ROW.name
MakeSettings = Callable[..., Settings]
over_mcp = pytest.mark.anyio


@pytest.fixture(autouse=True)
def eighteenth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "ENDPOINTS", WITH_IT)


@pytest.fixture
def live_gunbot(eighteenth: None) -> Iterator[LiveGunbot]:
    """A gateway that is made after the row was added."""
    del eighteenth
    with serving(LiveGunbot()) as gunbot:
        yield gunbot


async def _open(client: Client) -> list[dict[str, Any]]:
    found = (await client.call_tool("list_open_orders", {"exchange": "binance", "pair": "USDT-BTC"})).structured_content
    assert found is not None
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def _paper(**fields: object) -> Settings:
    return load(instances={"paper": {"market": "manual"}}, **fields)


@over_mcp
@BOTH_ERAS
async def test_it_is_listed_after_the_seventeen_with_its_hints_and_schemas(era: Era) -> None:
    async with Runtime(_paper()) as runtime, Client(build_server(runtime), mode=era) as client:
        listed = (await client.list_tools()).tools

    (tool,) = [tool for tool in listed if tool.name == NAME]
    assert listed.index(tool) == 17
    assert (tool.title, tool.description) == ("Sell limit or trail", ROW.about)
    assert tool.annotations is not None
    assert (tool.annotations.read_only_hint, tool.annotations.destructive_hint) == (False, True)
    validator: Any = Draft202012Validator(tool.input_schema)
    assert validator.is_valid(CALL)
    assert not validator.is_valid({**CALL, "limit_price": 1})
    assert tool.output_schema == next(tool for tool in listed if tool.name == "buy_limit").output_schema
    assert tool.meta == next(tool for tool in listed if tool.name == "buy_limit").meta


@over_mcp
@BOTH_ERAS
async def test_a_human_approves_it_and_it_is_sent_once_at_its_own_path_and_rests(
    era: Era, live_gunbot: LiveGunbot, live_settings: MakeSettings
) -> None:
    shown: list[str] = []

    async def human(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        shown.append(params.message)
        return types.ElicitResult(action="accept", content={"decision": "approve"})

    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode=era, elicitation_callback=human) as client,
    ):
        result = await client.call_tool(NAME, CALL)
        resting = await _open(client)
        (ticket,) = await (await runtime.desk()).list()

    assert status(result) == "accepted"
    sentence = "Sell 0.001 BTC at 52,000 USDT or at the market with a trailing stop (prices 700 USDT apart), on binance"
    assert sentence in text(result)
    assert [sentence in message for message in shown] == [True]
    assert (ticket.tool, ticket.state) == (NAME, State.ACCEPTED)
    ((path, body),) = live_gunbot.trades
    assert path == "/trade/sell/limitortrail"
    assert json.loads(body) == {
        "data": {"exch": "binance", "pair": "USDT-BTC", "amt": 0.001, "price": 52000, "trailBy": 700}
    }
    assert [(order["kind"], order["side"]) for order in resting] == [("limit", "sell"), ("trailing_stop", "sell")]
    assert result.structured_content is not None
    assert result.structured_content["observed"]["order_id"] == resting[0]["order_id"]


@over_mcp
async def test_a_human_rejects_it_and_nothing_is_sent(live_gunbot: LiveGunbot, live_settings: MakeSettings) -> None:
    rejecting = answering("accept", {"decision": "reject"})
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=rejecting) as client,
    ):
        assert status(await client.call_tool(NAME, CALL)) == "declined"
    assert live_gunbot.trades == []


@over_mcp
@BOTH_ERAS
async def test_on_paper_it_goes_at_once_where_the_mode_is_auto_and_one_leg_cancels_the_other(era: Era) -> None:
    async with Runtime(_paper(mode="auto")) as runtime, Client(build_server(runtime), mode=era) as client:
        assert status(await client.call_tool(NAME, CALL)) == "accepted"
        assert len(await _open(client)) == 2
        (trail,) = [order for order in await _open(client) if order["kind"] == "trailing_stop"]
        cancelled = await client.call_tool(
            "cancel_order",
            {name: trail[name] for name in ("exchange", "pair", "order_id", "price", "order_type")},
        )
        assert status(cancelled) == "accepted"
        assert await _open(client) == []


@over_mcp
async def test_its_ticket_is_read_again_by_a_server_that_starts_later() -> None:
    settings = _paper(approval={"wait": 0.1, "page": False})
    async with Runtime(settings) as first, Client(build_server(first)) as client:
        result = await client.call_tool(NAME, CALL)
        assert status(result) == "awaiting_approval"
        (ticket,) = await (await first.desk()).list()
    async with Runtime(settings) as second, Client(build_server(second)) as client:
        sent = await (await second.desk()).approve(ticket.id, by=TERMINAL)
        assert (sent.state, len(await _open(client))) == (State.ACCEPTED, 2)


@over_mcp
@pytest.mark.parametrize(
    ("mode", "changed", "code"),
    [
        ("read-only", {}, "read_only"),
        ("auto", {"exchange": "kraken"}, "not_supported"),
        ("auto", {"amount": 1}, "limit_exceeded"),
        ("auto", {"price": 90000}, "price_out_of_band"),
        ("auto", {"trial": 1}, "invalid_arguments"),
    ],
)
async def test_the_gate_and_the_guard_stand_before_it(mode: str, changed: dict[str, Any], code: str) -> None:
    async with Runtime(_paper(mode=mode)) as runtime, Client(build_server(runtime)) as client:
        assert (NAME in {tool.name for tool in (await client.list_tools()).tools}) is (mode != "read-only")
        assert status(await client.call_tool(NAME, {**CALL, **changed})) == code
        assert await _open(client) == []


def test_the_command_line_calls_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")

    assert run(["call", NAME, json.dumps(CALL)]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "accepted"


def test_a_misspelt_name_leads_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "sell_limit_or_trial", "{}"]) == 1
    assert f"did you mean {NAME}?" in capsys.readouterr().err


def test_the_schemas_and_the_readmes_table_have_it(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text((ROOT / "README.md").read_text(encoding="utf-8"), encoding="utf-8")

    assert run(["schemas", "--root", str(tmp_path)]) == 0

    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    about = ROW.about.replace("|", "\\|")
    assert f"| `{NAME}` | `POST /api/v1/trade/sell/limitortrail` | {about} |\n" in readme
    tool = json.loads((tmp_path / "schemas" / "tools" / f"{NAME}.json").read_text(encoding="utf-8"))
    assert list(tool["inputSchema"]["properties"]) == [*CALL, "repeat_of"]
    paper = json.loads((tmp_path / "schemas" / "paper-openapi.json").read_text(encoding="utf-8"))
    assert paper["paths"]["/api/v1/trade/sell/limitortrail"]["post"]["operationId"] == NAME
    ours = {path.name for path in (ROOT / "schemas" / "tools").iterdir()}
    assert {path.name for path in (tmp_path / "schemas" / "tools").iterdir()} - ours == {f"{NAME}.json"}


EVERYWHERE = """\
import sys
sys.path.insert(0, {tests!r})
from gunbot_mcp import endpoints
from support.eighteenth import WITH_IT
endpoints.ENDPOINTS = WITH_IT
sys.path.remove({tests!r})
"""


@pytest.mark.slow
def test_the_demo_counts_it(tmp_path: Path, command: list[str], child_environment: dict[str, str]) -> None:
    # Python runs this file when it starts: in the demo, and in the server that the demo starts.
    (tmp_path / "sitecustomize.py").write_text(EVERYWHERE.format(tests=str(ROOT / "tests")), encoding="utf-8")
    given = {**child_environment, "PYTHONPATH": f"{tmp_path}{os.pathsep}{child_environment['PYTHONPATH']}"}

    done = subprocess.run([*command, "demo"], capture_output=True, text=True, env=given, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "tools, of which 14 can trade or cancel" in done.stdout
    assert f"Not shown here: {NAME}" in done.stdout
