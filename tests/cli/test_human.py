"""A human's commands: in a real terminal they decide, in a pipe they refuse."""

import json
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from support.authenticator import Authenticator
from support.pins import old_pin
from support.terminals import Terminal

from gunbot_mcp.approval.pin import set_pin
from gunbot_mcp.cli import run
from gunbot_mcp.clock import Clock
from gunbot_mcp.config import load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.guard.halt import halted
from gunbot_mcp.render import Answer
from gunbot_mcp.runtime import Runtime, state_folder
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.recorder import Recorder

ORDER = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_MCP_APPROVAL_WAIT", "0.1")


def propose(**changes: object) -> str:
    """Propose an order on the paper instance, and return its ticket."""

    async def call() -> Answer:
        async with Runtime(load()) as runtime:
            answer = await runtime.dispatcher.call("buy_limit", {**ORDER, **changes}, Caller(name="tests"))
        assert isinstance(answer, Answer)
        return answer

    answer = anyio.run(call)
    assert answer.structured["status"] == "awaiting_approval", answer.text
    ticket_id: str = answer.structured["ticket"]["id"]
    return ticket_id


def state_of(ticket_id: str) -> State:
    async def find() -> State:
        async with Runtime(load()) as runtime:
            return (await (await runtime.desk()).get(ticket_id)).state

    return anyio.run(find)


def test_a_human_approves_in_a_terminal_and_the_order_goes_at_once() -> None:
    ticket = propose()
    terminal = Terminal("approve", ticket)
    terminal.answer("Send this PAPER order now?", "y")
    assert terminal.end() == 0
    assert "Buy 0.001 BTC at 50,000 USDT on binance" in terminal.shown
    assert re.search(r"The book at \d\d:\d\d:\d\d UTC: bid \d\d,\d+\.\d+, ask \d\d,\d+\.\d+", terminal.shown)
    assert re.search(r"Limit price 50,000: \d+\.\d\d % below the ask", terminal.shown)
    assert f"Ticket {ticket}, PAPER instance paper, state accepted" in terminal.shown
    assert state_of(ticket) is State.ACCEPTED


def test_a_human_who_does_not_confirm_has_not_approved() -> None:
    ticket = propose()
    terminal = Terminal("approve", ticket)
    terminal.answer("Send this PAPER order now?", "")
    assert terminal.end() == 130
    assert state_of(ticket) is State.PENDING


def test_a_pin_that_was_set_is_asked_for_and_a_wrong_one_sends_nothing(clean_environment: Path) -> None:
    ticket = propose()
    set_pin(state_folder(load()), "271828")
    wrong = Terminal("approve", ticket)
    wrong.answer("PIN:", "314159")
    assert wrong.end() == 1
    assert "the PIN is wrong" in wrong.shown
    assert state_of(ticket) is State.PENDING

    right = Terminal("approve", ticket)
    right.answer("PIN:", "271828")
    right.answer("Send this PAPER order now?", "y")
    assert right.end() == 0
    assert "271828" not in right.shown
    assert clean_environment.exists()


