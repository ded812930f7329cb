"""Parquet files of made orders, for what reads the mirror."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from history.sample import B, S, sample_records

from gunbot_mcp.history.parquet import write_rows
from gunbot_mcp.history.reader import Fill, Reader
from gunbot_mcp.history.record import row_of

BTC, SHORT = B, S


def sample() -> dict[str, list[dict[str, Any]]]:
    """Return the records of `history.sample` by key, with numbers as Gunbot sends them."""
    found: dict[str, list[dict[str, Any]]] = {BTC: [], SHORT: []}
    for key, record in sample_records():
        numbers = {name: float(record[name]) for name in ("rate", "amount", "cost", "fees", "pnl")}
        found[key].append(
            {"time": record["time"], "type": record["type"], "id": record["id"], **numbers, "ABP": 61234.5}
        )
    return found


def written(
    folder: Path, records: Mapping[str, Sequence[Mapping[str, Any]]] | None = None, fills: Sequence[Fill] = ()
) -> Reader:
    """Write records to one file for each key, and return their reader; without records, the sample."""
    files: list[Path] = []
    with duckdb.connect(":memory:") as connection:
        for key, found in (sample() if records is None else records).items():
            files.append(folder / f"{key.replace('/', '_')}.parquet")
            write_rows(connection, [row_of(record, key, 1_795_000_000_000) for record in found], files[-1])
    return Reader(files, fills)
