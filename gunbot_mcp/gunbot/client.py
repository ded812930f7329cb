"""Gunbot over HTTP. One pooled client; GETs are retried with backoff, a POST is sent exactly once.

A request has `read_timeout` for its whole answer, however slowly it drips. Reads and their retries also share the time
of the call that needs them (`deadline.py`); an order, once begun, has its own whole time.

What each failure is called stands in `failures.py`.
"""

import functools
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, cast

import anyio
import httpx2

from gunbot_mcp import __version__
from gunbot_mcp.address import path_hint
from gunbot_mcp.arguments import Args
from gunbot_mcp.config import Instance
from gunbot_mcp.endpoints import BY_NAME, AnyEndpoint, Result
from gunbot_mcp.errors import (
    GatewayError,
    GatewayInvalidResponse,
    GatewayUnreachable,
    Unauthorized,
    clean,
)
from gunbot_mcp.gunbot import failures, keychain, records, tls
from gunbot_mcp.gunbot.balances import Balance, balances
from gunbot_mcp.gunbot.deadline import answer_within, seconds_left
from gunbot_mcp.gunbot.expiry import Credential, credential, expired
from gunbot_mcp.gunbot.failures import transport_failure, understand
from gunbot_mcp.gunbot.login import encrypt_password, encryption_key
from gunbot_mcp.gunbot.memory import PairMemory, pair_memory
from gunbot_mcp.gunbot.patience import Patience
from gunbot_mcp.gunbot.quiet import keep_headers_out_of_logs, without_secrets
from gunbot_mcp.gunbot.remembered import Remembered
from gunbot_mcp.gunbot.server_clock import ServerClock, elapsed_seconds
from gunbot_mcp.gunbot.telling import say
from gunbot_mcp.gunbot.wire import json_text, query_text
from gunbot_mcp.tokens import is_token

logger = logging.getLogger(__name__)

