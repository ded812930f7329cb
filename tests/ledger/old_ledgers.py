"""Ledgers that earlier versions really wrote, restored from their SQL text. `fixtures/ledgers/make_v1.py` says how."""

import json
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

FOLDER = Path(__file__).parents[1] / "fixtures" / "ledgers"
Kind = Literal["sqlite", "postgres"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldTicket:
    """`label` is its name in the story, `what` says what was done to it."""

    id: str
    label: str
    instance: str
    tool: str
    state: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is in the ledgers of version 1: the same story on both databases, with the same ticket ids.

    `instant` is when the copies were made, by a clock with this `boot_id`: from there on, pending tickets wait
    for almost a day. `urls` are those of the instances: a pending ticket counts for that Gunbot only. `last_hash` is
    the newest event's, per database.
    """

    instant: datetime
    pin: str
    boot_id: str
    urls: dict[str, str]
    events: int
    last_hash: dict[Kind, str]
    mandates: dict[str, str]
    tickets: tuple[OldTicket, ...]

    def ticket(self, label: str) -> OldTicket:
        return next(ticket for ticket in self.tickets if ticket.label == label)


def facts() -> Facts:
    found: dict[str, Any] = json.loads((FOLDER / "v1.json").read_text(encoding="utf-8"))
    return Facts(
        instant=datetime.fromisoformat(found["instant"]),
        pin=found["pin"],
        boot_id=found["boot_id"],
        urls=found["urls"],
        events=found["events"],
        last_hash={kind: store["last_hash"] for kind, store in found["stores"].items()},
        mandates=found["mandates"],
        tickets=tuple(OldTicket(id=name, **told) for name, told in found["tickets"].items()),
    )


def restore_sqlite(path: Path) -> None:
    """Make the SQLite ledger of version 1 in a file that is not there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    try:
        connection.executescript(sql("sqlite"))
    finally:
        connection.close()


async def restore_postgres(url: str) -> None:
    """Make the PostgreSQL ledger of version 1 in an empty database, in one transaction."""
    engine = engine_of(url)
    try:
        async with engine.connect() as connection:
            # Many statements at once: only the driver itself takes them.
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.execute(sql("postgres"))
    finally:
        await engine.dispose()


def engine_of(url: str) -> AsyncEngine:
    return create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)


def restore_home(folder: Path, kind: Kind) -> None:
    """Copy what version 1 left in its state folder beside that ledger: PIN, locks of its processes, an outcome."""
    shutil.copytree(FOLDER / f"v1.{kind}.home", folder, dirs_exist_ok=True)


def sql(kind: Kind) -> str:
    return (FOLDER / f"v1.{kind}.sql").read_text(encoding="utf-8")
