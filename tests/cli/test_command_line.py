"""How the command line helps: groups, whole lines, the name that was meant, tables for people and JSON for programs."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click
import pytest
from cli.test_human import propose
from ledger.old_ledgers import restore_home, restore_sqlite
from support.pins import old_pin
from support.terminals import Terminal

from gunbot_mcp.approval.pin import has_pin
from gunbot_mcp.cli import cli, run
from gunbot_mcp.cli.groups import GROUPS, in_groups, short_help
from gunbot_mcp.cli.screen import table, wrapped
from gunbot_mcp.config import load
from gunbot_mcp.runtime import Runtime, state_folder
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.mandate import Mandate

if TYPE_CHECKING:
    from support.recorder import Recorder

NAMES = cli.list_commands(click.Context(cli))
Help = Callable[..., str]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_MCP_APPROVAL_WAIT", "0.1")


@pytest.fixture
def helped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Help:
    def read(*arguments: str, width: int = 80) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        assert run([*arguments, "--help"]) == 0
        return capsys.readouterr().out

    return read


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:  # noqa: ANN401 - any JSON value
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


# Help


def test_every_command_stands_in_one_group() -> None:
    members = [name for group in GROUPS.values() for name in group]
    assert len(members) == len(set(members))
    assert [name for name in NAMES if name not in members] == []


def test_a_command_without_a_group_is_shown_all_the_same() -> None:
    assert dict(in_groups(["serve", "brand-new"])) == {"For clients and developers": ["serve"], "More": ["brand-new"]}


@pytest.mark.parametrize("width", [80, 40, 200])
def test_help_shows_groups_and_every_line_whole(helped: Help, width: int) -> None:
    shown = helped(width=width)
    assert max(map(len, shown.splitlines())) <= min(width, 80)
    assert [title for title in GROUPS if f"\n{title}:\n" in shown] == list(GROUPS)
    words = " ".join(shown.split())
    for name in NAMES:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert f"{name} {short_help(command)}" in words
    assert "..." not in shown.replace("[ARGS]...", "")


@pytest.mark.parametrize("width", [80, 40])
@pytest.mark.parametrize("name", [*NAMES, "mandate create"])
def test_the_help_of_a_command_fits(helped: Help, width: int, name: str) -> None:
    shown = helped(*name.split(), width=width)
    # What has no spaces stays whole: the names of all clients in one word.
    assert [line for line in shown.splitlines() if len(line) > width and len(line.split()) > 1] == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["ledgr"], "ledger"),
        (["aprove", "x"], "approve"),
        (["ticket"], "tickets"),
        (["mandate", "lst"], "list"),
        (["mandat", "list"], "mandate"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(
    capsys: pytest.CaptureFixture[str], typed: list[str], meant: str
) -> None:
    assert run(typed) == 2
    err = capsys.readouterr().err
    assert f"Did you mean {meant!r}?" in err
    assert err.count("\n") == 1


def test_a_name_that_is_like_none_is_answered_without_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["xyzzy"]) == 2
    assert capsys.readouterr().err == "gunbot-mcp: No such command 'xyzzy'. (try --help)\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [("app", ["approve"]), ("mandate l", ["list"]), ("install curs", ["cursor"]), ("ledger --ver", ["--verify"])],
)
def test_a_shell_completes_commands_and_their_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str, offered: list[str]
) -> None:
    monkeypatch.setenv("_GUNBOT_MCP_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"gunbot-mcp {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    assert run([]) == 0
    assert [line.partition(",")[2] for line in capsys.readouterr().out.splitlines()] == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_readme_says_how_to_switch_completion_on(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    line = f"_GUNBOT_MCP_COMPLETE={shell}_source gunbot-mcp"
    assert line in (root / "README.md").read_text(encoding="utf-8")
    monkeypatch.setenv("_GUNBOT_MCP_COMPLETE", f"{shell}_source")
    assert run([]) == 0
    assert "_GUNBOT_MCP_COMPLETE" in capsys.readouterr().out


# Lines and tables


def test_lines_end_between_words_and_a_long_word_stays_whole() -> None:
    path = "/a/very/long/path/that/is/longer/than/the/line"
    text = f"look at {path} and 漢字漢字 too"
    lines = wrapped(text, 20, first="- ", rest="  ")
    assert lines == ["- look at", f"  {path}", "  and 漢字漢字 too"]
    assert wrapped("a 漢字漢字漢字漢字漢字", 20) == ["a", "漢字漢字漢字漢字漢字"]  # two columns each
    assert wrapped(text, None) == [text]
    assert wrapped("one\n  two three", 8) == ["one", "  two", "  three"]


@pytest.mark.parametrize(
    ("command", "said"), [("install", "gunbot (PAPER) is in"), ("inbox", "cannot send for gunbot:")]
)
def test_what_install_and_inbox_say_ends_between_words_too(
    monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    if command == "inbox":
        monkeypatch.setenv("GUNBOT_URL", "https://gunbot.example")  # and no token
    terminal = Terminal(*([command, "cursor"] if command == "install" else [command]), columns=40)
    assert terminal.end() == (0 if command == "install" else 1)
    assert said in " ".join(" ".join(terminal.lines).split())
    # Only a word that is longer than a line (a path) stays whole; lines of a file are shown as they stand there.
    assert [line for line in terminal.lines if len(line) > 40 and " " in line and line[:1] != " "] == []


def test_a_table_fits_its_terminal_and_a_narrow_one_shows_record_by_record() -> None:
    names, rows = ("id", "state", "what"), [["a1", "open", "Buy one of it"], ["b", "", "Sell " + "it " * 12 + "all"]]
    assert table(names, rows, None) == [
        "id  state  what",
        "a1  open   Buy one of it",
        "b          Sell it it it it it it it it it it it it all",
    ]
    assert table(names, rows, 42)[-2:] == ["b          Sell it it it it it it it it it", "           it it it all"]
    assert table(names, rows, 30) == [
        "a1  open",
        "  Buy one of it",
        "b",
        "  Sell it it it it it it it it",
        "  it it it it all",
    ]
    assert table(names, [], 80) == []


def test_tickets_are_a_table_for_people_and_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, "tickets") == {"tickets": []}
    ticket = propose()
    assert run(["tickets"]) == 0
    names, row = (re.split(" {2,}", line) for line in capsys.readouterr().out.splitlines())
    assert names == ["ticket", "state", "kind", "order"]
    assert (row[0], row[2]) == (ticket, "PAPER")
    (found,) = listed(capsys, "tickets")["tickets"]
    assert (found["id"], found["state"], found["kind"], found["pair"]) == (ticket, "pending", "PAPER", "USDT-BTC")
    assert 0 < found["seconds_left"] <= 120

    terminal = Terminal("tickets", columns=40)
    assert terminal.end() == 0
    assert max(map(len, terminal.lines)) <= 40
    assert "Buy 0.001 BTC at 50,000 USDT on binance, at most 50.05 USDT with fees" in terminal.words


def test_the_ledger_says_what_was_ordered_and_what_became_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    order = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001}
    assert run(["call", "buy_market", json.dumps(order)]) == 0
    capsys.readouterr()
    assert run(["ledger"]) == 0
    out = capsys.readouterr().out
    names, *steps = (re.split(" {2,}", line) for line in out.splitlines())
    assert names == ["step", "when", "ticket", "kind", "by", "what"]
    told = {step[3]: step for step in steps}
    assert told["created"][5].startswith("PAPER: Buy 0.001 BTC at the market price on binance, at most ")
    assert told["approved"][4] == "mode auto (paper)"
    assert told["accepted"][5].endswith("Gunbot: 'Order sent'")
    assert re.search(r"Order \d+ .*filled", told["observed"][5])
    assert not re.search("[0-9a-f]{20}", out)

    found = listed(capsys, "ledger")["steps"]
    assert [one["kind"] for one in found] == [step[3] for step in steps]
    assert all(one["order"].startswith("Buy 0.001 BTC") and one["live"] is False for one in found)
    assert found[1]["prev"] == found[0]["hash"]
    # Where the list begins later, the first line of each ticket still says what was ordered.
    assert run(["ledger", "--limit", "1"]) == 0
    assert "PAPER: Buy 0.001 BTC" in capsys.readouterr().out
    assert listed(capsys, "ledger", "--verify") == {
        "sound": True,
        "problems": [],
        "last": {name: found[-1][name] for name in ("step", "at", "hash")},
    }


def test_a_ledger_of_release_0_1_says_what_was_ordered_too(
    capsys: pytest.CaptureFixture[str], clean_environment: Path
) -> None:
    restore_home(clean_environment, "sqlite")
    restore_sqlite(clean_environment / "ledger.sqlite3")
    steps = listed(capsys, "ledger", "--limit", "1000")["steps"]
    assert len(steps) > 200
    assert [one for one in steps if one["ticket"] and not one["order"]] == []
    assert run(["ledger"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 51


def test_an_empty_ledger_and_no_mandates_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    for command, said in ((["ledger"], "the ledger is empty"), (["mandate", "list"], "no mandates")):
        assert run(command) == 0
        assert capsys.readouterr().out == f"{said}\n"
    assert listed(capsys, "ledger") == {"steps": []}
    assert listed(capsys, "mandate", "list") == {"mandates": []}


def test_mandates_are_listed_as_json_with_whether_they_count(capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    given = Mandate(
        id="m1",
        instance="paper",
        live=True,
        url="https://a.example",
        exchange="binance",
        pairs=("USDT-BTC",),
        asset="USDT",
        max_order=Decimal("50.50"),
        max_total=Decimal(2000),
        created_at=now,
        expires_at=now + timedelta(hours=2),
        created_by=TERMINAL,
    )

    async def record() -> None:
        async with Runtime(load()) as runtime, (await runtime.desk()).ledger.write() as write:
            await write.add_mandate(given)

    anyio.run(record)
    (found,) = listed(capsys, "mandate", "list")["mandates"]
    assert (found["id"], found["state"], found["counts"], found["live"]) == ("m1", "active", False, True)
    assert (Decimal(found["max_order"]), Decimal(found["max_total"]), found["spent"]) == (50.5, 2000, "0")
    assert found["why_not"]
    assert run(["mandate", "list"]) == 0
    assert "0 of 2,000 USDT" in capsys.readouterr().out


# A terminal


def test_serve_typed_in_a_terminal_explains_itself_and_ends_with_ctrl_c() -> None:
    terminal = Terminal("serve", columns=80)
    terminal.interrupt("Ctrl-C ends it.")
    assert terminal.end() == 130
    assert "gunbot-mcp install CLIENT" in terminal.words
    assert max(map(len, terminal.lines)) <= 80


def test_serve_started_by_a_client_says_nothing(command: list[str], child_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*command, "serve"], input="", capture_output=True, text=True, env=child_environment, check=False
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_an_error_is_said_once_in_a_terminal_and_its_lines_end_between_words() -> None:
    terminal = Terminal("call", "list_orders", '{"kee": "binance/USDT-BTC"}', columns=40)
    assert terminal.end() == 1
    assert terminal.shown.count("unknown argument") == 1
    assert terminal.lines[0].startswith("gunbot-mcp: invalid_arguments:")
    assert max(map(len, terminal.lines)) <= 40


def test_a_pin_s_rule_is_said_before_it_is_typed_and_a_poor_one_is_asked_for_again() -> None:
    terminal = Terminal("pin")
    for typed in ("1234", "271828"):
        terminal.answer("New PIN:", typed)
        terminal.answer("Repeat for confirmation:", typed)
    assert terminal.end() == 0
    assert terminal.shown.index("6 to 64 characters") < terminal.shown.index("New PIN:")
    assert "Not set: a PIN has 6 to 64 characters" in terminal.shown
    assert has_pin(state_folder(load()))


def test_a_short_pin_s_rule_is_said_before_it_is_typed_on_live(
    monkeypatch: pytest.MonkeyPatch, recorder: "Recorder", token: str
) -> None:
    monkeypatch.setenv("GUNBOT_URL", recorder.url)
    monkeypatch.setenv("GUNBOT_TOKEN", token)
    old_pin(state_folder(load()), "1234")
    bounds = ("--exchange", "binance", "--pairs", "USDT-BTC", "--max-order", "5", "--max-total", "20", "--for", "2h")
    terminal = Terminal("mandate", "create", *bounds)
    terminal.answer("PIN:", "1234")
    assert terminal.end() == 1
    assert terminal.shown.index("a PIN counts only if it has 6 characters") < terminal.shown.index("PIN:")
