"""Orders through an MCP client, in both protocol generations: nothing is sent that a human did not approve."""

import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx2
import jsonschema
import pytest
from mcp import Client, types
from mcp.client.context import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.shared.exceptions import MCPError
from support.calls import (
    APPROVING,
    BOTH_ERAS,
    BUY,
    PATIENT,
    Era,
    answering,
    only_ticket,
    some_ticket,
    status,
    text,
    ticket_id,
    unanswered,
)

from gunbot_mcp.config import Settings
from gunbot_mcp.runtime import Runtime, Seams
from gunbot_mcp.server.app import build_server
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State
from gunbot_mcp.tickets.view import TICKET_OUTPUT

if TYPE_CHECKING:
    from support.live import LiveGunbot

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio


# Without a form


@BOTH_ERAS
async def test_a_client_without_forms_is_told_where_a_human_approves(
    era: Era,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime), mode=era) as client:
        result = await client.call_tool("buy_limit", BUY)
        again = await client.call_tool("get_ticket", {"ticket_id": ticket_id(result)})
    for found in (result, again):
        assert status(found) == "awaiting_approval"
        assert found.structured_content is not None
        approve = found.structured_content["approve"]
        assert approve["command"].endswith(f"gunbot-mcp approve {ticket_id(result)}")
        assert approve["page"] is None
        for word in (ticket_id(result), "state pending", approve["command"], "LIVE", "do not propose it again"):
            assert word in text(found)
    assert live_gunbot.trades == []


async def test_an_approval_from_outside_ends_the_waiting_call(
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    results: list[types.CallToolResult] = []
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=unanswered) as client,
        anyio.create_task_group() as tasks,
    ):

        async def propose() -> None:
            results.append(await client.call_tool("buy_limit", BUY))

        tasks.start_soon(propose)
        waiting = await some_ticket(runtime)
        # A call that waits for a human keeps nobody else waiting.
        assert not (await client.call_tool("get_quote", {"exchange": "binance", "pair": "USDT-BTC"})).is_error
        assert results == []
        await (await runtime.desk()).approve(waiting.id, by=TERMINAL)
    assert status(results[0]) == "accepted"
    assert live_gunbot.paths == ["/trade/buy"]


_APPROVE_ELSEWHERE = """
import sys, anyio
from gunbot_mcp.config import load
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import TERMINAL
async def main():
    url, token, ticket = sys.argv[1:]
    async with Runtime(load(instances={"gunbot": {"url": url, "token": token}})) as runtime:
        print((await (await runtime.desk()).approve(ticket, by=TERMINAL)).state)
anyio.run(main)
"""


async def test_an_approval_in_another_process_ends_the_waiting_call(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    results: list[types.CallToolResult] = []
    settings = live_settings(approval=PATIENT)
    async with (
        Runtime(settings) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=unanswered) as client,
        anyio.create_task_group() as tasks,
    ):

        async def propose() -> None:
            results.append(await client.call_tool("buy_limit", BUY))

        tasks.start_soon(propose)
        waiting = await some_ticket(runtime)
        words = [live_gunbot.url, settings.served.secret(), waiting.id]
        done = await anyio.run_process([sys.executable, "-c", _APPROVE_ELSEWHERE, *words])
        assert done.stdout.decode().strip() == "accepted"
    assert status(results[0]) == "accepted"
    assert live_gunbot.paths == ["/trade/buy"]


# Clients that go away


@BOTH_ERAS
async def test_a_client_that_goes_away_while_a_human_is_asked_leaves_the_ticket_pending(
    era: Era,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    async with Runtime(live_settings(approval=PATIENT)) as runtime:
        async with Client(build_server(runtime), mode=era) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "buy_limit", BUY)
            await some_ticket(runtime)
            tasks.cancel_scope.cancel()
        assert (await only_ticket(runtime)).state is State.PENDING
        assert live_gunbot.trades == []
        # The human can still approve it: the ticket does not depend on who proposed it.
        assert (
            await (await runtime.desk()).approve((await only_ticket(runtime)).id, by=TERMINAL)
        ).state is State.ACCEPTED


