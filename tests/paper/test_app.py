import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gunbot_mcp.endpoints import ENDPOINTS
from gunbot_mcp.paper.app import PaperGateway

pytestmark = pytest.mark.anyio
Connect = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]
SENT = {"status": "success", "message": "Order sent"}
BTC = {"exch": "binance", "pair": "USDT-BTC"}
KEY = "binance/USDT-BTC"
FLAGS = {"code": 200, "isDemo": False, "isRegistered": True, "isTwoFA": False}


async def send(client: httpx2.AsyncClient, path: str, **data: object) -> None:
    answer = await client.post(path, json={"data": data})
    assert (answer.status_code, answer.json()) == (200, SENT)


async def move(client: httpx2.AsyncClient, price: float, pair: str = "USDT-BTC", exch: str = "binance") -> None:
    answer = await client.post("/paper/price", json={"data": {"exch": exch, "pair": pair, "price": price}})
    assert answer.json() == {"status": "success", "message": "Price set"}


async def open_orders(client: httpx2.AsyncClient, pair: str = "USDT-BTC", exch: str = "binance") -> list[Any]:
    answer = await client.post("/coremem/single", json={"exchange": exch, "pair": pair})
    return answer.json()["memory"][f"{exch}/{pair}"]["openOrders"]


async def orders(client: httpx2.AsyncClient, key: str = KEY) -> list[Any]:
    return (await client.get("/orders", params={"key": key})).json()["data"]


async def balance(client: httpx2.AsyncClient, asset: str, exchange: str = "binance") -> tuple[str, str]:
    rows = (await client.post("/balances", json={})).json()
    (row,) = [row for row in rows if (row["Exchange"], row["Asset"]) == (exchange, asset)]
    return row["Available Qty"], row["On Order"]


async def test_every_endpoint_of_the_table_answers_the_pages_sample_values(connect: Connect) -> None:
    sample: dict[str, Any] = {
        "buy_limit": {**BTC, "amt": 1.0, "price": 50000},
        "buy_market": {**BTC, "amt": 1.0, "price": 50000},
        "sell_limit": {**BTC, "amt": 1.0, "price": 52500},
        "sell_market": {**BTC, "amt": 1.0, "price": 52500},
        "buy_stop_limit": {**BTC, "amt": 1.0, "stopPrice": 49900, "limitPrice": 49850},
        "sell_stop_limit": {**BTC, "amt": 1.0, "stopPrice": 50100, "limitPrice": 50150},
        "buy_trailing_stop": {**BTC, "amt": 1.0, "price": 50000, "stopPrice": 49900},
        "sell_trailing_stop": {**BTC, "amt": 1.0, "price": 52500, "stopPrice": 52550},
        "buy_oco": {**BTC, "amt": 1.0, "price": 50000, "stopPrice": 49900, "limit": 49850},
        "sell_oco": {**BTC, "amt": 1.0, "price": 52500, "stopPrice": 52550, "limit": 52600},
        "close_limit": {"exch": "bybit", "pair": "USDT-BTC-LONG", "amt": 1.0, "price": 51000},
        "close_market": {"exch": "bybit", "pair": "USDT-BTC-LONG", "amt": 1.0},
        "list_orders": {"key": "binance/USDT-XRP"},
        "list_orders_today": {"timezone": "America/New_York", "keys[]": ["binance/USDT-XRP", "mex_gunthy/USDT-DOGE"]},
        "list_orders_page": {"key": "binance/USDT-XRP", "page": "0", "pageSize": "10"},
        "list_orders_page_multi": {
            "page": "0",
            "pageSize": "10",
            "keys[]": ["binance/USDT-XRP", "mex_gunthy#2/USDT-DOGE"],
        },
    }  # fmt: skip - one line each
    empty: dict[str, Any] = {
        "list_orders": {"data": []},
        "list_orders_today": {"days": [], "orders": [], "closeOrders": []},
        "list_orders_page": {"total": 0, "page": 0, "data": []},
        "list_orders_page_multi": {"total": 0, "totalCount": 0, "page": 0, "data": []},
    }
    async with connect() as client:
        for endpoint in ENDPOINTS:
            if endpoint.name == "cancel_order":
                found = (await open_orders(client))[0]
                sample["cancel_order"] = {**BTC, "id": found["id"], "price": found["rate"], "type": found["orderType"]}
            values = sample[endpoint.name]
            if endpoint.method == "GET":
                answer = await client.get(endpoint.path, params=values)
            else:
                answer = await client.post(endpoint.path, json={"data": values})
            assert (answer.status_code, answer.json()) == (200, empty.get(endpoint.name, SENT)), endpoint.name


