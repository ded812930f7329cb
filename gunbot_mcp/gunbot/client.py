"""Gunbot over HTTP. One pooled client; GETs are retried with backoff, a POST is sent exactly once.

Every failure becomes one code, here and nowhere else:

    connection refused, no route, TLS, no free connection  gateway_unreachable       delivered=False
    connection dropped, half an answer                     gateway_unreachable       delivered=True
    no answer in time                                      gateway_timeout
    401                                                    unauthorized
    4xx in Gunbot's shape, 200 with status "error"         gateway_rejected
    5xx, redirects, anything that is not Gunbot's JSON     gateway_invalid_response
"""

import functools
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self, cast

import anyio
import httpx2
from pydantic_core import from_json

from gunbot_mcp import __version__
from gunbot_mcp.arguments import Args
from gunbot_mcp.config import Instance, is_token
from gunbot_mcp.endpoints import BY_NAME, AnyEndpoint, Result
from gunbot_mcp.errors import (
    ConfigInvalid,
    GatewayError,
    GatewayInvalidResponse,
    GatewayRejected,
    GatewayTimeout,
    GatewayUnreachable,
    Unauthorized,
    clean,
)
from gunbot_mcp.gunbot import records
from gunbot_mcp.gunbot.login import encrypt_password
from gunbot_mcp.gunbot.memory import PairMemory, pair_memory
from gunbot_mcp.gunbot.server_clock import ServerClock, elapsed_seconds
from gunbot_mcp.gunbot.wire import json_text, query_text

logger = logging.getLogger(__name__)

API = "/api/v1"
_LOGIN = "/auth/login"
_SECRET_LENGTH = 8
"""Shorter ones are not secrets, and occur in every answer."""
MAX_BODY = 64 * 1024 * 1024
GET_ATTEMPTS = 3
BACKOFF_SECONDS = 0.2

READS: Mapping[str, str] = {
    "/auth/login": "POST",
    "/auth/status": "GET",
    "/time": "GET",
    "/balances": "POST",
    "/pairs": "GET",
    "/market/orderbook": "GET",
    "/coremem/single": "POST",
    "/coremem": "POST",
}
"""What the guards need besides the seventeen. `/config/*`, `/files/*` and `/license/*` carry or change secrets: they,
like every other path, cannot be called through this client at all."""

_HTTP_OK, _HTTP_UNAUTHORIZED, _HTTP_CLIENT_ERROR, _HTTP_SERVER_ERROR = 200, 401, 400, 500
_TOO_MANY = 429


def allowed_calls() -> frozenset[tuple[str, str]]:
    """Return (method, path) of everything that a client made now may call: the table's rows and `READS`."""
    rows = ((endpoint.method, endpoint.path) for endpoint in BY_NAME.values())
    return frozenset((*rows, *((method, path) for path, method in READS.items())))


