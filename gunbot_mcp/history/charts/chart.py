"""What a chart shows, as facts: its panels, and the numbers beside it. Times are milliseconds since 1970."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo


class Kind(StrEnum):
    PNL = "pnl"
    DAYS = "days"
    FILLS = "fills"
    HOLDINGS = "holdings"


class Mark(StrEnum):
    """How a panel is drawn: a curve that holds its value until the next point, what lies below 0, bars, or fills."""

    CURVE = "curve"
    DROP = "drop"
    GAINS = "gains"
    BARS = "bars"
    FILLS = "fills"


@dataclass(frozen=True, slots=True)
class Point:
    """One value at one time; `about` is what a pointer over it reads, `side` that of a fill."""

    ms: int
    value: Decimal
    about: str
    side: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture above another, over the same time. `unit` is the title of its axis."""

    mark: Mark
    unit: str
    points: Sequence[Point]
    share: float = 1.0
    """Its height beside the others'."""
    width_ms: int = 0
    """How long a bar is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart without its picture, of [first_ms, last_ms). `columns` and `rows` are the few numbers beside it."""

    title: str
    scope: str
    zone: str
    first_ms: int
    last_ms: int
    panels: Sequence[Panel]
    spark: Sequence[Decimal]
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    asset: str = ""
    """In which asset the numbers of the rows are, where all are in one."""
    facts: Sequence[str] = field(default=())

    @property
    def empty(self) -> bool:
        return not any(panel.points for panel in self.panels)

    @property
    def span(self) -> str:
        """`12 Oct 2026 - 1 Nov 2026, Europe/Berlin`: the first and the last day, or the one."""
        first, last = day_text(self.first_ms, self.zone), day_text(max(self.first_ms, self.last_ms - 1), self.zone)
        return f"{first}, {self.zone}" if first == last else f"{first} - {last}, {self.zone}"


def wall(ms: int, zone: str) -> datetime:
    """Return the wall clock of an instant in a zone, aware."""
    return datetime.fromtimestamp(ms / 1000, tz=ZoneInfo(zone))


def day_text(ms: int, zone: str) -> str:
    moment = wall(ms, zone)
    return f"{moment.day} {moment:%b %Y}"


def time_text(ms: int, zone: str) -> str:
    moment = wall(ms, zone)
    return f"{moment.day} {moment:%b %H:%M}"


_BLOCKS = "▁▂▃▄▅▆▇█"
MOST_BLOCKS = 40


def sparkline(values: Sequence[Decimal]) -> str:
    """Return a line of blocks, lowest to highest, of at most forty of the values (the last of each equal share)."""
    if not values:
        return ""
    count = min(len(values), MOST_BLOCKS)
    shown = [values[(at + 1) * len(values) // count - 1] for at in range(count)]
    low, high = min(shown), max(shown)
    if low == high:
        return _BLOCKS[3] * count
    return "".join(_BLOCKS[int((value - low) / (high - low) * (len(_BLOCKS) - 1))] for value in shown)
