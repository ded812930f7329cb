"""A ledger as it is after ten years: a few real orders, and their rows many times over.

The orders are placed through the product, in several states. Their rows are then copied by SQL, each copy with a ticket
id and instants of its own, so that nothing here needs to know what a ledger's columns are: only that a ticket's row has
its `id`, that what belongs to it names it in a column `ticket`, that instants are written as ISO-8601, and that `head`
has the number of the newest step. The copies
are older than the orders, and the chain of hashes does not hold over them.
"""

import asyncio
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.session import OURS, Server, checked, configure, structured
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

YEARS = 10
PAIRS = ("USDT-BTC", "USDT-ETH")
AMOUNTS = {"USDT-BTC": 0.0002, "USDT-ETH": 0.005}
TOO_MUCH = {"USDT-BTC": 20, "USDT-ETH": 400}
"""Amounts that the book holds and no paper account can pay: Gunbot refuses them."""
CHUNK = 20_000

_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_STRIDE = 123_456_789_011  # has no divisor in common with the alphabet's length: ids neither repeat nor are in order
_YOUNGEST = timedelta(minutes=15)
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def fill(ledger_url: str, count: int) -> None:
    """Make a new ledger at the URL and put `count` closed tickets of the last ten years into it."""
    with tempfile.TemporaryDirectory() as home:
        place_orders(Path(home), ledger_url)
    asyncio.run(_multiply(ledger_url, count))
    url = make_url(ledger_url)
    if url.get_backend_name() == "sqlite":
        # What was written without waiting for the disk would else be written while orders wait for it.
        with Path(url.database or "").open("rb+") as file:
            os.fsync(file.fileno())


def place_orders(home: Path, ledger_url: str) -> Counter[str]:
    """Place orders of several fates with servers of this ledger; return how many tickets are in each state.

    The paper gateway has a seed of its own: its orders must not have the numbers of those that a benchmark places.
    """
    environment = configure(home, wait=0.1, ledger=ledger_url, seed=20_241_114)
    found: Counter[str] = Counter()

    def place(server: Server, tool: str, pair: str, amount: float) -> dict[str, Any]:
        arguments = {"exchange": "binance", "pair": pair, "amount": amount}
        answer = structured(checked(server.call(tool, arguments)))
        found[answer["status"]] += 1
        return answer

    with Server([*OURS, "--mode", "auto"], environment).initialize() as server:
        for pair in PAIRS:
            for tool in ("buy_market", "buy_market", "sell_market"):
                place(server, tool, pair, AMOUNTS[pair])
            place(server, "buy_market", pair, TOO_MUCH[pair])
    with Server([*OURS, "--mode", "approve"], environment).initialize() as server:
        for pair in PAIRS:
            waiting = place(server, "buy_market", pair, AMOUNTS[pair])
            checked(server.call("withdraw_ticket", {"ticket_id": waiting["ticket"]["id"]}))
    with Server([*OURS, "--mode", "approve"], environment, decision="reject").initialize() as server:
        for pair in PAIRS:
            place(server, "buy_market", pair, AMOUNTS[pair])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Original:
    """Everything in the ledger that is to be copied."""

    head: Table
    """The chain's end: one row with the number of the newest step."""
    tables: Mapping[str, Table]
    owners: Mapping[str, str]
    """For each table, the column that names the ticket."""
    tickets: Sequence[str]
    minutes: Sequence[str]
    """Every minute (`2026-11-25T06:03`) that is written somewhere in the rows, the earliest first."""


async def _multiply(ledger_url: str, count: int) -> None:
    url = make_url(ledger_url)
    backend = url.get_backend_name()
    engine = create_async_engine(url.set(drivername=_DRIVERS[backend]))
    try:
        async with engine.connect() as connection:
            if backend == "sqlite":
                for setting in (
                    "journal_mode = OFF",
                    "synchronous = OFF",
                    "temp_store = MEMORY",
                    "cache_size = -400000",
                ):
                    await connection.exec_driver_sql(f"PRAGMA {setting}")
            await connection.run_sync(_copy, count)
            await connection.commit()
            if backend == "sqlite":
                await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            else:
                # What its autovacuum does by itself within minutes.
                await connection.execute(text("ANALYZE"))
                await connection.commit()
    finally:
        await engine.dispose()


