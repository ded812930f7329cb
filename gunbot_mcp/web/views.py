"""The pages' HTML. All texts of clients, models and gateways are cleaned and clipped here, and escaped by `markup`."""

import re
from dataclasses import dataclass
from datetime import datetime

from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError, Halted, clean
from gunbot_mcp.guard.book import BookView
from gunbot_mcp.guard.policy import money
from gunbot_mcp.guard.tickets import State, Ticket
from gunbot_mcp.guard.view import seconds_left
from gunbot_mcp.web.assets import asset, source
from gunbot_mcp.web.markup import Markup, tag, together, verbatim
from gunbot_mcp.web.outcome import outcome_of

TICKET_ID = re.compile(r"[0-9a-zA-Z_-]{1,40}")
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {source('ticket.css')}",
        f"script-src {source('page.js')}",
        "img-src data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
LONGEST_PIN = 64
_LOST = "This page cannot reach gunbot-mcp any more: it may have stopped. Nothing is decided by waiting here."


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Whose page it is. `secrets` are blotted out of whatever is shown."""

    instance: str
    live: bool
    secrets: tuple[str, ...] = ()

    def shown(self, text: object, limit: int = 400) -> str:
        return clean(text, limit, self.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How to decide: `obstacle` is why nobody can approve now."""

    token: str
    pin: bool
    obstacle: GunbotMcpError | None


def kind(*, live: bool) -> str:
    return "LIVE" if live else "PAPER"


# Pages


def open_page(
    at: Kind, ticket: Ticket, book: BookView, form: Form, *, left: float, failure: GunbotMcpError | None
) -> str:
    """Return the page of a ticket that waits for a decision."""
    main = tag(
        "main",
        _failure(at, failure),
        _headline(at, ticket),
        _figures(ticket, left),
        _warnings(at, ticket),
        _book(at, book, ticket),
        _decision(at, ticket, form),
        _origin(at, ticket),
        data_left=f"{left:.1f}",
        data_live=f"/tickets/{ticket.id}/live",
        data_state=ticket.state.value,
    )
    return _document(at, f"{at.shown(ticket.summary, 120)}", main, live=ticket.live)


def closed_page(at: Kind, ticket: Ticket, failure: GunbotMcpError | None) -> str:
    """Return the page of a ticket that is decided: what became of it."""
    outcome = outcome_of(ticket)
    news = tag(
        "section",
        tag("h2", outcome.title, id="outcome"),
        *(tag("p", at.shown(line, 600)) for line in outcome.lines if line),
        None if outcome.command is None else tag("p", tag("code", outcome.command)),
        class_=f"outcome {outcome.tone}",
        role="status",
        aria_labelledby="outcome",
    )
    under_way = ticket.state in {State.APPROVED, State.SENDING}
    main = tag(
        "main",
        _failure(at, failure),
        news,
        _headline(at, ticket),
        _warnings(at, ticket),
        _origin(at, ticket),
        tag("p", tag("a", "All tickets", href="/"), class_="back"),
        data_state=ticket.state.value,
        data_live=f"/tickets/{ticket.id}/live" if under_way else None,
    )
    return _document(at, f"{outcome.title}: {at.shown(ticket.summary, 120)}", main, live=ticket.live)


def list_page(at: Kind, waiting: list[Ticket], recent: list[Ticket], now: datetime, *, version: str) -> str:
    """Return the front page: what waits for the human, and the last few that do not any more."""
    nothing = tag("p", "Nothing waits for you. A new ticket shows up here by itself.", class_="quiet")
    title = "1 order waits for you" if len(waiting) == 1 else f"{len(waiting)} orders wait for you"
    main = tag(
        "main",
        tag("h1", title if waiting else "No open tickets"),
        tag("ul", *(_item(at, ticket, now) for ticket in waiting), class_="tickets") if waiting else nothing,
        tag("h2", "Lately") if recent else None,
        tag("ul", *(_past(at, ticket) for ticket in recent), class_="tickets past") if recent else None,
        data_live="/live",
        data_version=version,
    )
    return _document(at, title if waiting else "No open tickets", main, live=at.live)


def error_page(at: Kind, exc: GunbotMcpError) -> str:
    main = tag(
        "main",
        tag("h1", _capital(at.shown(exc.message, 600))),
        tag("p", _capital(at.shown(exc.hint, 600)), ".") if exc.hint else None,
        tag("p", tag("code", exc.code), class_="quiet"),
        tag("p", tag("a", "All tickets", href="/"), class_="back"),
    )
    return _document(at, at.shown(exc.message, 120), main, live=at.live)


def _document(at: Kind, title: str, main: Markup, *, live: bool) -> str:
    word = kind(live=live)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="robots", content="noindex"),
        tag("title", f"{word}: {title}"),
        tag("link", rel="icon", href=_icon(live=live)),
        verbatim("style", asset("ticket.css")),
    )
    money_word = "Real money" if live else "Practice money"
    band = tag(
        "header",
        tag("strong", word, class_="kind"),
        tag("span", money_word, class_="money"),
        tag("span", "instance ", tag("b", at.shown(at.instance, 60)), class_="instance"),
        class_="band",
    )
    foot = tag("footer", "gunbot-mcp, on this machine only")
    body = tag(
        "body",
        band,
        tag("p", _LOST, id="lost", class_="failure", role="status", hidden=True),
        main,
        foot,
        tag("p", class_="unseen", id="announcement", aria_live="polite"),
        verbatim("script", asset("page.js")),
        class_=word.lower(),
    )
    return "<!doctype html>" + tag("html", head, body, lang="en")