class Gunbot:
    """The client of one instance. Use as an async context manager, or call `aclose()`."""

    def __init__(
        self,
        instance: Instance,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        backoff: float = BACKOFF_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        max_body: int = MAX_BODY,
        elapsed: Callable[[], float] = elapsed_seconds,
    ) -> None:
        """`transport` replaces the network (the embedded paper gateway; tests); `elapsed` counts how old a reading is.

        A GET that is tried again waits about twice `backoff` seconds first, then four times; `sleep` does the waiting.
        """
        self._instance = instance
        self._allowed = allowed_calls()
        self._token = instance.secret()
        self._secrets = tuple(
            secret
            for secret in (self._token, instance.password.get_secret_value(), instance.wallet.get_secret_value())
            if secret
        )
        self._login_lock = anyio.Lock()
        self._transport = transport
        self._backoff = backoff
        self._sleep = sleep
        self._max_body = max_body
        self.clock = ServerClock(self.server_time, elapsed)
        self._verify = True if transport is not None else _tls(instance)

    @functools.cached_property
    def _http(self) -> httpx2.AsyncClient:
        """The pooled client, made for the first call: a server that starts loads no HTTP and no certificates."""
        instance = self._instance
        return httpx2.AsyncClient(
            base_url=instance.url or "http://paper.invalid",
            transport=self._transport,
            verify=self._verify,
            timeout=httpx2.Timeout(
                instance.read_timeout, connect=instance.connect_timeout, pool=instance.connect_timeout
            ),
            # Node closes idle connections after 5 s: an order that is sent at that moment would be lost.
            limits=httpx2.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=2),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "User-Agent": f"gunbot-mcp/{__version__}",
            },
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        if "_http" in vars(self):
            await self._http.aclose()
        elif self._transport is not None:
            await self._transport.aclose()

    async def trade(self, endpoint: AnyEndpoint, args: Args) -> str:
        """Send one order, once, and return Gunbot's own words ("Order sent": handed off, not filled).

        Where a password is configured, `log_in` comes first.

        Raises:
            GatewayRejected, Unauthorized: Gunbot said no; the order does not exist.
            GatewayError: with `delivered` False it never arrived; otherwise it is unknown whether it did.
        """
        if not self._token and self._instance.password.get_secret_value():
            # Logging in takes time, and meanwhile the checks of this order would become out of date.
            raise GatewayUnreachable("there is no login; nothing was sent", "log in first", delivered=False)
        answer = await self._call("POST", endpoint.path, body={"data": args.wire()})
        if not isinstance(answer, dict) or cast("dict[str, Any]", answer).get("status") != "success":
            raise GatewayInvalidResponse(
                "Gunbot's answer to the order is not one that it documents", "look for the order before trying again"
            )
        return clean(cast("dict[str, Any]", answer).get("message", ""), secrets=self._secrets)

    async def read(self, endpoint: AnyEndpoint, args: Args) -> dict[str, Any]:
        """Return the body of one of the four order reads, its shape checked."""
        answer = await self._get(endpoint.path, args.wire())
        if endpoint.result is not Result.DAYS:
            records.record_list(answer)
        elif not {"days", "orders", "closeOrders"} & answer.keys():
            raise GatewayInvalidResponse("Gunbot's answer has none of days, orders, closeOrders", "check the url")
        return answer

    async def order_book(self, key: str) -> records.Book:
        """Return the top of the book of `exchange/pair`; Gunbot knows books of active pairs only."""
        return records.book(await self._get("/market/orderbook", {"key": key}))

    async def balances(self) -> list[records.Balance]:
        return records.balances(await self._call("POST", "/balances", body={}))

    async def open_orders(self, exchange: str, pair: str) -> list[records.OpenOrder] | None:
        """Return the resting orders of one pair, slightly delayed, or None where core memory does not hold them.

        None means unknown: the pair is not active, or Gunbot has just started.
        """
        return records.open_orders(await self._pair_memory(exchange, pair), f"{exchange}/{pair}")

    async def memory(self, exchange: str, pair: str) -> PairMemory:
        """Return a pair's open orders with a mark of its whole memory, which tells whether it moved between two looks.

        Raises:
            GatewayError: Gunbot cannot be asked, or its open orders cannot be read.
        """
        return pair_memory(await self._pair_memory(exchange, pair), f"{exchange}/{pair}")

    async def _pair_memory(self, exchange: str, pair: str) -> dict[str, Any]:
        return _object(await self._call("POST", "/coremem/single", body={"exchange": exchange, "pair": pair}))

    async def all_open_orders(self) -> list[records.OpenOrder]:
        """Return the resting orders of every active pair."""
        return records.all_open_orders(_object(await self._call("POST", "/coremem", body={})))

    async def pairs(self, exchange: str) -> list[str]:
        answer = await self._get("/pairs", {"exchange": exchange})
        found = answer.get("pairList")
        if not isinstance(found, list):
            raise GatewayInvalidResponse("Gunbot's answer has no pairList", "check that the url is Gunbot's")
        return [str(name) for name in cast("list[Any]", found)]

    async def server_time(self) -> int:
        """Return Gunbot's clock in milliseconds since the epoch."""
        found = (await self._get("/time", {})).get("serverTime")
        if isinstance(found, bool) or not isinstance(found, int):
            raise GatewayInvalidResponse("Gunbot's answer has no serverTime", "check that the url is Gunbot's")
        return found

    async def status(self) -> dict[str, Any]:
        """Return `/auth/status`: whether the token is good."""
        return await self._get("/auth/status", {})

    async def _get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """GET an object, trying again where that is harmless and could help."""
        attempt = 1
        while True:
            try:
                return _object(await self._call("GET", path, query=query))
            except GatewayError as exc:
                if attempt >= GET_ATTEMPTS or not exc.retryable:
                    raise
                logger.info("GET %s: %s; trying again", path, exc.code)
            # Full jitter, so that several readers do not retry at the same moments.
            await self._sleep(self._backoff * 2**attempt * (0.5 + random.random() / 2))  # noqa: S311 - not a secret
            attempt += 1

    async def _call(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - any JSON value
        if (method, path) not in self._allowed:
            raise AssertionError(f"{method} {path} is not among the paths that this client may call")
        await self.log_in()
        return await self._send(method, path, query=query, body=body)

    async def log_in(self) -> None:
        """Log in where a password is configured and there is no token; every read does so by itself.

        Raises:
            GatewayError: nothing but the login was sent.
        """
        if self._token or not self._instance.password.get_secret_value():
            return
        try:
            await self._log_in()
        except GatewayError as exc:
            # Whatever became of the login, the call that needs it was not sent.
            exc.delivered = False
            raise

    async def _log_in(self) -> None:
        async with self._login_lock:
            if self._token:
                return
            password = encrypt_password(
                self._instance.password.get_secret_value(), self._instance.wallet.get_secret_value()
            )
            answer = _object(await self._send("POST", "/auth/login", body={"password": password}))
            token = answer.get("token")
            if not isinstance(token, str) or not is_token(token):
                raise Unauthorized("Gunbot's login gave no token", "check password and wallet", delivered=False)
            self._token = token
            self._secrets = (*self._secrets, token)

    async def _send(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - any JSON value
        url = API + path + (f"?{query_text(query)}" if query else "")
        request = self._http.build_request(
            method,
            url,
            content=None if body is None else json_text(body).encode(),
            headers={"Authorization": f"Bearer {self._token}"} if self._token else {},
        )
        try:
            response = await self._http.send(request, stream=True)
            try:
                content = await self._read(response)
            finally:
                await response.aclose()
        except httpx2.TransportError as exc:
            raise _transport_failure(exc) from exc
        except (httpx2.HTTPError, httpx2.StreamError) as exc:
            raise GatewayInvalidResponse(f"Gunbot's answer cannot be read: {type(exc).__name__}") from exc
        return self._understand(response.status_code, content if path == _LOGIN else self._without_secrets(content))

    async def _read(self, response: httpx2.Response) -> bytes:
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > self._max_body:
                most = f"{self._max_body // 2**20} MiB"
                raise GatewayInvalidResponse(
                    f"Gunbot's answer is larger than {most}", "ask for pages, not for all orders"
                )
        return bytes(content)

    def _without_secrets(self, content: bytes) -> bytes:
        """Mask every secret of ours that Gunbot repeats, before its answer is used anywhere."""
        for secret in self._secrets:
            if len(secret) >= _SECRET_LENGTH and secret.encode() in content:
                content = content.replace(secret.encode(), b"***")
        return content

    def _understand(self, status: int, content: bytes) -> Any:  # noqa: ANN401 - any JSON value
        try:
            body: Any = from_json(content, allow_inf_nan=False)
        except ValueError:
            body = None
        shaped = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        said = clean(shaped.get("message") or "no reason given", secrets=self._secrets)
        if status == _HTTP_UNAUTHORIZED:
            if self._instance.password.get_secret_value():
                self._token = ""  # the login has expired; the next call logs in again, this one is not repeated
            raise Unauthorized(
                f"Gunbot does not accept the token: {said}", "copy a fresh token from Gunbot's GUI, see the README"
            )
        if status == _HTTP_OK and body is not None:
            if shaped.get("status") == "error":
                raise GatewayRejected(f"Gunbot said no: {said}", _REJECTED_HINT)
            return cast("object", body)
        if _HTTP_CLIENT_ERROR <= status < _HTTP_SERVER_ERROR and shaped.get("status") == "error":
            raise GatewayRejected(f"Gunbot said no: {said}", _REJECTED_HINT)
        if status >= _HTTP_SERVER_ERROR or status == _TOO_MANY:
            raise _Faltering(f"Gunbot answered {status}: {said}", "look at Gunbot's own log")
        what = "a redirect" if 300 <= status < _HTTP_CLIENT_ERROR else "something that is not Gunbot's API"  # noqa: PLR2004
        raise GatewayInvalidResponse(f"the url answered {status} with {what}", "check url: scheme, host and port")


class _Faltering(GatewayInvalidResponse):
    """A 5xx: worth another GET."""

    retryable = True


_REJECTED_HINT = "check pair, amount, price and balance; a pair of that exchange must be active in Gunbot"


def _transport_failure(exc: httpx2.TransportError) -> GatewayError:
    if isinstance(exc, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.UnsupportedProtocol):
        hint = "start Gunbot, check url and port"
        if "CERTIFICATE" in str(exc).upper():
            hint = "Gunbot's certificate is not trusted: set ca_file"
        return GatewayUnreachable("Gunbot cannot be reached; nothing was sent", hint, delivered=False)
    if isinstance(exc, httpx2.TimeoutException):
        return GatewayTimeout("Gunbot did not answer in time", "raise read_timeout, look at Gunbot's load")
    return GatewayUnreachable("the connection to Gunbot broke off", "look at Gunbot and at what stands between")


def _object(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise GatewayInvalidResponse("Gunbot's answer is not a JSON object", "check that the url is Gunbot's")
    return cast("dict[str, Any]", answer)


def _tls(instance: Instance) -> bool | ssl.SSLContext:
    if instance.insecure_skip_verify:
        logger.warning("certificate verification is OFF for %s: anyone in between can read the token", instance.url)
        return False
    if instance.ca_file is None:
        # Loading the trusted certificates takes a while; over plain HTTP a context that trusts nobody is enough.
        plain = instance.url.lower().startswith("http://")
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True
    try:
        return ssl.create_default_context(cafile=instance.ca_file.expanduser())
    except (OSError, ssl.SSLError) as exc:
        raise ConfigInvalid("ca_file cannot be read as a certificate", "it must be a PEM file") from exc
