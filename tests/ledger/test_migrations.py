"""A ledger that version 0.1 wrote opens, is copied aside, becomes this version's, and says what it said before."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from ledger.old_ledgers import facts
from ledger.stores import contents, fails, path_of, restore, url_of
from sqlalchemy import CursorResult, Executable

from gunbot_mcp.clock import Clock, ManualClock
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.port import Link, Parameters
from gunbot_mcp.tickets.channels import MIGRATION, PAGE, Actor
from gunbot_mcp.tickets.ticket import Certainty, Reason, ReasonCode, State

pytestmark = pytest.mark.anyio

ExecuteSql = Callable[..., None]

STORY = facts()
OLD = ("chain", "events", "mandates", "tickets")


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the story's end: its pending tickets still wait."""
    return ManualClock(STORY.instant)


@pytest.fixture
async def url(ledger_url: str) -> str:
    """The URL of a ledger of version 1, on either store."""
    await restore(ledger_url)
    return ledger_url


async def test_it_opens_and_is_sound(url: str, clock: ManualClock) -> None:
    async with await Ledger.open(url, clock=clock) as ledger:
        assert await ledger.verify() == []
        found = {
            ticket.id: (ticket.instance, ticket.tool, ticket.state) for ticket in await ledger.list(None, limit=None)
        }
        assert found == {ticket.id: (ticket.instance, ticket.tool, ticket.state) for ticket in STORY.tickets}
        assert {mandate.id: mandate.instance for mandate in await ledger.mandates(None)} == STORY.mandates
        async with ledger.write() as write:
            assert [ticket.label for ticket in STORY.tickets if not await write.intact(ticket.id)] == []
    async with await Ledger.open(url, clock=clock) as again:
        assert await again.verify() == []


async def test_its_events_stay_byte_for_byte_and_are_followed_by_what_was_carried_over(
    url: str, clock: ManualClock
) -> None:
    before = (await contents(url))["events"]
    async with await Ledger.open(url, clock=clock) as ledger:
        after = await ledger.events()
    assert (await contents(url))["events"][: STORY.events + 1] == before
    new = after[STORY.events :]
    assert (new[0].kind, new[0].detail, new[0].actor) == ("migrated", {"from": 1, "to": 2}, MIGRATION)
    kinds = ["mandate_imported"] * len(STORY.mandates) + ["imported"] * len(STORY.tickets)
    assert [event.kind for event in new[1:]] == kinds


async def test_a_ticket_keeps_its_content_to_the_last_digit(url: str, clock: ManualClock) -> None:
    names, *rows = (await contents(url))["tickets"]
    async with await Ledger.open(url, clock=clock) as ledger:
        for row in rows:
            old = dict(zip(names, row, strict=True))
            ticket = await ledger.get(old["id"])
            assert ticket is not None
            assert (ticket.order.arguments, ticket.summary, ticket.client) == (
                old["arguments"],
                old["summary"],
                old["client"],
            )
            kept = json.loads(ticket.content)
            assert kept.pop("v") == 1
            assert kept == {name: old[name] for name in kept}


async def test_a_pending_ticket_can_still_be_decided(url: str, clock: ManualClock) -> None:
    pending = [ticket.id for ticket in STORY.tickets if ticket.state == "pending"]
    async with await Ledger.open(url, clock=clock) as ledger:
        async with ledger.write() as write:
            for name in pending:
                moved = await write.move(name, State.PENDING, State.APPROVED, actor=PAGE, decided_by=PAGE)
                assert moved is not None
        assert len(pending) == 3
        assert await ledger.verify() == []


async def test_what_its_texts_say_becomes_facts_where_they_are_exact(url: str, clock: ManualClock) -> None:
    async with await Ledger.open(url, clock=clock) as ledger:

        async def told(label: str) -> Any:  # noqa: ANN401 - a ticket that is there
            return await ledger.get(STORY.ticket(label).id)

        assert (await told("buy_limit")).decided_by == Actor("form", "Claude Desktop")
        assert (await told("buy_market")).decided_by == PAGE
        assert (await told("sell_limit")).decided_by == Actor("terminal")
        assert (await told("not_observed")).decided_by == Actor("card", "Card client 2")
        assert (await told("smart_cancel")).decided_by == Actor("smart_cancel")
        assert (await told("by_mandate")).decided_by == Actor("mandate", "3f9a0c11")
        assert (await told("paper_auto")).decided_by == Actor("auto")
        bought = await told("buy_limit")
        assert bought.reason == Reason(ReasonCode.RECORDED, {"text": "Gunbot took the order"})
        assert bought.answer == {"message": "Order sent"}
        assert bought.baseline.keys() == {"at_millis", "filled_ids", "open_ids"}
        assert (bought.observed.order_ids, bought.observed.where, bought.observed.state) == (
            ("190147",),
            "open_orders",
            "open",
        )
        assert (await told("buy_market")).observed.state == "filled"
        assert (await told("smart_cancel")).observed.state == "gone"
        assert len((await told("buy_oco")).observed.order_ids) == 2
        assert (await told("word_placed")).observed.certainty is Certainty.HUMAN
        withdrawn = next(ticket for ticket in STORY.tickets if ticket.state == "withdrawn")
        found = await ledger.get(withdrawn.id)
        assert found is not None
        assert found.decided_by is not None
        assert (found.decided_by.channel, found.decided_by.name[:3]) == ("client", "Zoë")


