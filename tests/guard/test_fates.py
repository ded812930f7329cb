"""What may be said of an order: what was sent, what Gunbot then shows over time, what may be said, and what must not.

Each row is an order that went out without an answer (or with Gunbot's "success"), and the looks after it. The first
look is the one that belongs to the sending itself. The numbers are those of the table in docs/FATES.md.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from guard.fate_rows import Row
from guard.fates_followed import FOLLOWED
from guard.fates_found import FOUND
from support.desks import open_desk, propose
from support.shown import Shown, told

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.outcome import news_of, outcome_of
from gunbot_mcp.tickets.ticket import State, Ticket

pytestmark = pytest.mark.anyio

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
ROWS = (*FOUND, *FOLLOWED)


async def play(one: Row, url: str, folder: Path) -> list[tuple[Ticket, str]]:
    """Send the order, look as often as the row says, and return each ticket with what was expected of it."""
    clock = ManualClock(NOON)
    gunbot = Shown(clock, now=one.before, post=one.post, timed=one.timed, after_post=one.says[0][0])
    found: list[tuple[Ticket, str]] = []
    async with open_desk(url, folder, gunbot, clock=clock) as desk:
        ticket = await propose(desk, one.tool, **one.sent)
        gunbot.base = gunbot.millis() + 2
        ticket = await desk.approve(ticket.id, by=TERMINAL)
        found.append((ticket, one.says[0][1]))
        for shown, expected in one.says[1:]:
            clock.advance(timedelta(seconds=shown.after))
            gunbot.now = shown
            ticket = await desk.get(ticket.id, look=True)
            found.append((ticket, expected))
        assert len(gunbot.posts) == 1
        stored = await desk.get(ticket.id)
        assert told(stored) == told(ticket)
        assert await desk.ledger.verify() == []
    return found


@pytest.mark.parametrize("one", ROWS, ids=[one.name for one in ROWS])
async def test_only_what_was_seen_is_said(one: Row, tmp_path: Path) -> None:
    found = await play(one, f"sqlite:///{tmp_path}/ledger.db", tmp_path)

    assert [told(ticket) for ticket, _ in found] == [expected for _, expected in found]
    for ticket, _ in found:
        words = " ".join((*outcome_of(ticket).lines, outcome_of(ticket).title, news_of(ticket)))
        seen = ticket.observed
        assert not [word for word in one.never if word in words]
        assert ("did not fill" in words) <= (seen is not None and seen.state == "gone")
        assert (seen is None) or "as of" in words or seen.where == "human"
        if ticket.state is State.UNKNOWN:
            assert "no such order" not in words.lower()


def test_there_are_a_hundred_rows_and_every_rule_but_those_of_several_tickets_has_some() -> None:
    assert len(ROWS) >= 100
    assert {one.name.split()[0] for one in ROWS} == {str(n) for n in range(1, 17)} - {"5"}
