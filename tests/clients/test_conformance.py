"""The protocol's own conformance suite against `gunbot-mcp serve --http`, for each version that clients speak.

Every scenario either passes or stands here with the reason why it cannot apply.
"""

import json
import re
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clients.conftest import Installed
from clients.human import SCRIPT

pytestmark = pytest.mark.slow

BOTH_ERAS = {"tools-list", "resources-list", "prompts-list"}
HANDSHAKE = BOTH_ERAS | {"server-initialize", "server-session-lifecycle", "ping"}
PASSES = {
    "2025-06-18": HANDSHAKE,
    "2025-11-25": HANDSHAKE | {"server-sse-multiple-streams", "dns-rebinding-protection"},
    "2026-07-28": BOTH_ERAS
    | {"server-sse-multiple-streams", "dns-rebinding-protection", "sep-2164-resource-not-found", "caching"}
    | {"http-header-validation", "input-required-result-unsupported-methods", "server-stateless"},
}
"""What must pass; a scenario that is neither here nor below is new, and must be looked at."""

OWN_TOOL = "calls a test tool of the suite, which no other server has"
OWN_PROMPT = "asks for a test prompt of the suite, which no other server has"
OWN_RESOURCE = "reads a test resource of the suite, which no other server has"
OPTIONAL = "an optional capability that this server does not declare"
REASONS = {
    r"tools-call-.*": OWN_TOOL,
    r"json-schema-2020-12": OWN_TOOL,
    r"elicitation-sep.*": OWN_TOOL,
    r"server-sse-polling": OWN_TOOL,
    r"input-required-result-non-tool-request": OWN_PROMPT,
    r"input-required-result-.*": OWN_TOOL,
    r"http-custom-header-server-validation": "no tool asks for headers of its own, so there is none to validate",
    r"prompts-get-.*": OWN_PROMPT,
    r"resources-(read|templates)-.*": OWN_RESOURCE,
    r"resources-(un)?subscribe": OPTIONAL,
    r"completion-complete": OPTIONAL,
    r"logging-set-level": OPTIONAL,
}
_NOT_TESTABLE = "Not testable: server does not list the diagnostic tool"
"""What the suite says of single checks that need a test tool of its own, in a scenario that applies otherwise."""


def reason(scenario: str) -> str | None:
    return next((why for pattern, why in REASONS.items() if re.fullmatch(pattern, scenario)), None)


@contextmanager
def serving(installed: Installed) -> Generator[str]:
    """Serve on a free port of loopback; returns the address that the suite takes."""
    command = [SCRIPT, "serve", "--http", "127.0.0.1:0"]
    environment = installed.environment(server=True)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, encoding="utf-8") as running:
        assert running.stderr
        try:
            heard = re.search(r"listening on (\S+)", running.stderr.readline())
            assert heard
            yield heard[1]
        finally:
            running.terminate()


@pytest.mark.parametrize("version", PASSES)
def test_every_scenario_passes_that_can_apply(
    version: str, installed: Installed, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    results = tmp_path / "results"
    with serving(installed) as url:
        script = installed.package("@modelcontextprotocol", "conformance", "dist", "index.js")
        options = ["--url", url, "--suite", "all", "--spec-version", version, "--output-dir", str(results)]
        subprocess.run(
            [installed.node(), script, "server", *options],
            env=installed.environment(),
            capture_output=True,
            timeout=300,
            check=False,  # it fails for the scenarios that cannot apply, too
        )

    failed: dict[str, list[str]] = {}
    for file in results.glob("server-*/checks.json"):
        found = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT.*", file.parent.name)
        assert found
        checks = json.loads(file.read_text(encoding="utf-8"))
        messages = [str(check.get("errorMessage")) for check in checks if check["status"] == "FAILURE"]
        failed[found[1]] = [message for message in messages if not message.startswith(_NOT_TESTABLE)]

    passed = {scenario for scenario, messages in failed.items() if not messages}
    assert PASSES[version] <= passed, {scenario: failed.get(scenario) for scenario in PASSES[version] - passed}
    rest = set(failed) - PASSES[version]
    assert not [scenario for scenario in rest if reason(scenario) is None]
    tell(f"conformance {version}: {len(passed)} of {len(failed)} scenarios pass; the others cannot apply:")
    for why in sorted({str(reason(scenario)) for scenario in rest - passed}):
        tell(f"  {why}: " + ", ".join(sorted(one for one in rest - passed if reason(one) == why)))
