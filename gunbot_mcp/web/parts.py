"""The parts of a ticket's page. All texts of clients, models and gateways are cleaned and clipped here."""

import re
from dataclasses import dataclass
from datetime import datetime

from gunbot_mcp.approval.pin import LONGEST
from gunbot_mcp.domain import money
from gunbot_mcp.errors import GunbotMcpError, Halted, clean
from gunbot_mcp.guard.market import BookView
from gunbot_mcp.render import instant
from gunbot_mcp.tickets.ticket import Ticket
from gunbot_mcp.web.markup import Markup, tag, together

_WORTH = re.compile(r", (?:worth )?at most [^,]+ with fees$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Whose page it is, and why nothing is sent now (`halted`). `secrets` are blotted out of whatever is shown."""

    instance: str
    live: bool
    halted: str | None = None
    secrets: tuple[str, ...] = ()

    def shown(self, text: object, limit: int = 400) -> str:
        return clean(text, limit, self.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How to decide. `obstacle` is why nobody can approve now; `locked` the minutes for which no PIN is read."""

    token: str
    pin: bool
    locked: int
    obstacle: GunbotMcpError | None


def kind(*, live: bool) -> str:
    return "LIVE" if live else "PAPER"


def halt_note(at: Kind) -> Markup | None:
    """Say at the top of a page that nothing is sent: whoever reads on must not think that a decision acts."""
    if at.halted is None:
        return None
    return tag(
        "div",
        tag("p", tag("strong", f"Trading is halted: {at.shown(at.halted, 500)}".removesuffix("."), ".")),
        tag("p", "Nothing is sent. To go on, run ", tag("code", "gunbot-mcp resume"), " in a terminal."),
        class_="failure",
        role="alert",
    )


def failure_note(at: Kind, failure: GunbotMcpError | None) -> Markup | None:
    """Say what the last try to decide came to; a halt says so itself."""
    if failure is None or (at.halted is not None and isinstance(failure, Halted)):
        return None
    return tag(
        "div",
        tag("p", tag("strong", capital(at.shown(failure.message, 600)), ".")),
        next_step(at, failure),
        technical(tag("p", tag("code", failure.code))),
        class_="failure",
        role="alert",
    )


def next_step(at: Kind, failure: GunbotMcpError) -> Markup | None:
    """Return the hint as a sentence; a hint that is a command is something to run."""
    if not failure.hint:
        return None
    if failure.hint.startswith("gunbot-mcp "):
        return tag("p", "Run ", tag("code", at.shown(failure.hint)), " in a terminal, then reload this page.")
    return tag("p", capital(at.shown(failure.hint, 600)), ".")


def technical(*children: Markup) -> Markup:
    """Keep words for programs out of the way of people, and at hand for those who ask for help."""
    return tag("details", tag("summary", "Technical details"), *children, class_="technical")


def headline(at: Kind, ticket: Ticket) -> Markup:
    """Return the whole summary; what the figures say, too, is set smaller."""
    whole = at.shown(ticket.summary)
    tail = _WORTH.search(whole)
    short = whole[: tail.start()] if tail else whole
    return tag("h1", short, tag("small", tail[0]) if tail else None)


def figures(ticket: Ticket, left: float) -> Markup:
    seconds = int(left)
    amount = _amount(ticket)
    return tag(
        "dl",
        tag(
            "div",
            tag("dt", "Spends" if amount is None else _worth(ticket)),
            tag("dd", amount or "Nothing"),
            tag("dd", "it only cancels" if amount is None else "fees included", class_="small"),
        ),
        tag(
            "div",
            # Without a script the countdown would stand still, so then the clock time stands in its place.
            tag("dt", tag("span", "Expires in", class_="ticking"), tag("span", "Expires at", class_="still")),
            tag("dd", minutes(seconds), id="countdown", class_="ticking", role="timer", aria_live="off"),
            tag("dd", clock(ticket.expires_at), id="expires-at", class_="small"),
        ),
        class_="figures",
    )


def _amount(ticket: Ticket) -> str | None:
    return None if ticket.notional is None else f"{money(ticket.notional)} {clean(ticket.asset, 20)}"


def _worth(ticket: Ticket) -> str:
    """Return what the amount is: whoever sells or closes does not spend it, so it is no worst case."""
    return "Worth at most" if ticket.side == "sell" or ticket.tool.startswith("close_") else "Worst case"


def warnings(at: Kind, ticket: Ticket) -> Markup | None:
    if not ticket.warnings:
        return None
    return tag(
        "ul",
        *(tag("li", tag("strong", "Warning: "), at.shown(warning, 300)) for warning in ticket.warnings[:10]),
        class_="warnings",
    )


def book_now(at: Kind, book: BookView, ticket: Ticket) -> Markup:
    def side(word: str, price: str | None) -> Markup:
        return tag("div", tag("dt", word.capitalize()), tag("dd", price or "none", id=f"book-{word}"))

    unread = book.note is not None
    quote = ticket.quote or {}
    before = f"When proposed: {clean(quote.get('bid'), 30)} / {clean(quote.get('ask'), 30)}" if quote else None
    return tag(
        "section",
        tag("h2", "The book now ", tag("small", book.at, id="book-at"), id="book-title"),
        tag(
            "p",
            tag("strong", "The book cannot be read now. "),
            tag("span", at.shown(book.note or ""), id="book-reason"),
            " The order's price cannot be compared with the market.",
            id="book-note",
            class_="note",
            hidden=not unread,
        ),
        tag(
            "div",
            tag("dl", side("bid", book.bid), side("ask", book.ask), class_="sides"),
            tag(
                "ul",
                *(tag("li", tag("span", f"{what}: "), tag("b", where)) for what, where in book.distances),
                id="book-distances",
                class_="distances",
            ),
            id="book-prices",
            hidden=unread,
        ),
        tag("p", before, class_="quiet") if before else None,
        class_="book",
        aria_labelledby="book-title",
    )


def decision(at: Kind, ticket: Ticket, form: Form) -> Markup:
    hidden = tag("input", type="hidden", name="token", value=form.token)
    reject = tag(
        "form",
        hidden,
        tag("button", "Reject", class_="reject"),
        method="post",
        action=f"/tickets/{ticket.id}/reject",
        id="reject",
    )
    if (blocked := _blocked(at, form)) is not None:
        note = tag("div", *blocked, class_="note", role="note")
        return tag("section", note, reject, class_="decision blocked", aria_label="Decision")
    approve = tag(
        "form",
        hidden,
        # Enter in a field presses a form's first button. This one cannot be pressed, so Enter approves nothing.
        tag("button", disabled=True, hidden=True),
        _pin() if form.pin else None,
        tag("button", "Approve and send" + (" for real" if ticket.live else ""), class_="approve"),
        method="post",
        action=f"/tickets/{ticket.id}/approve",
        id="approve",
        autocomplete="off",
    )
    return tag("section", approve, reject, class_="decision", aria_label="Decision")


def _pin() -> Markup:
    return tag(
        "div",
        tag("label", "Your PIN", for_="pin"),
        tag(
            "input",
            id="pin",
            name="pin",
            type="password",
            inputmode="text",
            autocomplete="off",
            autocapitalize="none",
            spellcheck="false",
            maxlength=str(LONGEST),
            required=True,
            aria_describedby="pin-hint",
        ),
        tag("p", "Only Approve needs it. Enter does not approve; the button does.", id="pin-hint", class_="quiet"),
        class_="pin",
    )


def _blocked(at: Kind, form: Form) -> tuple[Markup | None, ...] | None:
    """Say why nobody can approve now, and what changes it; None where somebody can."""
    if at.halted is not None:
        return (tag("p", "While trading is halted, nothing can be approved."),)
    if form.obstacle is not None:
        message = capital(at.shown(form.obstacle.message))
        return tag("p", tag("strong", message, ".")), next_step(at, form.obstacle)
    if form.locked:
        wait = "1 minute" if form.locked == 1 else f"{form.locked} minutes"
        return (
            tag("p", tag("strong", "Too many wrong PINs: for now no PIN is read, not even the right one.")),
            tag("p", f"Wait up to {wait}. The same holds for gunbot-mcp approve; rejecting needs no PIN."),
        )
    return None


def origin(at: Kind, ticket: Ticket) -> Markup:
    """Say who proposed it, in the client's own words and marked as such, and what was checked."""

    def row(word: str, *value: str) -> Markup:
        return tag("div", tag("dt", word), tag("dd", *value))

    return together(
        tag(
            "dl",
            row(
                "Proposed by", tag("q", at.shown(ticket.client, 80)), tag("small", " the client's own name for itself")
            ),
            row("Proposed at", clock(ticket.created_at, date=True)),
            row("Ticket", tag("code", ticket.id)),
            class_="facts",
        ),
        tag(
            "div",
            tag(
                "details",
                # Of an order that came to nothing, "passed" alone would sound as if all were well.
                tag("summary", f"{len(ticket.checks)} checks passed when it was proposed"),
                tag("ul", *(tag("li", at.shown(check, 60)) for check in ticket.checks)),
                class_="checks",
            ),
            technical(
                tag(
                    "dl",
                    row("Tool", tag("code", at.shown(ticket.tool, 64))),
                    row("Digest", tag("code", ticket.digest[:16])),
                    class_="facts",
                )
            ),
            class_="more",
        ),
    )


def minutes(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02d}"


def clock(moment: datetime, *, date: bool = False) -> Markup:
    """Return a time in UTC; the page's script puts the reader's own beside it."""
    return tag("time", f"{moment:{'%Y-%m-%d ' if date else ''}%H:%M:%S} UTC", datetime=instant(moment))


def capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".removesuffix(".")
