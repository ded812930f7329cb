"""Opening a page: a real child process with a browser of ours, without a screen, and with a text browser."""

import subprocess
import sys
from pathlib import Path

import pytest

from gunbot_mcp.telling.browser import can_open, main


def test_without_a_screen_there_is_nothing_to_open_in() -> None:
    assert not can_open({}, "linux")
    assert can_open({"DISPLAY": ":0"}, "linux")
    assert can_open({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    assert can_open({}, "darwin")
    assert can_open({}, "win32")


@pytest.mark.parametrize(("name", "opened"), [("a-browser", True), ("w3m", False), ("lynx", False)])
def test_a_browser_is_given_the_page_and_a_text_browser_is_not(tmp_path: Path, name: str, *, opened: bool) -> None:
    seen = tmp_path / "seen"
    browser = tmp_path / name
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}\n', encoding="utf-8")
    browser.chmod(0o755)

    ended = subprocess.run(
        [sys.executable, "-P", "-m", "gunbot_mcp.telling.browser", "http://localhost:1/tickets/x"],
        env={"BROWSER": str(browser), "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=60,
        check=False,
    )

    assert (ended.returncode == 0) is opened
    assert (seen.exists() and seen.read_text(encoding="utf-8").strip() == "http://localhost:1/tickets/x") is opened


def test_no_browser_at_all_is_a_clear_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "lynx")

    assert main("http://localhost:1") == 1
