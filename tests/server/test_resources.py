"""What can be read at an address: the facts and words of three tools, for both protocol generations."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client, types
from mcp.shared.exceptions import MCPError
from support.calls import BOTH_ERAS, BUY, Era, text, ticket_id

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.config import load
from gunbot_mcp.domain import Effect
from gunbot_mcp.render import ERROR_META
from gunbot_mcp.runtime import Runtime, Seams
from gunbot_mcp.server.app import build_server
from gunbot_mcp.server.resources import READINGS, STRUCTURED_META, reading_at
from gunbot_mcp.tools.inventory import inventory

if TYPE_CHECKING:
    from pathlib import Path

    from support.recorder import Recorder

pytestmark = pytest.mark.anyio


def at_one_instant() -> Seams:
    """Return a clock that stands still: two answers, one after the other, are of the same time."""
    return Seams(clock=ManualClock(datetime.now(UTC)))


async def _read(client: Client, uri: str) -> types.TextResourceContents:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, types.TextResourceContents)
    assert content.uri == uri
    return content


@BOTH_ERAS
@pytest.mark.parametrize(
    ("uri", "tool"), [("gunbot://capabilities", "list_exchanges"), ("gunbot://limits", "get_limits")]
)
async def test_a_resource_has_the_facts_and_the_words_of_its_tool(era: Era, uri: str, tool: str) -> None:
    async with Runtime(load(), seams=at_one_instant()) as runtime, Client(build_server(runtime), mode=era) as client:
        content, called = await _read(client, uri), await client.call_tool(tool, {})

    assert content.mime_type == "text/plain"
    assert content.text == text(called)
    assert (content.meta or {})[STRUCTURED_META] == called.structured_content


@BOTH_ERAS
async def test_a_tickets_resource_says_what_get_ticket_says(era: Era) -> None:
    async with Runtime(load(), seams=at_one_instant()) as runtime, Client(build_server(runtime), mode=era) as client:
        ticket = ticket_id(await client.call_tool("buy_limit", {**BUY, "price": 49999}))
        await client.call_tool("withdraw_ticket", {"ticket_id": ticket})
        content = await _read(client, f"gunbot://tickets/{ticket}")
        called = await client.call_tool("get_ticket", {"ticket_id": ticket})

    assert content.text == text(called)
    assert (content.meta or {})[STRUCTURED_META] == called.structured_content


@BOTH_ERAS
async def test_what_is_listed_can_be_read_and_the_rest_is_a_template(runtime: Runtime, era: Era) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        listed = {resource.uri: resource for resource in (await client.list_resources()).resources}
        templates = (await client.list_resource_templates()).resource_templates
        for uri, resource in listed.items():
            assert (await _read(client, uri)).mime_type == resource.mime_type

    assert {"gunbot://capabilities", "gunbot://limits", "ui://gunbot-mcp/ticket.html"} <= set(listed)
    assert [template.uri_template for template in templates] == ["gunbot://tickets/{id}"]
    assert all(found.description and found.title for found in templates)


STRANGE = (
    "gunbot://tickets/nosuchticket",
    "gunbot://tickets/",
    "gunbot://tickets/../limits",
    "gunbot://tickets/A%20B",
    "gunbot://tickets/" + "a" * 33,
    "gunbot://tickets/{id}",
    "gunbot://limits/",
    "gunbot://LIMITS",
    "gunbot://limits?x=1",
    "skill://no-such-skill/SKILL.md",
    "skill://placing-orders/../../app.py",
    "ui://gunbot-mcp/other.html",
    "file:///etc/passwd",
    "x",
)


@BOTH_ERAS
@pytest.mark.parametrize("uri", STRANGE)
async def test_where_nothing_is_the_answer_is_invalid_params_with_the_address(
    runtime: Runtime, era: Era, uri: str
) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)

    data: Any = caught.value.data
    assert caught.value.code == types.INVALID_PARAMS
    assert data["uri"] == uri
    assert len(caught.value.message) < 400


@BOTH_ERAS
async def test_what_cannot_be_read_now_is_an_error_with_our_code(clean_environment: "Path", era: Era) -> None:
    clean_environment.mkdir()
    (clean_environment / "ledger.sqlite3").write_bytes(b"no database" * 100)
    async with Runtime(load()) as runtime, Client(build_server(runtime), mode=era) as client:
        called = await client.call_tool("get_limits", {})
        with pytest.raises(MCPError) as caught:
            await client.read_resource("gunbot://limits")

    data: Any = caught.value.data
    assert caught.value.code == types.INTERNAL_ERROR
    assert (called.meta or {})[ERROR_META] == {name: data[name] for name in ("code", "message", "hint", "retryable")}
    assert caught.value.message == text(called)


async def test_reading_asks_gunbot_for_no_more_than_the_tool_does(runtime: Runtime, recorder: "Recorder") -> None:
    async with Client(build_server(runtime), mode="auto") as client:
        await client.read_resource("gunbot://capabilities")
        await client.read_resource("gunbot://limits")

    assert recorder.requests == []


async def test_every_address_leads_to_a_read() -> None:
    effects = {tool.name: tool.effect for tool in inventory()}

    for reading in READINGS:
        assert effects[reading.tool] is Effect.READ
        assert reading_at(reading.uri.replace("{id}", "k7x2mp9q")) is not None
