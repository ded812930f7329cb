"""The same metrics computed once more, slowly, with fractions and without a line of the product's code.

Records are Gunbot's, with their key; pairs are spot or end in `-SHORT`. Nothing here knows DuckDB, units or buckets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

Record = dict[str, Any]
_TWELVE = Context(prec=12, rounding=ROUND_HALF_EVEN)
_WIDE = Context(prec=60)


def twelve(value: Fraction | Decimal) -> Decimal:
    """Return a number with twelve significant digits."""
    if isinstance(value, Fraction):
        value = _WIDE.divide(Decimal(value.numerator), Decimal(value.denominator))
    return _TWELVE.plus(value).normalize()


def _root(value: Fraction) -> Decimal:
    return _WIDE.sqrt(_WIDE.divide(Decimal(value.numerator), Decimal(value.denominator)))


def fraction(value: object) -> Fraction:
    return Fraction(str(value))


@dataclass
class Close:
    """A record that closes, with what lots say of it."""

    time: int
    key: str
    id: str
    recorded: Fraction
    net: Fraction | None = None


@dataclass
class Lot:
    time: int
    amount: Fraction
    cost: Fraction
    fees: Fraction
    rate: Fraction


@dataclass
class Told:
    """What one history comes to."""

    records: list[tuple[str, Record]]
    closes: list[Close] = field(default_factory=list[Close])
    lots: dict[str, list[Lot]] = field(default_factory=dict[str, list[Lot]])
    waited: Fraction = Fraction(0)
    basis: Fraction = Fraction(0)
    longest: int = 0
    changes: list[tuple[int, Fraction]] = field(default_factory=list[tuple[int, Fraction]])


def closes(key: str, record: Record) -> bool:
    return record["type"] == ("buy" if key.endswith("-SHORT") else "sell")


def in_order(records: Sequence[tuple[str, Record]]) -> list[tuple[str, Record]]:
    """Return records by time, openings first, then by key, then by id: digits by value and before text."""

    def place(one: tuple[str, Record]) -> tuple[Any, ...]:
        key, record = one
        text = str(record["id"])
        by_id = (0, int(text), text) if text.isdigit() else (1, 0, text)
        return record["time"], closes(key, record), key, by_id

    return sorted(records, key=place)


_PICK: dict[str, Callable[[list[Lot]], Lot]] = {
    "fifo": lambda lots: lots[0],
    "lifo": lambda lots: lots[-1],
    "hifo": lambda lots: max(lots, key=lambda lot: lot.rate),  # of equals, max takes the first: the older
}


def walk(records: Sequence[tuple[str, Record]], method: str) -> Told:
    """Match closes with lots, one record after the other."""
    told = Told(in_order(records))
    for key, record in told.records:
        lots = told.lots.setdefault(key, [])
        time, amount, cost, fees = record["time"], *map(fraction, (record["amount"], record["cost"], record["fees"]))
        if not closes(key, record):
            lots.append(Lot(time, amount, cost, fees, fraction(record["rate"])))
            if method == "average":
                lots[:] = [_one(lots)]
            told.changes.append((time, cost))
            continue
        close = Close(time, key, str(record["id"]), fraction(record["pnl"]))
        told.closes.append(close)
        left, basis, opening = amount, Fraction(0), Fraction(0)
        while left and lots:
            lot = lots[0] if method == "average" else _PICK[method](lots)
            share = min(left, lot.amount) / lot.amount
            part = Lot(lot.time, lot.amount * share, lot.cost * share, lot.fees * share, lot.rate)
            lot.amount, lot.cost, lot.fees = lot.amount - part.amount, lot.cost - part.cost, lot.fees - part.fees
            if not lot.amount:
                lots.remove(lot)
            left -= part.amount
            basis, opening = basis + part.cost, opening + part.fees
            told.waited += part.cost * (time - part.time)
            told.longest = max(told.longest, time - part.time)
        told.basis += basis
        told.changes.append((time, -basis))
        matched = (amount - left) / amount
        if matched:
            gross = cost * matched - basis if not key.endswith("-SHORT") else basis - cost * matched
            close.net = gross - opening - fees * matched
    return told


def _one(lots: Sequence[Lot]) -> Lot:
    amount, cost, fees = (sum((getattr(lot, name) for lot in lots), Fraction(0)) for name in ("amount", "cost", "fees"))
    return Lot(0, amount, cost, fees, Fraction(0))


def local_day(time: int, zone: str) -> date:
    return datetime.fromtimestamp(time / 1000, UTC).astimezone(ZoneInfo(zone)).date()


def metrics(told: Told, zone: str, until: int, *, by_lots: bool, capital: Fraction) -> dict[str, Any]:
    """Return every metric over all that is known up to `until`; None is "not available"."""
    found: dict[str, Any] = {}
    amounts = [(key, record) for key, record in told.records]
    volume = sum((fraction(record["cost"]) for _, record in amounts), Fraction(0))
    fees = sum((fraction(record["fees"]) for _, record in amounts), Fraction(0))
    found |= {
        "count": len(amounts),
        "buys": sum(record["type"] == "buy" for _, record in amounts),
        "sells": sum(record["type"] == "sell" for _, record in amounts),
        "volume": volume,
        "fees": fees,
        "fee_ratio": fees / volume if volume else None,
    }
    taken = [
        (close, close.net if by_lots else close.recorded)
        for close in told.closes
        if not by_lots or close.net is not None
    ]
    pnl = [value for _, value in taken if value is not None]
    won, lost = [value for value in pnl if value > 0], [value for value in pnl if value < 0]
    total = sum(pnl, Fraction(0))
    average_win = sum(won, Fraction(0)) / len(won) if won else None
    average_loss = sum(lost, Fraction(0)) / len(lost) if lost else None
    found |= {
        "pnl": total,
        "closes": len(pnl),
        "wins": len(won),
        "losses": len(lost),
        "flat": len(pnl) - len(won) - len(lost),
        "win_rate": Fraction(len(won), len(pnl)) if pnl else None,
        "average_win": average_win,
        "average_loss": average_loss,
        "payoff_ratio": average_win / -average_loss if average_win is not None and average_loss is not None else None,
        "profit_factor": sum(won, Fraction(0)) / -sum(lost, Fraction(0)) if lost else None,
        "expectancy": total / len(pnl) if pnl else None,
        "best": max(pnl) if pnl else None,
        "worst": min(pnl) if pnl else None,
    }
    first = min(record["time"] for _, record in amounts)
    begin, end = local_day(first, zone), local_day(until - 1, zone)
    every = [begin + timedelta(days=number) for number in range((end - begin).days + 1)]
    days: dict[date, Fraction] = {}
    for close, value in taken:
        day = local_day(close.time, zone)
        days[day] = days.get(day, Fraction(0)) + (value or Fraction(0))
    found["best_day"] = max(days.values()) if days else None
    found["worst_day"] = min(days.values()) if days else None
    found |= _runs(pnl) | _falls(pnl, capital) | _ratios([days.get(day, Fraction(0)) for day in every], len(days))
    fall = found["max_drawdown"]
    found["recovery_factor"] = total / fall if fall else None
    n = len(every)
    steady = found["sharpe"] is not None
    found["calmar"] = total / n * 365 / fall if fall and steady else None
    spread = sum(((value - total / len(pnl)) ** 2 for value in pnl), Fraction(0))
    many = len(pnl) > 1 and spread
    found["sqn"] = (
        _WIDE.multiply(_decimal(total / len(pnl)), _root(len(pnl) * (len(pnl) - 1) / spread)) if many else None
    )
    return found


def _decimal(value: Fraction) -> Decimal:
    return _WIDE.divide(Decimal(value.numerator), Decimal(value.denominator))


def _runs(pnl: Sequence[Fraction]) -> dict[str, int]:
    signs = "".join("+" if value > 0 else "-" if value < 0 else "0" for value in pnl)
    wins = max(map(len, signs.replace("-", " ").replace("0", " ").split()), default=0)
    losses = max(map(len, signs.replace("+", " ").replace("0", " ").split()), default=0)
    last = signs[-1:]
    run = len(signs) - len(signs.rstrip(last)) if last in {"+", "-"} and last else 0
    return {"win_streak": wins, "loss_streak": losses, "current": -run if last == "-" else run}


def _falls(pnl: Sequence[Fraction], capital: Fraction) -> dict[str, Fraction]:
    curve = [Fraction(0)]
    for value in pnl:
        curve.append(curve[-1] + value)
    pairs = [(max(curve[: at + 1]), here) for at, here in enumerate(curve)]
    return {
        "max_drawdown": max(peak - here for peak, here in pairs),
        "max_drawdown_pct": max((peak - here) / (capital + peak) for peak, here in pairs),
    }


def _ratios(daily: Sequence[Fraction], with_a_close: int) -> dict[str, Decimal | None]:
    nothing: dict[str, Decimal | None] = dict.fromkeys(("sharpe", "sharpe_error", "sortino"))
    n = len(daily)
    if n < 14 or with_a_close < 5:
        return nothing
    mean = sum(daily, Fraction(0)) / n
    variance = sum(((value - mean) ** 2 for value in daily), Fraction(0)) / (n - 1)
    if not variance:
        return nothing
    down = sum((min(value, Fraction(0)) ** 2 for value in daily), Fraction(0)) / n
    year = Fraction(365)
    return {
        "sharpe": _WIDE.multiply(_decimal(mean), _root(year / variance)),
        "sharpe_error": _root((1 + mean * mean / variance / 2) / n * year),
        "sortino": _WIDE.multiply(_decimal(mean), _root(year / down)) if down else None,
    }


def invested(told: Told, since: int, until: int) -> dict[str, Fraction]:
    """Return what lay in open lots, millisecond by millisecond where it changed."""
    at = sorted({since, until, *(time for time, _ in told.changes if since < time < until)})
    weight, most, exposed = Fraction(0), Fraction(0), 0
    for begin, end in pairwise(at):
        state = sum((change for time, change in told.changes if time <= begin), Fraction(0))
        weight += state * (end - begin)
        most = max(most, state)
        exposed += end - begin if state else 0
    average = weight / (until - since)
    return {
        "invested_average": average,
        "invested_max": most,
        "exposure_time": Fraction(exposed, until - since),
        "turnover": told.basis / average if average else Fraction(0),
    }