async def test_trades_may_be_wrapped_or_flat(connect: Connect) -> None:
    async with connect() as client:
        flat = await client.post("/trade/buy", json={**BTC, "amt": 1, "price": 50000})
        assert flat.json() == SENT
        await send(client, "/trade/buy", **BTC, amt=1, price=50000)
        assert len(await open_orders(client)) == 2


async def test_a_limit_order_reserves_rests_fills_and_becomes_a_record(connect: Connect, clock: list[datetime]) -> None:
    async with connect() as client:
        await send(client, "/trade/buy", **BTC, amt=0.5, price=50000)
        assert await balance(client, "USDT") == ("975000.0", "25000.0")
        (resting,) = await open_orders(client)
        expected = {
            "pair": "USDT-BTC",
            "type": "buy",
            "orderType": "limit",
            "kind": "limit",
            "rate": 50000,
            "amount": 0.5,
        }
        assert resting == {"id": resting["id"], "time": round(clock[0].timestamp() * 1000), **expected}
        await move(client, 50000)
        assert await open_orders(client) == []
        (record,) = await orders(client)
        assert record == {
            "time": round(clock[0].timestamp() * 1000),
            "pair": "USDT-BTC",
            "type": "buy",
            "rate": 50000,
            "amount": 0.5,
            "id": int(resting["id"]),
            "cost": 25000,
            "toCancel": True,
            "fees": 25,
            "baseValue": 25025,
            "costProceed": -25025,
            "averagePrice": record["inventory_cost"] * 1.001,
            "pnlPrice": record["ABP"],
            "balance": 10.5,
            "baseBalance": 975000,
            "inventory_cost": pytest.approx((10 * 51000 + 25000) / 10.5),
            "ABP": pytest.approx((10 * 51000 + 25000) / 10.5 / 0.999**2),
            "pnl": 0,
        }
        assert await balance(client, "USDT") == ("975000.0", "0")
        assert await balance(client, "BTC") == ("10.5", "0")


async def test_open_orders_say_all_that_a_cancel_needs_for_every_kind(connect: Connect) -> None:
    async with connect() as client:
        await send(client, "/trade/sell/oco", **BTC, amt=1, price=52500, stopPrice=50000, limit=49900)
        await send(client, "/trade/sell/stoplimit", **BTC, amt=1, stopPrice=52000, limitPrice=53000)
        await send(client, "/trade/sell/trailingstop", **BTC, amt=1, price=51000, stopPrice=50000)
        limit, stop, woken, trail = await open_orders(client)
        assert (limit["kind"], limit["group"], limit["rate"]) == ("limit", limit["id"], 52500)
        assert (stop["kind"], stop["group"], stop["stopPrice"], stop["rate"]) == (
            "stop_limit",
            limit["id"],
            50000,
            49900,
        )
        assert (stop["triggered"], woken["triggered"], woken["rate"]) == (False, True, 53000)
        assert (trail["kind"], trail["orderType"], trail["trail"]) == ("trailing_stop", "market", 1000)
        assert (trail["rate"], trail["stopPrice"]) == (51000, 50000)
        assert await balance(client, "BTC") == ("7.0", "3.0")
        for one in (stop, woken, trail):
            await send(client, "/trade/cancel", **BTC, id=one["id"], price=one["rate"], type=one["orderType"])
        assert await open_orders(client) == []
        assert await balance(client, "BTC") == ("10", "0")
        assert await orders(client) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": "1"}, "No open order"),
        ({"pair": "USDT-ETH"}, "No open order"),
        ({"exch": "kraken"}, "No open order"),
        ({"price": 50001}, "was placed at"),
        ({"type": "market"}, "type limit"),
        ({"id": 357044}, "id"),
        ({"type": "stop"}, "type"),
    ],
)
async def test_a_cancel_that_names_the_wrong_order_changes_nothing(
    connect: Connect, change: dict[str, Any], says: str
) -> None:
    async with connect() as client:
        await send(client, "/trade/buy", **BTC, amt=1, price=50000)
        (resting,) = await open_orders(client)
        cancel = {**BTC, "id": resting["id"], "price": 50000, "type": "limit", **change}
        answer = await client.post("/trade/cancel", json={"data": cancel})
        assert (answer.status_code, answer.json()["status"]) == (400, "error")
        assert says in answer.json()["message"]
        assert await open_orders(client) == [resting]


async def test_the_two_legs_of_an_order_reserve_once_and_fill_once(connect: Connect) -> None:
    async with connect() as client:
        await send(client, "/trade/buy/oco", **BTC, amt=1, price=50000, stopPrice=52000, limit=52100)
        assert await balance(client, "USDT") == ("947900.0", "52100.0")
        await move(client, 52000)
        await move(client, 49000)
        (record,) = await orders(client)
        assert 52000 < record["rate"] <= 52100
        assert await open_orders(client) == []


