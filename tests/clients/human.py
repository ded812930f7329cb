"""What a human does with what an assistant shows: open the link, or type the command into a plain terminal."""

import json
import re
import sysconfig
from pathlib import Path

import httpx2
from support.terminals import Terminal

SCRIPT = Path(sysconfig.get_path("scripts")) / "gunbot-mcp"
"""The console script, which is what `install` writes into a client's file."""

_LINK = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d+/tickets/([a-z0-9]+)")
_COMMAND = re.compile(r"`([^`]* approve ([a-z0-9]+))`")


def ticket_of(text: str) -> str:
    found = _LINK.search(text) or re.search(r"approve ([a-z0-9]{8})\b", text)
    assert found, text
    return found[1]


def approve_on_page(text: str) -> None:
    """Open the first link of what was shown, and press the button."""
    link = _LINK.search(text)
    assert link, text
    origin = re.match(r"http://[^/]+", link[0])
    assert origin
    with httpx2.Client(trust_env=False) as browser:
        token = re.search(r'name="token" value="([0-9a-f]{64})"', browser.get(link[0]).text)
        assert token
        form, headers = {"token": token[1]}, {"Origin": origin[0]}
        decided = browser.post(f"{link[0]}/approve", data=form, headers=headers, follow_redirects=True)
    assert "Accepted" in decided.text


def approve_in_terminal(text: str) -> None:
    """Type the command that was shown, where nothing of the server's environment is set."""
    command = _COMMAND.search(text)
    assert command, text
    line = json.loads(f'"{command[1]}"') if "\\" in command[1] else command[1]
    terminal = Terminal("-u", "GUNBOT_MCP_HOME", "sh", "-c", line, program=("env",))
    terminal.answer("Send this PAPER order now?", "y")
    assert terminal.end() == 0, terminal.shown
    assert "accepted" in terminal.shown
