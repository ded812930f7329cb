"""`gunbot-mcp demo --me`: you are the human. An assistant's order waits in your browser, and you decide.

Real parts, each a process of its own: `gunbot-mcp serve` under an MCP client that shows no forms (so the order waits
on the page), and `gunbot-mcp inbox`. Both have a temporary state folder, a home and a market of their own; your own
switch, config, state folder and inbox are not touched. The market then comes down to the order, and it fills.
"""

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream
from mcp import Client
from rich.console import Console

from gunbot_mcp.approval.inbox import HOSTS, PORT, has_ipv6
from gunbot_mcp.cli.clients import CLIENTS
from gunbot_mcp.cli.demo import BTC, ME, DemoFailed, Human, Story, market_of, server_in, surroundings, text_of
from gunbot_mcp.command import typed
from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.loopback import bind
from gunbot_mcp.telling.browser import open_page

PRICE = 50500
"""Where the assistant's order rests: the market starts at 51,000 and comes down to it."""
STEPS = (50850, 50700, 50550, 50480)
_LOOK_SECONDS = 0.5
_STEP_SECONDS = 1.2
"""Slow enough to be watched."""
_FILL_SECONDS = 30
_STAY_SECONDS = 20
_READY_SECONDS = 60
_END_SECONDS = 10
_LISTENING = "listening on "
_CONFIG = """\
# made by gunbot-mcp demo --me
instance = "paper"

[approval]
wait = 0
ttl = {ttl}

[instances.paper]
market = "manual"
"""


def with_you(wait: int) -> int:
    """Play the demo with the human at this machine, who has `wait` seconds to decide; return the exit code."""
    told: list[str] = []
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="gunbot-mcp-demo-", ignore_cleanup_errors=True) as home:
            config = Path(home) / "config.toml"
            config.write_text(_CONFIG.format(ttl=wait), encoding="utf-8")
            anyio.run(_play, Path(home), config, wait, told)
    except KeyboardInterrupt:
        # All was told: who ends it now misses nothing.
        if not told:
            raise
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Take a SIGTERM as a Ctrl-C: the inbox and the folder are the demo's to clear away."""
    del number, frame
    raise KeyboardInterrupt


async def _play(home: Path, config: Path, wait: int, told: list[str]) -> None:
    async with (
        _inbox(home, config) as address,
        market_of(home) as gateway,
        Client(server_in(home, config), mode="legacy", client_info=ME) as client,
    ):
        story = Story(client=client, human=Human(), console=Console(), gateway=gateway)
        story.line("gunbot-mcp demo --me: practice money, and you are the human.", "bold")
        _say_where(story, address)
        ticket = await _propose(story, address, wait)
        state = await _decided(story, ticket, wait)
        if state == "pending":
            raise DemoFailed(f"nobody decided within {wait} seconds, and nothing was sent", "run it again when you can")
        if state == "accepted":
            await _fill(story, ticket)
        else:
            await _unsent(story, ticket)
        _next(story)
        told.append(ticket)
        if state == "accepted" and sys.stdout.isatty():
            story.line(f"The page stays for {_STAY_SECONDS} more seconds; Ctrl-C ends it now.", "dim")
            await anyio.sleep(_STAY_SECONDS)


def _say_where(story: Story, address: str) -> None:
    story.chapter("1. Your inbox")
    story.line(f"It runs at {address}, where every order waits, whichever assistant proposed it.")
    if not address.endswith(f":{PORT}"):
        story.line(f"(Port {PORT} is taken, perhaps by your own inbox, which this demo does not touch.)")


async def _propose(story: Story, address: str, wait: int) -> str:
    story.chapter("2. The assistant proposes")
    placed = await story.call("buy_limit", **BTC, price=PRICE)
    answer: Mapping[str, Any] = placed.structured_content or {}
    story.check(answer.get("status") == "awaiting_approval", "the order waits for you, and is not sent")
    ticket, page = str(answer["ticket"]["id"]), str(answer["approve"].get("page"))
    story.check(page == f"{address}/tickets/{ticket}", "the assistant was told where you decide")
    story.chapter("3. You decide")
    story.line(page, "bold")
    opened = await anyio.to_thread.run_sync(open_page, page)
    story.line("This page opens in your browser now." if opened else "Open this page in your browser.")
    story.line(f"Approve it or reject it there. It waits for {wait} seconds; Ctrl-C ends the demo.")
    return ticket


