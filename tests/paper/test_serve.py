import os
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest

from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.paper.app import PaperGateway
from gunbot_mcp.paper.serve import serve

if TYPE_CHECKING:
    import subprocess

Start = Callable[..., tuple["subprocess.Popen[str]", str]]
BUY = {"data": {"exch": "binance", "pair": "USDT-BTC", "amt": 0.01, "price": 51000}}


def client(url: str) -> httpx2.Client:
    return httpx2.Client(base_url=f"{url}/api/v1", headers={"Authorization": "Bearer T"})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_cleanly_and_quietly(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    child, url = start(tmp_path)
    with client(url) as http:
        assert http.post("/trade/buy", json=BUY).status_code == 200
        assert http.post("/trade/buy", content=b"{").status_code == 400
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (0, "", "")


def test_what_was_answered_is_there_after_a_kill(start: Start, tmp_path: Path) -> None:
    child, url = start(tmp_path)
    answered = 0
    with client(url) as http:
        for _ in range(20):
            answered += http.post("/trade/buy", json=BUY).status_code == 200
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    _, url = start(tmp_path)
    with client(url) as http:
        records = http.get("/orders", params={"key": "binance/USDT-BTC"}).json()["data"]
        balances = {(row["Exchange"], row["Asset"]): row for row in http.post("/balances").json()}
    assert len(records) == answered == 20
    assert balances["binance", "BTC"]["Available Qty"] == "10.20"
    assert balances["binance", "USDT"]["On Order"] == "0"


def test_two_processes_serve_one_folder_without_losing_an_order(start: Start, tmp_path: Path) -> None:
    (_, first), (_, second) = start(tmp_path), start(tmp_path)

    async def buy(url: str) -> None:
        headers = {"Authorization": "Bearer T"}
        async with httpx2.AsyncClient(base_url=f"{url}/api/v1", headers=headers, timeout=30) as http:
            for _ in range(10):
                assert (await http.post("/trade/buy", json=BUY)).status_code == 200

    async def both() -> None:
        async with anyio.create_task_group() as group:
            for url in (first, second, first):
                group.start_soon(buy, url)

    anyio.run(both)
    with client(second) as http:
        page = http.get("/orders/page", params={"key": "binance/USDT-BTC", "page": 0, "pageSize": 100}).json()
    assert page["total"] == 30
    assert len({record["id"] for record in page["data"]}) == 30
    assert page["data"][0]["balance"] == pytest.approx(10.3)


@pytest.mark.anyio
async def test_a_taken_port_is_a_configuration_error_with_a_hint() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        with pytest.raises(ConfigInvalid, match="taken") as caught:
            await serve(PaperGateway(), "127.0.0.1", taken.getsockname()[1], lambda _: None)
        assert "another port" in caught.value.hint


@pytest.mark.anyio
@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 99_999), ("256.1.1.1", 0)])
async def test_an_address_that_cannot_be_is_a_configuration_error(host: str, port: int) -> None:
    with pytest.raises(ConfigInvalid, match="cannot listen"):
        await serve(PaperGateway(), host, port, lambda _: None)


@pytest.mark.anyio
@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
async def test_cancelling_stops_the_server_and_frees_the_port(host: str, shown: str) -> None:
    sender, receiver = anyio.create_memory_object_stream[str](1)
    urls = list[httpx2.URL]()
    async with sender, receiver, anyio.create_task_group() as group:
        group.start_soon(serve, PaperGateway(market="manual"), host, 0, sender.send_nowait)
        urls.append(httpx2.URL((await receiver.receive()).removeprefix("listening on ")))
        assert str(urls[0]).startswith(f"http://{shown}:")
        async with httpx2.AsyncClient() as http:
            assert (await http.get(urls[0].join("/api/v1/time"))).status_code == 200
        group.cancel_scope.cancel()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.create_server((host, urls[0].port or 0), family=family)) as again:
        assert again.getsockname()[1] == urls[0].port
