"""What follows the closes one by one: streaks, the curve's falls, the best and the worst; and what follows the days.

Money is in units of 1e-18, times are milliseconds since 1970.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from gunbot_mcp.history.metrics.exact import times_root

YEAR_DAYS = 365
FEWEST_DAYS = 14
FEWEST_DAYS_WITH_A_CLOSE = 5


@dataclass(frozen=True, slots=True)
class Extreme:
    """One close: its pnl, and which record it is."""

    pnl: int
    time_ms: int
    key: str
    id: str


@dataclass(frozen=True, slots=True)
class Fall:
    """The largest fall of cumulative pnl: from the last time at the peak to the first time at the low.

    `recovered_ms` is the first close back at the peak; until then `missing` is what lacks to it at the end.
    """

    amount: int
    start_ms: int
    bottom_ms: int
    recovered_ms: int | None
    missing: int
    until_ms: int

    @property
    def days(self) -> Fraction:
        """Return elapsed days from the start to the recovery, or to the end."""
        end = self.until_ms if self.recovered_ms is None else self.recovered_ms
        return Fraction(end - self.start_ms, 86_400_000)


@dataclass(slots=True)
class Series:
    """The closes of one group, in the order of records; the curve starts at 0 at `since_ms`."""

    since_ms: int
    capital: int | None = None
    count: int = 0
    total: int = 0
    squares: int = 0
    best: Extreme | None = None
    worst: Extreme | None = None
    win_streak: int = 0
    loss_streak: int = 0
    current: int = 0
    _peak: int = 0
    _peak_ms: int = field(init=False)
    _fall: int = 0
    _fall_peak: int = 0
    _start_ms: int = 0
    _bottom_ms: int = 0
    _recovered_ms: int | None = None
    _deepest: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        self._peak_ms = self.since_ms

    def add(self, time_ms: int, pnl: int, key: str, id_: str) -> None:
        """Take the next close."""
        self.count += 1
        self.total += pnl
        self.squares += pnl * pnl
        if self.best is None or pnl > self.best.pnl:
            self.best = Extreme(pnl, time_ms, key, id_)
        if self.worst is None or pnl < self.worst.pnl:
            self.worst = Extreme(pnl, time_ms, key, id_)
        if pnl > 0:
            self.current = max(self.current, 0) + 1
            self.win_streak = max(self.win_streak, self.current)
        elif pnl < 0:
            self.current = min(self.current, 0) - 1
            self.loss_streak = max(self.loss_streak, -self.current)
        else:
            self.current = 0
        if self.total >= self._peak:
            if self._fall and self._recovered_ms is None:
                self._recovered_ms = time_ms
            self._peak, self._peak_ms = self.total, time_ms
            return
        fall = self._peak - self.total
        if fall > self._fall:
            self._fall, self._fall_peak, self._recovered_ms = fall, self._peak, None
            self._start_ms, self._bottom_ms = self._peak_ms, time_ms
        if self.capital is not None:
            most, of = self._deepest
            if fall * of > most * (self.capital + self._peak):
                self._deepest = (fall, self.capital + self._peak)

    def fall(self, until_ms: int) -> Fall | None:
        """Return the largest fall, None where the curve never fell."""
        if not self._fall:
            return None
        missing = self._fall_peak - self.total if self._recovered_ms is None else 0
        return Fall(self._fall, self._start_ms, self._bottom_ms, self._recovered_ms, missing, until_ms)

    @property
    def deepest(self) -> Fraction:
        """Return the largest fall as a share of capital and what had been won by then."""
        return Fraction(*self._deepest)


@dataclass(frozen=True, slots=True)
class Days:
    """Pnl per local day: `closed` are the days with a close, (number of the day, pnl), by day; `count` all days."""

    count: int
    closed: Sequence[tuple[int, int]]

    @property
    def total(self) -> int:
        return sum(pnl for _, pnl in self.closed)

    @property
    def squares(self) -> int:
        return sum(pnl * pnl for _, pnl in self.closed)

    @property
    def falling_squares(self) -> int:
        return sum(pnl * pnl for _, pnl in self.closed if pnl < 0)

    @property
    def spread(self) -> int:
        """Return n(n-1) times the variance of all days, exactly."""
        return self.count * self.squares - self.total**2

    def best(self) -> tuple[int, int]:
        """Return the day of the highest pnl among those with a close, the earliest of equals."""
        return max(self.closed, key=lambda day: (day[1], -day[0]))

    def worst(self) -> tuple[int, int]:
        return min(self.closed, key=lambda day: (day[1], day[0]))

    def sharpe(self) -> Decimal:
        """Return mean over deviation (n-1) a year; `spread` must not be 0."""
        n = self.count
        return times_root(Fraction(self.total, n), Fraction(YEAR_DAYS * n * (n - 1), self.spread))

    def sharpe_error(self) -> Decimal:
        n = self.count
        squared = Fraction(self.total**2 * (n - 1), n * self.spread)
        return times_root(Fraction(1), (1 + squared / 2) / n * YEAR_DAYS)

    def sortino(self) -> Decimal:
        """Return mean over the deviation of losing days among all days; there must be one."""
        n = self.count
        return times_root(Fraction(self.total, n), Fraction(YEAR_DAYS * n, self.falling_squares))
