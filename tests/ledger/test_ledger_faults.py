"""What the desk does when its ledger fails: before the order leaves nothing is sent, afterwards nothing is lost."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import event
from support.desks import open_desk, propose
from support.exchange import Exchange

from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.guard.outbox import Outbox, too_late
from gunbot_mcp.guard.timing import Timing
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.port import Link
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


async def nothing() -> None: ...


@dataclass
class Watched(Exchange):
    """Calls `before_claim` when the desk looks at the market to claim, `after_post` when Gunbot has the order."""

    before_claim: Callable[[], Awaitable[None]] = nothing
    after_post: Callable[[], Awaitable[None]] = nothing
    claiming: bool = field(default=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await super().handle_async_request(request)
        if self.claiming and request.url.path.endswith("/orders/page"):
            self.claiming = False
            await self.before_claim()
        if request.url.path.startswith("/api/v1/trade/"):
            await self.after_post()
        return answer


class Switch:
    """A database whose own connections can be made read-only."""

    def __init__(self, url: str) -> None:
        self._pragma = "query_only = OFF"
        self.database = Database(url, patience=5)
        event.listen(self.database.engine, "checkout", self._apply)

    def _apply(self, connection: Any, *_: object) -> None:  # noqa: ANN401 - a driver's connection
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA {self._pragma}")
        cursor.close()

    async def read_only(self) -> None:
        self._pragma = "query_only = ON"

    async def writable(self) -> None:
        self._pragma = "query_only = OFF"


def outcomes(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "outcomes").glob("*.json")]


async def test_a_read_only_ledger_takes_no_proposal_and_sends_no_approval(url: str, tmp_path: Path) -> None:
    exchange = Exchange()
    switch = Switch(url)
    async with open_desk(url, tmp_path, exchange, database=switch.database) as desk:
        ticket = await propose(desk)
        await switch.read_only()
        with pytest.raises(LedgerUnavailable, match="read-only"):
            await desk.approve(ticket.id, by=TERMINAL)
        with pytest.raises(LedgerUnavailable, match="read-only"):
            await propose(desk)
        assert exchange.posts == []
        await switch.writable()
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.ACCEPTED


async def test_a_locked_ledger_sends_nothing(url: str, tmp_path: Path) -> None:
    exchange = Exchange()
    async with open_desk(url, tmp_path, exchange, patience=0.05) as desk:
        ticket = await propose(desk)
        other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="locked"):
            await desk.approve(ticket.id, by=TERMINAL)
        assert exchange.posts == []
        other.close()
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.ACCEPTED


async def test_a_corrupt_ledger_sends_nothing(url: str, tmp_path: Path) -> None:
    exchange = Exchange()
    async with open_desk(url, tmp_path, exchange) as desk:
        ticket = await propose(desk)
    path = tmp_path / "ledger.db"
    whole = path.read_bytes()
    async with open_desk(url, tmp_path, exchange) as desk:
        path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
        with pytest.raises(LedgerUnavailable):
            await desk.approve(ticket.id, by=TERMINAL)
        assert exchange.posts == []
    path.write_bytes(b"\xa5" * len(whole))
    with pytest.raises(LedgerUnavailable):
        async with open_desk(url, tmp_path, exchange):
            pytest.fail("it opened")


async def test_a_ledger_that_fails_at_the_claim_sends_nothing_and_the_approval_never_was(
    url: str, tmp_path: Path
) -> None:
    exchange = Watched()
    switch = Switch(url)
    async with open_desk(url, tmp_path, exchange, database=switch.database) as desk:
        ticket = await propose(desk)
        exchange.before_claim, exchange.claiming = switch.read_only, True
        with pytest.raises(LedgerUnavailable):
            await desk.approve(ticket.id, by=TERMINAL)
        assert exchange.posts == []
        assert (await desk.get(ticket.id)).state is State.PENDING
        assert [kept["state"] for kept in outcomes(tmp_path)] == ["void"]
        await switch.writable()
        await desk.recover()
        assert outcomes(tmp_path) == []
        # That file belonged to a try that came to nothing: it must not close what can be approved again.
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.ACCEPTED
        assert len(exchange.posts) == 1
        assert await desk.ledger.verify() == []


async def test_an_outcome_that_the_ledger_cannot_take_waits_in_a_file(url: str, tmp_path: Path) -> None:
    exchange = Watched()
    switch = Switch(url)
    async with open_desk(url, tmp_path, exchange, database=switch.database) as desk:
        ticket = await propose(desk)
        exchange.after_post = switch.read_only
        done = await desk.approve(ticket.id, by=TERMINAL)
        assert done.state is State.ACCEPTED
        assert (await desk.get(ticket.id)).state is State.SENDING
        assert [kept["state"] for kept in outcomes(tmp_path)] == ["accepted"]
        await switch.writable()
        exchange.after_post = nothing
        # No restart is needed: the next order takes it in.
        await propose(desk)
        assert (await desk.get(ticket.id)).state is State.ACCEPTED
        assert outcomes(tmp_path) == []
        assert await desk.ledger.verify() == []


async def test_an_outcome_that_neither_ledger_nor_disk_can_take_becomes_unknown_and_is_found(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = Watched()
    (tmp_path / "outcomes").write_text("a file where the folder should be", encoding="utf-8")
    switch = Switch(url)
    async with open_desk(url, tmp_path, exchange, database=switch.database) as desk:
        ticket = await propose(desk)
        exchange.after_post = switch.read_only
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.ACCEPTED
        assert "cannot be kept in a file either" in caplog.text
        assert ticket.id in caplog.text
    async with open_desk(url, tmp_path, exchange) as desk:
        await desk.recover()
        assert (await desk.get(ticket.id)).state is State.UNKNOWN
        assert (await desk.get(ticket.id, look=True)).state is State.ACCEPTED


async def test_a_task_that_is_cancelled_while_it_records_leaves_the_outcome_in_a_file(url: str, tmp_path: Path) -> None:
    recording = asyncio.Event()
    exchange = Exchange()

    class Stuck(Database):
        async def commit(self, connection: Link) -> None:
            if exchange.posts and not recording.is_set():
                recording.set()
                await asyncio.Event().wait()
            await super().commit(connection)

    async with open_desk(url, tmp_path, exchange, database=Stuck(url, 5)) as desk:
        ticket = await propose(desk)
        approving = asyncio.create_task(desk.approve(ticket.id, by=TERMINAL))
        await recording.wait()
        approving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await approving
        assert [kept["state"] for kept in outcomes(tmp_path)] == ["accepted"]
        await desk.recover()
        assert (await desk.get(ticket.id)).state is State.ACCEPTED
        assert len(exchange.posts) == 1


async def test_a_file_that_its_writer_removes_meanwhile_is_passed_over(url: str, tmp_path: Path) -> None:
    (tmp_path / "outcomes").mkdir()
    (tmp_path / "outcomes" / "x.json").symlink_to(tmp_path / "gone")
    async with open_desk(url, tmp_path, Exchange()) as desk:
        await desk.recover()


class Lossy(Database):
    """Loses the answer to the `number`-th commit from when that is set: it is stored, and nobody can know."""

    number = 0

    async def commit(self, connection: Link) -> None:
        await super().commit(connection)
        self.number -= 1
        if self.number == 0:
            raise ConnectionResetError("gone")


async def test_where_nobody_knows_whether_the_commit_is_stored_nothing_is_sent_and_the_ticket_ends_void(
    ledger_url: str, tmp_path: Path
) -> None:
    exchange, database = Exchange(), Lossy(ledger_url, 5)
    async with open_desk(ledger_url, tmp_path, exchange, database=database) as desk:
        ticket = await propose(desk)
        database.number = 1
        with pytest.raises(LedgerUnavailable, match="not known"):
            await desk.approve(ticket.id, by=TERMINAL)
        assert exchange.posts == []
        assert (await desk.get(ticket.id)).state is State.VOID
        assert await desk.ledger.verify() == []


async def test_where_nobody_knows_whether_the_outcome_is_stored_it_is_stored_once(
    ledger_url: str, tmp_path: Path
) -> None:
    exchange, database = Exchange(), Lossy(ledger_url, 5)
    async with open_desk(ledger_url, tmp_path, exchange, database=database) as desk:
        ticket = await propose(desk)
        database.number = 2
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.ACCEPTED
        kinds = [one.kind for one in await desk.ledger.events(ticket=ticket.id)]
        assert kinds == ["created", "approved", "sending", "accepted", "observed"]
        assert outcomes(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"ticket":"x","state":"pending","reason":"","outcome":{}}', '{"ticket":"x","state":"sent"}'],
)
async def test_a_file_that_is_no_outcome_stays_and_stops_nothing(url: str, tmp_path: Path, text: str) -> None:
    path = tmp_path / "outcomes" / "x.json"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    async with open_desk(url, tmp_path, Exchange()) as desk:
        await desk.recover()
        assert path.exists()


async def test_an_outcome_of_another_instance_is_left_for_it(url: str, tmp_path: Path) -> None:
    async with open_desk(url, tmp_path, Exchange()) as desk:
        outbox = Outbox(ledger=desk.ledger, folder=tmp_path, timing=Timing())
        assert outbox.spool(await propose(desk), too_late())
        await outbox.take_in("another")
        assert len(outcomes(tmp_path)) == 1


# PostgreSQL


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("when", ["before the claim", "after the order"])
async def test_a_server_that_goes_away(own_cluster: Any, tmp_path: Path, when: str) -> None:  # noqa: ANN401 - a fixture's own class
    exchange = Watched()

    async def stop() -> None:
        own_cluster.stop()

    async with open_desk(own_cluster.url, tmp_path, exchange) as desk:
        ticket = await propose(desk)
        if when == "before the claim":
            exchange.before_claim, exchange.claiming = stop, True
            with pytest.raises(LedgerUnavailable):
                await desk.approve(ticket.id, by=TERMINAL)
            assert exchange.posts == []
        else:
            exchange.after_post = stop
            assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.ACCEPTED
        assert len(outcomes(tmp_path)) == 1
        own_cluster.start()
        await desk.recover()
        # An approval that came to nothing leaves the ticket waiting, as on SQLite.
        expected = State.PENDING if when == "before the claim" else State.ACCEPTED
        assert (await desk.get(ticket.id)).state is expected
        assert outcomes(tmp_path) == []
        assert await desk.ledger.verify() == []
