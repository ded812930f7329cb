"""Schedules in virtual time, many to a ledger; `python -m fates.play SEED` (in tests/) tells the story of one."""

import asyncio
import gc
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fates.judge import Tally
from fates.schedule import Lie, Schedule
from simulation import virtual

from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.ledger import Ledger

_TOLD = 40


@dataclass
class Played:
    """All that was counted, and the story of each schedule in which something false was said."""

    schedules: int = 0
    tally: Tally = field(default_factory=Tally)
    stories: list[str] = field(default_factory=list[str])
    missed: list[str] = field(default_factory=list[str])

    def join(self, other: "Played") -> None:
        self.schedules += other.schedules
        self.tally.add(other.tally)
        self.stories += other.stories
        self.missed += other.missed

    def add(self, schedule: Schedule, tally: Tally) -> None:
        self.schedules += 1
        self.tally.add(tally)
        self.missed += [f"seed {schedule.seed}: {missed}" for missed in tally.missed]
        if tally.false:
            lines = [line if len(line) < 400 else line[:400] + "…" for line in schedule.gunbot.story]
            self.stories.append("\n".join([f"seed {schedule.seed}:", *lines[:1], *lines[1:][-_TOLD:]]))


def play(seeds: Iterable[int], *, lie: Lie = lambda ticket, _: ticket) -> Played:
    """Play the schedules in this process. `lie` changes what the judge hears."""
    # These tests prove nothing about disks, so a folder in memory is enough if the system has one.
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="gunbot-mcp-fates-", dir=shared if shared.is_dir() else None))
    gc.disable()
    logging.disable()
    try:
        with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=virtual.VirtualLoop) as runner:
            virtual.use(patch)
            return runner.run(_play(seeds, folder, lie))
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()
        shutil.rmtree(folder)


async def _play(seeds: Iterable[int], folder: Path, lie: Lie) -> Played:
    played = Played()
    async with await Ledger.open(f"sqlite:///{folder}/ledger.db", clock=Clock()) as ledger:
        for seed in seeds:
            schedule = Schedule(seed, folder, ledger, lie)
            played.add(schedule, await schedule.play())
    return played


if __name__ == "__main__":
    for number in sys.argv[1:]:
        told = play([int(number)])
        print("\n".join([*(told.stories or ["nothing false was said"]), *told.missed, *told.tally.lines()]))
