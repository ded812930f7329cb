"""The door of the pages on a shared machine (`page_login`): the PIN once, for twelve hours, before anything is shown.

It hides the orders from other people at this machine. It decides nothing: approving asks for what it always asks for.
"""

import re
from collections.abc import Callable
from typing import Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gunbot_mcp.approval.pin import LONGEST
from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.tickets.channels import PAGE, Actor
from gunbot_mcp.web import gate
from gunbot_mcp.web.frame import sentences_of
from gunbot_mcp.web.headers import HEADERS
from gunbot_mcp.web.pages import render_door
from gunbot_mcp.web.sessions import LASTS, Sessions

COOKIE = "gunbot-mcp-page"
_OURS = re.compile(r"/(?:tickets/[0-9a-zA-Z_-]{1,40}|passkeys)?")
_OPEN = "/inbox"
"""Servers ask here whether this is the inbox of their state folder; it tells nothing of orders."""


class Pins(Protocol):
    """What checks a PIN: `approval.pin.PinGate`."""

    async def verify(self, pin: str, *, actor: Actor, ticket: str | None) -> None: ...


class Door:
    """An ASGI application in front of the pages. `closed` says whether the config asks for it now."""

    def __init__(
        self,
        inside: ASGIApp,
        *,
        closed: Callable[[], bool],
        pins: Pins,
        clock: Clock,
        port: Callable[[], int | None],
    ) -> None:
        self._inside = inside
        self._closed = closed
        self._pins = pins
        self._port = port
        self._sessions = Sessions(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._closed():
            await self._inside(scope, receive, send)
            return
        request = Request(scope, receive)
        known = self._sessions.subject(request.cookies.get(COOKIE, "")) is not None
        if request.url.path == "/log-in" and request.method == "POST":
            await (await self._log_in(request))(scope, receive, send)
        elif known or (request.url.path == _OPEN and request.method == "GET"):
            await self._inside(scope, receive, send)
        else:
            await self._ask(request)(scope, receive, send)

    def _ask(self, request: Request, problem: str = "", status: int = 401, back: str = "") -> Response:
        try:
            gate.check_host(request, self._port())
        except gate.NotOurs as exc:
            return Response(f"{exc.message}\n", exc.status, headers=HEADERS, media_type="text/plain")
        path = back or request.url.path
        shown = render_door(
            "log_in.html",
            problem=problem,
            longest=str(LONGEST),
            next=path if _OURS.fullmatch(path) else "/",
            again=COOKIE not in request.cookies and gate.is_link_elsewhere(request),
        )
        return Response(shown, status, headers=HEADERS, media_type="text/html")

    async def _log_in(self, request: Request) -> Response:
        back = "/"
        try:
            gate.check_host(request, self._port())
            gate.check_origin(request)
            form = await gate.read_form(request, {"pin", "next"}, 10)
            back = form.get("next", "/")
            await self._pins.verify(form.get("pin", ""), actor=PAGE, ticket=None)
        except GunbotMcpError as exc:
            return self._ask(request, sentences_of(exc), 403, back)
        answer = RedirectResponse(back if _OURS.fullmatch(back) else "/", 303, headers=HEADERS)
        answer.set_cookie(
            COOKIE, self._sessions.open("pin"), max_age=int(LASTS.total_seconds()), httponly=True, samesite="strict"
        )
        return answer
