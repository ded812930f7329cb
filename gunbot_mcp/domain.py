"""The words of the product: sides, legs, intents, effects, capabilities. No I/O, no wire names.

An order is *legs*: market = `Leg()`, limit = `Leg(limit)`, stop-limit = `Leg(stop, limit)`, trailing stop =
`Leg(trail)`, one-cancels-the-other = two legs. All prices are in the pair's paying asset per unit of its traded asset;
all amounts are in the traded asset. Money is `Decimal`.
"""

import math
import re
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from enum import StrEnum

EXACT = Context(prec=200)
"""For money: every product of an amount, a price and a percentage keeps all its digits."""

MIN_NUMBER = Decimal("1e-18")
MAX_NUMBER = Decimal("1e18")
MOST_DIGITS = 60
MOST_EXACT = 2**53 - 1
"""The largest whole number that every reader of JSON reads exactly."""
MOST_ID = 256
_BASE64 = "[A-Za-z0-9+/]"
_ORDER_ID = re.compile(
    r"[A-Za-z0-9_+-][A-Za-z0-9._:/+=#@~|-]*"
    rf"|(?:{_BASE64}{{4}})*(?:{_BASE64}{{4}}|{_BASE64}{{3}}=|{_BASE64}{{2}}==)"
)


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class Purpose(StrEnum):
    """Whether an order takes a risk or gets out of one."""

    ENTRY = "entry"
    EXIT = "exit"


class Effect(StrEnum):
    """What a tool can do to the world; decides annotations and whether a human is asked."""

    READ = "read"
    ORDER = "order"  # can spend money
    CANCEL = "cancel"  # takes risk off or puts it on, see the guard's smart rule
    LOCAL = "local"  # changes only this server's own records (withdrawing a ticket)


class Capability(StrEnum):
    """What an exchange must be able to do for an endpoint to make sense there."""

    LIMIT = "limit"
    MARKET = "market"
    CANCEL = "cancel"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"
    OCO = "oco"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One way in which an order can fill.

    `limit`: never worse than this price. `stop`: sleeps until the market touches this price. `trail`: a stop that
    follows the market at this distance (in the paying asset) and never moves back.
    """

    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Buy or sell `amount` of the pair's traded asset. Several legs: the first to act cancels the others.

    `reference` is a price from the caller that is neither a limit nor a stop (a market order's optional price,
    a trailing stop's reference price); `trigger` is a trailing stop's named stop price, whose distance from the
    reference is the trail.
    """

    side: Side
    exchange: str
    pair: str
    amount: Decimal
    legs: tuple[Leg, ...]
    reference: Decimal | None = None
    trigger: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Close `amount` of the open position of a futures pair (`USDT-BTC-LONG` by selling, `…-SHORT` by buying)."""

    exchange: str
    pair: str
    amount: Decimal
    leg: Leg


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancel the order `order_id`, which was placed at `price` as `order_type` (`limit` or `market`)."""

    exchange: str
    pair: str
    order_id: str
    price: Decimal
    order_type: str


Intent = Place | Close | Cancel


_TERMS = frozenset({"WEEK", "BIWEEK", "MONTH", "BIMONTH", "QUART", "BIQUART", "QUARTER", "BIQUARTER"})
"""How long a future runs: where it stands in a name's second place, no traded asset does."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A Gunbot pair, `PAYING-TRADED` or `PAYING-TRADED-LONG|SHORT`: the reverse of the market's own convention.

    In `USDT-BTC` you pay with USDT (`paying`) and trade BTC (`traded`).
    """

    paying: str
    traded: str
    hedge: str | None = None

    @classmethod
    def parse(cls, name: str) -> "Pair | None":
        """Return the assets of a pair name, or None for names of another form, which say no paying asset.

        Of another form are futures that some exchanges name in their own way: `XBTUSD`, `XBT-USD` (Bitmex, Kraken
        futures: dollars are not bought with bitcoin there), `XBT-MONTH`, `XBT-QUART`, `USD-BTC-200417` (OKX).
        """
        match name.split("-"):
            case ["XBT", term] if term in _TERMS or "USD" in term:
                return None
            case [paying, traded] if paying and traded and traded not in _TERMS:
                return cls(paying, traded)
            case [paying, traded, "LONG" | "SHORT" as hedge] if paying and traded:
                return cls(paying, traded, hedge)
            case _:
                return None


def side_of(intent: Place | Close) -> Side:
    """Return the side on which the intent trades: closing a long position sells, closing a short one buys."""
    if isinstance(intent, Place):
        return intent.side
    pair = Pair.parse(intent.pair)
    return Side.BUY if pair is not None and pair.hedge == "SHORT" else Side.SELL


def legs_of(intent: Place | Close) -> tuple[Leg, ...]:
    return intent.legs if isinstance(intent, Place) else (intent.leg,)


