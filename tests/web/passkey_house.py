"""A whole inbox in a process of its own, in front of a live Gunbot, for tests in which a human touches a passkey."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Playwright does not spell out what CDP takes and gives.

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page
from support.browsing import visit
from support.live import TOKEN, LiveGunbot

from gunbot_mcp.approval.pin import set_pin
from gunbot_mcp.files import private_folder

ROOT = Path(__file__).parents[2]
PIN = "246 810"
BUY = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 49000}


@dataclass(frozen=True)
class House:
    """`url` is the inbox's address; `folder` its state; `stderr` what it said there, once it has ended."""

    url: str
    folder: Path
    config: Path
    gunbot: LiveGunbot
    stderr: list[str]

    def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Call a tool as a client whose process is gone when its answer is there."""
        return json.loads(self.run("call", tool, json.dumps(arguments)).stdout)

    def propose(self, **arguments: object) -> str:
        """Return the address at which a new order waits."""
        return str(self.call("buy_limit", **{**BUY, **arguments})["approve"]["page"])

    def says(self, before: str, now: str) -> None:
        """Write something else into the config, for what runs already, too."""
        self.config.write_text(self.config.read_text(encoding="utf-8").replace(before, now), encoding="utf-8")

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "gunbot_mcp", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def open_house(
    gunbot: LiveGunbot, folder: Path, config: Path, setenv: Callable[[str, str], None], **approval: object
) -> Generator[House]:
    """Serve an inbox for the live instance `gunbot`, with a PIN, under these settings of `[approval]`."""
    private_folder(folder)
    set_pin(folder, PIN)
    lines = [f"{name} = {json.dumps(value)}" for name, value in approval.items()]
    instance = ["[instances.gunbot]", f'url = "{gunbot.url}"', f'token = "{TOKEN}"', "read_timeout = 60"]
    limits = ["[instances.gunbot.limits]", "duplicate_seconds = 0"]
    config.write_text("\n".join(["[approval]", *lines, *instance, *limits]), encoding="utf-8")
    setenv("GUNBOT_MCP_CONFIG", str(config))
    child = subprocess.Popen(
        [sys.executable, "-m", "gunbot_mcp", "inbox", "--port", "0"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    said: list[str] = []
    try:
        assert child.stdout is not None
        assert child.stderr is not None
        line = ""
        while "listening on" not in line:
            line = child.stdout.readline()
            assert line, child.stderr.read()
        yield House(line.split()[-1], folder, config, gunbot, said)
    finally:
        child.terminate()
        said.append(child.communicate()[1])


def finger(page: Page, *, verified: bool = True) -> tuple[CDPSession, str]:
    """Give the page's browser an authenticator whose human touches at once; return it, to change it."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verified,
        "automaticPresenceSimulation": True,
    }
    made: dict[str, Any] = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return cdp, str(made["authenticatorId"])


def register(page: Page, house: House, name: str = "laptop") -> None:
    """Register the first passkey in the inbox, with the PIN."""
    visit(page, f"{house.url}/passkeys")
    page.get_by_label("A name for it").fill(name)
    page.get_by_label("Your PIN").fill(PIN)
    page.get_by_role("button", name="Register a passkey").click()
    page.get_by_text(name, exact=True).wait_for()
