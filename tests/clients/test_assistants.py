"""Gemini CLI and Codex as a user has them, with the entry that `install` writes and a stand-in model on loopback."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from clients import laws
from clients.conftest import Installed
from clients.human import SCRIPT, approve_on_page, ticket_of
from clients.model import Json, Model, Wish, serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAIR = {"exchange": "binance", "pair": "USDT-BTC"}


def wishes(**more: object) -> list[Wish]:
    """What the model does: it reads, is refused twice, proposes, and looks after the human has approved.

    `more` are arguments that the client itself offers its model beside ours.
    """
    look: Json = {}

    def approve(shown: str) -> None:
        approve_on_page(shown)
        look["ticket_id"] = ticket_of(shown)

    return [
        Wish("get_quote", {**PAIR, **more}),
        Wish("buy_limit", {**laws.BUY, "amount": 1}),
        Wish("buy_limit", {**laws.BUY, "price": -1}),
        Wish("buy_limit", dict(laws.BUY), then=approve),
        Wish("get_ticket", look),
    ]


def prove(model: Model) -> int:
    """Assert what the model was told at each step; returns how many of our tools it was offered whole."""
    quote, refused, mistaken, proposed, after = model.told
    assert "USDT-BTC" in quote
    assert "limit_exceeded" in refused
    assert "make it smaller, or ask the human" in refused
    assert "invalid_arguments" in mistaken
    assert "a JSON number greater than 0" in mistaken
    assert "awaiting_approval" in proposed
    assert "Order sent" in after
    return laws.converted(model.schemas)


def install(client: str, installed: Installed, program: Path = SCRIPT) -> dict[str, str]:
    """The one command after the README's first line; returns what the client is started with then."""
    command = [program, "install", client]
    done = subprocess.run(command, env=installed.environment(server=True), capture_output=True, text=True, check=True)
    assert "gunbot (PAPER) is in" in done.stdout
    return {**installed.environment(), **installed.checkout}


def run(command: list[str], env: dict[str, str], folder: Path) -> None:
    done = subprocess.run(
        command,
        env=env,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def version_of(installed: Installed, *package: str) -> str:
    return str(json.loads(Path(installed.package(*package, "package.json")).read_text(encoding="utf-8"))["version"])


def with_gemini(installed: Installed, program: Path, folder: Path) -> Model:
    """Install for Gemini CLI, and let it play the story in that folder."""
    # How the user signed in stands in the same file before.
    settings = installed.user / ".gemini" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"security": {"auth": {"selectedType": "gemini-api-key"}}}\n', encoding="utf-8")
    env = install("gemini", installed, program)
    with serving(Model(wishes(wait_for_previous=True))) as model:
        env |= {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": model.url, "GEMINI_CLI_TRUST_WORKSPACE": "true"}
        script = installed.package("@google", "gemini-cli", "bundle", "gemini.js")
        # A named model: else another one is asked first which to take.
        options = ["--model", "gemini-2.5-flash", "--yolo", "--prompt", "go on"]
        run([installed.node(), script, *options], env, folder)
    return model


def test_gemini_cli_gets_from_install_to_an_approved_order(
    installed: Installed, tmp_path: Path, row: Callable[..., None]
) -> None:
    model = with_gemini(installed, SCRIPT, tmp_path)

    whole, calls = prove(model), laws.accepted(model.schemas)
    version = version_of(installed, "@google", "gemini-cli")
    row("Gemini CLI", version, whole, f"{whole}, {calls} calls", "yes", "yes", "yes", "page, after install")


def test_a_machine_with_python_and_one_client_gets_to_an_approved_order_in_two_commands(
    installed: Installed, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    """The README's first line in a checkout, then `install`: from there on the client is on its own."""
    checkout = tmp_path / "checkout"
    built = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "build", "dist")
    shutil.copytree(ROOT, checkout, ignore=built)
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    line = re.search(r"<!-- demo command -->\n```sh\n(.+)\n```", readme)
    assert line
    # What a newcomer has: a Python, and pip's settings of this machine, our pins among them.
    pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    python = Path(sys.base_prefix) / "bin"
    env = {"HOME": str(installed.user), "PATH": f"{python}:/usr/bin:/bin", **pip}
    subprocess.run(["bash", "-euc", line[1]], cwd=checkout, env=env, capture_output=True, check=True)

    alone = Installed(installed.folder, user=installed.user, state=installed.state, checkout={})
    model = with_gemini(alone, checkout / ".venv" / "bin" / "gunbot-mcp", tmp_path)

    assert prove(model) == len(laws.TOOLS)
    tell("from nothing: the README's first line and `gunbot-mcp install gemini` led to an approved paper order")


def test_codex_gets_from_install_to_an_approved_order(
    installed: Installed, tmp_path: Path, row: Callable[..., None]
) -> None:
    env = install("codex", installed)
    with serving(Model(wishes())) as model:
        stand_in = f'{{name = "stand-in", base_url = "{model.url}/v1", wire_api = "responses"}}'
        settings = {
            "model": '"stand-in"',
            "model_provider": '"stand_in"',
            "model_providers.stand_in": stand_in,
            # Else its first turn begins before any server has answered; a human's first word takes longer.
            "mcp_servers.gunbot.required": "true",
        }
        if "PYTHONPATH" in env:
            settings["mcp_servers.gunbot.env_vars"] = '["PYTHONPATH"]'
        said = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        script = installed.package("@openai", "codex", "bin", "codex.js")
        # It would keep calls that can destroy from a session that nobody watches.
        options = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
        run([installed.node(), script, "exec", *options, *said, "go on"], env, tmp_path)

    whole, calls = prove(model), laws.accepted(model.schemas)
    version = version_of(installed, "@openai", "codex")
    row("Codex", version, whole, f"{whole}, {calls} calls", "yes", "yes", "yes", "page, after install")
