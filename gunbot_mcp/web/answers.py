"""How pages answer: their status, their headers, and who is refused before any route is looked at."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gunbot_mcp import errors
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.web.headers import HEADERS

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
