"""The UTC day's closes, kept fresh in the background for the guard: `DayWatch.last` never waits for anything."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import anyio
import anyio.to_thread

from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.guard.losses import Closed, DayResult
from gunbot_mcp.guard.usage import midnight
from gunbot_mcp.history.coverage import Coverage
from gunbot_mcp.history.mirror import Later, Mirror
from gunbot_mcp.history.zones import millis

logger = logging.getLogger(__name__)

EVERY = 15.0
"""Seconds between two looks; a key that any process read so recently is not asked for again."""
_WITHIN = 25.0

_CLOSES = """
SELECT time_ms, coalesce(paying, pair) AS asset, pnl FROM orders
WHERE time_ms >= ? AND pnl IS NOT NULL AND pnl <> 0 ORDER BY time_ms, closes, key, id
"""


class DayWatch:
    """Reads the day's history again and again once somebody asked for it; ends with its owner (`later`)."""

    def __init__(
        self, mirror: Callable[[], Mirror], *, later: Later, clock: Clock | None = None, every: float = EVERY
    ) -> None:
        self._mirror = mirror
        self._later = later
        self._clock = clock or Clock()
        self._every = every
        self._found: DayResult | None = None
        self._first = anyio.Event()
        self._begun = False

    def last(self) -> DayResult | None:
        """Return what was last read, at once; the first time nothing was, and the reading begins."""
        self.begin()
        return self._found

    def begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._later(self._run)

    async def first(self, *, within: float) -> None:
        """Wait until something was read, but not longer than that."""
        self.begin()
        with anyio.move_on_after(within):
            await self._first.wait()

    async def _run(self) -> None:
        try:
            while True:
                await self.refresh()
                self._first.set()
                await anyio.sleep(self._every)
        finally:
            # After an unforeseen fault the next question begins the reading again; until then nothing new is known.
            self._begun = False

    async def refresh(self, *, max_age: float | None = None) -> None:
        """Bring the mirror up to date and read the day's closes from it; what fails leaves what was known before.

        A key that was read at most `max_age` seconds ago is not asked for (None: as long as a turn takes).
        """
        age = self._every if max_age is None else max_age
        mirror = self._mirror()
        try:
            coverage = await mirror.ready(None, within=_WITHIN, max_age=age)
            now = self._clock.now()
            keys = [one.key for one in coverage.keys]
            closes = await anyio.to_thread.run_sync(closes_since, mirror, keys, midnight(now))
        except GunbotMcpError as exc:
            logger.warning("the day's history cannot be read: %s", exc)
            return
        self._found = DayResult(since=midnight(now), at=now, closes=closes, keys=_read_at(coverage))


def _read_at(coverage: Coverage) -> dict[str, datetime | None]:
    return {
        one.key: datetime.fromtimestamp(one.fetched_ms / 1000, UTC)
        if one.complete and one.fetched_ms is not None
        else None
        for one in coverage.keys
    }


def closes_since(mirror: Mirror, keys: Sequence[str], since: datetime) -> Sequence[Closed]:
    """Return the closes of these keys from that instant on, in their order. Blocks: run it in a thread.

    What lies before that instant is not looked at, so a turn costs the same however long the history is.

    Raises:
        HistoryUnavailable: a file of the mirror cannot be read.
    """
    since_ms = millis(since)
    with mirror.reader(keys, since_ms=since_ms).connect() as connection:
        rows = connection.execute(_CLOSES, [since_ms]).fetchall()
    return [Closed(time_ms, asset, pnl) for time_ms, asset, pnl in rows]
