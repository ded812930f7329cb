"""`gunbot-mcp demo --me` as its human meets it: a real child in a terminal, and Chromium where the human decides."""

# pyright: reportUnknownMemberType=false
# Playwright's assertions take patterns of types that it does not spell out.

import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from support.browsing import visit
from support.terminals import Terminal

from gunbot_mcp.approval.inbox import PORT
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.loopback import bind

pytestmark = [pytest.mark.slow, pytest.mark.browser]

NewPage = Callable[..., Any]
Start = Callable[..., Terminal]
WAITS = "Ctrl-C ends the demo."


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start the demo with a folder for temporary files, and a browser that only writes down what it should show."""
    browser = tmp_path / "a-browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path / "opened"}\n', encoding="utf-8")
    browser.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("BROWSER", str(browser))
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    made: list[Terminal] = []

    def run(*arguments: str) -> Terminal:
        made.append(Terminal("demo", "--me", *arguments, columns=100))
        return made[-1]

    yield run
    for terminal in made:
        with suppress(ProcessLookupError):
            terminal.signal(signal.SIGKILL)


def page_of(terminal: Terminal) -> str:
    found = re.search(r"http://localhost:\d+/tickets/[0-9a-z]+", terminal.wait_for(WAITS))
    assert found is not None
    return found[0]


def is_served(page: str) -> bool:
    port = int(page.split(":")[2].partition("/")[0])
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_you_approve_in_the_browser_and_the_order_fills(
    start: Start, new_page: NewPage, tmp_path: Path, clean_environment: Path
) -> None:
    terminal = start()
    address = page_of(terminal)
    with new_page() as page:
        visit(page, address)
        expect(page.locator(".kind")).to_have_text("PAPER")
        page.get_by_role("button", name="Approve and send").click()
        expect(page.get_by_role("status").get_by_role("heading").first).to_be_visible()
        terminal.wait_for("Ctrl-C ends it now.")
    terminal.signal(signal.SIGINT)

    assert terminal.end() == 0
    assert "filled: 0.001 BTC at 50500 USDT" in terminal.words
    assert "install CLIENT" in terminal.words
    assert "Traceback" not in terminal.shown
    assert (tmp_path / "opened").read_text(encoding="utf-8").strip() == address
    assert not is_served(address)
    assert list((tmp_path / "tmp").iterdir()) == []
    # Neither the user's state folder nor the user's home, where their own switch lies, was touched.
    assert not clean_environment.exists()
    assert not (tmp_path / "user").exists()


def test_where_the_usual_port_is_taken_another_is_named_and_a_no_sends_nothing(start: Start, new_page: NewPage) -> None:
    with ExitStack() as stack:
        with suppress(ConfigInvalid):  # then somebody else has taken it
            stack.enter_context(closing(bind("127.0.0.1", PORT)))
        terminal = start()
        address = page_of(terminal)
        with new_page() as page:
            visit(page, address)
            page.get_by_role("button", name="Reject").click()
            expect(page.get_by_role("status").get_by_role("heading").first).to_have_text("Declined")

        assert terminal.end() == 0
    assert f":{PORT}/" not in address
    assert f"Port {PORT} is taken" in terminal.words
    assert "  ✓ nothing was sent" in terminal.lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_ends_at_once_and_leaves_nothing_running(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    terminal = start()
    address = page_of(terminal)
    assert is_served(address)

    terminal.signal(number)

    assert terminal.end() == 130
    assert "gunbot-mcp: interrupted" in terminal.words
    assert "Traceback" not in terminal.shown
    assert not is_served(address)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_without_a_human_the_demo_ends_by_itself_and_sends_nothing(start: Start) -> None:
    terminal = start("--wait", "5")

    assert terminal.end() == 1
    assert "nobody decided within 5 seconds, and nothing was sent" in terminal.words
    assert "Traceback" not in terminal.shown
