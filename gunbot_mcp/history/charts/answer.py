"""A chart as an answer: a line of blocks, the numbers, and the picture where the extra `charts` is installed."""

from decimal import Decimal

from gunbot_mcp.history.charts import picture
from gunbot_mcp.history.charts.chart import Chart, sparkline
from gunbot_mcp.history.charts.numbers import amount_text
from gunbot_mcp.render import CHART_META, Answer, Picture, number, text_table


def chart_answer(chart: Chart, covers: str, *, pictures: bool) -> Answer:
    """Return a chart in both forms, each with all numbers. `covers` is the first line; `pictures`: they can be made.

    Takes a few tenths of a second for the picture: call it in a thread.
    """
    if chart.empty:
        said = f"nothing to draw: no such orders from {chart.span}"
        return Answer(structured={"about": covers, "chart": said, "columns": [], "rows": []}, text=f"{covers}\n{said}")
    drawn = f"{chart.title}: {chart.scope}, {chart.span}"
    line = sparkline(chart.spark)
    how = [] if pictures else [picture.HOW_TO_GET]
    cells = [[_cell(value, chart.asset) for value in row] for row in chart.rows]
    return Answer(
        structured={
            "about": covers,
            "chart": drawn,
            "sparkline": line,
            "facts": [*chart.facts, *how],
            "columns": list(chart.columns),
            "rows": [[_json(cell) for cell in row] for row in chart.rows],
        },
        text="\n".join([covers, drawn, line, *chart.facts, text_table(chart.columns, cells), *how]),
        meta={CHART_META: {"svg": picture.svg(chart), "title": drawn}} if pictures else {},
        picture=Picture(data=picture.png(chart), mime="image/png") if pictures else None,
    )


def _cell(value: object, asset: str) -> object:
    """Return what a person reads; the structured form has every digit."""
    return amount_text(value, asset) if isinstance(value, Decimal) else value


def _json(value: object) -> object:
    return number(value) if isinstance(value, Decimal) else value
