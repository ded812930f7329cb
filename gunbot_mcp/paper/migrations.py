"""The tables of the paper gateway's file, as numbered steps: step N makes version N out of version N - 1.

A new file takes every step, an older file the ones it lacks, all in one transaction: a crash leaves the old file or the
new one. A released step is never changed; a change of the tables is a new step. The version is `schema` in `meta`.
"""

import sqlite3
from collections.abc import Callable
from decimal import Decimal

from gunbot_mcp.paper.accounts import Inventory, Lot, add, digits, reserve
from gunbot_mcp.paper.encoding import order_of
from gunbot_mcp.paper.engine import quiet
from gunbot_mcp.paper.pairs import LISTINGS


def create_tables(connection: sqlite3.Connection) -> None:
    _run(
        connection,
        """
        CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        CREATE TABLE balances (exchange TEXT, asset TEXT, amount TEXT NOT NULL,
            PRIMARY KEY (exchange, asset)) STRICT;
        CREATE TABLE lots (key TEXT, n INTEGER, rate REAL NOT NULL, fifo TEXT NOT NULL, cheap TEXT NOT NULL,
            PRIMARY KEY (key, n)) STRICT;
        CREATE TABLE open_orders (n INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
        CREATE TABLE records (n INTEGER PRIMARY KEY, key TEXT NOT NULL, time INTEGER NOT NULL,
            body TEXT NOT NULL) STRICT;
        CREATE INDEX records_by_key ON records (key, time, n);
        CREATE TABLE scales (symbol TEXT PRIMARY KEY, price TEXT NOT NULL, level TEXT NOT NULL) STRICT;
        """,
    )


def keep_the_sums_of_the_lots(connection: sqlite3.Connection) -> None:
    """A trade needs the sums and the next lots to go, not every lot. What is used up of a lot is written `0`."""
    _run(
        connection,
        """
        CREATE TABLE inventories (key TEXT PRIMARY KEY, fifo TEXT NOT NULL, fifo_value TEXT NOT NULL,
            cheap TEXT NOT NULL, cheap_value TEXT NOT NULL) STRICT;
        UPDATE lots SET fifo = '0' WHERE fifo NOT GLOB '*[1-9]*';
        UPDATE lots SET cheap = '0' WHERE cheap NOT GLOB '*[1-9]*';
        CREATE INDEX lots_by_age ON lots (key, n) WHERE fifo <> '0';
        CREATE INDEX lots_by_price ON lots (key, rate, n) WHERE cheap <> '0';
        """,
    )
    inventories: dict[str, Inventory] = {}
    for key, n, rate, fifo, cheap in connection.execute("SELECT key, n, rate, fifo, cheap FROM lots"):
        inventories[key] = inventories.get(key, Inventory()).plus(Lot(n, rate, Decimal(fifo), Decimal(cheap)))
    connection.executemany(
        "INSERT INTO inventories (key, fifo, fifo_value, cheap, cheap_value) VALUES (?, ?, ?, ?, ?)",
        [(key, *map(digits, inventory.sums)) for key, inventory in inventories.items()],
    )


def find_open_orders_by_price(connection: sqlite3.Connection) -> None:
    """A request needs the orders that the price reaches, not every order, and what they reserve together.

    The table gets another name: a server of the version before that still has the file open fails at its next request,
    before it writes anything.
    """
    _run(
        connection,
        """
        CREATE TABLE resting_orders (n INTEGER PRIMARY KEY, key TEXT NOT NULL, exchange TEXT NOT NULL,
            low REAL NOT NULL, high REAL NOT NULL, asset TEXT NOT NULL, reserved TEXT NOT NULL,
            body TEXT NOT NULL) STRICT;
        CREATE INDEX resting_by_low ON resting_orders (key, low);
        CREATE INDEX resting_by_high ON resting_orders (key, high);
        CREATE INDEX resting_by_exchange ON resting_orders (exchange);
        CREATE TABLE resting_legs (id TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;
        CREATE INDEX resting_legs_by_order ON resting_legs (n);
        ALTER TABLE balances ADD COLUMN reserved TEXT NOT NULL DEFAULT '0';
        """,
    )
    reserved: dict[tuple[str, str], Decimal] = {}
    for (body,) in connection.execute("SELECT body FROM open_orders ORDER BY n").fetchall():
        order = order_of(body)
        (low, high), (asset, amount) = quiet(order), reserve(order, LISTINGS[order.key])
        connection.execute(
            "INSERT INTO resting_orders (n, key, exchange, low, high, asset, reserved, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (order.n, order.key, order.exchange, low, high, asset, digits(amount), body),
        )
        connection.executemany(
            "INSERT INTO resting_legs (id, n) VALUES (?, ?)", [(str(state.id), order.n) for state in order.legs]
        )
        reserved[order.exchange, asset] = add(reserved.get((order.exchange, asset), Decimal(0)), amount)
    connection.executemany(
        "UPDATE balances SET reserved = ? WHERE exchange = ? AND asset = ?",
        [(digits(amount), exchange, asset) for (exchange, asset), amount in reserved.items()],
    )
    connection.execute("DROP TABLE open_orders")


STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    create_tables,
    keep_the_sums_of_the_lots,
    find_open_orders_by_price,
)
VERSION = len(STEPS)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Take the steps after `version`, 0 for an empty file. The caller holds the write transaction, and commits it."""
    for step in STEPS[version:]:
        step(connection)
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('schema', ?)", (str(VERSION),))


def _run(connection: sqlite3.Connection, statements: str) -> None:
    # Not `executescript`, which would commit first.
    for statement in statements.split(";"):
        connection.execute(statement)