def test_approving_without_a_terminal_is_refused(command: list[str], child_environment: dict[str, str]) -> None:
    ticket = propose()
    done = subprocess.run(
        [*command, "approve", ticket], input="y\n", capture_output=True, text=True, env=child_environment, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "approving needs a human at a terminal" in done.stderr
    assert state_of(ticket) is State.PENDING


@pytest.mark.parametrize("arguments", [["pin"], ["resume"], ["resolve", "abc", "--placed"], ["mandate", "create"]])
def test_the_human_s_other_powers_need_a_terminal_too(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    if arguments == ["mandate", "create"]:
        bounds = [
            "--exchange",
            "binance",
            "--pairs",
            "USDT-BTC",
            "--max-order",
            "50",
            "--max-total",
            "200",
            "--for",
            "2h",
        ]
        arguments = [*arguments, *bounds]
    assert run(arguments) == 1
    assert "needs a human at a terminal" in capsys.readouterr().err


def test_a_live_instance_without_a_pin_cannot_be_approved_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GUNBOT_TOKEN", "t-" + "x" * 20)
    terminal = Terminal(
        *("mandate", "create", "--exchange", "binance", "--pairs", "USDT-BTC"),
        *("--max-order", "50", "--max-total", "200", "--for", "2h"),
    )
    assert terminal.end() == 1
    assert "a live instance needs a PIN" in terminal.shown


def test_setting_a_pin_asks_twice_and_changing_it_asks_for_the_old_one() -> None:
    first = Terminal("pin")
    first.answer("New PIN:", "271828")
    first.answer("Repeat for confirmation:", "271828")
    assert first.end() == 0

    stranger = Terminal("pin")
    stranger.answer("PIN:", "000000")
    assert stranger.end() == 1

    owner = Terminal("pin")
    owner.answer("PIN:", "271828")
    owner.answer("New PIN:", "141421")
    owner.answer("Repeat for confirmation:", "141421")
    assert owner.end() == 0
    assert "141421" not in owner.shown


def test_a_short_pin_of_release_0_1_is_refused_on_a_live_instance_until_it_is_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], recorder: "Recorder"
) -> None:
    monkeypatch.setenv("GUNBOT_URL", recorder.url)
    monkeypatch.setenv("GUNBOT_TOKEN", "t-" + "x" * 20)
    old_pin(state_folder(load()), "1234")
    mandate = ("mandate", "create", "--exchange", "binance", "--pairs", "USDT-BTC", "--max-order", "50")
    refused = Terminal(*mandate, "--max-total", "200", "--for", "2h")
    refused.answer("PIN:", "1234")
    assert refused.end() == 1
    assert "fewer than 6 characters does not count on a live instance" in refused.shown
    assert run(["doctor"]) == 0
    assert "PIN      it was set when fewer than 6 characters were allowed" in capsys.readouterr().out

    owner = Terminal("pin")
    owner.answer("PIN:", "1234")
    owner.answer("New PIN:", "141421")
    owner.answer("Repeat for confirmation:", "141421")
    assert owner.end() == 0
    assert "six digits are enough" in owner.shown
    assert run(["doctor"]) == 0
    assert "PIN      a PIN is set" in capsys.readouterr().out
    allowed = Terminal(*mandate, "--max-total", "200", "--for", "2h")
    allowed.answer("PIN:", "141421")
    allowed.answer("Create this mandate?", "y")
    assert allowed.end() == 0


def test_rejecting_declines_and_a_second_word_comes_too_late(capsys: pytest.CaptureFixture[str]) -> None:
    ticket = propose()
    assert run(["reject", ticket]) == 0
    assert run(["reject", ticket]) == 1
    assert "ticket_closed" in capsys.readouterr().err
    assert state_of(ticket) is State.DECLINED
    late = Terminal("approve", ticket)
    assert late.end() == 1
    assert "already declined" in late.shown


def test_an_unknown_ticket_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reject", "nosuch1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_open_tickets_are_listed_and_closed_ones_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tickets"]) == 0
    assert capsys.readouterr().out == "nothing waits for a decision\n"
    waiting, declined = propose(), propose(amount=0.002)
    assert run(["reject", declined]) == 0
    capsys.readouterr()

    assert run(["tickets"]) == 0
    shown = capsys.readouterr().out
    assert re.search(rf"^{waiting}  pending, \d+ s left  PAPER  Buy 0.001 BTC", shown, re.MULTILINE)
    assert declined not in shown
    assert run(["tickets", "--all"]) == 0
    assert declined in capsys.readouterr().out


def test_resolving_a_ticket_whose_fate_is_known_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    ticket = propose()
    assert run(["resolve", ticket]) == 0
    assert "It waits for a decision until" in capsys.readouterr().out
    terminal = Terminal("resolve", ticket, "--not-placed")
    assert terminal.end() == 1
    assert "nothing to resolve" in terminal.shown


def test_who_gives_a_ticket_the_order_of_another_one_is_told_so_first(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = propose(), propose(amount=0.002)
    for ticket in (first, second):
        terminal = Terminal("approve", ticket)
        terminal.answer("Send this PAPER order now?", "y")
        assert terminal.end() == 0
    found = re.search(r"Order (\d+) at 50,000 is open", terminal.shown)
    assert found is not None
    capsys.readouterr()

    word = Terminal("resolve", first, "--placed", "--order-id", found[1])
    assert word.end() == 0
    told = " ".join(word.shown.split())
    assert f"Order {found[1]} counts as that of ticket {second}; by your word it no longer does" in told
    assert f"Order {found[1]}, by a human's word" in told
    again = Terminal("resolve", second, "--placed", "--order-id", found[1])
    assert again.end() == 1
    assert "counts as that of" not in again.shown
    assert f"a human has named order {found[1]} for ticket {first}" in " ".join(again.shown.split())


def test_halting_stops_orders_until_a_human_resumes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["halt", "lunch"]) == 0
    assert run(["call", "buy_limit", json.dumps(ORDER)]) == 1
    assert json.loads(capsys.readouterr().out.partition("\n")[2])["error"]["code"] == "halted"
    terminal = Terminal("resume")
    assert terminal.end() == 0
    assert run(["call", "buy_limit", json.dumps(ORDER)]) == 0


