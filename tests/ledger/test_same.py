"""A ledger that is deleted, exchanged or put back while the server runs sends nothing: it forgot what was sent."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Executable
from support.desks import open_desk, propose
from support.exchange import Exchange

from gunbot_mcp.clock import Clock
from gunbot_mcp.config import Limits
from gunbot_mcp.errors import LedgerUnavailable, LimitExceeded
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.port import Link, Parameters
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

pytestmark = pytest.mark.anyio

ExecuteSql = Callable[..., None]
Tamper = Callable[[Path, Path], None]
LIMITS = Limits(duplicate_seconds=0, max_day={"USDT": Decimal(100)})


def checkpoint(path: Path) -> None:
    """Write the log into the main file, and begin the log anew, as SQLite does by itself now and then."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        busy, *_ = other.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        assert not busy
        other.execute("UPDATE head SET product = product")


def copy_of(path: Path) -> Path:
    """Return a copy of the ledger in one file, as a backup has it."""
    copy = path.with_name("copy.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def deleted(path: Path, _: Path) -> None:
    path.unlink()


def deleted_with_its_log(path: Path, _: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()


def replaced(path: Path, older: Path) -> None:
    older.replace(path)


def replaced_whole(path: Path, older: Path) -> None:
    deleted_with_its_log(path, older)
    older.replace(path)


def log_removed(path: Path, _: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


def index_removed(path: Path, _: Path) -> None:
    path.with_name(path.name + "-shm").unlink()


def written_over(path: Path, older: Path) -> None:
    """As `cp backup ledger` does: the same file, another content."""
    checkpoint(path)
    shutil.copyfile(older, path)


def log_cut(path: Path, _: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"")


def put_back_by_sql(path: Path, older: Path) -> None:
    """As a restore through SQLite itself does: every process sees the older content, in a file that is sound."""
    with closing(sqlite3.connect(older)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)


TAMPERINGS: list[Tamper] = [
    deleted,
    deleted_with_its_log,
    replaced,
    replaced_whole,
    log_removed,
    index_removed,
    written_over,
    log_cut,
    put_back_by_sql,
]


async def buy(desk: Desk) -> State:
    """Buy for about 49 USDT."""
    return (await desk.approve((await propose(desk)).id, by=TERMINAL)).state


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
async def test_the_days_limit_holds_whatever_is_done_to_the_file_while_the_server_runs(
    tmp_path: Path, tamper: Tamper
) -> None:
    path, exchange = tmp_path / "ledger.db", Exchange()
    async with open_desk(f"sqlite:///{path}", tmp_path, exchange, limits=LIMITS) as desk:
        waiting = await propose(desk)
        older = copy_of(path)
        assert [await buy(desk), await buy(desk)] == [State.ACCEPTED, State.ACCEPTED]
        with pytest.raises(LimitExceeded):
            await buy(desk)
        tamper(path, older)
        for _ in range(3):
            with pytest.raises(LedgerUnavailable):
                await buy(desk)
            with pytest.raises(LedgerUnavailable):
                await desk.approve(waiting.id, by=TERMINAL)
        assert len(exchange.posts) == 2


async def test_a_checkpoint_and_other_processes_are_no_exchange(tmp_path: Path) -> None:
    path, exchange = tmp_path / "ledger.db", Exchange()
    url = f"sqlite:///{path}"
    async with open_desk(url, tmp_path, exchange) as desk, open_desk(url, tmp_path, exchange) as other:
        for _ in range(3):
            assert await buy(desk) is State.ACCEPTED
            checkpoint(path)
            assert await buy(other) is State.ACCEPTED
        with closing(sqlite3.connect(path, isolation_level=None)) as program:
            program.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert await buy(desk) is State.ACCEPTED
        assert await desk.ledger.verify() == []


async def test_a_file_that_vanishes_between_the_claim_and_the_order_sends_nothing(tmp_path: Path) -> None:
    path, exchange = tmp_path / "ledger.db", Exchange()

    class Vanishing(Database):
        """Its file is deleted in the instant in which the claim is committed."""

        armed = False

        async def run(self, connection: Link, statement: Executable, parameters: Parameters = None) -> Any:  # noqa: ANN401 - passed on
            if self.armed and path.exists() and "UPDATE head" in str(statement):
                path.unlink()
            return await super().run(connection, statement, parameters)

    url = f"sqlite:///{path}"
    database = Vanishing(url, 5)
    async with open_desk(url, tmp_path, exchange, database=database) as desk:
        ticket = await propose(desk)
        database.armed = True
        with pytest.raises(LedgerUnavailable, match="deleted"):
            await desk.approve(ticket.id, by=TERMINAL)
        assert exchange.posts == []


async def test_a_store_that_was_put_back_to_an_earlier_state_is_refused(
    ledger_url: str, execute_sql: ExecuteSql
) -> None:
    async with await Ledger.open(ledger_url, clock=Clock()) as ledger:
        for _ in range(3):
            async with ledger.write() as write:
                await write.event("note", actor=TERMINAL)
        first = (await ledger.events())[0]
        execute_sql(ledger_url, "DELETE FROM events WHERE seq > 1", f"UPDATE head SET seq = 1, hash = '{first.hash}'")
        with pytest.raises(LedgerUnavailable, match="no longer holds event 3"):
            async with ledger.write():
                pytest.fail("it began")


async def test_a_store_that_went_another_way_from_an_earlier_state_is_refused(
    ledger_url: str, execute_sql: ExecuteSql
) -> None:
    async with await Ledger.open(ledger_url, clock=Clock()) as ledger:
        for _ in range(3):
            async with ledger.write() as write:
                await write.event("note", actor=TERMINAL)
        first = (await ledger.events())[0]
        execute_sql(ledger_url, "DELETE FROM events WHERE seq > 1", f"UPDATE head SET seq = 1, hash = '{first.hash}'")
        async with await Ledger.open(ledger_url, clock=Clock()) as other:
            for _ in range(5):
                async with other.write() as write:
                    await write.event("another note", actor=TERMINAL)
        with pytest.raises(LedgerUnavailable, match="no longer holds event 3"):
            async with ledger.write():
                pytest.fail("it began")
