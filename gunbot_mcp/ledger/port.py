"""What the ledger's statements need of a database: the port, its two kinds of connection, and how to run plain code."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncConnection

_T = TypeVar("_T")

Link = Connection | AsyncConnection
"""A connection to a file, or to a server."""
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Port(Protocol):
    @property
    def is_sqlite(self) -> bool: ...

    @property
    def path(self) -> Path: ...

    async def run(
        self, connection: Link, statement: Executable, parameters: Parameters = None
    ) -> CursorResult[Any]: ...

    async def commit(self, connection: Link) -> None: ...


async def in_sync(connection: Link, work: Callable[..., _T], **named: object) -> _T:
    """Run what needs a plain connection on either kind."""
    if isinstance(connection, AsyncConnection):
        return await connection.run_sync(work, **named)
    return work(connection, **named)
