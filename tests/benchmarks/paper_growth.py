"""What an order costs on the paper gateway, with little and with much in its file.

`python tests/benchmarks/paper_growth.py` prints milliseconds per market order, and a ratio, for 100 against 20,000
records and for 100 against 2,000 resting orders. Both of a kind are measured in turn in one process, so that a busy
machine disturbs them alike.
"""

import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median

from gunbot_mcp.domain import Leg, Place, Side
from gunbot_mcp.paper.data import PaperData
from gunbot_mcp.paper.engine import LegState, Order
from gunbot_mcp.paper.simulator import Simulator

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SMALLEST = Decimal("0.0001")


@dataclass(frozen=True)
class Growth:
    """Medians in milliseconds of one market order, with little and with much."""

    what: str
    few: int
    many: int
    few_ms: float
    many_ms: float

    @property
    def ratio(self) -> float:
        return self.many_ms / self.few_ms


def by_records(few: int = 100, many: int = 20_000, orders: int = 200) -> Growth:
    """Measure against the records and lots of market orders made before."""
    with _simulator() as one, _simulator() as two:
        for simulator, count in ((one, few), (two, many)):
            # Buys alone leave the most lots; the money is enough for all of them.
            for _ in range(count):
                _buy(simulator)
        return Growth("records", few, many, *_measured(one, two, orders))


def by_resting_orders(few: int = 100, many: int = 2_000, orders: int = 200) -> Growth:
    """Measure against open orders of the same pair, written past the limit of 200 that one exchange may have."""
    with _simulator(few) as one, _simulator(many) as two:
        return Growth("resting", few, many, *_measured(one, two, orders))


@contextmanager
def _simulator(resting: int = 0) -> Generator[Simulator]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(PaperData(folder, seed=1, market="walk", now=_millis())) as data, data.transaction() as tx:
            for n in range(resting):
                tx.put_order(_far_away(n))
            tx.set_meta("placed", resting)
            tx.set_meta("legs", resting)
        with closing(Simulator(folder, seed=1, market="walk", clock=lambda: NOW)) as simulator:
            yield simulator


def _far_away(n: int) -> Order:
    leg = LegState(id=n + 1, leg=Leg(limit=Decimal(30_000 + n)))
    return Order(
        n=n + 1, exchange="binance", pair="USDT-BTC", side=Side.BUY, amount=SMALLEST, legs=(leg,), placed=_millis()
    )


def _measured(one: Simulator, two: Simulator, orders: int) -> tuple[float, float]:
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(orders):
        for simulator, taken in zip((one, two), seconds, strict=True):
            began = time.perf_counter()
            _buy(simulator)
            taken.append(time.perf_counter() - began)
    return 1000 * median(seconds[0]), 1000 * median(seconds[1])


def _buy(simulator: Simulator) -> None:
    simulator.trade(Place(side=Side.BUY, exchange="binance", pair="USDT-BTC", amount=SMALLEST, legs=(Leg(),)))


def _millis() -> int:
    return round(NOW.timestamp() * 1000)


def main() -> None:
    for growth in (by_records(), by_resting_orders()):
        print(
            f"paper, a market order: {growth.few_ms:.2f} ms with {growth.few:,} {growth.what}, "
            f"{growth.many_ms:.2f} ms with {growth.many:,}, ratio {growth.ratio:.2f}"
        )


if __name__ == "__main__":
    main()
