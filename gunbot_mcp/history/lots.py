"""What each closing record closed: lots by FIFO, LIFO, HIFO or as a moving average, in exact whole numbers.

A lot carries amount, cost and fees; taking part of it takes the same share of all three, and the last part takes the
rest, so that parts always add up to the whole. All numbers are integers in units of 1e-18 (see `UNIT`); a share is cut
to a unit. What is closed beyond the known lots is in no `matched`, and opens nothing.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from gunbot_mcp.domain import Pair
from gunbot_mcp.exchanges import EXCHANGES, base_name

UNIT = 10**18


class Method(StrEnum):
    """Which lot a close takes first."""

    FIFO = "fifo"
    LIFO = "lifo"
    HIFO = "hifo"
    AVERAGE = "average"


class Shape(StrEnum):
    """What opens a lot: a buy (spot, `-LONG`), a sell (`-SHORT`), or whatever moves the one position from zero."""

    LONG = "long"
    SHORT = "short"
    SIGNED = "signed"


def shape_of(exchange: str, pair: str) -> Shape:
    """Return how lots of a pair open. Futures without `-LONG` or `-SHORT` have one position, long or short."""
    parsed, known = Pair.parse(pair), EXCHANGES.get(base_name(exchange))
    if parsed is not None and parsed.hedge is not None:
        return Shape.SHORT if parsed.hedge == "SHORT" else Shape.LONG
    signed = known is not None and known.futures and (not known.spot or not known.told_apart or parsed is None)
    return Shape.SIGNED if signed else Shape.LONG


class Fill(NamedTuple):
    """One record, in the order of records. `buys` None: it has no side. `rate`, `cost` and `fees` may be unknown."""

    time_ms: int
    buys: bool | None
    closes: bool
    amount: int
    cost: int
    fees: int
    rate: int = 0


@dataclass(slots=True)
class Matches:
    """What became of each fill, column by column, in the order of the fills that did more than open a lot.

    `at` is the fill's place; `matched` the amount that found lots; `basis`, `opening` the cost and the fees of what it
    took; `waited` the sum of cost · milliseconds, `longest` the milliseconds of its oldest lot (both 0 for averages);
    `opened` the amount that opened a lot (of a fill that crossed zero, or of a signed position).
    """

    at: list[int] = field(default_factory=list[int])
    matched: list[int] = field(default_factory=list[int])
    basis: list[int] = field(default_factory=list[int])
    opening: list[int] = field(default_factory=list[int])
    waited: list[int] = field(default_factory=list[int])
    longest: list[int] = field(default_factory=list[int])
    opened: list[int] = field(default_factory=list[int])

    def add(self, at: int, taken: "Taken", opened: int = 0) -> None:
        self.at.append(at)
        self.matched.append(taken[0])
        self.basis.append(taken[1])
        self.opening.append(taken[2])
        self.waited.append(taken[3])
        self.longest.append(taken[4])
        self.opened.append(opened)


Taken = tuple[int, int, int, int, int]
"""Amount, cost, fees, cost · milliseconds, and the longest wait of what a close took."""


class Stock(Protocol):
    """The open lots of one position."""

    def add(self, time_ms: int, amount: int, cost: int, fees: int, rate: int) -> None: ...
    def take(self, time_ms: int, amount: int) -> Taken: ...
    def empty(self) -> bool: ...


class _Queue:
    """Lots in the order in which they are taken: the oldest first, or the newest."""

    def __init__(self, *, newest: bool) -> None:
        self._lots: deque[list[int]] = deque()
        self._at = -1 if newest else 0
        self._drop = self._lots.pop if newest else self._lots.popleft

    def add(self, time_ms: int, amount: int, cost: int, fees: int, rate: int) -> None:
        del rate
        self._lots.append([time_ms, amount, cost, fees])

    def empty(self) -> bool:
        return not self._lots

    def take(self, time_ms: int, amount: int) -> Taken:
        lots, at = self._lots, self._at
        left, basis, opening, waited, longest = amount, 0, 0, 0, 0
        while left and lots:
            lot = lots[at]
            opened, held, cost, fees = lot
            if held <= left:
                self._drop()
                left -= held
            else:
                cost, fees = cost * left // held, fees * left // held
                lot[1] = held - left
                lot[2] -= cost
                lot[3] -= fees
                left = 0
            wait = time_ms - opened
            basis += cost
            opening += fees
            waited += cost * wait
            longest = max(longest, wait)
        return amount - left, basis, opening, waited, longest


class _Heap:
    """Lots of the highest rate first; of equal rates the older."""

    def __init__(self) -> None:
        self._lots: list[tuple[int, int, list[int]]] = []
        self._count = 0

    def add(self, time_ms: int, amount: int, cost: int, fees: int, rate: int) -> None:
        self._count += 1
        heapq.heappush(self._lots, (-rate, self._count, [time_ms, amount, cost, fees]))

    def empty(self) -> bool:
        return not self._lots

    def take(self, time_ms: int, amount: int) -> Taken:
        left, basis, opening, waited, longest = amount, 0, 0, 0, 0
        while left and self._lots:
            lot = self._lots[0][2]
            opened, held, cost, fees = lot
            if held <= left:
                heapq.heappop(self._lots)
                left -= held
            else:
                cost, fees = cost * left // held, fees * left // held
                lot[1:] = held - left, lot[2] - cost, lot[3] - fees
                left = 0
            wait = time_ms - opened
            basis += cost
            opening += fees
            waited += cost * wait
            longest = max(longest, wait)
        return amount - left, basis, opening, waited, longest


class _Average:
    """One lot at the average of all that is open. It has no age."""

    def __init__(self) -> None:
        self._amount = self._cost = self._fees = 0

    def add(self, time_ms: int, amount: int, cost: int, fees: int, rate: int) -> None:
        del time_ms, rate
        self._amount += amount
        self._cost += cost
        self._fees += fees

    def empty(self) -> bool:
        return not self._amount

    def take(self, time_ms: int, amount: int) -> Taken:
        del time_ms
        held = self._amount
        if amount >= held:
            taken = (held, self._cost, self._fees, 0, 0)
            self._amount = self._cost = self._fees = 0
            return taken
        cost, fees = self._cost * amount // held, self._fees * amount // held
        self._amount -= amount
        self._cost -= cost
        self._fees -= fees
        return amount, cost, fees, 0, 0


def _stock(method: Method) -> Stock:
    if method is Method.HIFO:
        return _Heap()
    if method is Method.AVERAGE:
        return _Average()
    return _Queue(newest=method is Method.LIFO)


def match(fills: Iterable[Sequence[int | bool | None]], shape: Shape, method: Method) -> Matches:
    """Return what each fill of one pair closed. The fills (`Fill`, or its fields) stand in the order of records."""
    return _signed(fills, method) if shape is Shape.SIGNED else _one_way(fills, shape, method)


def _one_way(fills: Iterable[Sequence[int | bool | None]], shape: Shape, method: Method) -> Matches:
    stock, found = _stock(method), Matches()
    add, take, note = stock.add, stock.take, found.add
    opens = shape is Shape.LONG
    for at, (time_ms, buys, closes, amount, cost, fees, rate) in enumerate(fills):
        if not amount or buys is None:
            continue
        if not closes:
            if buys is opens:
                add(time_ms, amount, cost, fees, rate)  # pyright: ignore[reportArgumentType] - a Fill's fields, unpacked
        elif buys is opens:
            # Its pnl says that it closes something, but it is on the side that opens: no lot here is that.
            note(at, (0, 0, 0, 0, 0))
        else:
            note(at, take(time_ms, amount))  # pyright: ignore[reportArgumentType] - as above
    return found


def _signed(fills: Iterable[Sequence[int | bool | None]], method: Method) -> Matches:
    stock, found, long = _stock(method), Matches(), True
    for at, row in enumerate(fills):
        fill = Fill(*row)  # pyright: ignore[reportArgumentType] - a Fill's fields
        if not fill.amount or fill.buys is None:
            continue
        taken: Taken = (0, 0, 0, 0, 0)
        if not stock.empty() and fill.buys is not long:
            taken = stock.take(fill.time_ms, fill.amount)
        opened = fill.amount - taken[0]
        if opened:
            # What crosses zero closes first, and opens with its share of the rest.
            cost = fill.cost - fill.cost * taken[0] // fill.amount
            fees = fill.fees - fill.fees * taken[0] // fill.amount
            stock.add(fill.time_ms, opened, cost, fees, fill.rate)
            long = fill.buys
        found.add(at, taken, opened)
    return found
