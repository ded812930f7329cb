"""The mandate: a human's standing permission, time-boxed and capped, to send orders without being asked each time."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """Amounts are in `asset`; `pairs` are exact names (none = nothing is covered); instants are aware UTC datetimes.

    Only `spent` (which never falls) and `revoked_at` ever change.
    """

    id: str
    instance: str
    exchange: str
    pairs: tuple[str, ...]
    asset: str
    max_order: Decimal
    max_total: Decimal
    spent: Decimal
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    created_by: str

    def active(self, now: datetime) -> bool:
        """Return whether the mandate is in force at `now`; never before it was made, should a clock be set back."""
        return self.revoked_at is None and self.created_at <= now < self.expires_at

    def affords(self, amount: Decimal) -> bool:
        """Return whether one more order of `amount` fits both caps."""
        return Decimal(0) < amount <= self.max_order and self.spent + amount <= self.max_total


def covers(mandate: Mandate, *, exchange: str, pair: str, asset: str, notional: Decimal, now: datetime) -> bool:
    """Return whether the mandate permits this order. Advisory: `Write.spend` decides, inside the transaction."""
    return (
        mandate.active(now)
        and mandate.exchange == exchange
        and pair in mandate.pairs
        and mandate.asset == asset
        and notional.is_finite()
        and mandate.affords(notional)
    )
