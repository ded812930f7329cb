"""A step of the current world before and after every side effect of the guard, and a ledger that fails as it says."""

import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from support.processes import Dead, acting
from support.world import current

from gunbot_mcp.guard import desk, outbox
from gunbot_mcp.ledger.database import Store
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.transaction import Write

_begin, _commit, _spool, _write = Store.begin, Store.commit, outbox.spool, Ledger.write
_run = Write._run  # pyright: ignore[reportPrivateUsage] - every statement of a transaction passes here


async def _stepped_begin(self: Store, connection: AsyncConnection) -> tuple[int, str]:
    world = current.get()
    await world.step("before a transaction")
    if world.ledger_away and acting.get() is not None:
        raise sqlite3.OperationalError("disk I/O error")
    return await _begin(self, connection)


async def _stepped_run(self: Write, statement: Any) -> Any:  # noqa: ANN401 - passed on
    await current.get().step("before a statement")
    return await _run(self, statement)


async def _stepped_commit(self: Store, connection: AsyncConnection) -> None:
    world = current.get()
    await world.step("before a commit")
    fault = acting.get() is not None and world.chance.random() < world.ledger_fault
    if fault and world.chance.random() < 0.5:
        raise sqlite3.OperationalError("disk I/O error")
    await _commit(self, connection)
    await world.step("after a commit")
    if fault:
        raise ConnectionResetError("gone with the answer")


def _stepped_spool(folder: Path, *rest: Any) -> bool:  # noqa: ANN401 - passed on
    process = acting.get()
    if process is not None and process.dead:
        raise Dead("a file")
    return _spool(folder, *rest)


@contextlib.asynccontextmanager
async def _in_turn(self: Ledger) -> AsyncGenerator[Write]:
    async with current.get().lock, _write(self) as opened:
        yield opened


def _same_choice(letters: Sequence[str]) -> str:
    return current.get().chance.choice(letters)


def hook(monkeypatch: pytest.MonkeyPatch, *, one_thread: bool) -> None:
    """Put the steps in. `one_thread`: SQLite's lock is waited for in turn, since its own waiting stops everything."""
    monkeypatch.setattr(Store, "begin", _stepped_begin)
    monkeypatch.setattr(Store, "commit", _stepped_commit)
    monkeypatch.setattr(Write, "_run", _stepped_run)
    monkeypatch.setattr(outbox, "spool", _stepped_spool)
    # Tickets have the same names on every run of a seed.
    monkeypatch.setattr(desk.secrets, "choice", _same_choice)
    if one_thread:
        monkeypatch.setattr(Ledger, "write", _in_turn)
