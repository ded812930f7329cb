"""A server of release 0.1 that still runs while its ledger is migrated: it fails, and sends nothing, on both stores.

It is the real one, of this repository's history, in a process of its own.
"""

import asyncio
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.recorder import ROOT

from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.ticket import State

pytestmark = pytest.mark.anyio

RELEASE = "baeca478a602b10055c70928e9e4623fff1e5f2f"
_SERVER = """
import asyncio, json, sys
from pathlib import Path
from support.desks import open_desk, propose
from support.exchange import Exchange
from gunbot_mcp.errors import GunbotMcpError

url, folder, when = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

def pause():
    print("here", flush=True)
    sys.stdin.readline()

class Paused(Exchange):
    claiming = False

    async def handle_async_request(self, request):
        answer = await super().handle_async_request(request)
        if when == "before the claim" and self.claiming and request.url.path.endswith("/orders/page"):
            self.claiming = False
            pause()
        if when == "after the order" and request.url.path.startswith("/api/v1/trade/"):
            pause()
        return answer

async def tried(step):
    try:
        return (await step).state.value
    except GunbotMcpError as exc:
        return exc.code

async def main():
    exchange = Paused()
    async with open_desk(url, folder, exchange, patience=2) as desk:
        ticket = await propose(desk)
        if when == "before the approval":
            pause()
        exchange.claiming = True
        said = [await tried(desk.approve(ticket.id, by="terminal")), await tried(propose(desk))]
        print(json.dumps({"ticket": ticket.id, "said": said, "posts": len(exchange.posts)}))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of release 0.1, as this repository keeps it."""
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", RELEASE, "gunbot_mcp", "tests/support"], capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"this test needs the whole history (git fetch --unshallow): {archive.stderr.decode()!r}")
    folder = tmp_path_factory.mktemp("release")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as packed:
        packed.extractall(folder, filter="data")
    return folder


@asynccontextmanager
async def started(
    release: Path, url: str, folder: Path, when: str, stderr: int | None = None
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Start a server of release 0.1 that stops at `when` until it is told to go on."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _SERVER, url, str(folder), when),
        cwd=release,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (release, release / "tests")))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def paused(child: asyncio.subprocess.Process) -> None:
    assert child.stdout is not None
    assert await child.stdout.readline() == b"here\n"


async def goes_on(child: asyncio.subprocess.Process) -> dict[str, Any]:
    output, _ = await child.communicate(b"go on\n")
    return json.loads(output)


@pytest.mark.parametrize("when", ["before the approval", "before the claim"])
async def test_it_sends_nothing(when: str, ledger_url: str, tmp_path: Path, release: Path) -> None:
    async with started(release, ledger_url, tmp_path, when) as server:
        await paused(server)
        async with await Ledger.open(ledger_url, clock=Clock()) as ledger:
            told = await goes_on(server)
            assert told["said"] == ["ledger_unavailable", "ledger_unavailable"]
            assert told["posts"] == 0
            ticket = await ledger.get(told["ticket"])
            assert ticket is not None
            assert ticket.state is (State.PENDING if when == "before the approval" else State.APPROVED)
            assert await ledger.verify() == []


@pytest.mark.slow
async def test_what_it_had_sent_already_is_in_flight_and_its_outcome_lies_in_a_file(
    ledger_url: str, tmp_path: Path, release: Path
) -> None:
    async with started(release, ledger_url, tmp_path, "after the order") as server:
        await paused(server)
        async with await Ledger.open(ledger_url, clock=Clock()) as ledger:
            told = await goes_on(server)
            assert told["said"] == ["accepted", "ledger_unavailable"]
            assert told["posts"] == 1
            ticket = await ledger.get(told["ticket"])
            assert ticket is not None
            assert ticket.state is State.SENDING
            assert await ledger.in_flight(ticket.instance)
            assert await ledger.verify() == []
        kept = json.loads((tmp_path / "outcomes" / f"{ticket.id}.json").read_text(encoding="utf-8"))
        assert (kept["ticket"], kept["state"]) == (ticket.id, "accepted")


async def test_one_that_is_started_anew_is_told_and_changes_nothing(
    ledger_url: str, tmp_path: Path, release: Path
) -> None:
    async with await Ledger.open(ledger_url, clock=Clock()) as ledger:
        async with started(release, ledger_url, tmp_path, "never", stderr=subprocess.PIPE) as server:
            _, errors = await server.communicate()
        assert b"the database holds other tables than a ledger's" in errors
        assert await ledger.events() == []
        assert await ledger.verify() == []
