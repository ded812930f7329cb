"""A Gunbot's list of orders that a test can change between two pages, and a place to mirror it in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from gunbot_mcp.history.bounds import Bounds
from gunbot_mcp.history.engine import Engine
from gunbot_mcp.history.place import Folder
from gunbot_mcp.history.reader import Reader
from gunbot_mcp.history.store import KeyFiles, load, paths_of
from gunbot_mcp.history.sync import KeySync, Page, Progress, Source

KEY = "binance/USDT-BTC"
START = 1_760_000_000_000
Order = dict[str, Any]


def order(n: int, **changes: Any) -> Order:  # noqa: ANN401 - any JSON value
    """The n-th order of a list: one a minute, so that a thousand are of one month."""
    made = {"time": START + n * 60_000, "pair": "USDT-BTC", "type": "buy", "rate": 50000.5, "amount": 0.001, "id": n}
    return {**made, "cost": 50.0005, "fees": 0.0500005, "pnl": 0, **changes}


@dataclass(slots=True)
class List:
    """Newest first. `meanwhile` runs before each page but the first; `most` caps a page; `total` may lie."""

    orders: list[Order] = field(default_factory=list[Order])
    meanwhile: Callable[["List"], None] = lambda _: None
    most: int = 1000
    total: Callable[["List"], int | None] = lambda listed: len(listed.orders)
    asked: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    fail: Callable[[int], None] = lambda _: None

    async def page(self, key: str, page: int, size: int) -> Page:
        assert key == KEY
        if self.asked:
            self.meanwhile(self)
        self.asked.append((page, size))
        self.fail(len(self.asked))
        size = min(size, self.most)
        return Page(self.orders[page * size : (page + 1) * size], self.total(self))

    def add(self, *orders: Order) -> None:
        self.orders[:0] = reversed(orders)


class Mirrored:
    """One key's mirror in a folder; `sync` is one sync by a process that has just started."""

    def __init__(
        self, folder: Path, *, size: int = 1000, place: Folder | None = None, bounds: Bounds | None = None
    ) -> None:
        self.place = place or Folder(folder)
        self.size = size
        self.bounds = bounds
        self.engine = Engine()
        self.now_ms = START + 10_000_000_000
        self.told = Progress()

    def sync(self, listed: List | Source, *, whole: bool = False) -> Progress:
        if isinstance(listed, List):
            listed.asked.clear()
        self.told = Progress()
        self.now_ms += 1000

        async def run() -> None:
            files = KeyFiles(self.place, self.engine, KEY)
            self.told.damaged += files.open()
            sync = KeySync(listed, files, self.now_ms, self.told, size=self.size, bounds=self.bounds)
            await sync.run(whole=whole)

        anyio.run(run)
        return self.told

    @property
    def manifest(self) -> Any:  # noqa: ANN401 - a manifest
        return load(self.place, KEY)

    def files(self) -> list[Path]:
        return paths_of(self.place, [self.manifest])

    def ids(self) -> list[str]:
        """The ids that count, oldest first."""
        return [str(row[0]) for row in self.rows("id")]

    def rows(self, columns: str) -> Sequence[tuple[Any, ...]]:
        with Reader(self.files()).connect() as connection:
            return connection.sql(f"SELECT {columns} FROM orders ORDER BY time_ms, id").fetchall()


def ids_of(orders: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the ids of a list, each once, oldest first."""
    once = {(one["time"], str(one["id"])) for one in orders}
    return [order_id for _, order_id in sorted(once)]
