"""The test's side of `crash.zygote`: starting children, killing them, reading what they reported."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]


class Child:
    """A forked process and the file that it writes its report to."""

    def __init__(self, nursery: "Nursery", pid: int, said: Path) -> None:
        self.pid = pid
        self._nursery = nursery
        self._said = said

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Return the exit status, negative for a signal."""
        return self._nursery.ask({"wait": self.pid})

    def said(self) -> dict[str, Any]:
        return json.loads(self._said.read_text(encoding="utf-8")) if self._said.exists() else {}


class Nursery:
    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._born = 0

    def start(self, do: str, **job: Any) -> Child:  # noqa: ANN401 - JSON
        self._born += 1
        said = self._folder / f"said-{self._born}.json"
        return Child(self, self.ask({"do": do, "said": str(said), **job}), said)

    def run(self, do: str, **job: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Run a child to its end and return its report."""
        child = self.start(do, **job)
        status = child.wait()
        said = child.said()
        assert status == 0, said
        return said

    def ask(self, line: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def nursery(folder: Path) -> Generator[Nursery]:
    """Start the process that all children are forked from; `folder` is for their reports."""
    path = os.pathsep.join([str(_ROOT), str(_ROOT / "tests")])
    with subprocess.Popen(
        [sys.executable, "-m", "crash.zygote"],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield Nursery(process, folder)
        assert process.stdin is not None
        process.stdin.close()
