"""The kill switch: two files. While anything of either name is there, nothing is sent.

The user's switch, `~/.local/state/gunbot-mcp/HALTED`, stops every server of the operating system's user; no config,
flag or variable of this program moves it, so that it can be thrown whatever is wrong with them. The home's own,
`HALT` in a state folder, stops the servers that keep their state there.
"""

import contextlib
import os
import stat
import sys
from pathlib import Path

from gunbot_mcp.errors import ConfigInvalid, Halted, clean
from gunbot_mcp.files import private_folder, sync_folder, write_private

if sys.platform != "win32":  # no such table there
    import pwd

_MOST = 4096
_USERS = Path(".local", "state", "gunbot-mcp", "HALTED")


def users_switch() -> Path:
    """Return the user's switch: below `HOME`, or below the home that the system's table of users names.

    Raises:
        ConfigInvalid: this user has no home.
    """
    try:
        if sys.platform == "win32":
            return Path.home() / _USERS
        named = Path(os.environ.get("HOME", ""))
        # A relative one would be another place in every folder.
        return (named if named.is_absolute() else Path(pwd.getpwuid(os.getuid()).pw_dir)) / _USERS
    except (RuntimeError, KeyError):
        raise ConfigInvalid("this user has no home folder, so there is no place for the switch", "set HOME") from None


def homes_switch(folder: Path) -> Path:
    """Return the switch of one state folder."""
    return folder / "HALT"


def throw(switch: Path, reason: str) -> None:
    """Stop all that look at this switch until `lift`.

    Works on a full disk too: an empty file halts, only its reason is lost.

    Raises:
        ConfigInvalid: the file could not be created, so this switch stops nothing.
    """
    try:
        private_folder(switch.parent)
        # The name alone halts, so it comes first and needs no disk block; the reason follows if it can.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(switch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as exc:
        raise ConfigInvalid(
            f"cannot create {switch}: {exc.strerror}; sending is not stopped",
            "stop the server, or create a file of that name yourself",
        ) from exc
    with contextlib.suppress(OSError):
        write_private(switch, clean(reason, 500))
    sync_folder(switch.parent)


def lift(switch: Path) -> bool:
    """Take back what `throw` did; return whether it was thrown.

    Raises:
        ConfigInvalid: the file could not be removed, so sending is still stopped.
    """
    try:
        switch.unlink()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise ConfigInvalid(f"cannot remove {switch}: {exc.strerror}; still halted", "remove it yourself") from exc
    sync_folder(switch.parent)
    return True


def halt(folder: Path, reason: str) -> None:
    """Throw one state folder's switch, see `throw`."""
    throw(homes_switch(folder), reason)


def resume(folder: Path) -> bool:
    """Lift one state folder's switch, see `lift`."""
    return lift(homes_switch(folder))


def halted(folder: Path) -> str | None:
    """Return why a server of this state folder must not send, or None where neither switch is thrown."""
    try:
        users = users_switch()
    except ConfigInvalid as exc:
        return f"the user's switch cannot be looked at: {exc.message}"
    return thrown(users) or thrown(homes_switch(folder))


def thrown(switch: Path) -> str | None:
    """Return why this switch is thrown, or None where it is not. What is there and is no readable file halts, too."""
    try:
        if not stat.S_ISREG(switch.lstat().st_mode):
            return f"{switch} is not a plain file"
        with switch.open("rb") as file:
            reason = file.read(_MOST)
    except FileNotFoundError:
        return None
    except OSError as exc:
        return f"{switch} cannot be read: {exc.strerror}"
    return clean(reason.decode("utf-8", "replace").strip(), 500) or "no reason was given"


def refusal(reason: str) -> Halted:
    """Return the error for what a thrown switch stops."""
    why = f": {clean(reason, 120)}" if reason else ""
    return Halted(f"trading is halted{why}", "gunbot-mcp resume")
