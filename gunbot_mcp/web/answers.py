"""How pages answer: their status, their headers, and who is refused before any route is looked at."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gunbot_mcp import errors
from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import GunbotMcpError, TicketNotFound
from gunbot_mcp.guard.halt import halted
from gunbot_mcp.guard.market import BookView
from gunbot_mcp.tickets.ticket import Ticket
from gunbot_mcp.web import gate
from gunbot_mcp.web.frame import Served, error_page
from gunbot_mcp.web.headers import HEADERS
from gunbot_mcp.web.pages import render

_STATUS: Mapping[str, int] = {
    errors.InvalidArguments.code: 400,
    errors.Unauthorized.code: 403,
    errors.ConfigInvalid.code: 403,
    errors.TicketNotFound.code: 404,
    errors.TicketClosed.code: 409,
    errors.LedgerUnavailable.code: 503,
}


class Guarded:
    """Refuses requests for other hosts, before any route is looked at."""

    def __init__(
        self, app: ASGIApp, check: Callable[[Request], Response | None], before: Callable[[], Awaitable[None]]
    ) -> None:
        self._app = app
        self._check = check
        self._before = before

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._check(Request(scope)) if scope["type"] == "http" else None
        if refusal is None:
            await self._before()
        await (refusal or self._app)(scope, receive, send)


def status_of(exc: GunbotMcpError) -> int:
    found = getattr(exc, "status", None)
    if isinstance(found, int):
        return found
    if isinstance(exc, errors.Refused):
        return 403
    return _STATUS.get(exc.code, 502 if isinstance(exc, errors.GatewayError) else 500)


def word_of(*facts: str | None) -> str:
    return hashlib.sha256("\n".join(map(str, facts)).encode("utf-8", "replace")).hexdigest()[:16]


def html(text: str, status: int = 200) -> Response:
    return Response(text, status, headers=HEADERS, media_type="text/html")


def data(value: object) -> Response:
    return JSONResponse(value, headers=HEADERS)


def left_of(ticket: Ticket, clock: Clock) -> float:
    """Return the seconds that a ticket has left, by whichever clock ends it first."""
    left = (ticket.expires_at - clock.now()).total_seconds()
    if ticket.boot == clock.boot_id():
        left = min(left, ticket.deadline - clock.monotonic())
    return max(0.0, left)


def form_word(folder: Path, locked: int, book: BookView) -> str:
    """Return a word for whether a ticket can be approved; it does not change with each minute of a lock."""
    return word_of(halted(folder), "locked" if locked else "", "moved" if book.refused else "")


class Failing(ABC):
    """Turns errors into pages."""

    @abstractmethod
    def served(self) -> Served: ...

    def error_of(self, exc: GunbotMcpError, of: Ticket | None = None) -> Response:
        """Return an error's page: about this ticket, which may be another instance's (None: about no ticket)."""
        served = self.served()
        at = served if of is None else replace(served, live=of.live, instance=of.instance)
        return html(render("error.html", *error_page(at, exc)), status_of(exc))

    async def failed(self, _: Request, exc: Exception) -> Response:
        if not isinstance(exc, GunbotMcpError):
            raise exc
        return self.error_of(exc)

    async def strange(self, _: Request, exc: Exception) -> Response:
        if not isinstance(exc, HTTPException):
            raise exc
        error = TicketNotFound("there is no such page", "the front page lists the open tickets")
        if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            error = gate.BadForm("this address does not accept this kind of request", exc.status_code)
        response = self.error_of(error)
        response.headers.update(exc.headers or {})
        return response

    async def broken(self, _: Request, _exc: Exception) -> Response:
        fault = errors.Internal("gunbot-mcp itself failed", "look at the ticket again before you do anything else")
        return self.error_of(fault)
