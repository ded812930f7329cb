"""Gunbot's own Python SDK, over a real socket."""

from collections.abc import Callable
from typing import Any

import pytest
from gunbot_sdk import ApiClient, GunbotApi  # pyright: ignore[reportMissingTypeStubs] - the SDK has none
from gunbot_sdk.rest import ApiException  # pyright: ignore[reportMissingTypeStubs] - the SDK has none

from gunbot_mcp.endpoints import ENDPOINTS

BTC = {"exch": "binance", "pair": "USDT-BTC", "amt": 1.0}
LONG = {"exch": "bybit", "pair": "USDT-BTC-LONG", "amt": 1.0}
KEYS = ["binance/USDT-XRP", "mex_gunthy#2/USDT-DOGE"]
TRADES: dict[str, dict[str, Any]] = {
    "trade_buy": {**BTC, "price": 50000},
    "trade_buy_market": {**BTC, "price": 50000},
    "trade_sell": {**BTC, "price": 52500},
    "trade_sell_market": {**BTC, "price": 52500},
    "trade_buy_stoplimit": {**BTC, "stopPrice": 49900, "limitPrice": 49850},
    "trade_sell_stoplimit": {**BTC, "stopPrice": 50100, "limitPrice": 50150},
    "trade_buy_trailingstop": {**BTC, "price": 50000, "stopPrice": 49900},
    "trade_sell_trailingstop": {**BTC, "price": 52500, "stopPrice": 52550},
    "trade_buy_oco": {**BTC, "price": 50000, "stopPrice": 49900, "limit": 49850},
    "trade_sell_oco": {**BTC, "price": 52500, "stopPrice": 52550, "limit": 52600},
    "trade_close": {**LONG, "price": 51000},
    "trade_close_market": LONG,
}


@pytest.fixture
def url(start: Callable[..., tuple[object, str]]) -> str:
    return start()[1]


def sdk(url: str, token: str = "T") -> Any:  # noqa: ANN401 - an untyped library
    return GunbotApi(ApiClient(base_path=f"{url}/api/v1", bearer_token=token))


@pytest.mark.parametrize("wrapped", [True, False])
def test_gunbots_own_sdk_reaches_all_seventeen_endpoints(url: str, *, wrapped: bool) -> None:
    api = sdk(url)
    for method, values in TRADES.items():
        answer = getattr(api, method)({"data": values} if wrapped else values)
        assert (answer.status, answer.message) == ("success", "Order sent"), method
    memory = api.coremem_single({"exchange": "binance", "pair": "USDT-BTC"})["memory"]
    first = memory["binance/USDT-BTC"]["openOrders"][0]
    cancel = {"exch": "binance", "pair": "USDT-BTC", "id": first["id"], "price": first["rate"], "type": "limit"}
    assert api.trade_cancel({"data": cancel} if wrapped else cancel).message == "Order sent"

    records = api.orders("binance/USDT-BTC").data
    assert [(one.type, one.to_cancel, one.amount) for one in records] == [("sell", None, 1.0), ("buy", True, 1.0)]
    assert records[0].abp > 0
    closes = api.orders_page("bybit/USDT-BTC-LONG", 0, 10)
    assert (closes.total, closes.page, len(closes.data)) == (2, 0, 2)
    day = api.orders_day("America/New_York", ["binance/USDT-BTC", *KEYS])
    assert (len(day.days), day.orders, day.close_orders) == (1, [2], [1])
    page = api.orders_page_multi(["binance/USDT-BTC", *KEYS], 0, 1)
    assert (page.total, page.total_count, page.page, len(page.data)) == (2, 2, 0, 1)
    assert len(TRADES) + len(("cancel", "orders", "page", "day", "multi")) == len(ENDPOINTS)


def test_the_sdks_models_accept_the_other_reads(url: str) -> None:
    api = sdk(url)
    assert api.time().server_time > 0
    assert api.auth_status().message == "Authenticated"
    assert api.pairs("mex_gunthy#2").pair_list == ["USDT-DOGE"]
    assert len(api.market_orderbook("binance/USDT-BTC").data.ask) == 10
    assert "binance/USDT-BTC" in api.coremem()["memory"]
    assert api.balances()[0]["Asset"] == "USDT"
    assert api.auth_login({"password": "ENC:5WrPd8556C66kUtoGbal5g=="}).status == "success"


def test_without_the_right_token_the_sdk_gets_401(url: str) -> None:
    api = sdk(url, "wrong")
    with pytest.raises(ApiException, match=r"^\(401\)"):
        api.trade_buy({"data": {**BTC, "price": 50000}})
    assert sdk(url).orders("binance/USDT-BTC").data == []


def test_the_sdk_sees_a_refusal_as_400(url: str) -> None:
    with pytest.raises(ApiException, match=r"^\(400\)"):
        sdk(url).trade_buy({"data": {**BTC, "amt": 1e9, "price": 50000}})
