"""The ticket card: the same ticket inside an MCP client, as an MCP App view (protocol 2026-01-26).

One self-contained HTML text, the same for every ticket. It reads the ticket from a tool result's
`_meta["gunbot-mcp/ticket"]` (`tickets.view.card_view`, with `quote`, `distances`, `ladder`, `page_url`, `command`,
`buttons` and `key`), else from the structured content, else from the text, because hosts pass on different parts. It
calls `get_ticket {ticket_id}` to look again, `decide_ticket {ticket_id, decision, key}` where it has buttons,
and `ui/open-link` for the approval page.
"""

from functools import cache

from gunbot_mcp.web.assets import asset, view

CARD_URI = "ui://gunbot-mcp/ticket.html"


@cache
def card_html() -> str:
    """Return the view: it loads nothing from elsewhere, and holds no data of any ticket."""
    return view("Ticket", "card.html", asset("ticket.css"), asset("card.js"))
