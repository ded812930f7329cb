"""The templates, and how a view model becomes a page. Jinja2 is loaded when the first page is shown."""

from functools import cache
from typing import TYPE_CHECKING

from gunbot_mcp.web.assets import asset, inline, source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment
    from markupsafe import Markup

    from gunbot_mcp.web.frame import Frame, Problem
    from gunbot_mcp.web.front import FrontPage
    from gunbot_mcp.web.passkey_view import PasskeyPage, TouchPage
    from gunbot_mcp.web.resuming import ResumePage
    from gunbot_mcp.web.view_model import ClosedPage, OpenPage


def policy(style: str, script: str) -> str:
    """Return the policy of a page whose one style and one script have these hashes."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {style}",
            f"script-src {script}",
            "img-src data:",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


POLICY = policy(source("ticket.css"), " ".join(map(source, ("page.js", "passkey.js", "events.js"))))


def render(
    template: str,
    frame: "Frame",
    page: "OpenPage | ClosedPage | FrontPage | PasskeyPage | ResumePage | TouchPage | Problem",
) -> str:
    """Return the HTML of a page; every text in it is escaped, and a name that a template misspells is an error."""
    return environment().get_template(template).render(frame=frame, page=page, **_inline_files())


def render_door(template: str, **shown: str) -> str:
    """Return the HTML of a page for somebody of whom nothing is known yet: without any frame."""
    return environment().get_template(template).render(**shown, **_inline_files())


@cache
def environment() -> "Environment":
    # A server that shows no page need not load it.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - for the first page

    return Environment(
        loader=PackageLoader("gunbot_mcp.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def _inline_files() -> "Mapping[str, Markup]":
    """Return our own style and script, which are in every page and not escaped: the policy's hashes are theirs."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with Jinja2

    return {
        "style": Markup(inline("style", asset("ticket.css"))),  # noqa: S704 - our own file
        "script": Markup(inline("script", asset("page.js"))),  # noqa: S704 - likewise
        "events_script": Markup(inline("script", asset("events.js"))),  # noqa: S704 - likewise
        "passkey_script": Markup(inline("script", asset("passkey.js"))),  # noqa: S704 - likewise
    }
