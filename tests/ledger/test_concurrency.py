"""Many decide at once, in one process and in several: one wins, the others are told, one order is sent."""

from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.desks import open_desk, propose
from support.exchange import Exchange

from gunbot_mcp.errors import TicketClosed
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.tickets.channels import TERMINAL, Actor
from gunbot_mcp.tickets.ticket import State, Ticket

pytestmark = pytest.mark.anyio
DECISIONS = 100


@asynccontextmanager
async def four_desks(url: str, folder: Path, exchange: Exchange) -> AsyncGenerator[list[Desk]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_desk(url, folder, exchange, patience=60)) for _ in range(4)]


async def all_at_once(decisions: Sequence[Coroutine[Any, Any, Ticket]]) -> tuple[list[Ticket], int]:
    """Return what the winners got, and how many were told that they came too late."""
    won: list[Ticket] = []
    late: list[TicketClosed] = []

    async def one(decision: Coroutine[Any, Any, Ticket]) -> None:
        try:
            won.append(await decision)
        except TicketClosed as exc:
            late.append(exc)

    async with anyio.create_task_group() as tasks:
        for decision in decisions:
            tasks.start_soon(one, decision)
    return won, len(late)


async def test_of_a_hundred_approvals_one_sends(ledger_url: str, tmp_path: Path) -> None:
    exchange = Exchange()
    async with four_desks(ledger_url, tmp_path, exchange) as desks:
        ticket = await propose(desks[0])
        won, late = await all_at_once(
            [desks[n % 4].approve(ticket.id, by=Actor("form", f"human {n}")) for n in range(DECISIONS)]
        )
        assert [one.state for one in won] == [State.ACCEPTED]
        assert late == DECISIONS - 1
        assert len(exchange.posts) == 1
        assert await desks[0].ledger.verify() == []


async def test_of_approvals_and_declines_at_once_one_wins(ledger_url: str, tmp_path: Path) -> None:
    exchange = Exchange()
    async with four_desks(ledger_url, tmp_path, exchange) as desks:
        ticket = await propose(desks[0])
        decisions = [
            desks[n % 4].approve(ticket.id, by=TERMINAL) if n % 2 else desks[n % 4].decline(ticket.id, by=TERMINAL)
            for n in range(DECISIONS)
        ]
        won, late = await all_at_once(decisions)
        assert late == DECISIONS - 1
        assert len(won) == 1
        assert won[0].state in {State.ACCEPTED, State.DECLINED}
        assert len(exchange.posts) == (won[0].state is State.ACCEPTED)
        assert (await desks[1].get(ticket.id)).state is won[0].state
