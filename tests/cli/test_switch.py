"""The kill switch from the command line: it works whatever is wrong with the config, and says what it cannot reach."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from cli.test_human import ORDER, Terminal, propose, state_of

from gunbot_mcp.approval.pin import set_pin
from gunbot_mcp.cli import run
from gunbot_mcp.clock import Clock
from gunbot_mcp.config import load
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.guard.halt import halted, homes_switch, throw, thrown, users_switch
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.runtime import state_folder
from gunbot_mcp.tickets.ticket import State

Configure = Callable[[str], Path]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Write the config file and name it; no variable names a home."""
    monkeypatch.delenv("GUNBOT_MCP_HOME")

    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(path))
        return path

    return write


def test_the_users_switch_lies_below_the_home_of_the_user_and_no_variable_of_ours_moves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "user" / ".local" / "state" / "gunbot-mcp" / "HALTED"
    assert users_switch() == place
    for name in ("GUNBOT_MCP_HOME", "GUNBOT_MCP_CONFIG", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert users_switch() == place


@pytest.mark.parametrize("home", ["", "relative", None])
def test_where_the_environment_names_no_home_the_system_does(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    if home is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", home)
    assert users_switch().is_absolute()
    assert users_switch().name == "HALTED"


@pytest.mark.parametrize(
    "broken",
    [
        {"GUNBOT_MCP_HOME": "state"},
        {"GUNBOT_MCP_HOME": "${HOME}/gb"},
        {"GUNBOT_MCP_HOME": "~nobody-of-that-name/gb"},
        {"GUNBOT_MCP_CONFIG": "half.toml"},
        {"GUNBOT_MCP_CONFIG": "/nowhere/config.toml"},
    ],
    ids=str,
)
def test_a_server_that_runs_stops_whatever_is_wrong_with_the_config_of_the_halt(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clean_environment: Path,
    broken: dict[str, str],
) -> None:
    ticket = propose()
    half = tmp_path / "half.toml"
    half.write_text(f'home = "{clean_environment}"\n[limits\n', encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        patch.delenv("GUNBOT_MCP_HOME")
        for name, value in broken.items():
            patch.setenv(name, value)
        assert run(["halt", "now"]) == 0
        shown = capsys.readouterr()
    assert f"Trading is halted for every gunbot-mcp of this user ({users_switch()})" in shown.out
    assert "so a state folder or a shared ledger that it names was not told" in shown.err
    assert not (tmp_path / "state").exists()
    assert run(["call", "buy_limit", json.dumps(ORDER)]) == 1
    assert '"halted"' in capsys.readouterr().out
    assert state_of(ticket) is State.PENDING


def test_a_halt_names_what_it_cannot_reach(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["halt"]) == 0
    shown = capsys.readouterr().err
    assert "servers of other users, on other machines" in shown
    assert "started with another HOME" in shown


def test_a_users_switch_that_cannot_be_thrown_is_a_failure_and_the_others_are_thrown_all_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, clean_environment: Path
) -> None:
    (tmp_path / "user").write_text("a file where the folder should be", encoding="ascii")
    assert run(["halt", "now"]) == 1
    shown = capsys.readouterr()
    assert "the user's switch: config_invalid: cannot create" in shown.err
    assert "every gunbot-mcp of this user" not in shown.out
    assert thrown(homes_switch(clean_environment)) == "now"


def test_resuming_takes_back_both_switches_and_needs_the_pin_where_one_is_set(clean_environment: Path) -> None:
    set_pin(state_folder(load()), "271828")
    assert run(["halt"]) == 0
    assert run(["resume"]) == 1  # nobody sits at this pipe
    wrong = Terminal("resume")
    wrong.answer("PIN:", "314159")
    assert wrong.end() == 1
    assert thrown(users_switch()) is not None
    terminal = Terminal("resume")
    terminal.answer("PIN:", "271828")
    assert terminal.end() == 0
    assert halted(clean_environment) is None
    assert not users_switch().exists()


def test_only_one_of_the_switches_is_enough_to_halt_and_resume_finds_it(clean_environment: Path) -> None:
    for switch in (users_switch(), homes_switch(clean_environment)):
        throw(switch, "lunch")
        assert halted(clean_environment) == "lunch"
        terminal = Terminal("resume")
        assert terminal.end() == 0
        assert "Trading is allowed again." in terminal.shown
        assert halted(clean_environment) is None


def test_a_ledger_that_the_config_names_is_told_and_resume_takes_it_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, configure: Configure
) -> None:
    url = f"sqlite:///{tmp_path}/shared/ledger.db"
    configure(f'home = "{tmp_path}/a"\n[ledger]\nurl = "{url}"\n')

    async def holds() -> str | None:
        async with await Ledger.open(url, clock=Clock()) as ledger, ledger.write() as write:
            return await write.halted("paper")

    assert run(["halt", "fire"]) == 0
    assert "all that share its ledger" in capsys.readouterr().out
    assert "fire" in (anyio.run(holds) or "")
    terminal = Terminal("resume")
    assert terminal.end() == 0
    assert anyio.run(holds) is None


def test_a_ledger_that_cannot_be_told_is_named_and_the_switches_are_thrown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, configure: Configure
) -> None:
    configure(f'home = "{tmp_path}/a"\n[ledger]\nurl = "postgresql://u:hush-hush@127.0.0.1:1/x"\n')
    assert run(["halt", "fire"]) == 0
    shown = capsys.readouterr().err
    assert "could not be told" in shown
    assert "replicas elsewhere may send on" in shown
    assert "hush-hush" not in shown
    assert (thrown(users_switch()), thrown(homes_switch(tmp_path / "a"))) == ("fire", "fire")


@pytest.mark.parametrize("home", ["state", "./state", "${HOME}/gb", "$HOME/gb", "~nobody-of-that-name/gb"])
@pytest.mark.parametrize("how", ["variable", "file", "flag"])
def test_a_home_that_is_not_absolute_is_refused(
    monkeypatch: pytest.MonkeyPatch, configure: Configure, home: str, how: str
) -> None:
    flags = {}
    match how:
        case "variable":
            monkeypatch.setenv("GUNBOT_MCP_HOME", home)
        case "file":
            configure(f'home = "{home}"\n')
        case _:
            flags = {"home": home}
    with pytest.raises(ConfigInvalid, match=r"home: must be an absolute path"):
        load(**flags)


@pytest.mark.slow
def test_the_demo_neither_reads_nor_throws_the_users_own_switch(tmp_path: Path) -> None:
    throw(users_switch(), "the user's own halt")
    before = users_switch().stat()
    command = [sys.executable, "-m", "gunbot_mcp", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert users_switch().stat() == before


def test_losses_and_rejections_are_resumed_in_a_terminal_by_a_ledger_event_that_lifts_no_halt(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["halt", "fire"]) == 0
    assert run(["resume", "--loss"]) != 0
    assert "human at a terminal" in capsys.readouterr().err
    assert Terminal("resume", "--loss").end() == 0

    settings = load()
    assert halted(state_folder(settings)) == "fire"

    async def events() -> list[tuple[str, str | None, str]]:
        async with await Ledger.open(f"sqlite:///{settings.folder / 'ledger.sqlite3'}", clock=Clock()) as ledger:
            return [(event.kind, event.instance, str(event.actor)) for event in await ledger.events()]

    assert ("loss_resumed", "paper", "terminal") in anyio.run(events)
