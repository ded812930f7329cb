"""A ticket's content: how an order is written down, recognised, and read back with the same digits. Pure."""

from __future__ import annotations

import hashlib
import json
import secrets
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gunbot_mcp.domain import Intent, to_decimal
from gunbot_mcp.endpoints import BY_NAME, AnyEndpoint
from gunbot_mcp.errors import Internal
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.gunbot.wire import json_text
from gunbot_mcp.tickets.ticket import Ticket, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gunbot_mcp.arguments import Args

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_ID_LENGTH = 8


def new_id() -> str:
    """Return a short id that a person can type; it names a ticket and proves nothing."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))


def hash_nonce(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()


def stored_arguments(args: Args) -> str:
    """Return the arguments as exact JSON text, as a ticket keeps them."""
    return json_text(args.model_dump(exclude_none=True))


def intent_of(endpoint: AnyEndpoint, args: Args) -> Intent:
    if endpoint.intent is None:
        raise Internal(f"{endpoint.name} is a read and has no intent")
    return endpoint.intent(args)


def parse_stored(ticket: Ticket) -> Args:
    """Return the ticket's arguments with exactly the digits that were approved."""
    found: Mapping[str, Any] = json.loads(ticket.arguments, parse_float=Decimal, parse_int=Decimal)
    return BY_NAME[ticket.tool].args.model_validate(found)


def amount_of(ticket: Ticket) -> Decimal:
    """Return the amount of an order's ticket."""
    return json.loads(ticket.arguments, parse_float=Decimal, parse_int=Decimal)["amount"]


def ids_of(observed: Mapping[str, Any]) -> list[str]:
    """Return the ids of the orders that a ticket was found to be: one, or one for each leg."""
    return [str(name) for name in (observed.get("order_id"), *observed.get("legs", ())) if name is not None]


def quote_of(book: Book | None, now: datetime) -> dict[str, Any] | None:
    """Return the book as a ticket keeps it, so that a human sees later what was seen then."""
    if book is None:
        return None
    return {
        "bid": None if book.bid is None else str(book.bid),
        "ask": None if book.ask is None else str(book.ask),
        "at": now.isoformat(),
    }


def seen_book(ticket: Ticket) -> Book | None:
    """Return the book that the ticket was proposed with."""
    if ticket.quote is None:
        return None
    return Book(bid=to_decimal(ticket.quote.get("bid")), ask=to_decimal(ticket.quote.get("ask")))


def fingerprint(instance: str, url: str, tool: str, args: Args) -> str:
    """Return a hash that is equal for equal orders to the same Gunbot: 1.0 and 1 are the same amount."""
    found = {
        name: str(value.normalize()) if isinstance(value, Decimal) else value
        for name, value in args.model_dump(exclude_none=True).items()
    }
    return hashlib.sha256(canonical([instance, url, tool, found]).encode()).hexdigest()
