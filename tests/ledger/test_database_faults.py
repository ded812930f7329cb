"""Every way in which an opened store, or its server, fails."""

import asyncio
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from ledger.stores import Watched, fails, note, url_of
from sqlalchemy.engine import make_url

from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL

pytestmark = pytest.mark.anyio

ExecuteSql = Callable[..., None]


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"My diary. " * 1000)
    with fails("not a SQLite database"):
        await Ledger.open(url_of(path), clock=Clock())
    assert path.read_bytes() == b"My diary. " * 1000


async def test_a_folder_in_the_files_place(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    with fails("cannot be opened"):
        await Ledger.open(url_of(tmp_path / "ledger.db"), clock=Clock())


async def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("", encoding="ascii")
    with fails("file cannot be opened"):
        await Ledger.open(url_of(tmp_path / "state" / "ledger.db"), clock=Clock())


async def test_a_corrupt_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with await Ledger.open(url_of(path), clock=Clock()) as ledger:
        for _ in range(5):
            await note(ledger)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with fails("corrupt"):
        await Ledger.open(url_of(path), clock=Clock())


async def test_a_damaged_row(ledger_url: str, execute_sql: ExecuteSql) -> None:
    async with await Ledger.open(ledger_url, clock=Clock()) as ledger:
        await note(ledger)
        execute_sql(ledger_url, "UPDATE events SET at = 'yesterday'")
        with fails("damaged"):
            await ledger.events()


@asynccontextmanager
async def held(url: str) -> AsyncGenerator[None]:
    """Another program holds the lock that writers need."""
    other = Database(url, patience=5)
    async with other.connect() as connection:
        await other.begin(connection)
        yield
    await other.aclose()


async def test_a_ledger_that_another_program_keeps_locked(ledger_url: str) -> None:
    async with await Ledger.open(ledger_url, clock=Clock(), patience=0.2) as ledger:
        async with held(ledger_url):
            with fails("locked by another program"):
                await note(ledger)
            assert await ledger.events() == []
        await note(ledger)
        assert len(await ledger.events()) == 1


async def test_a_switch_to_the_write_ahead_log_waits_for_others(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    await (await Ledger.open(url_of(path), clock=Clock())).aclose()
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("PRAGMA journal_mode = DELETE")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM head").fetchall()
        with fails("locked by another program"):
            await Ledger.open(url_of(path), clock=Clock(), patience=0.2)
        reader.execute("COMMIT")
        async with await Ledger.open(url_of(path), clock=Clock()) as ledger:
            await note(ledger)


async def test_readers_that_find_no_free_connection_are_told(tmp_path: Path) -> None:
    database = Database(url_of(tmp_path / "ledger.db"), patience=0.2)
    async with await Ledger.open(url_of(tmp_path / "ledger.db"), clock=Clock(), database=database) as ledger:
        async with AsyncExitStack() as taken:
            for _ in range(15):
                await taken.enter_async_context(database.connect())
            with fails("too busy"):
                await ledger.events()
        assert await ledger.events() == []


async def test_an_endless_queue_of_its_own_writers_is_given_up(tmp_path: Path) -> None:
    async with await Ledger.open(url_of(tmp_path / "ledger.db"), clock=Clock(), queue=0.05) as ledger:

        async def late() -> None:
            with fails("too busy"):
                await note(ledger)

        async with ledger.write() as write:
            await asyncio.create_task(late())
            await write.event("note", actor=TERMINAL)
        await note(ledger)
        assert len(await ledger.events()) == 2


async def test_a_full_disk_by_sqlites_own_limit(tmp_path: Path) -> None:
    watched = Watched(url_of(tmp_path / "ledger.db"))
    async with await Ledger.open(url_of(tmp_path / "ledger.db"), clock=Clock(), database=watched) as ledger:
        await note(ledger)

        async def fill() -> None:
            async with ledger.write() as write:
                pages = await watched.ask("PRAGMA page_count")
                await watched.ask(f"PRAGMA max_page_count = {pages + 2}")
                for _ in range(10):
                    await write.event("note", actor=TERMINAL, detail={"text": "x" * 3000})

        with fails("disk is full"):
            await fill()
        assert len(await ledger.events()) == 1
        assert await ledger.verify() == []


_FULL = """
import asyncio, resource, signal, sys
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL

async def main():
    async with await Ledger.open(sys.argv[1], clock=Clock()) as ledger:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        for number in range(100):
            try:
                async with ledger.write() as write:
                    await write.event("note", actor=TERMINAL, detail={"text": "x" * 3000})
            except LedgerUnavailable as exc:
                print(number, exc.code, bool(exc.hint), await ledger.verify())
                return

asyncio.run(main())
"""


async def test_a_file_that_cannot_grow_keeps_what_was_committed(tmp_path: Path) -> None:
    url = url_of(tmp_path / "ledger.db")
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", _FULL, url, stdout=subprocess.PIPE)
    output, _ = await child.communicate()
    count, code, hint, verdict = output.decode().split(maxsplit=3)
    assert (code, hint, verdict.strip()) == ("ledger_unavailable", "True", "[]")
    async with await Ledger.open(url, clock=Clock()) as ledger:
        assert 0 < int(count) <= len(await ledger.events()) <= int(count) + 1
        assert await ledger.verify() == []


_READ_ONLY = """
import asyncio, os, sys
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL

async def main():
    if os.geteuid() == 0:
        # Root may write where permissions say no. Everything is imported before, where only root may read.
        async with await Ledger.open(sys.argv[2], clock=Clock()) as ledger:
            await ledger.events()
        os.setuid(65534)
    try:
        async with await Ledger.open(sys.argv[1], clock=Clock()) as ledger:
            async with ledger.write() as write:
                await write.event("note", actor=TERMINAL)
    except LedgerUnavailable as exc:
        print(exc.code, exc.message, "|", exc.hint)

asyncio.run(main())
"""


@pytest.mark.parametrize("folder_mode", [0o755, 0o777])
async def test_a_read_only_file(folder_mode: int, tmp_path: Path) -> None:
    # Not tmp_path: another user must get there.
    folder = Path(tempfile.mkdtemp(prefix="gunbot-mcp-"))
    try:
        path = folder / "ledger.db"
        async with await Ledger.open(url_of(path), clock=Clock()) as ledger:
            await note(ledger)
        for name, mode in ((path, 0o444), (folder, folder_mode)):
            name.chmod(mode)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _READ_ONLY, url_of(path), url_of(tmp_path / "own.db"), stdout=subprocess.PIPE
        )
        output, _ = await child.communicate()
        assert child.returncode == 0
        assert output.decode().startswith("ledger_unavailable the ledger")
        assert "permissions" in output.decode()
    finally:
        shutil.rmtree(folder)


@pytest.mark.postgres
async def test_a_wrong_password(own_database: str) -> None:
    wrong = make_url(own_database).set(password="p@ss:w/rd").render_as_string(hide_password=False)
    with fails("refused the login"):
        await Ledger.open(wrong, clock=Clock())


@pytest.mark.postgres
async def test_a_missing_database(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="gunbot_mcp_none").render_as_string(hide_password=False)
    with fails("does not exist"):
        await Ledger.open(url, clock=Clock())


async def test_a_server_that_is_not_there(unused_port: int) -> None:
    with fails("server is away"):
        await Ledger.open(f"postgresql://u:p%40ss%3Aw%2Frd@127.0.0.1:{unused_port}/d", clock=Clock())


@pytest.fixture
def unused_port() -> Iterator[int]:
    with socket.socket() as taken:
        # Bound but not listening: connecting to it is refused for as long as the test runs.
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("53100", "disk is full"),
        ("42501", "may not do this"),
        ("25006", "read-only"),
        ("57014", "too long"),
        ("XX000", "the ledger failed"),
    ],
)
async def test_what_the_server_says_is_put_in_words(
    code: str, words: str, own_database: str, execute_sql: ExecuteSql
) -> None:
    async with await Ledger.open(own_database, clock=Clock()) as ledger:
        execute_sql(
            own_database,
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$",
            "CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail()",
        )
        with fails(words):
            await note(ledger)
        assert await ledger.events() == []


