"""Records from a file into the paper gateway's history: somebody's real orders, or generated ones, to practise on.

One JSON object a line, `{"key": "binance/USDT-BTC", "record": {…}}`; a record is kept as it is, whatever it holds, and
only its `time` (milliseconds) is needed. Keys that the paper market does not trade can be read all the same.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.paper.data import PaperData

_BATCH = 10_000
_FORM = 'each line must be like {"key": "binance/USDT-BTC", "record": {"time": 1731617894238, …}}'


def load_orders(data: PaperData, file: Path) -> int:
    """Add the file's records to the history, all of them or none, and return how many; 0 where it was loaded before.

    Raises:
        ConfigInvalid: the file cannot be read, or a line of it is not a record.
    """
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        with data.transaction() as tx:
            if tx.meta(f"orders {digest}") is not None:
                return 0
            count = 0
            batch: list[tuple[str, int, str]] = []
            for one in _records(file):
                batch.append(one)
                count += 1
                if len(batch) == _BATCH:
                    tx.add_records(batch)
                    batch.clear()
            tx.add_records(batch)
            tx.set_meta(f"orders {digest}", count)
            return count
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigInvalid(f"the orders in {clean(file)} cannot be read: {clean(exc)}", _FORM) from exc


def _records(file: Path) -> Iterator[tuple[str, int, str]]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _record(line, f"line {number} of {clean(file)}")


def _record(line: str, where: str) -> tuple[str, int, str]:
    try:
        found: Any = json.loads(line)
        key, record = found["key"], found["record"]
        time = record["time"]
    except (ValueError, KeyError, TypeError):
        key, record, time = None, None, None
    if not isinstance(key, str) or isinstance(time, bool) or not isinstance(time, int):
        raise ConfigInvalid(f"{where} is not an order", _FORM)
    return key, time, json.dumps(record)
