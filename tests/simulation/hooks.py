"""The guard's parts in the simulation, through the source's seams: each takes a step of the world before it acts."""

import contextlib
import random
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from simulation.processes import Dead, acting, current, current_ticket
from sqlalchemy import CursorResult, Executable

from gunbot_mcp.files import write_private
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.port import Link, Parameters
from gunbot_mcp.ledger.transaction import Transaction
from gunbot_mcp.tickets.ids import Ids


class SteppedDatabase(Database):
    """Steps before every begin, statement and commit; fails as the world says."""

    async def begin(self, connection: Link) -> Any:  # noqa: ANN401 - passed on
        world = current.get()
        await world.step("before a transaction")
        if world.ledger_away and acting.get() is not None:
            raise sqlite3.OperationalError("disk I/O error")
        return await super().begin(connection)

    async def run(self, connection: Link, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        await current.get().step("before a statement")
        return await super().run(connection, statement, parameters)

    async def commit(self, connection: Link) -> None:
        world = current.get()
        await world.step("before a commit")
        fault = acting.get() is not None and world.chance.random() < world.ledger_fault
        if fault and world.chance.random() < 0.5:
            raise sqlite3.OperationalError("disk I/O error")
        await super().commit(connection)
        await world.step("after a commit")
        if fault:
            raise ConnectionResetError("gone with the answer")


class TurnLedger(Ledger):
    """Waits for SQLite's lock in turn, since in one thread its own waiting would stop everything."""

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        async with current.get().lock, super().write() as opened:
            yield opened


class SeededIds(Ids):
    """Tickets have the same names on every run of a seed; the task that made one works for it from then on."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def ticket(self) -> str:
        name = "".join(self._chance.choice("23456789abcdefghjkmnpqrstuvwxyz") for _ in range(8))
        current_ticket.set(name)
        return name


def keep(path: Path, text: str) -> None:
    """Write a spool file, unless the process is dead."""
    process = acting.get()
    if process is not None and process.dead:
        raise Dead("a file")
    write_private(path, text)