async def test_a_client_of_then_that_called_itself_a_terminal_is_a_client(
    url: str, clock: ManualClock, execute_sql: ExecuteSql
) -> None:
    execute_sql(url, 'UPDATE events SET actor = \'["terminal",""]\' WHERE seq = 1')
    async with await Ledger.open(url, clock=clock) as ledger:
        events = await ledger.events()
        assert events[0].actor == Actor("client", '["terminal",""]')
        assert await ledger.verify() == ["event 1 was changed"]


async def test_a_ledger_that_was_changed_before_is_still_found_out(
    url: str, clock: ManualClock, execute_sql: ExecuteSql
) -> None:
    victim = STORY.ticket("buy_limit").id
    execute_sql(url, f"UPDATE tickets SET summary = 'Sell all' WHERE id = '{victim}'")
    async with await Ledger.open(url, clock=clock) as ledger:
        problems = await ledger.verify()
        assert len(problems) == 1
        assert "carries over another content" in problems[0]
        async with ledger.write() as write:
            assert not await write.intact(victim)


async def test_the_copy_beside_a_sqlite_file_is_private_complete_and_alone(url: str, clock: ManualClock) -> None:
    if not url.startswith("sqlite"):
        # PostgreSQL keeps the old tables beside the new ones.
        before = await contents(url)
        await (await Ledger.open(url, clock=clock)).aclose()
        after = await contents(url)
        assert {name: after[f"v1_{name}"] for name in OLD} == before
        return
    before, path = await contents(url), path_of(url)
    path.chmod(0o644)
    await (await Ledger.open(url, clock=clock)).aclose()
    [copy] = [file for file in path.parent.iterdir() if file != path]
    assert copy.name == f"{path.name}.v1-{STORY.instant:%Y%m%dT%H%M%S%fZ}"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert await contents(url_of(copy)) == before
    assert "v1_tickets" not in await contents(url)


HALF = "CREATE TABLE head (id INTEGER, product TEXT, version INTEGER, seq INTEGER, hash TEXT)"


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["ALTER TABLE tickets ADD COLUMN more TEXT"], "other tables"),
        (["ALTER TABLE events DROP COLUMN instance"], "other tables"),
        (["DROP TABLE mandates"], "other tables"),
        ([HALF], "two versions"),
        (["CREATE TABLE leases (id INTEGER)"], "other tables"),
        (["ALTER TABLE chain RENAME TO head"], "half of one version"),
        (["UPDATE chain SET version = 2"], "half of one version"),
        (["UPDATE chain SET product = 'another'"], "not a ledger's"),
        (["UPDATE chain SET version = 99"], "version 99"),
        (["ALTER TABLE chain RENAME TO head", "UPDATE head SET version = 99"], "version 99"),
        (["ALTER TABLE chain RENAME TO head", "DROP TABLE tickets", "UPDATE head SET version = 99"], "version 99"),
    ],
)
async def test_what_is_not_quite_a_ledger_of_version_1_is_refused_and_left_alone(
    statements: list[str], words: str, url: str, clock: ManualClock, execute_sql: ExecuteSql
) -> None:
    if url.startswith("sqlite") and "DROP TABLE mandates" in statements:
        execute_sql(url, "UPDATE tickets SET mandate = NULL")
    execute_sql(url, *(f"{one} CASCADE" if "DROP TABLE" in one and "sqlite" not in url else one for one in statements))
    before = await contents(url)
    with fails(words):
        await Ledger.open(url, clock=clock)
    assert await contents(url) == before
    if url.startswith("sqlite"):
        assert list(path_of(url).parent.iterdir()) == [path_of(url)]


