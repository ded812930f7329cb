"""Thousands of schedules of faults, and in each: no order twice, none unapproved, none lost, nothing untrue.

`GUNBOT_MCP_SCHEDULES` sets how many (10,000 by default), `GUNBOT_MCP_SEED` plays the one schedule of that seed.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from simulation.simulate import in_real_time, in_virtual_time
from sqlalchemy import bindparam, select

from gunbot_mcp.ledger import reads
from gunbot_mcp.ledger.tables import mandates
from gunbot_mcp.tickets.mandate import Mandate

Tell = Callable[[str], None]
SCHEDULES = int(os.environ.get("GUNBOT_MCP_SCHEDULES", "10000"))
ON_POSTGRESQL = min(1000, SCHEDULES)
SEED = os.environ.get("GUNBOT_MCP_SEED")
AGAIN = "play one again: GUNBOT_MCP_SEED=N"
BATCH, SHARES = 100, 10


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_no_schedule_of_faults_sends_twice_or_loses_an_outcome(share: int, tell: Tell) -> None:
    if SEED is not None:
        assert in_virtual_time([int(SEED)]) == []
        return
    batches = [
        list(range(start, min(start + BATCH, SCHEDULES))) for start in range(share * BATCH, SCHEDULES, SHARES * BATCH)
    ]
    found = [problem for batch in batches for problem in in_virtual_time(batch)]
    tell(f"{sum(map(len, batches))} schedules of faults in virtual time on SQLite: {len(found)} violations")
    assert not found, "\n".join([*found[:20], AGAIN])


@pytest.mark.slow
@pytest.mark.postgres
def test_no_schedule_of_faults_does_so_with_two_replicas_on_postgresql(
    tmp_path: Path, new_database: str, tell: Tell
) -> None:
    found = in_real_time(list(range(ON_POSTGRESQL)), new_database, tmp_path, pace=0.01, at_once=24)
    tell(f"{ON_POSTGRESQL} schedules of faults in real time on PostgreSQL: {len(found)} violations")
    assert not found, "\n".join(found[:20])


def test_a_schedule_is_the_same_on_every_run() -> None:
    assert in_virtual_time([3]) == in_virtual_time([3]) == []


# What nothing can break proves nothing: each of these guards has one hole, and a few schedules are to find it.


def test_a_guard_that_does_not_see_the_halt_file_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("gunbot_mcp.guard.") and hasattr(module, "halted"):
            monkeypatch.setattr(module, "halted", _nothing)
    played = (in_virtual_time(list(range(start, start + 5))) for start in range(0, 100, 5))
    assert any("was halted" in problem for problems in played for problem in problems)


@pytest.mark.slow
def test_a_guard_whose_mandates_never_end_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mandate, "active", _always)
    monkeypatch.setattr(reads, "UNEXPIRED", select(mandates).where(mandates.c.instance == bindparam("instance")))
    found = in_virtual_time(list(range(300)))
    assert any("had been revoked" in problem for problem in found)
    assert any("had expired" in problem for problem in found)


def _nothing(_: object) -> None: ...


def _always(*_: object) -> bool:
    return True