async def _look(story: Story, ticket: str) -> Mapping[str, Any]:
    result = await story.client.call_tool("get_ticket", {"ticket_id": ticket})
    found: Mapping[str, Any] = result.structured_content or {}
    if result.is_error:
        raise DemoFailed(f"the order cannot be looked at: {clean(text_of(result))}", "run the demo again")
    return found


async def _decided(story: Story, ticket: str, wait: int) -> str:
    """Return the ticket's state as soon as it is decided; `pending` if nobody decides in time."""
    state = "pending"
    with anyio.move_on_after(wait):
        while state in {"pending", "approved", "sending"}:
            await anyio.sleep(_LOOK_SECONDS)
            state = str((await _look(story, ticket))["ticket"]["state"])
    return "pending" if state == "expired" else state


async def _fill(story: Story, ticket: str) -> None:
    story.check(True, "you approved it, and the inbox sent it, once")
    story.chapter("4. The market comes down to your order")
    for price in STEPS:
        await anyio.sleep(_STEP_SECONDS)
        await story.move_price(price)
    observed: Mapping[str, Any] = {}
    with anyio.move_on_after(_FILL_SECONDS):
        while observed.get("state") != "filled":
            observed = (await _look(story, ticket)).get("observed") or {}
            await anyio.sleep(_LOOK_SECONDS)
    story.check(observed.get("state") == "filled", f"filled: {BTC['amount']} BTC at {observed.get('price')} USDT")
    history = await story.client.call_tool("get_ticket", {"ticket_id": ticket})
    story.line("What the assistant is told:", "dim")
    story.line(text_of(history).partition("\n")[0], "yellow")


async def _unsent(story: Story, ticket: str) -> None:
    story.line(text_of(await story.client.call_tool("get_ticket", {"ticket_id": ticket})).partition("\n")[0], "yellow")
    story.check(not await story.open_orders(), "nothing was sent")


def _next(story: Story) -> None:
    story.chapter("Your own assistant")
    story.line("It starts on paper, as here. One line adds it, and `uninstall` takes it out again:")
    story.line(f"{typed('install', 'CLIENT', environment={})}", "bold")
    story.line(f"CLIENT is one of: {', '.join(sorted(CLIENTS))}")


@asynccontextmanager
async def _inbox(home: Path, config: Path) -> AsyncGenerator[str]:
    """Run `gunbot-mcp inbox` on its usual port, or on a free one where that is taken; yield its address."""
    process, address, complaints = None, "", home / "inbox.err"
    try:
        # Somebody may take the usual port between the look and the inbox's start.
        for port in (PORT, 0) if _is_free(PORT) else (0,):
            words = [sys.executable, "-m", "gunbot_mcp", "inbox", "--port", str(port)]
            if process is not None:
                await _end(process)
            with complaints.open("wb") as errors:
                process = await anyio.open_process(
                    words, stdin=subprocess.DEVNULL, stderr=errors, env=surroundings(home, config)
                )
            with anyio.move_on_after(_READY_SECONDS):
                address = await _address(process)
            if address:
                break
        if not address:
            why = await anyio.Path(complaints).read_text(encoding="utf-8", errors="replace")
            raise DemoFailed(
                f"the inbox did not start: {clean(why.strip(), 400)}", "gunbot-mcp doctor says what is wrong"
            )
        yield address
    finally:
        if process is not None:
            with anyio.CancelScope(shield=True):
                await _end(process)


async def _address(process: Process) -> str:
    """Return the address that an inbox says, or nothing if it ends before."""
    if process.stdout is None:
        return ""
    said = ""
    async for text in TextReceiveStream(process.stdout):
        said += text
        for line in said.split("\n")[:-1]:
            if line.startswith(_LISTENING):
                return line.removeprefix(_LISTENING).strip()
    return ""


async def _end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with anyio.move_on_after(_END_SECONDS):
        await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()


def _is_free(port: int) -> bool:
    """Return whether nobody listens at this port on either loopback address."""
    try:
        for host in HOSTS:
            if host != "::1" or has_ipv6():
                bind(host, port).close()
    except ConfigInvalid:
        return False
    return True
