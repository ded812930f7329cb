"""A client that cancels a read ends the request to Gunbot; one that cancels an order does not end the order."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client, StdioServerParameters
from support.calls import APPROVING, BOTH_ERAS, BUY, PATIENT, Era, only_ticket
from support.live import TOKEN
from support.served import over_http

from gunbot_mcp.config import Settings, load
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.live import LiveGunbot
    from support.silent import SilentGunbot

pytestmark = pytest.mark.anyio

ORDERS = {"key": "binance/USDT-BTC"}
SOON = 8
"""Seconds; a request that nobody cancels goes on for longer."""


async def _cancel_a_read(client: Client, gunbot: "SilentGunbot", tool: str, arguments: dict[str, Any]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.call_tool, tool, arguments)
        assert await gunbot.until(gunbot.asked, 60)
        assert not gunbot.hung_up.is_set()
        tasks.cancel_scope.cancel()
    assert await gunbot.until(gunbot.hung_up, SOON)
    # The server goes on.
    assert not (await client.call_tool("list_exchanges", {})).is_error


@BOTH_ERAS
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_orders", ORDERS),
        ("list_orders_page_multi", {"keys": ["binance/USDT-BTC", "binance/USDT-ETH"], "page": 0, "page_size": 50}),
        ("get_balances", {}),
        ("list_open_orders", {}),
        ("list_pairs", {"exchange": "binance"}),
        ("get_quote", {"exchange": "binance", "pair": "USDT-BTC"}),
    ],
)
async def test_cancelling_a_read_ends_its_request_to_gunbot(
    silent_gunbot: "SilentGunbot", era: Era, tool: str, arguments: dict[str, Any]
) -> None:
    settings = load(instances={"gunbot": {"url": silent_gunbot.url, "token": TOKEN, "read_timeout": 60}})
    async with Runtime(settings) as runtime, Client(build_server(runtime), mode=era) as client:
        await _cancel_a_read(client, silent_gunbot, tool, arguments)


@pytest.mark.slow
@BOTH_ERAS
async def test_cancelling_a_read_ends_its_request_over_stdio_too(
    silent_gunbot: "SilentGunbot", command: list[str], child_environment: dict[str, str], era: Era
) -> None:
    live = {**child_environment, "GUNBOT_URL": silent_gunbot.url, "GUNBOT_TOKEN": TOKEN}
    server = StdioServerParameters(command=command[0], args=[*command[1:], "serve"], env=live)
    async with Client(server, mode=era) as client:
        await _cancel_a_read(client, silent_gunbot, "list_orders", ORDERS)


@pytest.mark.slow
@BOTH_ERAS
async def test_cancelling_a_read_ends_its_request_over_http_too(
    silent_gunbot: "SilentGunbot", child_environment: dict[str, str], era: Era
) -> None:
    live = {**child_environment, "GUNBOT_URL": silent_gunbot.url, "GUNBOT_TOKEN": TOKEN}
    with over_http(live) as (url, _):
        async with Client(url, mode=era) as client:
            await _cancel_a_read(client, silent_gunbot, "list_orders", ORDERS)


async def _cancel_an_order(client: Client, gunbot: "LiveGunbot") -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.call_tool, "buy_limit", BUY)
        assert await anyio.to_thread.run_sync(gunbot.held.wait, 60)
        tasks.cancel_scope.cancel()
        gunbot.release()


@BOTH_ERAS
async def test_cancelling_an_order_that_is_on_its_way_does_not_cut_it_off(
    live_settings: Callable[..., Settings], live_gunbot: "LiveGunbot", era: Era
) -> None:
    live_gunbot.hold = "answer"
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode=era, elicitation_callback=APPROVING) as client,
    ):
        await _cancel_an_order(client, live_gunbot)
        found = await (await runtime.desk()).wait((await only_ticket(runtime)).id, 60)
    assert (found.state, live_gunbot.taken) == (State.ACCEPTED, 1)


@pytest.mark.slow
@BOTH_ERAS
async def test_cancelling_an_order_over_stdio_does_not_cut_it_off(
    live_gunbot: "LiveGunbot", command: list[str], child_environment: dict[str, str], era: Era
) -> None:
    live = {**child_environment, "GUNBOT_URL": live_gunbot.url, "GUNBOT_TOKEN": TOKEN}
    server = StdioServerParameters(command=command[0], args=[*command[1:], "serve"], env=live)
    live_gunbot.hold = "answer"
    async with Client(server, mode=era, elicitation_callback=APPROVING) as client:
        await _cancel_an_order(client, live_gunbot)
        states: list[str] = []
        with anyio.fail_after(60):
            while states != ["accepted"]:
                listed: Any = (await client.call_tool("list_tickets", {})).structured_content
                states = [row[listed["columns"].index("state")] for row in listed["rows"]]
    assert (live_gunbot.taken, live_gunbot.paths) == (1, ["/trade/buy"])
