"""The clocks that records and expiry rest on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from gunbot_mcp.clock import Clock, ManualClock


def test_the_machines_clocks_are_aware_and_monotonic() -> None:
    clock = Clock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
    assert clock.boot_id() == clock.boot_id()


def test_without_the_kernels_id_every_process_is_a_boot_of_its_own(tmp_path: Path) -> None:
    assert Clock(tmp_path / "none").boot_id() != Clock(tmp_path / "none").boot_id()


def test_a_manual_clock_moves_only_when_told() -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    clock = ManualClock(start)
    before = clock.monotonic()
    clock.advance(timedelta(seconds=2))
    clock.set_wall(start)
    assert (clock.now(), clock.monotonic() - before) == (start, 2.0)
