"""What is really at the exchange: orders, ours and others', each with the whole of its life. Pure.

A life is written down when an order arrives: its fills to come, and its end. So the truth of any moment, past or to
come, can be asked for, and what somebody is shown late is the truth of an earlier moment. Times are seconds of the
schedule's own clock.
"""

import random
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Literal

Kind = Literal["limit", "market", "stop", "trail"]
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Fill:
    at: float
    amount: Decimal
    rate: Decimal
    record: str
    """The id under which a history writes it where records do not carry the order's own id."""


@dataclass(slots=True, kw_only=True)
class TrueOrder:
    """One order at the exchange. `ticket` is empty for others' orders; `price` and `amount` are as it was cut.

    `shown_from`: when it begins to rest where a bot can see it (a stop may hide until it triggers; a market order never
    rests). `ended`: when it was cancelled, by whomever. `lingers`: for how many of its memory's refreshes Gunbot goes
    on to list it after it has filled. `tag`: what a record says of its kind where the exchange says it at all.
    """

    id: str
    side: str
    kind: Kind
    amount: Decimal
    price: Decimal | None
    born: float
    ticket: str = ""
    fills: tuple[Fill, ...] = ()
    ended: float = NEVER
    shown_from: float = NEVER
    lingers: int = 0
    tag: dict[str, object] = field(default_factory=dict[str, object])
    stop: Decimal | None = None
    partner: "TrueOrder | None" = field(default=None, repr=False)

    def filled(self, at: float) -> Decimal:
        return sum((fill.amount for fill in self.fills if fill.at <= at), Decimal(0))

    @property
    def done(self) -> float:
        """When the last of it filled; never, where it does not fill whole."""
        whole = self.filled(NEVER) == self.amount
        return self.fills[-1].at if whole and self.fills else NEVER

    def open(self, at: float) -> bool:
        return self.born <= at < min(self.ended, self.done)

    def cancel(self, at: float) -> bool:
        """End it, and what is linked with it; return whether it was still open."""
        if not self.open(at):
            return False
        for one in (self, self.partner):
            if one is not None and one.open(at):
                one.fills = tuple(fill for fill in one.fills if fill.at <= at)
                one.ended = at
        return True

    def __str__(self) -> str:
        whose = f"of {self.ticket}" if self.ticket else "foreign"
        stop = "" if self.stop is None else f" stop {self.stop}"
        life = "".join(f", {fill.amount} at {fill.rate} at {fill.at:.1f}" for fill in self.fills)
        end = "" if self.ended == NEVER else f", cancelled at {self.ended:.1f}"
        return f"{self.id} {whose}: {self.side} {self.kind} {self.amount} at {self.price}{stop}{life}{end}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What the exchange counts in: prices in steps of `tick`, amounts in steps of `lot`."""

    exchange: str
    pair: str
    mid: Decimal
    tick: Decimal
    lot: Decimal
    rounding: str

    @property
    def key(self) -> str:
        return f"{self.exchange}/{self.pair}"

    def amount(self, value: Decimal) -> Decimal:
        return stepped(value, self.lot, ROUND_DOWN)

    def price(self, value: Decimal) -> Decimal:
        return stepped(value, self.tick, self.rounding)


ROUNDINGS = (ROUND_HALF_EVEN, ROUND_FLOOR, ROUND_CEILING)


def stepped(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (value / step).to_integral_value(rounding) * step


def parts(chance: random.Random, whole: Decimal, lot: Decimal, most: int) -> list[Decimal]:
    """Cut an amount into one to `most` parts, each of whole steps."""
    steps, found = int(whole / lot), list[Decimal]()
    for left in range(chance.randint(1, most), 0, -1):
        taken = steps if left == 1 else chance.randint(0, steps)
        steps -= taken
        if taken:
            found.append(taken * lot)
    return found


def live(chance: random.Random, order: TrueOrder, market: Market, *, touched: Decimal) -> TrueOrder:
    """Write an order's life down: at once, later, in parts, not at all, cancelled. `touched`: the book's price now."""

    def fills(begin: float, spread: float, amounts: list[Decimal]) -> tuple[Fill, ...]:
        times = sorted(begin + chance.random() * spread for _ in amounts)
        return tuple(
            Fill(at, amount, _rate(chance, order, market, touched), f"{chance.getrandbits(40) + 10**12}")
            for at, amount in zip(times, amounts, strict=True)
        )

    def cut(most: int = 3) -> list[Decimal]:
        return parts(chance, order.amount, market.lot, most)

    begin = order.born if order.shown_from == NEVER else order.shown_from
    if order.kind == "market":
        what = chance.choices(("whole", "part", "none"), weights=(93, 3, 4))[0]
        amounts = cut() if what == "whole" else cut()[:-1] if what == "part" else []
        made = replace(order, fills=fills(begin, chance.choice((0.05, 2.0)), amounts))
        return made if made.done < NEVER else replace(made, ended=begin + 2.1)
    later = begin + chance.choice((3, 40, 400)) * chance.random()
    match chance.choices(("rests", "at once", "later", "part", "cancelled"), weights=(30, 8, 40, 10, 12))[0]:
        case "at once":
            return replace(order, fills=fills(begin, 0.2, cut()))
        case "later":
            return replace(order, fills=fills(later, chance.choice((0.5, 30, 300)), cut()))
        case "part":
            return replace(order, fills=fills(later, 60, cut()[:-1]))
        case "cancelled":
            end = later + chance.random() * 100
            before = [fill for fill in fills(later, 60, cut()[:-1]) if fill.at < end]
            return replace(order, fills=tuple(before), ended=end)
        case _:
            return order


def _rate(chance: random.Random, order: TrueOrder, market: Market, touched: Decimal) -> Decimal:
    slip = Decimal(str(round(chance.uniform(-0.0004, 0.002), 6)))
    at_market = market.price(touched * (1 + slip if order.side == "buy" else 1 - slip))
    if order.price is None:
        return at_market
    crosses = at_market < order.price if order.side == "buy" else at_market > order.price
    return at_market if crosses and order.kind == "limit" and chance.random() < 0.7 else order.price
