"""Stores for the ledger: SQLite files, and a private PostgreSQL server."""

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from gunbot_mcp.ledger.database import parse_url


class Cluster:
    """A private PostgreSQL server on loopback, of the installed binaries; data and socket in a folder of its own."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="gunbot-mcp-pg-"))
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        password = self._folder / "password"
        password.write_text("hush-hush", encoding="ascii")
        if self._user:
            shutil.chown(password, self._user)
        self._run("initdb", "-U", "tester", "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "--no-sync")
        self._options = f"-h 127.0.0.1 -p {port} -k {self._folder} -c fsync=off -c max_connections=60"
        self.url = f"postgresql://tester:hush-hush@127.0.0.1:{port}/postgres"

    def start(self) -> None:
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", self._options, "start")

    def stop(self) -> None:
        """Stop at once, as in a crash of the server."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, "-D", self._folder / "data", *arguments],
            check=True,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            # Not pipes: the server that pg_ctl leaves behind would hold them open.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _binaries() -> Path:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (debian[-1] if debian else None)
    if found is None:
        pytest.skip("no PostgreSQL here: install Debian's postgresql package, or set GUNBOT_MCP_TEST_POSTGRES to a URL")
    return Path(found).parent


def _execute(url: str, *statements: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as store:
            for statement in statements:
                store.execute(statement)
        return

    async def run() -> None:
        engine = create_async_engine(parse_url(url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        try:
            async with engine.connect() as connection:
                for statement in statements:
                    await connection.exec_driver_sql(statement)
        finally:
            await engine.dispose()

    # In a thread of its own: a test's event loop may be running in this one.
    failed: list[BaseException] = []

    def target() -> None:
        try:
            asyncio.run(run())
        except (OSError, SQLAlchemyError) as exc:
            failed.append(exc)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A started server that the test may stop."""
    cluster = Cluster(_binaries())
    try:
        cluster.start()
        yield cluster
    finally:
        try:
            cluster.stop()
        except subprocess.CalledProcessError:
            pass  # the test stopped it
        finally:
            cluster.remove()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server on which databases may be created."""
    if given := os.environ.get("GUNBOT_MCP_TEST_POSTGRES"):
        yield given
        return
    cluster = Cluster(_binaries())
    try:
        cluster.start()
        yield cluster.url
        cluster.stop()
    finally:
        cluster.remove()


@pytest.fixture
def execute_sql() -> Callable[..., None]:
    """Run statements on a store, each committed at once, behind any ledger's back: `execute_sql(url, *statements)`."""
    return _execute


# Every run takes them on SQLite, the slow tests on PostgreSQL too.
@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])])
def new_ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Callable[[], str]]:
    """Make the URL of an empty store: each call another, on both kinds of store."""
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path}/{uuid4().hex}/ledger.db"
        return
    server: str = request.getfixturevalue("postgres_url")
    made: list[str] = []

    def create() -> str:
        name = f"gunbot_mcp_{uuid4().hex}"
        _execute(server, f"CREATE DATABASE {name}")
        made.append(name)
        return make_url(server).set(database=name).render_as_string(hide_password=False)

    yield create
    for name in made:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def ledger_url(new_ledger_url: Callable[[], str]) -> str:
    """The URL of an empty store; a test that takes it runs on SQLite and on PostgreSQL."""
    return new_ledger_url()
