"""What each closing record closed: lots by FIFO, LIFO, HIFO or as a moving average, in exact whole numbers.

A lot carries amount, cost and fees; taking part of it takes the same share of all three, and the last part takes the
rest, so that parts always add up to the whole. All numbers are integers in units of 1e-18 (see `UNIT`); a share is cut
to a unit. What is closed beyond the known lots is in no `matched`, and opens nothing.
"""

import heapq
from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, Protocol, cast

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


class Match(NamedTuple):
    """What became of a fill that did more than open a lot.

    `at` is the fill's place; `matched` the amount that found lots; `basis`, `opening` the cost and the fees of what it
    took; `waited` the sum of cost · milliseconds, `longest` the milliseconds of its oldest lot (both 0 for averages);
    `opened` the amount that opened a lot (of a fill that crossed zero, or of a signed position).
    """

    at: int
    matched: int
    basis: int
    opening: int
    waited: int
    longest: int
    opened: int


Taken = tuple[int, int, int, int, int]
"""Amount, cost, fees, cost · milliseconds, and the longest wait of what a close took."""


_Lot = tuple[int, int, int, int]
"""When it was opened, its amount, its cost, its fees."""


class Stock(Protocol):
    """The open lots of one position."""

    def add(self, time_ms: int, amount: int, cost: int, fees: int, rate: int) -> None: ...
    def take(self, time_ms: int, amount: int) -> Taken: ...
    def empty(self) -> bool: ...


class _Queue:
    """Lots in the order in which they are taken: the oldest first, or the newest."""

    def __init__(self, *, newest: bool) -> None:
        self.lots: deque[_Lot] = deque()
        self._at = -1 if newest else 0
        self._drop = self.lots.pop if newest else self.lots.popleft

    def add(self, time_ms: int, amount: int, cost: int, fees: int, rate: int) -> None:
        del rate
        self.lots.append((time_ms, amount, cost, fees))

    def empty(self) -> bool:
        return not self.lots

    def take(self, time_ms: int, amount: int) -> Taken:
        lots, at = self.lots, self._at
        left, basis, opening, waited, longest = amount, 0, 0, 0, 0
        while left and lots:
            opened, held, cost, fees = lots[at]
            if held <= left:
                self._drop()
                left -= held
            else:
                share, of_fees = cost * left // held, fees * left // held
                lots[at] = (opened, held - left, cost - share, fees - of_fees)
                cost, fees, left = share, of_fees, 0
            wait = time_ms - opened
            basis += cost
            opening += fees
            waited += cost * wait
            if wait > longest:  # noqa: PLR1730 - max() costs as much as all else here
                longest = wait
        return amount - left, basis, opening, waited, longest


class _Heap:
    """Lots of the highest rate first; of equal rates the older."""

    def __init__(self) -> None:
        self._lots: list[tuple[int, int, _Lot]] = []
        self._count = 0

    def add(self, time_ms: int, amount: int, cost: int, fees: int, rate: int) -> None:
        self._count += 1
        heapq.heappush(self._lots, (-rate, self._count, (time_ms, amount, cost, fees)))

    def empty(self) -> bool:
        return not self._lots

    def take(self, time_ms: int, amount: int) -> Taken:
        left, basis, opening, waited, longest = amount, 0, 0, 0, 0
        while left and self._lots:
            rate, count, (opened, held, cost, fees) = self._lots[0]
            if held <= left:
                heapq.heappop(self._lots)
                left -= held
            else:
                share, of_fees = cost * left // held, fees * left // held
                self._lots[0] = (rate, count, (opened, held - left, cost - share, fees - of_fees))
                cost, fees, left = share, of_fees, 0
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


def match(fills: Iterable[Fill], shape: Shape, method: Method) -> list[Match]:
    """Return what the fills of one pair closed. They stand in the order of records; plain tuples will do."""
    found = _signed(fills, method) if shape is Shape.SIGNED else _one_way(fills, shape, method)
    return cast("list[Match]", found)  # a million named tuples would take a second more


def _one_way(fills: Iterable[Fill], shape: Shape, method: Method) -> list[tuple[int, ...]]:
    stock, found = _stock(method), list[tuple[int, ...]]()
    add, take, note = stock.add, stock.take, found.append
    opens = shape is Shape.LONG
    for at, (time_ms, buys, closes, amount, cost, fees, rate) in enumerate(fills):
        if amount <= 0 or buys is None:
            continue
        if closes:
            # On the side that opens, its pnl says that it closes something: but no lot here is that.
            note((at, 0, 0, 0, 0, 0, 0) if buys is opens else (at, *take(time_ms, amount), 0))
        elif buys is opens:
            add(time_ms, amount, cost, fees, rate)
    return found


def _signed(fills: Iterable[Fill], method: Method) -> list[tuple[int, ...]]:
    stock, found, long = _stock(method), list[tuple[int, ...]](), True
    for at, (time_ms, buys, _, amount, cost, fees, rate) in enumerate(fills):
        if amount <= 0 or buys is None:
            continue
        taken: Taken = (0, 0, 0, 0, 0)
        if not stock.empty() and buys is not long:
            taken = stock.take(time_ms, amount)
        opened = amount - taken[0]
        if opened:
            # What crosses zero closes first, and opens with its share of the rest.
            matched = taken[0]
            stock.add(time_ms, opened, cost - cost * matched // amount, fees - fees * matched // amount, rate)
            long = buys
        found.append((at, *taken, opened))
    return found
