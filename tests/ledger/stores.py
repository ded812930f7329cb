"""Parts of the tests that open a store, or fail to."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ledger.old_ledgers import restore_postgres, restore_sqlite
from sqlalchemy import Connection, inspect, text

from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.port import Link, in_sync
from gunbot_mcp.tickets.channels import TERMINAL


class Watched(Database):
    """A database that shows the connection of its newest write, for tests that must use exactly that connection."""

    def __init__(self, url: str, patience: float = 5) -> None:
        super().__init__(url, patience)
        self.writing: Link | None = None

    async def begin(self, connection: Link) -> tuple[int, str]:
        self.writing = connection
        return await super().begin(connection)

    async def ask(self, statement: str) -> Any:  # noqa: ANN401 - whatever the store says
        """Execute a statement on that connection."""
        assert self.writing is not None
        return (await self.run(self.writing, text(statement))).scalar_one()


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@contextmanager
def fails(words: str) -> Generator[None]:
    """The block fails as the contract says: a code, a message, a hint, and no secret anywhere in the traceback."""
    with pytest.raises(LedgerUnavailable) as raised:
        yield
    error = raised.value
    assert words in error.message
    assert error.code == "ledger_unavailable"
    assert error.hint
    assert_no_secret(error)


def assert_no_secret(error: BaseException | None) -> None:
    """Neither the error nor what caused it says the password, as it is or as a URL writes it."""
    while error is not None:
        for secret in ("hush-hush", "p@ss:w/rd", quote("p@ss:w/rd", safe="")):
            assert secret not in f"{error} {error!r} {getattr(error, 'hint', '')}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


async def note(ledger: Ledger) -> None:
    async with ledger.write() as write:
        await write.event("note", actor=TERMINAL, detail={"text": "x" * 3000})


def path_of(url: str) -> Path:
    """Return the file of a SQLite store."""
    return Path(url.removeprefix("sqlite:///"))


async def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every table of a store with its columns' names and its rows, as they are."""
    database = Database(url, patience=5)
    try:
        async with database.connect() as connection:
            return await in_sync(connection, _contents)
    finally:
        await database.aclose()


def _contents(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for name in sorted(inspect(connection).get_table_names()):
        rows = connection.exec_driver_sql(f'SELECT * FROM "{name}" ORDER BY 1')
        found[name] = [tuple(rows.keys()), *(tuple(row) for row in rows.all())]
    return found


async def restore(url: str) -> None:
    """Put the ledger that version 0.1 wrote into an empty store."""
    if url.startswith("sqlite"):
        restore_sqlite(path_of(url))
    else:
        await restore_postgres(url)
