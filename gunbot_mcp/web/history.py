"""The page `/history`: one chart of the order history, with links to the others. It decides nothing.

    GET /history?chart=pnl&since=30d&until=…&keys=binance/USDT-BTC&timezone=…&asset=…   the arguments of `chart_orders`

The picture is an SVG in the page, whose marks say in `aria-label` what they are; our own few lines show that.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.responses import Response

from gunbot_mcp.errors import TicketNotFound, error_codes
from gunbot_mcp.history.charts import picture
from gunbot_mcp.history.charts.chart import Kind
from gunbot_mcp.render import CHART_META, REFUSAL_META, Answer, as_sentence
from gunbot_mcp.web.answers import html
from gunbot_mcp.web.assets import asset, source, source_of
from gunbot_mcp.web.frame import Served, frame_of
from gunbot_mcp.web.headers import policy
from gunbot_mcp.web.pages import environment, unescaped

_TITLES: Mapping[Kind, str] = {
    Kind.PNL: "Pnl and drawdown",
    Kind.DAYS: "Per day",
    Kind.FILLS: "Fills",
    Kind.HOLDINGS: "Holdings",
}
_RANGES: Mapping[str, str] = {
    "7d": "7 days",
    "30d": "30 days",
    "this month": "This month",
    "last month": "Last month",
    "this year": "This year",
    "all": "All",
}
Charts = Callable[[Mapping[str, object]], Awaitable[Answer]]
"""Answers a call of `chart_orders`."""
DEFAULT = {"chart": Kind.PNL.value, "since": "30d"}
"""What is shown where an address does not say."""
_ASKED = ("instance", "chart", "since", "until", "timezone", "asset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    text: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """What the template shows. `svg` is our own drawing, the only text that is not escaped."""

    choices: Sequence[Sequence[Link]]
    covers: str
    drawn: str
    svg: Markup | None
    spark: str
    facts: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


async def page_of(charts: Charts | None, served: Served, query: Sequence[tuple[str, str]]) -> str:
    """Return the page that an address asks for.

    Raises:
        TicketNotFound: no history can be read at this address. GunbotMcpError: the answer is a refusal.
    """
    if charts is None:
        raise TicketNotFound("there is no order history at this address", "ask the assistant for a chart")
    arguments = asked(query)
    answer = await charts(arguments)
    if answer.is_error:
        known, facts, people = error_codes(), answer.error, answer.meta.get(REFUSAL_META, {})
        step = people.get("command") or " ".join(people.get("lines", [])[1:])
        raise known[facts["code"]](facts["message"], facts["hint"], human=step)
    return history_html(served, arguments, answer)


async def response_of(charts: Charts | None, served: Served, query: Sequence[tuple[str, str]]) -> Response:
    """Return the page's answer, with the policy that its picture needs. Raises as `page_of` does."""
    response = html(await page_of(charts, served, query))
    response.headers["Content-Security-Policy"] = history_policy()
    return response


def asked(query: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return the arguments of `chart_orders` that an address gives; `keys` may stand several times."""
    named: dict[str, object] = {**DEFAULT, **{name: value for name, value in query if name not in {"keys", "instance"}}}
    keys = [value for name, value in query if name == "keys" and value]
    return {**named, **({"keys": keys} if keys else {})}


def history_html(served: Served, arguments: Mapping[str, object], answer: Answer) -> str:
    """Return the page of a chart's answer."""
    found = answer.structured
    page = HistoryPage(
        choices=_choices({**arguments, "instance": served.instance}),
        covers=served.shown(found.get("about", ""), 600),
        drawn=served.shown(found.get("chart", "")),
        svg=_drawing(answer),
        spark=str(found.get("sparkline", "")),
        facts=[as_sentence(served.shown(fact)) for fact in found.get("facts", [])],
        columns=found.get("columns", []),
        rows=[[served.shown("" if cell is None else cell, 100) for cell in row] for row in found.get("rows", [])],
    )
    frame = frame_of(served, "Order history", live=served.live)
    return environment().get_template("history.html").render(frame=frame, page=page, **_inline())


def _drawing(answer: Answer) -> Markup | None:
    svg = answer.meta.get(CHART_META, {}).get("svg")
    return Markup(svg) if isinstance(svg, str) else None  # noqa: S704 - drawn here, from numbers and escaped names


def _choices(arguments: Mapping[str, object]) -> list[list[Link]]:
    kinds = [_link(words, arguments, chart=kind.value) for kind, words in _TITLES.items()]
    ranges = [_link(words, {**arguments, "until": ""}, since=since) for since, words in _RANGES.items()]
    return [kinds, ranges]


def _link(text: str, arguments: Mapping[str, object], **change: str) -> Link:
    (name, value), *_ = change.items()
    now = {**arguments, **change}
    pairs = [(key, str(now[key])) for key in _ASKED if now.get(key)]
    keys = now.get("keys")
    listed = [("keys", str(key)) for key in cast("list[object]", keys)] if isinstance(keys, list) else []
    return Link(text=text, href=f"/history?{urlencode([*pairs, *listed])}", current=arguments.get(name) == value)


def style() -> str:
    """Return the style of what shows a chart: that of the other pages, and the chart's own, light and dark."""
    return "\n".join((asset("ticket.css"), asset("chart.css"), picture.themed()))


@functools.cache
def history_policy() -> str:
    return policy(source_of(style()), source("chart.js"))


@functools.cache
def _inline() -> Mapping[str, Markup]:
    return unescaped(style(), script=asset("chart.js"))
