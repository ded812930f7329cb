"""In a terminal, two orders that differ only in the market never read the same; what one has is said there, too."""

import pytest
from cli.test_human import Terminal, propose

from gunbot_mcp.cli import run

MARKETS = (
    {"exchange": "bybit", "pair": "USDT-BTC-LONG"},
    {"exchange": "bybit", "pair": "USDT-BTC-SHORT"},
    {"exchange": "binance", "pair": "USDT-BTC"},
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_MCP_APPROVAL_WAIT", "0.1")


def test_the_lists_of_tickets_and_of_the_ledger_s_steps_name_every_market(capsys: pytest.CaptureFixture[str]) -> None:
    tickets = [propose(**market) for market in MARKETS]
    capsys.readouterr()
    for command in (["tickets"], ["ledger"]):
        assert run(command) == 0
        lines = capsys.readouterr().out.splitlines()
        told = [next(line for line in lines if ticket in line) for ticket in tickets]
        assert "Open LONG: buy 0.001 BTC at 50,000 USDT on bybit (USDT-BTC-LONG)" in told[0]
        assert "Close SHORT: buy 0.001 BTC at 50,000 USDT on bybit (USDT-BTC-SHORT)" in told[1]
        assert "Buy 0.001 BTC at 50,000 USDT on binance, at most 50.05 USDT with fees" in told[2]


@pytest.mark.parametrize(
    ("market", "have"),
    [
        (MARKETS[0], "You have 1,000,000 USDT available on bybit."),
        (MARKETS[1], None),
        (MARKETS[2], "You have 1,000,000 USDT available on binance; at least 999,949.95 USDT after this order."),
    ],
)
def test_whoever_approves_in_a_terminal_reads_the_side_and_what_one_has(
    market: dict[str, str], have: str | None
) -> None:
    terminal = Terminal("approve", propose(**market))
    terminal.answer("Send this PAPER order now?", "")
    terminal.end()
    assert market["pair"] in terminal.shown or market["exchange"] == "binance"
    said = " ".join(terminal.shown.split())
    assert have is None or have in said
    assert said.count("You have") == (0 if have is None else 1)


def test_a_mandate_s_sentence_and_its_line_name_the_market(capsys: pytest.CaptureFixture[str]) -> None:
    for pair in ("USDT-BTC", "USDT-BTC-LONG", "USDT-BTC-SHORT"):
        terminal = Terminal(
            *("mandate", "create", "--exchange", "bybit#2", "--pairs", pair),
            *("--max-order", "50", "--max-total", "200", "--for", "2h"),
        )
        terminal.answer("Create this mandate?", "y")
        assert terminal.end() == 0
        assert f"on bybit#2 ({pair})" in terminal.shown
    capsys.readouterr()
    assert run(["mandate", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for pair in ("USDT-BTC", "USDT-BTC-LONG", "USDT-BTC-SHORT"):
        assert len([line for line in lines if f"bybit#2 {pair}  " in line]) == 1
