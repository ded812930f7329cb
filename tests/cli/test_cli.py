"""The command line: JSON out, one clear line per failure, an exit code, never a traceback."""

import json
import subprocess
from typing import TYPE_CHECKING, Any

import click
import pytest
from support.recorder import recorded

from gunbot_mcp import __version__
from gunbot_mcp.cli import cli, run
from gunbot_mcp.errors import ReadOnly

if TYPE_CHECKING:
    from support.recorder import Recorder

ORDERS = '{"key": "binance/USDT-BTC"}'
BUY: dict[str, Any] = {"exchange": "binance", "pair": "USDT-BTC", "amount": 1, "price": 50000}


@pytest.fixture
def live(recorder: "Recorder", monkeypatch: pytest.MonkeyPatch, token: str) -> "Recorder":
    """The recorder as the live Gunbot of the environment."""
    monkeypatch.setenv("GUNBOT_URL", recorder.url)
    monkeypatch.setenv("GUNBOT_TOKEN", token)
    return recorder


def _failed(capsys: pytest.CaptureFixture[str], starts: str) -> str:
    """Check that stderr is one clear line, and return stdout."""
    out, err = capsys.readouterr()
    assert err.startswith(f"gunbot-mcp: {starts}")
    assert err.count("\n") == 1
    assert err.strip().isprintable()
    return out


def test_call_prints_the_answer_as_json(live: "Recorder", capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "list_orders", ORDERS]) == 0

    out, err = capsys.readouterr()
    assert json.loads(out)["rows"][0][0] == 1731617894238
    assert err == ""
    assert [request.target for request in live.requests] == ["/api/v1/orders?key=binance%2FUSDT-BTC"]


def test_call_prints_the_answer_as_text_if_asked(live: "Recorder", capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "--text", "list_orders", ORDERS]) == 0

    assert capsys.readouterr().out.startswith("4 orders that Gunbot has stored for binance/USDT-BTC")
    assert len(live.requests) == 1


def test_call_without_arguments_is_an_empty_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "list_exchanges"]) == 0

    assert "binance" in capsys.readouterr().out


def test_call_keeps_letters_of_all_languages(live: "Recorder", capsys: pytest.CaptureFixture[str]) -> None:
    live.on("/orders", live.json({"data": [{"note": "größer 大"}]}))

    assert run(["call", "list_orders", ORDERS]) == 0
    assert "größer 大" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{", "the arguments are not JSON"),
        ("", "the arguments are not JSON"),
        ("pair=USDT-BTC", "the arguments are not JSON"),
        ("[" * 100_000, "the arguments are not JSON"),
        ("[]", "arguments must be a JSON object"),
        ("null", "arguments must be a JSON object"),
        ('{"key": 5}', "key must be a string"),
        ('{"key": "binance/USDT-BTC", "key": "binance/USDT-ETH"}', "'key' is given twice"),
        ('{"kee": "binance/USDT-BTC"}', "unknown argument 'kee'"),
        ('{"key": ' + "1" * 5000 + "}", "a number among the arguments is too long"),
    ],
    ids=lambda value: value[:20],
)
def test_bad_arguments_are_one_line_and_nothing_is_sent(
    live: "Recorder", capsys: pytest.CaptureFixture[str], arguments: str, said: str
) -> None:
    assert run(["call", "list_orders", arguments]) == 1

    _, err = capsys.readouterr()
    assert err.startswith("gunbot-mcp: invalid_arguments: ")
    assert said in err
    assert err.count("\n") == 1
    assert live.requests == []


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity", "1" + "0" * 400, "0", '"1"', "true", "null"])
def test_a_number_that_no_order_can_have_is_refused_from_raw_json(
    live: "Recorder", capsys: pytest.CaptureFixture[str], number: str
) -> None:
    arguments = json.dumps(BUY).replace('"amount": 1', f'"amount": {number}')

    assert run(["call", "buy_limit", arguments]) == 1
    error = json.loads(_failed(capsys, "invalid_arguments: "))["error"]
    assert error["code"] == "invalid_arguments"
    assert "amount" in error["message"]
    assert live.requests == []


def test_an_unknown_tool_is_one_line_with_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "buy_limt"]) == 1

    error = json.loads(_failed(capsys, "unknown_tool: "))["error"]
    assert error["hint"] == "did you mean buy_limit?"


def test_what_gunbot_refuses_is_an_exit_code_too(
    live: "Recorder", capsys: pytest.CaptureFixture[str], token: str
) -> None:
    live.on("*", live.json({"status": "error", "message": f"no, {token}"}, 401))

    assert run(["call", "list_orders", ORDERS]) == 1
    out = _failed(capsys, "unauthorized: ")
    assert json.loads(out)["error"]["code"] == "unauthorized"
    assert token not in out


