"""What was seen, in a form that can be reasoned about: the baseline, one look, digits, and fills added up. Pure.

None is "not known" everywhere here, and never the same as empty.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_DOWN, Context, Decimal
from typing import Any

from gunbot_mcp.domain import EXACT, MOST_ID, Side, to_decimal
from gunbot_mcp.errors import clean
from gunbot_mcp.gunbot.records import Book, OpenOrder, Record

HISTORY_PAGE = 50
"""How many of the newest records a look asks for; what is further back is not seen."""
LOST_AT_MOST = Decimal("0.01")
"""How much of an amount a cut may take where only the found order itself says how coarse the exchange is."""
_AVERAGE = Context(prec=16)
_MOST_PLACES = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """The most decimals that a key was seen to use, in prices and in amounts."""

    price: int = 0
    amount: int = 0

    def __or__(self, other: "Digits") -> "Digits":
        return Digits(price=max(self.price, other.price), amount=max(self.amount, other.amount))


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was there just before sending. `None`: it could not be read, so old and new cannot be told apart.

    `at_millis` is our clock. `t0` is an upper bound of Gunbot's clock when the last of it was read: whatever carries an
    earlier time happened before this order was sent. `memory` is the mark of the pair's memory; `target` is the amount
    that the order to cancel had.
    """

    open_ids: frozenset[str] | None
    filled_ids: frozenset[str] | None
    at_millis: int
    t0: int | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    digits: Digits = field(default_factory=Digits)
    memory: str | None = None
    target: Decimal | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "open_ids": None if self.open_ids is None else sorted(self.open_ids),
            "filled_ids": None if self.filled_ids is None else sorted(self.filled_ids),
            "at_millis": self.at_millis,
            "t0": self.t0,
            "bid": None if self.bid is None else str(self.bid),
            "ask": None if self.ask is None else str(self.ask),
            "digits": [self.digits.price, self.digits.amount],
            "memory": self.memory,
            "target": None if self.target is None else str(self.target),
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Baseline":
        def ids(name: str) -> frozenset[str] | None:
            value = found.get(name)
            return None if value is None else frozenset(str(item) for item in value)

        open_ids = ids("open_ids")
        if "memory" not in found and not open_ids:
            # Version 0.1 wrote an empty list where `openOrders` was absent, too.
            open_ids = None
        price, amount = found.get("digits") or (0, 0)
        return cls(
            open_ids=open_ids,
            filled_ids=ids("filled_ids"),
            at_millis=int(found["at_millis"]),
            t0=found.get("t0"),
            bid=to_decimal(found.get("bid")),
            ask=to_decimal(found.get("ask")),
            digits=Digits(price=int(price), amount=int(amount)),
            memory=found.get("memory"),
            target=to_decimal(found.get("target")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a key: its open orders (None: not known), the mark of its memory, the newest page of its history.

    `at` is our clock; `millis` is an upper bound of Gunbot's at the end of the look (None: not known).
    """

    orders: tuple[OpenOrder, ...] | None
    memory: str | None
    records: tuple[Record, ...]
    at: datetime
    millis: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fills:
    """All records of one id, added up. `whole`: every one of them could be read."""

    id: str
    side: Side | None
    pair: str
    amount: Decimal
    average: Decimal
    rates: tuple[Decimal, ...]
    first: int
    last: int
    whole: bool

    @property
    def last_at(self) -> datetime | None:
        try:
            return datetime.fromtimestamp(self.last / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None


def identity(value: object) -> str:
    """Return an order's id as text, cleaned as those of open orders are."""
    return "" if value is None or isinstance(value, bool) else clean(value, MOST_ID)


def fills_of(records: Sequence[Record], pair: str) -> dict[str, Fills]:
    """Return the records of a key, added up by id, oldest first; `pair` is what a record without one is of."""
    grouped: dict[str, list[Record]] = {}
    for record in records:
        if name := identity(record.get("id")):
            grouped.setdefault(name, []).append(record)
    found = [_added_up(name, parts, pair) for name, parts in grouped.items()]
    return {one.id: one for one in sorted((one for one in found if one is not None), key=lambda one: one.first)}


def _added_up(name: str, parts: Sequence[Record], pair: str) -> Fills | None:
    read: list[tuple[int, Decimal, Decimal]] = []
    for part in parts:
        time, rate, amount = (to_decimal(part.get(key)) for key in ("time", "rate", "amount"))
        if time is not None and rate is not None and amount is not None and rate > 0 and amount > 0:
            read.append((int(time), rate, amount))
    if not read:
        return None
    sides, pairs = {str(part.get("type")).lower() for part in parts}, {str(part.get("pair") or pair) for part in parts}
    total = sum((amount for _, _, amount in read), Decimal(0))
    paid = sum((EXACT.multiply(rate, amount) for _, rate, amount in read), Decimal(0))
    side = next((side for side in Side if sides == {side.value}), None)
    return Fills(
        id=name,
        side=side,
        pair=pairs.pop() if len(pairs) == 1 else "",
        amount=total,
        average=_AVERAGE.divide(paid, total),
        rates=tuple(rate for _, rate, _ in read),
        first=min(time for time, _, _ in read),
        last=max(time for time, _, _ in read),
        whole=len(read) == len(parts) and side is not None,
    )


# Digits and cuts


def same(found: Decimal | None, wanted: Decimal) -> bool:
    """Return whether two numbers are one: Gunbot's are doubles, and come back as such."""
    return found is not None and (found == wanted or float(found) == float(wanted))


def places(number: Decimal | None) -> int:
    if number is None or not number.is_finite():
        return 0
    exponent = number.normalize().as_tuple().exponent
    return min(_MOST_PLACES, max(0, -exponent)) if isinstance(exponent, int) else 0


def digits_of(book: Book | None, orders: Iterable[OpenOrder], records: Iterable[Record]) -> Digits:
    """Return the most decimals in everything that a key shows."""
    prices: list[Decimal | None] = []
    amounts: list[Decimal | None] = []
    if book is not None:
        prices += [book.bid, book.ask, *(price for price, _ in (*book.bids, *book.asks))]
        amounts += [amount for _, amount in (*book.bids, *book.asks)]
    for order in orders:
        prices.append(order.price)
        amounts.append(order.amount)
    for record in records:
        prices.append(to_decimal(record.get("rate")))
        amounts.append(to_decimal(record.get("amount")))
    return Digits(price=max(map(places, prices), default=0), amount=max(map(places, amounts), default=0))


def is_amount(found: Decimal | None, sent: Decimal, digits: int) -> bool:
    """Return whether an amount is the one that was sent, or that one cut to the key's digits (the found one included).

    Where only the found one has so many digits, it alone is the witness for the cut: then the cut must be small.
    """
    if found is None or found <= 0 or found > sent:
        return same(found, sent)
    if same(found, sent):
        return True
    own = places(found)
    if not same(found, sent.quantize(Decimal(1).scaleb(-max(own, digits)), ROUND_DOWN, context=EXACT)):
        return False
    return own <= digits or sent - found <= sent * LOST_AT_MOST


def is_price(found: Decimal | None, sent: Decimal, digits: int) -> bool:
    """Return whether a price is the one that was sent, or that one cut, either way, to the key's digits."""
    if found is None or same(found, sent):
        return found is not None
    own = places(found)
    if own > digits and abs(sent - found) > sent * LOST_AT_MOST:
        return False
    return any(same(found, one) for one in _cuts(sent, max(own, digits)))


def is_coarse_price(found: Decimal | None, sent: Decimal, digits: int) -> bool:
    """Return whether a price could be the sent one, cut to fewer digits than the key is known to use."""
    if found is None or abs(sent - found) > sent * LOST_AT_MOST:
        return False
    return any(same(found, one) for places_ in range(max(digits, places(found)) + 1) for one in _cuts(sent, places_))


def _cuts(price: Decimal, digits: int) -> tuple[Decimal, Decimal]:
    step = Decimal(1).scaleb(-digits)
    return (
        price.quantize(step, ROUND_DOWN, context=EXACT),
        price.quantize(step, ROUND_CEILING, context=EXACT),
    )


def shows_again_and_again(fills: Collection[Fills], sent: Decimal, digits: int, times: int = 3) -> bool:
    """Return whether this account's own records show that amount often: then somebody's bot trades it."""
    return sum(is_amount(one.amount, sent, digits) for one in fills) >= times
