"""The questions asked inside a write transaction: by the checks, the search for orders and the PIN. All use an index.

Each question has one shape, so that it is compiled once; its values come as parameters.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    CursorResult,
    Executable,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    func,
    join,
    literal_column,
    not_,
    or_,
    select,
)

from gunbot_mcp.domain import Capability, Purpose, Side
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.exchanges import purpose as purpose_of_row
from gunbot_mcp.ledger.port import Parameters
from gunbot_mcp.ledger.rows import Event, Row, event_of, mandate_of, money_of, rows_of, ticket_of
from gunbot_mcp.ledger.tables import events, halts, mandates, sightings, tickets
from gunbot_mcp.tickets.content import instant_of, instant_text
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.spent import Sent, longest_row, sum_of
from gunbot_mcp.tickets.ticket import IN_FLIGHT, SPENT, ReasonCode, State, Ticket

Query = Select[Any]

_NOT_SENT = (State.DECLINED, State.EXPIRED, State.WITHDRAWN, State.VOID, State.REJECTED)
_since: BindParameter[str] = bindparam("since", type_=Text)
_instance = tickets.c.instance == bindparam("instance")
_of_pair = (tickets.c.exchange == bindparam("exchange"), tickets.c.pair == bindparam("pair"))

TICKET = select(tickets).where(tickets.c.id == bindparam("id"))
IN_FLIGHT_NOW = (
    select(literal_column("1", Integer))
    .where(tickets.c.state.in_(sorted(state.value for state in IN_FLIGHT)), _instance)
    .select_from(tickets)
    .limit(1)
)
# States are filtered afterwards: an index over states would read through everything that was ever accepted.
SENT_SINCE = select(
    *(tickets.c[name] for name in ("id", "state", "notional", "asset", "tool", "exchange", "pair", "side", "reason"))
).where(_instance, tickets.c.sent_at >= _since, tickets.c.side != "cancel")
OUTCOMES_SINCE = (
    select(tickets.c.state)
    .where(_instance, tickets.c.sent_at >= _since, tickets.c.side != "cancel")
    .order_by(tickets.c.sent_at, tickets.c.id)
)
"""What became of orders, in the order in which they were sent."""
LOSS_RESUMED = select(func.max(events.c.at)).where(
    events.c.kind == "loss_resumed", events.c.at >= _since, events.c.instance == bindparam("instance")
)
DECIDED = (
    select(events.c.ticket, func.max(events.c.at).label("at"))
    .where(events.c.ticket.in_(bindparam("ids", expanding=True)))
    .where(events.c.kind.in_([state.value for state in (State.APPROVED, State.DECLINED, State.WITHDRAWN)]))
    .group_by(events.c.ticket)
)
"""When somebody decided about these tickets."""
SENT_ON = select(tickets).where(_instance, *_of_pair, tickets.c.sent_at >= _since)
UNSEEN = SENT_ON.where(tickets.c.observed.is_(None))
UNSURE = SENT_ON.where(tickets.c.observed.like('%"certainty":"candidate"%'))
UNFINISHED = select(tickets).where(
    _instance,
    tickets.c.sent_at >= _since,
    tickets.c.state.in_([State.UNKNOWN.value, State.ACCEPTED.value]),
    or_(
        tickets.c.observed.is_(None),
        tickets.c.observed.like('%"certainty":"candidate"%'),
        not_(or_(tickets.c.observed.like('%"state":"filled"%'), tickets.c.observed.like('%"state":"gone"%'))),
    ),
)
"""What may still become something else, by the canonical text of its observation."""
PLACED_AS = (
    select(tickets)
    .select_from(join(sightings, tickets, sightings.c.ticket == tickets.c.id))
    .where(
        sightings.c.instance == bindparam("instance"),
        sightings.c.exchange == bindparam("exchange"),
        sightings.c.pair == bindparam("pair"),
        sightings.c.order_id == bindparam("order_id"),
    )
)
PLACED = (
    select(sightings.c.order_id, events.c.at.label("approved_at"), *tickets.c)
    .select_from(
        join(sightings, tickets, sightings.c.ticket == tickets.c.id).outerjoin(
            events, and_(events.c.ticket == tickets.c.id, events.c.kind == State.APPROVED.value)
        )
    )
    .where(sightings.c.instance == bindparam("instance"), tickets.c.side != "cancel")
    .order_by(tickets.c.created_at, tickets.c.id, sightings.c.order_id)
)
"""Every order at the exchange that is for sure a ticket's, with the ticket and when it was approved."""
PLACED_AMONG = PLACED.where(
    sightings.c.exchange == bindparam("exchange"),
    sightings.c.pair == bindparam("pair"),
    sightings.c.order_id.in_(bindparam("order_ids", expanding=True)),
)
KEYS = select(tickets.c.exchange, tickets.c.pair).where(_instance).distinct()
STEPS = select(events).where(events.c.ticket == bindparam("id"))
"""All events of a ticket: few, and some carry what its looks have to remember."""
TAKEN = select(sightings.c.order_id).where(
    sightings.c.instance == bindparam("instance"),
    sightings.c.exchange == bindparam("exchange"),
    sightings.c.pair == bindparam("pair"),
    sightings.c.order_id.in_(bindparam("order_ids", expanding=True)),
    sightings.c.ticket != bindparam("but"),
)
MADE_SINCE = select(func.count()).select_from(tickets).where(_instance, tickets.c.created_at >= _since)
ORDERS_SINCE = MADE_SINCE.where(tickets.c.side != "cancel")
CANCELS_SINCE = MADE_SINCE.where(tickets.c.side == "cancel")
TWIN = (
    select(tickets)
    .where(
        _instance,
        tickets.c.fingerprint == bindparam("fingerprint"),
        tickets.c.created_at >= _since,
        tickets.c.state.not_in([state.value for state in _NOT_SENT]),
    )
    .order_by(tickets.c.created_at.desc(), tickets.c.id.desc())
    .limit(1)
)
LOCK = (
    select(tickets)
    # Word for word as in the index, not a parameter: the index holds these only.
    .where(tickets.c.state == literal_column("'unknown'"), _instance, *_of_pair)
    .where(tickets.c.side == bindparam("side"))
    .order_by(tickets.c.created_at, tickets.c.id)
    .limit(1)
)
HALT = (
    select(halts.c.by, halts.c.reason)
    .where(halts.c.lifted_at.is_(None), or_(halts.c.instance.is_(None), halts.c.instance == bindparam("instance")))
    .limit(1)
)
MANDATE = select(mandates).where(mandates.c.id == bindparam("id"))
UNEXPIRED = select(mandates).where(
    mandates.c.instance == bindparam("instance"), mandates.c.expires_at > bindparam("at", type_=Text)
)
MADE = select(events.c.seq, events.c.kind, events.c.detail).where(
    events.c.ticket == bindparam("id"), events.c.kind.in_(["created", "imported"])
)
"""What the chain says about how a ticket was made."""
LAST_EVENT = (
    select(events)
    # A migration that carried the ticket over is not one of its steps.
    .where(events.c.ticket == bindparam("id"), events.c.kind != "imported")
    .order_by(events.c.seq.desc())
    .limit(1)
)
PIN_EVENTS = select(events).where(events.c.kind.in_(["pin_wrong", "pin_ok"]), events.c.at >= _since)
"""PIN attempts since then, and every success (which may name one of them)."""


