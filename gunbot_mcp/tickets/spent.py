"""What was sent, as the limits of a day count it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from gunbot_mcp.domain import Purpose


@dataclass(frozen=True, slots=True)
class Sent:
    """One order that was sent, or perhaps was: its worst case in `asset`, and whether it entered a risk or left one."""

    ticket: str
    notional: Decimal | None
    asset: str | None
    purpose: Purpose


def sum_of(sent: Iterable[Sent], asset: str, purpose: Purpose | None = None) -> Decimal:
    """Return what these orders add up to in an asset; with a `purpose`, only those of it."""
    amounts = (one.notional for one in sent if one.asset == asset and purpose in {None, one.purpose})
    return sum((amount for amount in amounts if amount is not None), Decimal(0))
