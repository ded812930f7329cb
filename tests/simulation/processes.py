"""The simulation's processes, which can die at any step, and the one clock that they share."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunbot_mcp.clock import Clock
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.recovery import Owner
from gunbot_mcp.gunbot.client import Gunbot

if TYPE_CHECKING:
    from simulation.world import World

START = datetime(2030, 1, 2, 12, tzinfo=UTC)


class Dead(BaseException):
    """The process of this task no longer exists."""


@dataclass
class Process:
    """`dies_at` and `stops_at` count steps: there the process is gone, or its task cancelled.

    At its `freezes_at`th commit it falls asleep for minutes, as on a laptop that is closed. `folder` is its machine's
    state folder.
    """

    desk: Desk
    owner: Owner
    gunbot: Gunbot
    folder: Path
    dies_at: int = -1
    stops_at: int = -1
    freezes_at: int = -1
    dead: bool = False
    steps: int = 0
    commits: int = 0

    def die(self) -> None:
        if not self.dead:
            self.dead = True
            self.owner.stop()


current: "ContextVar[World]" = ContextVar("world")
acting: ContextVar[Process | None] = ContextVar("process", default=None)
current_ticket: ContextVar[str] = ContextVar("ticket", default="")
began: ContextVar[datetime | None] = ContextVar("began", default=None)
"""When this task's last write to the ledger began."""


class SimulatedClock(Clock):
    """One clock for all: `jump` moves the wall alone, `pass_` both."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        super().__init__()
        self._elapsed = elapsed
        self._start = elapsed()
        self._jumped = timedelta()
        self._passed = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic()) + self._jumped

    def monotonic(self) -> float:
        return self._elapsed() - self._start + self._passed

    def jump(self, seconds: float) -> None:
        self._jumped += timedelta(seconds=seconds)

    def pass_(self, seconds: float) -> None:
        self._passed += seconds


async def together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run each in a task of its own; being cancelled is part of the game, other exceptions are not."""
    for result in await asyncio.gather(*(asyncio.create_task(work) for work in works), return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result