def tickets_in(states: Collection[State] | None, instance: str | None) -> Query:
    query = select(tickets)
    if states is not None:
        query = query.where(tickets.c.state.in_(sorted(state.value for state in states)))
    return query if instance is None else query.where(tickets.c.instance == instance)


def mandates_of(instance: str | None) -> Query:
    query = select(mandates).order_by(mandates.c.created_at, mandates.c.id)
    return query if instance is None else query.where(mandates.c.instance == instance)


def events_of(ticket_id: str | None, limit: int | None) -> Query:
    """Newest first."""
    query = select(events).order_by(events.c.seq.desc()).limit(limit)
    return query if ticket_id is None else query.where(events.c.ticket == ticket_id)


@dataclass(frozen=True, slots=True)
class Totals:
    """`notional` in the asked asset; `count` orders of the whole instance, whatever their asset."""

    notional: Decimal
    count: int


@dataclass(frozen=True, slots=True)
class Placed:
    """An order at the exchange that is a ticket's. `approved_at` None: version 0.1 did not write that down."""

    order_id: str
    ticket: Ticket
    approved_at: datetime | None


def placed_of(row: Row) -> Placed:
    at = row["approved_at"]
    return Placed(row["order_id"], ticket_of(row), None if at is None else instant_of(at))


class Reads(ABC):
    """The questions. Nothing else can change while they are asked."""

    first: int
    """The number of the first event that this version's tables kept."""

    @abstractmethod
    async def _run(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]: ...

    async def get(self, ticket_id: str) -> Ticket | None:
        return await self._ticket(TICKET, id=ticket_id)

    async def totals(
        self, instance: str, asset: str, since: datetime, *, exclude: str | None = None, purpose: Purpose | None = None
    ) -> Totals:
        """Return what was sent, or perhaps sent, since then, without the ticket `exclude`; cancels do not count.

        An order that a human says never arrived still counts: a word must not buy more.

        With a `purpose`, only orders of that purpose add up; all count.
        """
        found = await self._rows(SENT_SINCE, instance=instance, since=instant_text(since))
        sent = [one for one in sent_of(found) if one.ticket != exclude]
        return Totals(sum_of(sent, asset, purpose), len(sent))

    async def count_since(self, instance: str, since: datetime, *, cancels: bool = False) -> int:
        """Return how many order tickets (or cancels) were made since then, whatever became of them."""
        query = CANCELS_SINCE if cancels else ORDERS_SINCE
        return (await self._run(query, {"instance": instance, "since": instant_text(since)})).scalar_one()

    async def twin(self, instance: str, fingerprint: str, since: datetime) -> Ticket | None:
        """Return the newest ticket of the same intent since then that was, or may still be, sent."""
        asked = {"instance": instance, "fingerprint": fingerprint, "since": instant_text(since)}
        return await self._ticket(TWIN, **asked)

    async def lock(self, instance: str, exchange: str, pair: str, side: str) -> Ticket | None:
        """Return the oldest order of that pair and side whose outcome is unknown; cancels neither lock nor wait."""
        if side == "cancel":
            return None
        return await self._ticket(LOCK, instance=instance, exchange=exchange, pair=pair, side=side)

    async def halted(self, instance: str) -> str | None:
        """Return why the ledger lets nothing of this instance be claimed, or None where no halt holds."""
        found = await self._rows(HALT, instance=instance)
        return f"{found[0]['reason']} ({found[0]['by']}, for all that share the ledger)" if found else None

    async def loss_resumed(self, instance: str, since: datetime) -> datetime | None:
        """Return when a human last took back the limits of losses and rejections, if that was since then."""
        at = (await self._run(LOSS_RESUMED, {"instance": instance, "since": instant_text(since)})).scalar_one()
        return None if at is None else instant_of(at)

    async def rejections(self, instance: str, since: datetime) -> int:
        """Return how many orders that were sent since then Gunbot rejected one after the other, at most."""
        asked = {"instance": instance, "since": instant_text(since)}
        return longest_row((await self._run(OUTCOMES_SINCE, asked)).scalars())

    async def taken(self, ticket: Ticket, order_ids: Collection[str]) -> frozenset[str]:
        """Return which of these orders of the ticket's pair were found to belong to other tickets."""
        asked = {**_place(ticket), "order_ids": sorted(order_ids), "but": ticket.id}
        return frozenset((await self._run(TAKEN, asked)).scalars())

    async def rivals(self, ticket: Ticket, since: datetime, unsure_since: datetime) -> list[Ticket]:
        """Return the other tickets of the ticket's pair and side whose orders nobody has found for certain yet.

        Sent since `since` where nothing at all was seen, since `unsure_since` where there are candidates.
        """
        found = [
            *await self._rows(UNSEEN, **_place(ticket), since=instant_text(since)),
            *await self._rows(UNSURE, **_place(ticket), since=instant_text(unsure_since)),
        ]
        return _oldest_first(row for row in found if row["side"] == ticket.side and row["id"] != ticket.id)

    async def placed_as(self, instance: str, exchange: str, pair: str, order_id: str) -> list[Ticket]:
        """Return the tickets to which an order was found to belong: one, if it was placed from here."""
        asked = {"instance": instance, "exchange": exchange, "pair": pair, "order_id": order_id}
        return [ticket_of(row) for row in await self._rows(PLACED_AS, **asked)]

    async def last_trail(self, ticket_id: str) -> Mapping[str, Any] | None:
        """Return what the looks of a ticket have to remember, from the newest event that carries it."""
        for row in sorted(await self._rows(STEPS, id=ticket_id), key=lambda row: row["seq"], reverse=True):
            found = event_of(row, self.first).detail.get("trail")
            if isinstance(found, dict):
                return cast("dict[str, Any]", found)
        return None

    async def in_state(self, states: Collection[State], instance: str | None = None) -> list[Ticket]:
        """Return the tickets in these states, oldest first."""
        query = tickets_in(states, instance).order_by(tickets.c.created_at, tickets.c.id)
        return [ticket_of(row) for row in await self._rows(query)]

    async def mandates(self, instance: str | None, active_at: datetime | None = None) -> list[Mandate]:
        """Return the instance's mandates, oldest first; with `active_at` only those in force then."""
        if instance is None or active_at is None:
            found = await self._rows(mandates_of(instance))
        else:
            found = await self._rows(UNEXPIRED, instance=instance, at=instant_text(active_at))
        # What "in force" means is said in one place, and few are unexpired: a human makes each of them.
        known = [mandate_of(row) for row in found]
        active = [one for one in known if active_at is None or one.active(active_at)]
        return sorted(active, key=lambda one: (one.created_at, one.id))

    async def last_event(self, ticket_id: str) -> Event | None:
        found = await self._rows(LAST_EVENT, id=ticket_id)
        return event_of(found[0], self.first) if found else None

    async def wrong_pins(self, since: datetime) -> list[datetime]:
        """Return when PINs were tried since then, oldest first, without those that were right."""
        found = await self._rows(PIN_EVENTS, since=instant_text(since))
        return wrong_pins([event_of(row, self.first) for row in found])

    async def _rows(self, statement: Executable, **parameters: object) -> Sequence[Row]:
        return rows_of(await self._run(statement, parameters))

    async def _ticket(self, statement: Executable, **parameters: object) -> Ticket | None:
        found = await self._rows(statement, **parameters)
        return ticket_of(found[0]) if found else None


