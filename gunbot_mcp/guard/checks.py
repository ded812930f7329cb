"""The guard's checks: short pure functions in one order, the tuple `CHECKS` at the end of this file.

They run before a ticket is made, and again on fresh facts before it is sent. The first check that fails raises its own
error; nothing was sent. Each row says which facts its check needs, whether cancels pass it too, and what the README
calls it. A cancel is counted apart from orders.
"""

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from enum import Enum, auto
from fnmatch import fnmatchcase

from gunbot_mcp.domain import Cancel, Close, Leg, Place, Purpose, Side, decimal_text, grouped, legs_of, side_of
from gunbot_mcp.errors import (
    DuplicateOrder,
    ExchangeNotAllowed,
    Hint,
    LimitExceeded,
    NotSupported,
    PairLocked,
    PairNotAllowed,
    PriceOutOfBand,
)
from gunbot_mcp.exchanges import EXCHANGES, base_name
from gunbot_mcp.guard.caps import check_day_count, check_day_notional, check_notional, widen
from gunbot_mcp.guard.case import MOST_UNDECIDED, MOST_UNDECIDED_OF_ALL, Case
from gunbot_mcp.guard.day_checks import check_day_loss, check_rejections
from gunbot_mcp.guard.halt import refusal
from gunbot_mcp.guard.naming import check_known, check_units
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.instance import require_trading
from gunbot_mcp.tickets.notional import Notional, named_prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Which checks passed, what a human should know, and the worst case (None for a cancel)."""

    checks: tuple[str, ...]
    warnings: tuple[str, ...]
    notional: Notional | None


class Facts(Enum):
    """What a check needs to know."""

    STATIC = auto()
    """The order and the settings: it runs before the market is asked, too."""
    FULL = auto()
    """The market and the ledger."""
    SEEN = auto()
    """Also the book that the human saw: it runs before sending only."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    `about` is its place in the README's sentence; `run` returns warnings, or raises `Refused`; `cancels` says whether
    cancels pass it, too; `limits` are the keys of the user's limits that decide it.
    """

    name: str
    about: str
    run: Callable[[Case], tuple[str, ...]]
    facts: Facts
    _: KW_ONLY
    cancels: bool
    limits: tuple[str, ...]

    def applies(self, case: Case) -> bool:
        if isinstance(case.intent, Cancel) and not self.cancels:
            return False
        return self.facts is not Facts.SEEN or case.seen is not None


def check_mode(case: Case) -> tuple[str, ...]:
    require_trading(case.mode)
    return ()


def check_halt(case: Case) -> tuple[str, ...]:
    if case.halted is not None:
        raise refusal(case.halted)
    return ()


def check_exchange(case: Case) -> tuple[str, ...]:
    allowed = case.limits.exchanges
    if allowed and case.intent.exchange not in allowed:
        raise ExchangeNotAllowed(
            f"{case.intent.exchange} is not among the exchanges that the user allows", "allowed: " + ", ".join(allowed)
        )
    return ()


def check_pair(case: Case) -> tuple[str, ...]:
    allowed = case.limits.pairs
    names = (case.intent.pair, f"{case.intent.exchange}/{case.intent.pair}")
    if allowed and not any(_matches(pattern, names) for pattern in allowed):
        raise PairNotAllowed(
            f"{names[1]} is not among the pairs that the user allows", "allowed: " + ", ".join(allowed)
        )
    return ()


def _matches(pattern: str, names: tuple[str, ...]) -> bool:
    """Return whether one of the names matches; `A & B`: one matches A, and one B (what two configs allow)."""
    return all(any(fnmatchcase(name, part) for name in names) for part in pattern.split(" & "))


def check_capability(case: Case) -> tuple[str, ...]:
    if case.needs is None or case.needs in case.matrix.of(case.intent.exchange):
        return ()
    able = ", ".join(case.matrix.exchanges_with(case.needs)) or "none"
    name = base_name(case.intent.exchange)
    meant = next((known for known in EXCHANGES if known != name and known.lower() == name.lower()), None)
    add = f"add {case.needs.value!r} to [capabilities] {name} in the config"
    raise NotSupported(
        f"{case.tool} is not documented for {case.intent.exchange}; exchanges that can: {able}",
        f"did you mean {meant}?" if meant else Hint.by_human(add, "if Gunbot can do it there, "),
    )


_SMALLER = "make it smaller or use a limit"


def check_band(case: Case) -> tuple[str, ...]:
    order = case.trade
    quote = _quote(case.book, side_of(order))
    if quote is None:
        if case.live and case.limits.without_market_data == "refuse":
            raise PriceOutOfBand(
                "there is no order book to compare the order with", "the pair must be active in Gunbot; or wait"
            )
        return ()
    trails = [("trail", quote + leg.trail) for leg in legs_of(order) if leg.trail is not None]
    for word, price in (*named_prices(order), *trails):
        distance = abs(price - quote) / quote * 100
        if distance > case.limits.price_band_percent:
            raise PriceOutOfBand(
                f"the {word} {grouped(price)} is {decimal_text(_tenths(distance))} % away from "
                f"the book ({grouped(quote)}); at most {decimal_text(case.limits.price_band_percent)} %",
                widen(case, "price_band_percent", Hint("look at get_quote", "look at the market")),
            )
    if case.book is not None and any(leg.limit is None for leg in legs_of(order)):
        _check_depth(case, case.book, quote)
    return ()


def _check_depth(case: Case, book: Book, quote: Decimal) -> None:
    """Refuse an order that fills at the market if the book does not hold its amount near the best price.

    The worst case allows for `slippage_percent`; an order that goes deeper into the book would cost more than it says.
    """
    # Whether the book itself counts contracts, nobody says: the larger number is asked of it.
    amount = case.trade.amount * max(case.contract_size or Decimal(1), Decimal(1))
    buying = side_of(case.trade) is Side.BUY
    top, levels = (book.ask, book.asks) if buying else (book.bid, book.bids)
    if top is None:
        raise PriceOutOfBand(
            f"the book has no {'ask' if buying else 'bid'}, so an order without a limit has nothing to fill at",
            "use a limit, or wait for market data",
        )
    most = quote * case.limits.slippage_percent / 100
    near = sum((size for price, size in levels if abs(price - quote) <= most), Decimal(0))
    if levels and near < amount:
        raise PriceOutOfBand(
            f"the book holds only {grouped(near)} within {decimal_text(case.limits.slippage_percent)} % of "
            f"{grouped(quote)}, and the order needs {grouped(amount)}: it would slip further",
            widen(case, "slippage_percent", Hint(_SMALLER, _SMALLER)),
        )


def check_wrong_side(case: Case) -> tuple[str, ...]:
    """Warn of prices that act at once, or refuse them if the user wants that."""
    order = case.trade
    warnings = tuple(warning for leg in legs_of(order) for warning in _wrong_side(leg, side_of(order), case.book))
    if isinstance(order, Place):
        warnings += tuple(_wrong_trigger(order))
    if warnings and case.limits.wrong_side == "refuse":
        raise PriceOutOfBand(warnings[0], "the user's limits refuse prices on the wrong side of the market")
    if case.book is None:
        warnings = ("There is no order book to compare this order with.",)
    far = (_far_limit(leg, order, case.limits.slippage_percent) for leg in legs_of(order))
    return (*warnings, *(warning for found in far for warning in found))


def check_rate(case: Case) -> tuple[str, ...]:
    if case.minute_count >= case.limits.orders_per_minute:
        raise too_many(case.limits.orders_per_minute, "cancels" if isinstance(case.intent, Cancel) else "orders")
    return ()


def too_many(most: int, what: str) -> LimitExceeded:
    return LimitExceeded(f"at most {most} {what} may be proposed within a minute", "wait a minute")


def check_patience(case: Case) -> tuple[str, ...]:
    """Whoever is told of every order must not be told of ever more that he leaves alone."""
    if case.undecided >= MOST_UNDECIDED:
        raise _unheard(f"{MOST_UNDECIDED} orders of this client")
    # No client may keep another one from getting out.
    if case.undecided_of_all >= MOST_UNDECIDED_OF_ALL and case.purpose is Purpose.ENTRY:
        raise _unheard(f"{MOST_UNDECIDED_OF_ALL} orders")
    return ()


def _unheard(which: str) -> LimitExceeded:
    return LimitExceeded(
        f"the last {which} were left undecided, and a human is told of each",
        Hint(
            "stop proposing; ask the human to decide one of them, or wait 15 minutes",
            "decide one of them, or wait 15 minutes",
        ),
    )


def check_duplicate(case: Case) -> tuple[str, ...]:
    if case.twin is not None and case.repeat_of != case.twin:
        raise DuplicateOrder(
            f"the same order was proposed a moment ago: ticket {case.twin}",
            f"look at get_ticket; if it is meant to happen twice, call again with repeat_of = {case.twin!r}",
            human="look at that ticket; if it is meant to happen twice, tell your assistant so",
            twin=case.twin,
        )
    return ()


def check_lock(case: Case) -> tuple[str, ...]:
    if case.lock is not None:
        raise PairLocked(
            f"ticket {case.lock} on this pair and side has an unknown fate: the order may exist",
            f"get_ticket {case.lock} looks for it; ask the human to settle it on its page or in a terminal",
            human=f"gunbot-mcp resolve {case.lock}",
        )
    return ()


def check_moved(case: Case) -> tuple[str, ...]:
    """Refuse an order if the market has moved too far from the price that the human saw.

    An order whose every leg has a limit passes: its limits protect it. What fills at the market has only this check.
    """
    order = case.trade
    if case.seen is None or all(leg.limit for leg in legs_of(order)):
        return ()
    buying = side_of(order) is Side.BUY
    then = case.seen.ask if buying else case.seen.bid
    now = None if case.book is None else (case.book.ask if buying else case.book.bid)
    if then is None or now is None:
        return ()
    worse = (now - then if buying else then - now) / then * 100
    if worse > case.limits.slippage_percent:
        raise PriceOutOfBand(
            f"the market moved {decimal_text(_tenths(worse))} %, from {grouped(then)} to {grouped(now)}, "
            f"since this order was proposed; at most {decimal_text(case.limits.slippage_percent)} % is allowed for",
            widen(case, "slippage_percent", Hint.propose_again(" at the new price")),
        )
    return ()


def _tenths(percent: Decimal) -> Decimal:
    return min(percent, Decimal("1e15")).quantize(Decimal("0.1"))


def _quote(book: Book | None, side: Side) -> Decimal | None:
    if book is None:
        return None
    best = (book.ask, book.bid) if side is Side.BUY else (book.bid, book.ask)
    return best[0] or best[1]


def _wrong_side(leg: Leg, side: Side, book: Book | None) -> list[str]:
    market = None if book is None else (book.ask if side is Side.BUY else book.bid)
    if market is None:
        return []
    found: list[str] = []
    now = grouped(market)
    if leg.stop is not None:
        stop = grouped(leg.stop)
        if side is Side.BUY and leg.stop <= market:
            found.append(f"The stop {stop} is not above the market ({now}): it triggers at once.")
        if side is Side.SELL and leg.stop >= market:
            found.append(f"The stop {stop} is not below the market ({now}): it triggers at once.")
        if leg.limit is not None and (leg.limit < leg.stop if side is Side.BUY else leg.limit > leg.stop):
            limit = grouped(leg.limit)
            found.append(f"The limit {limit} lies beyond the stop {stop}: once triggered it may rest, not fill.")
    elif leg.limit is not None:
        limit = grouped(leg.limit)
        if side is Side.BUY and leg.limit >= market:
            found.append(f"The limit {limit} is at or above the market ({now}): it fills at once.")
        if side is Side.SELL and leg.limit <= market:
            found.append(f"The limit {limit} is at or below the market ({now}): it fills at once.")
    return found


def _far_limit(leg: Leg, order: Place | Close, slippage: Decimal) -> list[str]:
    """Warn of a stop whose limit lets the price go much further than the slippage that the user allows for."""
    if leg.stop is None or leg.limit is None:
        return []
    buying = side_of(order) is Side.BUY
    percent = (leg.limit - leg.stop if buying else leg.stop - leg.limit) / leg.stop * 100
    if percent <= slippage:
        return []
    limit, stop = grouped(leg.limit), grouped(leg.stop)
    far = f"The limit {limit} lies {grouped(_tenths(percent))} % {'above' if buying else 'below'} the stop {stop}"
    return [f"{far}: once triggered it may {'pay as much' if buying else 'sell for as little'} as {limit}."]


def _wrong_trigger(intent: Place) -> Iterator[str]:
    """Warn if a trailing stop's named stop is on the side that the price must turn away from."""
    if intent.trigger is None or intent.reference is None:
        return
    buying = intent.side is Side.BUY
    if (intent.trigger < intent.reference) if buying else (intent.trigger > intent.reference):
        stop, price = grouped(intent.trigger), grouped(intent.reference)
        word = "below" if buying else "above"
        turn = "buying waits for a rise" if buying else "selling waits for a fall"
        yield f"The stop {stop} lies {word} the price {price}, but {turn}: Gunbot may understand it otherwise."


