"""Which process is sending an order, and what becomes of the order when that process dies."""

import os
import re
import secrets
import socket
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.files import private_folder
from gunbot_mcp.tickets.channels import RECOVERY
from gunbot_mcp.tickets.ticket import IN_FLIGHT, Reason, ReasonCode, State, Ticket

if TYPE_CHECKING:
    from gunbot_mcp.clock import Clock
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.ledger.transaction import Transaction

if sys.platform != "win32":  # no such locks there
    import fcntl

    def _try_lock(handle: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_OWNER = re.compile(r"[A-Za-z0-9._-]{1,100}:[0-9]{1,20}:[0-9a-f]{16}")


def _nothing(_: Path) -> None: ...


class Owner:
    """This process, as the one that sends: `id` is `host:pid:random`, and a lock proves that it lives.

    The operating system releases the lock when the process ends, however it ends. Windows has no such lock here: there
    only the lease of `recover` decides.
    """

    def __init__(self, owner_id: str, handle: int | None) -> None:
        self.id = owner_id
        self._handle = handle

    @classmethod
    def start(cls, folder: Path, *, locked: Callable[[Path], None] = _nothing) -> "Owner":
        """Take a new id, and its lock in `folder/run`, for as long as this process lives.

        `locked` is called with each lock file once it is locked, before it is looked at again (a seam).

        Raises:
            LedgerUnavailable: the lock file cannot be made.
        """
        host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:100] or "host"
        owner_id = f"{host}:{os.getpid()}:{secrets.token_hex(8)}"
        if sys.platform == "win32":  # no such locks there
            return cls(owner_id, None)
        path = _lock_file(owner_id, folder)
        try:
            private_folder(path.parent)
            # Nobody knows this name yet, but `_sweep` may see an unlocked file and remove it: then make it again.
            while True:
                handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                if _try_lock(handle, shared=False):
                    locked(path)
                    if _still_there(handle, path):
                        return cls(owner_id, handle)
                os.close(handle)
        except OSError as exc:
            raise LedgerUnavailable(
                f"cannot make {path}: {exc.strerror}", "check the state folder's permissions and free space"
            ) from exc

    def stop(self) -> None:
        """Release the lock. The file stays, so that what this process left behind is recognised at once."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def is_dead(owner_id: str, folder: Path) -> bool:
    """Return True only if the owner's lock file is in this folder and no process holds it.

    False: it is held, or there is no such file (another host, or cleaned up), or this system has no such locks.
    """
    if sys.platform == "win32" or not _OWNER.fullmatch(owner_id):
        return False
    try:
        handle = os.open(_lock_file(owner_id, folder), os.O_RDWR)
    except OSError:
        return False
    try:
        # Shared, so that two processes that ask at once do not take each other for the owner.
        return _try_lock(handle, shared=True)
    finally:
        os.close(handle)


async def recover(
    ledger: "Ledger", folder: Path, clock: "Clock", *, lease: timedelta, instance: str | None
) -> list[Ticket]:
    """Close what dead processes left open, and return the tickets that changed. `instance` None: of all instances.

    `sending` becomes `unknown` where the owner is dead, or the sending is older than the lease; `approved` becomes
    `void` (nothing was sent) where the owner is dead, or the approval is older than the lease. A sender that is
    still alive may record its outcome later: `unknown` moves on to `accepted`, `rejected` or `void`. "Older" also holds
    for an instant that lies further than the lease in the future, which is a clock that was set back.

    Raises:
        LedgerUnavailable: nothing was changed.
    """
    now = clock.now()
    changed: list[Ticket] = []
    async with ledger.write() as write:
        for ticket in await write.in_state(IN_FLIGHT, instance):
            since = ticket.sent_at if ticket.state is State.SENDING else await _approved_at(write, ticket)
            dead = ticket.owner is not None and is_dead(ticket.owner, folder)
            if not dead and since is not None and abs(now - since) <= lease:
                continue
            to, code = State.VOID, ReasonCode.SENDER_LOST_BEFORE
            if ticket.state is State.SENDING:
                to, code = State.UNKNOWN, ReasonCode.SENDER_LOST
            reason = Reason(code, {"ended": dead})
            moved = await write.move(ticket.id, ticket.state, to, actor=RECOVERY, reason=reason)
            if moved is not None:
                changed.append(moved)
        open_tickets = await write.in_state(IN_FLIGHT)
    # Only after the commit: a lock file is the proof, and must outlive everything that still needs it.
    _sweep(folder, {ticket.owner for ticket in open_tickets if ticket.owner})
    return changed


async def _approved_at(write: "Transaction", ticket: Ticket) -> datetime | None:
    event = await write.last_event(ticket.id)
    return None if event is None else event.at


def _sweep(folder: Path, needed: set[str]) -> None:
    """Remove the lock files of dead owners that no open ticket names."""
    if sys.platform == "win32":  # no such locks there
        return
    keep = {_lock_file(owner_id, folder).name for owner_id in needed if _OWNER.fullmatch(owner_id)}
    for path in (folder / "run").glob("*.lock"):
        if path.name in keep:
            continue
        try:
            handle = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            if _try_lock(handle, shared=False):
                path.unlink(missing_ok=True)
        finally:
            os.close(handle)


def _lock_file(owner_id: str, folder: Path) -> Path:
    return folder / "run" / f"{owner_id.replace(':', '+')}.lock"


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
