"""The style and the scripts of the pages. A page's Content-Security-Policy allows these by hash and nothing else."""

import hashlib
from base64 import b64encode
from functools import cache
from importlib.resources import files

from gunbot_mcp import __version__


@cache
def asset(name: str) -> str:
    """Return the text of a file in `assets`."""
    return (files("gunbot_mcp.web") / "assets" / name).read_text(encoding="utf-8")


@cache
def source(name: str) -> str:
    """Return the policy's source expression for a file that is inline in a page."""
    return source_of(asset(name))


def source_of(text: str) -> str:
    """Return the policy's source expression for a text that is inline in a page."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def inline(element: str, text: str) -> str:
    """Return a text of ours for use inside a `style` or `script` element, where nothing is escaped.

    Raises:
        ValueError: the text would end its element early.
    """
    if f"</{element}" in text.lower():
        raise ValueError(f"a {element} element cannot hold its own end")
    return text


def view(title: str, body: str, style: str, script: str) -> str:
    """Return an MCP App view: one self-contained HTML text, with the body of a file in `assets`. It loads nothing."""
    page = asset("view.html").replace("<!-- title -->", title).replace("<!-- body -->\n", asset(body))
    page = page.replace("<!-- style -->", f"<style>{inline('style', style)}</style>")
    return page.replace(
        "<!-- script -->", f"<script>{inline('script', script.replace('VERSION', __version__))}</script>"
    )