def _icon(*, live: bool) -> str:
    colour = "%23b3261e" if live else "%231f5fbf"
    shape = "M8 1 15 14H1z" if live else "M8 1a7 7 0 1 0 .01 0z"
    image = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path fill='{colour}' d='{shape}'/></svg>"
    return f"data:image/svg+xml,{image}"


# Parts


def _failure(at: Kind, failure: GunbotMcpError | None) -> Markup | None:
    if failure is None:
        return None
    return tag(
        "div",
        tag("p", tag("strong", _capital(at.shown(failure.message, 600)), ".")),
        tag("p", _capital(at.shown(failure.hint, 600)), ".") if failure.hint else None,
        tag("p", tag("code", failure.code), class_="quiet"),
        class_="failure",
        role="alert",
    )


def _headline(at: Kind, ticket: Ticket) -> Markup:
    return tag("h1", at.shown(ticket.summary))


def _figures(ticket: Ticket, left: float) -> Markup:
    seconds = int(left)
    amount = None if ticket.notional is None else f"{money(ticket.notional)} {clean(ticket.asset, 20)}"
    return tag(
        "dl",
        tag(
            "div",
            tag("dt", "Spends" if amount is None else "Worst case"),
            tag("dd", amount or "Nothing"),
            tag("dd", "it only cancels" if amount is None else "fees included", class_="small"),
        ),
        tag(
            "div",
            tag("dt", "Expires in"),
            tag("dd", f"{seconds // 60}:{seconds % 60:02d}", id="countdown", role="timer", aria_live="off"),
            tag("dd", f"{ticket.expires_at:%H:%M:%S} UTC", class_="small"),
        ),
        class_="figures",
    )


def _warnings(at: Kind, ticket: Ticket) -> Markup | None:
    if not ticket.warnings:
        return None
    return tag(
        "ul",
        *(tag("li", tag("strong", "Warning: "), at.shown(warning, 300)) for warning in ticket.warnings[:10]),
        class_="warnings",
    )


def _book(at: Kind, book: BookView, ticket: Ticket) -> Markup:
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


def _decision(at: Kind, ticket: Ticket, form: Form) -> Markup:
    hidden = tag("input", type="hidden", name="token", value=form.token)
    reject = tag(
        "form",
        hidden,
        tag("button", "Reject", class_="reject"),
        method="post",
        action=f"/tickets/{ticket.id}/reject",
        id="reject",
    )
    if form.obstacle is not None:
        return tag("section", _obstacle(at, form.obstacle), reject, class_="decision blocked", aria_label="Decision")
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
            maxlength=str(LONGEST_PIN),
            required=True,
            aria_describedby="pin-hint",
        ),
        tag("p", "Only Approve needs it. Enter does not approve; the button does.", id="pin-hint", class_="quiet"),
        class_="pin",
    )


def _obstacle(at: Kind, obstacle: GunbotMcpError) -> Markup:
    """Say why nobody can approve, and the command that changes it."""
    told = isinstance(obstacle, ConfigInvalid | Halted) and obstacle.hint.startswith("gunbot-mcp ")
    then = (
        ("Run ", tag("code", obstacle.hint), " in a terminal, then reload this page.")
        if told
        else (_capital(at.shown(obstacle.hint)), ".")
    )
    return tag(
        "div",
        tag("p", tag("strong", _capital(at.shown(obstacle.message)), ".")),
        tag("p", *then),
        class_="note",
        role="note",
    )


def _origin(at: Kind, ticket: Ticket) -> Markup:
    """Say who proposed it, in the client's own words and marked as such, and what was checked."""

    def row(word: str, *value: str) -> Markup:
        return tag("div", tag("dt", word), tag("dd", *value))

    return together(
        tag(
            "dl",
            row(
                "Proposed by", tag("q", at.shown(ticket.client, 80)), tag("small", " the client's own name for itself")
            ),
            row("Proposed at", f"{ticket.created_at:%Y-%m-%d %H:%M:%S} UTC"),
            row("Tool", tag("code", at.shown(ticket.tool, 64))),
            row("Ticket", tag("code", ticket.id)),
            row("Digest", tag("code", ticket.digest[:16])),
            class_="facts",
        ),
        tag(
            "details",
            tag("summary", f"{len(ticket.checks)} checks passed"),
            tag("ul", *(tag("li", at.shown(check, 60)) for check in ticket.checks)),
            class_="checks",
        ),
    )


def _item(at: Kind, ticket: Ticket, now: datetime) -> Markup:
    left = seconds_left(ticket, now)
    waits = f"expires in {left // 60}:{left % 60:02d}" if ticket.state is State.PENDING else ticket.state.value
    return tag(
        "li",
        tag("a", at.shown(ticket.summary), href=f"/tickets/{ticket.id}"),
        tag("p", tag("b", kind(live=ticket.live)), f" · {waits}", class_="quiet"),
    )


def _past(at: Kind, ticket: Ticket) -> Markup:
    outcome = outcome_of(ticket)
    return tag(
        "li",
        tag("a", at.shown(ticket.summary), href=f"/tickets/{ticket.id}"),
        tag("p", tag("b", outcome.title, class_=outcome.tone), class_="quiet"),
    )


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".removesuffix(".")
