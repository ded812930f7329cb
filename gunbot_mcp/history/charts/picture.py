"""A chart as PNG and SVG, where the extra `charts` is installed."""

import functools
import importlib.util
import re

from gunbot_mcp.history.charts.chart import Chart
from gunbot_mcp.history.charts.png import with_fewer_colours
from gunbot_mcp.history.charts.spec import DARK, PAPER, spec

HOW_TO_GET = "pictures need the extra charts: pip install 'gunbot-mcp[charts]'"
_SCALE = 2
"""Pixels of a picture for one on a screen: a line of text stays readable where a client shrinks it."""


@functools.cache
def available() -> bool:
    return importlib.util.find_spec("vl_convert") is not None


def png(chart: Chart) -> bytes:
    """Return a chart as a PNG of 64 colours, about 800 pixels wide: 0.2 s, the first one 2 s."""
    import vl_convert

    return with_fewer_colours(vl_convert.vegalite_to_png(spec(chart), scale=_SCALE, allowed_base_urls=[]))


def svg(chart: Chart) -> str:
    """Return a chart as an SVG element for a page of ours: marks say what they are in `aria-label`.

    It has no style of its own; `themed` makes it light or dark with the page.
    """
    import vl_convert

    made: str = vl_convert.vegalite_to_svg(spec(chart), allowed_base_urls=[])
    return _plain(made)


def _plain(made: str) -> str:
    """Take out what a page's policy forbids, and what only costs bytes."""
    text = re.sub(r'\s(?:style|xmlns:xlink|class|role|aria-roledescription)="[^"]*"', "", made)
    text = re.sub(r"(\d\.\d\d)\d+", r"\1", text)
    # The page's own ground is behind it.
    text = re.sub(rf'<rect [^>]*fill="{PAPER}"/>', "", text, count=1)
    return re.sub(r"<g>\s*</g>|<path>\s*</path>", "", text)


def themed() -> str:
    """Return the style sheet lines that turn a chart dark with its page: by its theme, else as the system is."""

    def rules(root: str) -> str:
        kinds = ("fill", "stroke")
        return "\n".join(f'{root} .chart [{k}="{old}"] {{ {k}: {new}; }}' for old, new in DARK.items() for k in kinds)

    system = rules(':root:not([data-theme="light"])')
    return f"@media (prefers-color-scheme: dark) {{\n{system}\n}}\n{rules(':root[data-theme=dark]')}\n"
