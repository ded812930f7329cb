"""A million records of fifty keys: the first sync over HTTP, a refresh, and what questions cost beside DuckDB alone.

Gunbot, the syncs and the questions are processes of their own, so that each one's time and memory are its own. Where
other programs use the machine, too, CPU seconds tell more than seconds.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.long_lists import CHANGED, HELD_BACK
from benchmarks.session import HERE, clean_environment
from benchmarks.table import Lines, Row
from history.generator import keys_of

RECORDS = 1_000_000
KEYS = 50
FEW = 100_000
MEMORY_MB = 300
COLD_SECONDS = 5.0
ANSWER_BYTES = 2048
GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended well: what it printed, its seconds, its CPU seconds, its highest resident memory in MB."""

    output: str
    seconds: float
    cpu: float
    memory: float


def measure(*, records: int = RECORDS, keys: int = KEYS, few: int = FEW) -> Iterator[Lines]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lists = Lists(stack, folder / "lists", records, keys)
        yield from syncs(lists, folder / "home")
        yield from questions(lists, folder / "home")
        small = Lists(stack, folder / "small", few, keys)
        synced(small, folder / "home-small")
        yield growth(lists, folder / "home", small, folder / "home-small")


class Lists:
    """A Gunbot with long lists, in a process of its own."""

    def __init__(self, stack: ExitStack, folder: Path, records: int, keys: int) -> None:
        self.keys = [key for key, _ in keys_of(keys)]
        self.records = records // keys * keys
        self.url = stack.enter_context(_served(folder, records, keys))
        self.size = sum(file.stat().st_size for file in folder.iterdir())

    def get(self, path: str) -> Mapping[str, int]:
        with urllib.request.urlopen(f"{self.url}{path}") as answer:
            return json.load(answer)


@contextmanager
def _served(folder: Path, records: int, keys: int) -> Generator[str]:
    folder.mkdir()
    command = [sys.executable, str(HERE / "long_lists.py"), str(folder), str(records), str(keys)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def ran(command: Sequence[str], environment: Mapping[str, str]) -> Ended:
    """Run a process to its end.

    Raises:
        SystemExit: it failed: nothing may be fast because it fails.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=clean_environment(environment))
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed: {output[-500:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Ended(output, time.perf_counter() - begun, cpu, usage.ru_maxrss / 1024)


def synced(lists: Lists, home: Path) -> Ended:
    environment = {"GUNBOT_URL": lists.url, "GUNBOT_TOKEN": "x", "GUNBOT_MCP_HOME": str(home)}
    ended = ran([sys.executable, "-m", "gunbot_mcp", "history", "sync", "--json", *lists.keys], environment)
    if not json.loads(ended.output)["coverage"]["complete"]:
        raise SystemExit("the mirror is not complete")
    return ended


def syncs(lists: Lists, home: Path) -> Iterator[Lines]:
    first = synced(lists, home)
    held = json.loads(first.output)["coverage"]["records"]
    yield f"(first sync of {held:,} records over HTTP: {first.seconds:.1f} s, {first.cpu:.1f} s of CPU)"
    missing = lists.records - CHANGED * HELD_BACK - held
    yield Row(name="records that the mirror lacks", unit="count", ours=missing, beside=None, target=0)
    yield Row(name="first sync, peak memory", unit="MB", ours=first.memory, beside=None, target=MEMORY_MB)
    lists.get("/asked")
    lists.get("/more")
    again = synced(lists, home)
    asked = lists.get("/asked")
    changed, quiet = lists.keys[:CHANGED], lists.keys[CHANGED:]
    yield f"(refresh, {CHANGED * HELD_BACK} new in {CHANGED} keys: {again.seconds:.1f} s, {again.cpu:.1f} s of CPU)"
    missing = lists.records - json.loads(again.output)["coverage"]["records"]
    yield Row(name="records that the mirror lacks then", unit="count", ours=missing, beside=None, target=0)
    most = max(asked[key] for key in changed)
    yield Row(name="refresh, pages of a changed key", unit="count", ours=most, beside=None, target=2)
    most = max((asked[key] for key in quiet), default=0)
    yield Row(name="refresh, pages of a quiet key", unit="count", ours=most, beside=None, target=1)


def asked(lists: Lists, home: Path, what: str) -> tuple[dict[str, Any], Ended]:
    path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    ended = ran([sys.executable, str(HERE / "questions.py"), str(home), lists.url, what], {"PYTHONPATH": path})
    return json.loads(ended.output), ended


def questions(lists: Lists, home: Path) -> Iterator[Lines]:
    cold, ended = asked(lists, home, "cold")
    yield f"(lots of all pairs, none kept: {cold['cpu']:.1f} s of CPU)"
    yield Row(name="lots, none kept", unit="s", ours=cold["seconds"], beside=None, target=COLD_SECONDS)
    yield Row(name="lots, none kept, peak memory", unit="MB", ours=ended.memory, beside=None, target=MEMORY_MB)
    warm, ended = asked(lists, home, "warm")
    seconds = warm["seconds"]
    for by in ("month", "pair"):
        ours, beside = seconds[by] * 1000, seconds[f"raw {by}"] * 1000
        yield Row(name=f"by {by}, warm, beside DuckDB, p50", unit="ms", ours=ours, beside=beside, target=2.0)
    yield Row(name="streaks and lots, warm, p50", unit="s", ours=seconds["streaks"], beside=None, target=COLD_SECONDS)
    yield Row(name="questions, peak memory", unit="MB", ours=ended.memory, beside=None, target=MEMORY_MB)
    yield f"(the records that the answers are made of, as Gunbot lists them: {lists.size:,} bytes)"
    for name, sizes in warm["bytes"].items():
        for form, size in zip(("text", "JSON"), sizes, strict=True):
            # A table says in its text as much as fits; programs get all of its rows.
            if form == "text" or name == "summary":
                yield Row(name=f"answer {name}, {form}", unit="bytes", ours=size, beside=None, target=ANSWER_BYTES)
            else:
                yield f"(answer {name}, {form}: {size:,} bytes)"


def growth(lists: Lists, home: Path, small: Lists, small_home: Path) -> Row:
    """Return the row of a warm question about one month, to the large mirror beside the small one, in turns."""
    taken: dict[str, list[float]] = {"large": [], "small": []}
    for _ in range(3):
        for name, (one, folder) in {"small": (small, small_home), "large": (lists, home)}.items():
            taken[name].append(asked(one, folder, "month")[0]["seconds"] * 1000)
    ours, beside = min(taken["large"]), min(taken["small"])
    name = f"one month of {lists.records:,} / {small.records:,}"
    return Row(name=name, unit="ms", ours=ours, beside=beside, target=GROWTH)
