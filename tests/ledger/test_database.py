"""Opening a store, and what it refuses to open."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from ledger.stores import Watched, assert_no_secret, fails, note, url_of
from sqlalchemy.engine import make_url

from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.ledger.database import parse_url
from gunbot_mcp.ledger.ledger import Ledger

pytestmark = pytest.mark.anyio

ExecuteSql = Callable[..., None]


async def test_the_file_and_the_folders_it_makes_are_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "deep" / "ledger.db"
    async with await Ledger.open(url_of(path), clock=Clock()) as ledger:
        await note(ledger)
        assert {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == {
            "ledger.db": "0o600",
            "ledger.db-wal": "0o600",
            "ledger.db-shm": "0o600",
        }
    assert [oct(folder.stat().st_mode & 0o777) for folder in path.parents[:2]] == ["0o700", "0o700"]
    path.chmod(0o644)
    async with await Ledger.open(url_of(path), clock=Clock()):
        assert oct(path.stat().st_mode & 0o777) == "0o600"


async def test_sqlite_is_as_durable_as_it_can_be(tmp_path: Path) -> None:
    watched = Watched(url_of(tmp_path / "ledger.db"))
    async with await Ledger.open(str(watched.url), clock=Clock(), database=watched) as ledger, ledger.write():
        found = {
            name: await watched.ask(f"PRAGMA {name}")
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


@pytest.mark.postgres
async def test_postgres_commits_to_disk_even_where_the_server_would_not(
    postgres_url: str, own_database: str, execute_sql: ExecuteSql
) -> None:
    name = make_url(own_database).database
    execute_sql(postgres_url, f"ALTER DATABASE {name} SET synchronous_commit = 'off'")
    execute_sql(postgres_url, f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    watched = Watched(own_database, patience=2)
    async with await Ledger.open(own_database, clock=Clock(), database=watched) as ledger, ledger.write():
        found = {
            name: await watched.ask(f"SHOW {name}")
            for name in (
                "synchronous_commit",
                "transaction_isolation",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
            )
        }
    assert found == {
        "synchronous_commit": "on",
        "transaction_isolation": "read committed",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "6s",
    }


_OPEN = """
import asyncio, sys
from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL

async def main():
    sys.stdin.read()
    async with await Ledger.open(sys.argv[1], clock=Clock()) as ledger:
        async with ledger.write() as write:
            await write.event("opened", actor=TERMINAL)

asyncio.run(main())
"""


async def test_processes_may_create_it_at_the_same_instant(ledger_url: str) -> None:
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _OPEN, ledger_url, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    ended = await asyncio.gather(*(child.communicate(b"") for child in children))
    assert [errors.decode() for _, errors in ended] == [""] * 4
    async with await Ledger.open(ledger_url, clock=Clock()) as ledger:
        assert len(await ledger.events()) == 4
        assert await ledger.verify() == []


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["CREATE TABLE events (id INTEGER)"], "other tables"),
        (["ALTER TABLE tickets ADD COLUMN more TEXT"], "other tables"),
        (["DROP TABLE events"], "other tables"),
        (["UPDATE head SET product = 'another'"], "not a ledger's"),
        (["DELETE FROM head"], "not a ledger's"),
        (["UPDATE head SET version = 99"], "version 99"),
    ],
)
async def test_what_is_not_its_own_is_refused_and_left_alone(
    statements: list[str], words: str, ledger_url: str, execute_sql: ExecuteSql
) -> None:
    if "CREATE" not in statements[0]:
        await (await Ledger.open(ledger_url, clock=Clock())).aclose()
    elif ledger_url.startswith("sqlite"):
        Path(ledger_url.removeprefix("sqlite:///")).parent.mkdir()
    execute_sql(ledger_url, *statements)
    with fails(words):
        await Ledger.open(ledger_url, clock=Clock())


async def test_another_programs_sqlite_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE theirs (id INTEGER)")
    path.chmod(0o644)
    before = path.read_bytes()
    with fails("other tables"):
        await Ledger.open(url_of(path), clock=Clock())
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.postgres
async def test_other_tables_in_the_same_postgres_database_do_not_matter(
    own_database: str, execute_sql: ExecuteSql
) -> None:
    execute_sql(own_database, "CREATE TABLE theirs (id INTEGER)")
    async with await Ledger.open(own_database, clock=Clock()) as ledger:
        await note(ledger)
        assert await ledger.verify() == []


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("sqlite:////a/b.db", "sqlite+pysqlite:////a/b.db"),
        ("sqlite:///b.db", "sqlite+pysqlite:///b.db"),
        ("sqlite+pysqlite:///b.db", "sqlite+pysqlite:///b.db"),
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql://u:p@h:1/d?sslmode=require", "postgresql+asyncpg://u:p@h:1/d?ssl=require"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg://h/d"),
    ],
)
def test_urls_are_mapped_to_their_drivers(url: str, parsed: str) -> None:
    assert parse_url(url).render_as_string(hide_password=False) == parsed


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ledger.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///a.db?mode=memory",
        "mysql://root:hush-hush@localhost/db",
        "postgresql+psycopg://root:hush-hush@localhost/db",
        "postgresql://root:hush-hush@localhost:port/db",
    ],
)
async def test_other_urls_are_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        await Ledger.open(url, clock=Clock())
    assert raised.value.hint
    assert_no_secret(raised.value)


async def test_a_missing_postgres_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(ConfigInvalid, match=r"gunbot-mcp\[postgres\]|asyncpg"):
        await Ledger.open("postgresql://h/d", clock=Clock())
