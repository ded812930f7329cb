"""serve over HTTP: on loopback only, for both protocol generations, and for nobody else's page."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client
from support.calls import error

from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.loopback import bind, url_of
from gunbot_mcp.server.http import parse_address
from gunbot_mcp.server.tools import tools

if TYPE_CHECKING:
    from support.recorder import Recorder

ROOT = Path(__file__).parent.parent.parent
LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The address of a server process that the tests of this module share."""
    home = tmp_path_factory.mktemp("home")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUNBOT")}
    with subprocess.Popen(
        [sys.executable, "-m", "gunbot_mcp", "serve", "--http", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": str(ROOT), "GUNBOT_MCP_HOME": str(home)},
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        yield line.removeprefix("listening on ").strip(), process
        process.kill()


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_clients_of_both_generations_list_and_call(served: tuple[str, object], mode: str) -> None:
    async with Client(served[0], mode=mode) as client:
        listed = await client.list_tools()
        result = await client.call_tool("list_exchanges", {})
        wrong = await client.call_tool("buy_limit", {"exchange": "binance"})

    assert [tool.name for tool in listed.tools] == [tool.name for tool in tools()]
    assert not result.is_error
    assert error(wrong)["code"] == "invalid_arguments"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "http://localhost.evil.example:80"},
    ],
    ids=str,
)
def test_foreign_hosts_and_origins_are_refused(served: tuple[str, object], headers: dict[str, str]) -> None:
    accept = {"Accept": "application/json, text/event-stream"}

    answer = httpx2.post(served[0], json=LIST, headers={**accept, **headers}, trust_env=False)

    assert answer.status_code in {403, 421}
    assert "buy_limit" not in answer.text


@pytest.mark.parametrize("path", ["/", "/tools", "/mcp/../", "/.env"])
def test_there_is_nothing_but_the_protocol(served: tuple[str, object], path: str) -> None:
    base = served[0].removesuffix("/mcp")

    assert httpx2.get(base + path, trust_env=False).status_code in {404, 405}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(
    command: list[str], child_environment: dict[str, str], number: signal.Signals
) -> None:
    with subprocess.Popen(
        [*command, "serve", "--http", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)

    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize(
    "address", ["0.0.0.0:0", "[::]:0", "192.168.1.5:80", "example.com:80", "gunbot:80", "127.0.0.1.evil.example:80"]
)
def test_addresses_beyond_loopback_are_refused(address: str) -> None:
    with pytest.raises(ConfigInvalid, match="loopback") as caught:
        parse_address(address)

    assert "reverse proxy" in caught.value.hint


@pytest.mark.parametrize(
    "address", ["", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:-1", ":65536", "[::1]"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigInvalid, match="HOST:PORT"):
        parse_address(address)


@pytest.mark.parametrize(
    ("address", "parsed"),
    [
        ("127.0.0.1:8765", ("127.0.0.1", 8765)),
        ("127.9.9.9:0", ("127.9.9.9", 0)),
        ("localhost:80", ("localhost", 80)),
        ("[::1]:80", ("::1", 80)),
        (":80", ("127.0.0.1", 80)),
    ],
)
def test_loopback_addresses_are_taken(address: str, parsed: tuple[str, int]) -> None:
    assert parse_address(address) == parsed


def test_a_port_that_is_taken_is_a_config_error(recorder: "Recorder") -> None:
    port = int(recorder.url.rpartition(":")[2])

    with pytest.raises(ConfigInvalid, match="the port is taken"):
        bind("127.0.0.1", port)


def test_port_zero_is_any_free_one() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
