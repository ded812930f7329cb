"""`gunbot-mcp mandate`: what a human allows, for which Gunbot, and what is said where it does not count."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from support.mandates import mandate
from support.terminals import Terminal

from gunbot_mcp.approval.pin import set_pin
from gunbot_mcp.cli import run
from gunbot_mcp.config import load
from gunbot_mcp.runtime import Runtime, state_folder

if TYPE_CHECKING:
    from support.recorder import Recorder

PIN = "271828"
CREATE = (
    *("mandate", "create", "--exchange", "binance", "--pairs", "USDT-BTC"),
    *("--max-order", "50", "--max-total", "200", "--for", "2h"),
)


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch, recorder: "Recorder") -> str:
    """Make the instance `gunbot` live, with a PIN; returns its url."""
    monkeypatch.setenv("GUNBOT_URL", recorder.url)
    monkeypatch.setenv("GUNBOT_TOKEN", "t-" + "x" * 20)
    set_pin(state_folder(load()), PIN)
    return recorder.url


def record(**fields: object) -> None:
    """Record a mandate as an earlier start of this server, or another one, would have."""

    async def add() -> None:
        async with Runtime(load()) as runtime, (await runtime.desk()).ledger.write() as write:
            await write.add_mandate(mandate(**fields))

    anyio.run(add)


def created() -> str:
    terminal = Terminal(*CREATE)
    terminal.answer("PIN:", PIN)
    terminal.answer("Create this mandate?", "y")
    assert terminal.end() == 0, terminal.shown
    return " ".join(terminal.shown.split())


def test_a_mandate_is_created_listed_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(
        *("mandate", "create", "--exchange", "binance", "--pairs", "USDT-BTC,USDT-ETH"),
        *("--max-order", "50", "--max-total", "200", "--for", "2h"),
    )
    terminal.answer("Create this mandate?", "y")
    assert terminal.end() == 0
    found = re.search(r"Mandate (\w+) holds until", terminal.shown)
    assert found is not None
    assert run(["mandate", "list"]) == 0
    assert "active  PAPER  binance USDT-BTC,USDT-ETH  0 of 200 USDT  50 USDT" in capsys.readouterr().out
    assert run(["mandate", "revoke", found[1]]) == 0
    assert run(["mandate", "revoke", found[1]]) == 1
    capsys.readouterr()
    assert run(["mandate", "list"]) == 0
    assert "revoked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--pairs", "USDT-BTC,BTC-ETH", "one paying asset"),
        ("--pairs", "XBTUSD", "one paying asset"),
        ("--max-order", "lots", "--max-order must be an amount"),
        ("--max-total", "-5", "--max-total must be an amount"),
        ("--max-total", "20", "more than --max-total"),
        ("--exchange", "bin ance", "exchange has another form"),
        ("--pairs", "USDT-BTC,USDT-../x", "pair has another form"),
        ("--for", "8d", "at most 7 days"),
        ("--for", "soon", "at most 7 days"),
    ],
)
def test_a_mandate_without_clear_bounds_is_refused(option: str, value: str, word: str) -> None:
    bounds = {
        "--exchange": "binance",
        "--pairs": "USDT-BTC",
        "--max-order": "50",
        "--max-total": "200",
        "--for": "2h",
        option: value,
    }
    terminal = Terminal("mandate", "create", *(part for item in bounds.items() for part in item))
    assert terminal.end() == 1
    assert word in terminal.shown


def test_a_mandate_made_on_paper_says_that_it_is_for_paper(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(*CREATE)
    terminal.answer("Create this mandate?", "y")
    assert terminal.end() == 0
    assert "made on PAPER and never lets a live order go" in " ".join(terminal.shown.split())
    assert run(["mandate", "list"]) == 0
    assert "active  PAPER  binance USDT-BTC" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["approve", "read-only"])
def test_a_mandate_made_outside_auto_says_that_nothing_uses_it_yet(
    live: str, mode: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", mode)
    told = created()
    assert f"It is for the Gunbot at {live} only." in told
    assert f"instance gunbot is in mode {mode}, not auto" in told
    assert 'set mode = "auto" for this instance' in told
    assert run(["doctor"]) == 0
    assert f"mandates 1 in force, but mode {mode} is not auto" in capsys.readouterr().out


def test_a_mandate_made_in_auto_is_for_this_gunbot_and_counts(
    live: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    told = created()
    assert f"for the Gunbot at {live} only." in told
    assert "Nothing uses it" not in told
    assert run(["mandate", "list"]) == 0
    shown = capsys.readouterr().out
    assert f"active  LIVE at {live}  binance USDT-BTC" in shown
    assert "does not count" not in shown
    assert run(["doctor"]) == 0
    assert "mandates 1 in force\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"live": False, "url": ""}, "does not count: it was made on paper, and this instance is live"),
        ({"live": None, "url": None}, "does not count: release 0.1 did not write down for which Gunbot it was made"),
        ({"url": "https://a.example"}, "does not count here: it was made for the Gunbot at https://a.example"),
    ],
)
@pytest.mark.usefixtures("live")
def test_a_mandate_that_does_not_count_here_is_named_with_its_reason(
    fields: dict[str, Any], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record(max_order=Decimal(1), **fields)
    record(id="m2", expires_at=datetime.now(UTC) + timedelta(microseconds=1), **fields)  # over: nothing to say
    for command in (["mandate", "list"], ["doctor"]):
        assert run(command) == 0
        assert " ".join(capsys.readouterr().out.split()).count(why) == 1
