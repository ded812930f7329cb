"""What lay in open lots over time: by FIFO cost, over elapsed time, states of 0 ms left out."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Invested:
    """Over some elapsed time: cost · milliseconds, the highest cost, milliseconds with a lot open, and all of them."""

    weight: int
    most: int
    open_ms: int
    elapsed_ms: int

    @property
    def average(self) -> Fraction:
        """Return the average cost in units of 1e-18."""
        return Fraction(self.weight, self.elapsed_ms) if self.elapsed_ms else Fraction(0)

    @property
    def exposure(self) -> Fraction:
        return Fraction(self.open_ms, self.elapsed_ms) if self.elapsed_ms else Fraction(0)


class Timeline:
    """The FIFO cost of all open lots, from its changes: (time, change in units of 1e-18), by time, one a time."""

    def __init__(self, changes: Sequence[tuple[int, int]]) -> None:
        self._times = [time_ms for time_ms, _ in changes]
        self._states = [0, *accumulate(change for _, change in changes)]

    def over(self, since_ms: int, until_ms: int) -> Invested:
        """Return what was invested in [since, until)."""
        first, last = bisect_right(self._times, since_ms), bisect_left(self._times, until_ms)
        weight = most = open_ms = 0
        at = since_ms
        for index in range(first, last + 1):
            until = self._times[index] if index < last else until_ms
            state, lasted = self._states[index], until - at
            if lasted > 0:
                weight += state * lasted
                most = max(most, state)
                open_ms += lasted if state else 0
            at = until
        return Invested(weight, most, open_ms, max(until_ms - since_ms, 0))
