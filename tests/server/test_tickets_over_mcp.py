"""The tools around tickets, the ticket card's key, and the command line in the same mode."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import httpx2
import pytest
from mcp import Client, types
from mcp.client import advertise
from support.calls import PATIENT, no_tool, some_ticket, status

from gunbot_mcp.config import Settings, load
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import approval_page, build_server
from gunbot_mcp.server.tools import UI_EXTENSION, UI_MIME
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.live import LiveGunbot, SteppedClock

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio
BOTH_ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])
Era = Literal["legacy", "auto"]

BUY = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}
SHOWS_CARDS = [advertise(UI_EXTENSION, {"mimeTypes": [UI_MIME]})]


def structured(result: types.CallToolResult) -> dict[str, Any]:
    assert result.structured_content is not None
    return result.structured_content


def said(result: types.CallToolResult) -> str:
    return status(result)


async def propose(client: Client, **arguments: object) -> str:
    result = await client.call_tool("buy_limit", {**BUY, **arguments})
    assert said(result) == "awaiting_approval"
    return str(structured(result)["ticket"]["id"])


async def look(client: Client, ticket_id: str) -> str:
    return said(await client.call_tool("get_ticket", {"ticket_id": ticket_id}))


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def paper() -> Settings:
    return load(instances={"paper": {"market": "manual"}}, approval={"wait": 0.1})


# Looking and withdrawing


@BOTH_ERAS
async def test_tickets_are_listed_newest_first_and_the_open_ones_by_themselves(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime), mode=era) as client:
        one, two = await propose(client), await propose(client, price=49000)
        await client.call_tool("withdraw_ticket", {"ticket_id": one})
        listed = structured(await client.call_tool("list_tickets", {}))
        still_open = structured(await client.call_tool("list_tickets", {"open_only": True}))
        newest = structured(await client.call_tool("list_tickets", {"count": 1}))
    assert [row[:2] for row in listed["rows"]] == [[two, "pending"], [one, "withdrawn"]]
    assert [row[0] for row in still_open["rows"]] == [two]
    assert [row[0] for row in newest["rows"]] == [two]
    assert live_gunbot.trades == []


@BOTH_ERAS
async def test_a_withdrawn_ticket_cannot_be_approved_and_an_unknown_one_not_withdrawn(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime), mode=era) as client:
        ticket_id = await propose(client)
        assert said(await client.call_tool("withdraw_ticket", {"ticket_id": ticket_id})) == "declined"
        assert said(await client.call_tool("withdraw_ticket", {"ticket_id": ticket_id})) == "ticket_closed"
        assert said(await client.call_tool("withdraw_ticket", {"ticket_id": "zzzz"})) == "ticket_not_found"
        assert await look(client, ticket_id) == "declined"
        assert await look(client, "zzzz") == "ticket_not_found"
        with pytest.raises(Exception, match="withdrawn"):
            await (await runtime.desk()).approve(ticket_id, by=TERMINAL)
    assert live_gunbot.trades == []


async def test_an_order_that_was_sent_cannot_be_withdrawn(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        ticket_id = await propose(client)
        await (await runtime.desk()).approve(ticket_id, by=TERMINAL)
        assert said(await client.call_tool("withdraw_ticket", {"ticket_id": ticket_id})) == "ticket_closed"
        assert await look(client, ticket_id) == "accepted"
    assert len(live_gunbot.trades) == 1


async def test_tickets_of_another_instance_cannot_be_seen_or_withdrawn(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    instance = live_settings().served.model_dump() | {"token": live_settings().served.secret()}
    both = {"one": instance, "two": instance}
    async with (
        Runtime(load(instances=both, instance="one", approval={"wait": 0.1})) as one,
        Runtime(load(instances=both, instance="two", approval={"wait": 0.1})) as two,
        Client(build_server(one)) as here,
        Client(build_server(two)) as there,
    ):
        ticket_id = await propose(here)
        assert await look(there, ticket_id) == "ticket_not_found"
        assert said(await there.call_tool("withdraw_ticket", {"ticket_id": ticket_id})) == "ticket_not_found"
        assert structured(await there.call_tool("list_tickets", {}))["rows"] == []
        with pytest.raises(Exception, match="another instance"):
            await (await two.desk()).approve(ticket_id, by=TERMINAL)
        assert await look(here, ticket_id) == "awaiting_approval"
    assert live_gunbot.trades == []


async def test_a_ticket_that_nobody_decides_expires(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", stepped_clock: "SteppedClock"
) -> None:
    async with Runtime(live_settings(), seams=stepped_clock.seams) as runtime, Client(build_server(runtime)) as client:
        ticket_id = await propose(client)
        stepped_clock.pushed += 121
        listed = structured(await client.call_tool("list_tickets", {}))
        assert listed["rows"][0][1] == "expired"
        assert await look(client, ticket_id) == "expired"
        assert said(await client.call_tool("withdraw_ticket", {"ticket_id": ticket_id})) == "ticket_closed"
    assert live_gunbot.trades == []


async def test_the_same_order_again_must_name_the_first_one(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        ticket_id = await propose(client)
        for arguments in ({}, {"repeat_of": "zzzz"}, {"amount": 1e-3}):
            assert said(await client.call_tool("buy_limit", {**BUY, **arguments})) == "duplicate_order"
        again = await propose(client, repeat_of=ticket_id)
        assert said(await client.call_tool("buy_limit", {**BUY, "repeat_of": ticket_id})) == "duplicate_order"
        await propose(client, repeat_of=again)
    assert live_gunbot.trades == []


async def test_an_order_of_unknown_fate_locks_its_pair_and_side_until_it_is_found(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    live_gunbot.reply = (500, {"status": "error", "message": "boom"})
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        ticket_id = await propose(client)
        found = await (await runtime.desk()).approve(ticket_id, by=TERMINAL)
        assert found.state is State.UNKNOWN
        assert said(await client.call_tool("buy_limit", {**BUY, "price": 49000})) == "pair_locked"
        assert said(await client.call_tool("sell_limit", {**BUY, "price": 53000})) == "awaiting_approval"
        live_gunbot.place("/trade/buy", exch="binance", pair="USDT-BTC", amt=0.001, price=50000)
        assert await look(client, ticket_id) == "accepted"
        await propose(client, price=49000)
    assert len(live_gunbot.trades) == 1


# The card's key


async def card_of(client: Client, **arguments: object) -> tuple[str, str, types.CallToolResult]:
    result = await client.call_tool("buy_limit", {**BUY, **arguments})
    assert result.meta is not None
    card: dict[str, Any] = result.meta["gunbot-mcp/ticket"]
    return str(card["ticket"]["id"]), str(card["key"]), result


async def decide(client: Client, ticket_id: str, key: object, decision: str = "approve") -> str:
    arguments = {"ticket_id": ticket_id, "decision": decision, "key": key}
    return said(await client.call_tool("decide_ticket", {k: v for k, v in arguments.items() if v is not None}))


@BOTH_ERAS
async def test_a_client_without_cards_neither_sees_nor_has_decide_ticket(era: Era) -> None:
    async with Runtime(paper()) as runtime, Client(build_server(runtime), mode=era) as client:
        assert "decide_ticket" not in {tool.name for tool in (await client.list_tools()).tools}
        ticket_id = await propose(client)
        decision = {"ticket_id": ticket_id, "decision": "approve", "key": "x"}
        _, refused = await no_tool(client, "decide_ticket", decision)
        assert refused["code"] == "unknown_tool"
        assert "mean decide_ticket" not in refused["hint"]


@BOTH_ERAS
async def test_on_a_live_instance_the_card_has_no_buttons_by_default(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), mode=era, extensions=SHOWS_CARDS) as client,
    ):
        assert "decide_ticket" not in {tool.name for tool in (await client.list_tools()).tools}
        ticket_id, key, result = await card_of(client)
        assert result.meta is not None
        assert result.meta["gunbot-mcp/ticket"]["buttons"] is False
        assert key == "None"
        decision = {"ticket_id": ticket_id, "decision": "approve", "key": "x"}
        assert (await no_tool(client, "decide_ticket", decision))[1]["code"] == "unknown_tool"
    assert live_gunbot.trades == []


@BOTH_ERAS
@pytest.mark.parametrize(("decision", "expected"), [("approve", "accepted"), ("reject", "declined")])
async def test_on_paper_a_click_on_the_card_decides_with_the_cards_key(era: Era, decision: str, expected: str) -> None:
    async with Runtime(paper()) as runtime, Client(build_server(runtime), mode=era, extensions=SHOWS_CARDS) as client:
        assert "decide_ticket" in {tool.name for tool in (await client.list_tools()).tools}
        ticket_id, key, _ = await card_of(client)
        assert await decide(client, ticket_id, key, decision) == expected
        assert await decide(client, ticket_id, key) == "ticket_closed"
        (ticket,) = await (await runtime.desk()).list()
        assert str(ticket.decided_by) == "ticket card in mcp"


@BOTH_ERAS
async def test_any_other_key_decides_nothing(era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot") -> None:
    settings = live_settings(approval={"card_buttons": "always"})
    async with Runtime(settings) as runtime, Client(build_server(runtime), mode=era, extensions=SHOWS_CARDS) as client:
        one, key, _ = await card_of(client)
        two, other, _ = await card_of(client, price=49000)
        for wrong in (other, key[:-1], key + "x", key.lower(), one, "é", "\u202e", "x" * 128):
            assert await decide(client, one, wrong) == "ticket_not_found"
        assert await decide(client, two, key) == "ticket_not_found"
        assert await decide(client, "zzzz", key) == "ticket_not_found"
        for malformed in (None, "", 1, True, [key], "x" * 129):
            assert await decide(client, one, malformed) == "invalid_arguments"
        assert await decide(client, one, key, "yes") == "invalid_arguments"
        assert live_gunbot.trades == []
        assert await decide(client, one, key) == "accepted"
    assert len(live_gunbot.trades) == 1


@BOTH_ERAS
async def test_the_key_is_in_the_cards_meta_and_nowhere_else(
    era: Era, caplog: pytest.LogCaptureFixture, clean_environment: Path
) -> None:
    caplog.set_level("DEBUG")
    async with Runtime(paper()) as runtime, Client(build_server(runtime), mode=era, extensions=SHOWS_CARDS) as client:
        ticket_id, key, proposed = await card_of(client)
        shown = [proposed, await client.call_tool("get_ticket", {"ticket_id": ticket_id})]
        shown.append(await client.call_tool("decide_ticket", {"ticket_id": ticket_id, "decision": "hm", "key": key}))
        shown.append(await client.call_tool("list_tickets", {}))
        assert await decide(client, ticket_id, key) == "accepted"
        desk = await runtime.desk()
        events = await desk.ledger.events()
        assert key not in repr(await desk.list())
    for result in shown:
        assert key not in str(result.content)
        assert key not in json.dumps(result.structured_content)
    assert key in json.dumps(proposed.meta)
    assert not any(key in json.dumps(result.meta) for result in shown[1:] if result.meta)
    assert key not in caplog.text
    assert not any(key in event.detail_text for event in events)
    assert not any(key.encode() in content for content in contents(clean_environment))


# The command line


async def gunbot_mcp(*words: str, environment: dict[str, str]) -> tuple[int, dict[str, Any], str]:
    done = await anyio.run_process([sys.executable, "-m", "gunbot_mcp", *words], env=environment, check=False)
    return done.returncode, json.loads(done.stdout), done.stderr.decode()


async def test_the_command_line_proposes_and_cannot_approve(
    live_gunbot: "LiveGunbot", live_settings: MakeSettings, clean_environment: Path
) -> None:
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "GUNBOT_MCP_HOME": str(clean_environment),
        "GUNBOT_URL": live_gunbot.url,
        "GUNBOT_TOKEN": live_settings().served.secret(),
        "GUNBOT_MCP_APPROVAL_WAIT": "0.1",
    }
    code, found, stderr = await gunbot_mcp("call", "buy_limit", json.dumps(BUY), environment=environment)
    assert (code, found["status"], stderr) == (0, "awaiting_approval", "")
    ticket_id = found["ticket"]["id"]
    decide_words = json.dumps({"ticket_id": ticket_id, "decision": "approve", "key": "x"})
    code, found, stderr = await gunbot_mcp("call", "decide_ticket", decide_words, environment=environment)
    assert (code, found["error"]["code"]) == (1, "unknown_tool")
    assert stderr.startswith("gunbot-mcp: unknown_tool:")
    auto = {**environment, "GUNBOT_MCP_MODE": "auto"}
    code, found, _ = await gunbot_mcp("call", "buy_limit", json.dumps({**BUY, "price": 49000}), environment=auto)
    assert (code, found["status"]) == (0, "awaiting_approval")
    code, found, _ = await gunbot_mcp(
        "call", "withdraw_ticket", json.dumps({"ticket_id": ticket_id}), environment=environment
    )
    assert (code, found["status"]) == (1, "declined")
    assert live_gunbot.trades == []


# Where the human is asked while the call waits


async def test_the_approval_page_is_there_while_the_call_still_waits(live_settings: MakeSettings) -> None:
    settings = live_settings(approval={**PATIENT, "page_port": 0})
    async with (
        Runtime(settings, page=approval_page) as runtime,
        Client(build_server(runtime)) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(client.call_tool, "buy_limit", BUY)
        ticket = await some_ticket(runtime)
        address = await runtime.page_url()
        async with httpx2.AsyncClient(trust_env=False) as browser:
            shown = (await browser.get(f"{address}/tickets/{ticket.id}")).text
        assert "Buy 0.001 BTC" in shown
        await (await runtime.desk()).decline(ticket.id, by=TERMINAL)


async def test_a_client_that_shows_cards_and_no_forms_gets_its_card_at_once(live_settings: MakeSettings) -> None:
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), extensions=SHOWS_CARDS) as client,
    ):
        with anyio.fail_after(60):
            assert said(await client.call_tool("buy_limit", BUY)) == "awaiting_approval"
