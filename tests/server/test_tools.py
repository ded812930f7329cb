"""The tools as clients see them: valid, small, closed, and honest about what they can do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client, types
from support.calls import error, no_tool

from gunbot_mcp.config import Mode
from gunbot_mcp.domain import Effect
from gunbot_mcp.endpoints import ENDPOINTS
from gunbot_mcp.server.app import build_server
from gunbot_mcp.server.tools import annotations, tools
from gunbot_mcp.tools.inventory import inventory

if TYPE_CHECKING:
    from support.recorder import Recorder

    from gunbot_mcp.runtime import Runtime

SAMPLES: dict[str, dict[str, Any]] = {
    call["tool"]: call["arguments"]
    for call in json.loads(
        (Path(__file__).parent.parent / "fixtures" / "sample_calls.json").read_text(encoding="utf-8")
    )
} | {
    "get_quote": {"exchange": "binance", "pair": "USDT-BTC"},
    "get_balances": {},
    "list_open_orders": {},
    "list_exchanges": {},
    "list_pairs": {"exchange": "binance"},
    "get_limits": {},
    "list_tickets": {},
    "query_orders": {"sql": "SELECT * FROM orders ORDER BY time DESC"},
    "chart_orders": {"chart": "pnl"},
}
TRADES = {endpoint.name for endpoint in ENDPOINTS if endpoint.effect is not Effect.READ}
EFFECTS = {tool.name: tool.effect for tool in inventory()}
TOOLS = tools()
MODES = ("legacy", "auto")


def _named(tool: types.Tool) -> str:
    return tool.name


def _effect(tool: types.Tool) -> Effect:
    return EFFECTS[tool.name]


def _bytes(tool: types.Tool) -> int:
    shown = {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
    return len(json.dumps(shown, separators=(",", ":"), ensure_ascii=False).encode())


def test_the_seventeen_come_first_in_the_pages_order() -> None:
    assert [tool.name for tool in TOOLS][:17] == [endpoint.name for endpoint in ENDPOINTS]
    assert len({tool.name for tool in TOOLS}) == len(TOOLS)


def test_a_model_pays_little_for_reading_them(tell: Callable[[str], None]) -> None:
    seventeen, everything = sum(map(_bytes, TOOLS[:17])), sum(map(_bytes, TOOLS))
    allowed = min(600 * len(TOOLS), 18_000)
    tell(f"tools/list: the seventeen {seventeen:,} bytes, all {len(TOOLS)} tools {everything:,} of {allowed:,}")

    assert everything <= allowed


@pytest.mark.parametrize("tool", TOOLS, ids=_named)
def test_a_tool_is_fully_described(tool: types.Tool) -> None:
    assert len(tool.name) <= 64
    assert tool.title
    assert tool.description
    assert tool.annotations is not None
    assert tool.annotations.title == tool.title


@pytest.mark.parametrize("tool", TOOLS, ids=_named)
def test_an_input_schema_is_one_closed_object(tool: types.Tool) -> None:
    schema = tool.input_schema

    Draft202012Validator.check_schema(schema)
    assert set(schema) <= {"type", "properties", "required", "additionalProperties"}
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert set(schema.get("required", [])) <= set(schema["properties"])
    words = json.dumps(schema)
    for word in ("$ref", "exclusiveMinimum", "examples", '"type": [', "anyOf", "oneOf", "allOf"):
        assert word not in words


@pytest.mark.parametrize("tool", tools(for_app=True), ids=_named)
def test_every_argument_is_described(tool: types.Tool) -> None:
    for name, schema in tool.input_schema["properties"].items():
        assert schema.get("description"), name
        assert "type" in schema, name


@pytest.mark.parametrize("tool", TOOLS, ids=_named)
def test_an_output_schema_is_one_object(tool: types.Tool) -> None:
    schema = tool.output_schema

    assert schema is not None
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert not {"anyOf", "oneOf", "allOf"} & set(schema)
    assert '"type": [' not in json.dumps(schema)


@pytest.mark.parametrize("tool", TOOLS, ids=_named)
def test_hints_follow_from_the_effect(tool: types.Tool) -> None:
    effect = _effect(tool)
    trades = effect in {Effect.ORDER, Effect.CANCEL}
    hints = tool.annotations

    assert hints is not None
    assert hints.read_only_hint is (effect is Effect.READ)
    assert hints.destructive_hint is trades
    assert hints.idempotent_hint is not trades
    assert hints.open_world_hint is (effect is not Effect.LOCAL)


def test_every_effect_has_all_four_hints() -> None:
    for effect in Effect:
        hints = annotations(effect, "T").model_dump()
        assert None not in {hints[name] for name in hints if name.endswith("_hint")}


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool.name in SAMPLES], ids=_named)
def test_the_schema_agrees_with_the_sample_arguments(tool: types.Tool) -> None:
    validator: Any = Draft202012Validator(tool.input_schema)

    assert validator.is_valid(SAMPLES[tool.name])
    assert not validator.is_valid({**SAMPLES[tool.name], "unknown": 1})


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_every_real_answer_fits_its_output_schema(runtime: "Runtime", recorder: "Recorder", mode: str) -> None:
    memory = {"binance/USDT-BTC": {"openOrders": [{"id": 7, "type": "buy", "rate": 49000, "amount": 0.1}]}}
    recorder.on("/coremem", recorder.json({"memory": memory}))
    async with Client(build_server(runtime), mode=mode) as client:
        listed = (await client.list_tools()).tools
        for tool in listed:
            if tool.name in SAMPLES:
                result = await client.call_tool(tool.name, SAMPLES[tool.name])

                assert not result.is_error, (tool.name, result.content)
                validator: Any = Draft202012Validator(tool.output_schema or {})
                validator.validate(result.structured_content)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_clients_of_both_generations_see_the_same_tools(runtime: "Runtime", mode: str) -> None:
    async with Client(build_server(runtime), mode=mode) as client:
        listed = await client.list_tools()

    assert [tool.model_dump() for tool in listed.tools] == [tool.model_dump() for tool in TOOLS]


def test_in_read_only_mode_tools_that_trade_are_not_there() -> None:
    names = {tool.name for tool in tools(Mode.READ_ONLY)}

    assert not TRADES & names
    assert names >= {endpoint.name for endpoint in ENDPOINTS if endpoint.effect is Effect.READ}
    assert all(_effect(tool) is Effect.READ for tool in tools(Mode.READ_ONLY))


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sorted(TRADES))
async def test_in_read_only_mode_a_trade_is_refused_if_it_is_called_anyway(
    read_only: "Runtime", recorder: "Recorder", mode: str, name: str
) -> None:
    async with Client(build_server(read_only), mode=mode) as client:
        assert name not in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool(name, SAMPLES[name])

    assert error(result)["code"] == "read_only"
    assert recorder.requests == []


@pytest.mark.anyio
async def test_in_read_only_mode_reads_work(read_only: "Runtime", recorder: "Recorder") -> None:
    async with Client(build_server(read_only)) as client:
        result = await client.call_tool("list_orders", {"key": "binance/USDT-BTC"})

    assert not result.is_error
    assert len(recorder.to("/orders")) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_the_server_says_what_it_is(runtime: "Runtime", mode: str) -> None:
    async with Client(build_server(runtime), mode=mode) as client:
        info = client.server_info
        instructions = client.instructions or ""

    assert info is not None
    assert (info.name, info.title) == ("gunbot-mcp", "Gunbot (paper, PAPER)")
    assert "only a human can approve" in instructions
    assert "PAPER" in instructions


@pytest.mark.anyio
async def test_from_2026_07_28_on_the_list_of_tools_says_how_long_it_may_be_kept(runtime: "Runtime") -> None:
    async with Client(build_server(runtime), mode="auto") as client:
        assert (await client.list_tools()).ttl_ms == 300_000


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_an_unknown_tool_has_a_code_and_the_nearest_name(
    runtime: "Runtime", recorder: "Recorder", mode: str
) -> None:
    far_name = "\u202ewithdraw_everything\x00" + "x" * 5000
    async with Client(build_server(runtime), mode=mode) as client:
        near, far = [await no_tool(client, name, {}) for name in ("buy_limt", far_name)]

    assert near[1]["code"] == far[1]["code"] == "unknown_tool"
    assert "buy_limit" in near[1]["hint"]
    assert near[0].startswith("unknown_tool: ")
    assert all(line.isprintable() for line in far[0].splitlines())
    assert len(far[0]) < 400
    assert recorder.requests == []
