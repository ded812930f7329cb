"""Figures as people read them: rounded for the eye, never a nonzero one shown as zero.

Two decimals for fiat and dollar coins, else up to eight; prices with eight significant digits; ratios two decimals,
percent one, fee ratios three; pnl with its sign. Structured answers keep all digits.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from gunbot_mcp.domain import CENTS
from gunbot_mcp.history.metrics.figure import Figure, Unit
from gunbot_mcp.history.zones import Zone, date_of

_WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN)
_PRICE_DIGITS = 8
_FEW = 2


def places(number: Decimal, count: int) -> str:
    """Return so many decimals, or as many as the first digit that is not zero needs."""
    if number:
        count = max(count, -number.adjusted())
    shown = _WIDE.quantize(number, Decimal(1).scaleb(-count))
    return format(shown or abs(shown), "f")


def money(number: Decimal, asset: str) -> str:
    if asset in CENTS:
        return places(number, 2)
    return _short(places(number, 8))


def pnl(number: Decimal, asset: str) -> str:
    """Return money with its sign."""
    shown = money(number, asset)
    return f"+{shown}" if number > 0 else shown


def price(number: Decimal) -> str:
    """Return eight significant digits, and two decimals at least."""
    count = max(_FEW, _PRICE_DIGITS - 1 - number.adjusted()) if number else _FEW
    whole, _, behind = places(number, count).partition(".")
    return f"{whole}.{behind.rstrip('0').ljust(_FEW, '0')}"


def amount(number: Decimal) -> str:
    return _short(places(number, 8))


def percent(share: Decimal, count: int = 1) -> str:
    return places(_WIDE.multiply(share, Decimal(100)), count)


def _short(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


_BY_UNIT: dict[Unit, Callable[[Decimal, str], str]] = {
    Unit.COUNT: lambda number, _: format(number, "f"),
    Unit.TRADED: lambda number, _: amount(number),
    Unit.PAYING: money,
    Unit.PNL: pnl,
    Unit.PRICE: lambda number, _: price(number),
    Unit.RATIO: lambda number, _: places(number, 2),
    Unit.SHARE: lambda number, _: percent(number),
    Unit.FEE: lambda number, _: percent(number, 3),
    Unit.HOURS: lambda number, _: places(number, 1),
}


def figure(found: Figure, unit: Unit, asset: str) -> str:
    """Return a figure's number as text, `n/a` where there is none."""
    if found.value is None:
        return "n/a"
    return _BY_UNIT[unit](Decimal(found.value), asset)


def moment(zone: Zone, time_ms: int, now: datetime) -> str:
    """Return `12 Oct 08:15` on the zone's clock; with its year, where that is not this one."""
    at = zone.text(time_ms)
    year = "" if at.year == now.astimezone(at.tzinfo).year else f" {at.year}"
    return f"{at.day} {at:%b}{year} {at:%H:%M}"


def day(number: int, year: int | None) -> str:
    """Return `29 Oct`, with the year unless it is `year`."""
    found = date_of(number)
    return f"{found.day} {found:%b}" + ("" if found.year == year else f" {found.year}")