API = "/api/v1"
_LOGIN = "/auth/login"
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
        monotonic: Callable[[], float] = time.monotonic,
        elapsed: Callable[[], float] = elapsed_seconds,
    ) -> None:
        """`transport` replaces the network (the embedded paper gateway; tests); `elapsed` counts how old a reading is.

        A GET that is tried again waits about twice `backoff` seconds first, then four times; `sleep` does the waiting.
        `monotonic` counts how old a remembered answer is.
        """
        self._instance = instance
        self._allowed = allowed_calls()
        self._token = instance.secret()
        self._keyring = instance.token_keyring if instance.token_file is None else ""
        password, wallet = instance.password.get_secret_value(), instance.wallet.get_secret_value()
        # The wallet's beginning alone is the key that passwords are encrypted with.
        given = (self._token, password, wallet, encryption_key(wallet))
        self._secrets = tuple(secret for secret in given if secret)
        self._login_lock = anyio.Lock()
        self._login_failure: GatewayError | None = None
        self._transport = transport
        self._backoff = backoff
        self._sleep = sleep
        self._max_body = max_body
        self._pairs = Remembered[tuple[str, ...]](monotonic=monotonic)
        self._balances = Remembered[list[Balance]](monotonic=monotonic)
        self.clock = ServerClock(self.server_time, elapsed)
        self._verify = True if transport is not None else tls.context(instance)

    @functools.cached_property
    def _http(self) -> httpx2.AsyncClient:
        """The pooled client, made for the first call: a server that starts loads no HTTP and no certificates."""
        keep_headers_out_of_logs()
        instance = self._instance
        return httpx2.AsyncClient(
            base_url=instance.url or "http://paper.invalid",
            transport=self._transport,
            verify=self._verify,
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

        Where a password or the OS keyring is configured, `log_in` comes first.

        Raises:
            GatewayRejected, Unauthorized: Gunbot said no; the order does not exist.
            GatewayError: with `delivered` False it never arrived; otherwise it is unknown whether it did.
        """
        if not self._token and self._can_log_in:
            # Logging in takes time, and meanwhile the checks of this order would become out of date.
            raise GatewayUnreachable("there is no login; nothing was sent", "log in first", delivered=False)
        self._balances.forget("")
        try:
            answer = await self._send("POST", endpoint.path, body={"data": args.wire()}, within=math.inf)
        except failures.Doubtful as exc:
            raise GatewayInvalidResponse(
                f"Gunbot's error leaves open whether it took the order: {exc.message}",
                "look for the order before trying again",
            ) from exc
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

    async def balances(self) -> list[Balance]:
        found = balances(await self._call("POST", "/balances", body={}))
        self._balances.keep("", found)
        return found

    def balances_lately(self) -> tuple[list[Balance], float] | None:
        """Return the balances that were last read, with their age in seconds; None after a minute. Asks nobody."""
        return self._balances.known("")

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

    async def all_open_orders(self) -> records.Resting:
        """Return the resting orders of every active pair, and the pairs whose orders cannot be seen."""
        return records.all_open_orders(_object(await self._call("POST", "/coremem", body={})))

    async def configured(self) -> dict[str, dict[str, bool | None]] | None:
        """Return what `enabled_pairs` does, of every exchange."""
        return records.configured(_object(await self._call("POST", "/coremem", body={})))

    async def enabled_pairs(self, exchange: str) -> dict[str, bool | None] | None:
        """Return which pairs of an exchange are configured and whether each is enabled; None where that is not told."""
        return records.enabled_pairs(_object(await self._call("POST", "/coremem", body={})), exchange)

    async def pairs(self, exchange: str) -> list[str]:
        """Return the names of the pairs that an exchange has, as Gunbot knows them; what it said is kept for a minute.

        Raises:
            GatewayError: Gunbot cannot be asked, or its answer has no list of pairs.
        """
        return list(await self._pairs.get(exchange, lambda: self._ask_pairs(exchange)))

    async def _ask_pairs(self, exchange: str) -> tuple[str, ...]:
        answer = await self._get("/pairs", {"exchange": exchange})
        found = answer.get("pairList")
        if not isinstance(found, list):
            raise GatewayInvalidResponse("Gunbot's answer has no pairList", "check that the url is Gunbot's")
        return tuple(str(name) for name in cast("list[Any]", found))

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
        """GET an object, trying again where that is harmless, could help, and there is time for it."""
        return _object(await self._call("GET", path, query=query, attempts=GET_ATTEMPTS))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        attempts: int = 1,
    ) -> object:
        """Read something, logging in first where that is needed, and once more where the login has run out.

        A login that fails is not tried again: it is a POST, and Gunbot may count wrong passwords.
        """
        with answer_within(self._instance.answer_seconds):
            await self.log_in()
            renewed, attempt = not self._can_log_in, 1
            while True:
                try:
                    return await self._send(method, path, query=query, body=body, within=seconds_left())
                except Unauthorized:
                    if renewed:
                        raise
                    renewed = True
                    await self.log_in()
                    continue
                except GatewayError as exc:
                    # Spread, so that several readers do not retry at the same moments.
                    pause = self._backoff * 2**attempt * random.uniform(0.5, 1)  # noqa: S311 - no secret: simulations repeat it from a seed
                    if attempt >= attempts or not exc.retryable or pause >= seconds_left():
                        raise
                    logger.info("%s %s: %s; trying again", method, path, exc.code)
                    await say(f"Gunbot failed ({exc.code}); trying again, attempt {attempt + 1} of {attempts}.")
                await self._sleep(pause)
                attempt += 1

    @property
    def _can_log_in(self) -> bool:
        """Whether a token can be had anew: by a login, or from the OS keyring."""
        return bool(self._instance.password.get_secret_value() or self._keyring)

    @property
    def credential(self) -> Credential:
        """Facts about the token in use, without it: where it is from, until when it is good."""
        return credential(self._instance, self._token)

    async def log_in(self) -> None:
        """Log in where a password or the OS keyring is configured and there is no token; every read does so by itself.

        Raises:
            GatewayError: nothing but the login was sent.
        """
        if self._token or not self._can_log_in:
            return
        before = self._login_failure
        async with self._login_lock:
            if self._token:
                return
            if self._login_failure is not None and self._login_failure is not before:
                # Somebody tried while this one waited for its turn: the same password would fail again.
                raise self._login_failure
            try:
                self._token = await self._log_in()
            except GatewayError as exc:
                # Whatever became of the login, the call that needs it was not sent.
                exc.delivered = False
                self._login_failure = exc
                raise
            self._secrets = (*self._secrets, self._token)

    async def _log_in(self) -> str:
        if self._keyring:
            return await keychain.ask(self._keyring, min(seconds_left(), self._instance.answer_seconds))
        password = encrypt_password(
            self._instance.password.get_secret_value(), self._instance.wallet.get_secret_value()
        )
        answer = _object(await self._send("POST", _LOGIN, body={"password": password}, within=seconds_left()))
        token = answer.get("token")
        if not isinstance(token, str) or not is_token(token):
            raise Unauthorized("Gunbot's login gave no token", failures.LOGIN_HINT)
        return token

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        within: float,
    ) -> object:
        """Send one request, once. `within`: the most seconds that it may take."""
        if (method, path) not in self._allowed:
            raise AssertionError(f"{method} {path} is not among the paths that this client may call")
        url = API + path + (f"?{query_text(query)}" if query else "")
        patience, token = Patience(self._instance, within), self._token
        request = self._http.build_request(
            method,
            url,
            content=None if body is None else json_text(body).encode(),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=patience.timeout,
            extensions={"trace": patience.trace, **tls.extensions(self._instance)},
        )
        answered: tuple[int, bytes] | None = None
        try:
            with patience.scope:
                response = await self._http.send(request, stream=True)
                try:
                    answered = response.status_code, await self._read(response)
                finally:
                    await response.aclose()
        except httpx2.TransportError as exc:
            logger.debug("%s %s: %s", method, path, type(exc).__name__)
            # Not its cause: such an exception may quote a header line, and a traceback in a log would show it.
            raise tls.refusal(exc, self._instance) or transport_failure(exc) from None
        except (httpx2.HTTPError, httpx2.StreamError) as exc:
            raise GatewayInvalidResponse(f"Gunbot's answer cannot be read: {type(exc).__name__}") from None
        if answered is None:
            raise patience.lost()
        status, content = answered
        logger.debug("%s %s: %d", method, path, status)
        if path == _LOGIN:
            return understand(status, content, failures.login_refused, self._secrets)
        try:
            by_password = self._can_log_in and not self._keyring
            refused = failures.login_expired if by_password else failures.refused
            return understand(status, without_secrets(content, self._secrets), refused, self._secrets)
        except Unauthorized as exc:
            if (since := expired(token, datetime.now(UTC))) is not None:
                exc.message += f"; {since}"
            # The login has run out; the next call logs in again. Another one may have done so meanwhile.
            if self._can_log_in and self._token == token:
                self._token = ""
            raise
        except GatewayInvalidResponse as exc:
            exc.hint = path_hint(self._instance.url) or exc.hint
            raise

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


def _object(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise GatewayInvalidResponse("Gunbot's answer is not a JSON object", "check that the url is Gunbot's")
    return cast("dict[str, Any]", answer)
