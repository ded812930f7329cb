"""A Gunbot record as a typed row: what is money is exact, what is time is milliseconds, and nothing is lost.

Identity is (exchange of the key, the record's own pair, id as text, time). A number of more than eighteen decimals is
rounded to eighteen (half-even), and `extra` keeps it as Gunbot wrote it. What cannot be a row's value (a number of 1e20
or more, no time, no id, no price) leaves it null; then the row is `odd`, and `extra` holds the whole record.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact
from functools import lru_cache
from typing import Any, NamedTuple

from gunbot_mcp.domain import EXACT, Pair, Side, to_decimal
from gunbot_mcp.exchanges import EXCHANGES, base_name

MONEY = "DECIMAL(38,18)"
COLUMNS: Mapping[str, str] = {
    "key": "VARCHAR",
    "exchange": "VARCHAR",
    "pair": "VARCHAR",
    "paying": "VARCHAR",
    "traded": "VARCHAR",
    "hedge": "VARCHAR",
    "id": "VARCHAR",
    "time_ms": "BIGINT",
    "time": "TIMESTAMPTZ",
    "side": "VARCHAR",
    "price": MONEY,
    "amount": MONEY,
    "cost": MONEY,
    "fees": MONEY,
    "pnl": MONEY,
    "cost_given": "BOOLEAN",
    "closes": "BOOLEAN",
    "extra": "JSON",
    "fetched_ms": "BIGINT",
}
"""The columns of the files and of the view `orders`, with their types. Prices and money in the paying asset."""

_NUMBERS: Mapping[str, str] = {"rate": "price", "amount": "amount", "cost": "cost", "fees": "fees", "pnl": "pnl"}
"""Gunbot's names of the numbers, and ours."""
_OURS = frozenset({*_NUMBERS, "time", "pair", "type", "id"})
_PLACES = Decimal(1).scaleb(-18)
_LIMIT = Decimal("1e20")
_ROUNDED = Context(prec=60, rounding=ROUND_HALF_EVEN)
_SECONDS_BELOW = Decimal("1e11")
_MICROSECONDS_ABOVE = Decimal("1e14")
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_BITS = 4096
_HALF = re.compile("[\ud800-\udfff]")
"""What JSON can name and no UTF-8 can hold."""

Identity = tuple[str, str, int | None]
"""A record's own pair, its id and its time, within the exchange of a key."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record of `key`; see `COLUMNS`. `odd`: something in it could not be read, and `extra` has all of it."""

    key: str
    exchange: str
    pair: str
    paying: str | None
    traded: str | None
    hedge: str | None
    id: str | None
    time_ms: int | None
    side: str | None
    price: Decimal | None
    amount: Decimal | None
    cost: Decimal | None
    fees: Decimal | None
    pnl: Decimal | None
    cost_given: bool
    closes: bool
    extra: str
    fetched_ms: int
    odd: bool

    @property
    def identity(self) -> Identity:
        """What makes it the same record: where it has no id or time, all that it says."""
        usable = self.id is not None and self.time_ms is not None
        return self.pair, (self.id or "") if usable else self.extra, self.time_ms

    @property
    def month(self) -> str:
        """The UTC month that its file is for, e.g. `2026-10`."""
        return month_of(self.time_ms)

    def said(self) -> tuple[object, ...]:
        """Return all that the record says, without when it was fetched: two versions differ in this, or are one."""
        return (self.pair, self.id, self.time_ms, self.side, *self._money(), self.cost_given, self.extra)

    def _money(self) -> tuple[Decimal | None, ...]:
        return self.price, self.amount, self.cost, self.fees, self.pnl


UNDATED = "undated"


