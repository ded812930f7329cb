"""What a process that is killed leaves in the ledger, on both stores."""

import asyncio
import subprocess
import sys
from collections.abc import Callable

import anyio
import pytest
from support.tickets import put

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.content import sealed
from gunbot_mcp.tickets.ticket import State, Ticket

pytestmark = pytest.mark.anyio

MakeTicket = Callable[..., Ticket]

_CHILD = """
import asyncio, sys
from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL, Actor
from gunbot_mcp.tickets.content import ticket_of
from gunbot_mcp.tickets.ticket import State

class Watched(Database):
    def __init__(self, url):
        super().__init__(url, 5)

    async def begin(self, connection):
        self.writing = connection
        return await super().begin(connection)

async def main():
    database = Watched(sys.argv[1])
    ledger = await Ledger.open(sys.argv[1], clock=Clock(), database=database)
    ticket = ticket_of(sys.argv[2])
    stop_after = int(sys.argv[3])
    async with ledger.write() as write:
        steps = 0
        async def step(call):
            nonlocal steps
            await call
            steps += 1
            if steps == stop_after:
                print("here", flush=True)
                sys.stdin.read()
        await step(write.add(ticket, Actor("client", "child")))
        await step(write.event("note", actor=TERMINAL))
        await step(write.move(ticket.id, State.PENDING, State.APPROVED, actor=TERMINAL))
        await step(write.finish())
        await step(database.commit(database.writing))

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
async def test_a_process_killed_at_any_step_leaves_a_sound_ledger(
    steps: int, ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        await put(ledger, make_ticket("before"), State.PENDING, clock)
        child = await anyio.to_thread.run_sync(start_child, ledger_url, make_ticket("its"), steps)
        with child:
            child.kill()
        with anyio.fail_after(5):
            async with ledger.write() as write:
                await write.event("after", actor=TERMINAL)
        found = await ledger.get("its")
        committed = steps == 5
        assert (found.state if found else None) == (State.APPROVED if committed else None)
        assert len(await ledger.events()) == (5 if committed else 2)
        assert await ledger.verify() == []
    async with await Ledger.open(ledger_url, clock=clock) as again:
        assert await again.verify() == []


_WORKER = """
import asyncio, sys
from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL

async def main():
    async with await Ledger.open(sys.argv[1], clock=Clock()) as ledger:
        while True:
            async with ledger.write() as write:
                event = await write.event("step", actor=TERMINAL)
            print(event.seq, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_what_was_committed_outlives_a_kill_at_any_instant(ledger_url: str, clock: ManualClock) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        for _ in range(3):
            command = [sys.executable, "-c", _WORKER, ledger_url]
            child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
            assert child.stdout is not None
            told = [await child.stdout.readline() for _ in range(10)]
            child.kill()
            told += (await child.stdout.read()).splitlines(keepends=True)
            await child.wait()
            committed = max(int(line) for line in told if line.endswith(b"\n"))
            assert len(await ledger.events()) >= committed
            assert await ledger.verify() == []


def start_child(url: str, ticket: Ticket, steps: int) -> "subprocess.Popen[str]":
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, url, sealed(ticket).content, str(steps)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    return child
