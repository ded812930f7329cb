"""Small private files, written so that a crash leaves the old one or the new one, never half of one."""

import contextlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path


def private_folder(folder: Path) -> None:
    """Create the folder and its missing parents, each 0700. Folders that exist keep their permissions."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        # Another process may create it at the same instant.
        parent.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace the file's content with `text`, UTF-8, 0600, on disk when this returns.

    Raises:
        OSError: the old file is untouched.
    """
    private_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a created, renamed or removed name durable, where the system can (Windows cannot open folders)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


Stamp = tuple[int, ...]


def stamp_of(file: Path) -> Stamp | None:
    """Return what changes whenever the file does, without reading it; None where it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def keep_copy(path: Path) -> Path:
    """Copy a file beside itself under a name with the time, 0600 and on disk when this returns; return the copy.

    Raises:
        OSError: there is none, and no half of one.
    """
    content = path.read_bytes()
    stem = f"{path.name}.before-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    for number in range(1, 1000):
        copy = path.with_name(stem if number == 1 else f"{stem}-{number}")
        with contextlib.suppress(FileExistsError):
            create_private(copy, content)
            return copy
    raise FileExistsError(f"there are too many copies of {path.name}")


def create_private(path: Path, content: bytes) -> None:
    """Write a file that must not be there yet, 0600, on disk when this returns.

    Raises:
        FileExistsError: it is there, and untouched.
        OSError: it could not be written, and is not there.
    """
    private_folder(path.parent)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    sync_folder(path.parent)
