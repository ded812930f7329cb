"""Gemini CLI and Codex as a user has them, with the entry that `install` writes and a stand-in model on loopback."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from clients import laws
from clients.conftest import Installed
from clients.human import SCRIPT, approve_on_page, ticket_of
from clients.model import Json, Model, Wish, serving

pytestmark = pytest.mark.slow

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


def environment(installed: Installed) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return {**installed.environment(), **kept, "GUNBOT_MCP_HOME": str(installed.state)}


def install(client: str, env: dict[str, str]) -> None:
    """The one command after the README's first line."""
    done = subprocess.run([SCRIPT, "install", client], env=env, capture_output=True, text=True, check=True)
    assert "gunbot (PAPER) is in" in done.stdout


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


def test_gemini_cli_gets_from_install_to_an_approved_order(
    installed: Installed, tmp_path: Path, row: Callable[..., None]
) -> None:
    env = environment(installed)
    # How the user signed in stands in the same file before.
    settings = installed.user / ".gemini" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"security": {"auth": {"selectedType": "gemini-api-key"}}}\n', encoding="utf-8")
    install("gemini", env)
    with serving(Model(wishes(wait_for_previous=True))) as model:
        env |= {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": model.url, "GEMINI_CLI_TRUST_WORKSPACE": "true"}
        script = installed.package("@google", "gemini-cli", "bundle", "gemini.js")
        # A named model: else another one is asked first which to take.
        options = ["--model", "gemini-2.5-flash", "--yolo", "--prompt", "go on"]
        run([installed.node(), script, *options], env, tmp_path)

    whole = prove(model)
    calls = laws.accepted(model.schemas)
    version = version_of(installed, "@google", "gemini-cli")
    row("Gemini CLI", version, whole, f"{whole}, {calls} calls", "yes", "yes", "yes", "page, after install")


def test_codex_gets_from_install_to_an_approved_order(
    installed: Installed, tmp_path: Path, row: Callable[..., None]
) -> None:
    env = environment(installed)
    install("codex", env)
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

    whole = prove(model)
    calls = laws.accepted(model.schemas)
    version = version_of(installed, "@openai", "codex")
    row("Codex", version, whole, f"{whole}, {calls} calls", "yes", "yes", "yes", "page, after install")
