"""Ratios of daily pnl: every local date of the range counts, 0 where nothing closed; 365 a year, risk-free 0."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from gunbot_mcp.history.metrics.exact import quotient
from gunbot_mcp.history.metrics.figure import Facts, Figure, Na, no
from gunbot_mcp.history.metrics.series import FEWEST_DAYS, FEWEST_DAYS_WITH_A_CLOSE, YEAR_DAYS, Days


def _of_days(compute: Callable[[Facts, Days], Figure]) -> Callable[[Facts], Figure]:
    def value(facts: Facts) -> Figure:
        if not facts.is_series:
            return no(Na.NOT_A_SERIES)
        days = facts.days
        if days is None or not days.closed:
            return no(Na.NO_CLOSES)
        if days.count < FEWEST_DAYS:
            return no(Na.FEW_DAYS, days=days.count)
        if len(days.closed) < FEWEST_DAYS_WITH_A_CLOSE:
            return no(Na.FEW_DAYS_WITH_A_CLOSE, days=days.count, days_with_a_close=len(days.closed))
        if not days.spread:
            return no(Na.NO_SPREAD, days=days.count)
        return compute(facts, days)

    return value


def _figure(value: Decimal, days: Days, **more: object) -> Figure:
    return Figure(value, detail={"days": days.count, "days_with_a_close": len(days.closed), **more})


def _sharpe(_: Facts, days: Days) -> Figure:
    return _figure(days.sharpe(), days, error=days.sharpe_error())


def _error(_: Facts, days: Days) -> Figure:
    return _figure(days.sharpe_error(), days)


def _sortino(_: Facts, days: Days) -> Figure:
    return _figure(days.sortino(), days) if days.falling_squares else no(Na.NO_LOSING_DAY, days=days.count)


def _calmar(facts: Facts, days: Days) -> Figure:
    fall = facts.series.fall(facts.until_ms) if facts.series else None
    if fall is None:
        return no(Na.NO_DRAWDOWN)
    return _figure(quotient(Fraction(days.total * YEAR_DAYS, days.count * fall.amount)), days)


sharpe, sharpe_error, sortino, calmar = map(_of_days, (_sharpe, _error, _sortino, _calmar))
