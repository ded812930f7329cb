"""What must be true after any schedule of faults, whatever went wrong on the way."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal

from support.exchange import Exchange, Post

from gunbot_mcp.domain import Purpose
from gunbot_mcp.gunbot.wire import json_text
from gunbot_mcp.ledger.ledger import Event
from gunbot_mcp.limits import EXITS_ARE_WIDER
from gunbot_mcp.tickets.channels import Speaker
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.ticket import SPENT, State, Ticket

_Wrong = Iterator[str]


@dataclass(frozen=True, kw_only=True)
class Played:
    """A schedule that is over: what the exchange got, and what the ledger says. `events` are in their order.

    `stalls` is how many simulated seconds the machine itself may take where the schedule takes none.
    """

    exchange: Exchange
    stalls: float
    approvals: Collection[str]
    day_limit: Decimal
    tickets: list[Ticket]
    mandates: list[Mandate]
    events: list[Event]

    def posts_of(self, ticket: Ticket) -> list[Post]:
        return [post for post in self.exchange.posts if post.ticket == ticket.id]

    def wrongs(self) -> _Wrong:
        """Yield everything that is not as it must be, in words."""
        for ticket in self.tickets:
            yield from self._sending(ticket)
            yield from self._fate(ticket)
        known = {ticket.id for ticket in self.tickets}
        if any(post.ticket not in known for post in self.exchange.posts):
            yield "an order of no ticket was sent"
        yield from self._days()
        yield from self._caps()
        yield from self._locks()
        yield from self._covered()

    def _sending(self, ticket: Ticket) -> _Wrong:
        name, posts = _name(ticket), self.posts_of(ticket)
        if len(posts) > 1:
            yield f"{name} was sent {len(posts)} times"
        if any(post.at > ticket.deadline + 25 + self.stalls for post in posts):
            yield f"{name} was sent long after it had expired"
        by_rule = ticket.decided_by is not None and ticket.decided_by.row.speaks_for is Speaker.RULE
        if posts and ticket.id not in self.approvals and not by_rule:
            yield f"{name} was sent without an approval"
        if any(post.halted for post in posts):
            yield f"{name} was sent while its machine was halted"
        asked = (ticket.tool, json_text({"data": ticket.order.args.wire()}))
        if any((post.tool, post.body) != asked for post in posts):
            yield f"{name} was sent with other digits"

    def _fate(self, ticket: Ticket) -> _Wrong:
        name = _name(ticket)
        seen = any(post.seen for post in self.posts_of(ticket))
        if ticket.state in {State.APPROVED, State.SENDING}:
            yield f"{name} is left half-way"
        # A cancel that was never seen, of an order that was seen to go, may count as done.
        named = getattr(ticket.order.args, "order_id", None)
        gone = any(order.id == named and order.gone_at is not None for order in self.exchange.orders)
        if ticket.state is State.ACCEPTED and not seen and not gone:
            yield f"{name} never arrived"
        # A cancel came to nothing if its order had filled, whether it arrived or not.
        filled = any(order.id == named and order.filled_at is not None for order in self.exchange.orders)
        if ticket.state not in {State.ACCEPTED, State.UNKNOWN} and seen and not filled:
            yield f"{name} arrived"
        if ticket.observed is not None and ticket.observed.sure and ticket.tool != "cancel_order":
            # Of equal orders of ours nobody can tell which is whose, but each has its own.
            equal = {one.id for one in self.tickets if one.fingerprint == ticket.fingerprint}
            own = [order.id for order in self.exchange.orders if order.ticket in equal]
            found = ticket.observed.order_ids[0]
            if found not in own:
                yield f"{name} claims order {found}, its own are {own}"
            others = [one.observed for one in self.tickets if one.id != ticket.id and one.tool != "cancel_order"]
            if any(seen is not None and seen.sure and found in seen.order_ids for seen in others):
                yield f"{name} claims order {found} as another ticket does"

    def _days(self) -> _Wrong:
        days: dict[tuple[str, Purpose | None], Decimal] = {}
        for ticket in self.tickets:
            if ticket.state in SPENT and ticket.sent_at is not None and ticket.notional is not None:
                day = ticket.sent_at.date().isoformat(), ticket.purpose
                days[day] = days.get(day, Decimal(0)) + ticket.notional
        # What leaves a risk adds up apart, and may be more.
        most = {Purpose.EXIT: self.day_limit * EXITS_ARE_WIDER}
        if any(total > most.get(purpose, self.day_limit) for (_, purpose), total in days.items() if purpose):
            yield f"the day's limit was exceeded: {days}"

    def _caps(self) -> _Wrong:
        for mandate in self.mandates:
            covered = [one for one in self.tickets if one.mandate == mandate.id]
            sent = sum((one.notional or Decimal(0) for one in covered), Decimal(0))
            if mandate.spent > mandate.max_total or sent > mandate.spent:
                yield "a mandate was overdrawn"

    def _locks(self) -> _Wrong:
        """While an order's fate was unknown, none followed on its pair and side."""
        places = {one.id: (one.pair, one.side) for one in self.tickets if one.side != "cancel"}
        unknown: set[str] = set()
        for event in self.events:
            if event.ticket in places:
                if event.kind == State.SENDING and places[event.ticket] in {places[name] for name in unknown}:
                    yield f"ticket {event.ticket} was sent where {unknown} had locked the pair"
                (unknown.add if event.kind == State.UNKNOWN else unknown.discard)(event.ticket)

    def _covered(self) -> _Wrong:
        """An order that goes by a mandate was claimed while the mandate was in force, or it was not sent."""
        mandates = {mandate.id: mandate for mandate in self.mandates}
        sent = {one.id: mandates[one.mandate] for one in self.tickets if one.mandate and self.posts_of(one)}
        began = {post.ticket: post.began for post in self.exchange.posts}
        revoked: set[str] = set()
        for event in self.events:
            if event.kind == "mandate_revoked":
                revoked.add(event.detail["mandate"])
            if event.kind != State.SENDING or event.ticket not in sent:
                continue
            mandate = sent[event.ticket]
            if mandate.id in revoked:
                yield f"ticket {event.ticket} was sent by a mandate that had been revoked"
            # It may end while the claim is being written: only one that was over before cannot have covered it.
            before = began[event.ticket]
            if before is not None and min(before, event.at) >= mandate.expires_at:
                yield f"ticket {event.ticket} was sent by a mandate that had expired"


def _name(ticket: Ticket) -> str:
    return f"ticket {ticket.id} ({ticket.tool}, {ticket.state}: {ticket.reason and ticket.reason.code})"
