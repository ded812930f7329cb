"""No exception leaves a handler: what a client is told of a fault is a code, and never its text."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from mcp import Client, types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from support.calls import BOTH_ERAS, Era

from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server
from gunbot_mcp.server.edge import kept
from gunbot_mcp.server.icon import SVG

pytestmark = pytest.mark.anyio

HANDLED = (
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "subscriptions/listen",
    "skills/list",
    "skills/get",
)


LOOKS_AT_NOTHING = {"resources/templates/list", "prompts/list"}


async def _fault_of(handler: Callable[[Any, Any], Awaitable[object]], context: object) -> MCPError | None:
    try:
        await handler(context, None)
    except MCPError as exc:
        return exc
    return None


def _context(method: str) -> ServerRequestContext[Any, Any]:
    return ServerRequestContext(
        session=cast("Any", None), lifespan_context={}, protocol_version="2025-11-25", method=method
    )


@pytest.mark.parametrize("method", HANDLED)
async def test_every_handler_of_the_server_keeps_its_faults_to_itself(
    runtime: Runtime, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    entry = build_server(runtime).get_request_handler(method)
    assert entry is not None

    # Nothing of what the SDK promises is there: whatever the handler looks at fails.
    with caplog.at_level(logging.CRITICAL):
        fault = await _fault_of(entry.handler, _context(method))

    if method in LOOKS_AT_NOTHING:
        assert fault is None
    else:
        assert fault is not None
        assert fault.code in {types.INTERNAL_ERROR, types.INVALID_REQUEST}
        assert "NoneType" not in fault.message


async def test_a_fault_is_logged_and_its_text_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(ctx: object, params: object) -> None:
        raise RuntimeError(f"a detail about {params}{ctx!r:.0}")

    with pytest.raises(MCPError) as caught:
        await kept(broken)(_context("tools/list"), "something")

    assert caught.value.message.startswith("internal: gunbot-mcp itself failed")
    assert caught.value.__suppress_context__
    assert "a detail about something" in caplog.text


@pytest.mark.parametrize("error", [ConfigInvalid("the token hush-hush-hush is wrong", "repair it")])
async def test_an_error_of_ours_keeps_its_code_and_loses_its_secrets(error: GunbotMcpError) -> None:
    async def refusing(ctx: object, params: object) -> None:
        del ctx, params
        raise error

    with pytest.raises(MCPError) as caught:
        await kept(refusing, ("hush-hush-hush",))(_context("tools/list"), None)

    data: Any = caught.value.data
    assert (data["code"], data["hint"]) == ("config_invalid", "repair it")
    assert "hush" not in caught.value.message + str(data)


async def test_an_answer_of_the_protocol_passes() -> None:
    async def answering(ctx: object, params: int) -> int:
        del ctx
        return params + 1

    assert await kept(answering)(_context("ping"), 1) == 2


@BOTH_ERAS
async def test_the_server_has_an_icon_of_its_own_that_costs_little(runtime: Runtime, era: Era) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        info, listed = client.server_info, await client.list_tools()

    assert info is not None
    (icon,) = info.icons or []
    assert icon.src.startswith("data:image/svg+xml;base64,")
    assert " " not in icon.src
    # Every result of 2026-07-28 carries it.
    assert len(icon.src) < 300
    assert all(tool.icons is None for tool in listed.tools)
    assert "script" not in SVG
