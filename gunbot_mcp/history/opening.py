"""The mirror of a running instance: its Gunbot's pages, and what the config and the ledger know."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from gunbot_mcp.clock import Clock
from gunbot_mcp.config import Settings
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.history.keys import KnownKeys
from gunbot_mcp.history.mirror import Home, Later, Mirror
from gunbot_mcp.history.pages import GunbotPages
from gunbot_mcp.history.provenance import fills_of
from gunbot_mcp.history.reader import Fill
from gunbot_mcp.ledger.ledger import Ledger


def home_of(settings: Settings, folder: Path) -> Home:
    served = settings.served
    return Home(folder=folder, instance=settings.name, url=served.url, live=served.live)


def open_mirror(
    settings: Settings,
    folder: Path,
    gunbot: Gunbot,
    ledger: Callable[[], Awaitable[Ledger]],
    *,
    later: Later | None = None,
    clock: Clock | None = None,
) -> Mirror:
    """Return the instance's mirror in the state folder; `ledger` opens the ledger when it is first needed."""
    known = KnownKeys(settings, gunbot)

    async def keys() -> Sequence[str]:
        try:
            opened = await ledger()
        except LedgerUnavailable:
            return await known.find(None)
        return await known.find(opened)

    async def fills() -> Sequence[Fill]:
        return await fills_of(await ledger(), settings.name)

    home = home_of(settings, folder)
    return Mirror(home, GunbotPages(gunbot), known=keys, fills=fills, later=later, clock=clock)
