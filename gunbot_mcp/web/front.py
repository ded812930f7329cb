"""The front page: what waits, what is of unknown fate, what is open or filled today. See `view_model`."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.render import instant
from gunbot_mcp.tickets.outcome import outcome_of
from gunbot_mcp.tickets.sentences import figure_of, headline_of
from gunbot_mcp.tickets.ticket import CLOSED, OPEN, State, Ticket
from gunbot_mcp.tickets.view import kind_of, seconds_left
from gunbot_mcp.web.events import Pulse
from gunbot_mcp.web.frame import Frame, Moment, Served, frame_of, moment_of
from gunbot_mcp.web.switch import Switch
from gunbot_mcp.web.view_model import Others

MOST = 500
"""How many waiting tickets are listed; the title counts them."""
TODAY = timedelta(hours=24)
_LATELY = 5
_MOST, _RECENT = 10_000, 5
_SENTENCE = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A row. `here`: it can be decided here."""

    ticket: str
    summary: str
    what: str
    amount: str
    where: str
    client: str
    kind: str
    left: int
    countdown: str
    expires: Moment
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    ticket: str
    summary: str
    kind: str
    tone: str
    outcome: str
    line: str
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontPage:
    version: str
    waiting: tuple[Waiting, ...]
    more: int
    under_way: tuple[Past, ...]
    unknown: tuple[Past, ...]
    today: tuple[Past, ...]
    past: tuple[Past, ...]
    switch: Switch | None


@dataclass(frozen=True, slots=True)
class Lists:
    """The tickets of a front page, newest first: those that are open, and those that are not any more."""

    open: Sequence[Ticket]
    recent: Sequence[Ticket]

    @property
    def waiting(self) -> Sequence[Ticket]:
        """Those that wait for a human: an open one may be approved already, and on its way."""
        return [ticket for ticket in self.open if ticket.state is State.PENDING]

    @classmethod
    def of_all(cls, lists: Sequence["Lists"]) -> "Lists":
        def newest(tickets: Sequence[Ticket]) -> list[Ticket]:
            return sorted(tickets, key=lambda ticket: (ticket.created_at, ticket.id), reverse=True)

        return cls(
            newest([ticket for one in lists for ticket in one.open]),
            newest([ticket for one in lists for ticket in one.recent]),
        )

    def facts(self) -> list[str]:
        """Return what a page of them shows, as words that change with it."""
        return [
            f"{ticket.id} {ticket.state.value} {ticket.observed and (ticket.observed.state, ticket.observed.filled)}"
            for ticket in (*self.open, *self.recent)
        ]

    def pulse(self, now: datetime, version: str) -> Pulse:
        waiting = self.waiting
        left = min((seconds_left(ticket, now) for ticket in waiting), default=None)
        return Pulse(version, len(waiting), left)


def front_of(
    served: Served,
    lists: Lists,
    now: datetime,
    *,
    version: str,
    switch: Switch | None,
    instances: Sequence[Served],
) -> tuple[Frame, FrontPage]:
    """Return the front page of one instance, or of an inbox, where these can be decided."""
    able = tuple(one.instance for one in instances) or (served.instance,)
    if len(able) > 1:
        served = replace(
            served,
            instance=", ".join(able),
            live=served.live or any(ticket.live for ticket in lists.open),
            histories=tuple(name for one in instances for name in one.histories),
        )
    return front_page(served, lists, now, version=version, switch=switch, able=able)


def front_page(
    at: Served, lists: Lists, now: datetime, *, version: str, switch: Switch | None, able: Sequence[str]
) -> tuple[Frame, FrontPage]:
    """Return the front page; `able` names the instances that can be decided here."""
    waiting, recent = lists.waiting, lists.recent
    unknown = [ticket for ticket in recent if ticket.state is State.UNKNOWN]
    today = [ticket for ticket in recent if ticket.state is State.ACCEPTED and _of_today(ticket, now)]
    rest = [ticket for ticket in recent if ticket.state is not State.UNKNOWN and ticket not in today]
    count = len(waiting)
    page = FrontPage(
        version=version,
        waiting=tuple(_waiting(at, ticket, now, able) for ticket in waiting[:MOST]),
        more=max(0, count - MOST),
        under_way=tuple(_past(at, ticket) for ticket in lists.open if ticket.state is not State.PENDING),
        unknown=tuple(_past(at, ticket) for ticket in unknown),
        today=tuple(_past(at, ticket) for ticket in today),
        past=tuple(_past(at, ticket) for ticket in rest[:_LATELY]),
        switch=switch,
    )
    title = {0: "No open tickets", 1: "1 order waits for you"}.get(count, f"{count} orders wait for you")
    return frame_of(at, title, live=at.live), page


def _of_today(ticket: Ticket, now: datetime) -> bool:
    """Return whether it is open still, or was sent within a day."""
    rests = ticket.observed is not None and not ticket.observed.final and not ticket.cancels
    return rests or (ticket.sent_at or ticket.created_at) >= now - TODAY


def _waiting(at: Served, ticket: Ticket, now: datetime, able: Sequence[str]) -> Waiting:
    left, figure = seconds_left(ticket, now), figure_of(ticket)
    return Waiting(
        ticket=ticket.id,
        summary=at.shown(ticket.summary, _SENTENCE),
        what=at.shown(headline_of(ticket).what, _SENTENCE),
        amount=at.shown(f"{figure.word} {figure.amount[:1].lower()}{figure.amount[1:]}", 120),
        where=at.shown(f"{ticket.instance}, {ticket.exchange}", 120),
        client=at.shown(ticket.client, 80),
        kind=kind_of(ticket),
        left=left,
        countdown=f"{left // 60}:{left % 60:02d}",
        expires=moment_of(ticket.expires_at),
        here=ticket.instance in able,
    )


def _past(at: Served, ticket: Ticket) -> Past:
    outcome = outcome_of(ticket)
    when = ticket.sent_at or ticket.created_at
    return Past(
        ticket=ticket.id,
        summary=at.shown(ticket.summary, _SENTENCE),
        kind=kind_of(ticket),
        tone=outcome.tone,
        outcome=at.shown(outcome.title),
        line=at.shown(next((line for line in reversed(outcome.lines) if line), ""), 400),
        at=Moment(text=f"{when:%H:%M:%S} UTC", instant=instant(when)),
    )


async def lists_of(desk: Desk) -> Lists:
    """Return one instance's tickets that are open, those of unknown fate, and those that were closed lately."""
    found = await desk.list(states=OPEN, limit=_MOST)
    unknown = await desk.list(states={State.UNKNOWN})
    taken = await desk.list(states={State.ACCEPTED})
    rest = await desk.list(states=CLOSED - {State.ACCEPTED}, limit=_RECENT)
    recent = sorted((*unknown, *taken, *rest), key=lambda ticket: (ticket.created_at, ticket.id), reverse=True)
    return Lists(found, recent)


async def others_of(desk: Desk, ticket: Ticket, instance: str | None) -> Others:
    """Return how many other tickets wait (None: in the whole inbox), and the one that ends first."""
    now = desk.clock.now()
    found: list[Ticket] = []
    # A page about a ticket is shown without a ledger, too; how many others wait is not known then.
    with contextlib.suppress(LedgerUnavailable):
        found = await desk.ledger.list(instance, states={State.PENDING}, limit=_MOST)
    waits = [one for one in found if one.id != ticket.id and one.expires_at > now]
    following = min(waits, key=lambda one: one.expires_at, default=None)
    return Others(len(waits), None if following is None else following.id)
