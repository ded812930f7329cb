"""Is the ledger's file still the one that was opened? A deleted or exchanged one would forget what was sent today.

SQLite goes on into files that were deleted, and into a file that was written over it reads what it remembers of the
old one. So before and after each write the names must still stand for the files that were opened, and whenever the
main file has changed on disk (a checkpoint, of any process, does that), somebody who remembers nothing looks at it.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from gunbot_mcp.errors import LedgerUnavailable

_BESIDE = ("", "-wal", "-shm")
_HINT = "put the right file back where it was, then start the server again"


class SameFiles:
    """The three files of one SQLite ledger, held open from here to `close`: so their log cannot change its name."""

    def __init__(self, path: Path) -> None:
        """Open them.

        Raises:
            OSError, sqlite3.Error: they cannot be opened.
        """
        self._path = path
        self._keeper = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False)
        # Only what was read from keeps its log open.
        self._keeper.execute("SELECT count(*) FROM sqlite_master").fetchone()
        self._files = [_identity(self._stat(suffix)) for suffix in _BESIDE]
        self._shape = self._shape_now()

    def close(self) -> None:
        self._keeper.close()

    def check(self) -> None:
        """Compare what the names stand for with what was opened.

        Raises:
            LedgerUnavailable: a file was deleted, or another one has taken its place.
        """
        for suffix, opened in zip(_BESIDE, self._files, strict=True):
            name = f"{self._path.name}{suffix}"
            try:
                found = _identity(self._stat(suffix))
            except FileNotFoundError:
                raise LedgerUnavailable(f"the ledger's file {name} was deleted while this server runs", _HINT) from None
            if found != opened:
                raise LedgerUnavailable(f"the ledger's file {name} was replaced while this server runs", _HINT)

    def changed(self) -> bool:
        """Return whether the main file was written to, or the log cut, since `check_content` last found it well."""
        main, log = self._shape_now()
        if main != self._shape[0] or log < self._shape[1]:
            return True
        self._shape = main, log
        return False

    def check_content(self, seq: int, newest: str) -> None:
        """Compare what the files hold, read afresh, with the newest event that a writer's own connection sees.

        Call it while that connection holds the write lock. It counts events: that takes longer, the more there are.

        Raises:
            LedgerUnavailable: the file was written over.
        """
        shape = self._shape_now()
        try:
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as fresh:
                head = fresh.execute("SELECT seq, hash FROM head").fetchall()
                (count,) = fresh.execute("SELECT count(*) FROM events").fetchone()
        except sqlite3.Error as exc:
            raise LedgerUnavailable(f"the ledger's file {self._path.name} was written over: {exc}", _HINT) from exc
        if head != [(seq, newest)] or count != seq:
            raise LedgerUnavailable(
                f"the ledger's file {self._path.name} was written over while this server runs", _HINT
            )
        self._shape = shape

    def _stat(self, suffix: str) -> os.stat_result:
        return self._path.with_name(self._path.name + suffix).stat()

    def _shape_now(self) -> tuple[tuple[int, int], int]:
        main = self._stat("")
        return (main.st_size, main.st_mtime_ns), self._stat("-wal").st_size


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
