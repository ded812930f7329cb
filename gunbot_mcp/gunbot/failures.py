"""Every failure of a call to Gunbot becomes one code, here and nowhere else.

connection refused, no route, TLS, no free connection  gateway_unreachable       delivered=False
connection dropped, half an answer                     gateway_unreachable       delivered=True
no whole answer in time                                gateway_timeout
401                                                    unauthorized
a clear no to a login                                  unauthorized
4xx in Gunbot's shape, 200 with status "error"         gateway_rejected
the same to an order, where it leaves open (`doubt`)
whether Gunbot took it                                 gateway_invalid_response
5xx, redirects, anything that is not Gunbot's JSON     gateway_invalid_response

A time-out before the first byte of the request counts as a connection that was refused. What TLS refuses: `tls.py`.
"""

from collections.abc import Callable
from typing import Any, cast

import httpx2
from pydantic_core import from_json

from gunbot_mcp.errors import (
    GatewayError,
    GatewayInvalidResponse,
    GatewayRejected,
    GatewayTimeout,
    GatewayUnreachable,
    Unauthorized,
    clean,
)
from gunbot_mcp.gunbot.doubt import leaves_open

_HTTP_OK, _HTTP_REDIRECT, _HTTP_CLIENT_ERROR, _HTTP_UNAUTHORIZED, _HTTP_SERVER_ERROR = 200, 300, 400, 401, 500
_TOO_MANY = 429

LOGIN_HINT = "check password, and wallet (bot.gunthy_wallet in Gunbot's config.js), which encrypts it"
_REJECTED_HINT = "check pair, amount, price and balance; a pair of that exchange must be active in Gunbot"


class Faltering(GatewayInvalidResponse):
    """A 5xx: worth another GET."""

    retryable = True


class Doubtful(GatewayRejected):
    """An error in Gunbot's shape; of an order, it leaves open whether Gunbot took it."""


def transport_failure(exc: httpx2.TransportError) -> GatewayError:
    if isinstance(exc, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.UnsupportedProtocol):
        return unreachable()
    if isinstance(exc, httpx2.TimeoutException):
        return no_answer()
    return GatewayUnreachable("the connection to Gunbot broke off", "look at Gunbot and at what stands between")


def unreachable(hint: str = "start Gunbot, check url and port") -> GatewayUnreachable:
    return GatewayUnreachable("Gunbot cannot be reached; nothing was sent", hint, delivered=False)


def no_answer() -> GatewayTimeout:
    return GatewayTimeout("Gunbot did not answer in time", "raise read_timeout, look at Gunbot's load")


def understand(
    status: int, content: bytes, refusal: Callable[[int, str], GatewayError], secrets: tuple[str, ...]
) -> object:
    """Return what Gunbot answered; `refusal` makes the error of a clear no, from its status and Gunbot's words.

    Raises:
        GatewayError: it is a no, or not an answer of Gunbot's.
    """
    try:
        body: object = from_json(content, allow_inf_nan=False)
    except ValueError:
        body = None
    shaped = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    said = clean(shaped.get("message") or "no reason given", secrets=secrets)
    error = shaped.get("status") == "error"
    client_error = _HTTP_CLIENT_ERROR <= status < _HTTP_SERVER_ERROR
    if status == _HTTP_UNAUTHORIZED or (error and (status == _HTTP_OK or client_error)):
        no = refusal(status, said)
        raise Doubtful(no.message, no.hint) if isinstance(no, GatewayRejected) and leaves_open(status, content) else no
    if status == _HTTP_OK and body is not None:
        return cast("object", body)
    if status >= _HTTP_SERVER_ERROR or status == _TOO_MANY:
        raise Faltering(f"Gunbot answered {status}: {said}", "look at Gunbot's own log")
    what = "a redirect" if _HTTP_REDIRECT <= status < _HTTP_CLIENT_ERROR else "something that is not Gunbot's API"
    raise GatewayInvalidResponse(f"the url answered {status} with {what}", "check url: scheme, host and port")


def refused(status: int, said: str) -> GatewayError:
    """Return the error of a clear no where the token was copied from the GUI."""
    return _refused(status, said, "copy a fresh token from Gunbot's GUI, see the README")


def login_expired(status: int, said: str) -> GatewayError:
    """Return the error of a clear no where the token came from a login of ours."""
    return _refused(status, said, LOGIN_HINT)


def login_refused(status: int, said: str) -> GatewayError:
    """Return the error of a clear no to a login; which status means a wrong password is not documented."""
    del status
    return Unauthorized(f"Gunbot does not accept the password: {said}", LOGIN_HINT)


def _refused(status: int, said: str, hint: str) -> GatewayError:
    if status == _HTTP_UNAUTHORIZED:
        return Unauthorized(f"Gunbot does not accept the token: {said}", hint)
    return GatewayRejected(f"Gunbot said no: {said}", _REJECTED_HINT)
