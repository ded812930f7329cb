"""Processes that migrate a paper gateway's file: `kill FILE FOLDER`, or `race FOLDER`.

`kill` copies FILE into FOLDER/1, FOLDER/2, … and opens the Nth copy in a child that is killed at its Nth SQL statement,
until a child comes to its end; prints how many were killed. `race` opens one folder in four children at once; prints
their exit codes.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from gunbot_mcp.paper.data import FILE
from gunbot_mcp.paper.simulator import Simulator


def opened(folder: Path) -> None:
    Simulator(folder, seed=7, market="walk", clock=lambda: datetime(2026, 3, 2, tzinfo=UTC)).close()


def forked(work: Callable[[], None]) -> int:
    """Start a child that does the work, and return its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def status_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at(statement: int) -> None:
    left = [statement]

    def count(_: FrameType, event: str, called: Any) -> None:  # noqa: ANN401 - what Python profiles
        if event == "c_call" and called.__name__ in {"execute", "executemany"}:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def kill(file: Path, folder: Path) -> int:
    killed = 0
    while True:
        here = folder / str(killed + 1)
        here.mkdir(parents=True)
        shutil.copy(file, here / FILE)

        def work(n: int = killed + 1, where: Path = here) -> None:
            die_at(n)
            opened(where)

        status = status_of(forked(work))
        if status == 0:
            return killed
        if status != -signal.SIGKILL:
            raise RuntimeError(f"statement {killed + 1}: {status}")
        killed += 1


def race(folder: Path) -> list[int]:
    waiting, release = os.pipe()

    def work() -> None:
        os.close(release)
        os.read(waiting, 1)  # until the parent closes its end
        opened(folder)

    children = [forked(work) for _ in range(4)]
    os.close(release)
    return [status_of(child) for child in children]


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[2:]]
    print(json.dumps(kill(*paths) if sys.argv[1] == "kill" else race(*paths)))
