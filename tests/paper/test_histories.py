"""Records from a file are served like the gateway's own: for practice on real orders, and for tests of scale."""

import json
from pathlib import Path

import httpx2
import pytest
from history.generator import account, history, write

from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.paper.app import PaperGateway

pytestmark = pytest.mark.anyio


async def asked(gateway: PaperGateway, path: str, **query: object) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=gateway.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://paper") as http:
        return await http.get(f"/api/v1{path}", params={name: str(value) for name, value in query.items()})


async def test_a_generated_history_is_served_page_by_page_newest_first(tmp_path: Path) -> None:
    made = account(7, records=600)
    write(made, tmp_path / "orders.jsonl")
    gateway = PaperGateway(orders=tmp_path / "orders.jsonl")

    for key, records in made.items():
        first = (await asked(gateway, "/orders/page", key=key, page=0, pageSize=60)).json()
        second = (await asked(gateway, "/orders/page", key=key, page=1, pageSize=60)).json()
        assert first["total"] == 100
        assert first["data"] + second["data"] == records[::-1]
    # Also a key that this market does not trade is known, as in Gunbot's memory.
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=gateway.app), base_url="http://paper") as http:
        memory = (await http.post("/api/v1/coremem", json={})).json()["memory"]
    assert set(made) <= set(memory)
    await gateway.aclose()


async def test_the_same_file_is_loaded_once(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    write({"kraken/EUR-BTC": history("kraken/EUR-BTC", "grid", count=20)}, file)
    totals: list[int] = []
    for _ in range(2):
        gateway = PaperGateway(data=tmp_path / "data", orders=file)
        totals.append((await asked(gateway, "/orders/page", key="kraken/EUR-BTC", page=0, pageSize=5)).json()["total"])
        await gateway.aclose()

    assert totals == [20, 20]


@pytest.mark.parametrize("line", ["{", "[]", '{"key": "a/B-C"}', '{"key": "a/B-C", "record": {"time": "soon"}}'])
def test_a_line_that_is_no_order_is_named_and_nothing_is_loaded(tmp_path: Path, line: str) -> None:
    file = tmp_path / "orders.jsonl"
    good = json.dumps({"key": "kraken/EUR-BTC", "record": {"time": 1}})
    file.write_text(f"{good}\n{line}\n", encoding="utf-8")

    with pytest.raises(ConfigInvalid, match="line 2"):
        PaperGateway(data=tmp_path / "data", orders=file)


def test_the_same_seed_makes_the_same_history_and_another_one_another() -> None:
    assert account(3, records=60) == account(3, records=60)
    assert account(3, records=60) != account(4, records=60)


def test_generated_records_are_in_time_with_gunbot_s_own_arithmetic() -> None:
    for key, records in account(5, records=1_200).items():
        times = [record["time"] for record in records]
        assert times == sorted(times), key
        assert all(record["cost"] == record["rate"] * record["amount"] for record in records)
        assert {record["type"] for record in records} == {"buy", "sell"}
