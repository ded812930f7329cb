"""Whose request it is. Every check fails closed, and all of them run before a ticket is touched.

1. Host is `127.0.0.1:PORT` or `localhost:PORT`, on every request: a foreign name that resolves to this machine
   (DNS rebinding) reaches nothing.
2. A GET that a browser marks as coming from elsewhere must be a plain visit: no frame, image, script or fetch.
3. A POST names our own origin in Origin, and does not say otherwise in Sec-Fetch-Site.
4. Its body is a small, complete, urlencoded form with known fields, each once.
5. Its token fits the cookie of that ticket's page and the ticket's digest: a form that was made for another ticket,
   another content or another browser is refused. The key of the tokens exists only as long as the process.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from typing import ClassVar
from urllib.parse import parse_qsl

import anyio
from starlette.requests import Request
from starlette.responses import Response

from gunbot_mcp.errors import GunbotMcpError, InvalidArguments, Unauthorized
from gunbot_mcp.tickets.ticket import Ticket

MAX_FORM = 4096
COOKIE = "gunbot-mcp-form"
_FORM_TYPE = "application/x-www-form-urlencoded"
_COOKIE_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")
_AGAIN = "open the ticket's page again and decide there"


class NotOurs(GunbotMcpError):
    """The request did not come from a page of ours."""

    code: ClassVar[str] = Unauthorized.code
    status: ClassVar[int] = 403


class NoPin(NotOurs):
    """The form came without the PIN that it needs."""


class Misdirected(NotOurs):
    status: ClassVar[int] = 421


class BadForm(GunbotMcpError):
    """The request is not a form of ours."""

    code: ClassVar[str] = InvalidArguments.code

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message, _AGAIN)
        self.status = status


def check_host(request: Request, port: int | None) -> None:
    """Check 1.

    Raises:
        Misdirected: the request is for another host or port.
    """
    refuse_forwarded(request)
    named = request.headers.getlist("host")
    if port is None or named not in ([f"127.0.0.1:{port}"], [f"localhost:{port}"]):
        raise Misdirected("this page answers only at its own address on this machine", "use the address as given")


def refuse_forwarded(request: Request) -> None:
    """Refuse what came through a proxy: to the loopback port, the internet would look like the human at the machine.

    Raises:
        NotOurs: it carries a header that proxies add.
    """
    names = {name.decode("latin-1").lower() for name, _ in request.scope["headers"]}
    if names & {"forwarded", "via", "x-real-ip"} or any(name.startswith("x-forwarded") for name in names):
        raise NotOurs(
            "this port is for this machine only, and the request came through a proxy",
            "set approval.public_url, and let the proxy forward to approval.public_port",
        )


def check_public_host(request: Request, url: str) -> None:
    """Check 1 at the public url: the host that it names, with its port, and nothing else.

    Raises:
        Misdirected: the request is for another host or port.
    """
    if request.headers.getlist("host") != [url.removeprefix("https://")]:
        raise Misdirected("this is not the address of this page", "use the address as given")


def check_visit(request: Request) -> None:
    """Check 2. Browsers without these headers are let through: a GET shows, it does not decide.

    Raises:
        NotOurs: another site embeds or fetches the page.
    """
    foreign = request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}
    if foreign and not _opens_a_page(request):
        raise NotOurs("another site asked for this page", "open it in a tab of its own")


def is_from_outside(request: Request) -> bool:
    """Return whether a browser says that nothing in it led here: another program did, or its owner typed the address.

    A page cannot claim that: browsers do not let scripts set these headers, nor pages choose them.
    """
    return request.headers.get("sec-fetch-site") == "none" and _opens_a_page(request)


def is_link_elsewhere(request: Request) -> bool:
    """Return whether a browser says that a page of another site led here: then it sends no strict cookie of ours."""
    return request.headers.get("sec-fetch-site") == "cross-site" and _opens_a_page(request)


def _opens_a_page(request: Request) -> bool:
    said = request.headers.get("sec-fetch-mode"), request.headers.get("sec-fetch-dest")
    return request.method == "GET" and said == ("navigate", "document")


def check_origin(request: Request, origin: str = "") -> None:
    """Check 3; `origin` is ours where it is not the one of the loopback address that was asked.

    Raises:
        NotOurs: the form was not sent by our own page.
    """
    ours = origin or f"http://{request.headers.get('host', '')}"
    if request.headers.getlist("origin") != [ours]:
        raise NotOurs("the decision was not sent by this page", _AGAIN)
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise NotOurs("the decision came from another site", _AGAIN)


async def read_form(
    request: Request, fields: Collection[str], within: float, *, most: int = MAX_FORM
) -> Mapping[str, str]:
    """Check 4, and return the form, which has `within` seconds to arrive and at most `most` bytes.

    Raises:
        BadForm: too large, too slow, of another type, or not these fields.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM_TYPE:
        raise BadForm("a decision is sent as a form", 415)
    body = bytearray()
    try:
        with anyio.fail_after(within):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise BadForm("the form is too large", 413)
    except TimeoutError:
        raise BadForm("the form did not arrive in time", 408) from None
    try:
        found = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=8
        )
    except ValueError:
        raise BadForm("the form cannot be read") from None
    form = dict(found)
    if len(form) != len(found) or not set(form) <= set(fields):
        raise BadForm("the form has unexpected fields")
    return form


class Tokens:
    """Check 5: makes and checks the tokens of forms."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def issue(self, request: Request, ticket: Ticket) -> tuple[str, str]:
        """Return (cookie, token) for a ticket's page; a good cookie is kept, so that two tabs agree."""
        return self.issue_for(request, _subject(ticket))

    def issue_for(self, request: Request, subject: str) -> tuple[str, str]:
        """Return (cookie, token) for a page about something else than a ticket."""
        cookie = request.cookies.get(COOKIE, "")
        if not _COOKIE_VALUE.fullmatch(cookie):
            cookie = secrets.token_urlsafe(32)
        return cookie, self._token(cookie, subject)

    def check(self, request: Request, ticket: Ticket, token: str) -> None:
        """Check a form's token.

        Raises:
            NotOurs: it is not the token of this ticket in this browser.
        """
        self.check_for(request, _subject(ticket), token)

    def check_for(self, request: Request, subject: str, token: str) -> None:
        """Check the token of a form about something else than a ticket.

        Raises:
            NotOurs: it is not the token of this page in this browser.
        """
        cookie = request.cookies.get(COOKIE, "")
        ours = _COOKIE_VALUE.fullmatch(cookie) is not None
        if not hmac.compare_digest(self._token(cookie, subject).encode(), token.encode()) or not ours:
            raise NotOurs("this form is out of date or was made elsewhere; nothing was decided", _AGAIN)

    def _token(self, cookie: str, subject: str) -> str:
        return hmac.new(self._key, f"{cookie}\n{subject}".encode(), hashlib.sha256).hexdigest()


def _subject(ticket: Ticket) -> str:
    return f"{ticket.instance}\n{ticket.id}\n{ticket.digest}"


def keep_cookie(response: Response, ticket: Ticket, cookie: str, *, secure: bool = False) -> None:
    """Bind the browser to this ticket's forms; cookies ignore ports, but paths keep the pages of tickets apart."""
    keep_cookie_at(response, f"/tickets/{ticket.id}", cookie, secure=secure)


def keep_cookie_at(response: Response, path: str, cookie: str, *, secure: bool = False) -> None:
    response.set_cookie(COOKIE, cookie, path=path, httponly=True, samesite="strict", secure=secure)
