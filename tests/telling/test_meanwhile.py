"""A ticket that arrives while an announcer looks whether it may rest."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CursorResult, Executable
from support.desks import open_desk, propose
from support.shown import Shown

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.port import Link, Parameters
from tests.telling.test_announcer import NOON, process

pytestmark = pytest.mark.anyio


class Meanwhile(Database):
    """A ledger's store in which `then` happens once, after who waits was read and before of whom was spoken."""

    then: Callable[[], Awaitable[None]] | None = None

    async def run(self, connection: Link, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        if self.then is not None and str(statement).startswith("SELECT notices."):
            then, self.then = self.then, None
            await then()
        return await super().run(connection, statement, parameters)


async def test_a_ticket_that_arrives_during_the_last_look_is_told_with_its_link(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    where = f"sqlite:///{tmp_path}/l.db"
    store = Meanwhile(where, 5)
    async with (
        open_desk(where, tmp_path, Shown(clock, post="success"), clock=clock) as desk,
        await Ledger.open(where, clock=clock, database=store) as ledger,
    ):
        one = process(desk, clock, ledger)

        async def later() -> None:
            second = await propose(desk)
            one.announcer.waits(second, f"http://localhost:1/tickets/{second.id}")

        async def last_look() -> None:
            store.then = later

        first = await propose(desk, amount=Decimal("0.0011"))
        one.announcer.waits(first, f"http://localhost:1/tickets/{first.id}")
        one.heard.after = last_look
        await one.run()
        (second,) = [ticket for ticket in await desk.list() if ticket.id != first.id]

    assert one.heard.said == ["An order waits (LIVE)", "An order waits (LIVE)"]
    assert [notice.link.rpartition("/")[2] for notice in one.heard.notices] == [first.id, second.id]
