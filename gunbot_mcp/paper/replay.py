"""Prices from a file of candles: CSV with the header `time,open,high,low,close[,volume]`.

Times are milliseconds since the epoch or ISO 8601 (UTC where no offset is given), ascending. The first candle opens
when the market does, whatever its date; from there time runs as in the file. A rising candle walks open → low → high →
close, a falling one open → high → low → close, each stretch in sixteen equal steps. In a gap the close holds, as it
does after the last candle.
"""

import bisect
import csv
import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.paper.market import MAX_PRICE

_STEPS = 16
_POINTS = 3 * _STEPS + 1
_PRICE_NAMES = ("open", "high", "low", "close")
_TIME_NAMES = ("time", "time(ms)", "time (ms)", "timestamp")
_HINT = "a CSV file with the header time,open,high,low,close[,volume]; times in ms or ISO 8601, ascending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """`time` is in epoch milliseconds; prices in the paying asset."""

    time: int
    open: float
    high: float
    low: float
    close: float

    def at(self, point: int) -> float:
        """Return the price at one of the 49 points of the candle's walk."""
        middle = (self.low, self.high) if self.close >= self.open else (self.high, self.low)
        corners = (self.open, *middle, self.close)
        stretch, step = divmod(point, _STEPS)
        if step == 0:
            return corners[stretch]
        begin, end = corners[stretch], corners[stretch + 1]
        return begin + (end - begin) * step / _STEPS


class Replay:
    """A curve over candles. Its ticks are the 49 points of each candle, evenly spread over the candle's time."""

    def __init__(self, candles: list[Candle]) -> None:
        self._candles = candles
        self._begins = [candle.time - candles[0].time for candle in candles]
        gaps = [after - before for before, after in zip(self._begins, self._begins[1:], strict=False)]
        self._width = max(_POINTS, min(gaps, default=60_000))

    def level(self, age: int) -> float:
        return self._level(*self._locate(max(0, age)))

    def first_outside(self, after: int, until: int, low: float, high: float) -> int | None:
        index, point = self._locate(max(0, after))
        point += 1
        while index < len(self._candles) and self._instant(index, point) <= until:
            candle = self._candles[index]
            if not (low < candle.low and candle.high < high):
                for later in range(point, _POINTS):
                    if self._instant(index, later) > until:
                        return None
                    if not low < self._level(index, later) < high:
                        return self._instant(index, later)
            index, point = index + 1, 0
        return None

    def _locate(self, age: int) -> tuple[int, int]:
        index = bisect.bisect_right(self._begins, age) - 1
        return index, min(_POINTS - 1, ((age - self._begins[index]) * _POINTS) // self._width)

    def _instant(self, index: int, point: int) -> int:
        return self._begins[index] + -(-point * self._width // _POINTS)

    def _level(self, index: int, point: int) -> float:
        return self._candles[index].at(point)


def read_candles(path: Path) -> tuple[list[Candle], str]:
    """Return the candles of a file and the SHA-256 of its bytes.

    Raises:
        ConfigInvalid: names the file and the line that cannot be used.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as exc:
        raise ConfigInvalid(f"cannot read the candles in {clean(path)}: {exc.strerror or exc}", _HINT) from exc
    except UnicodeDecodeError as exc:
        raise ConfigInvalid(f"the candles in {clean(path)} are not UTF-8 text", _HINT) from exc
    try:
        rows = list(csv.reader(text.splitlines()))
    except csv.Error as exc:
        raise ConfigInvalid(f"the candles in {clean(path)} are not CSV: {exc}", _HINT) from exc
    columns = [name.strip().lower() for name in rows[0]] if rows else []
    where = {name: columns.index(name) for name in _PRICE_NAMES if name in columns}
    time_at = next((columns.index(name) for name in _TIME_NAMES if name in columns), None)
    if time_at is None or len(where) < len(_PRICE_NAMES):
        raise ConfigInvalid(f"{clean(path)} has no candle header in its first line", _HINT)
    candles: list[Candle] = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            candle = _candle(_time(row[time_at]), {name: float(row[at]) for name, at in where.items()})
            if candles and candle.time <= candles[-1].time:
                raise ValueError("its time is not after the line before it")  # noqa: TRY301 - one place says which line
        except (ValueError, IndexError, OverflowError) as exc:
            raise ConfigInvalid(f"{clean(path)}, line {number}: {clean(exc)}", _HINT) from exc
        candles.append(candle)
    if not candles:
        raise ConfigInvalid(f"{clean(path)} has no candles", _HINT)
    return candles, hashlib.sha256(raw).hexdigest()


def _candle(time: int, prices: dict[str, float]) -> Candle:
    if not all(math.isfinite(price) and 0 < price <= MAX_PRICE for price in prices.values()):
        raise ValueError("prices must be numbers greater than 0 and at most 1e12")
    if prices["low"] > min(prices["open"], prices["close"]) or prices["high"] < max(prices["open"], prices["close"]):
        raise ValueError("low and high must enclose open and close")
    return Candle(time=time, open=prices["open"], high=prices["high"], low=prices["low"], close=prices["close"])


def _time(cell: str) -> int:
    cell = cell.strip()
    if cell.lstrip("-").isdigit():
        return int(cell)
    moment = datetime.fromisoformat(cell)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