def sent_of(found: Iterable[Row]) -> list[Sent]:
    """Return the orders of `SENT_SINCE` that count."""
    return [
        Sent(row["id"], None if row["notional"] is None else money_of(row["notional"]), row["asset"], _purpose(row))
        for row in found
        if _counts(row["state"], row["reason"])
    ]


def _purpose(row: Row) -> Purpose:
    """Return an order's purpose from what its row says: version 0.1 did not write it down."""
    endpoint = BY_NAME.get(row["tool"])
    if endpoint is not None and endpoint.needs is Capability.CLOSE:
        return Purpose.EXIT
    return purpose_of_row(row["exchange"], row["pair"], Side(row["side"]))


def _counts(state: str, reason: str | None) -> bool:
    if state == State.VOID:
        return reason is not None and json.loads(reason).get("code") == ReasonCode.HUMAN_NOT_PLACED
    return state in SPENT


def _place(ticket: Ticket) -> dict[str, Any]:
    return {"instance": ticket.instance, "exchange": ticket.exchange, "pair": ticket.pair}


def _oldest_first(found: Iterable[Row]) -> list[Ticket]:
    sent = [row for row in found if row["state"] in SPENT]
    return [ticket_of(row) for row in sorted(sent, key=lambda row: (row["created_at"], row["id"]))]


def wrong_pins(tries: list[Event]) -> list[datetime]:
    """Return the instants of the attempts (`pin_wrong`) that no `pin_ok` names, oldest first."""
    right = {event.detail.get("attempt") for event in tries if event.kind == "pin_ok"}
    wrong = (event for event in tries if event.kind == "pin_wrong" and event.seq not in right)
    return [event.at for event in sorted(wrong, key=lambda event: event.seq)]
