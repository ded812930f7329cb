"""Questions to a mirror that is there, in a process of its own: prints what they take, as JSON.

`python questions.py FOLDER URL cold` asks by pair with no lots kept, and lets DuckDB alone group the mirror's files;
`warm` asks again and again, in turns with DuckDB's own GROUP BY of the same figures over the same files; `month` asks
about one month.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from gunbot_mcp.history.answer import Told, history_answer
from gunbot_mcp.history.asking import look
from gunbot_mcp.history.coverage import Coverage, KeyCoverage
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.matched import MATCHED
from gunbot_mcp.history.mirror import Home
from gunbot_mcp.history.place import Folder
from gunbot_mcp.history.question import Question, asked_range
from gunbot_mcp.history.reader import Reader
from gunbot_mcp.history.store import held_keys, load, paths_of
from gunbot_mcp.render import Answer

NOW = datetime(2026, 11, 2, tzinfo=UTC)
TURNS = 7
INSTANCE = "gunbot"

_RAW = """
SELECT {by}, coalesce(paying, exchange || '/' || pair) AS asset, count(*), min(time_ms), max(time_ms), count(p),
    count(*) FILTER (p > 0), count(*) FILTER (p < 0), sum(p), sum(p) FILTER (p > 0), sum(p) FILTER (p < 0),
    {lots} sum(cost), sum(fees), sum(cost) FILTER (fees IS NOT NULL)
FROM (SELECT *, CASE WHEN closes THEN pnl END AS p FROM read_parquet([{files}])) GROUP BY ALL
"""
_LOTS = "sum(net), count(net),"
_BY = {"month": "date_trunc('month', make_timestamp(time_ms * 1000))", "pair": "exchange || '/' || pair"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A mirror to be asked."""

    place: Folder
    keys: Sequence[str]
    reader: Reader

    @classmethod
    def at(cls, folder: Path, url: str) -> "Asked":
        place = Folder(Home(folder=folder, instance=INSTANCE, url=url, live=True).path)
        keys = held_keys(place)
        return cls(place=place, keys=keys, reader=Reader(paths_of(place, [load(place, key) for key in keys])))

    @property
    def kept(self) -> Path:
        return self.place.path(MATCHED)

    def answer(
        self, *groups: str, since: str | None = None, until: str | None = None, metrics: tuple[str, ...] = ()
    ) -> Answer:
        """Return what `analyze_orders` answers, without asking Gunbot."""
        question = Question(
            keys=None, zone="UTC", now=NOW, asked=asked_range(since, until, "UTC", NOW), groups=groups, metrics=metrics
        )
        found, extras = look(self.reader, question, self.kept)
        manifests = [load(self.place, key) for key in self.keys]
        covered = [
            KeyCoverage(
                key=one.key,
                records=one.records,
                first_ms=one.first_ms,
                last_ms=one.last_ms,
                fetched_ms=one.fetched_ms,
                complete=one.complete,
            )
            for one in manifests
        ]
        records = sum(one.records for one in covered)
        coverage = Coverage(keys=tuple(covered), read_at=NOW, complete=True, pending=(), pages=0, records=records)
        return history_answer(Told(coverage=coverage, analysis=found, extras=extras))

    def raw(self, by: str, *, kept: bool = True) -> None:
        """Let DuckDB alone add up the same figures, from opening to the last row.

        From what is kept of the lots; or without them, from the mirror's files.
        """
        files = sorted(self.kept.glob(f"*.{Method.FIFO.value}.*.parquet")) if kept else self.reader.files
        listed = ", ".join(f"'{file}'" for file in files)
        with duckdb.connect(":memory:", config={"threads": 2}) as connection:
            connection.execute(_RAW.format(by=_BY[by], lots=_LOTS if kept else "", files=listed)).fetchall()


def turns(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median seconds of each, one after the other in each turn; the first turn warms."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(TURNS + 1):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            if turn:
                taken[name].append(time.perf_counter() - begun)
    return {name: median(seconds) for name, seconds in taken.items()}


def cold(asked: Asked) -> dict[str, Any]:
    begun, used = time.perf_counter(), time.process_time()
    asked.answer("pair")
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    raw = turns({"": lambda: asked.raw("pair", kept=False)})[""]
    return {"seconds": seconds, "cpu": cpu, "memory": memory, "raw": raw}


def warm(asked: Asked) -> dict[str, Any]:
    works: dict[str, Callable[[], object]] = {
        "month": lambda: asked.answer("month"),
        "raw month": lambda: asked.raw("month"),
        "pair": lambda: asked.answer("pair"),
        "raw pair": lambda: asked.raw("pair"),
        "summary": asked.answer,
        "streaks": lambda: asked.answer(
            metrics=("win_streak", "loss_streak", "max_drawdown", "fifo_net", "holding_hours")
        ),
    }
    answers = {"by month": asked.answer("month"), "by pair": asked.answer("pair"), "summary": asked.answer()}
    assets = len(answers["summary"].structured["totals"])
    sizes = {
        name: (len(told.text.encode()), len(json.dumps(told.structured, separators=(",", ":"), default=str)))
        for name, told in answers.items()
    }
    return {"seconds": turns(works), "bytes": sizes, "assets": assets}


def month(asked: Asked) -> dict[str, Any]:
    """Return the seconds of a question about one month of all keys."""
    return {"seconds": turns({"": lambda: asked.answer("pair", since="2026-10-01", until="2026-10-31")})[""]}


def main(arguments: Sequence[str]) -> None:
    folder, url, what = arguments
    asked = Asked.at(Path(folder), url)
    print(json.dumps({"cold": cold, "warm": warm, "month": month}[what](asked)))


if __name__ == "__main__":
    main(sys.argv[1:])
