"""A million records of fifty keys: the first sync over HTTP, a second round, and what questions cost beside DuckDB.

    python tests/benchmarks/mirror.py                    all of it
    python tests/benchmarks/mirror.py --quick            with ten thousand records of ten keys
    python tests/benchmarks/mirror.py --records 200000   with so many, and a tenth of them over ten years

Gunbot, the syncs and the questions are processes of their own, so that each one's time and memory are its own. Where
other programs use the machine, too, CPU seconds and ratios tell more than seconds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.long_lists import CHANGED, HELD_BACK
from benchmarks.session import HERE, clean_environment
from benchmarks.table import HEADING, Lines, Row
from history.generator import keys_of

from gunbot_mcp.history.sync import PAGE

YEAR = 365
MONTHS = 120
"""Ten years."""
MEMORY_MB = 300
COLD_SECONDS = 5.0
ANSWER_BYTES = 2048
BESIDE_DUCKDB = 2.0
GROWTH = 1.5
TURNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many records of how many keys, and the fewer ones that those stand beside."""

    records: int
    keys: int
    few: int


FULL = Size(records=1_000_000, keys=50, few=100_000)
QUICK = Size(records=10_000, keys=10, few=2_400)


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended well: what it printed, its seconds, its CPU seconds, its highest resident memory in MB.

    The memory is never less than what this process had at its most: Linux passes that on.
    """

    output: str
    seconds: float
    cpu: float
    memory: float


def measure(size: Size = FULL) -> Iterator[Lines]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        large = Lists(stack, folder / "large", size.records, size.keys)
        yield from syncs(large)
        yield from questions(large)
        small = Lists(stack, folder / "small", size.few, size.keys)
        synced(small)
        yield growth(f"one month of {large.records:,} / {small.records:,}", large, small)
        yield from ten_years(stack, folder, size)


class Lists:
    """A Gunbot with long lists, in a process of its own, and the home of a mirror of them."""

    def __init__(self, stack: ExitStack, folder: Path, records: int, keys: int, days: float = YEAR) -> None:
        self.keys = [key for key, _ in keys_of(keys)]
        self.records = records // keys * keys
        self.home = folder.with_name(f"{folder.name}-home")
        self.url = stack.enter_context(_served(folder, records, keys, days))
        self.size = sum(file.stat().st_size for file in folder.iterdir())

    def get(self, path: str) -> Mapping[str, int]:
        with urllib.request.urlopen(f"{self.url}{path}") as answer:
            return json.load(answer)


@contextmanager
def _served(folder: Path, records: int, keys: int, days: float) -> Generator[str]:
    folder.mkdir()
    command = [sys.executable, str(HERE / "long_lists.py"), str(folder), str(records), str(keys), str(days)]
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


def synced(lists: Lists) -> Ended:
    environment = {"GUNBOT_URL": lists.url, "GUNBOT_TOKEN": "x", "GUNBOT_MCP_HOME": str(lists.home)}
    ended = ran([sys.executable, "-m", "gunbot_mcp", "history", "sync", "--json", *lists.keys], environment)
    if not json.loads(ended.output)["coverage"]["complete"]:
        raise SystemExit("the mirror is not complete")
    return ended


def syncs(lists: Lists) -> Iterator[Lines]:
    first = synced(lists)
    held = json.loads(first.output)["coverage"]["records"]
    requests = sum(lists.get("/asked").values())
    yield f"(first sync of {held:,} records over HTTP: {first.seconds:.1f} s, {first.cpu:.1f} s of CPU)"
    missing = lists.records - CHANGED * HELD_BACK - held
    yield Row(name="records that the mirror lacks", unit="count", ours=missing, beside=None, target=0)
    pages = len(lists.keys) * ceil(lists.records / len(lists.keys) / PAGE)
    # An empty page or a short one may say that a list has ended.
    most = (pages + len(lists.keys)) / pages
    yield Row(name="first sync, requests beside pages", unit="count", ours=requests, beside=pages, target=most)
    yield Row(name="first sync, peak memory", unit="MB", ours=first.memory, beside=None, target=MEMORY_MB)
    lists.get("/more")
    again = synced(lists)
    asked = lists.get("/asked")
    changed, quiet = lists.keys[:CHANGED], lists.keys[CHANGED:]
    new = f"{CHANGED * HELD_BACK} new in {CHANGED} keys"
    yield f"(second round, {new}: {again.seconds:.1f} s, {again.cpu:.1f} s of CPU, {sum(asked.values())} requests)"
    missing = lists.records - json.loads(again.output)["coverage"]["records"]
    yield Row(name="records that the mirror lacks then", unit="count", ours=missing, beside=None, target=0)
    most = max(asked[key] for key in changed)
    yield Row(name="second round, pages of a changed key", unit="count", ours=most, beside=None, target=2)
    most = max((asked[key] for key in quiet), default=0)
    yield Row(name="second round, pages of a quiet key", unit="count", ours=most, beside=None, target=1)
    yield Row(name="second round, peak memory", unit="MB", ours=again.memory, beside=None, target=MEMORY_MB)


def asked(lists: Lists, what: str) -> tuple[dict[str, Any], Ended]:
    path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    ended = ran([sys.executable, str(HERE / "questions.py"), str(lists.home), lists.url, what], {"PYTHONPATH": path})
    return json.loads(ended.output), ended


def questions(lists: Lists) -> Iterator[Lines]:
    cold, _ = asked(lists, "cold")
    yield cold_words("lots of all pairs, none kept", cold)
    yield Row(name="lots, none kept", unit="s", ours=cold["seconds"], beside=None, target=COLD_SECONDS)
    yield Row(name="lots, none kept, peak memory", unit="MB", ours=cold["memory"], beside=None, target=MEMORY_MB)
    warm, ended = asked(lists, "warm")
    yield from beside_duckdb("warm", warm["seconds"])
    yield Row(
        name="streaks and lots, warm, p50", unit="s", ours=warm["seconds"]["streaks"], beside=None, target=COLD_SECONDS
    )
    yield Row(name="questions, peak memory", unit="MB", ours=ended.memory, beside=None, target=MEMORY_MB)
    yield f"(the records that the answers are made of, as Gunbot lists them: {lists.size:,} bytes)"
    yield from answer_sizes(warm["bytes"], warm["assets"])


def cold_words(name: str, cold: Mapping[str, float]) -> str:
    """Say what a question takes that matches all lots first, beside DuckDB's GROUP BY without any lots."""
    times = cold["seconds"] / cold["raw"]
    return (
        f"({name}: {cold['cpu']:.1f} s of CPU, {times:.0f} times DuckDB's GROUP BY of the mirror's files without lots)"
    )