def test_what_is_not_supported_is_refused_before_anything_is_sent(
    capsys: pytest.CaptureFixture[str], recorder: "Recorder"
) -> None:
    order = {**BUY, "exchange": "kraken", "stop_price": 1, "limit_price": 2}
    del order["price"]

    assert run(["call", "buy_stop_limit", json.dumps(order)], seams=recorded(recorder)) == 1
    _failed(capsys, "not_supported: ")
    assert [request for request in recorder.requests if "/trade/" in request.path] == []


def test_read_only_refuses_orders(
    live: "Recorder", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "read-only")

    assert run(["call", "buy_limit", json.dumps(BUY)]) == 1
    _failed(capsys, "read_only: ")
    assert live.requests == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["call"], "Missing argument 'TOOL'"),
        (["call", "--nonsense", "x"], "No such option"),
        (["call", "a", "{}", "c"], "unexpected extra argument"),
        (["serve", "--http"], "requires an argument"),
        (["--nonsense"], "No such option"),
        (["\u202ecall\x1b[31m"], "No such command"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(arguments) == 2

    _, err = capsys.readouterr()
    assert said in err
    assert err.startswith("gunbot-mcp: ")
    assert err.count("\n") == 1
    assert err.strip().isprintable()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GUNBOT_MCP_CONFIG", "/nowhere/config.toml"),
        ("GUNBOT_URL", "https://gunbot.example"),
        ("GUNBOT_URL", "https://gunbot.example:abc"),
        ("GUNBOT_MCP_APPROVAL_WAIT", "long"),
        ("GUNBOT_MCP_INSTANCE", "none"),
    ],
)
@pytest.mark.parametrize("arguments", [["call", "list_exchanges"], ["serve"], ["serve", "--http", "127.0.0.1:0"]])
def test_a_broken_config_is_one_line_for_every_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    assert run(arguments) == 1
    assert _failed(capsys, "config_invalid: ") == ""


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.168.0.1:80", "nonsense"])
def test_serving_elsewhere_than_on_loopback_is_one_line(capsys: pytest.CaptureFixture[str], address: str) -> None:
    assert run(["serve", "--http", address]) == 1

    assert _failed(capsys, "config_invalid: --http") == ""


def test_a_token_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_URL", "https://gunbot.example")
    monkeypatch.setenv("GUNBOT_TOKEN", "tökén")

    assert run(["call", "list_exchanges"]) == 1
    assert _failed(capsys, "config_invalid: the token") == ""


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("name", ["call", "serve"])
def test_a_command_explains_itself(capsys: pytest.CaptureFixture[str], name: str, option: str) -> None:
    assert run([name, option]) == 0

    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: gunbot-mcp {name}")
    assert err == ""


def test_help_names_every_command_and_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0

    out = capsys.readouterr().out
    for name in cli.list_commands(click.Context(cli)):
        [line] = [line for line in out.splitlines() if line.split()[:1] == [name]]
        assert len(line.split()) > 2
        assert run([name, "--help"]) == 0


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def _ending_with(fault: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise fault

    return command


def test_interrupting_is_one_line_and_its_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([], commands=_ending_with(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.strip() == "gunbot-mcp: interrupted"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ZeroDivisionError("inside"), "internal: ZeroDivisionError: inside"),
        (ExceptionGroup("several", [ValueError("a")]), "internal: ValueError: a"),
        (ExceptionGroup("several", [ValueError("a"), ExceptionGroup("", [ReadOnly("b")])]), "read_only: b"),
        (PermissionError(13, "Permission denied", "/state"), "Permission denied: /state"),
    ],
)
def test_a_fault_of_ours_is_one_line_and_no_traceback(
    capsys: pytest.CaptureFixture[str], fault: Exception, said: str
) -> None:
    assert run([], commands=_ending_with(fault)) == 1
    _failed(capsys, said)


def test_a_reader_that_goes_away_ends_it_without_a_word(command: list[str], child_environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*command, "call", "list_exchanges"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**child_environment, "GUNBOT_MCP_LOG": "nonsense"},
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        code = process.wait(30)

    assert (code, errors) == (1, "")


def test_an_order_that_came_to_nothing_is_one_line_on_stderr_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    cancel = {"exchange": "binance", "pair": "USDT-BTC", "order_id": "1", "price": 5, "order_type": "limit"}

    assert run(["call", "cancel_order", json.dumps(cancel)]) == 1
    assert json.loads(_failed(capsys, "rejected: Gunbot said no"))["status"] == "rejected"
