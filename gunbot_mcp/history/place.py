"""Where the mirror lies. Nothing but "put a whole file atomically" is assumed, so that an object store could follow.

Names are relative, with `/` between folder and file. A name that holds records is written once and never again: whoever
reads it by a list that was valid a moment ago still finds what the list promised.
"""

import contextlib
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import Protocol

from gunbot_mcp.files import private_folder, sync_folder


class Place(Protocol):
    """A folder of whole files. Every method may raise `OSError`; `put` and `keep` then changed nothing."""

    def path(self, name: str) -> Path:
        """Return where a reader on this machine finds the file."""
        ...

    def read(self, name: str) -> bytes | None: ...
    def size(self, name: str) -> int | None: ...
    def age(self, name: str) -> float | None: ...
    def names(self, under: str = "") -> list[str]: ...

    def draft(self, under: str) -> Path:
        """Return a new local path at which a file can be written before it is kept."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Write or replace a whole file, durably."""
        ...

    def keep(self, name: str, draft: Path) -> None:
        """Make a draft the file `name`, durably; the draft is gone then."""
        ...

    def move(self, name: str, to: str) -> None: ...
    def delete(self, name: str) -> None: ...


class Folder:
    """A place on this machine, for its owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / name

    def read(self, name: str) -> bytes | None:
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None

    def size(self, name: str) -> int | None:
        """Return the file's bytes, None where it is not there."""
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return None

    def age(self, name: str) -> float | None:
        """Return seconds since the file was written, None where it is not there; negative if the clock was set back."""
        try:
            return time.time() - self.path(name).stat().st_mtime
        except FileNotFoundError:
            return None

    def names(self, under: str = "") -> list[str]:
        """Return the names of all files under a folder, drafts and locks too."""
        folder = self.path(under)
        return sorted(str(file.relative_to(self.root).as_posix()) for file in folder.rglob("*") if file.is_file())

    def draft(self, under: str) -> Path:
        private_folder(self.path(under))
        return self.path(under) / f"draft-{secrets.token_hex(8)}"

    def put(self, name: str, content: bytes) -> None:
        draft = self.draft(str(Path(name).parent.as_posix()))
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            self.keep(name, draft)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise

    def keep(self, name: str, draft: Path) -> None:
        draft.chmod(0o600)
        # Opened for writing: some systems refuse to sync what is open for reading only.
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        target = self.path(name)
        private_folder(target.parent)
        draft.replace(target)
        sync_folder(target.parent)

    def move(self, name: str, to: str) -> None:
        """Rename a file; nothing happens where it is not there."""
        target = self.path(to)
        private_folder(target.parent)
        with contextlib.suppress(FileNotFoundError):
            self.path(name).replace(target)
            sync_folder(target.parent)

    def delete(self, name: str) -> None:
        """Remove a file; nothing happens where it is not there, or where somebody still reads it (Windows)."""
        with contextlib.suppress(FileNotFoundError, PermissionError):
            self.path(name).unlink()

    def clear(self) -> None:
        """Remove the whole folder."""
        shutil.rmtree(self.root, ignore_errors=True)
