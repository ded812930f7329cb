"""Every way in which a store can fail, mapped once to `LedgerUnavailable`: what happened, what to do, no secrets."""

import contextlib
import sqlite3
import sys
from collections.abc import Generator, Iterator

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gunbot_mcp.errors import LedgerUnavailable, clean

_SQLITE = {
    "SQLITE_READONLY": ("the ledger is read-only", "check the file's owner and permissions, and the disk's mount"),
    "SQLITE_NOTADB": (
        "the ledger's file is not a SQLite database",
        "move it away, or set another ledger in the config",
    ),
    "SQLITE_CORRUPT": ("the ledger's file is corrupt", "stop the server and restore the file from a backup"),
    "SQLITE_FULL": ("the ledger's disk is full", "free some space"),
    "SQLITE_IOERR": ("the ledger's disk failed", "check the disk and its free space"),
    "SQLITE_BUSY": ("the ledger is locked by another program", "close what holds it open, then try again"),
    "SQLITE_CANTOPEN": ("the ledger's file cannot be opened", "check the folder's owner and permissions"),
    "SQLITE_PERM": ("the ledger's file may not be used", "check the file's owner and permissions"),
}
_POSTGRES = {
    "28": ("the ledger's server refused the login", "check the user and password in the ledger's URL"),
    "3D": ("the ledger's database does not exist", "create it, or correct the ledger's URL"),
    "42501": ("the ledger's user may not do this", "give it the rights on its own database"),
    "53100": ("the ledger's disk is full", "free some space on the database server"),
    "55P03": ("the ledger is locked by another program", "look for a long transaction on the database server"),
    "25006": ("the ledger is read-only", "point the ledger's URL to the primary server"),
    "57014": ("the ledger's server took too long", "look at the load of the database server"),
}
_AWAY = ("the ledger's server is away", "start it, or check the network and the ledger's URL")
_OTHER = ("the ledger failed", "run gunbot-mcp doctor")


@contextlib.contextmanager
def ledger_faults(*, secrets: tuple[str, ...], local: bool, committing: bool = False) -> Generator[None]:
    """Turn a driver's or SQL error inside the block into `LedgerUnavailable`.

    `local`: the store is a file, not a server. While `committing`, the message says that the change may or may not be
    stored. Put only the store's own calls inside: an OSError counts as the store's.
    """
    try:
        yield
    except _foreign() as exc:
        message, hint = _explain(exc, local=local)
        if committing:
            message = f"{message}; whether the last change is stored is not known"
        words = clean(_words(exc), 160, secrets)
        raise LedgerUnavailable(f"{message}: {words}" if words else message, hint) from exc


def _foreign() -> tuple[type[BaseException], ...]:
    # asyncpg is an optional extra, and some of its errors reach us without SQLAlchemy's wrapping.
    asyncpg = sys.modules.get("asyncpg")
    extra = () if asyncpg is None else (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    return (SQLAlchemyError, sqlite3.Error, OSError, *extra)


def _causes(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = exc
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        original = getattr(current, "orig", None)
        current = original if isinstance(original, BaseException) else current.__cause__


def _explain(exc: BaseException, *, local: bool) -> tuple[str, str]:
    for cause in _causes(exc):
        name = getattr(cause, "sqlite_errorname", None)
        if isinstance(name, str):
            return next((words for prefix, words in _SQLITE.items() if name.startswith(prefix)), _OTHER)
        code = getattr(cause, "sqlstate", None)
        if isinstance(code, str):
            if code.startswith(("08", "57P")):
                return _AWAY
            return next((words for prefix, words in _POSTGRES.items() if code.startswith(prefix)), _OTHER)
    if any(isinstance(cause, OSError) or getattr(cause, "connection_invalidated", False) for cause in _causes(exc)):
        return _SQLITE["SQLITE_CANTOPEN"] if local else _AWAY
    if isinstance(exc, PoolTimeoutError):
        return ("the ledger is too busy", "try again")
    return _OTHER


def _words(exc: BaseException) -> str:
    """Return the driver's own words, not SQLAlchemy's, which quote the statement."""
    for cause in _causes(exc):
        if not isinstance(cause, SQLAlchemyError):
            return str(cause).partition("\n")[0]
    return str(exc).partition("\n")[0]
