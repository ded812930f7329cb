"""The static parts of the pages, and the only sources that a page's Content-Security-Policy allows: their hashes."""

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
    """Return the policy's word for a file that stands inline in a page."""
    digest = hashlib.sha256(asset(name).encode()).digest()
    return f"'sha256-{b64encode(digest).decode()}'"
