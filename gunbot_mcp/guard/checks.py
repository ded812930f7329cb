"""The guard's checks: short pure functions in one numbered order, run before a ticket is made and again before sending.

     1. mode             read-only trades nothing
     2. halt             the kill switch
     3. exchange         allow-list
     4. pair             allow-list
     5. capability       what the exchange can do
     6. order notional   worst case of one order, per paying asset
     7. day notional     sum of worst cases of the UTC day, per paying asset
     8. day count        orders of the UTC day
     9. price band       every named price, and where a market order would end, against the book
    10. wrong side       prices that act at once: a warning, or a refusal
    11. rate             orders proposed per minute
    12. duplicate        the same order again needs `repeat_of`
    13. pair lock        an order of unknown fate blocks its pair and side
    14. market moved     before sending only: what fills at the market, against the book that the human saw

Cancels pass 1 to 5 and 11, where they are counted apart from orders. The first check that fails raises its own error;
nothing was sent.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase

from gunbot_mcp.config import Limits, Mode
from gunbot_mcp.domain import (
    Cancel,
    Capability,
    Intent,
    Leg,
    Place,
    Side,
    decimal_text,
    legs_of,
    money,
    side_of,
)
from gunbot_mcp.errors import (
    DuplicateOrder,
    ExchangeNotAllowed,
    Halted,
    LimitExceeded,
    NotSupported,
    PairLocked,
    PairNotAllowed,
    PriceOutOfBand,
    ReadOnly,
    clean,
)
from gunbot_mcp.exchanges import EXCHANGES, CapabilityMatrix, base_name
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.notional import Notional, named_prices, worst_case


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything the checks look at: the intent, the rules, and the facts at this instant.

    `seen` is the book that the human saw; None before a ticket is made.
    """

    tool: str
    intent: Intent
    needs: Capability | None
    mode: Mode
    live: bool
    limits: Limits
    matrix: CapabilityMatrix
    halted: str | None = None
    book: Book | None = None
    day_notional: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    day_count: int = 0
    minute_count: int = 0
    twin: str | None = None
    repeat_of: str | None = None
    lock: str | None = None
    seen: Book | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What passed, what a human should know, and the worst case (None for a cancel)."""

    checks: tuple[str, ...]
    warnings: tuple[str, ...]
    notional: Notional | None


def check_mode(case: Case) -> None:
    if case.mode is Mode.READ_ONLY:
        raise ReadOnly("this server is read-only: it places and cancels nothing", "a human can set mode = approve")


def check_halt(case: Case) -> None:
    if case.halted is not None:
        reason = f": {clean(case.halted, 120)}" if case.halted else ""
        raise Halted(f"trading is halted{reason}", "a human can run gunbot-mcp resume")


def check_exchange(case: Case) -> None:
    allowed = case.limits.exchanges
    if allowed and case.intent.exchange not in allowed:
        raise ExchangeNotAllowed(
            f"{case.intent.exchange} is not among the exchanges that the user allows", "allowed: " + ", ".join(allowed)
        )


def check_pair(case: Case) -> None:
    allowed = case.limits.pairs
    names = (case.intent.pair, f"{case.intent.exchange}/{case.intent.pair}")
    if allowed and not any(fnmatchcase(name, pattern) for pattern in allowed for name in names):
        raise PairNotAllowed(
            f"{names[1]} is not among the pairs that the user allows", "allowed: " + ", ".join(allowed)
        )


def check_capability(case: Case) -> None:
    if case.needs is None or case.needs in case.matrix.of(case.intent.exchange):
        return
    able = ", ".join(case.matrix.exchanges_with(case.needs)) or "none"
    name = base_name(case.intent.exchange)
    meant = next((known for known in EXCHANGES if known != name and known.lower() == name.lower()), None)
    widen = f"if Gunbot can do it there, a human may add {case.needs.value!r} to [capabilities] {name} in the config"
    raise NotSupported(
        f"{case.tool} is not documented for {case.intent.exchange}; exchanges that can: {able}",
        f"did you mean {meant}?" if meant else widen,
    )


def check_order_notional(case: Case, worst: Notional) -> None:
    limit = case.limits.max_order.get(worst.asset)
    if limit is None:
        raise LimitExceeded(
            f"there is no limit for orders paid in {worst.asset}, so none is allowed",
            f"a human can set limits.max_order.{worst.asset}",
        )
    if worst.amount > limit:
        buys = isinstance(case.intent, Place) and case.intent.side is Side.BUY
        could = "could cost" if buys else "is worth up to"
        raise LimitExceeded(
            f"the order {could} {money(worst.amount)} {worst.asset}; at most {money(limit)} {worst.asset} per order",
            "make it smaller, or ask the human to raise limits.max_order",
        )


def check_day_notional(case: Case, worst: Notional) -> None:
    limit = case.limits.max_day.get(worst.asset)
    spent = case.day_notional.get(worst.asset, Decimal(0))
    if limit is None:
        raise LimitExceeded(
            f"there is no daily limit for {worst.asset}, so nothing is allowed",
            f"a human can set limits.max_day.{worst.asset}",
        )
    if spent + worst.amount > limit:
        raise LimitExceeded(
            f"today's orders add up to {money(spent)} {worst.asset}; with this one "
            f"{money(spent + worst.amount)}, at most {money(limit)} a day",
            "wait for the next UTC day, or ask the human to raise limits.max_day",
        )


def check_day_count(case: Case) -> None:
    if case.day_count >= case.limits.orders_per_day:
        raise LimitExceeded(
            f"{case.day_count} orders were sent today; at most {case.limits.orders_per_day} a day",
            "wait for the next UTC day, or ask the human to raise limits.orders_per_day",
        )


def check_band(case: Case) -> None:
    if isinstance(case.intent, Cancel):
        return
    quote = _quote(case, side_of(case.intent))
    if quote is None:
        if case.live and case.limits.without_market_data == "refuse":
            raise PriceOutOfBand(
                "there is no order book to compare the order with", "the pair must be active in Gunbot; or wait"
            )
        return
    trails = [("trail", quote + leg.trail) for leg in legs_of(case.intent) if leg.trail is not None]
    for word, price in (*named_prices(case.intent), *trails):
        distance = abs(price - quote) / quote * 100
        if distance > case.limits.price_band_percent:
            raise PriceOutOfBand(
                f"the {word} {decimal_text(price)} is {decimal_text(_tenths(distance))} % away from "
                f"the book ({decimal_text(quote)}); at most {decimal_text(case.limits.price_band_percent)} %",
                "look at get_quote; a human can widen limits.price_band_percent",
            )
    if any(leg.limit is None for leg in legs_of(case.intent)):
        _check_depth(case, quote)


def _check_depth(case: Case, quote: Decimal) -> None:
    """Refuse what fills at the market where the book does not hold its amount near the best price.

    The worst case allows for `slippage_percent`; an order that eats its way further would cost more than it says.
    """
    if isinstance(case.intent, Cancel) or case.book is None:
        return
    buying = side_of(case.intent) is Side.BUY
    top, levels = (case.book.ask, case.book.asks) if buying else (case.book.bid, case.book.bids)
    if top is None:
        raise PriceOutOfBand(
            f"the book has no {'ask' if buying else 'bid'}, so an order without a limit has nothing to fill at",
            "use a limit, or wait for market data",
        )
    most = quote * case.limits.slippage_percent / 100
    near = sum((amount for price, amount in levels if abs(price - quote) <= most), Decimal(0))
    if levels and near < case.intent.amount:
        raise PriceOutOfBand(
            f"the book holds only {decimal_text(near)} within {decimal_text(case.limits.slippage_percent)} % of "
            f"{decimal_text(quote)}, and the order needs {decimal_text(case.intent.amount)}: it would slip further",
            "make it smaller or use a limit; a human can widen limits.slippage_percent",
        )


def check_wrong_side(case: Case) -> tuple[str, ...]:
    """Return warnings about prices that act at once, or refuse them where the user wants that."""
    if isinstance(case.intent, Cancel):
        return ()
    warnings = tuple(
        warning for leg in legs_of(case.intent) for warning in _wrong_side(leg, side_of(case.intent), case.book)
    )
    if isinstance(case.intent, Place):
        warnings += tuple(_wrong_trigger(case.intent))
    if warnings and case.limits.wrong_side == "refuse":
        raise PriceOutOfBand(warnings[0], "the user's limits refuse prices on the wrong side of the market")
    if case.book is None:
        return ("There is no order book to compare this order with.",)
    return warnings


def check_rate(case: Case) -> None:
    if case.minute_count >= case.limits.orders_per_minute:
        raise too_many(case.limits.orders_per_minute, "cancels" if isinstance(case.intent, Cancel) else "orders")


def too_many(most: int, what: str) -> LimitExceeded:
    return LimitExceeded(f"at most {most} {what} may be proposed within a minute", "wait a minute")


def check_duplicate(case: Case) -> None:
    if case.twin is not None and case.repeat_of != case.twin:
        raise DuplicateOrder(
            f"the same order was proposed a moment ago: ticket {case.twin}",
            f"look at get_ticket; if it is meant to happen twice, call again with repeat_of = {case.twin!r}",
        )


def check_lock(case: Case) -> None:
    if case.lock is not None:
        raise PairLocked(
            f"ticket {case.lock} on this pair and side has an unknown fate: the order may exist",
            f"get_ticket {case.lock} looks for it; a human can run gunbot-mcp resolve {case.lock}",
        )


def check_moved(case: Case) -> None:
    """Refuse an order that a human approved for another market. A limit protects itself, the rest has only this."""
    if isinstance(case.intent, Cancel) or case.seen is None or all(leg.limit for leg in legs_of(case.intent)):
        return
    buying = side_of(case.intent) is Side.BUY
    then = case.seen.ask if buying else case.seen.bid
    now = None if case.book is None else (case.book.ask if buying else case.book.bid)
    if then is None or now is None:
        return
    worse = (now - then if buying else then - now) / then * 100
    if worse > case.limits.slippage_percent:
        raise PriceOutOfBand(
            f"the market moved from {decimal_text(then)} to {decimal_text(now)} since this order was proposed; "
            f"at most {decimal_text(case.limits.slippage_percent)} % is allowed for",
            "propose it again at the new price; a human can widen limits.slippage_percent",
        )


_BEFORE_MONEY: tuple[tuple[str, Callable[[Case], None]], ...] = (
    ("mode", check_mode),
    ("halt", check_halt),
    ("exchange", check_exchange),
    ("pair", check_pair),
    ("capability", check_capability),
)
_MONEY: tuple[tuple[str, Callable[[Case, Notional], None]], ...] = (
    ("order notional", check_order_notional),
    ("day notional", check_day_notional),
)
_AFTER_MONEY: tuple[tuple[str, Callable[[Case], object]], ...] = (
    ("day count", check_day_count),
    ("price band", check_band),
    ("wrong side", check_wrong_side),
    ("rate", check_rate),
    ("duplicate", check_duplicate),
    ("pair lock", check_lock),
)


def check_static(case: Case) -> None:
    """Run checks 1 to 5: what can be refused before the market is asked."""
    for _, check in _BEFORE_MONEY:
        check(case)


def check_all(case: Case) -> Verdict:
    """Run every check in order.

    Raises:
        Refused: the first check that fails.
    """
    check_static(case)
    passed = [name for name, _ in _BEFORE_MONEY]
    if isinstance(case.intent, Cancel):
        check_rate(case)
        return Verdict(checks=(*passed, "rate"), warnings=(), notional=None)
    worst = worst_case(case.intent, case.book, case.limits)
    for name, money_check in _MONEY:
        money_check(case, worst)
        passed.append(name)
    for name, check in _AFTER_MONEY:
        check(case)
        passed.append(name)
    check_moved(case)
    return Verdict(checks=tuple(passed), warnings=check_wrong_side(case), notional=worst)


def _tenths(percent: Decimal) -> Decimal:
    return min(percent, Decimal("1e15")).quantize(Decimal("0.1"))


def _quote(case: Case, side: Side) -> Decimal | None:
    if case.book is None:
        return None
    best = (case.book.ask, case.book.bid) if side is Side.BUY else (case.book.bid, case.book.ask)
    return best[0] or best[1]


def _wrong_side(leg: Leg, side: Side, book: Book | None) -> list[str]:
    market = None if book is None else (book.ask if side is Side.BUY else book.bid)
    if market is None:
        return []
    found: list[str] = []
    now = decimal_text(market)
    if leg.stop is not None:
        stop = decimal_text(leg.stop)
        if side is Side.BUY and leg.stop <= market:
            found.append(f"The stop {stop} is not above the market ({now}): it triggers at once.")
        if side is Side.SELL and leg.stop >= market:
            found.append(f"The stop {stop} is not below the market ({now}): it triggers at once.")
        if leg.limit is not None and (leg.limit < leg.stop if side is Side.BUY else leg.limit > leg.stop):
            limit = decimal_text(leg.limit)
            found.append(f"The limit {limit} lies beyond the stop {stop}: once triggered it may rest, not fill.")
    elif leg.limit is not None:
        limit = decimal_text(leg.limit)
        if side is Side.BUY and leg.limit >= market:
            found.append(f"The limit {limit} is at or above the market ({now}): it fills at once.")
        if side is Side.SELL and leg.limit <= market:
            found.append(f"The limit {limit} is at or below the market ({now}): it fills at once.")
    return found


def _wrong_trigger(intent: Place) -> Iterator[str]:
    """Warn where a trailing stop's named stop lies where the price has to turn away from it."""
    if intent.trigger is None or intent.reference is None:
        return
    buying = intent.side is Side.BUY
    if (intent.trigger < intent.reference) if buying else (intent.trigger > intent.reference):
        stop, price = decimal_text(intent.trigger), decimal_text(intent.reference)
        word = "below" if buying else "above"
        turn = "buying waits for a rise" if buying else "selling waits for a fall"
        yield f"The stop {stop} lies {word} the price {price}, but {turn}: Gunbot may understand it otherwise."
