"""The ledger goes away after the order left: the caller hears of the order with its ticket's id, on every way.

`ledger_unavailable` says that nothing was sent. A caller who hears it without an id would buy again.
"""

import re
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, types
from support.calls import APPROVING, BOTH_ERAS, BUY, Era, unanswered

from gunbot_mcp.config import Settings, load
from gunbot_mcp.guard.timing import Timing
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.port import Link
from gunbot_mcp.runtime import PaperTransport, Runtime, Seams, state_folder
from gunbot_mcp.server.app import approval_page, build_server
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

pytestmark = pytest.mark.anyio


class Mortal(Database):
    """A database that is gone once `dead` is set: nothing can be read from it or written to it."""

    dead = False
    stored: anyio.Event | None = None
    """Set by the next commit."""

    async def commit(self, connection: Link) -> None:
        await super().commit(connection)
        if self.stored is not None:
            self.stored.set()

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Link]:
        if self.dead:
            with self.faults():
                raise sqlite3.OperationalError("unable to open database file")
        async with super().connect() as connection:
            yield connection


class Fatal(PaperTransport):
    """The paper gateway; when an order arrives, `then` happens."""

    def __init__(self, settings: Settings, then: Callable[[], None]) -> None:
        super().__init__(settings)
        self.then = then
        self.orders = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await super().handle_async_request(request)
        if request.url.path.startswith("/api/v1/trade/"):
            self.orders += 1
            self.then()
        return answer


class House:
    """A paper instance whose ledger dies when an order arrives."""

    def __init__(self, mode: str = "approve", wait: float = 5, database: Database | None = None) -> None:
        settings = load(mode=mode, instances={"paper": {"market": "manual"}}, approval={"wait": wait, "page_port": 0})
        self.database = database or Mortal(f"sqlite:///{state_folder(settings)}/ledger.sqlite3", 5)
        self.transport = Fatal(settings, self.die)
        timing = Timing(record_attempts=2, record_pause=0.001, look_pause=0.001)
        seams = Seams(database=lambda _: self.database, transport=self.transport, timing=timing)
        self.runtime = Runtime(settings, seams=seams)

    def die(self) -> None:
        if isinstance(self.database, Mortal):
            self.database.dead = True

    def next_commit(self) -> anyio.Event:
        assert isinstance(self.database, Mortal)
        self.database.stored = anyio.Event()
        return self.database.stored

    @property
    def kept(self) -> list[Path]:
        return list((state_folder(self.runtime.settings) / "outcomes").glob("*.json"))


def told(result: types.CallToolResult) -> tuple[bool, Any, bool]:
    """Return whether it is an error, its status, and whether the text names the ticket's id."""
    found: dict[str, Any] = result.structured_content or {}
    ticket_id = found.get("ticket", {}).get("id", "no id")
    text = "".join(block.text for block in result.content if isinstance(block, types.TextContent))
    return bool(result.is_error), found.get("status"), ticket_id in text


async def test_an_order_that_a_rule_sent_is_told_with_its_id() -> None:
    house = House(mode="auto")
    async with house.runtime, Client(build_server(house.runtime)) as client:
        assert told(await client.call_tool("buy_limit", BUY)) == (False, "accepted", True)
        assert (house.transport.orders, len(house.kept)) == (1, 1)


@BOTH_ERAS
async def test_an_order_that_a_human_approved_in_the_form_is_told_with_its_id(era: Era) -> None:
    house = House()
    async with house.runtime, Client(build_server(house.runtime), mode=era, elicitation_callback=APPROVING) as client:
        assert told(await client.call_tool("buy_limit", BUY)) == (False, "accepted", True)
        assert (house.transport.orders, len(house.kept)) == (1, 1)


async def test_an_order_that_was_approved_elsewhere_while_the_call_waited_is_told_with_its_id() -> None:
    house = House()
    answers: list[types.CallToolResult] = []
    async with (
        house.runtime,
        Client(build_server(house.runtime), mode="legacy", elicitation_callback=unanswered) as client,
        anyio.create_task_group() as tasks,
    ):

        async def call() -> None:
            answers.append(await client.call_tool("buy_limit", BUY))

        desk = await house.runtime.desk()
        stored = house.next_commit()
        tasks.start_soon(call)
        await stored.wait()
        (waiting,) = await desk.list()
        done = await desk.approve(waiting.id, by=TERMINAL)
        assert done.state is State.ACCEPTED
    assert [told(answer) for answer in answers] == [(False, "accepted", True)]


