"""The config becomes read-only while the server runs: clients of both generations hear that their lists changed."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from mcp import Client, StdioServerParameters, types
from mcp.client.subscriptions import ResourcesListChanged, Subscription, ToolsListChanged
from support.calls import call
from support.served import over_http

from gunbot_mcp.config import load
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import GunbotServer, build_server

pytestmark = pytest.mark.anyio

APPROVE, READ_ONLY = 'mode = "approve"\n', 'mode = "read-only"\n'
OFTEN = 0.01


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(APPROVE, encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(file))
    return file


def _say(config: Path, text: str) -> None:
    config.write_text(text, encoding="utf-8")


class Heard:
    """What a handshake-era client was notified of."""

    def __init__(self) -> None:
        self.methods: list[str] = []
        self._news = anyio.Event()

    async def __call__(self, message: object) -> None:
        self.methods.append(str(getattr(message, "method", message)))
        self._news.set()
        self._news = anyio.Event()

    async def until(self, method: str, times: int = 1) -> None:
        with anyio.fail_after(30):
            while self.methods.count(method) < times:
                await self._news.wait()


TOOLS, RESOURCES = "notifications/tools/list_changed", "notifications/resources/list_changed"


async def _names(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


async def _next(subscription: Subscription) -> object:
    with anyio.fail_after(30):
        return await anext(aiter(subscription))


async def _both(subscription: Subscription) -> set[object]:
    return {type(await _next(subscription)), type(await _next(subscription))}


async def _handshake_client_hears(client: Client, heard: Heard, config: Path) -> None:
    assert "buy_limit" in await _names(client)
    for times, (mode, there) in enumerate(((READ_ONLY, False), (APPROVE, True)), start=1):
        _say(config, mode)
        await heard.until(TOOLS, times)
        await heard.until(RESOURCES, times)
        assert ("buy_limit" in await _names(client)) is there


async def _listening_client_hears(client: Client, config: Path) -> None:
    assert "buy_limit" in await _names(client)
    async with client.listen(tools_list_changed=True, resources_list_changed=True) as news:
        for mode, there in ((READ_ONLY, False), (APPROVE, True)):
            _say(config, mode)
            assert await _both(news) == {ToolsListChanged, ResourcesListChanged}
            # The client has kept the list, and asks anew because it was told.
            assert ("buy_limit" in await _names(client)) is there


@asynccontextmanager
async def _server() -> AsyncGenerator[GunbotServer]:
    async with Runtime(load()) as runtime:
        yield build_server(runtime, look_every=OFTEN)


async def test_a_handshake_client_is_notified_in_memory(config: Path) -> None:
    heard = Heard()
    async with _server() as server, Client(server, mode="legacy", message_handler=heard) as client:
        capabilities = client.server_capabilities
        await _handshake_client_hears(client, heard, config)

    assert capabilities is not None
    assert capabilities.tools is not None
    assert capabilities.tools.list_changed is True


async def test_a_client_of_2026_07_28_hears_it_on_the_stream_it_opened_in_memory(config: Path) -> None:
    async with _server() as server, Client(server, mode="auto") as client:
        await _listening_client_hears(client, config)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_clients_hear_it_over_stdio(
    command: list[str], child_environment: dict[str, str], config: Path, mode: str
) -> None:
    environment = {**child_environment, "GUNBOT_MCP_CONFIG": str(config)}
    server, heard = StdioServerParameters(command=command[0], args=[*command[1:], "serve"], env=environment), Heard()

    async with Client(server, mode=mode, message_handler=heard) as client:
        if mode == "legacy":
            await _handshake_client_hears(client, heard, config)
        else:
            await _listening_client_hears(client, config)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_clients_hear_it_over_http(child_environment: dict[str, str], config: Path, mode: str) -> None:
    heard = Heard()
    with over_http({**child_environment, "GUNBOT_MCP_CONFIG": str(config)}) as (url, process):
        async with Client(url, mode=mode, message_handler=heard) as client:
            if mode == "legacy":
                await _handshake_client_hears(client, heard, config)
            else:
                await _listening_client_hears(client, config)
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.slow
async def test_a_stream_that_is_open_does_not_hold_up_the_end_of_the_server(
    child_environment: dict[str, str],
) -> None:
    with over_http(child_environment) as (url, process):
        async with Client(url, mode="auto") as client, client.listen(tools_list_changed=True) as news:
            process.terminate()
            with anyio.fail_after(30):
                assert [event async for event in news] == []  # a graceful end, or this would raise
            assert process.stderr is not None
            errors = await anyio.to_thread.run_sync(process.stderr.read)

    assert (process.wait(30), errors) == (0, "")


async def test_nobody_is_told_what_has_not_changed(config: Path) -> None:
    heard = Heard()
    async with Runtime(load()) as runtime:
        server = build_server(runtime, look_every=3600)
        async with Client(server, mode="legacy", message_handler=heard) as client:
            for text in ("# a comment\n" + APPROVE, 'mode = "auto"\n', 'mode = "broken\n'):
                _say(config, text)
                await server.changes.look()
            assert "buy_limit" in await _names(client)
            _say(config, READ_ONLY)
            await server.changes.look()
            await server.changes.look()
            await heard.until(RESOURCES)

    assert heard.methods.count(TOOLS) == heard.methods.count(RESOURCES) == 1


async def test_a_call_from_a_list_that_has_gone_out_of_date_is_refused(config: Path) -> None:
    async with Runtime(load()) as runtime, Client(build_server(runtime, look_every=3600), mode="auto") as client:
        assert "buy_limit" in await _names(client)
        _say(config, READ_ONLY)
        assert "buy_limit" in await _names(client)  # kept for its time to live: nobody listened
        assert await call(client) == "read_only"


async def test_many_clients_that_have_gone_cost_nothing(config: Path) -> None:
    heard = Heard()
    async with _server() as server:
        for _ in itertools.repeat(None, 5):
            async with Client(server, mode="legacy"):
                pass
        async with Client(server, mode="legacy", message_handler=heard) as client:
            assert "buy_limit" in await _names(client)
            _say(config, READ_ONLY)
            await heard.until(TOOLS)
            assert "buy_limit" not in await _names(client)


async def test_without_a_config_file_nothing_is_watched() -> None:
    async with Runtime(load()) as runtime, Client(build_server(runtime, look_every=OFTEN), mode="auto") as client:
        assert (await client.list_tools()).tools
        assert isinstance(client.server_capabilities, types.ServerCapabilities)
