"""Parquet files of made orders, for what reads the mirror."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from gunbot_mcp.history.parquet import write_rows
from gunbot_mcp.history.reader import Fill, Reader
from gunbot_mcp.history.record import row_of

BTC = "binance/USDT-BTC"
SHORT = "bybit/USDT-ETH-SHORT"
KEYS = {"B": BTC, "S": SHORT}

# The sample of the metrics' definitions: time, key, type, rate, amount, id, cost, fees, pnl.
SAMPLE = """\
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


def sample() -> dict[str, list[dict[str, Any]]]:
    """Return the sample's records by key, as Gunbot sends them."""
    found: dict[str, list[dict[str, Any]]] = {BTC: [], SHORT: []}
    for line in SAMPLE.splitlines():
        time, key, side, *numbers = line.split(",")
        rate, amount, order, cost, fees, pnl = numbers
        moment = int(datetime.fromisoformat(time).timestamp() * 1000)
        found[KEYS[key]].append(
            {
                "time": moment,
                "type": side,
                "rate": float(rate),
                "amount": float(amount),
                "id": order,
                "cost": float(cost),
                "fees": float(fees),
                "pnl": float(pnl),
                "ABP": 61234.5,
            }
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
