"""The ticket card: the same ticket inside an MCP client, as an MCP App view (protocol 2026-01-26).

One self-contained HTML text, the same for every ticket. It reads the ticket from a tool result's
`_meta["gunbot-mcp/ticket"]` (`ticket`, `quote`, `page_url`, `buttons`, `key`), else from the structured content, else
from the text, because hosts pass on different parts of a result. It calls `get_ticket {ticket_id}` to look again,
`decide_ticket {ticket_id, decision, key}` where it has buttons, and `ui/open-link` for the approval page.
"""

from functools import cache

from gunbot_mcp import __version__
from gunbot_mcp.web.assets import asset
from gunbot_mcp.web.markup import verbatim

CARD_URI = "ui://gunbot-mcp/ticket.html"


@cache
def card_html() -> str:
    """Return the view: no origin but its own text, nothing of any ticket in it."""
    return (
        asset("card.html")
        .replace("<!-- style -->", verbatim("style", asset("ticket.css")))
        .replace(
            "<!-- script -->", verbatim("script", asset("words.js") + asset("card.js").replace("VERSION", __version__))
        )
    )
