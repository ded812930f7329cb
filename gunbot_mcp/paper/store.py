"""The paper gateway's memory: one SQLite file, one transaction per request.

Several processes may have the file open. Every request that reads or moves accounts is one `BEGIN IMMEDIATE`
transaction, durable (WAL, synchronous FULL) before it is answered, undone as a whole when anything in it fails.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from gunbot_mcp.domain import Leg, Side, decimal_text
from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.paper.accounts import Lot, lot
from gunbot_mcp.paper.engine import LegState, Order
from gunbot_mcp.paper.market import Scale
from gunbot_mcp.paper.markets import Market
from gunbot_mcp.paper.pairs import LISTINGS, opening_balances

FILE = "paper.sqlite3"
_SCHEMA_VERSION = "1"
_BUSY_SECONDS = 10.0
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS balances (exchange TEXT, asset TEXT, amount TEXT NOT NULL,
    PRIMARY KEY (exchange, asset)) STRICT;
CREATE TABLE IF NOT EXISTS lots (key TEXT, n INTEGER, rate REAL NOT NULL, fifo TEXT NOT NULL, cheap TEXT NOT NULL,
    PRIMARY KEY (key, n)) STRICT;
CREATE TABLE IF NOT EXISTS open_orders (n INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS records (n INTEGER PRIMARY KEY, key TEXT NOT NULL, time INTEGER NOT NULL,
    body TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS records_by_key ON records (key, time, n);
CREATE TABLE IF NOT EXISTS scales (symbol TEXT PRIMARY KEY, price TEXT NOT NULL, level TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the file remembers of its making: the seed, the market, the instant it opened (epoch milliseconds)."""

    seed: int
    market: str
    opened: int


class Transaction:
    """Reads and writes within one transaction. Nothing is cached: what it returns is what the file says."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def meta(self, name: str) -> str | None:
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def set_meta(self, name: str, value: object) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, str(value)))

    def number(self, name: str) -> int:
        return int(self.meta(name) or 0)

    def balances(self) -> dict[tuple[str, str], Decimal]:
        """Return every total, reserved or not: (exchange, asset or hedge pair) → amount."""
        rows = self._connection.execute("SELECT exchange, asset, amount FROM balances ORDER BY rowid")
        return {(exchange, asset): Decimal(amount) for exchange, asset, amount in rows}

    def set_balance(self, exchange: str, asset: str, amount: Decimal) -> None:
        self._connection.execute(
            "INSERT INTO balances VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET amount = excluded.amount",
            (exchange, asset, decimal_text(amount)),
        )

    def lots(self, key: str) -> tuple[Lot, ...]:
        rows = self._connection.execute("SELECT n, rate, fifo, cheap FROM lots WHERE key = ? ORDER BY n", (key,))
        return tuple(Lot(n, rate, Decimal(fifo), Decimal(cheap)) for n, rate, fifo, cheap in rows)

    def set_lots(self, key: str, before: Iterable[Lot], after: Iterable[Lot]) -> None:
        old, new = set(before), set(after)
        self._connection.executemany("DELETE FROM lots WHERE key = ? AND n = ?", [(key, one.n) for one in old - new])
        self._connection.executemany(
            "INSERT INTO lots VALUES (?, ?, ?, ?, ?)",
            [(key, one.n, one.rate, decimal_text(one.fifo), decimal_text(one.cheap)) for one in new - old],
        )

    def orders(self) -> list[Order]:
        """Return all open orders, oldest first."""
        return [
            _order(json.loads(body)) for (body,) in self._connection.execute("SELECT body FROM open_orders ORDER BY n")
        ]

    def put_order(self, order: Order) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO open_orders VALUES (?, ?)", (order.n, json.dumps(_body(order)))
        )

    def drop_order(self, order: Order) -> None:
        self._connection.execute("DELETE FROM open_orders WHERE n = ?", (order.n,))

    def add_record(self, key: str, record: dict[str, Any]) -> None:
        self._connection.execute(
            "INSERT INTO records (key, time, body) VALUES (?, ?, ?)", (key, record["time"], json.dumps(record))
        )

    def records(self, keys: Iterable[str], *, offset: int = 0, count: int = -1, since: int = 0) -> list[dict[str, Any]]:
        """Return the records of some keys, newest first; `count` -1 means all, `since` is in epoch milliseconds."""
        wanted = list(dict.fromkeys(keys))
        rows = self._connection.execute(
            f"SELECT body FROM records WHERE key IN ({_marks(wanted)}) AND time >= ? "  # noqa: S608 - only question marks
            "ORDER BY time DESC, n DESC LIMIT ? OFFSET ?",
            (*wanted, since, count, offset),
        )
        return [json.loads(body) for (body,) in rows]

    def count_records(self, keys: Iterable[str]) -> int:
        wanted = list(dict.fromkeys(keys))
        sql = f"SELECT count(*) FROM records WHERE key IN ({_marks(wanted)})"  # noqa: S608 - only question marks
        return self._connection.execute(sql, wanted).fetchone()[0]

    def scales(self) -> dict[str, Scale]:
        rows = self._connection.execute("SELECT symbol, price, level FROM scales")
        return {symbol: Scale(Decimal(price), Decimal(level)) for symbol, price, level in rows}

    def set_scale(self, symbol: str, scale: Scale) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO scales VALUES (?, ?, ?)", (symbol, str(scale.price), str(scale.level))
        )


class Store:
    """The file `paper.sqlite3` in a folder, or a private database in memory where the folder is None.

    Raises:
        ConfigInvalid: the folder cannot be used, the file is not a paper gateway's, or it was made with another seed
            or market than the ones asked for (None asks for whatever the file remembers, or seed 1).
    """

    def __init__(self, folder: Path | None, *, seed: int | None, market: str, now: int) -> None:
        self._lock = threading.Lock()
        where = "memory" if folder is None else clean(folder / FILE)
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            self._connection = _connect(":memory:" if folder is None else str(folder / FILE))
        except (OSError, sqlite3.Error) as exc:
            raise ConfigInvalid(f"cannot open the paper data in {where}: {exc}", "name another folder") from exc
        try:
            with self.transaction() as tx:
                self.opening, self.market = _open(tx, self._connection, seed=seed, spec=market, now=now)
        except sqlite3.Error as exc:
            self.close()
            raise ConfigInvalid(f"cannot use the paper data in {where}: {exc}", "name another folder") from exc
        except ConfigInvalid:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Generator[Transaction]:
        """Run one transaction: committed at the end of the block, undone by any exception in it.

        Raises:
            sqlite3.Error: nothing of the block has happened.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
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
            return


