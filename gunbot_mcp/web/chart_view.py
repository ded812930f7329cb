"""The chart inside an MCP client, as an MCP App view: one self-contained HTML text, the same for every chart.

It reads the drawing from a tool result's `_meta["gunbot-mcp/chart"].svg`; where a host does not pass that on, it shows
the result's text. It asks the host for nothing.
"""

from functools import cache

from gunbot_mcp.web.assets import asset, view
from gunbot_mcp.web.history import style


@cache
def chart_html() -> str:
    """Return the view: it loads nothing from elsewhere, and holds no data."""
    return view("Chart", "chart_view.html", style(), "\n".join((asset("chart.js"), asset("chart_view.js"))))
