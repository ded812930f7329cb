"""Keys that nobody has to name: what Gunbot's memory, the config and the ledger know."""

import contextlib
import re
from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter, ValidationError

from gunbot_mcp.arguments import Key
from gunbot_mcp.config import Settings
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.remembered import Remembered
from gunbot_mcp.ledger.ledger import Ledger

_KEY: TypeAdapter[str] = TypeAdapter(Key)
_PATTERN = re.compile(r"[*?\[&]")


class KnownKeys:
    """The keys of one instance; Gunbot's memory is asked once a minute at most, and may be away."""

    def __init__(self, settings: Settings, gunbot: Gunbot) -> None:
        self._settings = settings
        self._gunbot = gunbot
        self._memory = Remembered[tuple[str, ...]]()

    async def find(self, ledger: Ledger | None) -> Sequence[str]:
        """Return the keys, sorted. What cannot be asked adds none: the mirror and the others still have theirs."""
        found = [*_allowed(self._settings)]
        with contextlib.suppress(GunbotMcpError):
            found += await self._memory.get("", self._ask)
        if ledger is not None:
            with contextlib.suppress(GunbotMcpError):
                found += await ledger.keys(self._settings.name)
        return sorted({key for key in found if is_key(key)})

    async def _ask(self) -> tuple[str, ...]:
        return (await self._gunbot.all_open_orders()).keys


def is_key(text: str) -> bool:
    """Whether Gunbot can be asked for the orders of such a key."""
    try:
        return _KEY.validate_python(text) == text
    except ValidationError:
        return False


def _allowed(settings: Settings) -> Iterable[str]:
    """Return the keys that the limits name: patterns name none, and a pair alone is of each allowed exchange."""
    limits = settings.served.limits
    for name in limits.pairs:
        if not _PATTERN.search(name):
            yield from [name] if "/" in name else [f"{exchange}/{name}" for exchange in limits.exchanges]
