"""The server's own icon: an order that waits at a gate until it is let through.

It is small on purpose: from 2026-07-28 on, every single result carries what the server says of itself. Tools have no
icons, which every client's list of them would carry.
"""

from base64 import b64encode

from mcp import types

SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='#2a7' stroke-width='2'>"
    "<path d='M12 2v5m0 10v5M2 12h13m-4-4 4 4-4 4'/></svg>"
)


def icons() -> list[types.Icon]:
    source = f"data:image/svg+xml;base64,{b64encode(SVG.encode()).decode()}"
    return [types.Icon(src=source, mime_type="image/svg+xml", sizes=["any"])]