@pytest.mark.parametrize(
    "broken",
    [
        {"GUNBOT_URL": "https://gunbot.example"},
        {"GUNBOT_MCP_INSTANCE": "nobody"},
        {"GUNBOT_MCP_CONFIG": "/nowhere/config.toml"},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_the_switch_works_whatever_is_wrong_with_the_config(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    clean_environment: Path,
    broken: dict[str, str],
) -> None:
    for name, value in broken.items():
        monkeypatch.setenv(name, value)
    assert run(["tickets"]) == 1
    assert run(["halt", "now"]) == 0
    assert str(clean_environment) in capsys.readouterr().out
    assert halted(clean_environment) == "now"


@pytest.mark.parametrize("rest", ["", "[nonsense]\nx = 1\n"])
def test_the_switch_finds_the_state_folder_that_a_config_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'home = "{tmp_path}/elsewhere"\n{rest}', encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(config))
    monkeypatch.delenv("GUNBOT_MCP_HOME")
    assert run(["halt"]) == 0
    assert halted(tmp_path / "elsewhere") is not None


def test_a_pin_file_that_is_damaged_says_which_file_to_remove(clean_environment: Path) -> None:
    set_pin(state_folder(load()), "271828")
    (clean_environment / "pin.json").write_text("{}", encoding="utf-8")
    terminal = Terminal("pin")
    terminal.answer("PIN:", "271828")
    assert terminal.end() == 1
    assert f"{clean_environment}/pin.json is damaged" in terminal.shown
    assert "remove that file yourself" in terminal.shown


def test_resuming_when_nothing_is_halted_says_so() -> None:
    terminal = Terminal("resume")
    assert terminal.end() == 0
    assert "not halted" in terminal.shown


def test_the_ledger_shows_who_did_what_and_verifies(capsys: pytest.CaptureFixture[str]) -> None:
    ticket = propose()
    assert run(["reject", ticket]) == 0
    capsys.readouterr()
    assert run(["ledger", "--ticket", ticket]) == 0
    names, *steps = (re.split(" {2,}", line) for line in capsys.readouterr().out.splitlines())
    assert [step[names.index("kind")] for step in steps] == ["created", "declined"]
    assert steps[0][-1] == "PAPER: Buy 0.001 BTC at 50,000 USDT on binance, at most 50.05 USDT with fees"
    assert run(["ledger", "--verify"]) == 0
    assert capsys.readouterr().out.startswith("The ledger is sound: 2 steps, the last at 20")


def test_a_ledger_that_was_edited_is_told_with_an_exit_code(
    capsys: pytest.CaptureFixture[str], clean_environment: Path
) -> None:
    ticket = propose()
    with sqlite3.connect(clean_environment / "ledger.sqlite3") as file:
        file.execute("UPDATE tickets SET content = replace(content, 'Buy', 'Buy nothing') WHERE id = ?", (ticket,))
    file.close()
    assert run(["ledger", "--verify"]) == 1
    captured = capsys.readouterr()
    assert ticket in captured.err


def test_passkeys_are_put_back_at_a_terminal_with_the_pin_and_nowhere_else(
    capsys: pytest.CaptureFixture[str], clean_environment: Path
) -> None:
    async def register() -> None:
        async with Runtime(load()) as runtime, (await runtime.desk()).ledger.write() as write:
            made = Authenticator().passkey(Clock().now())
            await write.register_passkey(made, {})

    anyio.run(register)
    set_pin(clean_environment, "246810")
    with sqlite3.connect(clean_environment / "ledger.sqlite3") as file:
        file.execute("DELETE FROM credentials")
    file.close()
    assert run(["ledger", "--verify"]) == 1
    assert run(["ledger", "--repair"]) == 1
    assert "needs a human at a terminal" in capsys.readouterr().err
    terminal = Terminal("ledger", "--repair")
    terminal.answer("PIN:", "000000")
    assert terminal.end() == 1
    assert run(["passkey", "--list"]) == 0
    assert capsys.readouterr().out == "no passkeys\n"
    terminal = Terminal("ledger", "--repair")
    terminal.answer("PIN:", "246810")
    assert terminal.end() == 0
    assert 'Passkey "laptop" was missing, and counts again.' in terminal.words
    assert run(["ledger", "--verify"]) == 0
    terminal = Terminal("ledger", "--repair")
    terminal.answer("PIN:", "246810")
    assert terminal.end() == 0
    assert "nothing was changed" in terminal.words