def beside_duckdb(name: str, seconds: Mapping[str, float]) -> Iterator[Row]:
    for by in ("month", "pair"):
        ours, beside = seconds[by] * 1000, seconds[f"raw {by}"] * 1000
        yield Row(name=f"by {by}, {name} / DuckDB, p50", unit="ms", ours=ours, beside=beside, target=BESIDE_DUCKDB)


def answer_sizes(sizes: Mapping[str, Sequence[int]], assets: int) -> Iterator[Lines]:
    """Give a row for what is to be small, for each paying asset where a form has a block for each of them."""
    for name, (words, facts) in sizes.items():
        yield Row(name=f"answer {name}, text", unit="bytes", ours=words, beside=None, target=ANSWER_BYTES)
        if name == "summary":
            each = facts / assets
            yield Row(name=f"answer {name}, JSON / asset", unit="bytes", ours=each, beside=None, target=ANSWER_BYTES)
        # A table says in its text as much as fits; programs get all of its rows.
        yield f"(answer {name}, JSON: {facts:,} bytes)"


def ten_years(stack: ExitStack, folder: Path, size: Size) -> Iterator[Lines]:
    """Ask with ten years stored, and with nothing stored but the last month of them."""
    stored = {
        "ten years": Lists(stack, folder / "years", size.few, size.keys, days=10 * YEAR),
        "a month": Lists(
            stack, folder / "month", max(size.keys, size.few // MONTHS), size.keys, days=10 * YEAR / MONTHS
        ),
    }
    for name, lists in stored.items():
        lists.get("/more")
        ended = synced(lists)
        yield f"({name} stored, {lists.records:,} records: synced in {ended.seconds:.1f} s, {ended.cpu:.1f} s of CPU)"
        yield cold_words(f"{name} stored, no lots kept", asked(lists, "cold")[0])
        yield from beside_duckdb(f"{name} stored", asked(lists, "warm")[0]["seconds"])
    yield growth("one month, ten years / that month stored", stored["ten years"], stored["a month"])


def growth(name: str, large: Lists, small: Lists) -> Row:
    """Return the row of a warm question about one month, to the large mirror beside the small one, in turns."""
    taken: dict[str, list[float]] = {"large": [], "small": []}
    for _ in range(TURNS):
        for which, lists in {"small": small, "large": large}.items():
            taken[which].append(asked(lists, "month")[0]["seconds"] * 1000)
    return Row(name=name, unit="ms", ours=min(taken["large"]), beside=min(taken["small"]), target=GROWTH)


def size_of(options: argparse.Namespace) -> Size:
    if options.quick:
        return QUICK
    return replace(FULL, records=options.records, keys=options.keys, few=max(1, options.records // 10))


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few records of few keys")
    parser.add_argument("--records", type=int, default=FULL.records, help="how many records, of all keys together")
    parser.add_argument("--keys", type=int, default=FULL.keys, help="how many keys, at least five")
    print(HEADING)
    for line in measure(size_of(parser.parse_args(arguments))):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
