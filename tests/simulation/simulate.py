"""Batches of schedules, each batch on a database of its own: in virtual time on SQLite, in real time on PostgreSQL."""

import asyncio
import gc
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from simulation import virtual
from simulation.hooks import SteppedDatabase
from simulation.world import World, play
from sqlalchemy import event

from gunbot_mcp.clock import Clock
from gunbot_mcp.ledger.ledger import Ledger

REPLICAS = 3


def in_virtual_time(seeds: list[int]) -> list[str]:
    """Play the schedules in this process and return what went wrong, each with its seed."""
    # These tests prove nothing about disks, so a folder in memory is enough if the system has one.
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="gunbot-mcp-", dir=shared if shared.is_dir() else None))
    gc.disable()
    logging.disable()
    try:
        with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=virtual.VirtualLoop) as runner:
            virtual.use(patch)
            return runner.run(batch(seeds, f"sqlite:///{folder}/ledger.db", folder))
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()
        shutil.rmtree(folder)


def in_real_time(seeds: list[int], url: str, folder: Path, *, pace: float, at_once: int) -> list[str]:
    """Play the schedules on the store at `url`, some at once, a simulated second in `pace` real ones."""
    with asyncio.Runner() as runner:
        return runner.run(batch(seeds, url, folder, pace=pace, at_once=at_once, one_thread=False))


async def batch(
    seeds: list[int], url: str, folder: Path, *, pace: float = 1.0, at_once: int = 1, one_thread: bool = True
) -> list[str]:
    found: list[str] = []
    # Patient, since all schedules that are played at once wait for the one chain.
    stores = [SteppedDatabase(url, 20) for _ in range(REPLICAS)]
    for store in stores:
        if store.is_sqlite:
            event.listen(store.engine, "connect", _without_fsync)
    waiting = iter(seeds)

    async def play_some() -> None:
        for seed in waiting:
            home = folder / f"{seed}"
            home.mkdir()
            found.extend(
                f"seed {seed}: {problem}" for problem in await play(World(seed, home, stores, pace, one_thread))
            )
            shutil.rmtree(home)

    try:
        async with await Ledger.open(url, clock=Clock()) as ledger:
            await asyncio.gather(*(asyncio.create_task(play_some()) for _ in range(at_once)))
            found += [f"seeds {seeds[0]} to {seeds[-1]}: {problem}" for problem in await ledger.verify()]
    finally:
        for store in stores:
            await store.aclose()
    return found


def _without_fsync(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's connection
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = OFF")
    cursor.close()
