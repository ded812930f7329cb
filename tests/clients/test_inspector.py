"""The Inspector's command line: a process for each call, and its judgement of the schemas (`--strict`)."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clients import laws
from clients.conftest import Installed
from clients.driver import entry
from clients.human import approve_in_terminal, ticket_of

pytestmark = pytest.mark.slow

_AN_ERROR_RESULT = 5
"""The Inspector's exit code where the server answered with an error."""


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_finds_no_fault_in_the_schemas_and_its_calls_lead_to_an_approved_order(
    installed: Installed, row: Callable[..., None], era: str
) -> None:
    server = entry(installed)
    package = Path(installed.package("@modelcontextprotocol", "inspector"))
    launcher = package / "clients" / "launcher" / "build" / "index.js"

    def ask(method: str, *options: str) -> tuple[int, dict[str, Any], str]:
        variables = [part for name, value in server["env"].items() for part in ("-e", f"{name}={value}")]
        command = [installed.node(), str(launcher), "--cli", server["command"], *server["args"], *variables]
        done = subprocess.run(
            [*command, "--connect-timeout", "0", "--protocol-era", era, "--method", method, *options],
            env=installed.environment(),
            cwd=installed.user,
            capture_output=True,
            encoding="utf-8",
            timeout=240,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout), done.stderr

    def call(tool: str, arguments: dict[str, Any]) -> tuple[int, str]:
        code, result, _ = ask("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))
        return code, "\n".join(part["text"] for part in result["content"])

    code, listed, judged = ask("tools/list", "--strict")
    assert code == 0, judged
    assert "0 errors" in judged
    schemas = {tool["name"]: tool["inputSchema"] for tool in listed["tools"]}
    whole, calls = laws.converted(schemas), laws.accepted(schemas)

    code, quote = call("get_quote", {"exchange": "binance", "pair": "USDT-BTC"})
    assert code == 0
    assert "USDT-BTC" in quote
    code, refused = call("buy_limit", {**laws.BUY, "amount": 1})
    assert code == _AN_ERROR_RESULT
    assert refused.startswith("limit_exceeded: ")
    assert "\nNext: make it smaller" in refused
    code, proposed = call("buy_limit", laws.BUY)
    assert code == 0
    approve_in_terminal(proposed)
    code, after = call("get_ticket", {"ticket_id": ticket_of(proposed)})
    assert code == 0
    assert after.startswith("accepted: ")
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    row(f"Inspector, {era}", version, len(schemas), f"{whole}, {calls} calls", "yes", "yes", "yes", "terminal")
