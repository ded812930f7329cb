"""The adapter's paths: which there are, which there are not, and answers that are not of their shape."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from gunbot_mcp.endpoints import BY_NAME, ENDPOINTS, OrdersArgs
from gunbot_mcp.errors import (
    GatewayInvalidResponse,
)
from gunbot_mcp.gunbot import client as adapter
from gunbot_mcp.gunbot.client import Gunbot

if TYPE_CHECKING:
    from support.recorder import Recorder

pytestmark = pytest.mark.anyio


ORDERS = BY_NAME["list_orders"]
OF_BTC = OrdersArgs(key="binance/USDT-BTC")


async def test_the_reads_around_the_seventeen_go_where_gunbot_documents_them(
    gunbot: Gunbot, recorder: "Recorder"
) -> None:
    await gunbot.order_book("binance/USDT-BTC")
    await gunbot.balances()
    await gunbot.open_orders("binance#2", "USDT-BTC")
    await gunbot.all_open_orders()
    assert await gunbot.pairs("binance") == ["USDT-BTC"]
    assert await gunbot.server_time() == 1731617894238
    assert (await gunbot.status())["message"] == "Authenticated"

    assert [(request.method, request.target, request.body) for request in recorder.requests] == [
        ("GET", "/api/v1/market/orderbook?key=binance%2FUSDT-BTC", b""),
        ("POST", "/api/v1/balances", b"{}"),
        ("POST", "/api/v1/coremem/single", b'{"exchange":"binance#2","pair":"USDT-BTC"}'),
        ("POST", "/api/v1/coremem", b"{}"),
        ("GET", "/api/v1/pairs?exchange=binance", b""),
        ("GET", "/api/v1/time", b""),
        ("GET", "/api/v1/auth/status", b""),
    ]


Call = Callable[[Gunbot], Awaitable[object]]
STRANGE: tuple[tuple[str, object, Call], ...] = (
    ("/pairs", {"pairList": "USDT-BTC"}, lambda g: g.pairs("binance")),
    ("/time", {"serverTime": "now"}, lambda g: g.server_time()),
    ("/time", {"serverTime": True}, lambda g: g.server_time()),
    ("/orders/day", {"data": []}, lambda g: g.read(BY_NAME["list_orders_today"], OF_BTC)),
    ("/orders", {"data": {}}, lambda g: g.read(ORDERS, OF_BTC)),
    ("/market/orderbook", {"data": []}, lambda g: g.order_book("binance/USDT-BTC")),
    ("/balances", {"balances": []}, lambda g: g.balances()),
    ("/coremem", [], lambda g: g.all_open_orders()),
    ("/coremem/single", {"memory": {"binance/A-B": {"openOrders": 5}}}, lambda g: g.open_orders("binance", "A-B")),
)


@pytest.mark.parametrize(("path", "body", "call"), STRANGE)
async def test_an_answer_of_another_shape_is_said_to_be_one(
    gunbot: Gunbot, recorder: "Recorder", path: str, body: object, call: Call
) -> None:
    recorder.on(path, recorder.json(body))

    with pytest.raises(GatewayInvalidResponse):
        await call(gunbot)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/config/full"),
        ("POST", "/config/update"),
        ("POST", "/config/pair/add"),
        ("POST", "/files/strategy/write"),
        ("GET", "/files/strategy"),
        ("POST", "/license/keys/edit"),
        ("DELETE", "/orders"),
        ("POST", "/orders"),
        ("GET", "/trade/buy"),
        ("GET", "/../config/full"),
        ("GET", "/orders/../config/full"),
    ],
)
async def test_no_other_path_can_be_called(gunbot: Gunbot, recorder: "Recorder", method: str, path: str) -> None:
    with pytest.raises(AssertionError, match="not among the paths"):
        await gunbot._call(method, path)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no public method could ask for it

    assert recorder.requests == []


def test_the_paths_that_can_be_called_are_the_table_and_the_harmless_reads() -> None:
    allowed = adapter.allowed_calls()

    assert {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS} < allowed
    rest = {path for _, path in allowed} - {endpoint.path for endpoint in ENDPOINTS}
    assert not [path for path in rest if path.startswith(("/config", "/files", "/license", "/trade"))]
