"""What one transaction of the paper gateway reads and writes.

Reads do not get slower with more lots, records or open orders, except those that list them.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gunbot_mcp.domain import decimal_text
from gunbot_mcp.paper.accounts import Inventory, Lot, add, digits, reserve, subtract
from gunbot_mcp.paper.encoding import order_of, order_text
from gunbot_mcp.paper.engine import Order, quiet
from gunbot_mcp.paper.market import Scale
from gunbot_mcp.paper.pairs import LISTINGS

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has of one asset or position, and how much of it the open orders reserve."""

    total: Decimal = _ZERO
    reserved: Decimal = _ZERO


class PaperTransaction:
    """Reads and writes within one transaction. Nothing is cached: what it returns is what the file says."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def meta(self, name: str) -> str | None:
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def set_meta(self, name: str, value: object) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, str(value)))

    def number(self, name: str) -> int:
        return int(self.meta(name) or 0)

    # -- balances and lots -----------------------------------------------------------------------------------------

    def balances(self) -> dict[tuple[str, str], Balance]:
        """Return every balance: (exchange, asset or hedge pair) → total and reserved."""
        rows = self._connection.execute("SELECT exchange, asset, amount, reserved FROM balances ORDER BY rowid")
        return {(row[0], row[1]): Balance(Decimal(row[2]), Decimal(row[3])) for row in rows}

    def balance(self, exchange: str, asset: str) -> Balance:
        sql = "SELECT amount, reserved FROM balances WHERE exchange = ? AND asset = ?"
        row = self._connection.execute(sql, (exchange, asset)).fetchone()
        return Balance() if row is None else Balance(Decimal(row[0]), Decimal(row[1]))

    def set_balance(self, exchange: str, asset: str, amount: Decimal) -> None:
        self._connection.execute(
            "INSERT INTO balances (exchange, asset, amount) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET amount = excluded.amount",
            (exchange, asset, decimal_text(amount)),
        )

    def inventory(self, key: str) -> Inventory:
        sql = "SELECT fifo, fifo_value, cheap, cheap_value FROM inventories WHERE key = ?"
        row = self._connection.execute(sql, (key,)).fetchone()
        return Inventory() if row is None else Inventory(*map(Decimal, row))

    def oldest_lots(self, key: str) -> Iterator[Lot]:
        """Read the lots with a `fifo` part by age, only as far as the caller goes."""
        return self._lots(key, "fifo <> '0' ORDER BY n")

    def cheapest_lots(self, key: str) -> Iterator[Lot]:
        """Read the lots with a `cheap` part by rate, then age, only as far as the caller goes."""
        return self._lots(key, "cheap <> '0' ORDER BY rate, n")

    def _lots(self, key: str, which: str) -> Iterator[Lot]:
        sql = f"SELECT n, rate, fifo, cheap FROM lots WHERE key = ? AND {which}"  # noqa: S608 - one of the two texts above
        for n, rate, fifo, cheap in self._connection.execute(sql, (key,)):
            yield Lot(n, rate, Decimal(fifo), Decimal(cheap))

    def newest_lot(self, key: str) -> int:
        """Return the number of the newest lot, 0 without lots."""
        return self._connection.execute("SELECT max(n) FROM lots WHERE key = ?", (key,)).fetchone()[0] or 0

    def set_lots(self, key: str, changed: Iterable[Lot], inventory: Inventory) -> None:
        """Write new and changed lots, drop those that are used up, and keep the sums over all."""
        for one in changed:
            if one.fifo or one.cheap:
                self._connection.execute(
                    "INSERT OR REPLACE INTO lots (key, n, rate, fifo, cheap) VALUES (?, ?, ?, ?, ?)",
                    (key, one.n, one.rate, digits(one.fifo), digits(one.cheap)),
                )
            else:
                self._connection.execute("DELETE FROM lots WHERE key = ? AND n = ?", (key, one.n))
        self._connection.execute(
            "INSERT OR REPLACE INTO inventories (key, fifo, fifo_value, cheap, cheap_value) VALUES (?, ?, ?, ?, ?)",
            (key, *map(digits, inventory.sums)),
        )

    # -- open orders -----------------------------------------------------------------------------------------------

    def keys_with_orders(self) -> Iterator[str]:
        """Return the keys that have open orders, in alphabetical order, without reading the orders."""
        key = ""
        while True:
            sql = "SELECT min(key) FROM resting_orders WHERE key > ?"
            key = self._connection.execute(sql, (key,)).fetchone()[0]
            if key is None:
                return
            yield key

    def orders(self, key: str) -> list[Order]:
        """Return the open orders of a key, oldest first."""
        return self._orders("SELECT n, body FROM resting_orders WHERE key = ?", key)

    def order_of_leg(self, leg_id: str) -> Order | None:
        sql = "SELECT o.n, o.body FROM resting_legs AS l JOIN resting_orders AS o ON o.n = l.n WHERE l.id = ?"
        return next(iter(self._orders(sql, leg_id)), None)

    def has_orders(self, exchange: str, at_least: int) -> bool:
        sql = "SELECT count(*) FROM (SELECT 1 FROM resting_orders WHERE exchange = ? LIMIT ?)"
        return self._connection.execute(sql, (exchange, at_least)).fetchone()[0] >= at_least

    def quiet(self, key: str) -> tuple[Decimal, Decimal] | None:
        """Return the open range of prices in which no open order of a key changes, or None without orders."""
        low = self._connection.execute("SELECT max(low) FROM resting_orders WHERE key = ?", (key,)).fetchone()[0]
        high = self._connection.execute("SELECT min(high) FROM resting_orders WHERE key = ?", (key,)).fetchone()[0]
        return None if low is None else (Decimal(repr(low)), Decimal(repr(high)))

    def orders_touched(self, key: str, price: Decimal) -> list[Order]:
        """Return the open orders of a key whose quiet range does not contain the price, oldest first."""
        sql = (
            "SELECT n, body FROM resting_orders WHERE key = ? AND low >= ? UNION "
            "SELECT n, body FROM resting_orders WHERE key = ? AND high <= ?"
        )
        return self._orders(sql, key, float(price), key, float(price))

    def _orders(self, sql: str, *values: object) -> list[Order]:
        return [order_of(body) for _, body in sorted(self._connection.execute(sql, values))]

    def put_order(self, order: Order) -> None:
        """Write an open order, new or changed, with what it reserves."""
        self.drop_order(order)
        (low, high), (asset, amount) = quiet(order), reserve(order, LISTINGS[order.key])
        self._connection.execute(
            "INSERT INTO resting_orders (n, key, exchange, low, high, asset, reserved, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (order.n, order.key, order.exchange, low, high, asset, digits(amount), order_text(order)),
        )
        self._connection.executemany(
            "INSERT INTO resting_legs (id, n) VALUES (?, ?)", [(str(state.id), order.n) for state in order.legs]
        )
        self._set_reserved(order.exchange, asset, add(self.balance(order.exchange, asset).reserved, amount))

    def put_to_sleep(self, order: Order) -> None:
        """Stop finding this open order by any price; what it reserves stays reserved until it is dropped."""
        self._connection.execute(
            "UPDATE resting_orders SET low = -9e999, high = 9e999 WHERE n = ?", (order.n,)
        )  # SQLite reads 9e999 as infinity

    def drop_order(self, order: Order) -> None:
        """Remove an open order and free what it reserves; does nothing where it is not open."""
        asset, amount = self.reserved_by(order)
        if asset is None:
            return
        self._connection.execute("DELETE FROM resting_orders WHERE n = ?", (order.n,))
        self._connection.execute("DELETE FROM resting_legs WHERE n = ?", (order.n,))
        self._set_reserved(order.exchange, asset, subtract(self.balance(order.exchange, asset).reserved, amount))

    def reserved_by(self, order: Order) -> tuple[str | None, Decimal]:
        """Return what an order reserves: (asset, amount), or (None, 0) where it is not open."""
        sql = "SELECT asset, reserved FROM resting_orders WHERE n = ?"
        row = self._connection.execute(sql, (order.n,)).fetchone()
        return (None, _ZERO) if row is None else (row[0], Decimal(row[1]))

    def _set_reserved(self, exchange: str, asset: str, amount: Decimal) -> None:
        self._connection.execute(
            "INSERT INTO balances (exchange, asset, amount, reserved) VALUES (?, ?, '0', ?) "
            "ON CONFLICT DO UPDATE SET reserved = excluded.reserved",
            (exchange, asset, digits(amount)),
        )

    # -- records and prices ----------------------------------------------------------------------------------------

    def add_record(self, key: str, record: dict[str, Any]) -> None:
        self._connection.execute(
            "INSERT INTO records (key, time, body) VALUES (?, ?, ?)", (key, record["time"], json.dumps(record))
        )

    def add_records(self, records: Iterable[tuple[str, int, str]]) -> None:
        """Add records as (key, time, JSON text)."""
        self._connection.executemany("INSERT INTO records (key, time, body) VALUES (?, ?, ?)", records)

    def keys_with_records(self) -> Iterator[str]:
        """Return the keys that have records, in alphabetical order, without reading the records."""
        key = ""
        while True:
            key = self._connection.execute("SELECT min(key) FROM records WHERE key > ?", (key,)).fetchone()[0]
            if key is None:
                return
            yield key

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
            "INSERT OR REPLACE INTO scales (symbol, price, level) VALUES (?, ?, ?)",
            (symbol, str(scale.price), str(scale.level)),
        )


def _marks(values: list[str]) -> str:
    return ",".join("?" * len(values))
