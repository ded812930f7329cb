"""Why a metric has no number, in words."""

from collections.abc import Mapping

from gunbot_mcp.history.metrics.figure import Figure, Na
from gunbot_mcp.history.metrics.series import FEWEST_DAYS, FEWEST_DAYS_WITH_A_CLOSE
from gunbot_mcp.history.metrics.table import Metric

_WORDS: Mapping[Na, str] = {
    Na.NO_CLOSES: "nothing was closed",
    Na.NO_WINS: "no close won",
    Na.NO_LOSSES: "no close lost",
    Na.NO_VOLUME: "no volume with known fees",
    Na.NO_DRAWDOWN: "cumulative pnl never fell",
    Na.NEEDS_CAPITAL: "give capital, which nobody here can know",
    Na.NO_SPREAD: "all are the same",
    Na.NO_LOSING_DAY: "no day lost",
    Na.ONE_CLOSE: "one close is too few",
    Na.NOT_A_SERIES: "these groups are no stretch of time",
    Na.CONTRACTS: "amounts are contracts whose size is not known",
    Na.SEVERAL_PAIRS: "several pairs: group by pair or name one key",
    Na.NOTHING_MATCHED: "no close found a known lot",
    Na.NOTHING_INVESTED: "nothing was invested",
    Na.FLAT: "nothing is held",
}


def reason(found: Figure, metric: Metric) -> str:
    """Return the words, with the number that was too small where that is why."""
    if found.na is Na.FEW_DAYS:
        days = found.detail.get("days")
        return f"{days} {'day is' if days == 1 else 'days are'} too few ({FEWEST_DAYS} at least)"
    if found.na is Na.FEW_DAYS_WITH_A_CLOSE:
        days = found.detail.get("days_with_a_close")
        return f"{days} {'day' if days == 1 else 'days'} with a close are too few ({FEWEST_DAYS_WITH_A_CLOSE} at least)"
    return _WORDS[found.na] if found.na is not None else metric.formula
