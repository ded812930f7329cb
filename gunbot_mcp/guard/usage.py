"""What is left of an instance's limits: every limit, what is used, what is left, until when. Pure but for `usage`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from gunbot_mcp.domain import Purpose
from gunbot_mcp.guard.losses import DayLoss, day_loss
from gunbot_mcp.tickets.spent import sum_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gunbot_mcp.guard.losses import DayResult
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.limits import Limits
    from gunbot_mcp.tickets.mandate import Mandate
    from gunbot_mcp.tickets.spent import Sent

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One limit. `key` is its name in the config (or the mandate's id), `holds_for` what it binds.

    `most` is a number, or what the setting says. `used`, `left` and `until` (when `used` falls) are None where nothing
    adds up.
    """

    key: str
    holds_for: str
    asset: str | None = None
    most: Decimal | int | float | str
    used: Decimal | int | None = None
    left: Decimal | int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What the ledger counts: the UTC day's orders, what was proposed within the last minute, mandates in force."""

    now: datetime
    sent: Sequence[Sent]
    orders: int
    cancels: int
    mandates: Sequence[Mandate]
    rejections: int = 0
    since: datetime | None = None
    day: DayResult | None = None

    def lost(self, asset: str) -> DayLoss:
        """Return the day's largest loss in an asset, since a human last resumed."""
        day = midnight(self.now)
        return day_loss(self.day, asset, day=day, since=self.since or day, now=self.now)


async def usage(ledger: Ledger, instance: str, now: datetime, day: DayResult | None = None) -> Used:
    """Ask the ledger; `day` is what was last read of the day's history.

    Raises:
        LedgerUnavailable: it cannot be read.
    """
    since = await ledger.loss_resumed(instance, midnight(now))
    return Used(
        now=now,
        since=since,
        day=day,
        rejections=await ledger.rejections(instance, since or midnight(now)),
        sent=await ledger.sent_since(instance, midnight(now)),
        orders=await ledger.proposed_since(instance, now - _MINUTE),
        cancels=await ledger.proposed_since(instance, now - _MINUTE, cancels=True),
        mandates=[one for one in await ledger.mandates(instance) if one.active(now)],
    )


def midnight(now: datetime) -> datetime:
    """Return when the UTC day began, from which the day's limits count."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def lines(limits: Limits, contracts: Mapping[str, Decimal], used: Used) -> Iterator[Line]:
    """Yield every limit: caps of entries, then of exits, then the counts, the mandates, and what has no amount."""
    yield from _caps("max_order", "one entry", limits.max_order)
    yield from _caps("max_day", "entries of a day", limits.max_day, used, Purpose.ENTRY)
    yield from _caps("max_exit", "one exit", limits.max_exit)
    yield from _caps("max_exit_day", "exits of a day", limits.max_exit_day, used, Purpose.EXIT)
    day, minute = midnight(used.now) + timedelta(days=1), used.now + _MINUTE
    yield _count("orders_per_day", "orders sent in a day", limits.orders_per_day, len(used.sent), day)
    yield _count("orders_per_minute", "orders proposed in a minute", limits.orders_per_minute, used.orders, minute)
    yield _count("orders_per_minute", "cancels proposed in a minute", limits.orders_per_minute, used.cancels, minute)
    for mandate in used.mandates:
        left, where = mandate.max_total - mandate.spent, f"{mandate.exchange} {', '.join(mandate.pairs)}"
        yield Line(
            key=f"mandate {mandate.id}",
            holds_for=f"all orders under it, entries and exits, on {where}",
            asset=mandate.asset,
            most=mandate.max_total,
            used=mandate.spent,
            left=left,
            until=mandate.expires_at,
        )
        yield Line(
            key=f"mandate {mandate.id}",
            holds_for=f"one order under it, entry or exit, on {where}",
            asset=mandate.asset,
            most=min(mandate.max_order, left),
        )
    yield Line(key="price_band_percent", holds_for="distance from the book", most=limits.price_band_percent)
    yield Line(key="slippage_percent", holds_for="market orders' worst case", most=limits.slippage_percent)
    yield Line(key="fee_percent", holds_for="worst cases", most=limits.fee_percent)
    yield Line(key="duplicate_seconds", holds_for="the same order again", most=limits.duplicate_seconds)
    yield from _caps("code_above", "approval without a typed code", limits.code_above)
    yield Line(key="wrong_side", holds_for="prices that act at once", most=limits.wrong_side)
    yield Line(key="without_market_data", holds_for="orders without a book", most=limits.without_market_data)
    yield Line(key="exchanges", holds_for="allowed exchanges", most=" ".join(limits.exchanges) or "all")
    yield Line(key="pairs", holds_for="allowed pairs", most=" ".join(limits.pairs) or "all")
    yield from _losses(limits, used)
    for key, size in contracts.items():
        yield Line(key=f"contracts {key}", holds_for="traded asset in one contract", most=size)


def _losses(limits: Limits, used: Used) -> Iterator[Line]:
    """Yield the limits that the day's history feeds; a loss that is not known now is said to be so."""
    tomorrow = midnight(used.now) + timedelta(days=1)
    key, what = "max_day_loss", "the day's recorded loss, at which entries stop"
    if not limits.max_day_loss:
        yield Line(key=key, holds_for=what, most="none")
    for asset, most in limits.max_day_loss.items():
        lost = used.lost(asset)
        if lost.unknown is not None:
            yield Line(key=key, holds_for=f"{what}; not known now: {lost.unknown}", asset=asset, most=most)
            continue
        left = max(most - lost.loss, Decimal(0))
        yield Line(key=key, holds_for=what, asset=asset, most=most, used=lost.loss, left=left, until=tomorrow)
    key, what = "halt_after_rejections", "orders that Gunbot rejected in a row, at which entries stop"
    if limits.halt_after_rejections:
        yield _count(key, what, limits.halt_after_rejections, used.rejections, tomorrow)
    else:
        yield Line(key=key, holds_for=what, most="none")


def _caps(
    key: str, holds_for: str, caps: Mapping[str, Decimal], used: Used | None = None, purpose: Purpose | None = None
) -> Iterator[Line]:
    for asset, most in caps.items():
        if used is None:
            yield Line(key=key, holds_for=holds_for, asset=asset, most=most)
            continue
        spent = sum_of(used.sent, asset, purpose)
        yield Line(
            key=key,
            holds_for=holds_for,
            asset=asset,
            most=most,
            used=spent,
            left=max(most - spent, Decimal(0)),
            until=midnight(used.now) + timedelta(days=1),
        )


def _count(key: str, holds_for: str, most: int, used: int, until: datetime) -> Line:
    return Line(key=key, holds_for=holds_for, most=most, used=used, left=max(most - used, 0), until=until)
