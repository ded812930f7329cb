"""The page on which passkeys are registered, on loopback: in the inbox, and while `gunbot-mcp passkey` runs.

GET  /passkeys           what is registered, and the form
POST /passkeys/begin     token, name, pin         → {ceremony, options}: a PIN is needed for the first one
POST /passkeys/made      token, ceremony, made    → {next}, or {options}: a registered one must let it in
POST /passkeys/vouched   token, ceremony, touch   → {next}
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gunbot_mcp.approval.passkey_code import BadCode
from gunbot_mcp.approval.passkeys import Registrar
from gunbot_mcp.approval.pin import WrongPin
from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError, TicketNotFound, clean
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.passkey import MOST_REGISTRATION, Passkey
from gunbot_mcp.web import gate
from gunbot_mcp.web.frame import Served, sentences_of
from gunbot_mcp.web.headers import HEADERS
from gunbot_mcp.web.pages import render
from gunbot_mcp.web.passkey_view import passkey_page

PATH = "/passkeys"
_SUBJECT = "passkeys"
PATIENCE = 10.0


def said(exc: GunbotMcpError) -> Response:
    """Return an error for a script: its words, and the field that they are to be shown beside, if it is about one."""
    told = {"message": clean(sentences_of(exc), 600), "field": _ABOUT.get(type(exc))}
    status = getattr(exc, "status", 403)
    return JSONResponse(told, status if isinstance(status, int) else 403, headers=HEADERS)


class PasskeyPages:
    """Answers what is under `/passkeys`, for whoever has checked the Host. `registered` hears of each new one."""

    def __init__(
        self,
        registrar: Registrar,
        ledger: Ledger,
        served: Callable[[], Served],
        registered: Callable[[Passkey], None] | None = None,
    ) -> None:
        self._registrar = registrar
        self._ledger = ledger
        self._served = served
        self._registered = registered
        self._tokens = gate.Tokens()

    async def answer(self, request: Request) -> Response:
        """Raises GunbotMcpError for what is no request of ours; whatever else goes wrong is an answer."""
        step = request.url.path.removeprefix(PATH)
        if request.method == "GET" and not step:
            gate.check_visit(request)
            return await self._show(request)
        take = {"/begin": self._begin, "/made": self._made, "/vouched": self._vouched}.get(step)
        if take is None or request.method != "POST":
            raise TicketNotFound("there is no such page", "the front page lists the open tickets")
        try:
            gate.check_origin(request)
            form = await gate.read_form(request, _FIELDS[step], PATIENCE, most=3 * MOST_REGISTRATION)
            self._tokens.check_for(request, _SUBJECT, form.get("token", ""))
            return JSONResponse(await take(form), headers=HEADERS)
        except GunbotMcpError as exc:
            return said(exc)

    async def _show(self, request: Request) -> Response:
        obstacle, needs = None, "pin"
        try:
            needs = await self._registrar.needs()
            if request.url.hostname != "localhost":
                raise ConfigInvalid("passkeys belong to localhost, not to a number", f"open {self._registrar.address}")
        except GunbotMcpError as exc:
            obstacle = exc
        cookie, token = self._tokens.issue_for(request, _SUBJECT)
        known = await self._ledger.passkeys()
        frame, page = passkey_page(self._served(), known, token=token, needs=needs, obstacle=obstacle)
        response = Response(render("passkeys.html", frame, page), headers=HEADERS, media_type="text/html")
        gate.keep_cookie_at(response, PATH, cookie)
        return response

    async def _begin(self, form: Mapping[str, str]) -> dict[str, Any]:
        ceremony, options = await self._registrar.begin(form.get("name", ""), pin=form.get("pin", ""))
        return {"ceremony": ceremony, "options": options}

    async def _made(self, form: Mapping[str, str]) -> dict[str, Any]:
        found = await self._registrar.made(form.get("ceremony", ""), form.get("made", ""))
        return self._done(found) if isinstance(found, Passkey) else {"options": found}

    async def _vouched(self, form: Mapping[str, str]) -> dict[str, Any]:
        return self._done(await self._registrar.vouched(form.get("ceremony", ""), form.get("touch", "")))

    def _done(self, passkey: Passkey) -> dict[str, Any]:
        if self._registered is not None:
            self._registered(passkey)
        return {"next": PATH}


_ABOUT: Mapping[type[GunbotMcpError], str] = {WrongPin: "pin", BadCode: "code"}
_FIELDS: Mapping[str, set[str]] = {
    "/begin": {"token", "name", "pin"},
    "/made": {"token", "ceremony", "made"},
    "/vouched": {"token", "ceremony", "touch"},
}
