"""A ticket's content in its canonical form: written down once, hashed, and read back with the same digits. Pure.

The canonical form is JSON with sorted keys and no spaces, and says its own version in `v`:

    1  what version 0.1 kept as columns; only read, never written
    2  this version's: with `url`, `kind` (live or paper), `purpose` and `contract_size`

Money is text of plain digits, an instant ISO-8601 in UTC with six decimals. A new member needs a new number here, but
no migration: a ticket keeps the form that it was made in.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from gunbot_mcp.domain import Purpose, decimal_text, to_decimal
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import Ticket

VERSION = 2


def canonical(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no escapes beyond JSON's own.

    Half a surrogate pair (JSON can carry one, UTF-8 cannot) stays as its JSON escape, so that the text always encodes.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def instant_text(instant: datetime) -> str:
    """Return ISO-8601 in UTC with six decimals, so that text order is time order.

    Raises:
        ValueError: the instant is naive.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant must be aware")
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def instant_of(text: str) -> datetime:
    """Return a stored instant.

    Raises:
        ValueError: it is not an instant, or it is naive.
    """
    instant = datetime.fromisoformat(text)
    instant_text(instant)
    return instant


def money_text(amount: Decimal | None) -> str | None:
    """Return stored money.

    Raises:
        ValueError: it is not finite.
    """
    if amount is None:
        return None
    if not amount.is_finite():
        raise ValueError("money must be finite")
    return decimal_text(amount)


def money_of(text: str | None) -> Decimal | None:
    """Return the money of a stored text.

    Raises:
        ValueError: it is not a finite number.
    """
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError("an amount of money is not a number") from None
    if not amount.is_finite():
        raise ValueError("money must be finite")
    return amount


def storable(text: str) -> str:
    """Return the text as every store can keep it: a NUL becomes a replacement mark, half a surrogate its escape."""
    return str(text).replace("\x00", "\ufffd").encode("utf-8", "backslashreplace").decode("utf-8")


def opened(text: str) -> "tuple[Mapping[str, Any], int]":
    """Return the members of a canonical content, a ticket's or a mandate's, and its version.

    Raises:
        ValueError, KeyError, TypeError: it is damaged, or of a version that is not known here.
    """
    found: Mapping[str, Any] = json.loads(text)
    version: int = found["v"]
    if version not in {1, VERSION}:
        raise ValueError(f"content of version {version}")
    return found, version


def sealed(ticket: Ticket) -> Ticket:
    """Return a new ticket with its content written down in this version's form, as a store gives it back.

    Raises:
        ValueError: a naive instant, or money that is not finite.
    """
    content = {
        "v": VERSION,
        "id": ticket.id,
        "instance": ticket.instance,
        "kind": "live" if ticket.live else "paper",
        "url": ticket.url,
        "tool": ticket.tool,
        "arguments": ticket.order.arguments,
        "summary": storable(ticket.summary),
        "notional": money_text(ticket.notional),
        "asset": ticket.asset,
        "purpose": ticket.purpose,
        "contract_size": money_text(ticket.contract_size),
        "quote": ticket.quote,
        "checks": list(ticket.checks),
        "warnings": list(ticket.warnings),
        "client": storable(ticket.client),
        "fingerprint": ticket.fingerprint,
        "repeat_of": ticket.repeat_of,
        "created_at": instant_text(ticket.created_at),
        "expires_at": instant_text(ticket.expires_at),
        "boot": ticket.boot,
        "deadline": ticket.deadline,
        "nonce_hash": ticket.nonce_hash,
    }
    text = canonical(content)
    return replace(ticket_of(text), order=ticket.order)


def ticket_of(text: str) -> Ticket:
    """Return the ticket of a canonical content, pending.

    Raises:
        ValueError, KeyError, TypeError: it is damaged, or of a version that is not known here.
    """
    found, version = opened(text)
    # Version 1 kept JSON in JSON, as its columns did.
    nested = json.loads if version == 1 else _as_it_is
    quote = found["quote"]
    return Ticket(
        id=found["id"],
        instance=found["instance"],
        live=bool(found["live"]) if version == 1 else found["kind"] == "live",
        url=found.get("url"),
        order=Order.stored(found["tool"], found["arguments"]),
        summary=found["summary"],
        notional=money_of(found["notional"]),
        asset=found["asset"],
        purpose=Purpose(found["purpose"]) if found.get("purpose") else None,
        contract_size=money_of(found.get("contract_size")),
        quote=None if quote is None else nested(quote),
        checks=tuple(nested(found["checks"])),
        warnings=tuple(nested(found["warnings"])),
        client=found["client"],
        fingerprint=found["fingerprint"],
        repeat_of=found["repeat_of"],
        created_at=instant_of(found["created_at"]),
        expires_at=instant_of(found["expires_at"]),
        boot=found["boot"],
        deadline=float(found["deadline"]),
        nonce_hash=found["nonce_hash"],
        content=text,
    )


def _as_it_is(value: object) -> Any:  # noqa: ANN401 - any JSON value
    return value


def hash_nonce(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()


def quote_of(book: Book | None, now: datetime, costs: Mapping[str, str] | None = None) -> dict[str, Any] | None:
    """Return the book as a ticket keeps it, so that a human sees later what was seen then.

    `costs` are the percentages that the order's figures were computed with; they stand beside the prices.
    """
    if book is None:
        return None
    return {
        "bid": None if book.bid is None else str(book.bid),
        "ask": None if book.ask is None else str(book.ask),
        "at": now.isoformat(),
        **(costs or {}),
    }


def seen_book(ticket: Ticket) -> Book | None:
    """Return the book that the ticket was proposed with."""
    if ticket.quote is None:
        return None
    return Book(bid=to_decimal(ticket.quote.get("bid")), ask=to_decimal(ticket.quote.get("ask")))


def fingerprint(instance: str, url: str, order: Order) -> str:
    """Return a hash that is equal for equal orders to the same Gunbot: 1.0 and 1 are the same amount.

    A price of 0 is no price, so it is left out, as it may be in the call.
    """
    found = {
        name: str(value.normalize()) if isinstance(value, Decimal) else value
        for name, value in order.args.model_dump(exclude_none=True).items()
        if not (isinstance(value, Decimal) and value == 0)
    }
    return hashlib.sha256(canonical([instance, url, order.tool, found]).encode()).hexdigest()