@pytest.mark.postgres
async def test_a_connection_lost_inside_a_write_undoes_it(
    postgres_url: str, own_database: str, execute_sql: ExecuteSql
) -> None:
    name = make_url(own_database).database
    kill = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    async with await Ledger.open(own_database, clock=Clock()) as ledger:

        async def lose() -> None:
            async with ledger.write() as write:
                await write.event("note", actor=TERMINAL)
                execute_sql(postgres_url, kill)
                await write.event("note", actor=TERMINAL)

        with fails("server is away"):
            await lose()
        # The idle connections of the pool were lost too, and are replaced without a word.
        assert await ledger.events() == []
        await note(ledger)
        assert len(await ledger.events()) == 1


@pytest.mark.postgres
async def test_a_connection_lost_during_the_commit_says_that_the_outcome_is_not_known(
    own_database: str, execute_sql: ExecuteSql
) -> None:
    async with await Ledger.open(own_database, clock=Clock()) as ledger:
        execute_sql(
            own_database,
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION die()",
        )
        with fails("whether the last change is stored is not known"):
            await note(ledger)
        execute_sql(own_database, "DROP TRIGGER die ON events")
        await note(ledger)
        assert await ledger.verify() == []


@pytest.mark.postgres
@pytest.mark.slow
async def test_a_server_that_stops_in_the_middle_and_comes_back(own_cluster: Any) -> None:  # noqa: ANN401 - conftest's
    async with await Ledger.open(own_cluster.url, clock=Clock()) as ledger:
        await note(ledger)

        async def stop() -> None:
            async with ledger.write() as write:
                await write.event("note", actor=TERMINAL)
                await asyncio.to_thread(own_cluster.stop)
                await write.event("note", actor=TERMINAL)

        with fails("server is away"):
            await stop()
        with fails("server is away"):
            await note(ledger)
        with fails("server is away"):
            await ledger.events()
        with fails("server is away"):
            await ledger.verify()
        await asyncio.to_thread(own_cluster.start)
        await note(ledger)
        assert len(await ledger.events()) == 2
        assert await ledger.verify() == []


@pytest.mark.postgres
@pytest.mark.slow
async def test_a_server_that_freezes_is_given_up_in_a_bounded_time(own_cluster: Any) -> None:  # noqa: ANN401 - conftest's
    watched = Watched(own_cluster.url, patience=0.3)
    async with await Ledger.open(own_cluster.url, clock=Clock(), database=watched) as ledger:
        backend = 0

        async def freeze() -> None:
            nonlocal backend
            async with ledger.write() as write:
                backend = await watched.ask("SELECT pg_backend_pid()")
                await write.event("note", actor=TERMINAL)
                os.kill(backend, signal.SIGSTOP)

        try:
            with anyio.fail_after(15), fails("the ledger's server is away"):
                await freeze()
        finally:
            os.kill(backend, signal.SIGCONT)
        await note(ledger)
        assert len(await ledger.events()) == 1
        assert await ledger.verify() == []
