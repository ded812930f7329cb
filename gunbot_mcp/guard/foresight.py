"""Whether an order that waits would be sent at the prices of now: said before a human types a PIN for nothing."""

from dataclasses import replace

from gunbot_mcp.errors import ConfigInvalid, Halted, Refused
from gunbot_mcp.guard.case import Cases
from gunbot_mcp.guard.checks import check_all
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.content import seen_book
from gunbot_mcp.tickets.ticket import Ticket


def refusal_now(cases: Cases, ticket: Ticket, book: Book | None) -> str | None:
    """Return why the market would stop the order now, or None. What it says is no promise: sending checks again.

    Only what the market changes is looked at: the day's totals and the like are the claim's. A halt or a config that
    cannot be read is told elsewhere.
    """
    if ticket.cancels or book is None:
        return None
    try:
        check_all(replace(cases.static(ticket.order), book=book, seen=seen_book(ticket)))
    except (Halted, ConfigInvalid):
        return None
    except Refused as exc:
        return exc.message
    return None