async def test_a_newer_version_that_comes_while_it_is_open_is_not_written_to(
    ledger_url: str, clock: ManualClock, execute_sql: ExecuteSql
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        execute_sql(ledger_url, "UPDATE head SET version = 3")
        with fails("version 3"):
            async with ledger.write() as write:
                await write.event("note", actor=PAGE)
        assert await ledger.events() == []


class Stopped(BaseException):
    """What stops a migration in these tests."""


class Stopping(Database):
    """Raises before the `number`-th statement, or the commit after the last one."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(url, 5)
        self.left = number

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped

    async def run(self, connection: Link, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        self._count()
        return await super().run(connection, statement, parameters)

    async def commit(self, connection: Link) -> None:
        self._count()
        await super().commit(connection)


async def test_one_that_is_stopped_before_any_statement_leaves_the_old_ledger(url: str, clock: ManualClock) -> None:
    before = await contents(url)
    number = 0
    while True:
        number += 1
        stopping = Stopping(url, number)
        try:
            ledger = await Ledger.open(url, clock=clock, database=stopping)
        except Stopped:
            assert await contents(url) == before
            continue
        break
    stopping.left = 0
    async with ledger:
        assert number > 30
        assert await ledger.verify() == []
    if url.startswith("sqlite"):
        assert len([file for file in path_of(url).parent.iterdir() if ".v1-" in file.name]) == 1


_DIE = """
import asyncio, os, sys
from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger

class Dying(Database):
    left = int(sys.argv[2])

    def count(self):
        self.left -= 1
        if self.left == 0:
            os._exit(9)

    async def run(self, *what):
        self.count()
        return await super().run(*what)

    async def commit(self, connection):
        self.count()
        await super().commit(connection)
        if self.left == 1:
            os._exit(9)

async def main():
    await Ledger.open(sys.argv[1], clock=Clock(), database=Dying(sys.argv[1], 5))

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 12, 25, 40, 43])
async def test_a_process_that_dies_in_the_middle_leaves_the_old_ledger_and_the_next_one_goes_on(
    number: int, url: str, clock: ManualClock
) -> None:
    before = await contents(url)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", _DIE, url, str(number))
    assert await child.wait() == 9
    assert await contents(url) == before
    async with await Ledger.open(url, clock=clock) as ledger:
        assert await ledger.verify() == []
    if url.startswith("sqlite"):
        assert not list(path_of(url).parent.glob("*.part"))


_OPEN = """
import asyncio, sys
from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.ledger import Ledger

async def main():
    sys.stdin.read()
    async with await Ledger.open(sys.argv[1], clock=Clock()) as ledger:
        print(len(await ledger.events(limit=1000)))

asyncio.run(main())
"""


async def test_of_several_processes_at_once_one_migrates_and_the_others_find_it_done(url: str) -> None:
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _OPEN, url, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    ended = await asyncio.gather(*(child.communicate(b"") for child in children))
    whole = STORY.events + 1 + len(STORY.mandates) + len(STORY.tickets)
    assert [(out.decode().strip(), errors.decode()) for out, errors in ended] == [(str(whole), "")] * 3
    async with await Ledger.open(url, clock=Clock()) as ledger:
        assert await ledger.verify() == []
    if url.startswith("sqlite"):
        assert len(list(path_of(url).parent.glob("*.v1-*"))) == 1


_FULL = """
import asyncio, resource, signal, sys
from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger.ledger import Ledger

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        await Ledger.open(sys.argv[1], clock=Clock())
    except LedgerUnavailable as exc:
        print(exc.message, "|", exc.hint)

asyncio.run(main())
"""


@pytest.mark.parametrize(("room", "words"), [(0.5, "no copy of it can be kept first"), (1.1, "the ledger's disk")])
async def test_without_disk_space_the_old_ledger_stays_and_is_alone(
    room: float, words: str, new_sqlite_url: str, clock: ManualClock
) -> None:
    url, path = new_sqlite_url, path_of(new_sqlite_url)
    await restore(url)
    before = await contents(url)
    limit = int(path.stat().st_size * room)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", _FULL, url, str(limit), stdout=subprocess.PIPE)
    output, _ = await child.communicate()
    assert words in output.decode()
    assert await contents(url) == before
    assert list(path.parent.iterdir()) == [path]
    async with await Ledger.open(url, clock=clock) as ledger:
        assert await ledger.verify() == []


@pytest.fixture
def new_sqlite_url(tmp_path: Any) -> str:  # noqa: ANN401 - a folder
    return url_of(tmp_path / "alone" / "ledger.db")
