"""The worked sample of 25 records, and ways to ask about any records without a Gunbot."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from gunbot_mcp.history.analysis import Analysis
from gunbot_mcp.history.answer import Told, history_answer
from gunbot_mcp.history.asking import look
from gunbot_mcp.history.coverage import Coverage, KeyCoverage, Note
from gunbot_mcp.history.metrics.figure import Figure
from gunbot_mcp.history.parquet import write_rows
from gunbot_mcp.history.question import Question, asked_range
from gunbot_mcp.history.reader import Fill, Reader
from gunbot_mcp.history.record import Row, row_of
from gunbot_mcp.render import Answer

B = "binance/USDT-BTC"
S = "bybit/USDT-ETH-SHORT"
_SAMPLE = """
2026-10-12T06:15Z,B,sell,62000,0.004,500101,248,0.248,1.506
2026-10-12T09:00Z,B,buy,61000,0.01,500102,610,0.61,0
2026-10-12T20:00Z,S,sell,2500,0.5,e-901,1250,1.25,0
2026-10-13T22:30Z,B,buy,60000,0.01,500103,600,0.6,0
2026-10-14T12:00Z,B,sell,61500,0.008,500104,492,0.492,11.028
2026-10-14T12:00Z,S,sell,2540,0.3,e-902,762,0.762,0
2026-10-15T08:00Z,S,buy,2480,0.4,e-903,992,0.992,8
2026-10-16T03:00Z,B,buy,62500,0.006,500105,375,0.375,0
2026-10-17T21:59Z,S,buy,2520,0.2,e-904,504,0.504,0
2026-10-18T22:15Z,B,sell,62800,0.01,500106,628,0.628,18.764
2026-10-20T07:00Z,S,sell,2450,0.6,e-905,1470,1.47,0
2026-10-20T15:00Z,B,buy,63000,0.012,500107,756,0.756,0
2026-10-21T19:30Z,S,buy,2510,0.5,e-906,1255,1.255,-12
2026-10-22T10:00Z,B,sell,61200,0.006,500108,367.2,0.3672,-5.5392
2026-10-24T22:30Z,B,sell,60900,0.004,500109,243.6,0.2436,-7.8946
2026-10-25T00:30Z,B,buy,60000,0.008,500110,480,0.48,0
2026-10-25T01:30Z,B,sell,60700,0.005,500111,303.5,0.3035,2.8965
2026-10-25T23:30Z,B,sell,64000,0.004,500112,256,0.256,12.501
2026-10-27T09:00Z,B,buy,64500,0.006,500116,387,0.387,0
2026-10-27T13:00Z,S,sell,2600,0.4,e-907,1040,1.04,0
2026-10-29T16:45Z,S,buy,2550,0.3,e-908,765,0.765,-30
2026-10-30T11:00Z,B,sell,65500,0.006,500113,393,0.393,14.229
2026-10-31T23:30Z,S,buy,2570,0.1,e-909,257,0.257,3
2026-11-01T04:30Z,B,sell,65000,0.001,500114,65,0.065,1.872
2026-11-01T05:30Z,B,sell,62900,0.001,500115,62.9,0.0629,-0.2259
"""
LATER = datetime(2026, 11, 2, 13, 2, tzinfo=UTC)
"""Two minutes past two in Berlin."""
_NAMES = ("time", "key", "type", "rate", "amount", "id", "cost", "fees", "pnl")

Record = dict[str, Any]


def ms(text: str) -> int:
    """Return the milliseconds of an ISO time with its zone."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def sample_records() -> list[tuple[str, Record]]:
    """Return each record of the sample with its key."""
    found: list[tuple[str, Record]] = []
    for line in _SAMPLE.split():
        record: Record = dict(zip(_NAMES, line.split(","), strict=True))
        key = {"B": B, "S": S}[record.pop("key")]
        found.append((key, record | {"time": ms(record["time"]), "pair": key.partition("/")[2]}))
    return found


