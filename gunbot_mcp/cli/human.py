"""What commands that speak for a human share: a terminal, the PIN, and the desk."""

import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import anyio
import click

from gunbot_mcp.approval.pin import SHORTEST, PinGate, has_pin, may_be_short
from gunbot_mcp.cli.screen import say
from gunbot_mcp.clock import Clock
from gunbot_mcp.config import Settings
from gunbot_mcp.errors import Refused
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.runtime import Runtime, state_folder
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.ways import needs_pin

Result = TypeVar("Result")


class NoTerminal(Refused):
    """A decision that only a human may take was asked for where no human can type."""

    code = "read_only"


def at_terminal() -> bool:
    """Return whether a human may sit here: not a pipe, a script, or an assistant's shell tool."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def require_terminal(what: str) -> None:
    """Refuse where nobody can be asked: a pipe, a script, an assistant's shell tool.

    Raises:
        NoTerminal: stdin or stdout is not a terminal.
    """
    if not at_terminal():
        raise NoTerminal(f"{what} needs a human at a terminal", "run it yourself in a terminal window")


def with_desk(settings: Settings, work: Callable[[Desk], Awaitable[Result]]) -> Result:
    """Run `work` with the instance's desk, and close everything afterwards."""

    async def run() -> Result:
        async with Runtime(settings) as runtime:
            return await work(await runtime.desk())

    return anyio.run(run)


async def ask_pin(
    settings: Settings, desk: Desk, *, actor: Actor, ticket: str | None = None, replacing: bool = False
) -> None:
    """Ask for the PIN and check it. A paper instance without a PIN asks for none.

    A short PIN of an earlier release counts on a live instance for one thing only: `replacing` it by a longer one.

    Raises:
        GunbotMcpError: it is wrong, there were too many wrong ones, or a live instance has none.
    """
    folder = state_folder(settings)
    pin_set = has_pin(folder)
    if not needs_pin(actor.channel, live=settings.served.live, pin_set=pin_set):
        return
    if not pin_set:
        raise NoTerminal("a live instance needs a PIN, and none is set", "run gunbot-mcp pin first")
    gate = PinGate(desk.ledger, folder, Clock(), live=settings.served.live and not replacing)
    await _say_its_rule(gate, folder, live=settings.served.live and not replacing)
    typed = await anyio.to_thread.run_sync(lambda: click.prompt("PIN", hide_input=True, type=str))
    await gate.verify(typed, actor=actor, ticket=ticket)


async def _say_its_rule(gate: PinGate, folder: Path, *, live: bool) -> None:
    """Say what would refuse any PIN, before somebody types one."""
    wait = await gate.wait()
    if wait:
        minutes = -(-wait // timedelta(minutes=1))
        say(
            f"There were too many wrong PINs: for the next {minutes} min none is read, not even the right one.",
            err=True,
        )
    if live and may_be_short(folder):
        say(f"On a live instance a PIN counts only if it has {SHORTEST} characters; gunbot-mcp pin sets one.", err=True)
