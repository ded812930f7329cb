from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from gunbot_mcp.paper.wire import MAX_BODY

pytestmark = pytest.mark.anyio
Connect = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]
BTC = {"exch": "binance", "pair": "USDT-BTC"}
KEY = "binance/USDT-BTC"


@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        ("/trade/buy", {**BTC, "amt": "1", "price": 50000}, "amt: must be a JSON number, not a string"),
        ("/trade/buy", {**BTC, "amt": True, "price": 50000}, "amt"),
        ("/trade/buy", {**BTC, "amt": 0, "price": 50000}, "greater than 0"),
        ("/trade/buy", {**BTC, "amt": -1, "price": 50000}, "greater than 0"),
        ("/trade/buy", {**BTC, "amt": 1e19, "price": 50000}, "1e18"),
        ("/trade/buy", {**BTC, "amt": 1}, "price: Field required"),
        ("/trade/buy", {"pair": "USDT-BTC", "amt": 1, "price": 1}, "exch: Field required"),
        ("/trade/buy", {**BTC, "amt": None, "price": 50000}, "amt"),
        ("/trade/buy", {**BTC, "amt": 100, "price": 50000}, "Insufficient balance: 5000000.0 USDT needed"),
        ("/trade/buy/market", {**BTC, "amt": 100}, "Insufficient balance"),
        ("/trade/sell", {**BTC, "amt": 10.5, "price": 52500}, "Insufficient balance: 10 BTC available"),
        ("/trade/sell/oco", {**BTC, "amt": 11, "price": 52500, "stopPrice": 50000, "limit": 49000}, "Insufficient"),
        ("/trade/buy", {"exch": "binance", "pair": "USDT-NOPE", "amt": 1, "price": 1}, "Unknown pair"),
        ("/trade/buy", {"exch": "kucoin", "pair": "USDT-BTC", "amt": 1, "price": 1}, "exchanges are binance"),
        ("/trade/buy", {"exch": "bin\nance", "pair": "USDT-BTC", "amt": 1, "price": 1}, "exch"),
        (
            "/trade/buy/oco",
            {"exch": "kraken", "pair": "USD-BTC", "amt": 1, "price": 1, "stopPrice": 2, "limit": 3},
            "does not support oco",
        ),
        ("/trade/close/market", {**BTC, "amt": 1}, "does not support close"),
        ("/trade/sell/trailingstop", {**BTC, "amt": 1, "price": 5, "stopPrice": 5}, "must differ"),
        ("/paper/price", {**BTC, "price": 0.001}, "price must be from 0.01"),
        ("/paper/price", {**BTC, "price": 1e13}, "price must be from 0.01"),
        ("/paper/price", {**BTC}, "price: Field required"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_gunbots_shape_and_changes_nothing(
    connect: Connect, path: str, data: dict[str, Any], says: str
) -> None:
    async with connect() as client:
        before = [(await client.post(read, json={})).json() for read in ("/balances", "/coremem")]
        answer = await client.post(path, json={"data": data})
        assert (answer.status_code, answer.json()["status"]) == (400, "error")
        assert says in answer.json()["message"]
        assert [(await client.post(read, json={})).json() for read in ("/balances", "/coremem")] == before


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b'{"data": 1}',
        b"\xff",
        b'{"data": {"exch": "binance", "pair": "USDT-BTC", "amt": NaN, "price": 1}}',
        b'{"data": {"exch": "binance", "pair": "USDT-BTC", "amt": -Infinity, "price": 1}}',
        b'{"data": {"exch": "binance", "pair": "USDT-BTC", "amt": 1e999, "price": 1}}',
        b'{"data": {"exch": "binance", "pair": "USDT-BTC", "amt": ' + b"1" * 5000 + b', "price": 1}}',
        b"[" * 60_000,
        b" " * (MAX_BODY + 1),
        b"[" * (17 * 1024 * 1024),
        b"",
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_a_body_that_cannot_be_read_is_a_bad_request(connect: Connect, body: bytes) -> None:
    async with connect() as client:
        answer = await client.post("/trade/buy", content=body)
        assert (answer.status_code, answer.json()["status"]) == (400, "error")
        assert answer.json()["message"].startswith("Invalid input")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/orders", ""),
        ("/orders", "key=binance"),
        ("/orders", "key=binance/USDT-NOPE"),
        ("/orders", "key=../../etc/passwd"),
        ("/orders/page", f"key={KEY}&page=-1&pageSize=10"),
        ("/orders/page", f"key={KEY}&page=0&pageSize=0"),
        ("/orders/page", f"key={KEY}&page=0&pageSize=1001"),
        ("/orders/page", f"key={KEY}&page=x&pageSize=10"),
        ("/orders/page", f"key={KEY}&page=99999999999999999999&pageSize=10"),
        ("/orders/page/multi", "page=0&pageSize=10"),
        ("/orders/page/multi", f"page=0&pageSize=10&keys={KEY}"),
        ("/orders/day", f"timezone=Mars/Olympus&keys[]={KEY}"),
        ("/orders/day", f"timezone=../../etc/passwd&keys[]={KEY}"),
        ("/orders/day", f"keys[]={KEY}"),
        ("/pairs", ""),
        ("/pairs", "exchange=kucoin"),
        ("/market/orderbook", "key=kucoin/USDT-BTC"),
    ],
)
async def test_a_query_that_cannot_be_read_is_a_bad_request(connect: Connect, path: str, query: str) -> None:
    async with connect() as client:
        answer = await client.get(f"{path}?{query}")
        assert (answer.status_code, answer.json()["status"]) == (400, "error")