async def test_a_trailing_sell_follows_the_price_and_fills_at_the_bid(connect: Connect) -> None:
    async with connect() as client:
        await send(client, "/trade/sell/trailingstop", **BTC, amt=1, price=52500, stopPrice=52400)
        await move(client, 52000)
        assert (await open_orders(client))[0]["stopPrice"] == 51900
        await move(client, 51901)
        assert await orders(client) == []
        await move(client, 51900)
        bid = (await client.get("/market/orderbook", params={"key": KEY})).json()["data"]["bid"][0][0]
        assert [record["rate"] for record in await orders(client)] == [bid]


async def test_resting_orders_fill_when_they_would_have_after_a_week_asleep(
    connect: Connect, clock: list[datetime]
) -> None:
    start = clock[0]
    async with connect(market="walk") as client:
        await send(client, "/trade/buy", **BTC, amt=1, price=50800)
        await send(client, "/trade/sell", **BTC, amt=1, price=51200)
        await send(client, "/trade/sell/trailingstop", **BTC, amt=1, price=51000, stopPrice=50200)
        await send(client, "/trade/sell", **BTC, amt=1, price=60000)
        clock[0] += timedelta(days=7)
        records = await orders(client)
        assert {record["rate"] for record in records} > {50800, 51200}
        assert len(records) == 3
        times = [record["time"] / 1000 - start.timestamp() for record in records]
        assert times == sorted(times, reverse=True)
        assert all(0 < at < 6 * 86_400 for at in times)
        assert len(await open_orders(client)) == 1


async def test_a_clock_that_is_set_back_does_not_turn_time_back(connect: Connect, clock: list[datetime]) -> None:
    async with connect(market="walk") as client:
        clock[0] += timedelta(hours=1)
        await send(client, "/trade/buy/market", **BTC, amt=1)
        clock[0] -= timedelta(minutes=30)
        await send(client, "/trade/buy/market", **BTC, amt=1)
        newest, oldest = await orders(client)
        assert newest["time"] == oldest["time"]


async def test_bybit_positions_close_but_never_more_than_is_open(connect: Connect) -> None:
    async with connect() as client:
        long = {"exch": "bybit", "pair": "USDT-BTC-LONG"}
        short = {"exch": "bybit", "pair": "USDT-BTC-SHORT"}
        await send(client, "/trade/close", **long, amt=4, price=52000)
        too_much = await client.post("/trade/close/market", json={"data": {**long, "amt": 1.5}})
        assert (too_much.status_code, "open position" in too_much.json()["message"]) == (400, True)
        assert (await open_orders(client, "USDT-BTC-LONG", "bybit"))[0]["reduceOnly"] is True
        await move(client, 52000, "USDT-BTC-LONG", "bybit")
        (closed,) = await orders(client, "bybit/USDT-BTC-LONG")
        assert (closed["type"], closed["pnl"], closed["balance"]) == ("sell", 4000, 1)
        await send(client, "/trade/close/market", **short, amt=5)
        (lost,) = await orders(client, "bybit/USDT-BTC-SHORT")
        assert (lost["type"], lost["balance"]) == ("buy", 0)
        assert lost["pnl"] < -5000
        await send(client, "/trade/sell", **short, amt=1, price=52000)
        await send(client, "/trade/buy/market", **long, amt=1)
        assert (await orders(client, "bybit/USDT-BTC-LONG"))[0]["balance"] == 2
        assert (await orders(client, "bybit/USDT-BTC-SHORT"))[0]["balance"] == 1
        spent = await client.post("/trade/buy/market", json={"data": {**long, "amt": 1000}})
        assert "Insufficient balance" in spent.json()["message"]


async def test_slots_share_prices_and_nothing_else(connect: Connect) -> None:
    async with connect() as client:
        await move(client, 0.2, "USDT-DOGE", "mex_gunthy#2")
        await send(client, "/trade/sell/market", exch="mex_gunthy#2", pair="USDT-DOGE", amt=10)
        assert await orders(client, "mex_gunthy/USDT-DOGE") == []
        assert len(await orders(client, "mex_gunthy#2/USDT-DOGE")) == 1
        assert await balance(client, "DOGE", "mex_gunthy") == ("1000000", "0")
        book = (await client.get("/market/orderbook", params={"key": "mex_gunthy/USDT-DOGE"})).json()["data"]
        assert book["bid"][0][0] < 0.2 < book["ask"][0][0]


