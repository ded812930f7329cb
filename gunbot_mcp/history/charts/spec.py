"""One chart as a Vega-Lite description: 400 pixels wide, one time axis, panels above each other.

Vega draws times in the zone of its process, so wall clocks of the asked zone go in as UTC, on a UTC scale. A font that
it does not know draws nothing, so each list of fonts ends with `sans-serif`, which it brings along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from gunbot_mcp.history.charts.chart import Chart, Mark, Panel, Point, wall
from gunbot_mcp.history.zones import DAY_MS

_PLOT = 314
_HEIGHT = 170
_FONT = "Helvetica, Arial, sans-serif"
_HOURS_UNTIL, _DAYS_UNTIL = 2, 400
"""The longest times, in days, whose axis has hours, and days of the month."""
_LONG, _CLOSE = 10_000, Decimal("0.05")
"""Numbers from here on take much room; prices whose range is a smaller part of them than this are close together."""

INK, QUIET, GRID, PAPER = "#1b1f24", "#5c6670", "#e3e6ea", "#ffffff"
LINE, GAIN, LOSS, BAR = "#1f5fbf", "#1a7f4e", "#b3261f", "#8a97a6"
DARK: Mapping[str, str] = {
    INK: "#e6eaee",
    QUIET: "#a3adb8",
    GRID: "#343b43",
    LINE: "#6ea8ff",
    GAIN: "#4cc38a",
    LOSS: "#ff8078",
    BAR: "#7d8a99",
}
"""What each colour of a mark or a word is on a dark page."""


def spec(chart: Chart) -> dict[str, Any]:
    """Return the description of a chart that is not empty."""
    last = len(chart.panels) - 1
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": PAPER,
        "padding": {"left": 6, "right": 10, "top": 8, "bottom": 6},
        "title": {"text": chart.title, "subtitle": [chart.scope, chart.span]},
        "vconcat": [_panel(panel, chart, axis=at == last) for at, panel in enumerate(chart.panels)],
        "spacing": 14,
        "config": _CONFIG,
    }


_CONFIG: Mapping[str, Any] = {
    "font": _FONT,
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "frame": "bounds",
        "color": INK,
        "fontSize": 14,
        "fontWeight": "bold",
        "offset": 12,
        "subtitleColor": QUIET,
        "subtitleFontSize": 11,
        "subtitlePadding": 4,
    },
    "axis": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "gridColor": GRID,
        "domain": False,
        "tickColor": GRID,
        "titleFontWeight": "normal",
        "labelFontWeight": "normal",
    },
    "legend": {"labelColor": QUIET, "labelFontSize": 11, "symbolSize": 60},
}


def _panel(panel: Panel, chart: Chart, *, axis: bool) -> dict[str, Any]:
    return {
        "width": _PLOT,
        "height": round(_HEIGHT * panel.share),
        "data": {"values": [_row(point, panel, chart) for point in _to_the_end(panel, chart)]},
        "encoding": {"x": _time(chart, axis=axis), "y": _value(panel)},
        "layer": _LAYERS[panel.mark](panel),
    }


def _to_the_end(panel: Panel, chart: Chart) -> Sequence[Point]:
    """Return a panel's points; what a curve holds, it holds until the end of the range."""
    if panel.mark not in {Mark.CURVE, Mark.DROP} or not panel.points:
        return panel.points
    return [*panel.points, replace(panel.points[-1], ms=chart.last_ms, about="")]


