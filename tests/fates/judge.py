"""Compares what is said of an order with the exchange's own truth, as of what could be seen when it was said.

*False* is what the truth contradicts. A foreign order that shows the very same side, amount and price as ours (or
fills likewise, within the limits in which ours may fill) cannot be told from it: what is said of such a *twin* is
counted apart. So are two equal orders of ours that got each other's ids.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from fates.gunbot import FakeGunbot
from fates.truth import NEVER, TrueOrder
from simulation.processes import START

from gunbot_mcp.domain import Leg, Side, legs_of, side_of
from gunbot_mcp.tickets.channels import Speaker
from gunbot_mcp.tickets.ticket import Certainty, Observation, ReasonCode, State, Ticket

_SLIPPAGE = Decimal("0.011")
_AWAY = 60 + 10.0
"""For how long after its sending a market order's fills count, with the most that clocks and networks may be late."""
_SAME = Decimal("1e-6")
MATCHABLE = frozenset({"buy_limit", "sell_limit", "buy_market", "sell_market", "buy_oco", "sell_oco"}) | {
    "close_limit",
    "close_market",
}
PAGE = 50
"""How many records a look at the history asks for: what is further back is not seen."""
_GRID = 3
"""So many records of the very same amount, and a pair counts as one where a bot trades it again and again."""


@dataclass(frozen=True, slots=True)
class Look:
    """When somebody looked, in seconds."""

    began: float
    ended: float

    def holds(self, at: float) -> bool:
        return self.began - 0.001 <= at <= self.ended + 0.001


@dataclass
class Tally:
    """What was counted: statements (`said`), `false` ones in words, and of our orders how many were matched."""

    false: list[str] = field(default_factory=list[str])
    said: Counter[str] = field(default_factory=Counter[str])
    orders: Counter[str] = field(default_factory=Counter[str])
    missed: list[str] = field(default_factory=list[str])

    def add(self, other: "Tally") -> None:
        self.false += other.false
        self.said += other.said
        self.orders += other.orders
        self.missed += other.missed

    @property
    def share(self) -> float:
        """The share of the orders without a twin that were matched without a human, of those that could be."""
        return self.orders["matched"] / (self.orders["could be"] or 1)

    def lines(self) -> Iterator[str]:
        said, orders = self.said, self.orders
        yield f"{said['all']:,} statements about {orders['sent']:,} orders judged, {len(self.false)} false"
        yield (
            f"{said['twins']:,} statements name an exact twin, {said['equals']:,} an equal order of ours "
            f"({orders['twins']:,} orders have a twin)"
        )
        yield (
            f"of {orders['could be']:,} orders without a twin that were shown, {orders['matched']:,} matched "
            f"without a human: {self.share:.1%}"
        )
        rest = ", ".join(f"{name} {orders[name]:,}" for name in sorted(orders) if name.startswith("apart: "))
        yield rest.replace("apart: ", "") or "none apart"


