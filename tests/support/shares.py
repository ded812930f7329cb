"""A share that must hold over all parts of one large test, each of which is too small to have it by itself.

A part records `("share", [of how many, how many])`; whatever ran, the sum is judged at the end of the run.
"""

from typing import cast

import pytest

ENOUGH = 0.95


def _counted(config: pytest.Config) -> tuple[int, int]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if not isinstance(reporter, pytest.TerminalReporter):
        return 0, 0
    reports = [report for found in reporter.stats.values() for report in found]
    ends = [report for report in reports if isinstance(report, pytest.TestReport) and report.when == "teardown"]
    parts = [cast("list[int]", value) for report in ends for name, value in report.user_properties if name == "share"]
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def pytest_sessionfinish(session: pytest.Session) -> None:
    of, found = _counted(session.config)
    if found < of * ENOUGH and not hasattr(session.config, "workerinput"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    of, found = _counted(config)
    if of:
        missed = "" if found >= of * ENOUGH else f": FAILED, {ENOUGH:.0%} are asked for"
        terminalreporter.write_line(f"in all worlds {found:,} of {of:,} orders were matched: {found / of:.2%}{missed}")