@BOTH_ERAS
async def test_a_client_that_goes_away_while_the_order_is_sent_does_not_lose_its_outcome(
    era: Era,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    live_gunbot.hold = "answer"
    async with Runtime(live_settings(approval=PATIENT)) as runtime:
        async with (
            Client(build_server(runtime), mode=era, elicitation_callback=APPROVING) as client,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(client.call_tool, "buy_limit", BUY)
            assert await anyio.to_thread.run_sync(live_gunbot.held.wait, 60)
            tasks.cancel_scope.cancel()
            live_gunbot.release()
        found = await (await runtime.desk()).wait((await only_ticket(runtime)).id, 60)
    assert found.state is State.ACCEPTED
    assert live_gunbot.paths == ["/trade/buy"]


# Both forms of a result


@pytest.mark.parametrize("answer", [None, APPROVING, answering("accept", {"decision": "reject"})])
@pytest.mark.parametrize("reply", [None, (400, {"status": "error", "message": "no"}), (500, {}), (200, ["?"])])
async def test_whatever_becomes_of_an_order_both_forms_of_the_result_say_it_completely(
    answer: ElicitationFnT | None,
    reply: tuple[int, object] | None,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    live_gunbot.reply = reply
    async with (
        Runtime(live_settings(approval=None if answer is None else PATIENT)) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=answer) as client,
    ):
        result = await client.call_tool("buy_limit", BUY)
    found = result.structured_content
    assert found is not None
    jsonschema.validate(found, dict(TICKET_OUTPUT))
    lines = text(result).splitlines()
    if found["status"] == "awaiting_approval":
        assert re.fullmatch(r"Nothing has been sent\. .*\b\d+ s left.*", lines.pop(0))
    assert lines[0] == f"{found['status']}: {found['ticket']['summary']}"
    assert lines[-1] == f"Ticket {found['ticket']['id']}, LIVE instance gunbot, state {found['ticket']['state']}"
    assert "{" not in text(result)
    if found["status"] == "unknown":
        assert "Never send it again" in text(result)
        assert found["error"]["retryable"] is False
    expected = {None: "accepted", 400: "rejected"}.get(reply[0] if reply else None, "unknown")
    assert found["status"] == {None: "awaiting_approval", APPROVING: expected}.get(answer, "declined")
    assert len(live_gunbot.trades) == (1 if answer is APPROVING else 0)


async def test_a_tool_that_does_not_exist_and_arguments_that_do_not_fit_are_errors_with_codes(
    live_settings: MakeSettings,
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime), mode="legacy") as client:
        assert status(await client.call_tool("buy_everything", {})) == "unknown_tool"
        assert status(await client.call_tool("buy_limit", {**BUY, "approved": True})) == "invalid_arguments"
        assert status(await client.call_tool("buy_limit", {**BUY, "amount": "0.001"})) == "invalid_arguments"
        with pytest.raises(MCPError):
            await client.get_prompt("approve_everything")


# When things go wrong around a waiting call


@BOTH_ERAS
async def test_a_form_that_is_answered_after_somebody_else_decided_changes_nothing(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(approval=PATIENT)) as runtime:

        async def too_late(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
            del context, params
            await (await runtime.desk()).decline((await only_ticket(runtime)).id, by=TERMINAL)
            return types.ElicitResult(action="accept", content={"decision": "approve"})

        async with Client(build_server(runtime), mode=era, elicitation_callback=too_late) as client:
            assert status(await client.call_tool("buy_limit", BUY)) == "declined"
        assert str((await only_ticket(runtime)).decided_by) == "terminal"
    assert live_gunbot.trades == []


async def test_a_ledger_that_fails_while_a_call_waits_leaves_the_order_unknown_and_sends_nothing(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", clean_environment: Path
) -> None:
    results: list[types.CallToolResult] = []
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=unanswered) as client,
        anyio.create_task_group() as tasks,
    ):

        async def propose() -> None:
            results.append(await client.call_tool("buy_limit", BUY))

        tasks.start_soon(propose)
        await some_ticket(runtime)
        with closing(sqlite3.connect(clean_environment / "ledger.sqlite3")) as other:
            other.execute("DROP TABLE tickets")
            other.commit()
    # Somebody else may have approved it meanwhile; nobody can say.
    assert status(results[0]) == "unknown"
    assert "Ticket " in text(results[0])
    assert live_gunbot.trades == []


async def test_a_fault_of_the_server_is_an_error_without_its_details(
    live_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(request: httpx2.Request) -> httpx2.Response:
        raise RuntimeError(f"a detail about {request.url.params['key']}")

    seams = Seams(transport=httpx2.MockTransport(broken))
    async with Runtime(live_settings(), seams=seams) as runtime, Client(build_server(runtime), mode="legacy") as client:
        result = await client.call_tool("buy_limit", BUY)
    assert status(result) == "internal"
    assert "a detail" not in text(result)
    assert "a detail about binance/USDT-BTC" in caplog.text