def month_of(time_ms: int | None) -> str:
    """Return the UTC month of an instant, `undated` where there is none."""
    return UNDATED if time_ms is None else (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m")


class _Names(NamedTuple):
    exchange: str
    pair: Pair | None
    nets: bool


def row_of(record: Mapping[str, Any], key: str, fetched_ms: int) -> Row:
    """Return a record of Gunbot's history of `key` as a row. Never raises: what cannot be read makes it odd."""
    exchange, _, pair_of_key = key.partition("/")
    found = record.get("pair")
    pair = _storable(found) if isinstance(found, str) and found else pair_of_key
    names = _names(exchange, pair)
    numbers = {ours: _number(record.get(theirs)) for theirs, ours in _NUMBERS.items()}
    side = _side(record.get("type"))
    order_id, time_ms = _id(record.get("id")), millis_of(record.get("time"))
    unread = [theirs for theirs, ours in _NUMBERS.items() if record.get(theirs) is not None and numbers[ours] is None]
    odd = bool(unread) or order_id is None or time_ms is None or numbers["price"] is None
    cost_given = numbers["cost"] is not None
    if not cost_given and not unread:
        numbers["cost"] = _product(numbers["price"], numbers["amount"])
    return Row(
        key=key,
        exchange=exchange,
        pair=pair,
        paying=names.pair.paying if names.pair else None,
        traded=names.pair.traded if names.pair else None,
        hedge=names.pair.hedge if names.pair else None,
        id=order_id,
        time_ms=time_ms,
        side=side,
        price=numbers["price"],
        amount=numbers["amount"],
        cost=numbers["cost"],
        fees=numbers["fees"],
        pnl=numbers["pnl"],
        cost_given=cost_given,
        closes=_closes(names, side, numbers["pnl"]),
        extra=_extra(record, numbers, pair, whole=odd),
        fetched_ms=fetched_ms,
        odd=odd,
    )


@lru_cache(maxsize=2048)
def _names(exchange: str, pair: str) -> _Names:
    parsed, known = Pair.parse(pair), EXCHANGES.get(base_name(exchange))
    hedged = parsed is not None and parsed.hedge is not None
    # A future without a side in its name: one position, long or short, so a sell may as well open it.
    futures = known is not None and known.futures and (not known.spot or not known.told_apart or parsed is None)
    return _Names(exchange, parsed, nets=futures and not hedged)


def _closes(names: _Names, side: str | None, pnl: Decimal | None) -> bool:
    if pnl:
        return True
    if names.nets:
        return False
    exits = Side.BUY if names.pair is not None and names.pair.hedge == "SHORT" else Side.SELL
    return side == exits


def _side(value: object) -> str | None:
    text = value.strip().lower() if isinstance(value, str) else ""
    return text if text in set(Side) else None


def _id(value: object) -> str | None:
    """Return an id as text: a number and its digits are the same id."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _MOST_BITS:
        return str(value)
    return (_storable(value.strip()) or None) if isinstance(value, str) else None


def _storable(text: str) -> str:
    """Return a text as UTF-8 can hold it: half a character, which JSON can name, as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def millis_of(value: object) -> int | None:
    """Return milliseconds since 1970, also of a time in seconds or microseconds; None where it is no time."""
    number = to_decimal(value)
    if number is None or number <= 0:
        return None
    if number < _SECONDS_BELOW:
        number = EXACT.multiply(number, Decimal(1000))
    elif number > _MICROSECONDS_ABOVE:
        number = EXACT.divide(number, Decimal(1000))
    return int(number) if number <= _LAST_MS else None


def _number(value: object) -> Decimal | None:
    number = to_decimal(value) if value is not None else None
    if number is None or abs(number) >= _LIMIT:
        return None
    # Gunbot's doubles have up to seventeen digits, and more than eighteen decimals where they are small.
    return number if _decimals(number) <= _decimals(_PLACES) else number.quantize(_PLACES, context=_ROUNDED)


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


_EXACTLY = Context(prec=38, traps=[Inexact])


def _product(price: Decimal | None, amount: Decimal | None) -> Decimal | None:
    """Return price times amount if that is exact, else None."""
    if price is None or amount is None:
        return None
    product = EXACT.multiply(price, amount)
    try:
        exact = product.quantize(_PLACES, context=_EXACTLY)
    except ArithmeticError:
        return None
    return exact if abs(exact) < _LIMIT else None


def _extra(record: Mapping[str, Any], numbers: Mapping[str, Decimal | None], pair: str, *, whole: bool) -> str:
    if whole:
        return _json(record)
    kept = {name: value for name, value in record.items() if name not in _OURS}
    for theirs, ours in _NUMBERS.items():
        value = record.get(theirs)
        if value is not None and to_decimal(value) != numbers[ours]:
            kept[theirs] = value
    if "pair" in record and record["pair"] != pair:
        kept["pair"] = record["pair"]
    if "type" in record and record["type"] not in set(Side):
        kept["type"] = record["type"]
    return _json(kept)


def _json(value: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=True, default=str)
        if "\\ud" in text:
            # Half a character is no JSON to DuckDB, not even as an escape: what is kept is the words of its escape.
            whole = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, default=str)
            halves = _HALF.sub(lambda found: f"\\\\u{ord(found[0]):04x}", whole)
            text = text if halves == whole else halves
    except ValueError:
        # Python refuses to write out integers of thousands of digits; no field of a record means one.
        text = json.dumps({"unreadable": sorted(map(str, value))}, separators=(",", ":"))
    return text
