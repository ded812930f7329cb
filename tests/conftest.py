"""What all tests share: the async backend and a clean environment; gateways and stores come from `support`."""

import functools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings

pytest_plugins = (
    "support.live",
    "support.made",
    "support.measured",
    "support.postgres",
    "support.recorder",
    "support.shares",
    "support.silent",
)

# A shell without job control starts what runs in its background deaf to Ctrl-C; the tests' children would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says something about the machine's other work only.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_xdist_auto_num_workers() -> int:
    """Two workers a processor: much of a test's time is waiting for a child process or a disk."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_ones_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a module's own fixtures start has a home of its own, too: the user's switch lies there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("user")))
        yield


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No test sees the user's own configuration, state, switch or proxies; returns the state folder."""
    for name in list(os.environ):
        own = name.startswith("GUNBOT") and name != "GUNBOT_MCP_TEST_POSTGRES"
        if own or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("GUNBOT_MCP_HOME", str(home))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return home


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say what a test counted: a line that is printed at the end of the run, whichever process it ran in."""
    return functools.partial(record_property, "told")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    # What a test recorded is in every report after that; the last one is that of its end.
    ends = [report for report in reports if isinstance(report, pytest.TestReport) and report.when == "teardown"]
    properties = [found for report in ends for found in report.user_properties]
    for line in (told for name, told in properties if name == "told"):
        terminalreporter.write_line(str(line))
    clients = [cast("list[str]", row) for name, row in properties if name == "client"]
    if clients:
        head = ["client", "version", "lists", "converts", "reads", "is refused", "proposes", "approved by"]
        widths = [max(map(len, column)) for column in zip(head, *clients, strict=True)]
        for row in (head, *sorted(clients)):
            cells = zip(row, widths, strict=True)
            terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in cells).rstrip())
    hostile = [cast("tuple[int, int]", counted) for name, counted in properties if name == "hostile"]
    if hostile:
        calls, unapproved = map(sum, zip(*hostile, strict=True))
        terminalreporter.write_line(f"hostile model: {calls:,} calls, {unapproved} orders without a human")
