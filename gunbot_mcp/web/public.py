"""The public side: the inbox for a phone, behind the user's own reverse proxy, on a port of its own.

1. Host is exactly the public url's, on every request; a POST names exactly its origin. Only the operator is told why.
2. Without a session, whatever is asked gets the same sign-in page: nothing tells what is there, or who.
3. A session is opened by a touch of a passkey of this address, over a challenge that is good once, and lasts 12 hours.
4. It may look, reject and halt. Each approval needs a touch of its own, and the PIN counts for nothing.

    POST /sign-in/begin                     → {ceremony, options}
    POST /sign-in        ceremony, touch    → a session
    POST /passkeys/begin code, name         → {ceremony, options}: with a code from `gunbot-mcp passkey --public`
    POST /passkeys/made  ceremony, made     → {next}
    GET  /halt, POST /halt  token           stop all trading
    POST /sign-out       token
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gunbot_mcp.approval.passkeys import of_host, request_options
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.tickets.content import canonical, instant_of, instant_text
from gunbot_mcp.tickets.passkey import (
    MOST_REGISTRATION,
    BadTouch,
    Deed,
    Passkey,
    challenge_of,
    check_touch,
    parse_touch,
)
from gunbot_mcp.web import gate
from gunbot_mcp.web.headers import HEADERS
from gunbot_mcp.web.pages import render_door
from gunbot_mcp.web.passkeys import PATIENCE, said
from gunbot_mcp.web.sessions import LASTS, Sessions
from gunbot_mcp.web.wrong_host import WrongHosts

if TYPE_CHECKING:
    from gunbot_mcp.approval.passkeys import Registrar
    from gunbot_mcp.clock import Clock
    from gunbot_mcp.ledger.ledger import Ledger

COOKIE = "__Host-gunbot-mcp"
_HOLDS = timedelta(minutes=5)
_Step = Callable[[Mapping[str, str]], Awaitable[Response]]


class PublicSide:
    """An ASGI application in front of `inside`, which is asked by nobody but who has signed in.

    `halt` stops all trading, with the reason.
    """

    def __init__(
        self,
        inside: ASGIApp,
        *,
        url: str,
        registrar: "Registrar",
        ledger: "Ledger",
        clock: "Clock",
        halt: Callable[[str], Awaitable[None]],
        any_live: bool,
        tell: Callable[[str], None],
    ) -> None:
        """`any_live`: a passkey that counts on paper only opens nothing here. `tell` speaks to the operator."""
        self._wrong = WrongHosts(url, tell)
        self._any_live = any_live
        self._inside = inside
        self._url = url
        self._rp = urlsplit(url).hostname or ""
        self._registrar = registrar
        self._ledger = ledger
        self._clock = clock
        self._halt = halt
        self._sessions = Sessions(clock)
        self._key = secrets.token_bytes(32)
        self._used: dict[str, None] = {}
        self._steps: Mapping[str, tuple[set[str], _Step]] = {
            "/sign-in/begin": (set(), self._begin),
            "/sign-in": ({"ceremony", "touch"}, self._sign_in),
            "/passkeys/begin": ({"code", "name"}, self._register),
            "/passkeys/made": ({"ceremony", "made"}, self._registered),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await (await self._answer(Request(scope, receive)))(scope, receive, send)

    async def _answer(self, request: Request) -> ASGIApp:
        try:
            gate.check_public_host(request, self._url)
        except gate.Misdirected as exc:
            self._wrong.refused(request.headers.getlist("host"))
            return Response(f"{exc.message}\n", exc.status, headers=HEADERS, media_type="text/plain")
        path = request.url.path
        if request.method == "POST" and path in self._steps:
            return await self._step(request, *self._steps[path])
        session = request.cookies.get(COOKIE, "")
        if await self._who(session) is None:
            page = render_door("sign_in.html", again=COOKIE not in request.cookies and gate.is_link_elsewhere(request))
            return Response(page, 401, headers=HEADERS, media_type="text/html")
        if path in {"/halt", "/sign-out"}:
            return await self._switch(request, session)
        return self._inside

    async def _step(self, request: Request, fields: set[str], take: _Step) -> Response:
        try:
            gate.check_origin(request, self._url)
            return await take(await gate.read_form(request, fields, PATIENCE, most=3 * MOST_REGISTRATION))
        except GunbotMcpError as exc:
            return said(exc)

    async def _who(self, session: str) -> Passkey | None:
        """Return whose session it is; that of a passkey which was revoked since is over."""
        subject = self._sessions.subject(session)
        if subject is None:
            return None
        known = await self._ledger.passkeys()
        return next((one for one in known if one.id == subject and one.counts(live=self._any_live)), None)

    # Signing in

    async def _begin(self, form: Mapping[str, str]) -> Response:
        del form
        # Kept nowhere until it is used: whoever asks for thousands takes none away from the one who means it.
        content = canonical({"at": instant_text(self._clock.now()), "nonce": secrets.token_hex(16), "url": self._url})
        # None is named: a stranger learns of no key.
        options = request_options(Deed.SESSION, content, self._rp, [])
        return _data({"ceremony": f"{self._mac(content)}.{content}", "options": options})

    async def _sign_in(self, form: Mapping[str, str]) -> Response:
        mac, _, content = form.get("ceremony", "").partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(content).encode()) or mac in self._used:
            raise BadTouch("it was not asked for here, or was used before")
        if not timedelta(0) <= self._clock.now() - _instant(content) <= _HOLDS:
            raise BadTouch("it was asked for too long ago")
        touch = parse_touch(form.get("touch", ""), self._url)
        known = await self._ledger.passkeys()
        passkey = next((one for one in of_host(known, self._rp, live=self._any_live) if one.id == touch.passkey), None)
        if passkey is None:
            raise BadTouch("this passkey opens nothing here")
        # Before anything is written: a stranger must not be able to keep the ledger busy.
        check_touch(touch, challenge_of(Deed.SESSION, content), passkey)
        async with self._ledger.write() as write:
            # Two at once with the same touch: the ledger's turn lets one be first.
            if mac in self._used:
                raise BadTouch("it was used before")
            self._used[mac] = None
            await write.event("signed_in", actor=passkey.actor, detail={"touch": touch.facts(Deed.SESSION, content)})
        answer = _data({"next": "/"})
        answer.set_cookie(
            COOKIE,
            self._sessions.open(passkey.id),
            max_age=int(LASTS.total_seconds()),
            path="/",
            secure=True,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def _register(self, form: Mapping[str, str]) -> Response:
        ceremony, options = await self._registrar.begin(form.get("name", ""), code=form.get("code", ""))
        return _data({"ceremony": ceremony, "options": options})

    async def _registered(self, form: Mapping[str, str]) -> Response:
        await self._registrar.made(form.get("ceremony", ""), form.get("made", ""))
        return _data({"next": "/"})

    # The two things beside tickets that a session may do

    async def _switch(self, request: Request, session: str) -> Response:
        token = self._mac(f"form {session}")
        if request.method == "GET":
            shown = Response(render_door("halt.html", token=token), headers=HEADERS, media_type="text/html")
            return _foreign(request) or shown
        try:
            gate.check_origin(request, self._url)
            form = await gate.read_form(request, {"token"}, PATIENCE)
            if not hmac.compare_digest(token.encode(), form.get("token", "").encode()):
                raise gate.NotOurs("this form was made elsewhere; nothing was done", "open the page again")
            if request.url.path == "/halt":
                await self._halt("halted at the public url")
        except GunbotMcpError as exc:
            return said(exc)
        answer = RedirectResponse("/", 303, headers=HEADERS)
        if request.url.path == "/sign-out":
            self._sessions.close(session)
            answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return answer

    def _mac(self, content: str) -> str:
        return hmac.new(self._key, content.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _foreign(request: Request) -> Response | None:
    try:
        gate.check_visit(request)
    except GunbotMcpError as exc:
        return said(exc)
    return None


def _instant(content: str) -> datetime:
    """Return when a challenge was asked for; the text is our own, its MAC says so."""
    return instant_of(json.loads(content)["at"])


def _data(value: object) -> Response:
    return JSONResponse(value, headers=HEADERS)
