"""A driver: a small program in the environment of one client, which plays our story and tells it line by line."""

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clients.human import SCRIPT

if TYPE_CHECKING:
    from clients.conftest import Installed

DRIVERS = Path(__file__).parent / "drivers"
_PATIENCE = 240
"""Seconds for a whole story; the slowest clients start a process for each call."""


def entry(installed: "Installed") -> dict[str, Any]:
    """The server as `install --print` shows it for any client: on paper, with the state folder of this user."""
    command = [SCRIPT, "install", "--print"]
    shown = subprocess.run(command, env=installed.environment(server=True), capture_output=True, check=True)
    server: dict[str, Any] = json.loads(shown.stdout)["mcpServers"]["gunbot"]
    server["env"] |= installed.checkout
    return server


@dataclass(slots=True)
class Told:
    """What a driver told: what the client made of the tools, and what reached the model's side of it."""

    version: str = ""
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    reads: dict[str, str] = field(default_factory=dict[str, str])
    forms: list[str] = field(default_factory=list[str])
    refused: str = ""
    mistaken: str = ""
    proposed: str = ""
    after: str = ""

    def take(self, line: str) -> str | None:
        """Take in a line of the driver; returns its stage. A client's own chatter is none."""
        try:
            said: object = json.loads(line)
        except ValueError:
            return None
        found = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
        if "stage" not in found:
            return None
        match found["stage"]:
            case "lists":
                self.version, self.schemas = found["version"], found["schemas"]
            case "reads":
                self.reads[found["tool"]] = found["text"]
            case "form":
                self.forms.append(found["text"])
            case stage:
                setattr(self, stage, found["text"])
        return str(found["stage"])


def play(
    command: list[str], server: Mapping[str, Any], *, environment: Mapping[str, str], human: Callable[[str], str]
) -> Told:
    """Run a driver to its end. `human` gets the answer to the proposal, decides, and returns the ticket's id."""
    told = Told()
    with subprocess.Popen(
        command,
        cwd=environment["HOME"],
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as driver:
        assert driver.stdin
        assert driver.stdout
        assert driver.stderr
        watchdog = threading.Timer(_PATIENCE, driver.kill)
        watchdog.start()
        errors: list[str] = []
        reader = threading.Thread(target=errors.extend, args=(driver.stderr,))
        reader.start()
        try:
            driver.stdin.write(json.dumps(server) + "\n")
            driver.stdin.flush()
            for line in driver.stdout:
                if told.take(line) == "proposed":
                    driver.stdin.write(human(told.proposed) + "\n")
                    driver.stdin.flush()
            code = driver.wait()
        finally:
            watchdog.cancel()
            driver.kill()
            reader.join()
    assert code == 0, "".join(errors)[-3000:]
    return told