async def test_core_memory_of_one_pair_is_not_wrapped(connect: Connect) -> None:
    async with connect() as client:
        for body in ({"data": {"exchange": "binance", "pair": "USDT-BTC"}}, {"exchange": "binance", "pair": "NOPE"}):
            answer = await client.post("/coremem/single", json=body)
            assert (answer.status_code, answer.json()["status"]) == (400, "error")


async def test_unknown_paths_and_methods_are_answered_in_gunbots_shape(connect: Connect) -> None:
    async with connect() as client:
        missing, wrong = await client.get("/nope"), await client.get("/trade/buy")
        assert (missing.status_code, missing.json()["status"], missing.json()["code"]) == (404, "error", 404)
        assert (wrong.status_code, wrong.json()["status"], wrong.json()["code"]) == (405, "error", 405)
        assert (await client.post("/trade/buy/", json={})).status_code == 404


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "T", "Basic T", "Bearer a.b.c"])
async def test_without_the_token_every_path_but_the_login_is_closed(connect: Connect, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with connect(token="T", headers=headers) as client:
        for method, path in (("GET", "/time"), ("POST", "/trade/buy"), ("GET", "/nope"), ("POST", "/paper/price")):
            answer = await client.request(method, path)
            expected = {"status": "error", "message": "Authentication required", "code": 401}
            assert (answer.status_code, answer.json()) == (401, expected)


async def test_with_the_token_or_where_none_is_set_the_paths_are_open(connect: Connect) -> None:
    async with connect(token="T", headers={"Authorization": "Bearer T"}) as client:
        assert (await client.get("/time")).status_code == 200
    async with connect(headers={"Authorization": "Bearer anything"}) as client:
        assert (await client.get("/time")).status_code == 200


async def test_a_login_gives_a_token_that_works_until_it_expires(connect: Connect, clock: list[datetime]) -> None:
    async with connect(token="T") as client:
        answer = await client.post("/auth/login", json={"password": "ENC:5WrPd8556C66kUtoGbal5g=="})
        assert answer.json()["status"] == "success"
        headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert (await client.get("/auth/status", headers=headers)).status_code == 200
        clock[0] += timedelta(days=901)
        assert (await client.get("/auth/status", headers=headers)).status_code == 401


async def test_a_login_checks_the_password_where_one_is_configured(connect: Connect) -> None:
    async with connect(token="T", password="hunter2", wallet="0123456789abcdef-and-more") as client:
        good = await client.post("/auth/login", json={"password": "ENC:5WrPd8556C66kUtoGbal5g=="})
        bad = await client.post("/auth/login", json={"password": "ENC:AAAAAAAAAAAAAAAAAAAAAA=="})
        assert good.json()["token"].count(".") == 2
        assert (bad.status_code, bad.json()) == (401, {"status": "error", "message": "Invalid password", "code": 401})


@pytest.mark.parametrize("password", [None, 5, "", "hunter2", "ENC:", "ENC:%%%", "ENC:AAAA", "ENC:A"])
async def test_a_login_that_is_not_an_encrypted_password_is_a_bad_request(connect: Connect, password: object) -> None:
    async with connect(token="T") as client:
        answer = await client.post("/auth/login", json={"password": password})
        assert (answer.status_code, answer.json()["status"]) == (400, "error")