def assets_of(intent: Intent) -> tuple[str, str]:
    """Return (paying, traded) names for sentences; a pair of another form names itself."""
    pair = Pair.parse(intent.pair)
    return (pair.paying, pair.traded) if pair else ("", intent.pair)


def is_order_id(text: str) -> bool:
    """Whether a text can be an exchange's order id: digits, UUID, `OXXXXX-…`, base64 with `/ + =`; 256 characters.

    What could be anything else (spaces, quotes, control characters, `..`, a path) is none.
    """
    return len(text) <= MOST_ID and ".." not in text and _ORDER_ID.fullmatch(text) is not None


def exact_number(value: object) -> Decimal:
    """Return a JSON number as the `Decimal` of its shortest decimal text.

    Raises:
        ValueError: not a number (strings and booleans are not), not finite, zero, negative, or outside 1e-18 … 1e18.
    """
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a JSON number, not " + _json_kind(value))  # noqa: TRY004 - pydantic reads ValueError
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    else:
        # str() of a huge int is refused by Python itself; compare before converting.
        if isinstance(value, int) and abs(value) > int(MAX_NUMBER):
            raise ValueError("must be at most 1e18")
        number = Decimal(repr(value))
    if not number.is_finite():
        raise ValueError("must be a finite number")
    if number <= 0:
        raise ValueError("must be greater than 0")
    if not MIN_NUMBER <= number <= MAX_NUMBER:
        raise ValueError("must be between 1e-18 and 1e18")
    return number


def exact_or_zero(value: object) -> Decimal:
    """Return a JSON number as `exact_number` does; 0 passes, too.

    Raises:
        ValueError: see `exact_number`.
    """
    zero = isinstance(value, int | float | Decimal) and not isinstance(value, bool) and value == 0
    return Decimal(0) if zero else exact_number(value)


def decimal_text(number: Decimal) -> str:
    """Return plain digits, without an exponent: what goes on the wire and into tickets."""
    return format(number, "f")


def plain_text(number: Decimal) -> str:
    """Return plain digits without trailing zeros: how people write a price that arrived as a double."""
    return format(number.normalize(), "f")


def grouped(number: Decimal) -> str:
    """Return every digit, in groups of three: `51,000.5`. For numbers that a human typed, which are never rounded.

    A double's own way to write a whole number is not a digit that somebody typed: `48,000` for 48000.0.
    """
    return format(number, ",f").removesuffix(".0")


_DOLLARS = ("USD", "USDT", "USDC", "FDUSD", "DAI", "TUSD", "USDP", "PYUSD", "BUSD")
_OTHERS = ("EUR", "EURC", "EURT", "GBP", "CHF", "AUD", "NZD", "CAD", "SGD", "BRL", "TRY", "UAH", "PLN", "ZAR", "MXN")
CENTS = frozenset((*_DOLLARS, *_OTHERS))
"""Assets that people count with two decimals."""
_SIGNIFICANT = 6
_FEWEST = 2


def money(amount: Decimal, asset: str = "", *, down: bool = False) -> str:
    """Return computed money as people read it, in groups of three and with the digits that `asset` needs.

    `51,000.50` for what is counted in cents (two digits at least: `0.0048`), six significant digits for all else (all
    of a whole number), eight decimals where the asset is not said. Rounded up, so that a cost is never understated;
    with `down`, for what one gets.
    """
    cents = asset in CENTS
    places = 8
    if asset:
        places = max(2, _FEWEST - 1 - amount.adjusted()) if cents else max(0, _SIGNIFICANT - 1 - amount.adjusted())
    way = "ROUND_FLOOR" if down else "ROUND_CEILING"
    # In the usual context, 1e20 with eight decimals has too many digits and raises.
    text = grouped(amount.quantize(Decimal(1).scaleb(-places), rounding=way, context=EXACT))
    if cents:
        return text.removesuffix(".00")
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_decimal(value: object) -> Decimal | None:
    """Return a gateway's number (which may arrive as a string) as `Decimal`.

    None if it is not a finite number, or has more than sixty digits.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    text = value if isinstance(value, Decimal) else str(value).strip() if _short(value) else ""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # No money is as large or as small as this; writing out such a number would take for ever.
    return number if number.is_finite() and abs(number.adjusted()) <= MOST_DIGITS else None


def _short(value: float | str) -> bool:
    """Whether a number is worth reading: Python itself refuses to write out integers of thousands of digits."""
    if isinstance(value, str):
        return len(value) <= 2 * MOST_DIGITS
    return isinstance(value, float) or value.bit_length() <= 4 * MOST_DIGITS


def _json_kind(value: object) -> str:
    kinds = (
        (type(None), "null"),
        (bool, "a boolean"),
        (str, "a string"),
        (list, "an array"),
        (dict, "an object"),
    )
    return next((kind for cls, kind in kinds if isinstance(value, cls)), "this")
