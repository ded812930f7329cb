"""serve over stdio, as clients start it: a child process whose stdout is the protocol's and nobody else's."""

import json
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client, StdioServerParameters
from support.calls import BUY
from support.live import TOKEN

from gunbot_mcp.render import ERROR_META
from gunbot_mcp.server.tools import tools

if TYPE_CHECKING:
    from pathlib import Path

    from support.live import LiveGunbot
    from support.recorder import Recorder

HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "tests", "version": "1"},
}


class Child:
    """A server process, spoken to in raw lines."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._last = 0

    def write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        self.lines.append(self.process.stdout.readline())
        return json.loads(self.lines[-1])

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._last += 1
        self.write(json.dumps({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params}))
        return self.read()

    def end(self) -> tuple[int, str, str]:
        """Close stdin and return exit code, the rest of stdout, and stderr."""
        rest, errors = self.process.communicate(timeout=30)
        return self.process.returncode, rest, errors


@contextmanager
def _started(command: list[str], environment: dict[str, str]) -> Generator[Child]:
    with subprocess.Popen(
        [*command, "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment,
    ) as process:
        try:
            yield Child(process)
        finally:
            process.kill()


def test_a_session_is_protocol_on_stdout_logs_on_stderr_and_a_clean_end(
    command: list[str], child_environment: dict[str, str], recorder: "Recorder", token: str
) -> None:
    live = {**child_environment, "GUNBOT_URL": recorder.url, "GUNBOT_TOKEN": token, "GUNBOT_MCP_LOG": "debug"}
    buy = {"exchange": "binance", "pair": "USDT-BTC", "amount": 1e300, "price": 1}

    with _started(command, live) as child:
        hello = child.ask("initialize", HELLO)
        child.write('{"jsonrpc":"2.0","method":"notifications/initialized"}')
        listed = child.ask("tools/list", {})
        orders = child.ask("tools/call", {"name": "list_orders", "arguments": {"key": "binance/USDT-BTC"}})
        refused = child.ask("tools/call", {"name": "buy_limit", "arguments": buy})
        code, rest, errors = child.end()

    assert hello["result"]["serverInfo"]["name"] == "gunbot-mcp"
    assert [tool["name"] for tool in listed["result"]["tools"]] == [tool.name for tool in tools()]
    assert len(orders["result"]["structuredContent"]["rows"]) == 4
    assert refused["result"]["_meta"][ERROR_META]["code"] == "invalid_arguments"
    assert (code, rest) == (0, "")
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in child.lines)
    assert "DEBUG" in errors
    assert "Traceback" not in errors
    assert token not in errors
    assert [request.path for request in recorder.requests] == ["/api/v1/orders"]


NO_ORDER = (
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "1" + "0" * 400,
    "1" + "0" * 5000,
    "0",
    "-0.0",
    '"1"',
    "true",
    "1e-400",
)
JUNK = ("junk", "{}", "[]", "null", '{"jsonrpc":"2.0"}', "\x00", '{"a":' * 1000, "é\u202e")


def test_what_no_order_can_have_and_what_is_no_request_ends_nothing(
    command: list[str], child_environment: dict[str, str]
) -> None:
    with _started(command, child_environment) as child:
        child.ask("initialize", HELLO)
        child.write('{"jsonrpc":"2.0","method":"notifications/initialized"}')
        for number in NO_ORDER:
            child.write(
                '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"buy_limit","arguments":'
                f'{{"exchange":"binance","pair":"USDT-BTC","amount":{number},"price":1}}}}}}'
            )
            # What JSON itself does not allow gets no answer, or the protocol's own parse error.
            child.write('{"jsonrpc":"2.0","id":8,"method":"ping"}')
            while (answer := child.read()).get("id") != 8:
                if answer.get("id") == 7 and "result" in answer:
                    error = answer["result"]["_meta"][ERROR_META]
                    assert "structuredContent" not in answer["result"]
                    assert (error["code"], "amount" in error["message"]) == ("invalid_arguments", True)
        for junk in JUNK:
            child.write(junk)
        child.write('{"jsonrpc":"2.0","id":9,"method":"ping"}')
        while (answer := child.read()).get("id") != 9:
            assert "result" not in answer
        code, rest, errors = child.end()

    assert answer["result"] == {}
    assert (code, rest) == (0, "")
    assert "Traceback" not in errors


def test_the_end_of_input_before_any_word_is_a_clean_end(command: list[str], child_environment: dict[str, str]) -> None:
    with _started(command, child_environment) as child:
        assert child.end() == (0, "", "")


def test_a_broken_config_file_is_one_line_that_names_the_key(
    command: list[str], child_environment: dict[str, str], tmp_path: "Path"
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[instances.a]\nmodee = "auto"\n', encoding="utf-8")

    with _started(command, {**child_environment, "GUNBOT_MCP_CONFIG": str(file)}) as child:
        code, rest, errors = child.end()

    assert (code, rest) == (1, "")
    assert errors.startswith("gunbot-mcp: config_invalid: instances.a.modee: is not a known key")
    assert errors.count("\n") == 1


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_clients_of_both_generations_list_and_call(
    command: list[str], child_environment: dict[str, str], mode: str
) -> None:
    server = StdioServerParameters(command=command[0], args=[*command[1:], "serve"], env=child_environment)

    async with Client(server, mode=mode) as client:
        listed = await client.list_tools()
        result = await client.call_tool("list_exchanges", {})

    assert [tool.name for tool in listed.tools] == [tool.name for tool in tools()]
    assert not result.is_error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_end_of_input(
    command: list[str], child_environment: dict[str, str], number: signal.Signals
) -> None:
    with _started(command, child_environment) as child:
        child.ask("initialize", HELLO)
        child.process.send_signal(number)
        assert child.process.wait(30) == 128 + number
        assert child.process.stderr is not None
        assert child.process.stderr.read() == ""


def test_an_order_that_is_on_its_way_when_a_signal_comes_is_recorded(
    command: list[str], child_environment: dict[str, str], live_gunbot: "LiveGunbot"
) -> None:
    environment = {**child_environment, "GUNBOT_URL": live_gunbot.url, "GUNBOT_TOKEN": TOKEN}
    live_gunbot.hold = "answer"
    asking: dict[str, Any] = {**HELLO, "capabilities": {"elicitation": {}}}
    with _started(command, environment) as child:
        child.ask("initialize", asking)
        child.write('{"jsonrpc":"2.0","method":"notifications/initialized"}')
        call = {"name": "buy_limit", "arguments": BUY}
        child.write(json.dumps({"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": call}))
        form = child.read()
        answer = {"action": "accept", "content": {"decision": "approve"}}
        child.write(json.dumps({"jsonrpc": "2.0", "id": form["id"], "result": answer}))
        assert live_gunbot.held.wait(60)
        child.process.send_signal(signal.SIGTERM)
        live_gunbot.release()
        assert child.process.wait(30) == 128 + signal.SIGTERM
    done = subprocess.run([*command, "tickets", "--all"], env=environment, capture_output=True, text=True, check=True)
    assert "  accepted  LIVE  Buy 0.001 BTC" in done.stdout
    assert len(live_gunbot.trades) == 1


EARLY = """
import anyio, signal
from gunbot_mcp.config import load
from gunbot_mcp.server.stdio import serve_stdio
print("ended by", anyio.run(serve_stdio, load(), [signal.SIGINT]))
"""


def test_a_signal_that_was_noted_before_it_could_be_heard_ends_the_server_at_once(
    command: list[str], child_environment: dict[str, str]
) -> None:
    with subprocess.Popen(
        [command[0], "-c", EARLY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=child_environment
    ) as child:
        assert child.wait(60) == 0, "it waits for its stdin"
        assert child.stdout is not None
        assert child.stdout.read() == "ended by 2\n"
