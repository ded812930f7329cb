"""What the pages show, made from facts: plain texts and numbers for the templates, one dataclass a page.

All texts of clients, models and gateways are cleaned and clipped here, and secrets are removed from them; the
templates escape whatever they print.
"""

from dataclasses import dataclass, field

from markupsafe import Markup

from gunbot_mcp.approval.pin import LONGEST, WrongPin
from gunbot_mcp.errors import GunbotMcpError, Halted
from gunbot_mcp.guard.market import BookView
from gunbot_mcp.tickets.content import seen_book
from gunbot_mcp.tickets.ladder import Shape, as_svg, ladder
from gunbot_mcp.tickets.outcome import Outcome, may_change, outcome_of
from gunbot_mcp.tickets.proceeds import costs_of
from gunbot_mcp.tickets.sentences import Buttons, Figure, buttons_of, figure_of, headline_of
from gunbot_mcp.tickets.ticket import IN_FLIGHT, Ticket
from gunbot_mcp.tickets.view import shown_quote, worst_case_text
from gunbot_mcp.web.choices import Settling
from gunbot_mcp.web.frame import Frame, Moment, Problem, Served
from gunbot_mcp.web.frame import frame_of as _frame
from gunbot_mcp.web.frame import moment_of as _moment
from gunbot_mcp.web.frame import problem_of as _problem
from gunbot_mcp.web.gate import NoPin

_WARNINGS = 10
_SENTENCE = 1200
"""No sentence about an order is longer; if a part of it were cut off, two orders could read the same."""


# What the pages are made from


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How to decide. `obstacle` is why nobody can approve now; `locked` the minutes for which no PIN is read.

    `plain` says that the form without a passkey counts; `touch` is what a browser needs to ask for one (JSON), and
    `elsewhere` the address at which it could. `at_once`: a notice's link may ask for it without a press.
    """

    token: str = field(repr=False)
    pin: bool
    locked: int
    obstacle: GunbotMcpError | None
    plain: bool = True
    touch: str | None = None
    elsewhere: str | None = None
    at_once: bool = False


# What the templates show


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    bid: str
    ask: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The market beside the order; `note` says why it cannot be read. `before` is the quote of the proposal."""

    readable: bool
    note: str
    at: Moment
    bid: str
    ask: str
    distances: tuple[tuple[str, str], ...]
    before: Quote | None
    figure: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The forms of a ticket; when `blocked`, one of the four reasons is set, and nobody can approve here."""

    token: str = field(repr=False)
    pin: bool
    longest: int
    halted: bool
    obstacle: Problem | None
    locked: int
    plain: bool
    touch: str | None
    at_once: bool
    elsewhere: str | None
    pin_problem: Problem | None

    @property
    def blocked(self) -> bool:
        by_form = self.plain and self.locked == 0
        return self.halted or self.obstacle is not None or not (by_form or self.touch is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who proposed it and what was checked; `arguments` and `worst_case` with every digit."""

    client: str
    proposed: Moment
    ticket: str
    checks: tuple[str, ...]
    tool: str
    arguments: str
    worst_case: str | None
    costs: str | None
    digest: str


@dataclass(frozen=True, slots=True)
class Others:
    """How many other tickets wait, and the one to decide next (its id)."""

    count: int = 0
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage:
    """A ticket that waits for a decision."""

    ticket: str
    state: str
    version: str
    left: str
    problem: Problem | None
    what: str
    worth: str
    figure: Figure
    have: str | None
    countdown: str
    expires: Moment
    warnings: tuple[str, ...]
    book: Book
    decision: Decision
    words: Buttons
    origin: Origin
    others: Others


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPage:
    """A ticket that is decided. `under_way`: its answer is not there yet. `follows`: the page asks what comes of it.

    `pin_problem` is what was wrong with the PIN beside the choices of `settling`.
    """

    ticket: str
    state: str
    under_way: bool
    follows: bool
    problem: Problem | None
    outcome: Outcome
    summary: str
    warnings: tuple[str, ...]
    origin: Origin
    others: Others
    settling: Settling | None
    decided: bool
    pin_problem: Problem | None


# From facts to pages


def open_page(
    at: Served,
    ticket: Ticket,
    book: BookView,
    form: Form,
    *,
    left: float,
    version: str,
    failure: GunbotMcpError | None,
    others: Others | None = None,
) -> tuple[Frame, OpenPage]:
    what, worth = _headline(at, ticket)
    decision = _decision(at, form, failure)
    page = OpenPage(
        ticket=ticket.id,
        state=ticket.state.value,
        version=version,
        left=f"{left:.1f}",
        problem=None if decision.pin_problem else _failure(at, failure),
        what=what,
        worth=worth,
        figure=figure_of(ticket),
        have=None if book.have is None else at.shown(book.have, 200),
        countdown=_minutes(int(left)),
        expires=_moment(ticket.expires_at),
        warnings=_warnings(at, ticket),
        book=_book(at, book, ticket),
        decision=decision,
        words=buttons_of(ticket),
        origin=_origin(at, ticket),
        others=others or Others(0, None),
    )
    title = at.shown(ticket.summary, _SENTENCE)
    return _frame(at, title, live=ticket.live, otherwise=f"gunbot-mcp approve {ticket.id}"), page


