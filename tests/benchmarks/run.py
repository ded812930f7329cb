"""This server beside a bare SDK server, in one run, against one canned gateway or one kind of paper gateway.

    python tests/benchmarks/run.py            print the whole table
    python tests/benchmarks/run.py orders     only a group: reads, http, orders, ledger, paper, history
    python tests/benchmarks/run.py --check    and exit with 1 where a row misses its target
    python tests/benchmarks/run.py --bytes    only the sizes, which are the same in every run
    python tests/benchmarks/run.py --quick    the history with ten thousand records instead of a million

Servers that are compared take turns, start by start and call by call, so that whatever else the machine does falls on
both. Times end when the complete response has been read: they are the server's, not a client's validation. A time is
the p50 of its samples. With `--check`, a time may exceed its target by 5 %; sizes and counts may not.
"""

import argparse
import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.table import HEADING, Lines, Row

GROUPS: Mapping[str, str] = {
    "reads": "benchmarks.reads",
    "http": "benchmarks.over_http",
    "orders": "benchmarks.orders",
    "ledger": "benchmarks.growth",
    "paper": "benchmarks.paper",
    "history": "benchmarks.mirror",
}


def lines(groups: list[str], *, only_bytes: bool, quick: bool) -> Iterator[Lines]:
    if only_bytes:
        yield from importlib.import_module(GROUPS["reads"]).measure(only_bytes=True)
        return
    for group in groups or GROUPS:
        module = importlib.import_module(GROUPS[group])
        yield from module.measure(module.QUICK) if quick and hasattr(module, "QUICK") else module.measure()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}; all, where none is named")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a row misses its target")
    parser.add_argument("--bytes", action="store_true", help="measure sizes only")
    parser.add_argument("--quick", action="store_true", help="measure the history with few records")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"there is no group {', '.join(sorted(unknown))}")
    print(HEADING)
    rows: list[Row] = []
    for line in lines(options.groups, only_bytes=options.bytes, quick=options.quick):
        print(line, flush=True)
        rows += [line] if isinstance(line, Row) else []
    return 1 if options.check and not all(row.passes for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
