"""A copy of a ledger as it was, kept aside before its tables change."""

import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import anyio.to_thread

from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.files import sync_folder
from gunbot_mcp.ledger.port import Port


@asynccontextmanager
async def copied_aside(port: Port, version: int, now: datetime) -> AsyncGenerator[None]:
    """Keep a complete copy beside a SQLite file, named `<file>.v1-<UTC time>`; remove it if the block fails.

    The caller holds the write lock, so that the copy is what the block changes. On PostgreSQL the migration itself
    keeps the old tables, in its own transaction.

    Raises:
        LedgerUnavailable: there is no complete copy; nothing was changed.
    """
    if not port.is_sqlite:
        yield
        return
    copy = port.path.with_name(f"{port.path.name}.v{version}-{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}")
    try:
        await anyio.to_thread.run_sync(_copy, port.path, copy)
    except (OSError, sqlite3.Error) as exc:
        raise LedgerUnavailable(
            f"the ledger must change its tables, and no copy of it can be kept first ({exc}); nothing was changed",
            f"make room for {copy} ({port.path.stat().st_size >> 20} MB)",
        ) from exc
    try:
        yield
    except BaseException:
        # It is the same as the ledger; on a full disk it would only be in the way.
        copy.unlink(missing_ok=True)
        raise


def _copy(path: Path, copy: Path) -> None:
    for left in path.parent.glob(f"{path.name}.v*.part"):
        # Left by a process that was killed while it copied: only the holder of the write lock copies.
        left.unlink(missing_ok=True)
    part = copy.with_name(f"{copy.name}.part")
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
            with closing(sqlite3.connect(part)) as target:
                source.backup(target)
                # One file, without side files.
                target.execute("PRAGMA journal_mode = DELETE").fetchone()
            _check(source, part)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(copy)
        sync_folder(copy.parent)
    except BaseException:
        for left in (part, part.with_name(f"{part.name}-wal"), part.with_name(f"{part.name}-shm")):
            left.unlink(missing_ok=True)
        raise


def _check(source: sqlite3.Connection, part: Path) -> None:
    with closing(sqlite3.connect(f"{part.absolute().as_uri()}?mode=ro", uri=True)) as target:
        wrong = [row[0] for row in target.execute("PRAGMA quick_check").fetchall() if row[0] != "ok"]
        names = [row[0] for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
        counts = [f'SELECT count(*) FROM "{name}"' for name in names]  # noqa: S608 - tables that are there
        same = all(source.execute(one).fetchone() == target.execute(one).fetchone() for one in counts)
    if wrong or not same:
        raise sqlite3.DatabaseError("the copy is not complete")
