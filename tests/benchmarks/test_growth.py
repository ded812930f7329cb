"""The benchmark of a full ledger works: orders go through on a ledger that was filled for it."""

from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from benchmarks.filler import fill
from benchmarks.growth import order_times
from benchmarks.orders import NAMES


@pytest.mark.slow
def test_orders_go_through_on_an_empty_and_on_a_filled_ledger(tmp_path: Path) -> None:
    rows = list(order_times(tmp_path, "SQLite", lambda name: f"sqlite:///{tmp_path}/{name}.db", tickets=60, orders=2))

    assert len(rows) == len(NAMES)


@pytest.mark.slow
def test_the_steps_of_a_filled_ledger_are_numbered_from_one_without_a_gap(tmp_path: Path) -> None:
    fill(f"sqlite:///{tmp_path}/full.db", 200)

    with closing(connect(tmp_path / "full.db")) as full:
        (newest,) = full.execute("SELECT seq FROM head").fetchone()
        first, last, many = full.execute("SELECT min(seq), max(seq), count(*) FROM events").fetchone()
        (tickets,) = full.execute("SELECT count(*) FROM tickets").fetchone()
    assert (first, last, many) == (1, newest, newest)
    assert tickets > 200
