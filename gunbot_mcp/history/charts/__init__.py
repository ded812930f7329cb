"""Charts of the order history: exact series from the view `orders`, one description, and its pictures."""

from gunbot_mcp.history.charts.answer import chart_answer
from gunbot_mcp.history.charts.chart import Kind
from gunbot_mcp.history.charts.series import Scope, series

__all__ = ["Kind", "Scope", "chart_answer", "series"]
