"""What a metric is made from, and what it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from gunbot_mcp.domain import CENTS
from gunbot_mcp.history.lots import Method, Shape
from gunbot_mcp.history.metrics.exact import exactly, quotient, units
from gunbot_mcp.history.metrics.invested import Invested
from gunbot_mcp.history.metrics.series import Days, Series
from gunbot_mcp.history.metrics.sums import Sums


class Na(StrEnum):
    """Why there is no number. The words for people are in `history/answer.py`'s layer."""

    NO_CLOSES = "no_closes"
    NO_WINS = "no_wins"
    NO_LOSSES = "no_losses"
    NO_VOLUME = "no_volume"
    NO_DRAWDOWN = "no_drawdown"
    NEEDS_CAPITAL = "needs_capital"
    FEW_DAYS = "few_days"
    FEW_DAYS_WITH_A_CLOSE = "few_days_with_a_close"
    NO_SPREAD = "no_spread"
    NO_LOSING_DAY = "no_losing_day"
    ONE_CLOSE = "one_close"
    NOT_A_SERIES = "not_a_series"
    CONTRACTS = "contracts"
    SEVERAL_PAIRS = "several_pairs"
    NOTHING_MATCHED = "nothing_matched"
    NOTHING_INVESTED = "nothing_invested"
    FLAT = "flat"


class Unit(StrEnum):
    """What a figure counts, and so how it is written."""

    COUNT = "count"
    TRADED = "traded"  # the traded asset
    PAYING = "paying"  # the paying asset
    PNL = "pnl"  # the paying asset, with its sign
    PRICE = "price"
    RATIO = "ratio"
    SHARE = "share"  # of 1; people read percent
    FEE = "fee"  # a share, of which people read three decimals
    HOURS = "hours"


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric's value, or why it has none; `detail` says when, which record, on how much it was computed."""

    value: Decimal | int | None
    na: Na | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


def no(reason: Na, **detail: object) -> Figure:
    return Figure(None, reason, detail)


@dataclass(frozen=True, slots=True)
class Held:
    """The open lots of one pair, in units of 1e-18; `fee` is fees over cost of the key's known history."""

    shape: Shape
    amount: int
    cost: int
    fees: int
    fee: Fraction

    def flat(self, asset: str) -> bool:
        """Whether it is nothing, or dust: worth less than a cent, or than 0.000001 of what is not counted in cents."""
        dust = 10**16 if asset in CENTS else 10**12
        return not self.amount or self.cost < dust

    @property
    def short(self) -> bool:
        return self.shape is Shape.SHORT

    @property
    def average_price(self) -> Decimal:
        return quotient(Fraction(self.cost, self.amount))

    @property
    def break_even(self) -> Decimal:
        """Return the price at which closing all of it pays back cost and both fees."""
        if self.short:
            return quotient(Fraction(self.cost - self.fees, self.amount) / (1 + self.fee))
        return quotient(Fraction(self.cost + self.fees, self.amount) / (1 - self.fee))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the metrics of one group are made from; what no asked metric needs is None.

    `sums` are of the pnl that was asked for, `lots` of each method. `series_of` is False where groups are no stretch of
    time (hours, weekdays). `held` is of one pair; None where there are several.
    """

    asset: str
    sums: Sums
    lots: Mapping[Method, Sums] = field(default_factory=dict[Method, Sums])
    series: Series | None = None
    days: Days | None = None
    invested: Invested | None = None
    held: Held | None = None
    is_series: bool = True
    until_ms: int = 0
    capital: Decimal | None = None
    pair: str | None = None
    counted: bool = True

    def units(self, name: str) -> int:
        """Return a sum in units of 1e-18."""
        return units(self.sums[name])

    def money(self, name: str) -> Decimal:
        return exactly(self.units(name))
