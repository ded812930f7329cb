"""Opening a database: the URL, the engine and its durable settings. Nothing here knows what a ticket is."""

import os
import re
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio.to_thread
from sqlalchemy import Connection, CursorResult, Engine, Executable, bindparam, create_engine, event, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import ConfigInvalid, LedgerUnavailable
from gunbot_mcp.files import private_folder, sync_folder
from gunbot_mcp.ledger.faults import ledger_faults
from gunbot_mcp.ledger.migrations import create, migrate
from gunbot_mcp.ledger.port import Link, Parameters, in_sync
from gunbot_mcp.ledger.same import SameFiles
from gunbot_mcp.ledger.schema import find, first_event, newer
from gunbot_mcp.ledger.tables import VERSION, events, head

_EXAMPLES = "use sqlite:////absolute/path/ledger.db or postgresql://user:password@host/database"
_SCHEMA_LOCK = {"key": 0x67756E626F74}  # any number that other programs do not use with pg_advisory_xact_lock
_MIGRATION = 600.0
"""Seconds to wait for another process that migrates: a big ledger takes a while, and there is nothing else to do."""
_HEAD = select(head.c.seq, head.c.hash, head.c.version).where(head.c.id == 1).with_for_update()
_HASH = select(events.c.hash).where(events.c.seq == bindparam("seq"))
Head = tuple[int, str]
"""The newest event's number and hash."""
_LOCAL_SETTINGS = text(
    # Per transaction, so that they hold behind a connection pooler too. A frozen process must not keep the head
    # locked, and a server that answers before it has written to disk must be told not to.
    "SELECT set_config('lock_timeout', :patience, true), set_config('statement_timeout', :longest, true), "
    "set_config('idle_in_transaction_session_timeout', :longest, true), "
    "set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), true)"
)


