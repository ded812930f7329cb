"""The paper gateway's memory: one SQLite file, one transaction per request.

Several processes may have the file open. Every request that reads or moves accounts is one `BEGIN IMMEDIATE`
transaction, durable (WAL, synchronous FULL) before it is answered, undone as a whole when anything in it fails. The
tables and their versions are in `migrations`, what is read and written in `transaction`.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.files import private_folder, sync_folder
from gunbot_mcp.paper.accounts import Inventory, lot
from gunbot_mcp.paper.markets import Market
from gunbot_mcp.paper.migrations import VERSION, migrate
from gunbot_mcp.paper.pairs import LISTINGS, opening_balances
from gunbot_mcp.paper.transaction import PaperTransaction

FILE = "paper.sqlite3"
_BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the file remembers about its creation: the seed, the market, the instant it opened (epoch milliseconds)."""

    seed: int
    market: str
    opened: int


class PaperData:
    """The file `paper.sqlite3` in a folder, or a private database in memory where the folder is None.

    A file of an earlier version is migrated. The file and a new folder belong to their user alone.

    Raises:
        ConfigInvalid: the folder cannot be used, the file is not a paper gateway's or of a newer version, or it was
            made with another seed or market than the ones asked for (None asks for whatever the file remembers, or
            seed 1). A file that is refused is left as it was.
    """

    def __init__(self, folder: Path | None, *, seed: int | None, market: str, now: int) -> None:
        self._lock = threading.Lock()
        path = None if folder is None else folder / FILE
        where = "memory" if path is None else clean(path)
        try:
            if path is not None:
                _create(path)
            self._connection = _connect(":memory:" if path is None else str(path))
        except (OSError, sqlite3.Error) as exc:
            raise ConfigInvalid(f"cannot open the paper data in {where}: {exc}", "name another folder") from exc
        try:
            _known_version(self._connection, where)
            _use_wal(self._connection)
            if path is not None:
                _tighten(path)
            with self._writing():
                version = _known_version(self._connection, where)
                if version < VERSION:
                    migrate(self._connection, version)
                tx = PaperTransaction(self._connection)
                if version == 0:
                    self.opening, self.market = _begin(tx, seed=1 if seed is None else seed, spec=market, now=now)
                else:
                    self.opening, self.market = _remembered(tx, seed=seed, spec=market)
        except (OSError, sqlite3.Error) as exc:
            self.close()
            raise ConfigInvalid(f"cannot use the paper data in {where}: {exc}", "name another folder") from exc
        except ConfigInvalid:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Generator[PaperTransaction]:
        """Run one transaction: committed at the end of the block, undone by any exception in it.

        Raises:
            sqlite3.Error: nothing of the block has happened.
            ConfigInvalid: a newer gunbot-mcp has migrated the file; nothing of the block has happened.
        """
        with self._writing():
            tx = PaperTransaction(self._connection)
            version = tx.number("schema")
            if version != VERSION:
                raise ConfigInvalid(
                    f"the paper data became version {version}, and this gunbot-mcp knows {VERSION}",
                    "restart with the newer gunbot-mcp",
                )
            yield tx

    @contextmanager
    def _writing(self) -> Generator[None]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _known_version(connection: sqlite3.Connection, where: str) -> int:
    """Return the version of the file, 0 for an empty one; changes nothing."""
    version = _version(connection)
    if version is None:
        raise ConfigInvalid(f"{where} is not paper data", "name another folder")
    if version > VERSION:
        raise ConfigInvalid(
            f"the paper data in {where} is of version {version}, and this gunbot-mcp knows {VERSION}",
            "use the newer gunbot-mcp, or name another folder",
        )
    return version


def _version(connection: sqlite3.Connection) -> int | None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return 0
    if not {"meta", "balances", "lots", "records"} <= tables:
        return None
    row = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    return int(row[0]) if row is not None and str(row[0]).isdecimal() else None


def _create(path: Path) -> None:
    private_folder(path.parent)
    if not path.exists():
        # SQLite gives its side files the permissions of the main file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        sync_folder(path.parent)


def _tighten(path: Path) -> None:
    """Make the file, and the side files that SQLite has beside it, accessible to their user only."""
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        # Another process may remove a side file at any time.
        with suppress(FileNotFoundError):
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the journal; SQLite does not wait for its busy timeout here when two processes open a new file at once."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            break
    connection.execute("PRAGMA synchronous = FULL")


def _remembered(tx: PaperTransaction, *, seed: int | None, spec: str) -> tuple[Opening, Market]:
    kept = Opening(seed=tx.number("seed"), market=tx.meta("market") or "", opened=tx.number("opened"))
    if seed is not None and seed != kept.seed:
        raise ConfigInvalid(
            f"the paper data was made with seed {kept.seed}, not {seed}", f"use --seed {kept.seed}, or another folder"
        )
    market = Market(kept.seed, spec)
    if market.fingerprint != kept.market:
        raise ConfigInvalid(
            f"the paper data was made with market {clean(kept.market)}, not {clean(market.fingerprint)}",
            "use the same market with the same candles, or another folder",
        )
    return kept, market


def _begin(tx: PaperTransaction, *, seed: int, spec: str, now: int) -> tuple[Opening, Market]:
    market = Market(seed, spec)
    opening = Opening(seed=seed, market=market.fingerprint, opened=now)
    for name, value in (("seed", seed), ("market", market.fingerprint), ("opened", now), ("advanced", now)):
        tx.set_meta(name, value)
    balances = opening_balances()
    for (exchange, asset), amount in balances.items():
        tx.set_balance(exchange, asset, amount)
    for listing in LISTINGS.values():
        held = balances.get((listing.exchange, listing.holding))
        if held:
            first = lot(0, float(market.line(listing, now, None).price(now)), held)
            tx.set_lots(listing.key, (first,), Inventory().plus(first))
    return opening, market
