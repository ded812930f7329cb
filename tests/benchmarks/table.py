"""The benchmark's table: one row per measurement, and what is wanted of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

TOLERANCE = 1.05
EXACT = frozenset({"bytes", "count"})
HEADING = f"{'':<42} {'ours':>12} {'beside':>12} {'':<6} {'ratio':>7}  target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: what was measured, what stands beside it, and the largest ratio of the two that is wanted.

    Without `beside` the number itself has the target. A time or a size of memory may exceed its target by `TOLERANCE`;
    what is counted may not.
    """

    name: str
    unit: str
    ours: float
    beside: float | None
    target: float

    @property
    def ratio(self) -> float:
        return self.ours if self.beside is None else self.ours / self.beside

    @property
    def passes(self) -> bool:
        return self.ratio <= self.target * (1 if self.unit in EXACT else TOLERANCE)

    def __str__(self) -> str:
        verdict = "met" if self.ratio <= self.target else "within tolerance" if self.passes else "MISSED"
        beside = "" if self.beside is None else f"{self.beside:,.2f}"
        return (
            f"{self.name:<42} {self.ours:>12,.2f} {beside:>12} {self.unit:<6}"
            f" {self.ratio:>7.3f}  <= {self.target:.2f}  {verdict}"
        )


Lines = Row | str
"""What a group prints: rows, and notes that have no target."""


def time_row(name: str, seconds: Mapping[str, Sequence[float]], target: float, *, beside: str = "bare") -> Row:
    """Return the row of two medians: of the one that is not `beside`, and of `beside`."""
    (measured,) = seconds.keys() - {beside}
    ours, other = (median(seconds[key]) * 1000 for key in (measured, beside))
    return Row(name=f"{name}, p50", unit="ms", ours=ours, beside=other, target=target)
