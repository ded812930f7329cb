"""Opening a store: the URL, the engine and its durable settings, the schema. Nothing here knows what a ticket is."""

import os
import re
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
from sqlalchemy import Connection, event, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gunbot_mcp.errors import ConfigInvalid, LedgerUnavailable
from gunbot_mcp.files import private_folder, sync_folder
from gunbot_mcp.ledger.faults import ledger_faults
from gunbot_mcp.ledger.rows import START
from gunbot_mcp.ledger.tables import PRODUCT, VERSION, chain, metadata

_EXAMPLES = "use sqlite:////absolute/path/ledger.db or postgresql://user:password@host/database"
_CREATION_LOCK = 0x67756E626F74  # any number that other programs do not use with pg_advisory_xact_lock
_LOCAL_SETTINGS = text(
    # Per transaction, so that they hold behind a connection pooler too. A frozen process must not keep the chain
    # locked, and a server that answers before it has written to disk must be told not to.
    "SELECT set_config('lock_timeout', :patience, true), set_config('statement_timeout', :longest, true), "
    "set_config('idle_in_transaction_session_timeout', :longest, true), "
    "set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), true)"
)


class Store:
    """One engine with its settings. `patience` is how many seconds to wait for another writer."""

    def __init__(self, url: str, patience: float) -> None:
        self.url = parse_url(url)
        self.patience = patience
        password = self.url.password or ""
        self._secrets = tuple({password, quote(password, safe=""), quote(password)})
        self.engine = self._engine()

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def faults(self, *, committing: bool = False) -> Generator[None]:
        """Map what fails inside to `LedgerUnavailable`."""
        with ledger_faults(secrets=self._secrets, local=self.is_sqlite, committing=committing):
            yield

    async def prepare(self) -> None:
        """Create the schema where there is none.

        Raises:
            LedgerUnavailable: the store is away, or holds tables that are not this program's; it was not touched.
        """
        with self.faults():
            if self.is_sqlite:
                self._create_file()
            async with self.engine.connect() as connection:
                found = await connection.run_sync(_find_schema, alone=self.is_sqlite)
            # Only now is it known to be ours, or empty: the journal's mode is a lasting change of the file.
            if self.is_sqlite:
                await self._use_wal()
            if not found:
                async with self.engine.connect() as connection:
                    await self._create_schema(connection)
            if self.is_sqlite:
                self._tighten()

    async def begin(self, connection: AsyncConnection) -> tuple[int, str]:
        """Start the one write transaction and return the newest event's number and hash.

        Everybody who writes holds the chain row's lock, so what is read from here on stays true until the end.
        """
        if self.is_sqlite:
            await connection.execution_options(gunbot_begin="BEGIN IMMEDIATE")
        else:
            settings = {"patience": f"{self.patience * 1000:.0f}ms", "longest": f"{self.patience * 3000:.0f}ms"}
            await connection.execute(_LOCAL_SETTINGS, settings)
        newest = (await connection.execute(select(chain.c.seq, chain.c.hash).with_for_update())).one()
        return newest.seq, newest.hash

    async def commit(self, connection: AsyncConnection) -> None:
        if self.is_sqlite:
            # The driver's own commit does nothing, without a word, where SQLite has already given up the transaction.
            await connection.exec_driver_sql("COMMIT")
        await connection.commit()

    def _engine(self) -> AsyncEngine:
        common: dict[str, Any] = {"hide_parameters": True, "pool_timeout": self.patience}
        if self.is_sqlite:
            engine = create_async_engine(self.url, connect_args={"timeout": self.patience}, **common)
            event.listen(engine.sync_engine, "connect", _configure_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
            return engine
        try:
            return create_async_engine(
                self.url,
                connect_args={"timeout": self.patience, "command_timeout": self.patience * 4},
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                **common,
            )
        except ImportError as exc:
            raise ConfigInvalid(
                "a PostgreSQL ledger needs the asyncpg package", "install gunbot-mcp[postgres]"
            ) from exc

    @property
    def _path(self) -> Path:
        return Path(self.url.database or "")

    def _create_file(self) -> None:
        private_folder(self._path.parent)
        if not self._path.exists():
            # SQLite gives its side files the permissions of the main file.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            sync_folder(self._path.parent)
        # The asynchronous driver leaves a thread behind when it cannot open a file; here that costs nothing.
        sqlite3.connect(self._path).close()

    def _tighten(self) -> None:
        if self._path.stat().st_mode & 0o077:
            self._path.chmod(0o600)

    async def _use_wal(self) -> None:
        deadline = time.monotonic() + self.patience
        while True:
            async with self.engine.connect() as connection:
                raw = await connection.execution_options(gunbot_begin="")
                try:
                    mode = (await raw.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
                    if mode != "wal":
                        mode = (await raw.exec_driver_sql("PRAGMA journal_mode = WAL")).scalar_one()
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
            await anyio.sleep(0.02)

    async def _create_schema(self, connection: AsyncConnection) -> None:
        if self.is_sqlite:
            await connection.execution_options(gunbot_begin="BEGIN IMMEDIATE")
        else:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
        # Another process may have been here while this one waited for the lock.
        if not await connection.run_sync(_find_schema, alone=self.is_sqlite):
            await connection.run_sync(metadata.create_all, checkfirst=False)
            await connection.execute(insert(chain).values(id=1, product=PRODUCT, version=VERSION, seq=0, hash=START))
        await connection.commit()


def parse_url(url: str) -> URL:
    """Return the URL with its asynchronous driver.

    Raises:
        ConfigInvalid: not a SQLite file or PostgreSQL URL; the message does not quote it, it may hold a password.
    """
    try:
        parsed = make_url(re.sub(r"^postgres(?=:|\+)", "postgresql", url))
    except (ArgumentError, ValueError):
        raise ConfigInvalid("the ledger's URL cannot be read", _EXAMPLES) from None
    match parsed.drivername:
        case "sqlite" | "sqlite+aiosqlite":
            if parsed.database in {None, "", ":memory:"} or parsed.query:
                raise ConfigInvalid("a SQLite ledger is a file, without options", _EXAMPLES)
            return parsed.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgresql+asyncpg":
            # libpq's name for what asyncpg calls ssl.
            query = {"ssl" if key == "sslmode" else key: value for key, value in parsed.query.items()}
            return parsed.set(drivername="postgresql+asyncpg", query=query)
        case other:
            raise ConfigInvalid(f"a ledger cannot live in {other}", _EXAMPLES)


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


def _find_schema(connection: Connection, *, alone: bool) -> bool:
    """Return whether our tables are there (False: none of them). `alone`: nothing else may be there either."""
    inspector = inspect(connection)
    names = set(inspector.get_table_names())
    ours = set(metadata.tables)
    if not names & ours and not (alone and names):
        return False
    if not ours <= names or any(
        {column["name"] for column in inspector.get_columns(table.name)} != set(table.columns.keys())
        for table in metadata.tables.values()
    ):
        raise _foreign("the database holds other tables than a ledger's")
    made_by = connection.execute(select(chain.c.product, chain.c.version)).all()
    if len(made_by) != 1 or made_by[0].product != PRODUCT:
        raise _foreign("the database's tables are not a ledger's")
    if made_by[0].version != VERSION:
        raise LedgerUnavailable(
            f"the ledger has version {made_by[0].version} of its tables, this program knows {VERSION}",
            "use the gunbot-mcp release that made it, or a newer one",
        )
    return True


def _foreign(message: str) -> LedgerUnavailable:
    return LedgerUnavailable(message, "give the ledger a file or database of its own; nothing was changed")
