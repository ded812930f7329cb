"""The paper gateway as an HTTP application that speaks Gunbot's API: paths, bodies, token, errors.

The seventeen trading and order routes are derived from the table of endpoints; beside them are the reads that a
client of Gunbot needs, the login, and our own `POST /paper/price`. Every answer is JSON; every error has Gunbot's shape
`{"status": "error", "message", "code"?}`.
"""

import functools
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import anyio.to_thread
from pydantic import Field
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gunbot_mcp.arguments import Args, Exchange, Key, Number, PairName
from gunbot_mcp.domain import Capability, Intent
from gunbot_mcp.endpoints import (
    BY_NAME,
    AnyEndpoint,
    OrdersArgs,
    OrdersPageArgs,
    OrdersPageMultiArgs,
    OrdersTodayArgs,
)
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.exchanges import CapabilityMatrix
from gunbot_mcp.paper.auth import Access
from gunbot_mcp.paper.simulator import Rejected, Simulator
from gunbot_mcp.paper.wire import Malformed, from_body, from_query, read_object, validated

PREFIX = "/api/v1"
LOGIN = f"{PREFIX}/auth/login"
SENT: Mapping[str, str] = {"status": "success", "message": "Order sent"}
_UNAUTHORIZED: Mapping[str, Any] = {"status": "error", "message": "Authentication required", "code": 401}

Answer = TypeVar("Answer")
Handler = Callable[[Request], Awaitable[Response]]


class PriceArgs(Args):
    """`POST /paper/price`, wire names as in a trade."""

    exchange: Annotated[Exchange, Field(serialization_alias="exch")]
    pair: PairName
    price: Number


class SingleArgs(Args):
    """`POST /coremem/single`: Gunbot writes `exchange` here, not `exch`, and does not wrap it."""

    exchange: Exchange
    pair: PairName


class PairsArgs(Args):
    exchange: Exchange


class KeyArgs(Args):
    key: Key


def _utc_now() -> datetime:
    return datetime.now(UTC)


