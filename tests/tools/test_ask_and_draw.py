"""`query_orders` and `chart_orders` over the mirror of a running instance, as clients get them."""

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client

from gunbot_mcp.config import load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.history.schema_text import SCHEMA_URI, schema_text
from gunbot_mcp.render import CHART_META, Answer
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server
from gunbot_mcp.server.tools import CHART_URI

KEY = "binance/USDT-BTC"
BUY = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.0005, "price": 0}


pytestmark = pytest.mark.anyio


@asynccontextmanager
async def trading(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Runtime]:
    """Run a paper instance that bought once and sold a part of it."""
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    async with Runtime(load()) as runtime:
        for tool, amount in (("buy_market", 0.0005), ("sell_market", 0.0002)):
            assert (await asked(runtime, tool, {**BUY, "amount": amount})).structured["status"] == "accepted"
        yield runtime


async def asked(runtime: Runtime, tool: str, arguments: dict[str, Any], *, card: bool = False) -> Answer:
    answer = await runtime.dispatcher.call(tool, arguments, Caller(name="tests", shows_card=card))
    assert isinstance(answer, Answer)
    return answer


async def test_a_query_answers_over_all_known_keys_and_its_coverage_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trading(monkeypatch) as runtime:
        sql = "SELECT key, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY ALL"

        answer = await asked(runtime, "query_orders", {"sql": sql})

        first, count, header, row = answer.text.splitlines()
        assert first.startswith("Covers ")
        assert ", 2 records, " in first
        assert (count, header, row) == ("1 row", "key,orders,amount", f"{KEY},2,0.0007")
        assert answer.structured["rows"] == [[KEY, 2, 0.0007]]
        assert answer.structured["covers"]["records"] == 2


async def test_a_query_sees_the_asked_keys_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(monkeypatch) as runtime:
        answer = await asked(runtime, "query_orders", {"sql": "SELECT key FROM orders", "keys": ["binance/USDT-ETH"]})

        assert answer.structured["rows"] == []


async def test_a_query_finds_which_orders_a_ticket_placed_and_who_approved(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(monkeypatch) as runtime:
        sql = "SELECT side, client, approved_by FROM fills_by_ticket JOIN orders USING (key, id) ORDER BY time"

        answer = await asked(runtime, "query_orders", {"sql": sql})

        assert [row[:2] for row in answer.structured["rows"]] == [["buy", "tests"], ["sell", "tests"]]


async def test_more_rows_than_were_asked_for_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(monkeypatch) as runtime:
        answer = await asked(runtime, "query_orders", {"sql": "SELECT * FROM range(50)", "max_rows": 10})

        assert len(answer.structured["rows"]) == 10
        assert answer.structured["more"] is True
        assert "10 rows, and there are more: aggregate, or use LIMIT and OFFSET" in answer.text


async def test_a_query_that_is_wrong_is_an_error_with_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(monkeypatch) as runtime:
        answer = await asked(runtime, "query_orders", {"sql": "SELECT profit FROM orders"})

        assert answer.error["code"] == "invalid_arguments"
        assert "line 1, character 8 (at 'profit FROM orders')" in answer.text
        assert "orders has key, exchange, pair" in answer.text


async def test_a_chart_is_a_picture_beside_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(monkeypatch) as runtime:
        async with Client(build_server(runtime)) as client:
            result = await client.call_tool("chart_orders", {"chart": "holdings", "since": "today"})

        words, picture = result.content
        assert words.type == "text"
        assert picture.type == "image"
        assert picture.mime_type == "image/png"
        assert base64.b64decode(picture.data).startswith(b"\x89PNG")
        assert "BTC,0.00,0.00" not in words.text
        assert f"{KEY},BTC,0,0,0.0005,0.0003" in words.text


async def test_only_a_client_that_shows_views_gets_the_drawing_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(monkeypatch) as runtime:
        plain, card = [await asked(runtime, "chart_orders", {"chart": "fills"}, card=card) for card in (False, True)]

        assert plain.meta == {}
        assert str(card.meta[CHART_META]["svg"]).startswith("<svg")
        assert plain.text.splitlines()[1:] == card.text.splitlines()[1:]


@pytest.mark.parametrize(
    "arguments", [{"chart": "pie"}, {"chart": "pnl", "since": "whenever"}, {"chart": "pnl", "asset": "A B"}]
)
async def test_strange_arguments_of_a_chart_are_refused(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    async with trading(monkeypatch) as runtime:
        assert (await asked(runtime, "chart_orders", arguments)).error["code"] == "invalid_arguments"


async def test_the_schema_and_the_chart_s_view_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(monkeypatch) as runtime:
        async with Client(build_server(runtime)) as client:
            listed = {str(resource.uri): resource.mime_type for resource in (await client.list_resources()).resources}
            told = (await client.read_resource(SCHEMA_URI)).contents[0]
            view = (await client.read_resource(CHART_URI)).contents[0]

        assert listed[SCHEMA_URI] == "text/markdown"
        assert listed[CHART_URI] == "text/html;profile=mcp-app"
        assert getattr(told, "text", "") == schema_text()
        assert "ui/initialize" in getattr(view, "text", "")


async def test_the_chart_s_tool_names_its_view(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(monkeypatch) as runtime:
        async with Client(build_server(runtime)) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}

        assert (tools["chart_orders"].meta or {})["ui/resourceUri"] == CHART_URI
        assert tools["query_orders"].meta is None
