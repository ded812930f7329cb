"""The ticket: one order that somebody proposed, and what became of it.

    pending ──▶ approved ──▶ sending ──▶ accepted | rejected | unknown ──▶ accepted | void
       │            └──────────┴──────▶ void             (accepted ──▶ unknown | void: if it was only found)
       └──▶ declined | expired | withdrawn | void

A ticket's content never changes; its state moves only along `TRANSITIONS`, by one atomic statement in the ledger.
`void` always means: this order did not happen (the market or the limits moved, the connection was refused before a
byte was delivered, or a human found that it never arrived). What became of it is facts: a state, a reason's code, an
actor, an observation. `outcome.py` makes the words.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from gunbot_mcp.domain import Purpose
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.order import Order


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
    # Only where it was found by its looks, not by Gunbot's word: a second order that fits, or a human, takes it back.
    State.ACCEPTED: frozenset({State.UNKNOWN, State.VOID}),
}

OPEN = frozenset({State.PENDING, State.APPROVED, State.SENDING})
"""States in which a ticket waits for somebody or something."""
IN_FLIGHT = frozenset({State.APPROVED, State.SENDING})
SPENT = frozenset({State.SENDING, State.ACCEPTED, State.UNKNOWN})
"""States whose notional counts against the day: sent, or perhaps sent."""
CLOSED = frozenset(set(State) - OPEN - {State.UNKNOWN})
"""States in which nothing is waited for any more."""


class ReasonCode(StrEnum):
    """Why a ticket is in its state. The parameters of each code are in the comment beside it."""

    TAKEN = "taken"  # Gunbot said success
    FOUND = "found"  # an unknown order was seen; the observation says where
    CONTESTED = "contested"  # a second order fits as well as the one that was found
    OVERRULED = "overruled"  # by: the ticket for which a human named the order that was found for this one
    FILLED_FIRST = "filled_first"  # a cancel: the order filled before it
    CANCEL_SEEN = "cancel_seen"  # a cancel of unknown fate: the order is gone and did not fill
    HUMAN_PLACED = "human_placed"  # a human found the order
    HUMAN_NOT_PLACED = "human_not_placed"  # a human found that the order never arrived
    GUNBOT_SAID_NO = "gunbot_said_no"  # message: what the adapter says of it
    NO_ANSWER = "no_answer"  # message
    CUT_OFF = "cut_off"  # by: fault | stopped; the POST may have been delivered
    SENDER_LOST = "sender_lost"  # ended: whether the process is known to have ended
    UNREACHABLE = "unreachable"  # no byte was delivered
    CHECK_FAILED = "check_failed"  # message: which check, before sending
    NOT_SENT = "not_sent"  # by: fault | stopped; before the POST
    HALTED = "halted"  # message: why
    NO_TIME = "no_time"  # needs, left: seconds of the order's own time-out, and of its call
    TOO_LATE = "too_late"  # too much time passed after the claim
    UNREAD = "unread"  # message; never stored: the ledger could not be asked whether it was sent
    SENDER_LOST_BEFORE = "sender_lost_before"  # ended; after the approval, before the claim
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    RECORDED = "recorded"  # text: what version 0.1 wrote down in its own words


@dataclass(frozen=True, slots=True)
class Reason:
    code: ReasonCode
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Certainty(StrEnum):
    """How sure an observation is; see FATES: a human's word counts more than a match, a match more than a candidate."""

    HUMAN = "human"
    MATCH = "match"
    CANDIDATE = "candidate"


Where = Literal["open_orders", "history", "not_open", "human"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen of an order at the exchange. `order_ids`: one, or one for each leg, exactly as Gunbot writes them.

    Of a candidate they are all that could be the order's. `state`: what the order was then, as of `seen_at` (None where
    version 0.1, which did not note it, looked); None where only `where` can be said. `since`: when it was first missed
    among the open orders. `price`, `amount` (what Gunbot shows as the order's), `filled` and `average` are in the
    pair's own units; `filled_at` is Gunbot's time of the last fill. None where not seen.
    """

    order_ids: tuple[str, ...]
    where: Where
    state: Literal["open", "partly_filled", "filled", "gone"] | None
    certainty: Certainty
    seen_at: datetime | None
    price: Decimal | None = None
    order_type: str | None = None
    filled: Decimal | None = None
    average: Decimal | None = None
    amount: Decimal | None = None
    filled_at: datetime | None = None
    since: datetime | None = None

    @property
    def sure(self) -> bool:
        """Whether the ids are the order's, by a match or a human's word."""
        return self.certainty is not Certainty.CANDIDATE

    @property
    def final(self) -> bool:
        """Whether nothing more can become of the order."""
        return self.sure and self.state in {"filled", "gone"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Content first (immutable, covered by `digest`), then what became of it.

    `notional` is the worst case in `asset`, fees included; None where money is not at stake (a cancel). `url` and
    `live` name the Gunbot that it was made for (`url` None: version 0.1 did not write it down; its fingerprint covers
    it). Instants are aware UTC datetimes. `boot` and `deadline` are the machine's boot id and its monotonic clock at
    expiry, so that a wall clock that is set back cannot keep a ticket alive. `nonce_hash` is the SHA-256 of a token
    that only the human's own channel got. `contract_size` is what one contract holds, where amounts count contracts.

    `content` is the canonical text of all that, as `content.py` writes it and the ledger keeps it; empty until then.
    `baseline` is what was there just before sending; `answer` is what Gunbot said (`message`), or how it failed
    (`error`).
    """

    id: str
    instance: str
    live: bool
    url: str | None
    order: Order
    summary: str
    notional: Decimal | None
    asset: str | None
    purpose: Purpose | None
    contract_size: Decimal | None = None
    quote: Mapping[str, Any] | None
    checks: tuple[str, ...]
    warnings: tuple[str, ...]
    client: str
    fingerprint: str
    repeat_of: str | None = None
    created_at: datetime
    expires_at: datetime
    boot: str
    deadline: float
    nonce_hash: str
    content: str = field(default="", repr=False)

    state: State = State.PENDING
    decided_by: Actor | None = None
    owner: str | None = None
    sent_at: datetime | None = None
    closed_at: datetime | None = None
    mandate: str | None = None
    reason: Reason | None = None
    answer: Mapping[str, Any] | None = None
    baseline: Mapping[str, Any] | None = field(default=None, repr=False)
    observed: Observation | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over everything that a human approves; the same for the same content, whatever the state."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def tool(self) -> str:
        return self.order.tool

    @property
    def exchange(self) -> str:
        return self.order.intent.exchange

    @property
    def pair(self) -> str:
        return self.order.intent.pair

    @property
    def side(self) -> str:
        """Return buy, sell or cancel."""
        return self.order.side

    @property
    def cancels(self) -> bool:
        return self.order.trade is None
