"""One writer a key, among all processes: a lock file that the system lets go of when its holder dies."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import filelock

from gunbot_mcp.files import private_folder
from gunbot_mcp.history.engine import unwritable
from gunbot_mcp.history.manifest import folder_of

_POLL_SECONDS = 0.05


class Locks:
    """The locks of one mirror's keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def of(self, key: str) -> AsyncGenerator[None]:
        """Hold the key's lock; wait for it as long as the caller may.

        Raises:
            HistoryUnavailable: the lock's file cannot be made.
        """
        try:
            private_folder(self._folder)
            # Taken here and let go of in whatever thread the loop then runs in.
            lock = filelock.FileLock(self._folder / f"{folder_of(key)}.lock", thread_local=False, mode=0o600)
            while True:
                try:
                    lock.acquire(blocking=False)
                    break
                except filelock.Timeout:
                    await anyio.sleep(_POLL_SECONDS)
        except OSError as exc:
            raise unwritable(exc) from exc
        try:
            yield
        finally:
            lock.release()
