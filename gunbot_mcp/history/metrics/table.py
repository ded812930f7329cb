"""THE TABLE of metrics: one row each, with its formula, what it is counted in, and what it is made from.

P is the pnl of the closes, W the closes with P > 0, L those with P < 0, N all closes whose pnl is known, C the capital.
Adding a metric is adding a row. A figure without a number says why (`Na`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.metrics.exact import exactly, quotient, rounded, times_root, units, whole
from gunbot_mcp.history.metrics.figure import Facts, Figure, Na, Unit, no
from gunbot_mcp.history.metrics.ratios import calmar, sharpe, sharpe_error, sortino


class Need(StrEnum):
    """What has to be looked at beyond the sums."""

    SERIES = "series"
    DAYS = "days"
    LOTS = "lots"
    INVESTED = "invested"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`columns` are names of `sums.COLUMNS`; `lots` are such names, too, of the lots of `method`."""

    name: str
    formula: str
    unit: Unit
    value: Callable[[Facts], Figure]
    columns: tuple[str, ...] = ()
    needs: frozenset[Need] = frozenset()
    method: Method | None = None
    lots: tuple[str, ...] = ()


def _count(name: str, about: str) -> Metric:
    return Metric(
        name=name, formula=about, unit=Unit.COUNT, columns=(name,), value=lambda facts: Figure(facts.sums[name])
    )


def _sum(name: str, about: str, unit: Unit = Unit.PAYING) -> Metric:
    return Metric(name=name, formula=about, unit=unit, columns=(name,), value=lambda facts: Figure(facts.money(name)))


def _amount(name: str, about: str) -> Metric:
    def value(facts: Facts) -> Figure:
        if facts.pair is None:
            return no(Na.SEVERAL_PAIRS)
        return Figure(facts.money(name)) if facts.counted else no(Na.CONTRACTS)

    columns = (name, "uncounted", "first_pair", "last_pair")
    return Metric(name=name, formula=about, unit=Unit.TRADED, columns=columns, value=value)


def _of_lots(method: Method, column: str) -> Metric:
    def value(facts: Facts) -> Figure:
        found = facts.lots[method]
        if found["uncounted"]:
            return no(Na.CONTRACTS)
        if not found["lot_closes"]:
            return no(Na.NOTHING_MATCHED)
        exact = exactly(units(found[column]))
        return Figure(exact if _finite(exact) else rounded(exact))

    fees = "after both fees" if column == "net" else "before fees"
    return Metric(
        name=f"{method.value}_{column}",
        formula=f"pnl of {method.value} lots, {fees}",
        unit=Unit.PNL,
        needs=frozenset({Need.LOTS}),
        method=method,
        lots=(column, "lot_closes", "uncounted"),
        value=value,
    )


_MOST_PLACES = 12


