"""Setting up: doctor, install, schemas, demo."""

import functools
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from mcp import Client, StdioServerParameters, types

from gunbot_mcp.approval.pin import set_pin
from gunbot_mcp.cli import run
from gunbot_mcp.config import load
from gunbot_mcp.guard.halt import halt
from gunbot_mcp.runtime import state_folder
from gunbot_mcp.server.clients import ClientFacts, recall, remember

if TYPE_CHECKING:
    from support.recorder import Recorder

ROOT = Path(__file__).parents[2]


def test_doctor_finds_a_fresh_paper_instance_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "instance paper (PAPER, embedded), mode approve" in shown
    assert "✓ gateway  the paper gateway answers" in shown
    assert "✓ ledger   sound" in shown
    assert "no client has connected yet" in shown


def test_doctor_tells_the_exits_limits_and_where_they_come_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(["doctor"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "per order 250 USDT, to get out of a risk 2,500 USDT" in told
    assert "(10 times as much, since limits.max_exit is not set)" in told

    (tmp_path / "config.toml").write_text('[instances.paper.limits]\nmax_exit = { USDT = "77" }\n', encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(tmp_path / "config.toml"))
    assert run(["doctor"]) == 0
    assert "to get out of a risk 77 USDT (as the config says)" in " ".join(capsys.readouterr().out.split())


def test_doctor_says_what_is_broken_with_an_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, refusing_url: str
) -> None:
    monkeypatch.setenv("GUNBOT_URL", refusing_url)
    monkeypatch.setenv("GUNBOT_TOKEN", "t-" + "x" * 20)
    assert run(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "✗ gateway  gateway_unreachable" in shown
    assert "! PIN      none is set" in shown


def test_doctor_tells_a_live_instance_and_a_halt(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, recorder: "Recorder"
) -> None:
    monkeypatch.setenv("GUNBOT_URL", recorder.url)
    monkeypatch.setenv("GUNBOT_TOKEN", "t-" + "x" * 20)
    halt(state_folder(load()), "lunch")
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert f"gunbot (LIVE at {recorder.url})" in shown
    assert "! halt     trading is halted: lunch" in shown
    assert "→ gunbot-mcp resume ends it" in shown


PAGE = "the approval page or gunbot-mcp approve"
FORM, CARD = "its form first, then ", "its ticket card, then "
NO_BUTTONS = "its ticket card, which has no buttons and leads to "


@pytest.mark.parametrize(
    ("forms", "card", "live", "known", "offers", "asked"),
    [
        (True, False, False, True, "offers forms", f"{FORM}{PAGE}"),
        (False, True, False, True, "offers ticket cards", f"{CARD}{PAGE}"),
        (False, False, False, True, "offers neither forms nor cards", f"asked in {PAGE}"),
        (True, True, False, False, "offers forms and ticket cards", f"{FORM}{CARD}{PAGE}"),
        (True, True, True, True, "offers forms and ticket cards", f"{FORM}{NO_BUTTONS}{PAGE}"),
        (True, False, True, False, "offers forms", f"{PAGE} (not its forms: over HTTP anybody could answer them)"),
    ],
)
def test_doctor_says_how_each_client_s_human_would_be_asked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    recorder: "Recorder",
    *,
    forms: bool,
    card: bool,
    live: bool,
    known: bool,
    offers: str,
    asked: str,
) -> None:
    if live:
        monkeypatch.setenv("GUNBOT_URL", recorder.url)
        monkeypatch.setenv("GUNBOT_TOKEN", "t-" + "x" * 20)
    settings = load()
    set_pin(state_folder(settings), "271828")
    facts = ClientFacts(
        name="a client", version="1", protocol="2025-11-25", shows_forms=forms, shows_card=card, known=known
    )
    remember(settings, facts)
    assert run(["doctor"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert offers in shown
    assert asked in shown


def test_doctor_says_what_goes_without_asking(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, recorder: "Recorder"
) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    assert run(["doctor"]) == 0
    assert "mode auto on paper: orders go at once, nobody is asked" in capsys.readouterr().out
    monkeypatch.setenv("GUNBOT_URL", recorder.url)
    monkeypatch.setenv("GUNBOT_TOKEN", "t-" + "x" * 20)
    assert run(["doctor"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "what an active mandate covers goes at once" in shown
    assert "but without a PIN in nothing but a client's form" in shown


def test_doctor_tells_of_the_client_that_really_connected(
    command: list[str], child_environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    async def connect() -> None:
        async def form(context: object, params: object) -> types.ElicitResult:
            raise AssertionError(context, params)

        server = StdioServerParameters(command=command[0], args=[*command[1:], "serve"], env=child_environment)
        me = types.Implementation(name="a real client", version="7")
        async with Client(server, elicitation_callback=form, client_info=me) as client:
            await client.list_tools()
            await client.call_tool("list_tickets", {})
            await client.list_tools()

    anyio.run(connect)
    assert run(["doctor"]) == 0
    assert "client a real client (offers forms, protocol 20" in capsys.readouterr().out


def test_doctor_fails_a_state_folder_that_others_can_write_to(
    capsys: pytest.CaptureFixture[str], clean_environment: Path
) -> None:
    clean_environment.mkdir()
    clean_environment.chmod(0o777)
    assert run(["doctor"]) == 1
    assert "can be written by others" in capsys.readouterr().out


def test_only_the_clients_seen_last_are_kept_and_a_damaged_note_is_none() -> None:
    settings = load()
    folder = state_folder(settings)
    for number in range(30):
        name = f"client {number}"
        remember(settings, ClientFacts(name=name, version="", protocol="x", shows_forms=False, shows_card=False))
    assert list(recall(settings)) == [f"client {number}" for number in range(10, 30)]
    (folder / "clients.json").write_text("[1", encoding="utf-8")
    assert recall(settings) == {}


def test_doctor_in_read_only_mode_needs_no_approval(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "read-only")
    assert run(["doctor"]) == 0
    assert "not needed: the server is read-only" in capsys.readouterr().out


def test_generated_files_agree_with_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schemas", "--check", "--root", str(ROOT)]) == 0, capsys.readouterr().err


def test_schemas_are_written_and_what_is_stale_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "schemas" / "tools").mkdir(parents=True)
    (tmp_path / "README.md").write_text((ROOT / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    stale = tmp_path / "schemas" / "tools" / "sell_everything.json"
    stale.write_text("{}", encoding="utf-8")
    assert run(["schemas", "--check", "--root", str(tmp_path)]) == 1
    assert "sell_everything.json does not agree" in capsys.readouterr().err
    assert run(["schemas", "--root", str(tmp_path)]) == 0
    assert not stale.exists()
    assert run(["schemas", "--check", "--root", str(tmp_path)]) == 0


def test_a_readme_without_its_markers_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("# nothing\n", encoding="utf-8")
    assert run(["schemas", "--root", str(tmp_path)]) == 1
    assert "no markers" in capsys.readouterr().err


@pytest.fixture(scope="module")
def told() -> Callable[[int], str]:
    """Return what the demo prints into a pipe of that width; each width is played once."""

    @functools.cache
    def play(width: int) -> str:
        # What a demo covers is measured once: that doubles the time.
        left_out = ("GUNBOT",) if width == 80 else ("GUNBOT", "COV")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        given = {**environment, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "", "COLUMNS": str(width)}
        command = [sys.executable, "-m", "gunbot_mcp", "demo"]
        done = subprocess.run(command, capture_output=True, text=True, env=given, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return play


def test_the_demo_does_what_it_says_without_colour_in_a_pipe(told: Callable[[int], str]) -> None:
    story = told(80)
    assert "Everything did what it says" in story
    assert "\x1b[" not in story
    # Each kind of order has one line of its own, and what Gunbot says of each of them is told once.
    assert story.count("Gunbot said") == 1
    orders = r"^  ✓ ((?:buy|sell|close)_\w+)\(.*\): (?:rests|filled at \S+) as \d+$"
    assert len(set(re.findall(orders, story, re.MULTILINE))) == 12
    # The history's milliseconds are told as instants.
    assert not re.search(r"\b\d{13}\b", story)
    assert len(re.findall(r"^    \S+Z +(?:buy|sell) ", story, re.MULTILINE)) == 5
    for group in ("Reads: list_orders,", "Orders: buy_limit,", "Tickets: get_ticket,"):
        assert f"\n  {group}" in story


@pytest.mark.slow
def test_the_demo_breaks_its_lines_between_words(told: Callable[[int], str]) -> None:
    story = told(80)
    assert [line for line in story.splitlines() if len(line) > 80 or line != line.rstrip()] == []
    # Where nothing need be broken, there are the same words: none was torn.
    wide = told(1000)
    changing = re.compile(r"\d{2}:\d{2}:\d{2}|Ticket \w+")
    assert changing.sub("", " ".join(story.split())) == changing.sub("", " ".join(wide.split()))


DIFFERENT_STORY = """
import sys
import gunbot_mcp.cli.demo
from gunbot_mcp.cli import run
gunbot_mcp.cli.demo.KEY = "binance/USDT-ETH"
sys.exit(run(["demo"]))
"""


@pytest.mark.slow
def test_the_demo_ends_with_an_exit_code_where_a_step_is_not_so(child_environment: dict[str, str]) -> None:
    story = [sys.executable, "-c", DIFFERENT_STORY]
    done = subprocess.run(story, capture_output=True, text=True, env=child_environment, check=False)
    assert done.returncode == 1
    assert "✗" in done.stdout
    assert "the demo expected" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_state_is_for_its_owner_alone_whatever_the_umask(
    clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paper gateway's folder and database too, and the parents that had to be made."""
    home = clean_environment / "not" / "there" / "yet"
    monkeypatch.setenv("GUNBOT_MCP_HOME", str(home))
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    order = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001}
    before = os.umask(0)
    try:
        assert run(["call", "buy_market", json.dumps(order)]) == 0
        set_pin(state_folder(load()), "271828")
        assert run(["halt"]) == 0
    finally:
        os.umask(before)
    found = [clean_environment, *clean_environment.rglob("*")]
    assert {"paper.sqlite3", "ledger.sqlite3", "pin.json"} <= {path.name for path in found}
    open_to_others = [str(path) for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert open_to_others == []


def test_state_is_for_its_owner_alone(clean_environment: Path) -> None:
    assert run(["tickets"]) == 0
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (clean_environment, clean_environment / "ledger.sqlite3")}
    assert modes == {0o700, 0o600}
