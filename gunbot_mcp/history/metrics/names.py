"""What somebody may have meant by a name that is no metric's."""

import difflib
from collections.abc import Mapping

from gunbot_mcp.history.metrics.table import METRICS

_ALIASES: Mapping[str, str] = {
    "drawdown": "max_drawdown",
    "maximum_drawdown": "max_drawdown",
    "winrate": "win_rate",
    "avg_win": "average_win",
    "avg_loss": "average_loss",
    "trades": "closes",
    "profit": "pnl",
    "realized_pnl": "pnl",
    "holding_time": "holding_hours",
    "exposure": "exposure_time",
    "average_buy_price": "average_price",
}


def near_metrics(name: str) -> list[str]:
    """Return metrics that somebody may have meant, nearest first."""
    plain = "_".join(name.strip().lower().replace("-", " ").split())
    alias = [_ALIASES[plain]] if plain in _ALIASES else []
    part = [known for known in METRICS if len(plain) > len("pnl") and plain in known]
    return list(dict.fromkeys([*alias, *difflib.get_close_matches(plain, METRICS, n=3, cutoff=0.5), *part]))[:3]
