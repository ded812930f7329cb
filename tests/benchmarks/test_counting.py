"""The meters themselves: what is counted is what happened."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from benchmarks.counting import TOKEN, commits, served

TIME = "/api/v1/time"


async def _together(ask: Callable[[], Awaitable[object]], number: int) -> None:
    await asyncio.gather(*(ask() for _ in range(number)))


@pytest.mark.anyio
async def test_requests_that_do_not_wait_for_one_another_are_one_round() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with served() as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, headers=headers, trust_env=False, verify=False) as http:

            async def ask() -> None:
                (await http.get(TIME)).raise_for_status()

            await _together(ask, 3)
            await ask()
            await _together(ask, 2)
        await gateway.quiet()

        assert [path for path, _, _ in gateway.seen] == [TIME] * 6
        assert gateway.rounds() == 3


def test_only_transactions_that_changed_something_are_commits(tmp_path: Path) -> None:
    database = tmp_path / "some.sqlite3"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE rows (text)")
        before = commits(database)
        for number in range(3):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO rows VALUES (?)", [(f"{number}" * 3000,)] * 5)
            connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT * FROM rows").fetchall()
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM rows")
        connection.execute("ROLLBACK")

        assert commits(database) - before == 3
