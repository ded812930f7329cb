"""Where servers serve their own page, for an inbox that cannot send what they proposed: it leads there.

A server without an inbox that can send for its instance serves the page itself, at any free port, for as long as it
lives. It writes that port down in the state folder, which proves nothing: before anybody is led there, it answers a
nonce as an inbox does.
"""

import contextlib
from pathlib import Path

from gunbot_mcp.approval.inbox import proven_at, serves
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.files import private_folder, write_private

_FOLDER = "pages"
_MOST = 20
"""How many are asked: files of processes that were killed stay until then."""


def announce_page(folder: Path, port: int | None) -> None:
    """Write down the port, once. Where that cannot be done, nobody is led there, and all else goes on."""
    if port is None or (folder / _FOLDER / str(port)).exists():
        return
    with contextlib.suppress(OSError, GunbotMcpError):
        private_folder(folder / _FOLDER)
        for old in _newest_first(folder)[_MOST - 1 :]:
            old.unlink(missing_ok=True)
        write_private(folder / _FOLDER / str(port), "")


def withdraw_page(folder: Path, port: int | None) -> None:
    """Forget what `announce_page` wrote down."""
    with contextlib.suppress(OSError):
        (folder / _FOLDER / str(port)).unlink(missing_ok=True)


async def find_page(folder: Path, *, instance: str, live: bool, url: str) -> str | None:
    """Return the address of a server's own page that lives and can send for this instance, or None. Never raises."""
    with contextlib.suppress(OSError):
        wanted = serves(folder, instance=instance, live=live, url=url)
        for file in _newest_first(folder)[:_MOST]:
            if file.name.isdecimal() and await proven_at(folder, int(file.name), wanted):
                return f"http://localhost:{file.name}"
    return None


def _newest_first(folder: Path) -> list[Path]:
    found = [(file.stat().st_mtime, file) for file in (folder / _FOLDER).iterdir()]
    return [file for _, file in sorted(found, reverse=True)]
