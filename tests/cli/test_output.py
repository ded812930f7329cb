"""What a command prints cannot steer a terminal, whatever Gunbot, a client or an exchange has said."""

import io
import json
import unicodedata
from typing import TYPE_CHECKING, Any

import click
import pytest
from support.terminals import Terminal

from gunbot_mcp.cli import run
from gunbot_mcp.cli.output import CleanText, printable, printable_json
from gunbot_mcp.config import load
from gunbot_mcp.server.clients import ClientFacts, remember

if TYPE_CHECKING:
    from support.recorder import Recorder

EVIL = (
    "\x1b]0;owned\x07",  # the window's title
    "\x1b]52;c;cm0gLXJm\x1b\\",  # the clipboard
    "\x1b[2J\x1b[1;1H",  # the screen and the cursor
    "\x1b[8mhidden\x1b[28m",
    "\x1b[30;40mblack on black",
    "\x9b2J\x9d0;owned\x9c",  # the same as single characters of C1
    "\x85\x08\x08\x7f\x00\r",
    "\u202egnp.exe\u202c \u2066a\u2069 \u200f",  # bidi
    "\u200b\u2060\ufeff\u00ad\U000e0041",  # invisible
    "\u2028\u2029",
)
MESSAGE = "Authenticated " + "".join(EVIL) + "\n✓ ledger   sound: believe me"


@pytest.fixture
def live(recorder: "Recorder", monkeypatch: pytest.MonkeyPatch, token: str) -> "Recorder":
    """The recorder as the live Gunbot of the environment."""
    monkeypatch.setenv("GUNBOT_URL", recorder.url)
    monkeypatch.setenv("GUNBOT_TOKEN", token)
    return recorder


def steers(text: str) -> list[str]:
    """Return what could steer a terminal or deceive its reader; lines may end."""
    unseen = {"Cc", "Cf", "Zl", "Zp", "Cs"}
    return [mark for mark in text.replace("\r\n", "\n") if mark not in "\n\t" and unicodedata.category(mark) in unseen]


def test_doctor_shows_what_gunbot_and_a_client_say_of_themselves_as_plain_words_on_one_line(
    live: "Recorder", capsys: pytest.CaptureFixture[str]
) -> None:
    live.on("/auth/status", live.json({"status": "success", "message": MESSAGE}))
    evil = ClientFacts(name=MESSAGE, version="1", protocol=MESSAGE, shows_forms=True, shows_card=False)
    remember(load(), evil)
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert steers(shown) == []
    assert f"gateway  Gunbot at {live.url} answers: Authenticated" in " ".join(shown.split(" "))
    assert "client Authenticated" in shown
    assert [line for line in shown.splitlines() if line.startswith("✓ ledger")] == ["✓ ledger   sound: empty"]


def test_doctor_on_a_real_terminal_is_coloured_and_nothing_else(live: "Recorder") -> None:
    live.on("/auth/status", live.json({"status": "success", "message": MESSAGE}))
    terminal = Terminal("doctor")
    assert terminal.end() == 0
    assert "\x1b[32m" in terminal.shown
    plain = terminal.shown
    for colour in ("\x1b[32m", "\x1b[33m", "\x1b[90m", "\x1b[0m"):
        plain = plain.replace(colour, "")
    assert steers(plain) == []


@pytest.mark.parametrize("evil", EVIL)
def test_call_prints_json_that_is_safe_to_show_and_loses_nothing(
    evil: str, live: "Recorder", capsys: pytest.CaptureFixture[str]
) -> None:
    record = {"time": 1731617894238, "pair": "USDT-BTC", "type": "buy", "rate": 1, "amount": 1, "id": 7, "note": evil}
    live.on("/orders", live.json({"data": [record]}))
    assert run(["call", "list_orders", '{"key": "binance/USDT-BTC"}']) == 0
    shown = capsys.readouterr().out
    assert steers(shown) == []
    answer: dict[str, Any] = json.loads(shown)
    (row,) = answer["rows"]
    assert dict(zip(answer["columns"], row, strict=True))["note"] == evil
    assert run(["call", "--text", "list_orders", '{"key": "binance/USDT-BTC"}']) == 0
    assert steers(capsys.readouterr().out) == []


def test_every_write_of_every_command_goes_through_the_one_gate(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def careless() -> None:
        click.echo("".join(EVIL))
        click.echo("".join(EVIL), err=True)
        print("".join(EVIL))
        raise click.ClickException("".join(EVIL))

    assert run([], commands=careless) == 1
    captured = capsys.readouterr()
    assert steers(captured.out + captured.err) == []
    assert "hidden" in captured.out  # words stay, their disguise goes


def test_lines_tabs_and_readable_colours_stay_and_what_is_hidden_or_moved_does_not() -> None:
    own = "\x1b[1;36mtitle\x1b[0m\tcell\r\nline\n\x1b[32mok\x1b[39m \x1b[m"
    assert printable(own) == own
    assert printable("\x1b[8mx") == " [8mx"
    assert printable("\x1b[41mx\x1b[7my\x1b[38;5;0mz") == " [41mx [7my [38;5;0mz"
    assert printable("a\rb\x1b") == "a b "


def test_json_keeps_its_lines_and_its_values() -> None:
    value = {"a": "".join(EVIL) + "\U000e0041", "ü": "漢字 €"}
    text = json.dumps(value, ensure_ascii=False, indent=2)
    shown = printable_json(text)
    assert json.loads(shown) == value
    assert steers(shown) == []
    assert "漢字 €" in shown
    assert shown.count("\n") == text.count("\n")


def test_the_gate_is_a_text_stream_like_the_one_behind_it() -> None:
    behind = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
    gate = CleanText(behind)
    assert gate.write("\x1b[2Jx") == 5
    gate.flush()
    gate.close()
    assert not gate.closed
    assert (gate.encoding, gate.errors, gate.isatty(), gate.writable()) == ("utf-8", "replace", False, True)
    assert behind.detach().getvalue() == b" [2Jx"
