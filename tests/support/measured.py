"""Coverage where tests kill processes: one that is killed while it writes leaves a file that spoils the whole sum."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    """Take such files away after the tests, before pytest-cov (its wrapper is around this one) adds them up."""
    result = yield
    adds = session.config.pluginmanager.hasplugin("_cov") and not hasattr(session.config, "workerinput")
    if adds:
        for broken in unreadable(session.config.rootpath):
            broken.unlink()
            print(f"coverage of a process that was killed while it wrote is left out: {broken.name}")
    return result


def unreadable(folder: Path) -> list[Path]:
    """Return the data files that cannot be added up, found by adding each of them up."""
    import sqlite3  # noqa: PLC0415 - only where coverage is measured

    from coverage import CoverageData  # noqa: PLC0415 - likewise
    from coverage.exceptions import CoverageException  # noqa: PLC0415 - likewise

    found: list[Path] = []
    for file in sorted(folder.glob(".coverage.*")):
        total = CoverageData(no_disk=True)
        try:
            one = CoverageData(str(file), read_only=True)
            one.read()
            total.update(one)
        except (CoverageException, sqlite3.Error):
            found.append(file)
        finally:
            total.close()
    return found
