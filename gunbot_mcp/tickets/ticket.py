"""The ticket: one order that somebody proposed, and what became of it.

    pending ──▶ approved ──▶ sending ──▶ accepted | rejected | unknown ──▶ accepted | void
       │            └──────────┴──────▶ void
       └──▶ declined | expired | withdrawn | void

A ticket's content never changes; its state moves only along `TRANSITIONS`, by one atomic statement in the ledger.
`void` always means: this order did not happen (the market or the limits moved, the connection was refused before a
byte was delivered, or a human found that it never arrived).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from gunbot_mcp.domain import decimal_text


class State(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    VOID = "void"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.APPROVED, State.DECLINED, State.EXPIRED, State.WITHDRAWN, State.VOID}),
    State.APPROVED: frozenset({State.SENDING, State.VOID}),
    State.SENDING: frozenset({State.ACCEPTED, State.REJECTED, State.UNKNOWN, State.VOID}),
    State.UNKNOWN: frozenset({State.ACCEPTED, State.REJECTED, State.VOID}),
}

SPENT = frozenset({State.SENDING, State.ACCEPTED, State.UNKNOWN})
"""States whose notional counts against the day: sent, or perhaps sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Content first (immutable, covered by `digest`), then what became of it.

    `arguments` are the tool's arguments as exact JSON text (numbers keep their digits). `notional` is the worst case
    in `asset`, fees included; None where money is not at stake (a cancel). Instants are aware UTC datetimes.
    `boot` and `deadline` are the machine's boot id and its monotonic clock at expiry, so that a wall clock that is
    set back cannot keep a ticket alive. `nonce_hash` is the SHA-256 of a token that only the human's own channel got.
    """

    id: str
    instance: str
    live: bool
    tool: str
    arguments: str
    exchange: str
    pair: str
    side: str  # buy | sell | cancel
    summary: str
    notional: Decimal | None
    asset: str | None
    quote: Mapping[str, Any] | None
    checks: tuple[str, ...]
    warnings: tuple[str, ...]
    client: str
    fingerprint: str
    repeat_of: str | None
    created_at: datetime
    expires_at: datetime
    boot: str
    deadline: float
    nonce_hash: str

    state: State = State.PENDING
    decided_by: str | None = None
    owner: str | None = None
    sent_at: datetime | None = None
    closed_at: datetime | None = None
    mandate: str | None = None
    reason: str | None = None
    outcome: Mapping[str, Any] | None = None
    observed: Mapping[str, Any] | None = field(default=None)

    @property
    def digest(self) -> str:
        """SHA-256 over everything that a human approves; the same for the same content, whatever the state."""
        content = {
            "id": self.id,
            "instance": self.instance,
            "live": self.live,
            "tool": self.tool,
            "arguments": self.arguments,
            "summary": self.summary,
            "notional": None if self.notional is None else decimal_text(self.notional),
            "asset": self.asset,
            "warnings": list(self.warnings),
            "expires_at": self.expires_at.isoformat(),
        }
        return hashlib.sha256(canonical(content).encode()).hexdigest()


def canonical(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no escapes beyond JSON's own.

    Half a surrogate pair (JSON can carry one, UTF-8 cannot) stays as its JSON escape, so that the text always encodes.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