def _copy(connection: Connection, count: int) -> None:
    original = _read(connection)
    minutes = [f"minute_{number}" for number in range(len(original.minutes))]
    copies = Table(
        "copies",
        MetaData(),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("ticket", Text, index=True),
        Column("id", Text),
        *(Column(name, Text) for name in minutes),
        prefixes=["TEMPORARY"],
    )
    copies.create(connection)
    rows = _copies(original, count)
    for _ in range(0, count, CHUNK):
        connection.execute(insert(copies), [row for _, row in zip(range(CHUNK), rows, strict=False)])
    # First what others may refer to.
    for name in sorted(original.tables, key=lambda name: name != "tickets"):
        _copy_rows(connection, original, copies, original.tables[name])


def _read(connection: Connection) -> _Original:
    metadata = MetaData()
    metadata.reflect(connection)
    assert "tickets" in inspect(connection).get_table_names()
    owners = {table.name: "ticket" for table in metadata.tables.values() if "ticket" in table.columns}
    owners["tickets"] = "id"
    tables = {name: metadata.tables[name] for name in owners}
    tickets = list(connection.execute(select(tables["tickets"].c.id)).scalars())
    cells = (
        str(cell)
        for name, table in tables.items()
        for row in connection.execute(select(table).where(table.c[owners[name]].in_(tickets)))
        for cell in row
    )
    minutes = sorted({minute for cell in cells for minute in _MINUTE.findall(cell)})
    return _Original(head=metadata.tables["head"], tables=tables, owners=owners, tickets=tickets, minutes=minutes)


def _copies(original: _Original, count: int) -> Iterator[dict[str, Any]]:
    """Yield the copies' tickets and minutes, the oldest first."""
    length = len(original.tickets[0])
    times = [datetime.fromisoformat(minute) for minute in original.minutes]
    span = timedelta(days=365 * YEARS)
    for number in range(count):
        shift = _YOUNGEST + (times[-1] - times[0]) + span * ((count - 1 - number) / count)
        minutes = {f"minute_{at}": (time - shift).isoformat()[:16] for at, time in enumerate(times)}
        ticket = original.tickets[number % len(original.tickets)]
        yield {"number": number, "ticket": ticket, "id": _name(number, length), **minutes}


def _name(number: int, length: int) -> str:
    """Return the id of a copied ticket, in the letters of real ones."""
    rest, letters = number * _STRIDE % len(_ALPHABET) ** length, ""
    for _ in range(length):
        rest, letter = divmod(rest, len(_ALPHABET))
        letters += _ALPHABET[letter]
    return letters


def _copy_rows(connection: Connection, original: _Original, copies: Table, table: Table) -> None:
    owner = table.c[original.owners[table.name]]
    source = copies.join(table, owner == copies.c.ticket)
    values: dict[str, ColumnElement[Any]] = {
        column.name: _changed(connection, original, copies, column)
        for column in table.columns
        if isinstance(column.type, Text)
    }
    for column in table.primary_key:
        if isinstance(column.type, Integer):
            # Steps are numbered from 1 without a gap, and servers count them: the copies come first, the end stays.
            many = connection.execute(select(func.count()).select_from(source)).scalar_one()
            connection.execute(update(table).values({column: column + many}))
            connection.execute(update(original.head).values(seq=original.head.c.seq + many))
            values[column.name] = func.row_number().over(order_by=(copies.c.number, column))
    chosen = [values.get(column.name, column) for column in table.columns]
    rows = select(*chosen).select_from(source).order_by(copies.c.number)
    connection.execute(insert(table).from_select([column.name for column in table.columns], rows))


def _changed(connection: Connection, original: _Original, copies: Table, column: Column[Any]) -> ColumnElement[Any]:
    """Return a text column with the copy's id and minutes in place of the original's."""
    owner = column.table.c[original.owners[str(column.table)]]
    rows = connection.execute(select(owner, column).where(owner.in_(original.tickets))).all()
    changed: ColumnElement[Any] = column
    if any(ticket in str(cell) for ticket, cell in rows):
        changed = func.replace(changed, copies.c.ticket, copies.c.id)
    for number, minute in enumerate(original.minutes):
        if any(minute in str(cell) for _, cell in rows):
            changed = func.replace(changed, literal(minute), copies.c[f"minute_{number}"])
    return changed