async def test_where_nobody_can_say_whether_a_waiting_order_was_approved_meanwhile_it_is_unknown_with_its_id() -> None:
    """Another process may have approved and sent it; this one only sees that the ledger is away."""
    house = House(wait=0.5)
    answers: list[types.CallToolResult] = []
    async with (
        house.runtime,
        Client(build_server(house.runtime), mode="legacy", elicitation_callback=unanswered) as client,
        anyio.create_task_group() as tasks,
    ):

        async def call() -> None:
            answers.append(await client.call_tool("buy_limit", BUY))

        await house.runtime.desk()
        stored = house.next_commit()
        tasks.start_soon(call)
        await stored.wait()
        house.die()
    assert [told(answer) for answer in answers] == [(False, "unknown", True)]
    assert "never send it again" in str(answers[0].content).lower()


async def test_an_order_that_was_approved_on_the_page_is_shown_there_with_its_id() -> None:
    house = House(wait=0)
    async with house.runtime, Client(build_server(house.runtime)) as client:
        assert told(await client.call_tool("buy_limit", BUY)) == (False, "awaiting_approval", True)
        desk = await house.runtime.desk()
        (ticket,) = await desk.list()
        page = approval_page(house.runtime, desk)
        base = await page.ensure_started()
        async with httpx2.AsyncClient(base_url=base, trust_env=False) as browser:
            shown = await browser.get(f"/tickets/{ticket.id}")
            token = re.search(r'name="token" value="([0-9a-f]{64})"', shown.text)
            assert token is not None
            cookie = shown.headers["set-cookie"].partition(";")[0]
            sent = await browser.post(
                f"/tickets/{ticket.id}/approve", data={"token": token[1]}, headers={"Origin": base, "Cookie": cookie}
            )
            assert sent.status_code == 303
            answer = await browser.get(sent.headers["location"])
        await page.aclose()
    assert answer.status_code == 200
    assert "Accepted by Gunbot" in answer.text
    assert ticket.id in str(answer.url)
    assert (house.transport.orders, len(house.kept)) == (1, 1)


async def test_before_an_order_left_a_ledger_that_is_away_says_so_and_nothing_was_sent() -> None:
    house = House(mode="auto")
    async with house.runtime, Client(build_server(house.runtime)) as client:
        await house.runtime.desk()
        house.die()
        result = await client.call_tool("buy_limit", BUY)
        assert result.is_error
        assert "ledger_unavailable" in str(result.content)
        assert house.transport.orders == 0


async def test_a_ticket_that_was_sent_can_be_looked_at_while_the_ledger_is_away_and_settles_afterwards() -> None:
    house = House(mode="auto")
    async with house.runtime, Client(build_server(house.runtime)) as client:
        placed = await client.call_tool("buy_limit", BUY)
        assert placed.structured_content is not None
        ticket_id: str = placed.structured_content["ticket"]["id"]
        assert told(await client.call_tool("get_ticket", {"ticket_id": ticket_id})) == (False, "accepted", True)
        assert isinstance(house.database, Mortal)
        house.database.dead = False
        assert told(await client.call_tool("get_ticket", {"ticket_id": ticket_id})) == (False, "accepted", True)
        desk = await house.runtime.desk()
        assert (await desk.get(ticket_id)).state is State.ACCEPTED
        assert (house.kept, await desk.ledger.verify()) == ([], [])


@pytest.mark.slow
@pytest.mark.postgres
async def test_a_database_server_that_stops_after_the_order_left(own_cluster: Any) -> None:  # noqa: ANN401 - a fixture's
    house = House(database=Database(own_cluster.url, 5))
    house.transport.then = own_cluster.stop
    async with (
        house.runtime,
        Client(build_server(house.runtime), mode="legacy", elicitation_callback=APPROVING) as client,
    ):
        assert told(await client.call_tool("buy_limit", BUY)) == (False, "accepted", True)
        assert (house.transport.orders, len(house.kept)) == (1, 1)