async def test_pages_are_newest_first_and_count_everything(connect: Connect, clock: list[datetime]) -> None:
    async with connect() as client:
        for amount in (1, 2, 3):
            await send(client, "/trade/buy/market", **BTC, amt=amount)
            clock[0] += timedelta(seconds=1)
        await send(client, "/trade/sell/market", exch="binance", pair="USDT-ETH", amt=4)
        page = (await client.get("/orders/page", params={"key": KEY, "page": 1, "pageSize": 2})).json()
        assert (page["total"], page["page"], [one["amount"] for one in page["data"]]) == (3, 1, [1])
        keys = {"keys[]": [KEY, "binance/USDT-ETH", KEY]}
        both = (await client.get("/orders/page/multi", params={**keys, "page": 0, "pageSize": 3})).json()
        assert (both["total"], both["totalCount"], [one["amount"] for one in both["data"]]) == (4, 4, [4, 3, 2])
        beyond = (await client.get("/orders/page", params={"key": KEY, "page": 99, "pageSize": 9})).json()
        assert (beyond["total"], beyond["data"]) == (3, [])
        day = (await client.get("/orders/day", params={**keys, "timezone": "Asia/Tokyo"})).json()
        assert day == {"days": ["2026-03-02"], "orders": [4], "closeOrders": [1]}
        clock[0] += timedelta(hours=4)  # 16:00 in London, already tomorrow in Tokyo
        tomorrow = (await client.get("/orders/day", params={**keys, "timezone": "Asia/Tokyo"})).json()
        assert tomorrow == {"days": [], "orders": [], "closeOrders": []}
        london = (await client.get("/orders/day", params={**keys, "timezone": "Europe/London"})).json()
        assert london["orders"] == [4]


async def test_the_other_reads_answer_as_gunbot_does(connect: Connect, clock: list[datetime]) -> None:
    async with connect() as client:
        assert (await client.get("/time")).json() == {"serverTime": round(clock[0].timestamp() * 1000)}
        status = (await client.get("/auth/status")).json()
        assert status == {**FLAGS, "status": "success", "message": "Authenticated"}
        pairs = (await client.get("/pairs", params={"exchange": "mex_gunthy#2"})).json()
        assert pairs == {"status": "success", "pairList": ["USDT-DOGE"]}
        without_body = (await client.post("/balances")).json()
        assert without_body == (await client.post("/balances", json={})).json()
        assert without_body[0] == {
            "Asset": "USDT",
            "Exchange": "binance",
            "Available Qty": "1000000",
            "On Order": "0",
        }
        assert not any(row["Asset"].startswith("USDT-") for row in without_body)
        memory = (await client.post("/coremem", json={})).json()["memory"]
        assert memory["bybit/USDT-BTC-SHORT"]["quoteBalance"] == 5
        assert memory[KEY]["openOrders"] == []
        book = (await client.get("/market/orderbook", params={"key": KEY})).json()["data"]
        assert len(book["ask"]) == len(book["bid"]) == 10
        assert (memory[KEY]["Bid"], memory[KEY]["Ask"]) == (book["bid"][0][0], book["ask"][0][0])


async def test_an_order_that_cannot_be_recorded_answers_500_and_leaves_nothing_half_done(
    connect: Connect, tmp_path: Path
) -> None:
    async with connect(data=tmp_path) as client:
        with closing(sqlite3.connect(tmp_path / "paper.sqlite3")) as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON records BEGIN SELECT RAISE(ABORT, 'disk full'); END")
            before = (await client.post("/balances", json={})).json()
            answer = await client.post("/trade/buy/market", json={"data": {**BTC, "amt": 1}})
            assert (answer.status_code, answer.json()) == (
                500,
                {"status": "error", "message": "An internal error occurred"},
            )
            assert (await client.post("/balances", json={})).json() == before
            other.execute("DROP TRIGGER full")
        await send(client, "/trade/buy/market", **BTC, amt=1)
        assert len(await orders(client)) == 1


async def test_open_orders_are_limited_per_account(connect: Connect) -> None:
    async with connect() as client:
        for _ in range(200):
            await send(client, "/trade/buy", **BTC, amt=0.001, price=50000)
        answer = await client.post("/trade/buy", json={"data": {**BTC, "amt": 0.001, "price": 50000}})
        assert (answer.status_code, "at most 200" in answer.json()["message"]) == (400, True)
        await send(client, "/trade/buy", exch="kraken", pair="USD-BTC", amt=0.001, price=50000)


async def test_answers_are_json_that_javascript_reads_back_exactly(connect: Connect) -> None:
    async with connect() as client:
        await send(client, "/trade/buy", **BTC, amt=0.1 + 0.2, price=51000)
        text = (await client.get("/orders", params={"key": KEY})).text
        assert '"amount":0.30000000000000004' in text
        assert '"pnl":0' in text
        assert json.loads(text)["data"][0]["cost"] == (0.1 + 0.2) * 51000


async def test_closing_twice_is_harmless_and_a_closed_gateway_answers_500() -> None:
    gateway = PaperGateway()
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(gateway.app), base_url="http://paper/api/v1"
    ) as client:
        await gateway.aclose()
        await gateway.aclose()
        assert (await client.post("/balances")).status_code == 500