def closed_page(
    at: Served,
    ticket: Ticket,
    failure: GunbotMcpError | None,
    *,
    others: Others | None = None,
    settling: Settling | None = None,
) -> tuple[Frame, ClosedPage]:
    outcome = shown_outcome(at, ticket)
    beside = settling is not None and settling.plain and settling.pin and _is_of_pin(failure)
    page = ClosedPage(
        ticket=ticket.id,
        state=ticket.state.value,
        under_way=ticket.state in IN_FLIGHT,
        follows=may_change(ticket),
        problem=None if beside else _failure(at, failure),
        outcome=outcome,
        summary=at.shown(ticket.summary, _SENTENCE),
        warnings=_warnings(at, ticket),
        origin=_origin(at, ticket),
        others=others or Others(0, None),
        settling=settling,
        decided=ticket.decided_by is not None,
        pin_problem=_problem(at, failure) if beside and failure is not None else None,
    )
    return _frame(at, f"{outcome.title}: {at.shown(ticket.summary, _SENTENCE)}", live=ticket.live), page


def shown_outcome(at: Served, ticket: Ticket) -> Outcome:
    """Return what became of a ticket, fit for a page."""
    found = outcome_of(ticket)
    return Outcome(
        tone=found.tone,
        title=at.shown(found.title),
        lines=tuple(at.shown(line, 600) for line in found.lines if line),
        lead=found.lead,
        command=found.command,
    )


# Their parts


def _is_of_pin(failure: GunbotMcpError | None) -> bool:
    """Return whether it is about what was typed into the PIN's field, and so stands beside it."""
    return isinstance(failure, WrongPin | NoPin)


def _failure(at: Served, failure: GunbotMcpError | None) -> Problem | None:
    """Return what the last attempt to decide led to; a halt is shown at the top of every page anyway."""
    if failure is None or (at.halted is not None and isinstance(failure, Halted)):
        return None
    return _problem(at, failure)


def _headline(at: Served, ticket: Ticket) -> tuple[str, str]:
    """Return the whole summary in two pieces; in one piece where it is too long to be shown in full."""
    headline = headline_of(ticket)
    what, worth = at.shown(headline.what, _SENTENCE), at.shown(headline.worth)
    whole = at.shown(ticket.summary, _SENTENCE)
    return (what, worth) if what + worth == whole else (whole, "")


def _warnings(at: Served, ticket: Ticket) -> tuple[str, ...]:
    return tuple(at.shown(warning, 300) for warning in ticket.warnings[:_WARNINGS])


def _book(at: Served, book: BookView, ticket: Ticket) -> Book:
    quote, drawn = shown_quote(ticket), figure_now(book, ticket)
    return Book(
        readable=book.note is None,
        note=at.shown(book.note or ""),
        at=Moment(text=book.at, instant=book.moment),
        bid=book.bid or "none",
        ask=book.ask or "none",
        distances=book.distances,
        before=Quote(bid=quote["bid"], ask=quote["ask"]) if quote else None,
        figure=Markup("" if drawn is None else as_svg(drawn)),  # noqa: S704 - drawn by us, its words escaped
    )


def figure_now(book: BookView, ticket: Ticket) -> Shape | None:
    """Return the order's prices beside the market of now; None where there is none."""
    if book.book is None:
        return None
    return ladder(ticket.order.intent, book.book, seen_book(ticket), moved=book.refused is not None)


def _decision(at: Served, form: Form, failure: GunbotMcpError | None) -> Decision:
    plain = form.plain and form.locked == 0
    beside = plain and form.pin and form.obstacle is None and at.halted is None and _is_of_pin(failure)
    return Decision(
        token=form.token,
        pin=form.pin,
        longest=LONGEST,
        halted=at.halted is not None,
        obstacle=None if form.obstacle is None else _problem(at, form.obstacle),
        locked=form.locked,
        plain=plain,
        touch=form.touch,
        at_once=form.at_once,
        elsewhere=form.elsewhere,
        pin_problem=_problem(at, failure) if beside and failure is not None else None,
    )


def _origin(at: Served, ticket: Ticket) -> Origin:
    costs = costs_of(ticket)
    return Origin(
        client=at.shown(ticket.client, 80),
        proposed=_moment(ticket.created_at, date=True),
        ticket=ticket.id,
        checks=tuple(at.shown(check, 60) for check in ticket.checks),
        tool=at.shown(ticket.tool, 64),
        arguments=at.shown(ticket.order.arguments, 2000),
        worst_case=worst_case_text(ticket),
        costs=None if costs is None else f"fee {costs.fee_percent} %, slippage {costs.slippage_percent} %",
        digest=ticket.digest[:16],
    )


def _minutes(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02d}"