class _Twin(Exception):
    """What was said names an order that cannot be told from ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saw:
    """What Gunbot showed of some orders: its lists of open orders, and the sums of their fills with the averages.

    `now` are the sums that were shown in the very window; `prices` those of its orders in any listing until then, since
    an order's own price does not change while one of its legs is not listed.
    """

    names: list[str]
    listings: list[Mapping[str, tuple[Decimal, Decimal]]]
    fills: dict[Decimal, Decimal]
    now: list[Decimal]
    prices: list[Decimal]


@dataclass
class Judge:
    gunbot: FakeGunbot
    tally: Tally = field(default_factory=Tally)
    _looks: list[Look] = field(default_factory=list[Look])
    _of: dict[str, list[Look]] = field(default_factory=dict[str, list[Look]])
    _tickets: dict[str, Ticket] = field(default_factory=dict[str, Ticket])
    _claimed: dict[str, str] = field(default_factory=dict[str, str])

    def sent(self, ticket: Ticket) -> None:
        self._tickets[ticket.id] = ticket

    def unasked(self, ticket: Ticket) -> None:
        """Judge a cancel that went without a human: only a plain entry order of ours may go so."""
        if ticket.decided_by is None or ticket.decided_by.row.speaks_for is not Speaker.RULE:
            return
        self.tally.said["all"] += 1
        target = self._target(ticket)
        if target is None or target.kind != "limit" or not target.ticket or target.partner is not None:
            likes = target is not None and any(self.alike(target, one) for one in self._tickets.values())
            if likes:
                self.tally.said["twins"] += 1
            else:
                self._false(ticket, f"its cancel of {target} went without a human")

    def hear(self, ticket: Ticket, look: Look) -> None:
        """Judge what a ticket says after a look."""
        if not ticket.cancels:
            self._tickets[ticket.id] = ticket
        self._looks.append(look)
        self._of.setdefault(ticket.id, []).append(look)
        self.tally.said["all"] += 1
        seen = ticket.observed
        self.gunbot.story.append(
            f"{look.ended:8.1f} {ticket.id} says {ticket.state} ({ticket.reason and ticket.reason.code}) {_short(seen)}"
        )
        try:
            for wrong in self._wrongs(ticket):
                self._false(ticket, wrong)
        except _Twin as twin:
            self.tally.said[str(twin)] += 1

    def _false(self, ticket: Ticket, wrong: str) -> None:
        self.gunbot.story.append(f"{'':8} FALSE: {ticket.id} ({ticket.tool}): {wrong}")
        self.tally.false.append(f"ticket {ticket.id} ({ticket.tool}): {wrong}")

    # What is false

    def _wrongs(self, ticket: Ticket) -> Iterator[str]:  # noqa: C901 - one question after another
        own = self._own(ticket)
        seen = ticket.observed
        code = None if ticket.reason is None else ticket.reason.code
        if ticket.state is State.REJECTED and own:
            yield "it says rejected, but the order exists"
        if code is ReasonCode.FILLED_FIRST:
            target = self._target(ticket)
            if target is None or target.done > self._looks[-1].ended:
                yield f"it says filled before the cancel, in truth {target}"
        elif ticket.state is State.VOID and code is not ReasonCode.HUMAN_NOT_PLACED and self._taken(ticket):
            yield f"it says void ({code}), but Gunbot took it"
        if code is ReasonCode.HUMAN_NOT_PLACED:
            yield "it says that a human said so, and none did"
        sure = seen is not None and seen.certainty is not Certainty.CANDIDATE
        if ticket.state is State.ACCEPTED and code is ReasonCode.FOUND and not sure:
            yield "it was accepted by what is only a candidate"
        if seen is None:
            return
        moment = None if seen.seen_at is None else (seen.seen_at - START).total_seconds()
        window = next((one for one in reversed(self._looks) if moment is not None and one.holds(moment)), None)
        if window is None:
            yield f"it was seen at {moment}, when nobody looked"
            return
        if ticket.cancels:
            yield from self._cancel(ticket, seen, window)
            return
        named = [self._owner(name) for name in seen.order_ids]
        if None in named:
            yield f"it names {seen.order_ids}, and not all of them exist"
            return
        orders = [order for order in named if order is not None]
        yield from self._names(ticket, seen, orders)
        yield from self._state(seen, orders, window)

    def _names(self, ticket: Ticket, seen: Observation, orders: list[TrueOrder]) -> Iterator[str]:
        before = (ticket.baseline or {}).get("open_ids") or ()
        old = [name for name in seen.order_ids if name in before]
        if old:
            yield f"it names {old}, which was there before"
        if seen.certainty is Certainty.CANDIDATE:
            return
        for name in seen.order_ids:
            other = self._claimed.setdefault(name, ticket.id)
            if other != ticket.id and self._still(other, name):
                yield f"it names {name}, which ticket {other} names, too"
        foreign = [order for order in orders if order.ticket != ticket.id]
        if foreign:
            equal = [one for one in foreign if one.ticket and self._equal(ticket, self._tickets.get(one.ticket))]
            if len(equal) == len(foreign):
                raise _Twin("equals")
            if all(self.alike(one, ticket) for one in foreign):
                raise _Twin("twins")
            yield f"it names {[str(one) for one in foreign]}, its own are {[str(one) for one in self._own(ticket)]}"

    def _still(self, other: str, name: str) -> bool:
        observed = self._tickets[other].observed if other in self._tickets else None
        return observed is not None and observed.certainty is not Certainty.CANDIDATE and name in observed.order_ids

    def _state(self, seen: Observation, orders: list[TrueOrder], window: Look) -> Iterator[str]:
        saw = self._saw(orders, window)
        truly = max((order.filled(window.ended) for order in orders), default=Decimal(0))
        sure = seen.certainty is not Certainty.CANDIDATE
        if seen.filled is not None and seen.filled > truly and not _close(seen.filled, truly):
            yield f"it says {seen.filled} filled, in truth {truly}"
        averages = saw.fills.values()
        if seen.average is not None and sure and not any(_close(seen.average, value) for value in averages):
            yield f"it says average {seen.average}, Gunbot showed {saw.fills}"
        match seen.state:
            case "open":
                yield from self._open(seen, saw, sure=sure)
            case "partly_filled":
                yield from _partly(seen, saw, orders[0], truly, sure=sure)
            case "filled":
                yield from _filled(seen, orders, window) if sure else ()
            case "gone":
                yield from _gone(seen, orders, truly, window)
            case None:
                last = saw.listings[-1:] if seen.where == "not_open" else []
                if any(name in listing for listing in last for name in saw.names):
                    yield "it says no longer open, but it was listed"

    def _open(self, seen: Observation, saw: _Saw, *, sure: bool) -> Iterator[str]:
        faces = [listing[name] for listing in saw.listings for name in saw.names if name in listing]
        if not faces:
            yield "it says open, but no open order of that id was shown"
        elif seen.price is not None and not any(_close(seen.price, price) for price in saw.prices):
            yield f"it says price {seen.price}, shown was {saw.prices}"
        most = max(saw.now, default=Decimal(0))
        if sure and self.gunbot.habits.linked and most > (seen.filled or 0):
            yield f"it says open, filled {seen.filled}, but fills of {most} were shown"

    def _cancel(self, ticket: Ticket, seen: Observation, window: Look) -> Iterator[str]:
        target = self._target(ticket)
        if target is None or seen.order_ids != (target.id,):
            yield f"it names {seen.order_ids}, to be cancelled is {target}"
            return
        code = None if ticket.reason is None else ticket.reason.code
        if code is ReasonCode.CANCEL_SEEN and seen.state == "gone" and target.ended > window.ended:
            yield f"it says that the cancel was seen to work, in truth {target}"
        yield from self._state(seen, [target], window)

    # What could be seen

    def _saw(self, orders: list[TrueOrder], window: Look) -> _Saw:
        """Return what Gunbot showed of these orders in a window; of the history also all that it showed before."""
        told = [one for one in self.gunbot.answers if one.at <= window.ended + 0.001]
        listings = [one.listed for one in told if one.listed is not None and window.holds(one.at)]
        fills: dict[Decimal, Decimal] = {}
        now: list[Decimal] = []
        filling = [order for order in orders if order.fills]
        for answer in told:
            if answer.what != "history" or not filling:
                continue
            page = self.gunbot.records_as_of(answer.as_of)[-PAGE:]
            for order in filling:
                found = [(amount, rate) for one, _, _, amount, rate in page if one is order]
                if found:
                    whole = sum((amount for amount, _ in found), Decimal(0))
                    fills[whole] = sum((amount * rate for amount, rate in found), Decimal(0)) / whole
                    now += [whole] if window.holds(answer.at) else []
        names = [order.id for order in orders]
        prices = [one.listed[name][1] for one in told if one.listed is not None for name in names if name in one.listed]
        return _Saw(names=names, listings=listings, fills=fills, now=now, prices=prices)

    # Whose is it

    def _own(self, ticket: Ticket) -> list[TrueOrder]:
        return [order for order in self.gunbot.truth if order.ticket == ticket.id]

    def _taken(self, ticket: Ticket) -> bool:
        return any(post.seen for post in self.gunbot.posts if post.ticket == ticket.id)

    def _owner(self, name: str) -> TrueOrder | None:
        for order in self.gunbot.truth:
            if order.id == name or any(fill.record == name for fill in order.fills):
                return order
        return None

    def _target(self, ticket: Ticket) -> TrueOrder | None:
        named = getattr(ticket.order.intent, "order_id", None)
        return next((order for order in self.gunbot.truth if order.id == named), None)

    def _equal(self, one: Ticket, other: Ticket | None) -> bool:
        """Return whether two of our orders look the same at the exchange."""
        mine, theirs = one.order.trade, None if other is None else other.order.trade
        if mine is None or theirs is None or side_of(mine) is not side_of(theirs):
            return False
        market = self.gunbot.market
        if market.amount(mine.amount) != market.amount(theirs.amount):
            return False
        legs = list(zip(legs_of(mine), legs_of(theirs), strict=False))
        return len(legs_of(mine)) == len(legs_of(theirs)) and all(_near(a, b, market.tick) for a, b in legs)

    def alike(self, other: TrueOrder, ticket: Ticket, *, close: bool = False) -> bool:
        """Return whether another order shows what ours would, or filled as ours would, after ours was sent.

        `close`: fills count only at the limit itself or near the market, since ours was seen to rest.
        """
        order = ticket.order.trade
        if order is None or ticket.sent_at is None or other.side != side_of(order).value:
            return False
        gunbot, market = self.gunbot, self.gunbot.market
        amount, sent = market.amount(order.amount), (ticket.sent_at - START).total_seconds()
        prices = [price for leg in legs_of(order) for price in (leg.limit, leg.stop) if price is not None]
        first = other.born if other.shown_from == NEVER else other.shown_from
        moments = (first, *(fill.at for fill in other.fills))
        # A record that names a stop can be the stop leg of an OCO: within the cut, two such stops cannot be told apart.
        plain = other.kind != "market" and (not other.tag or len(legs_of(order)) > 1)
        faces = [gunbot.face(other, at) for at in moments if plain]
        lasts = min(other.ended, other.done) > sent - 4 * gunbot.habits.cycle
        rests = any(cut == amount and any(abs(rate - one) < market.tick for one in prices) for cut, rate in faces)
        if rests and lasts:
            return True
        return any(self._fills_alike(other, leg, amount, sent, close=close) for leg in legs_of(order))

    def _fills_alike(self, other: TrueOrder, leg: Leg, amount: Decimal, sent: float, *, close: bool) -> bool:
        if not any(other.filled(fill.at) == amount for fill in other.fills) or other.fills[0].at < sent - 10:
            return False
        if leg.limit is None and other.fills[0].at > sent + _AWAY:
            return False
        buys, mid, tick = other.side == Side.BUY.value, self.gunbot.market.mid, self.gunbot.market.tick
        worst = leg.limit if leg.limit is not None else mid * (1 + _SLIPPAGE if buys else 1 - _SLIPPAGE)
        best = (min if buys else max)(worst, mid) * (1 - _SLIPPAGE if buys else 1 + _SLIPPAGE)
        near = [abs(fill.rate - mid) <= mid * _SLIPPAGE or abs(fill.rate - worst) < tick for fill in other.fills]
        # What the exchange cut to the worse side fills there.
        fits = [min(best, worst) - tick < fill.rate < max(best, worst) + tick for fill in other.fills]
        return all(fits) and (all(near) or not close)

    # How many were found

    def count(self, ticket: Ticket) -> None:  # noqa: C901 - one kind after another
        """Count what became of a ticket, at the end."""
        orders, seen = self.tally.orders, ticket.observed
        if ticket.cancels:
            orders["apart: cancels"] += 1
            return
        orders["sent"] += 1
        own = self._own(ticket)
        if not own:
            orders["apart: never arrived"] += 1
            return
        found = seen is not None and seen.certainty is Certainty.MATCH
        listed = any(one.id in (answer.listed or ()) for one in own for answer in self.gunbot.answers)
        others = [one for one in self.gunbot.truth if not one.ticket]
        noted = ticket.baseline or {}
        if any(self.alike(one, ticket, close=listed) for one in others):
            orders["twins"] += 1
        elif any(self._equal(ticket, one) for one in self._tickets.values() if one.id != ticket.id):
            orders["apart: equal to another of ours"] += 1
            orders["apart: equal to another of ours, matched"] += found
        elif ticket.tool not in MATCHABLE:
            orders["apart: stops and trails"] += 1
            orders["apart: stops and trails, matched"] += found
        elif any(noted.get(name) is None for name in ("open_ids", *(() if listed else ("filled_ids", "t0")))):
            orders["apart: sent while Gunbot did not show what was there"] += 1
        elif not self._was_shown(ticket, own):
            orders["apart: never shown whole"] += 1
        elif not self.gunbot.habits.linked and not self._one_record(own, listed=listed):
            orders["apart: each fill under an id of its own"] += 1
        elif self._grid(ticket):
            orders["apart: on a bot's own amount"] += 1
            orders["apart: on a bot's own amount, matched"] += found
        else:
            orders["could be"] += 1
            orders["matched"] += found
            if not found:
                self.tally.missed.append(f"ticket {ticket.id} ({ticket.tool}): {[str(one) for one in own]}")

    def _was_shown(self, ticket: Ticket, own: list[TrueOrder]) -> bool:
        """Return whether a look at it saw it rest, both legs at once, or all of its fills."""
        for look in self._of[ticket.id]:
            answers = [answer for answer in self.gunbot.answers if look.holds(answer.at)]
            histories = [answer.as_of for answer in answers if answer.what == "history"]
            listed = any(answer.listed and all(one.id in answer.listed for one in own) for answer in answers)
            page = self.gunbot.records_as_of(max(histories, default=-NEVER))[-PAGE:]
            shown = sum((amount for one, _, _, amount, _ in page if one is own[0]), Decimal(0))
            filled = len(own) == 1 and shown == own[0].amount
            if histories and ((listed and not ticket.tool.endswith("market")) or filled):
                return True
        return False

    def _one_record(self, own: list[TrueOrder], *, listed: bool) -> bool:
        """Return whether what was shown of it bears one id: it was listed, or one record holds all of it."""
        return listed or self.gunbot.habits.merged or all(len(order.fills) == 1 for order in own)

    def _grid(self, ticket: Ticket) -> bool:
        order = ticket.order.trade
        amount = None if order is None else self.gunbot.market.amount(order.amount)
        others = [one for one in self.gunbot.truth if one.ticket != ticket.id]
        return sum(one.filled(self.gunbot.now()) == amount for one in others) >= _GRID


def _partly(seen: Observation, saw: _Saw, order: TrueOrder, truly: Decimal, *, sure: bool) -> Iterator[str]:
    if not truly or (sure and order.amount in saw.fills):
        yield f"it says partly filled, in truth {truly} of {order}"
    if seen.filled is not None and not any(_close(seen.filled, value) for value in saw.fills):
        yield f"it says {seen.filled} filled, Gunbot showed {saw.fills}"


def _filled(seen: Observation, orders: list[TrueOrder], window: Look) -> Iterator[str]:
    truth = [str(order) for order in orders]
    if not any(order.done <= window.ended for order in orders):
        yield f"it says filled, in truth {truth}"
    if seen.filled is not None and not any(_close(seen.filled, order.amount) for order in orders):
        yield f"it says {seen.filled} filled, in truth {truth}"


def _gone(seen: Observation, orders: list[TrueOrder], truly: Decimal, window: Look) -> Iterator[str]:
    if any(order.ended > window.ended for order in orders):
        yield f"it says gone, in truth {[str(order) for order in orders]}"
    elif not _close(seen.filled or Decimal(0), truly):
        yield f"it says gone with {seen.filled or 0} filled, in truth {truly}"


def _near(one: Leg, other: Leg, tick: Decimal) -> bool:
    pairs = ((one.limit, other.limit), (one.stop, other.stop), (one.trail, other.trail))
    return all((a is None and b is None) or (a is not None and b is not None and abs(a - b) < tick) for a, b in pairs)


def _close(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= abs(other) * _SAME


def _short(seen: Observation | None) -> str:
    if seen is None:
        return "nothing seen"
    at = "" if seen.seen_at is None else f" at {(seen.seen_at - START).total_seconds():.1f}"
    return (
        f"{seen.certainty} {seen.state} {', '.join(seen.order_ids)} in {seen.where}{at}"
        f", filled {seen.filled}, average {seen.average}, price {seen.price}"
    )
