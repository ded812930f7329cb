"""What a person is typing is completed: exchanges, pairs, tickets, by their beginning, and never for long."""

import json
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from mcp import Client, types
from mcp.shared.exceptions import MCPError
from support.calls import BOTH_ERAS, BUY, Era, ticket_id
from support.live import TOKEN

from gunbot_mcp.config import load
from gunbot_mcp.exchanges import EXCHANGES
from gunbot_mcp.runtime import Runtime, Seams
from gunbot_mcp.server.app import build_server

if TYPE_CHECKING:
    from pathlib import Path

    from support.recorder import Recorder
    from support.silent import SilentGunbot

pytestmark = pytest.mark.anyio

PLAN = types.PromptReference(name="plan_trade")
TICKET = types.ResourceTemplateReference(uri="gunbot://tickets/{id}")
ON_BINANCE = {"exchange": "binance"}


async def _completed(
    client: Client,
    ref: types.PromptReference | types.ResourceTemplateReference,
    name: str,
    typed: str,
    context: dict[str, str] | None = None,
) -> types.Completion:
    found = (await client.complete(ref, {"name": name, "value": typed}, context)).completion
    assert len(found.values) <= 100
    return found


@BOTH_ERAS
async def test_exchanges_are_completed_by_their_beginning_in_either_case(runtime: Runtime, era: Era) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        every = await _completed(client, PLAN, "exchange", "")
        some = await _completed(client, PLAN, "exchange", "BIN")
        none = await _completed(client, PLAN, "exchange", "zzz")

    assert set(EXCHANGES) <= set(every.values)
    assert "binance" in some.values
    assert all(name.startswith("bin") for name in some.values)
    assert (none.values, none.total, none.has_more) == ([], 0, False)


async def test_the_exchanges_that_orders_are_allowed_on_come_first() -> None:
    settings = load(instances={"paper": {"limits": {"exchanges": ["kraken", "binance#2"]}}})
    async with Runtime(settings) as runtime, Client(build_server(runtime)) as client:
        found = await _completed(client, PLAN, "exchange", "")

    assert found.values[:2] == ["kraken", "binance#2"]
    assert len(set(found.values)) == len(found.values)


@BOTH_ERAS
async def test_pairs_are_those_of_the_exchange_that_was_typed_before_and_a_hundred_at_most(
    runtime: Runtime, recorder: "Recorder", era: Era
) -> None:
    names = [f"USDT-C{number}" for number in range(250)] + ["BTC-ETH", "usdt-lower"]
    recorder.on("/pairs", recorder.json({"status": "success", "pairList": names}))
    async with Client(build_server(runtime), mode=era) as client:
        many = await _completed(client, PLAN, "pair", "usdt", ON_BINANCE)
        one = await _completed(client, PLAN, "pair", "btc-", ON_BINANCE)
        unknown = [await _completed(client, PLAN, "pair", "", context) for context in (None, {}, {"exchange": "../x"})]

    assert (len(many.values), many.total, many.has_more) == (100, 251, True)
    assert one.values == ["BTC-ETH"]
    assert [found.values for found in unknown] == [[], [], []]
    assert len(recorder.requests) == 1  # asked once, for all that is typed within a minute


@BOTH_ERAS
async def test_tickets_are_completed_in_prompts_and_addresses(runtime: Runtime, era: Era) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        ticket = ticket_id(await client.call_tool("buy_limit", {**BUY, "price": 49999}))
        explained = await _completed(client, types.PromptReference(name="explain_ticket"), "ticket_id", ticket[:2])
        read = await _completed(client, TICKET, "id", ticket[:2].upper())
        other = await _completed(client, TICKET, "id", "-")

    assert explained.values == read.values == [ticket]
    assert other.values == []


@BOTH_ERAS
async def test_what_is_not_there_cannot_be_completed(runtime: Runtime, era: Era) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        for ref in (types.PromptReference(name="none"), types.ResourceTemplateReference(uri="gunbot://x/{id}")):
            with pytest.raises(MCPError) as caught:
                await _completed(client, ref, "id", "")
            assert caught.value.code == types.INVALID_PARAMS
        assert (await _completed(client, PLAN, "goal", "buy")).values == []
        assert (await _completed(client, PLAN, "nonsense", "")).values == []
        assert (await _completed(client, TICKET, "nonsense", "")).values == []


@BOTH_ERAS
async def test_a_gunbot_that_does_not_answer_holds_nobody_up(silent_gunbot: "SilentGunbot", era: Era) -> None:
    settings = load(instances={"gunbot": {"url": silent_gunbot.url, "token": TOKEN, "read_timeout": 60}})
    async with Runtime(settings) as runtime, Client(build_server(runtime, complete_within=0.05), mode=era) as client:
        with anyio.fail_after(30):
            for typed in ("", "U", "US"):
                assert (await _completed(client, PLAN, "pair", typed, ON_BINANCE)).values == []
    assert silent_gunbot.asked.is_set()


async def test_nobody_waits_longer_than_two_seconds_and_the_answer_that_came_later_is_there_for_the_next_letter() -> (
    None
):
    asked, free = 0, anyio.Event()

    async def slow(request: httpx2.Request) -> httpx2.Response:
        nonlocal asked
        asked += request.url.path.endswith("/pairs")
        await free.wait()
        return httpx2.Response(200, content=json.dumps({"status": "success", "pairList": ["USDT-BTC"]}))

    seams = Seams(transport=httpx2.MockTransport(slow))
    async with Runtime(load(), seams=seams) as runtime, Client(build_server(runtime)) as client:
        began = anyio.current_time()
        assert (await _completed(client, PLAN, "pair", "U", ON_BINANCE)).values == []
        waited = anyio.current_time() - began
        free.set()
        assert (await _completed(client, PLAN, "pair", "US", ON_BINANCE)).values == ["USDT-BTC"]

    assert 1.9 < waited < 10
    assert asked == 1


@BOTH_ERAS
@pytest.mark.parametrize("answer", [(500, {}), (200, {}), (200, {"pairList": 7}), (401, {})])
async def test_a_gunbot_that_fails_completes_nothing(
    runtime: Runtime, recorder: "Recorder", era: Era, answer: tuple[int, Any]
) -> None:
    recorder.on("/pairs", recorder.json(answer[1], answer[0]))
    async with Client(build_server(runtime), mode=era) as client:
        assert (await _completed(client, PLAN, "pair", "", ON_BINANCE)).values == []


@BOTH_ERAS
async def test_a_ledger_that_cannot_be_opened_completes_nothing(clean_environment: "Path", era: Era) -> None:
    clean_environment.mkdir()
    (clean_environment / "ledger.sqlite3").write_bytes(b"no database" * 100)
    async with Runtime(load()) as runtime, Client(build_server(runtime), mode=era) as client:
        assert (await _completed(client, TICKET, "id", "")).values == []


async def test_names_that_gunbot_gives_are_cleaned(runtime: Runtime, recorder: "Recorder") -> None:
    recorder.on("/pairs", recorder.json({"status": "success", "pairList": ["USDT-\u202eBTC", "USDT-" + "X" * 500]}))
    async with Client(build_server(runtime)) as client:
        found = await _completed(client, PLAN, "pair", "", ON_BINANCE)

    assert all(name.isprintable() and len(name) <= 64 for name in found.values)
