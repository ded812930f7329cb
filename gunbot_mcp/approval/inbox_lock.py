"""One inbox of a state folder at a time. Servers look for an inbox and are none, so they load none of this."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import filelock

from gunbot_mcp.approval.inbox import announced
from gunbot_mcp.errors import ConfigInvalid, clean

_LOCK = "inbox.lock"


@contextmanager
def the_only_inbox(folder: Path) -> Generator[None]:
    """Be the inbox of this state folder for the block; the system lets go of that when a process dies.

    Of two, only the one that announced itself last would be found, and nobody once that one ends.

    Raises:
        ConfigInvalid: there is one already, or its lock file cannot be made.
    """
    lock = filelock.FileLock(folder / _LOCK, thread_local=False, mode=0o600)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        port = announced(folder)
        where = "" if port is None else f": http://localhost:{port}"
        raise ConfigInvalid(
            f"an inbox of this state folder runs already{where}", "use that one, or stop it first"
        ) from None
    except OSError as exc:
        raise ConfigInvalid(f"the inbox's lock cannot be taken: {clean(exc)}", "gunbot-mcp doctor") from exc
    try:
        yield
    finally:
        lock.release()