class PaperGateway:
    """The gateway: `app` is the ASGI application (no lifespan needed), `aclose` releases the file.

    `data` is the folder of its database, None for a private one in memory. `token` None lets everybody in. `seed` None
    means whatever the folder remembers, or 1 for a new one. `password` and `wallet` make the login check a password.
    `capabilities` are the user's own, so that additions in the config can be tried out. `orders` is a file of records
    for the history, see `histories.py`.

    Raises:
        ConfigInvalid: the folder, the market or its file of candles cannot be used; or the folder was made with another
            seed or market.
    """

    def __init__(
        self,
        *,
        data: Path | None = None,
        token: str | None = None,
        seed: int | None = None,
        market: str = "walk",
        orders: Path | None = None,
        clock: Callable[[], datetime] = _utc_now,
        password: str | None = None,
        wallet: str | None = None,
        capabilities: Mapping[str, Iterable[Capability]] | None = None,
    ) -> None:
        self._access = Access(token=token, password=password, wallet=wallet)
        self._simulator = Simulator(data, seed=seed, market=market, clock=clock)
        if orders is not None:
            self._simulator.load_orders(orders)
        self._matrix = CapabilityMatrix(capabilities)
        routes = [
            *(self._route(endpoint.method, endpoint.path, self._endpoint(endpoint)) for endpoint in BY_NAME.values()),
            self._route("POST", "/auth/login", self._login),
            self._route("GET", "/auth/status", self._status),
            self._route("GET", "/time", self._time),
            self._route("POST", "/balances", self._balances),
            self._route("GET", "/pairs", self._pairs),
            self._route("GET", "/market/orderbook", self._orderbook),
            self._route("POST", "/coremem", self._coremem),
            self._route("POST", "/coremem/single", self._coremem_single),
            self._route("POST", "/paper/price", self._price),
        ]
        self.app = Starlette(
            routes=routes,
            middleware=[Middleware(_Guard, access=self._access, now=self._simulator.now)],
            exception_handlers={
                ConfigInvalid: _bad_request,
                Malformed: _bad_request,
                Rejected: _bad_request,
                HTTPException: _http_error,
                sqlite3.Error: _internal_error,
                500: _internal_error,
            },
        )
        # Gunbot never answers with a redirect, and clients do not repeat a POST's body after one.
        self.app.router.redirect_slashes = False

    async def aclose(self) -> None:
        """Close the database; safe to call twice."""
        await _in_thread(self._simulator.close)

    def _route(self, method: str, path: str, handler: Handler) -> Route:
        return Route(PREFIX + path, handler, methods=[method])

    # -- the seventeen ---------------------------------------------------------------------------------------------

    def _endpoint(self, endpoint: AnyEndpoint) -> Handler:
        if endpoint.intent is None:
            return functools.partial(self._read, endpoint)
        return functools.partial(self._trade, endpoint, endpoint.intent)

    async def _trade(self, endpoint: AnyEndpoint, intent: Callable[[Any], Intent], request: Request) -> Response:
        args = from_body(endpoint.args, await read_object(request))
        if endpoint.needs is not None:
            self._check(args.exchange, endpoint.needs)
        await _in_thread(self._simulator.trade, intent(args))
        return JSONResponse(SENT)

    def _check(self, exchange: str, needs: Capability) -> None:
        if needs not in self._matrix.of(exchange):
            others = ", ".join(self._matrix.exchanges_with(needs))
            raise Rejected(f"{exchange} does not support {needs.value}; {others} does")

    async def _read(self, endpoint: AnyEndpoint, request: Request) -> Response:
        args = from_query(endpoint.args, request)
        return JSONResponse(await _in_thread(self._history, args))

    def _history(self, args: Args) -> dict[str, Any]:
        match args:
            case OrdersPageArgs():
                total, data = self._simulator.orders_page([args.key], args.page, args.page_size)
                return {"total": total, "page": args.page, "data": data}
            case OrdersPageMultiArgs():
                total, data = self._simulator.orders_page(args.keys, args.page, args.page_size)
                return {"total": total, "totalCount": total, "page": args.page, "data": data}
            case OrdersTodayArgs():
                return self._simulator.orders_day(args.keys, args.timezone)
            case OrdersArgs():
                return {"data": self._simulator.orders(args.key)}
            case _:
                raise TypeError(f"no read answers {type(args).__name__}")

    # -- the others ------------------------------------------------------------------------------------------------

    async def _login(self, request: Request) -> Response:
        password = (await read_object(request)).get("password")
        if not isinstance(password, str):
            raise Malformed("Invalid input: password must be a string")
        try:
            token = self._access.login(password, self._simulator.now() // 1000)
        except ValueError as exc:
            raise Malformed(f"Invalid input: {exc}") from None
        if token is None:
            return JSONResponse({**_UNAUTHORIZED, "message": "Invalid password"}, 401)
        return JSONResponse({"status": "success", "token": token})

    async def _status(self, _: Request) -> Response:
        flags = {"code": 200, "isDemo": False, "isRegistered": True, "isTwoFA": False}
        return JSONResponse({**flags, "status": "success", "message": "Authenticated"})

    async def _time(self, _: Request) -> Response:
        return JSONResponse({"serverTime": self._simulator.now()})

    async def _balances(self, request: Request) -> Response:
        await read_object(request)
        return JSONResponse(await _in_thread(self._simulator.balances))

    async def _pairs(self, request: Request) -> Response:
        args = from_query(PairsArgs, request)
        return JSONResponse({"status": "success", "pairList": self._simulator.pairs(args.exchange)})

    async def _orderbook(self, request: Request) -> Response:
        args = from_query(KeyArgs, request)
        return JSONResponse({"data": await _in_thread(self._simulator.orderbook, args.key)})

    async def _coremem(self, request: Request) -> Response:
        await read_object(request)
        memory = await _in_thread(self._simulator.memory)
        return JSONResponse({"config": self._simulator.config(), "memory": memory})

    async def _coremem_single(self, request: Request) -> Response:
        body = await read_object(request)
        args = validated(SingleArgs, {name: body[name] for name in SingleArgs.model_fields if name in body})
        return JSONResponse({"memory": await _in_thread(self._simulator.memory, [f"{args.exchange}/{args.pair}"])})

    async def _price(self, request: Request) -> Response:
        args = from_body(PriceArgs, await read_object(request))
        await _in_thread(self._simulator.move_price, args.exchange, args.pair, args.price)
        return JSONResponse({"status": "success", "message": "Price set"})


class _Guard:
    """Answers 401 in front of every path but the login's."""

    def __init__(self, app: ASGIApp, *, access: Access, now: Callable[[], int]) -> None:
        self._app = app
        self._access = access
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != LOGIN:
            shown = Headers(scope=scope).get("authorization")
            if not self._access.passes(shown, self._now() // 1000):
                await JSONResponse(_UNAUTHORIZED, 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _in_thread(work: Callable[..., Answer], *arguments: object) -> Answer:
    """Run blocking work in a thread, to its end: it must not stop half-way if the caller goes away."""
    return await anyio.to_thread.run_sync(functools.partial(work, *arguments))


async def _bad_request(_: Request, exc: Exception) -> Response:
    return JSONResponse({"status": "error", "message": str(exc)}, 400)


async def _http_error(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    body = {"status": "error", "message": exc.detail, "code": exc.status_code}
    return JSONResponse(body, exc.status_code, headers=exc.headers)


async def _internal_error(_: Request, _exc: Exception) -> Response:
    return JSONResponse({"status": "error", "message": "An internal error occurred"}, 500)