_COST = ("slippage_percent", "fee_percent")
"""What the worst case of an order is computed with."""

CHECKS: tuple[Check, ...] = (
    Check("mode", "the mode", check_mode, Facts.STATIC, cancels=True, limits=()),
    Check("halt", "the halt switch", check_halt, Facts.STATIC, cancels=True, limits=()),
    Check("exchange", "the exchange", check_exchange, Facts.STATIC, cancels=True, limits=("exchanges",)),
    Check("pair", "the pair", check_pair, Facts.STATIC, cancels=True, limits=("pairs",)),
    Check("capability", "what the exchange can do", check_capability, Facts.STATIC, cancels=True, limits=()),
    Check("pair known", "whether the exchange has the pair", check_known, Facts.FULL, cancels=True, limits=()),
    Check("units", "what its amounts count", check_units, Facts.FULL, cancels=False, limits=()),
    Check(
        "order notional",
        "the worst case",
        check_notional,
        Facts.FULL,
        cancels=False,
        limits=("max_order", "max_exit", *_COST),
    ),
    Check(
        "day notional",
        "the day's total",
        check_day_notional,
        Facts.FULL,
        cancels=False,
        limits=("max_day", "max_exit_day", *_COST),
    ),
    Check("day count", "the day's orders", check_day_count, Facts.FULL, cancels=False, limits=("orders_per_day",)),
    Check(
        "price band",
        "how far its prices lie from the book",
        check_band,
        Facts.FULL,
        cancels=False,
        limits=("price_band_percent", "slippage_percent", "without_market_data"),
    ),
    Check(
        "wrong side",
        "prices that act at once",
        check_wrong_side,
        Facts.FULL,
        cancels=False,
        limits=("wrong_side", "slippage_percent"),
    ),
    Check("rate", "the minute's orders", check_rate, Facts.FULL, cancels=True, limits=("orders_per_minute",)),
    Check(
        "duplicate", "the same order again", check_duplicate, Facts.FULL, cancels=False, limits=("duplicate_seconds",)
    ),
    Check("patience", "orders left undecided", check_patience, Facts.FULL, cancels=True, limits=()),
    Check("pair lock", "an order of unknown fate", check_lock, Facts.FULL, cancels=False, limits=()),
    Check("day loss", "what was lost today", check_day_loss, Facts.FULL, cancels=False, limits=("max_day_loss",)),
    Check(
        "rejections",
        "orders rejected in a row",
        check_rejections,
        Facts.FULL,
        cancels=False,
        limits=("halt_after_rejections",),
    ),
    Check("market moved", "a market that moved", check_moved, Facts.SEEN, cancels=False, limits=("slippage_percent",)),
)


def check_static(case: Case) -> None:
    """Run the checks that need only static facts: what can be refused before the market is asked.

    Raises:
        Refused: the first check that fails.
    """
    for check in CHECKS:
        if check.facts is Facts.STATIC and check.applies(case):
            check.run(case)


def check_all(case: Case) -> Verdict:
    """Run every check that applies, in order.

    Raises:
        Refused: the first check that fails.
    """
    ran = [(check.name, check.run(case)) for check in CHECKS if check.applies(case)]
    return Verdict(
        checks=tuple(name for name, _ in ran),
        warnings=tuple(warning for _, warnings in ran for warning in warnings),
        notional=None if isinstance(case.intent, Cancel) else case.worst,
    )
