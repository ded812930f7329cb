"""The kill switch: a file HALT in the state folder. While anything of that name is there, nothing is sent."""

import contextlib
import os
import stat
from pathlib import Path

from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.files import private_folder, sync_folder, write_private

_MOST = 4096


def halt(folder: Path, reason: str) -> None:
    """Stop all sending until `resume`. Works on a full disk too: an empty file halts, only its reason is lost.

    Raises:
        ConfigInvalid: the file could not be created, so sending is NOT stopped.
    """
    path = folder / "HALT"
    try:
        private_folder(folder)
        # The name alone halts, so it comes first and needs no disk block; the reason follows if it can.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as exc:
        raise ConfigInvalid(
            f"cannot create {path}: {exc.strerror}; sending is not stopped",
            "stop the server, or create a file of that name yourself",
        ) from exc
    with contextlib.suppress(OSError):
        write_private(path, clean(reason, 500))
    sync_folder(folder)


def resume(folder: Path) -> bool:
    """Allow sending again; return whether it was halted.

    Raises:
        ConfigInvalid: the file could not be removed, so sending is still stopped.
    """
    path = folder / "HALT"
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise ConfigInvalid(f"cannot remove {path}: {exc.strerror}; still halted", "remove it yourself") from exc
    sync_folder(folder)
    return True


def halted(folder: Path) -> str | None:
    """Return why sending is stopped, or None where it is not. Anything there that is not a readable file halts, too."""
    path = folder / "HALT"
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return f"{path} is not a plain file"
        with path.open("rb") as file:
            reason = file.read(_MOST)
    except FileNotFoundError:
        return None
    except OSError as exc:
        return f"{path} cannot be read: {exc.strerror}"
    return clean(reason.decode("utf-8", "replace").strip(), 500) or "no reason was given"
