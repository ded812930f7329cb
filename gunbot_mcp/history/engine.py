"""DuckDB for whoever writes the mirror: opened when first needed, small, and its failures as ours."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gunbot_mcp.errors import HistoryUnavailable, clean

if TYPE_CHECKING:
    from collections.abc import Generator

    from duckdb import DuckDBPyConnection

_MEMORY = "96MB"


class Damaged(Exception):
    """DuckDB could not read what the mirror holds."""


class Engine:
    """One database in memory, for all writers of a process; each takes a cursor of its own, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: DuckDBPyConnection | None = None

    @contextmanager
    def cursor(self) -> Generator[DuckDBPyConnection]:
        """Give a cursor.

        Raises:
            Damaged: a file cannot be read.
            HistoryUnavailable: something cannot be written: the disk is full.
        """
        import duckdb

        with self._lock:
            if self._connection is None:
                settings: dict[str, str | bool | int | float | list[str]] = {
                    "memory_limit": _MEMORY,
                    "threads": 1,
                    "temp_directory": "",
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                    "python_enable_replacements": False,
                }
                self._connection = duckdb.connect(":memory:", config=settings)
                self._connection.execute("SET TimeZone = 'UTC'")
            cursor = self._connection.cursor()
        try:
            yield cursor
        except duckdb.OutOfMemoryException as exc:
            raise unwritable(exc) from exc
        except duckdb.Error as exc:
            raise Damaged(clean(exc)) from exc
        finally:
            cursor.close()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def unwritable(exc: Exception) -> HistoryUnavailable:
    """Return the error of a mirror that cannot be written; what was there before is as it was."""
    why = (exc.strerror if isinstance(exc, OSError) else None) or type(exc).__name__
    return HistoryUnavailable(
        f"the mirror of the order history cannot be written: {clean(why)}",
        "make room on the disk of the state folder (gunbot-mcp history prune helps), then ask again",
    )
