"""The style and the scripts of the pages. A page's Content-Security-Policy allows these by hash and nothing else."""

import hashlib
from base64 import b64encode
from functools import cache
from importlib.resources import files


@cache
def asset(name: str) -> str:
    """Return the text of a file in `assets`."""
    return (files("gunbot_mcp.web") / "assets" / name).read_text(encoding="utf-8")


@cache
def source(name: str) -> str:
    """Return the policy's source expression for a file that is inline in a page."""
    digest = hashlib.sha256(asset(name).encode()).digest()
    return f"'sha256-{b64encode(digest).decode()}'"


def inline(element: str, text: str) -> str:
    """Return a text of ours for use inside a `style` or `script` element, where nothing is escaped.

    Raises:
        ValueError: the text would end its element early.
    """
    if f"</{element}" in text.lower():
        raise ValueError(f"a {element} element cannot hold its own end")
    return text
