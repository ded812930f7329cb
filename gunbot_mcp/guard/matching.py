"""Finding an order again by what it looks like, since Gunbot returns no order id. Pure.

An order matches if pair, side and amount are the same, its price fits one of the intent's legs, and it was not there
before sending, by the ids seen then. Fills match if they are no worse than the leg's limit. If what was there
before could not be read, nothing matches, since an older order that looks the same could be taken for this one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from gunbot_mcp.domain import MOST_ID, Close, Place, Side, legs_of, side_of, to_decimal
from gunbot_mcp.errors import clean
from gunbot_mcp.gunbot.records import OpenOrder, Record
from gunbot_mcp.tickets.ticket import Certainty, Observation

_CLOSE_ENOUGH = Decimal("1e-9")  # relative: amounts and prices come back as doubles
CLOCK_SKEW_MILLIS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was there just before sending. `None`: it could not be read, so old and new cannot be told apart."""

    open_ids: frozenset[str] | None
    filled_ids: frozenset[str] | None
    at_millis: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "open_ids": None if self.open_ids is None else sorted(self.open_ids),
            "filled_ids": None if self.filled_ids is None else sorted(self.filled_ids),
            "at_millis": self.at_millis,
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Baseline":
        def ids(name: str) -> frozenset[str] | None:
            value = found.get(name)
            return None if value is None else frozenset(str(item) for item in value)

        return cls(open_ids=ids("open_ids"), filled_ids=ids("filled_ids"), at_millis=int(found["at_millis"]))


def match_open(
    intent: Place | Close, orders: Iterable[OpenOrder], baseline: Baseline, seen_at: datetime
) -> list[Observation]:
    """Return the open orders that can only be this intent's."""
    side = side_of(intent)
    prices = [price for leg in legs_of(intent) for price in (leg.limit, leg.stop) if price is not None]
    return [
        Observation(
            order_ids=(order.id,),
            where="open_orders",
            state="open",
            certainty=Certainty.MATCH,
            seen_at=seen_at,
            price=order.price,
            order_type=order.order_type,
        )
        for order in orders
        if order.id
        and order.pair == intent.pair
        and order.side is side
        and same(order.amount, intent.amount)
        and (not prices or any(same(order.price, price) for price in prices))
        and baseline.open_ids is not None
        and order.id not in baseline.open_ids
    ]


def match_filled(
    intent: Place | Close, records: Sequence[Record], baseline: Baseline, seen_at: datetime
) -> list[Observation]:
    """Return the filled orders that can only be this intent's."""
    side = side_of(intent)
    found: list[Observation] = []
    for record in records:
        identity = clean(record.get("id", ""), MOST_ID)
        time = record.get("time")
        fresh = isinstance(time, int) and time >= baseline.at_millis - CLOCK_SKEW_MILLIS
        # An order that was open before sending and filled since is an older one, too.
        new = (
            baseline.open_ids is not None
            and baseline.filled_ids is not None
            and identity not in baseline.open_ids | baseline.filled_ids
        )
        rate = to_decimal(record.get("rate"))
        if (
            identity
            and fresh
            and new
            and record.get("type") == side.value
            and record.get("pair") == intent.pair
            and same(to_decimal(record.get("amount")), intent.amount)
            and rate is not None
            and _fits(intent, side, rate)
        ):
            found.append(
                Observation(
                    order_ids=(identity,),
                    where="history",
                    state="filled",
                    certainty=Certainty.MATCH,
                    seen_at=seen_at,
                    price=rate,
                )
            )
    return found


def _fits(intent: Place | Close, side: Side, rate: Decimal) -> bool:
    limits = [leg.limit for leg in legs_of(intent)]
    if any(limit is None for limit in limits):
        return True
    slack = 1 + _CLOSE_ENOUGH
    return any(
        limit is not None and (rate <= limit * slack if side is Side.BUY else rate * slack >= limit) for limit in limits
    )


def same(found: Decimal | None, wanted: Decimal) -> bool:
    return found is not None and abs(found - wanted) <= wanted * _CLOSE_ENOUGH
