"""What all tests share: the async backend and a clean environment; gateways and stores come from `support`."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from support.tally import LINES

pytest_plugins = ("support.live", "support.made", "support.postgres", "support.recorder")

# How long an example takes says something about the machine's other work only.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No test sees the user's own configuration, state or proxies; returns the state folder."""
    for name in list(os.environ):
        own = name.startswith("GUNBOT") and name != "GUNBOT_MCP_TEST_POSTGRES"
        if own or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("GUNBOT_MCP_HOME", str(home))
    return home


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in LINES:
        terminalreporter.write_line(line)
