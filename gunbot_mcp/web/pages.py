"""The templates, and how a view model becomes a page. Jinja2 is loaded when the first page is shown."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from gunbot_mcp.web.assets import asset, inline

if TYPE_CHECKING:
    from jinja2 import Environment

    from gunbot_mcp.web.frame import Frame, Problem
    from gunbot_mcp.web.front import FrontPage
    from gunbot_mcp.web.passkey_view import PasskeyPage, TouchPage
    from gunbot_mcp.web.resuming import ResumePage
    from gunbot_mcp.web.view_model import ClosedPage, OpenPage


def render(
    template: str,
    frame: "Frame",
    page: "OpenPage | ClosedPage | FrontPage | PasskeyPage | ResumePage | TouchPage | Problem",
) -> str:
    """Return the HTML of a page; every text in it is escaped, and a name that a template misspells is an error."""
    return environment().get_template(template).render(frame=frame, page=page, **_inline_files())


def render_door(template: str, **shown: str | bool) -> str:
    """Return the HTML of a page for somebody of whom nothing is known yet: without any frame."""
    return environment().get_template(template).render(**shown, **_inline_files())


@cache
def environment() -> "Environment":
    # A server that shows no page need not load it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("gunbot_mcp.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def _inline_files() -> Mapping[str, Markup]:
    """Return our own style and script, which are in every page: the policy's hashes are theirs."""
    scripts = {"script": "page.js", "events_script": "events.js", "passkey_script": "passkey.js"}
    return unescaped(asset("ticket.css"), **{name: asset(file) for name, file in scripts.items()})


def unescaped(style: str, **scripts: str) -> Mapping[str, Markup]:
    """Return files of this package for templates, which escape everything else."""
    files = {"style": inline("style", style)} | {name: inline("script", text) for name, text in scripts.items()}
    return {name: Markup(text) for name, text in files.items()}  # noqa: S704 - files of this package, nothing else
