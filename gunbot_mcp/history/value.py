"""Figures of several assets in one: only where it is asked for, with the rates used and their time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from gunbot_mcp.errors import clean
from gunbot_mcp.history import figures_text as text
from gunbot_mcp.history.analysis import Analysis
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
    """Sums over all assets in one. `without` are assets whose rate nobody could tell: they are not in the sums."""

    asset: str
    sums: Mapping[str, Decimal]
    rates: Sequence[Rate]
    without: Sequence[str] = ()

    def lines(self) -> list[str]:
        """Return the sums in words, then the rates."""
        said = ", ".join(
            f"{name} {(text.pnl if METRICS[name].unit is Unit.PNL else text.money)(value, self.asset)}"
            for name, value in self.sums.items()
        )
        lacking = ", ".join(clean(asset, 40) for asset in self.without)
        missing = f"; WITHOUT {lacking}: no active pair tells its price in {self.asset}" if lacking else ""
        rates = "; ".join(
            f"1 {clean(rate.asset, 40)} = {text.price(rate.price)} ({rate.key}, {instant(rate.at)})"
            for rate in self.rates
        )
        return [f"All in {self.asset}: {said}{missing}", f"Rates of now, not of then: {rates}" if rates else ""]

    def facts(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "asset": self.asset,
            "sums": {name: number(value) for name, value in self.sums.items()},
            "rates": [
                {"asset": rate.asset, "price": number(rate.price), "key": rate.key, "at": instant(rate.at)}
                for rate in self.rates
            ],
            "without": list(self.without),
        }


_ADDS_UP = ("recorded", "fifo_net", "pnl", "volume", "fees")


def valued(found: Analysis, asset: str, rates: Mapping[str, Rate]) -> Valued:
    """Return the sums of all blocks in `asset`, whose own rate is 1."""
    names = [name for name in found.metrics if name in _ADDS_UP] or list(_ADDS_UP[:2])
    without = [block.asset for block in found.blocks if block.asset != asset and block.asset not in rates]
    sums: dict[str, Decimal] = {}
    for name in names:
        total = Fraction(0)
        for block in found.blocks:
            figure = block.total.figures.get(name)
            price = Decimal(1) if block.asset == asset else rates[block.asset].price if block.asset in rates else None
            if figure is not None and figure.value is not None and price is not None:
                total += Fraction(figure.value) * Fraction(price)
        sums[name] = quotient(total)
    return Valued(asset=asset, sums=sums, rates=list(rates.values()), without=without)
