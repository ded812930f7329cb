"""The two limits that the day's history feeds: `max_day_loss` and `halt_after_rejections`. Pure.

Both refuse entries and let exits through, until the next UTC day or until a human says `resume --loss`. What was once
reached stays reached: the lowest point of the day's result counts, and the longest row of rejections.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gunbot_mcp.domain import Pair

MOST_AGE = 60.0
"""How many seconds old the history may be."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What one closing order of the day brought, as Gunbot recorded it, whoever placed it."""

    time_ms: int
    asset: str
    pnl: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """The closes since `since`, in their order, and when each key was last compared with Gunbot's list.

    A key whose list is not known whole has None.
    """

    since: datetime
    at: datetime
    closes: Sequence[Closed]
    keys: Mapping[str, datetime | None]


Losses = Callable[[], DayResult | None]
"""The port: says at once what was last read of the day, None before the first time. It never waits."""


def not_known() -> DayResult | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLoss:
    """What is known of one asset's day: the largest loss, or why it is `unknown` (None: it is known)."""

    asset: str
    loss: Decimal
    unknown: str | None = None


def day_loss(found: DayResult | None, asset: str, *, day: datetime, since: datetime, now: datetime) -> DayLoss:
    """Return the largest loss in this asset since `since`, at or after the UTC day's first instant `day`."""
    # Just after midnight the last reading is yesterday's; it holds all of today so far, if it is fresh enough.
    if found is None or found.since > day:
        return DayLoss(asset=asset, loss=Decimal(0), unknown="the day's history has not been read yet")
    loss, total, from_ms = Decimal(0), Decimal(0), since.timestamp() * 1000
    for close in found.closes:
        if close.asset == asset and close.time_ms >= from_ms:
            total += close.pnl
            loss = max(loss, -total)
    return DayLoss(asset=asset, loss=loss, unknown=_unknown(found, asset, now))


def _unknown(found: DayResult, asset: str, now: datetime) -> str | None:
    ages: list[float] = [_age(found.at, now)]
    for key, read in found.keys.items():
        pair = Pair.parse(key.partition("/")[2])
        if pair is not None and pair.paying != asset:
            continue
        if read is None:
            return f"the history of {key} is not read whole yet"
        ages.append(_age(read, now))
    oldest = max(ages)
    return f"the day's history was last read {oldest:.0f} s ago" if oldest > MOST_AGE else None


def _age(read: datetime, now: datetime) -> float:
    """Return seconds; a clock that was set back makes nothing fresher."""
    return abs((now - read).total_seconds())