_FOLDERS = itertools.count()


def record(time: str, side: str, rate: object, amount: object, **more: object) -> Record:
    """Return a record as Gunbot writes it; its cost and its fee of 0.1 % unless they are given."""
    cost = Decimal(str(rate)) * Decimal(str(amount))
    made = {"time": ms(time), "type": side, "rate": rate, "amount": str(amount), "id": f"{ms(time)}-{side}"}
    return made | {"cost": str(cost), "fees": str(cost / 1000), "pnl": 0} | more


@dataclass(frozen=True)
class Past:
    """Some keys' records in files of their own, as the mirror lays them out."""

    folder: Path
    files: Mapping[str, Path]
    rows: Mapping[str, Sequence[Row]]
    fills: Sequence[Fill] = ()

    @classmethod
    def of(cls, folder: Path, records: Iterable[tuple[str, Record]], fills: Sequence[Fill] = ()) -> "Past":
        rows: dict[str, list[Row]] = {}
        for key, one in records:
            rows.setdefault(key, []).append(row_of(one, key, 0))
        here = folder / f"past{next(_FOLDERS)}"
        files: dict[str, Path] = {}
        with duckdb.connect() as connection:
            for number, (key, some) in enumerate(rows.items()):
                files[key] = here / "keys" / str(number) / "all.1.parquet"
                files[key].parent.mkdir(parents=True)
                write_rows(connection, some, files[key])
        return cls(here, files, rows, fills)

    def reader(self, keys: Sequence[str] | None = None) -> Reader:
        return Reader([file for key, file in self.files.items() if keys is None or key in keys], self.fills)

    def question(
        self,
        since: str | None = None,
        until: str | None = None,
        *,
        zone: str = "Europe/Berlin",
        now: datetime = LATER,
        **asked: object,
    ) -> Question:
        fields: dict[str, Any] = {"keys": None, **asked}
        return Question(zone=zone, now=now, asked=asked_range(since, until, zone, now), **fields)

    def analyse(
        self,
        *period: str | None,
        keep: bool = True,
        sizes: Mapping[str, Decimal] | None = None,
        **asked: object,
    ) -> Analysis:
        question = self.question(*period, **asked)
        return look(self.reader(question.keys), question, self.folder / "matched" if keep else None, sizes)[0]

    def answer(self, *period: str | None, **asked: object) -> Answer:
        question = self.question(*period, **asked)
        found, extras = look(self.reader(question.keys), question, self.folder / "matched")
        return history_answer(Told(coverage=self.coverage(question.keys), analysis=found, extras=extras))

    def coverage(self, keys: Sequence[str] | None = None, notes: Sequence[Note] = ()) -> Coverage:
        told: list[KeyCoverage] = []
        for key, rows in self.rows.items():
            if keys is None or key in keys:
                times = [row.time_ms for row in rows if row.time_ms is not None]
                told.append(
                    KeyCoverage(
                        key=key,
                        records=len(rows),
                        first_ms=min(times),
                        last_ms=max(times),
                        fetched_ms=ms("2026-11-02T13:02Z"),
                        complete=True,
                    )
                )
        return Coverage(
            keys=tuple(told),
            read_at=LATER,
            complete=True,
            pending=(),
            pages=0,
            records=sum(key.records for key in told),
            notes=tuple(notes),
        )


def sample(folder: Path) -> Past:
    return Past.of(folder, sample_records())


def figures(found: Analysis, *labels: str | int) -> Mapping[str, Figure]:
    """Return the figures of the one asset: of all, or of the group of these labels."""
    [block] = found.blocks
    if not labels:
        return block.total.figures
    [cell] = [cell for cell in block.groups if cell.labels == labels]
    return cell.figures


def values(found: Analysis, *labels: str | int) -> dict[str, Decimal | int | str | None]:
    """Return each figure's number, or the reason why it has none."""
    return {name: one.na.value if one.na is not None else one.value for name, one in figures(found, *labels).items()}