def _row(point: Point, panel: Panel, chart: Chart) -> dict[str, Any]:
    start = _clock(point.ms, chart)
    end = {"end": _clock(point.ms + panel.width_ms * 17 // 20, chart)} if panel.width_ms else {}
    return {"time": start, "value": float(point.value), "about": point.about, "side": point.side, **end}


def _clock(ms: int, chart: Chart) -> int:
    """Return the wall clock of an instant as if it were UTC, in milliseconds."""
    moment = wall(ms, chart.zone)
    offset = moment.utcoffset()
    return ms + (round(offset.total_seconds() * 1000) if offset else 0)


def _time(chart: Chart, *, axis: bool) -> dict[str, Any]:
    domain = [_clock(chart.first_ms, chart), _clock(chart.last_ms, chart)]
    days = (chart.last_ms - chart.first_ms) / DAY_MS
    shape = "%H:%M" if days <= _HOURS_UNTIL else "%-d %b" if days <= _DAYS_UNTIL else "%b %Y"
    return {
        "field": "time",
        "type": "temporal",
        "sort": None,  # an hour that a zone has twice goes back on its clock: the records' own order counts
        "scale": {"type": "utc", "domain": domain},
        "axis": {
            "title": None,
            "format": shape,
            "tickCount": 5,
            "grid": False,
            "labelOverlap": True,
            "labelFlush": True,
            **({"ticks": True} if axis else {"labels": False, "ticks": False}),
        },
    }


def _value(panel: Panel) -> dict[str, Any]:
    return {
        "field": "value",
        "type": "quantitative",
        "stack": None,
        "scale": {"zero": panel.mark is not Mark.FILLS, "nice": True},
        "axis": {
            "title": panel.unit,
            "tickCount": 5 if panel.share > _SMALL else 3,
            "minExtent": 42,
            "maxExtent": 42,
            "labelLimit": 48,
            "titlePadding": 2,
            "format": ".4~s" if _large(panel) else ",.8~f",
        },
    }


_SMALL = 0.6


def _large(panel: Panel) -> bool:
    """Whether the axis' numbers are so long that thousands are written as k; prices close together never are."""
    values = [abs(point.value) for point in panel.points]
    most = max(values, default=0)
    return most >= _LONG and (panel.mark is not Mark.FILLS or most - min(values) > most * _CLOSE)


_ZERO: Mapping[str, Any] = {
    "mark": {"type": "rule", "color": QUIET, "strokeWidth": 0.8, "aria": False},
    "encoding": {"y": {"datum": 0}, "x": None},
}
_SPOTS: Mapping[str, Any] = {
    # What a pointer finds: unseen, each with its words.
    "mark": {"type": "point", "size": 60, "opacity": 0, "filled": True, "color": INK},
    "transform": [{"filter": "datum.about != ''"}],
    "encoding": {"description": {"field": "about"}},
}


def _curve(panel: Panel) -> list[Mapping[str, Any]]:
    del panel
    area = {"type": "area", "interpolate": "step-after", "color": LINE, "fillOpacity": 0.12, "aria": False}
    line = {"type": "line", "interpolate": "step-after", "color": LINE, "strokeWidth": 1.8, "aria": False}
    return [{"mark": area}, {"mark": line}, _ZERO, _SPOTS]


def _drop(panel: Panel) -> list[Mapping[str, Any]]:
    del panel
    area = {"type": "area", "interpolate": "step-after", "color": LOSS, "fillOpacity": 0.3, "aria": False}
    line = {"type": "line", "interpolate": "step-after", "color": LOSS, "strokeWidth": 1.2, "aria": False}
    return [{"mark": area}, {"mark": line}, _SPOTS]


def _gains(panel: Panel) -> list[Mapping[str, Any]]:
    del panel
    color = {"condition": {"test": "datum.value < 0", "value": LOSS}, "value": GAIN}
    return [_ZERO, _bar({"color": color})]


def _bars(panel: Panel) -> list[Mapping[str, Any]]:
    del panel
    return [_bar({"color": {"value": BAR}})]


def _bar(more: Mapping[str, Any]) -> Mapping[str, Any]:
    encoding = {"x2": {"field": "end"}, "y2": {"datum": 0}, "description": {"field": "about"}, **more}
    return {"mark": {"type": "rect"}, "encoding": encoding}


def _fills(panel: Panel) -> list[Mapping[str, Any]]:
    sides = [side for side in ("buy", "sell") if any(point.side == side for point in panel.points)]
    looks: Mapping[str, tuple[str, str]] = {"buy": (GAIN, "triangle-up"), "sell": (LOSS, "triangle-down")}
    legend = {"title": None, "orient": "top", "direction": "horizontal", "offset": 2}

    def scale(at: int) -> dict[str, Sequence[str]]:
        return {"domain": sides, "range": [looks[side][at] for side in sides]}

    path = {"type": "line", "color": BAR, "strokeWidth": 1, "aria": False}
    fills = {
        "transform": [{"filter": "datum.side != ''"}],
        "mark": {"type": "point", "filled": True, "size": 46, "opacity": 0.9},
        "encoding": {
            "color": {"field": "side", "type": "nominal", "scale": scale(0), "legend": legend},
            "shape": {"field": "side", "type": "nominal", "scale": scale(1), "legend": legend},
            "description": {"field": "about"},
        },
    }
    return [{"mark": path}, fills]


_LAYERS = {
    Mark.CURVE: _curve,
    Mark.DROP: _drop,
    Mark.GAINS: _gains,
    Mark.BARS: _bars,
    Mark.FILLS: _fills,
}