def _open(
    tx: Transaction, connection: sqlite3.Connection, *, seed: int | None, spec: str, now: int
) -> tuple[Opening, Market]:
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    version = tx.meta("schema")
    if version is None:
        return _begin(tx, seed=1 if seed is None else seed, spec=spec, now=now)
    if version != _SCHEMA_VERSION:
        raise ConfigInvalid(f"the paper data is of version {clean(version)}", "name another folder")
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


def _begin(tx: Transaction, *, seed: int, spec: str, now: int) -> tuple[Opening, Market]:
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
            start = float(market.line(listing, now, None).price(now))
            tx.set_lots(listing.key, (), (lot(0, start, held),))
    tx.set_meta("schema", _SCHEMA_VERSION)
    return opening, market


def _marks(values: list[str]) -> str:
    return ",".join("?" * len(values))


def _body(order: Order) -> dict[str, Any]:
    return {
        "n": order.n,
        "exchange": order.exchange,
        "pair": order.pair,
        "side": order.side.value,
        "amount": decimal_text(order.amount),
        "placed": order.placed,
        "closing": order.closing,
        "reference": _text(order.reference),
        "legs": [
            {
                "id": state.id,
                "awake": state.awake,
                "anchor": _text(state.anchor),
                "limit": _text(state.leg.limit),
                "stop": _text(state.leg.stop),
                "trail": _text(state.leg.trail),
            }
            for state in order.legs
        ],
    }


def _order(body: dict[str, Any]) -> Order:
    return Order(
        n=body["n"],
        exchange=body["exchange"],
        pair=body["pair"],
        side=Side(body["side"]),
        amount=Decimal(body["amount"]),
        placed=body["placed"],
        closing=body["closing"],
        reference=_decimal(body["reference"]),
        legs=tuple(
            LegState(
                id=state["id"],
                awake=state["awake"],
                anchor=_decimal(state["anchor"]),
                leg=Leg(limit=_decimal(state["limit"]), stop=_decimal(state["stop"]), trail=_decimal(state["trail"])),
            )
            for state in body["legs"]
        ),
    )


def _text(number: Decimal | None) -> str | None:
    return None if number is None else decimal_text(number)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