def _finite(number: Decimal) -> bool:
    """Whether a sum of shares has so few decimals that no share of it was cut."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= _MOST_PLACES


def _divided(above: str, below: str, reason: Na, *, negative: bool = False) -> Callable[[Facts], Figure]:
    def value(facts: Facts) -> Figure:
        divisor = facts.sums[below]
        if not divisor:
            return no(reason)
        counts = isinstance(divisor, int)
        exact = whole(facts.units(above)) / divisor if counts else Fraction(facts.units(above), facts.units(below))
        return Figure(quotient(-exact if negative else exact))

    return value


def _win_rate(facts: Facts) -> Figure:
    closes = facts.sums["closes"]
    return Figure(quotient(Fraction(facts.sums["wins"], closes))) if closes else no(Na.NO_CLOSES)


def _payoff(facts: Facts) -> Figure:
    wins, losses = facts.sums["wins"], facts.sums["losses"]
    if not wins or not losses:
        return no(Na.NO_LOSSES if wins else Na.NO_WINS if losses else Na.NO_CLOSES)
    return Figure(quotient(Fraction(facts.units("won"), wins) / Fraction(-facts.units("lost"), losses)))


def _extreme(which: str) -> Callable[[Facts], Figure]:
    def value(facts: Facts) -> Figure:
        found = getattr(facts.series, which) if facts.series is not None else None
        if found is None:
            return no(Na.NO_CLOSES)
        return Figure(exactly(found.pnl), detail={"at_ms": found.time_ms, "key": found.key, "id": found.id})

    return value


def _extreme_day(which: str) -> Callable[[Facts], Figure]:
    def value(facts: Facts) -> Figure:
        if facts.days is None or not facts.days.closed:
            return no(Na.NO_CLOSES)
        day, pnl = facts.days.best() if which == "best" else facts.days.worst()
        return Figure(exactly(pnl), detail={"day": day})

    return value


def _streak(which: str) -> Callable[[Facts], Figure]:
    def value(facts: Facts) -> Figure:
        if not facts.is_series:
            return no(Na.NOT_A_SERIES)
        return Figure(0 if facts.series is None else getattr(facts.series, which))

    return value


def _max_drawdown(facts: Facts) -> Figure:
    if not facts.is_series:
        return no(Na.NOT_A_SERIES)
    fall = facts.series.fall(facts.until_ms) if facts.series else None
    if fall is None:
        return Figure(0)
    missing = {} if fall.recovered_ms is not None else {"missing": exactly(fall.missing)}
    times = {"start_ms": fall.start_ms, "bottom_ms": fall.bottom_ms, "recovered_ms": fall.recovered_ms}
    return Figure(exactly(fall.amount), detail={**times, **missing, "days": quotient(fall.days)})


def _max_drawdown_pct(facts: Facts) -> Figure:
    if not facts.is_series:
        return no(Na.NOT_A_SERIES)
    if facts.capital is None:
        return no(Na.NEEDS_CAPITAL)
    return Figure(quotient(facts.series.deepest) if facts.series else 0)


def _recovery_factor(facts: Facts) -> Figure:
    if not facts.is_series:
        return no(Na.NOT_A_SERIES)
    fall = facts.series.fall(facts.until_ms) if facts.series else None
    if facts.series is None or fall is None:
        return no(Na.NO_DRAWDOWN)
    return Figure(quotient(Fraction(facts.series.total, fall.amount)))


def _sqn(facts: Facts) -> Figure:
    if not facts.is_series:
        return no(Na.NOT_A_SERIES)
    series = facts.series
    if series is None or not series.count:
        return no(Na.NO_CLOSES)
    if series.count == 1:
        return no(Na.ONE_CLOSE)
    n, spread = series.count, series.count * series.squares - series.total**2
    if not spread:
        return no(Na.NO_SPREAD)
    return Figure(times_root(Fraction(series.total, n), Fraction(n * n * (n - 1), spread)), detail={"closes": n})


def _holding(facts: Facts) -> Figure:
    found = facts.lots[Method.FIFO]
    if found["uncounted"]:
        return no(Na.CONTRACTS)
    if not found["basis"]:
        return no(Na.NOTHING_MATCHED)
    hours = Fraction(found["waited"]) / Fraction(found["basis"]) / Fraction(36, 10)  # of thousands of seconds
    return Figure(quotient(hours))


def _longest_holding(facts: Facts) -> Figure:
    found = facts.lots[Method.FIFO]
    if found["uncounted"]:
        return no(Na.CONTRACTS)
    return Figure(quotient(Fraction(found["longest"], 3_600_000))) if found["basis"] else no(Na.NOTHING_MATCHED)


def _invested(which: str) -> Callable[[Facts], Figure]:
    def value(facts: Facts) -> Figure:
        if not facts.is_series or facts.invested is None:
            return no(Na.NOT_A_SERIES)
        if not facts.counted:
            return no(Na.CONTRACTS)
        invested = facts.invested
        if which == "average":
            return Figure(quotient(invested.average / 10**18))
        return Figure(exactly(invested.most)) if which == "most" else Figure(quotient(invested.exposure))

    return value


def _turnover(facts: Facts) -> Figure:
    if not facts.is_series or facts.invested is None:
        return no(Na.NOT_A_SERIES)
    if not facts.counted:
        return no(Na.CONTRACTS)
    if not facts.invested.average:
        return no(Na.NOTHING_INVESTED)
    return Figure(quotient(Fraction(units(facts.lots[Method.FIFO]["basis"])) / facts.invested.average))


def _held(which: str) -> Callable[[Facts], Figure]:
    def value(facts: Facts) -> Figure:
        if not facts.counted:
            return no(Na.CONTRACTS)
        held = facts.held
        if held is None:
            return no(Na.SEVERAL_PAIRS if facts.pair is None else Na.NOT_A_SERIES)
        if held.flat(facts.asset):
            return Figure(0) if which in {"amount", "cost"} else no(Na.FLAT)
        found = getattr(held, which)
        return Figure(exactly(found) if isinstance(found, int) else found, detail={"fee": quotient(held.fee)})

    return value


_SERIES, _DAYS = frozenset({Need.SERIES}), frozenset({Need.DAYS})
_INVESTED, _HELD, _LOTS = frozenset({Need.INVESTED}), frozenset({Need.HELD}), frozenset({Need.LOTS})
_PAIR = ("first_pair", "last_pair", "uncounted")


def _row(  # one line a metric, below
    name: str,
    unit: Unit,
    value: Callable[[Facts], Figure],
    formula: str,
    columns: tuple[str, ...] = (),
    *,
    needs: frozenset[Need] = frozenset(),
    fifo: tuple[str, ...] = (),
) -> Metric:
    method = Method.FIFO if fifo else None
    return Metric(
        name=name, unit=unit, value=value, formula=formula, columns=columns, needs=needs, method=method, lots=fifo
    )


_TABLE = (
    _count("count", "records"),
    _count("buys", "records that buy"),
    _count("sells", "records that sell"),
    _amount("amount_bought", "sum of amount of buys"),
    _amount("amount_sold", "sum of amount of sells"),
    _sum("volume", "sum of cost"),
    _sum("fees", "sum of fees"),
    _row("fee_ratio", Unit.FEE, _divided("fees", "fee_base", Na.NO_VOLUME), "fees / volume", ("fees", "fee_base")),
    _sum("pnl", "sum of P", Unit.PNL),
    _sum("recorded", "sum of pnl as Gunbot recorded it", Unit.PNL),
    *(_of_lots(method, column) for column in ("net", "gross") for method in Method),
    _count("closes", "N: closes whose pnl is known"),
    _count("wins", "number of W"),
    _count("losses", "number of L"),
    _row(
        "flat",
        Unit.COUNT,
        lambda f: Figure(f.sums["closes"] - f.sums["wins"] - f.sums["losses"]),
        "N - W - L",
        ("closes", "wins", "losses"),
    ),
    _row("win_rate", Unit.SHARE, _win_rate, "W / N", ("closes", "wins")),
    _row("average_win", Unit.PAYING, _divided("won", "wins", Na.NO_WINS), "mean of W", ("won", "wins")),
    _row("average_loss", Unit.PAYING, _divided("lost", "losses", Na.NO_LOSSES), "mean of L", ("lost", "losses")),
    _row("payoff_ratio", Unit.RATIO, _payoff, "average_win / -average_loss", ("won", "wins", "lost", "losses")),
    _row(
        "profit_factor", Unit.RATIO, _divided("won", "lost", Na.NO_LOSSES, negative=True), "ΣW / -ΣL", ("won", "lost")
    ),
    _row("expectancy", Unit.PNL, _divided("pnl", "closes", Na.NO_CLOSES), "ΣP / N", ("pnl", "closes")),
    _row("best", Unit.PNL, _extreme("best"), "highest P of a close", needs=_SERIES),
    _row("worst", Unit.PNL, _extreme("worst"), "lowest P of a close", needs=_SERIES),
    _row("best_day", Unit.PNL, _extreme_day("best"), "highest ΣP of a day with a close", needs=_DAYS),
    _row("worst_day", Unit.PNL, _extreme_day("worst"), "lowest ΣP of a day with a close", needs=_DAYS),
    _row("win_streak", Unit.COUNT, _streak("win_streak"), "longest run of W", needs=_SERIES),
    _row("loss_streak", Unit.COUNT, _streak("loss_streak"), "longest run of L", needs=_SERIES),
    _row("current", Unit.COUNT, _streak("current"), "the run at the end, negative for L", needs=_SERIES),
    _row("max_drawdown", Unit.PAYING, _max_drawdown, "largest fall of cumulative P from its peak", needs=_SERIES),
    _row("max_drawdown_pct", Unit.SHARE, _max_drawdown_pct, "max (peak - x) / peak of C + cumulative P", needs=_SERIES),
    _row("recovery_factor", Unit.RATIO, _recovery_factor, "ΣP / max_drawdown", needs=_SERIES),
    _row("sharpe", Unit.RATIO, sharpe, "mean / s · √365 of daily P, s with n-1, all days", needs=_DAYS),
    _row("sharpe_error", Unit.RATIO, sharpe_error, "√((1 + q²/2) / n) · √365, q = mean / s", needs=_DAYS),
    _row("sortino", Unit.RATIO, sortino, "mean / d · √365, d = √(Σ min(x,0)² / n)", needs=_DAYS),
    _row("calmar", Unit.RATIO, calmar, "mean · 365 / max_drawdown", needs=_DAYS | _SERIES),
    _row("sqn", Unit.RATIO, _sqn, "√N · mean(P) / s(P)", needs=_SERIES),
    _row(
        "holding_hours",
        Unit.HOURS,
        _holding,
        "FIFO: Σ cost · time / Σ cost of what was closed",
        needs=_LOTS,
        fifo=("basis", "waited", "uncounted"),
    ),
    _row(
        "longest_holding_hours",
        Unit.HOURS,
        _longest_holding,
        "FIFO: of the oldest lot closed",
        needs=_LOTS,
        fifo=("basis", "longest", "uncounted"),
    ),
    _row(
        "invested_average",
        Unit.PAYING,
        _invested("average"),
        "FIFO cost of open lots over elapsed time",
        _PAIR,
        needs=_INVESTED,
    ),
    _row("invested_max", Unit.PAYING, _invested("most"), "highest FIFO cost of open lots", _PAIR, needs=_INVESTED),
    _row("exposure_time", Unit.SHARE, _invested("exposure"), "share of time with any lot open", _PAIR, needs=_INVESTED),
    _row(
        "turnover",
        Unit.RATIO,
        _turnover,
        "FIFO cost of what was closed / invested_average",
        _PAIR,
        needs=_INVESTED | _LOTS,
        fifo=("basis",),
    ),
    _row("held", Unit.TRADED, _held("amount"), "amount of open lots at the end", _PAIR, needs=_HELD),
    _row("held_cost", Unit.PAYING, _held("cost"), "cost of open lots at the end", _PAIR, needs=_HELD),
    _row("average_price", Unit.PRICE, _held("average_price"), "cost / amount of open lots", _PAIR, needs=_HELD),
    _row(
        "break_even",
        Unit.PRICE,
        _held("break_even"),
        "(cost + fees) / (amount · (1 - f)), short (cost - fees) / (amount · (1 + f))",
        _PAIR,
        needs=_HELD,
    ),
)

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _TABLE}

SUMMARY = (
    *("recorded", "fifo_net", "closes", "wins", "losses", "flat", "win_rate", "average_win", "average_loss"),
    *(
        "profit_factor",
        "best_day",
        "worst_day",
        "max_drawdown",
        "volume",
        "fees",
        "fee_ratio",
        "sharpe",
        "sharpe_error",
    ),
)
"""What an ungrouped question answers unless it names metrics."""
PER_GROUP = ("closes", "wins", "pnl", "fifo_net", "volume", "fees", "win_rate", "profit_factor")
"""What each group shows unless metrics are named."""
TOP = ("recorded", "fifo_net", "closes", "wins", "worst", "best")
"""What is said of one pair that a sort puts first."""
HELD = ("held", "held_cost", "average_price", "break_even")


def needed(names: Iterable[str]) -> tuple[set[str], set[Need], dict[Method, set[str]]]:
    """Return the columns, the looks beyond them, and the columns of each method's lots that some metrics need."""
    metrics = [METRICS[name] for name in names]
    columns = {column for metric in metrics for column in metric.columns}
    needs = {need for metric in metrics for need in metric.needs}
    lots: dict[Method, set[str]] = {}
    for metric in metrics:
        if metric.method is not None:
            lots.setdefault(metric.method, set()).update(metric.lots)
    return columns, needs, lots
