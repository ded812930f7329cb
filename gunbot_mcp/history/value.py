"""Figures of several assets in one: only where it is asked for, with the rates used and their time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from gunbot_mcp.errors import clean
from gunbot_mcp.history import figures_text as text
from gunbot_mcp.history.analysis import Analysis
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.metrics.exact import quotient
from gunbot_mcp.history.metrics.figure import Unit
from gunbot_mcp.history.metrics.table import METRICS
from gunbot_mcp.render import instant, number


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `asset` is worth `price` of the asked asset: the middle of the book of `key` at `at`."""

    asset: str
    price: Decimal
    key: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Valued:
    """Sums over all assets in one, of what was asked and adds up; None where no asset has a number.

    `without` are assets whose rate nobody could tell: they are not in the sums. `lacking` names, by metric, those that
    have a rate, but no number of it.
    """

    asset: str
    sums: Mapping[str, Decimal | None]
    rates: Sequence[Rate]
    without: Sequence[str] = ()
    lacking: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def lines(self) -> list[str]:
        """Return the sums in words, then the rates."""
        said = ", ".join(self._said(name, value) for name, value in self.sums.items())
        missing = f"; WITHOUT {_named(self.without)}: no active pair tells its price in {self.asset}"
        rates = "; ".join(
            f"1 {clean(rate.asset, 40)} = {text.price(rate.price)} ({rate.key}, {instant(rate.at)})"
            for rate in self.rates
        )
        return [
            f"All in {self.asset}: {said or NOTHING_ADDS_UP}{missing if self.without else ''}",
            f"Rates of now, not of then: {rates}" if rates else "",
        ]

    def _said(self, name: str, value: Decimal | None) -> str:
        if value is None:
            return f"{name} n/a"
        shown = (text.pnl if METRICS[name].unit is Unit.PNL else text.money)(value, self.asset)
        lacking = self.lacking.get(name)
        return f"{name} {shown}" + (f" (n/a for {_named(lacking)}, left out)" if lacking else "")

    def facts(self) -> dict[str, Any]:
        """Return the same for programs."""
        said: dict[str, Any] = {
            "asset": self.asset,
            "sums": {name: number(value) for name, value in self.sums.items()},
            "rates": [
                {"asset": rate.asset, "price": number(rate.price), "key": rate.key, "at": instant(rate.at)}
                for rate in self.rates
            ],
            "without": list(self.without),
        }
        lacking = {name: list(assets) for name, assets in self.lacking.items() if assets}
        return said | ({"lacking": lacking} if lacking else {})


_LOTS = tuple(f"{method.value}_{kind}" for method in Method for kind in ("net", "gross"))
_ADDS_UP = ("recorded", "pnl", "volume", "fees", *_LOTS)
NOTHING_ADDS_UP = f"none of the asked metrics adds up across assets; {', '.join(_ADDS_UP[:4])} and pnl by lots do"


def valued(found: Analysis, asset: str, rates: Mapping[str, Rate]) -> Valued:
    """Return the sums of all blocks in `asset`, whose own rate is 1."""
    prices = {asset: Decimal(1)} | {one.asset: one.price for one in rates.values()}
    blocks = [block for block in found.blocks if block.asset in prices]
    sums: dict[str, Decimal | None] = {}
    lacking: dict[str, list[str]] = {}
    for name in (name for name in found.metrics if name in _ADDS_UP):
        values = [(block.asset, block.total.figures[name].value) for block in blocks]
        known = [Fraction(value) * Fraction(prices[at]) for at, value in values if value is not None]
        sums[name] = quotient(sum(known, Fraction(0))) if known else None
        lacking[name] = [at for at, value in values if value is None]
    return Valued(
        asset=asset,
        sums=sums,
        rates=list(rates.values()),
        without=[block.asset for block in found.blocks if block.asset not in prices],
        lacking=lacking,
    )


def _named(assets: Sequence[str]) -> str:
    return ", ".join(clean(asset, 40) for asset in assets)
