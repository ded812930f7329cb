"""Whose order is this? Finding an order again by what it looks like, since Gunbot returns no order id. Pure.

The numbers are those of the table of what may be said of an order (docs/FATES.md has it):

    1    a baseline without open ids: candidates at most, for ever
    2    limit: exactly one new order of the same side, amount and price (as sent, or cut to the key's digits): a match
    3    the same, but coarser or smaller, or counted in contracts: a candidate
    4    two or more fit: candidates, all
    5    k equal tickets of ours unsettled and exactly k fit: a match, one each by time of sending
    6    stop-limit, trailing: a candidate, unless the record names its kind and stop
    7    OCO: exactly two new ones, one at each leg's price: a match with both ids
    8    market: fills of one new id within a minute after the baseline, near the quote, of the whole amount: a match
    9    limit that was never seen open: fills of one new id after the baseline, no worse than the limit: a match

A match is *the only explanation that can be seen*. What fitted once and is gone still counts against it: it may have
been the right one.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from gunbot_mcp.domain import Close, Leg, Place, Side, legs_of, side_of, to_decimal
from gunbot_mcp.guard.evidence import (
    Baseline,
    Digits,
    Fills,
    Look,
    digits_of,
    fills_of,
    is_amount,
    is_coarse_price,
    is_price,
    same,
    shows_again_and_again,
)
from gunbot_mcp.gunbot.records import OpenOrder
from gunbot_mcp.tickets.ticket import Certainty, Observation

MARKET_MILLIS = 60_000
"""How long after the baseline a market order may fill and still be taken for ours."""
MOST_CANDIDATES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One order of ours that went out and whose id nobody knows. `slippage` is in percent of the quote.

    `contracts`: what the exchange shows may be counted in another unit. `earlier` are ids that once fitted. `rested`:
    one that fits in every digit was seen to rest.
    """

    ticket: str
    intent: Place | Close
    baseline: Baseline
    at: datetime | None = None
    contracts: bool = False
    slippage: Decimal = Decimal(1)
    earlier: frozenset[str] = frozenset()
    rested: bool = False

    @property
    def side(self) -> Side:
        return side_of(self.intent)

    @property
    def legs(self) -> tuple[Leg, ...]:
        return legs_of(self.intent)

    def looks_like(self, other: "Sent") -> bool:
        return (self.side, self.legs, self.intent.amount) == (other.side, other.legs, other.intent.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One explanation. `sure`: it is one that settles, if it is the only one. `near`: it can question another's.

    A stop could be whatever rests, but only what has its amount and one of its prices can keep a limit order from its.
    """

    ids: tuple[str, ...]
    sure: bool
    near: bool = False
    where: str
    amount: Decimal | None = None
    price: Decimal | None = None
    order_type: str | None = None
    fills: Fills | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`match` is the one answer, if there is one; else `candidates` are what a human may choose from."""

    match: Observation | None = None
    candidates: tuple[Observation, ...] = ()
    sure_ids: frozenset[str] = field(default_factory=frozenset[str])


def judge(me: Sent, others: Sequence[Sent], look: Look, taken: Collection[str]) -> Finding:
    """Return what this look says of one order. `others` are ours of the same side that nobody has found yet either.

    `taken` are ids that belong to other tickets of ours.
    """
    mine = explain(me, look, taken)
    sure = [fit for fit in mine if fit.sure]
    ids = frozenset(name for fit in sure for name in fit.ids)
    chosen = None
    if not me.earlier - ids - frozenset(taken):
        chosen = _share(me, sure, others, look, taken)
    if chosen is not None:
        return Finding(match=_observation(chosen, Certainty.MATCH, look.at), sure_ids=ids)
    shown = tuple(_observation(fit, Certainty.CANDIDATE, look.at) for fit in (sure or mine)[:MOST_CANDIDATES])
    return Finding(candidates=shown, sure_ids=ids)


def _share(me: Sent, sure: list[Fit], others: Sequence[Sent], look: Look, taken: Collection[str]) -> Fit | None:
    """Return the one fit that is this order's, counting the equal ones of ours that look for theirs (rules 4 and 5)."""
    if not sure:
        return None
    names = {name for fit in sure for name in fit.ids}
    group: list[tuple[Sent, list[Fit]]] = [(me, sure)]
    for other in others:
        fits = explain(other, look, taken)
        if other.looks_like(me) and len(me.legs) == 1:
            group.append((other, [fit for fit in fits if fit.sure]))
        elif any(names & set(fit.ids) for fit in fits if fit.sure or fit.near) or other.looks_like(me):
            return None
    fits = {fit.ids: fit for _, found in group for fit in found}
    if len(fits) != len(group):
        return None
    # An order that was sent later has a later baseline, and so fewer that fit: it chooses first, from the newest.
    left = list(fits)
    for sent, found in sorted(group, key=_sent_at, reverse=True):
        mine = [ids for ids in left if any(fit.ids == ids for fit in found)]
        if not mine:
            return None
        if sent.ticket == me.ticket:
            return fits[mine[-1]]
        left.remove(mine[-1])
    return None


def _sent_at(one: tuple[Sent, list[Fit]]) -> tuple[float, str]:
    at = one[0].at
    return (0.0 if at is None else at.timestamp(), one[0].ticket)


def explain(sent: Sent, look: Look, taken: Collection[str]) -> list[Fit]:
    """Return everything in this look that could be the order (rules 1 to 3 and 6 to 9)."""
    fills = fills_of(look.records, sent.intent.pair)
    digits = sent.baseline.digits | digits_of(None, look.orders or (), look.records)
    before = (sent.baseline.open_ids or frozenset[str]()) | (sent.baseline.filled_ids or frozenset[str]())
    orders = [
        order
        for order in look.orders or ()
        if order.id
        and order.id not in before
        and order.id not in taken
        and order.pair == sent.intent.pair
        and order.side is sent.side
    ]
    new = [one for one in fills.values() if one.id not in before and one.id not in taken and one.side is sent.side]
    found = _resting(sent, orders, fills, digits)
    shown = {name for fit in found for name in fit.ids}
    limits = len(sent.legs) == 1 and _is_limit(sent.legs[0])
    rests = limits and (sent.rested or any(fit.sure for fit in found))
    found += [
        fit
        for fit in _filled(sent, new, digits)
        if shown.isdisjoint(fit.ids) and not (rests and _is_elsewhere(sent, fit, digits))
    ]
    old = [one for one in fills.values() if one.id in (sent.baseline.filled_ids or ()) and one.id not in taken]
    unsure = (
        sent.baseline.open_ids is None
        or sent.contracts
        or (limits and shows_again_and_again(old, sent.intent.amount, digits.amount))
    )
    return [replace(fit, sure=False) for fit in found] if unsure else found


# Resting orders


def _resting(sent: Sent, orders: Sequence[OpenOrder], fills: dict[str, Fills], digits: Digits) -> list[Fit]:
    if len(sent.legs) > 1:
        return _legs(sent, orders, fills, digits)
    leg = next(iter(sent.legs))
    if _is_limit(leg):
        fits = (_limit(sent.intent.amount, leg, order, fills.get(order.id), digits) for order in orders)
        return [fit for fit in fits if fit is not None]
    if leg.stop is not None or leg.trail is not None:
        return [
            replace(
                _fit(order, sure=_names(sent, leg, order, digits), fills=fills.get(order.id)),
                near=_is_near(sent, leg, order, digits),
            )
            for order in orders
            if _could_be(sent, order)
        ]
    return []  # a market order never rests


def _is_limit(leg: Leg) -> bool:
    return leg.limit is not None and leg.stop is None and leg.trail is None


def _limit(amount: Decimal, leg: Leg, order: OpenOrder, filled: Fills | None, digits: Digits) -> Fit | None:
    """Return how well a resting order fits a limit order (rules 2 and 3)."""
    if leg.limit is None or order.amount is None or order.amount <= 0 or _names_another_kind(order):
        return None
    exact_price = is_price(order.price, leg.limit, digits.price)
    if not exact_price and not is_coarse_price(order.price, leg.limit, digits.price):
        return None
    if exact_price and is_amount(order.amount, amount, digits.amount):
        return _fit(order, sure=True, fills=filled)
    whole = None if filled is None else order.amount + filled.amount
    if exact_price and whole is not None and is_amount(whole, amount, digits.amount):
        # What still rests and what is filled of it add up.
        return _fit(order, sure=True, fills=filled, amount=whole)
    return _fit(order, sure=False, fills=filled) if order.amount < amount or same(order.amount, amount) else None


def _names_another_kind(order: OpenOrder) -> bool:
    return order.kind != "limit" or order.order_type != "limit" or _number(order, "stopPrice", "trail") is not None


def _number(order: OpenOrder, *names: str) -> Decimal | None:
    found = (to_decimal(order.raw.get(name)) for name in names)
    return next((one for one in found if one is not None and one > 0), None)


def _could_be(sent: Sent, order: OpenOrder) -> bool:
    return order.amount is None or order.amount <= sent.intent.amount or same(order.amount, sent.intent.amount)


def _is_near(sent: Sent, leg: Leg, order: OpenOrder, digits: Digits) -> bool:
    prices = (leg.stop, leg.limit) if leg.trail is None else ()
    at_one = any(price is not None and is_price(order.price, price, digits.price) for price in prices)
    return is_amount(order.amount, sent.intent.amount, digits.amount) and (at_one or leg.trail is not None)


def _names(sent: Sent, leg: Leg, order: OpenOrder, digits: Digits) -> bool:
    """Return whether the record itself says that it is this stop or this trail (rule 6)."""
    if not is_amount(order.amount, sent.intent.amount, digits.amount):
        return False
    if leg.trail is not None:
        return "trail" in order.kind and is_price(_number(order, "trail"), leg.trail, digits.price)
    stop = _number(order, "stopPrice", "triggerPrice")
    limited = leg.limit is None or is_price(order.price, leg.limit, digits.price)
    return "stop" in order.kind and leg.stop is not None and is_price(stop, leg.stop, digits.price) and limited


def _legs(sent: Sent, orders: Sequence[OpenOrder], fills: dict[str, Fills], digits: Digits) -> list[Fit]:
    """Return both legs as one answer if exactly two new orders show them (rule 7); else each is a candidate."""
    first, second = sent.legs[0], sent.legs[-1]
    fitting = [order for order in orders if is_amount(order.amount, sent.intent.amount, digits.amount)]

    def at(order: OpenOrder, *prices: Decimal | None) -> bool:
        return any(price is not None and is_price(order.price, price, digits.price) for price in prices)

    limits = [order for order in fitting if at(order, first.limit)]
    stops = [
        order
        for order in fitting
        if order not in limits
        and (at(order, second.stop, second.limit) or (second.trail is not None and _names(sent, second, order, digits)))
    ]
    if len(limits) == len(stops) == 1:
        both = (limits[0], stops[0])
        fit = _fit(both[0], sure=True, fills=next((fills[one.id] for one in both if one.id in fills), None))
        return [replace(fit, ids=tuple(order.id for order in both))]
    return [replace(_fit(order, sure=False), near=True) for order in (*limits, *stops)]


def _fit(order: OpenOrder, *, sure: bool, fills: Fills | None = None, amount: Decimal | None = None) -> Fit:
    return Fit(
        ids=(order.id,),
        sure=sure,
        where="open_orders",
        amount=amount or order.amount,
        price=order.price,
        order_type=order.order_type,
        fills=fills,
    )


# Fills


def _filled(sent: Sent, new: Sequence[Fills], digits: Digits) -> list[Fit]:
    """Return how well new fills fit (rules 8 and 9)."""
    since = sent.baseline.t0
    # Without Gunbot's clock, ours has to do for what is only a candidate.
    after = sent.baseline.at_millis - MARKET_MILLIS if since is None else since
    near = [one for one in new if one.first >= after and _rates_fit(sent, one, digits)]
    if _is_market(sent) and since is not None:
        near = [one for one in near if one.last <= since + MARKET_MILLIS]
    dated = since is not None and sent.baseline.filled_ids is not None and (_is_market(sent) or _plain_limit(sent))
    fits: list[Fit] = []
    for one in near:
        whole = one.whole and one.pair == sent.intent.pair and is_amount(one.amount, sent.intent.amount, digits.amount)
        rest = sum((other.amount for other in near if other is not one and not _reaches(other, sent)), Decimal(0))
        # Smaller ones that could add up to the amount are another explanation: an exchange may give each fill its id.
        alone = not is_amount(rest, sent.intent.amount, digits.amount) and rest < sent.intent.amount
        if whole or one.amount < sent.intent.amount:
            price = one.average
            fits.append(Fit(ids=(one.id,), sure=dated and whole and alone, where="history", price=price, fills=one))
    return fits


def _is_elsewhere(sent: Sent, fit: Fit, digits: Digits) -> bool:
    """Return whether fills lie neither at the order's own price nor at the quote.

    Rule 9 is for an order that was never seen open. Where one rests that is this order's in every digit, a fill that
    only a market in motion could explain is no second explanation.
    """
    limit, slip = sent.legs[0].limit, sent.slippage / 100
    quote = sent.baseline.ask if sent.side is Side.BUY else sent.baseline.bid
    rates = () if fit.fills is None else fit.fills.rates
    return not all(
        (limit is not None and is_price(rate, limit, digits.price))
        or (quote is not None and abs(rate - quote) <= quote * slip)
        for rate in rates
    )


def _reaches(one: Fills, sent: Sent) -> bool:
    return one.amount >= sent.intent.amount


def _is_market(sent: Sent) -> bool:
    return sent.legs == (Leg(),)


def _plain_limit(sent: Sent) -> bool:
    return len(sent.legs) == 1 and _is_limit(sent.legs[0])


def _rates_fit(sent: Sent, one: Fills, digits: Digits) -> bool:
    """Return whether every rate is one at which this order could have filled."""
    buys, slip = sent.side is Side.BUY, sent.slippage / 100
    quote = sent.baseline.ask if buys else sent.baseline.bid
    if _is_market(sent):
        return quote is not None and all(abs(rate - quote) <= quote * slip for rate in one.rates)
    if not _plain_limit(sent):
        return True
    limit = sent.legs[0].limit
    if limit is None:
        return False

    def at_limit(rate: Decimal) -> bool:
        # The exchange may have cut the limit to the worse side.
        return is_price(rate, limit, digits.price)

    best: Iterable[Decimal] = (limit,) if quote is None else (limit, quote)
    if buys:
        return all(min(best) * (1 - slip) <= rate and (rate <= limit or at_limit(rate)) for rate in one.rates)
    return all(rate <= max(best) * (1 + slip) and (rate >= limit or at_limit(rate)) for rate in one.rates)


# Observations


def _observation(fit: Fit, certainty: Certainty, at: datetime) -> Observation:
    fills = fit.fills
    # An order that has filled may linger among the open ones: what the history adds up to counts more (rule 10).
    done = fills is not None and fit.amount is not None and fills.amount >= fit.amount
    open_ = fit.where == "open_orders" and not done
    state = ("open" if fills is None else "partly_filled") if open_ else "filled"
    if certainty is Certainty.CANDIDATE and not open_ and not fit.sure:
        state = None  # a part of it, perhaps
    return Observation(
        order_ids=fit.ids,
        where="open_orders" if open_ else "history",
        state=state,
        certainty=certainty,
        seen_at=at,
        price=fit.price,
        order_type=fit.order_type,
        amount=fit.amount,
        filled=None if fills is None else fills.amount,
        average=None if fills is None else fills.average,
        filled_at=None if fills is None else fills.last_at,
    )
