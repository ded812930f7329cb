"""The pages' HTML. All texts of clients, models and gateways are cleaned and clipped here, and escaped by `markup`."""

import re
from datetime import datetime

from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.guard.market import BookView
from gunbot_mcp.tickets.outcome import outcome_of
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.tickets.view import seconds_left
from gunbot_mcp.web import parts
from gunbot_mcp.web.assets import asset, source
from gunbot_mcp.web.markup import Markup, tag, verbatim
from gunbot_mcp.web.parts import Form, Kind, kind

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


# Pages


def open_page(
    at: Kind, ticket: Ticket, book: BookView, form: Form, *, left: float, version: str, failure: GunbotMcpError | None
) -> str:
    """Return the page of a ticket that waits for a decision."""
    main = tag(
        "main",
        parts.halt_note(at),
        parts.failure_note(at, failure),
        parts.headline(at, ticket),
        parts.figures(ticket, left),
        parts.warnings(at, ticket),
        parts.book_now(at, book, ticket),
        parts.decision(at, ticket, form),
        parts.origin(at, ticket),
        _back(),
        data_left=f"{left:.1f}",
        data_live=f"/tickets/{ticket.id}/live",
        data_state=ticket.state.value,
        data_version=version,
    )
    otherwise = f"gunbot-mcp approve {ticket.id}"
    return _document(at, f"{at.shown(ticket.summary, 120)}", main, live=ticket.live, otherwise=otherwise)


def closed_page(at: Kind, ticket: Ticket, failure: GunbotMcpError | None) -> str:
    """Return the page of a ticket that is decided: what became of it."""
    outcome = outcome_of(ticket)
    news = tag(
        "section",
        tag("h2", at.shown(outcome.title), id="outcome"),
        *(tag("p", at.shown(line, 600)) for line in outcome.lines if line),
        None if outcome.command is None else tag("p", tag("code", outcome.command)),
        class_=f"outcome {outcome.tone}",
        role="status",
        aria_labelledby="outcome",
    )
    under_way = ticket.state in {State.APPROVED, State.SENDING}
    main = tag(
        "main",
        parts.halt_note(at),
        parts.failure_note(at, failure),
        news,
        tag("h1", at.shown(ticket.summary)),
        parts.warnings(at, ticket),
        parts.origin(at, ticket),
        _back(),
        data_state=ticket.state.value,
        data_live=f"/tickets/{ticket.id}/live" if under_way else None,
    )
    return _document(at, f"{at.shown(outcome.title)}: {at.shown(ticket.summary, 120)}", main, live=ticket.live)


def list_page(at: Kind, waiting: list[Ticket], recent: list[Ticket], now: datetime, *, version: str) -> str:
    """Return the front page: what waits for the human, and the last few that do not any more."""
    nothing = tag("p", "Nothing waits for you. A new ticket shows up here by itself.", class_="quiet")
    title = "1 order waits for you" if len(waiting) == 1 else f"{len(waiting)} orders wait for you"
    main = tag(
        "main",
        parts.halt_note(at),
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
        tag("h1", parts.capital(at.shown(exc.message, 600))),
        parts.next_step(at, exc),
        parts.technical(tag("p", tag("code", exc.code))),
        _back(),
    )
    return _document(at, at.shown(exc.message, 120), main, live=at.live)


def _back() -> Markup:
    return tag("p", tag("a", "All tickets", href="/"), class_="back")


def _document(at: Kind, title: str, main: Markup, *, live: bool, otherwise: str = "gunbot-mcp tickets") -> str:
    """Return a whole page; `otherwise` is what to run in a terminal where the server of an open page is gone."""
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
    lost = tag(
        "p",
        "This page cannot reach gunbot-mcp any more: it may have stopped. Nothing is decided by waiting here. ",
        "Start it again, or run ",
        tag("code", otherwise),
        " in a terminal.",
        id="lost",
        class_="failure",
        role="status",
        hidden=True,
    )
    foot = tag("footer", "gunbot-mcp, on this machine only")
    body = tag(
        "body",
        band,
        lost,
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


def _item(at: Kind, ticket: Ticket, now: datetime) -> Markup:
    left = seconds_left(ticket, now)
    waits = (
        (
            tag("span", f"expires in {parts.minutes(left)}", class_="ticking", data_left=str(left)),
            tag("span", "expires at ", parts.clock(ticket.expires_at), class_="still"),
        )
        if ticket.state is State.PENDING
        else (ticket.state.value,)
    )
    return tag(
        "li",
        tag("a", at.shown(ticket.summary), href=f"/tickets/{ticket.id}"),
        tag("p", tag("b", kind(live=ticket.live)), " · ", *waits, class_="quiet"),
    )


def _past(at: Kind, ticket: Ticket) -> Markup:
    outcome = outcome_of(ticket)
    return tag(
        "li",
        tag("a", at.shown(ticket.summary), href=f"/tickets/{ticket.id}"),
        tag("p", tag("b", at.shown(outcome.title), class_=outcome.tone), class_="quiet"),
    )