class Database:
    """The port to one store; a test may put its own subclass in its place.

    `patience` is how many seconds to wait for another writer. `first` is the number of the first event that this
    version's tables kept; the events before it are version 1's.
    """

    def __init__(self, url: str, patience: float) -> None:
        self.url = parse_url(url)
        self.patience = patience
        self.first = 0
        self._files: SameFiles | None = None
        self._seen: Head = (0, "")
        password = self.url.password or ""
        self._secrets = tuple({password, quote(password, safe=""), quote(password)})
        self.engine = self._engine(patience)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    @contextmanager
    def faults(self, *, committing: bool = False) -> Generator[None]:
        """Turn every failure inside into `LedgerUnavailable`."""
        with ledger_faults(secrets=self._secrets, local=self.is_sqlite, committing=committing):
            yield

    async def prepare(self, clock: Clock) -> None:
        """Create the tables where there are none, and bring those of an earlier version up to date.

        Raises:
            LedgerUnavailable: the store is away, or holds tables that are not this program's; it was not touched.
        """
        with self.faults():
            if self.is_sqlite:
                found = await anyio.to_thread.run_sync(self._prepare_file)
            else:
                found = await self._look()
            if found != VERSION:
                await self._change_tables(clock)
            async with self.connect() as connection:
                self.first = await in_sync(connection, first_event)
            await self._same_files()

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Link]:
        """Lend a connection of the pool; uncommitted changes are undone when it goes back."""
        with self.faults():
            connection = self.engine.connect() if isinstance(self.engine, Engine) else await self.engine.connect()
        try:
            yield connection
        finally:
            with anyio.CancelScope(shield=True), self.faults():
                await _close(connection)

    async def begin(self, connection: Link) -> Head:
        """Start the one write transaction and return the newest event's number and hash.

        Every writer holds the head row's lock, so what is read from here on stays true until the end.

        Raises:
            LedgerUnavailable: another version has changed the tables meanwhile, or this is not the store that was
                opened, or an older state of it; nothing must be written.
        """
        if isinstance(connection, Connection):
            await _begin_immediate(connection)
        else:
            settings = {"patience": f"{self.patience * 1000:.0f}ms", "longest": f"{self.patience * 3000:.0f}ms"}
            await connection.execute(_LOCAL_SETTINGS, settings)
        newest = (await self.run(connection, _HEAD)).one()
        if newest.version != VERSION:
            raise newer(newest.version)
        await self._require_same(connection, newest.seq, newest.hash)
        return newest.seq, newest.hash

    def committed(self, newest: Head) -> None:
        """Remember the newest event that is known to be stored: from here on the store must have it."""
        self._seen = newest

    async def _require_same(self, connection: Link, seq: int, newest: str) -> None:
        """Refuse a store that was put back to an earlier state, or exchanged: it forgets what was sent.

        Raises:
            LedgerUnavailable: nothing must be sent from it until a human has looked.
        """
        files = await self._same_files()
        if files is not None:
            files.check()
            if files.changed():
                await anyio.to_thread.run_sync(files.check_content, seq, newest)
        seen, known = self._seen
        there = newest if seq == seen else None
        if seq > seen > 0:
            there = (await self.run(connection, _HASH, {"seq": seen})).scalar_one_or_none()
        if seen and there != known:
            raise LedgerUnavailable(
                f"the ledger no longer holds event {seen}, which this server has seen in it: an older state, or "
                "another ledger, was put in its place",
                "put the right one back, then start the server again",
            )
        self._seen = (seq, newest)

    async def _same_files(self) -> SameFiles | None:
        if self._files is None and self.is_sqlite:
            self._files = await anyio.to_thread.run_sync(SameFiles, self.path)
        return self._files

    async def run(self, connection: Link, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Execute one statement; every statement of a write or a migration comes through here.

        On SQLite it runs in the event loop's own thread: a statement takes microseconds, a change of threads far more.
        Only `begin` and `commit`, which may wait for a lock or for the disk, run in another thread.
        """
        if isinstance(connection, Connection):
            return connection.execute(statement, parameters)
        return await connection.execute(statement, parameters)  # pyright: ignore[reportReturnType] - never streamed

    async def commit(self, connection: Link) -> None:
        if isinstance(connection, Connection):
            await anyio.to_thread.run_sync(_commit_file, connection)
            if self._files is not None:
                # What was written into a file that is gone is not stored.
                self._files.check()
        else:
            await connection.commit()

    async def aclose(self) -> None:
        if self._files is not None:
            self._files.close()
            self._files = None
        await _dispose(self.engine)

    def _engine(self, patience: float) -> Engine | AsyncEngine:
        common: dict[str, Any] = {"hide_parameters": True, "pool_timeout": patience}
        if self.is_sqlite:
            arguments = {"timeout": patience, "check_same_thread": False}
            engine = create_engine(self.url, connect_args=arguments, **common)
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        try:
            return create_async_engine(
                self.url,
                connect_args={"timeout": patience, "command_timeout": patience * 4},
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                **common,
            )
        except ImportError as exc:
            raise ConfigInvalid(
                "a PostgreSQL ledger needs the asyncpg package", "install gunbot-mcp[postgres]"
            ) from exc

    def _prepare_file(self) -> int | None:
        """Create the file if it is missing; return the version of its tables."""
        assert isinstance(self.engine, Engine)  # noqa: S101 - a file has no other
        private_folder(self.path.parent)
        if not self.path.exists():
            # SQLite gives its side files the permissions of the main file.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            sync_folder(self.path.parent)
        with self.engine.connect() as connection:
            found = find(connection, alone=True)
        # Not earlier: only now the file is known to be ours, or empty, and the journal's mode changes it permanently.
        self._use_wal(self.engine)
        if self.path.stat().st_mode & 0o077:
            self.path.chmod(0o600)
        return found

    def _use_wal(self, engine: Engine) -> None:
        deadline = time.monotonic() + self.patience
        while True:
            with engine.connect() as connection:
                raw = connection.execution_options(gunbot_begin="")
                try:
                    mode = raw.exec_driver_sql("PRAGMA journal_mode").scalar_one()
                    if mode != "wal":
                        mode = raw.exec_driver_sql("PRAGMA journal_mode = WAL").scalar_one()
                # SQLite does not wait here when two processes switch at the same instant.
                except OperationalError as exc:
                    if time.monotonic() > deadline or "locked" not in str(exc.orig):
                        raise
                    mode = ""
            if mode == "wal":
                return
            if mode:
                raise LedgerUnavailable(
                    "the ledger's disk cannot keep a SQLite write-ahead log", "put the ledger on a local disk"
                )
            time.sleep(0.02)

    async def _look(self) -> int | None:
        """Return the version of a server's tables; None if there are none, or another process is changing them now."""
        async with self.connect() as connection:
            quiet = await self.run(connection, text("SELECT pg_try_advisory_xact_lock_shared(:key)"), _SCHEMA_LOCK)
            return await in_sync(connection, find, alone=False) if quiet.scalar_one() else None

    async def _change_tables(self, clock: Clock) -> None:
        """Create or migrate in one transaction; a second process waits, and then finds it done."""
        engine = self._engine(_MIGRATION)
        try:
            connection = engine.connect() if isinstance(engine, Engine) else await engine.connect()
            try:
                if isinstance(connection, Connection):
                    await _begin_immediate(connection)
                else:
                    await self.run(connection, text("SELECT pg_advisory_xact_lock(:key)"), _SCHEMA_LOCK)
                found = await in_sync(connection, find, alone=self.is_sqlite)
                if found is None:
                    await create(self, connection)
                elif found < VERSION:
                    await migrate(self, connection, found, clock.now())
            finally:
                with anyio.CancelScope(shield=True):
                    await _close(connection)
        finally:
            with anyio.CancelScope(shield=True):
                await _dispose(engine)


async def _begin_immediate(connection: Connection) -> None:
    connection.execution_options(gunbot_begin="BEGIN IMMEDIATE")
    await anyio.to_thread.run_sync(connection.begin)


def _commit_file(connection: Connection) -> None:
    # The driver's own commit silently does nothing if SQLite has already given up the transaction.
    connection.exec_driver_sql("COMMIT")
    connection.commit()


async def _close(connection: Link) -> None:
    if isinstance(connection, Connection):
        connection.close()
    else:
        await connection.close()


async def _dispose(engine: Engine | AsyncEngine) -> None:
    if isinstance(engine, Engine):
        engine.dispose()
    else:
        await engine.dispose()


def parse_url(url: str) -> URL:
    """Return the URL with its driver.

    Raises:
        ConfigInvalid: not a SQLite file or PostgreSQL URL; the message does not quote it, it may hold a password.
    """
    try:
        parsed = make_url(re.sub(r"^postgres(?=:|\+)", "postgresql", url))
    except (ArgumentError, ValueError):
        raise ConfigInvalid("the ledger's URL cannot be read", _EXAMPLES) from None
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            if parsed.database in {None, "", ":memory:"} or parsed.query:
                raise ConfigInvalid("a SQLite ledger is a file, without options", _EXAMPLES)
            return parsed.set(drivername="sqlite+pysqlite")
        case "postgresql" | "postgresql+asyncpg":
            # libpq's name for what asyncpg calls ssl.
            query = {"ssl" if key == "sslmode" else key: value for key, value in parsed.query.items()}
            return parsed.set(drivername="postgresql+asyncpg", query=query)
        case other:
            raise ConfigInvalid(f"a ledger cannot be kept in {other}", _EXAMPLES)


def _configure_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's connection
    # The driver must not start transactions by itself; `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    begin = connection.get_execution_options().get("gunbot_begin", "BEGIN")
    if begin:
        connection.exec_driver_sql(begin)
