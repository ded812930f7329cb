"""What was sent, as the limits of a day count it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from gunbot_mcp.domain import Purpose
from gunbot_mcp.tickets.ticket import State


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


def longest_row(states: Iterable[str]) -> int:
    """Return how many orders at most were rejected one after the other; what never reached Gunbot is passed over."""
    longest = row = 0
    for state in states:
        if state in {State.VOID, State.SENDING, State.APPROVED}:
            continue
        row = row + 1 if state == State.REJECTED else 0
        longest = max(longest, row)
    return longest
