"""A Gunbot with long lists of orders, in a process of its own: `GET /api/v1/orders/page` over real HTTP.

`python long_lists.py FOLDER RECORDS KEYS DAYS` makes the histories (`tests/history/generator.py`) of the last so many
days, prints its address and serves until it is ended. Records lie in files: a page is a slice of one. The newest
`HELD_BACK` records of the first `CHANGED` keys are listed after `GET /more` only; `GET /asked` answers how many pages
of each key were asked for since it was last asked.
"""

import asyncio
import json
import mmap
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.plain_http import json_answer, serve
from history.generator import history, keys_of

CHANGED = 5
HELD_BACK = 20


class Listed:
    """One key's records, newest first, one behind the other in a file."""

    def __init__(self, path: Path, key: str, style: str, count: int, *, hidden: int, days: float) -> None:
        self.hidden = min(hidden, count)
        self._ends = array("Q", [0])
        with path.open("wb") as file:
            for record in reversed(history(key, style, count=count, days=days)):
                self._ends.append(
                    self._ends[-1] + file.write(json.dumps(record, separators=(",", ":")).encode() + b",")
                )
        with path.open("rb") as file:
            self._records = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def page(self, page: int, size: int) -> bytes:
        total = len(self._ends) - 1 - self.hidden
        first, after = (min(at, total) + self.hidden for at in (page * size, (page + 1) * size))
        found = self._records[self._ends[first] : self._ends[after]].removesuffix(b",")
        return b'{"total":%d,"page":%d,"data":[%s]}' % (total, page, found)


class LongLists:
    def __init__(self, folder: Path, records: int, keys: int, days: float) -> None:
        self.asked = Counter[str]()
        self.lists = {
            key: Listed(
                folder / str(number),
                key,
                style,
                records // keys,
                hidden=HELD_BACK if number < CHANGED else 0,
                days=days,
            )
            for number, (key, style) in enumerate(keys_of(keys))
        }

    def answer(self, target: str) -> bytes | None:
        """Return the body of an answer, None where nothing is there."""
        asked = urlsplit(target)
        if asked.path == "/more":
            for listed in self.lists.values():
                listed.hidden = 0
            return b"{}"
        if asked.path == "/asked":
            found, self.asked = self.asked, Counter[str]()
            return json.dumps(found).encode()
        query = parse_qs(asked.query)
        key = query.get("key", [""])[0]
        if asked.path != "/api/v1/orders/page" or key not in self.lists:
            return None
        self.asked[key] += 1
        return self.lists[key].page(int(query["page"][0]), int(query["pageSize"][0]))


def main(arguments: Sequence[str]) -> None:
    folder, records, keys, days = arguments
    lists = LongLists(Path(folder), int(records), int(keys), float(days))
    asyncio.run(serve(lambda target: json_answer(lists.answer(target))))


if __name__ == "__main__":
    main(sys.argv[1:])
