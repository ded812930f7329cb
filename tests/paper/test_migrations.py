"""A file that an earlier version wrote goes on where it was; one that is not ours to change stays as it is."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gunbot_mcp.domain import Cancel, Leg, Place, Side
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.paper.accounts import Inventory, Lot
from gunbot_mcp.paper.data import FILE, PaperData
from gunbot_mcp.paper.migrations import STEPS, VERSION
from gunbot_mcp.paper.simulator import Simulator

FIXTURES = Path(__file__).parents[1] / "fixtures" / "paper"
BTC = "binance/USDT-BTC"
D = Decimal


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The folder of a file that version 1 wrote."""
    folder = tmp_path / "old"
    folder.mkdir()
    with closing(sqlite3.connect(folder / FILE)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((FIXTURES / "version_1.sql").read_text(encoding="utf-8"))
    return folder


@pytest.fixture
def seen() -> dict[str, Any]:
    """What the gateway of version 1 said about that file."""
    return json.loads((FIXTURES / "version_1.json").read_text(encoding="utf-8"))


def simulator(folder: Path, seen: dict[str, Any]) -> Simulator:
    now = datetime.fromisoformat(seen["now"])
    return Simulator(folder, seed=7, market="walk", clock=lambda: now)


def look(one: Simulator) -> dict[str, Any]:
    memory = one.memory()
    return {"balances": one.balances(), "memory": memory, "orders": {key: one.orders(key) for key in memory}}


def says_the_same(one: Simulator, seen: dict[str, Any]) -> bool:
    """Compare everything exactly but the break-even prices, which version 1 rounded at every addition."""
    now = look(one)
    for key, memory in now["memory"].items():
        assert memory["ABP"] == pytest.approx(seen["memory"][key]["ABP"], rel=1e-14)
        memory["ABP"] = seen["memory"][key]["ABP"]
    return now == {name: seen[name] for name in now}


def dump(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def schema(file: Path) -> set[tuple[str, str | None]]:
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
    return {(name, sql and " ".join(sql.split())) for name, sql in rows}


def run(*arguments: object) -> Any:  # noqa: ANN401 - the JSON that the processes print
    command = [sys.executable, str(Path(__file__).with_name("migrating.py")), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)


def test_a_file_of_version_1_says_the_same_after_its_migration(old: Path, seen: dict[str, Any]) -> None:
    for _ in range(2):
        with closing(simulator(old, seen)) as one:
            assert says_the_same(one, seen)


def test_a_migrated_file_has_the_tables_of_a_new_one(old: Path, seen: dict[str, Any], tmp_path: Path) -> None:
    simulator(old, seen).close()
    simulator(tmp_path / "new", seen).close()
    assert schema(old / FILE) == schema(tmp_path / "new" / FILE)


def test_the_sums_of_a_migrated_file_are_those_of_its_lots(old: Path, seen: dict[str, Any]) -> None:
    simulator(old, seen).close()
    with closing(sqlite3.connect(old / FILE)) as connection:
        expected: dict[str, Inventory] = {}
        for key, n, rate, fifo, cheap in connection.execute("SELECT key, n, rate, fifo, cheap FROM lots"):
            expected[key] = expected.get(key, Inventory()).plus(Lot(n, rate, D(fifo), D(cheap)))
    with closing(PaperData(old, seed=None, market="walk", now=0)) as data, data.transaction() as tx:
        assert {key: tx.inventory(key) for key in expected} == expected
        assert [one.n for one in tx.oldest_lots(BTC)] == [2, 3]
        assert [one.n for one in tx.cheapest_lots(BTC)] == [0, 1]


def test_orders_of_a_migrated_file_can_be_cancelled_filled_and_sold_from(old: Path, seen: dict[str, Any]) -> None:
    with closing(simulator(old, seen)) as one:
        stop = seen["memory"]["kraken/EUR-BTC"]["openOrders"][0]
        one.trade(
            Cancel(
                exchange="kraken",
                pair="EUR-BTC",
                order_id=stop["id"],
                price=D(repr(stop["rate"])),
                order_type=stop["orderType"],
            )
        )
        assert one.memory(["kraken/EUR-BTC"])["kraken/EUR-BTC"]["openOrders"] == []
        one.move_price("binance", "USDT-BTC", D(45000))
        one.trade(Place(side=Side.SELL, exchange="binance", pair="USDT-BTC", amount=D(1), legs=(Leg(),)))
        assert len(one.orders(BTC)) == len(seen["orders"][BTC]) + 2
        held = {(row["Exchange"], row["Asset"]): row["On Order"] for row in one.balances()}
        # The limit buy has filled. The trailing buy went down with the price; the stop woke, and waits at its limit.
        assert D(held["binance", "USDT"]) > 0
        assert (held["binance", "BTC"], held["kraken", "BTC"]) == ("0.3", "0")


def test_a_file_of_a_newer_version_is_refused_by_name_and_untouched(old: Path, seen: dict[str, Any]) -> None:
    simulator(old, seen).close()
    with closing(sqlite3.connect(old / FILE)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (str(VERSION + 1),))
        connection.execute("DROP TABLE scales")
        connection.commit()
    before = (old / FILE).read_bytes()
    with pytest.raises(ConfigInvalid, match=f"version {VERSION + 1}, and this gunbot-mcp knows {VERSION}"):
        simulator(old, seen)
    assert (old / FILE).read_bytes() == before


def test_a_database_of_another_product_is_refused_and_untouched(tmp_path: Path, seen: dict[str, Any]) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("CREATE TABLE meta (name TEXT, value TEXT)")
        connection.commit()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(ConfigInvalid, match="is not paper data"):
        simulator(tmp_path, seen)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_migration_that_is_killed_anywhere_leaves_the_old_file_or_the_new_one(
    old: Path, seen: dict[str, Any], tmp_path: Path
) -> None:
    before = dump(old / FILE)
    killed = run("kill", old / FILE, tmp_path / "copies")
    assert killed > 20
    versions: set[str] = set()
    for n in range(1, killed + 1):
        here = tmp_path / "copies" / str(n)
        with closing(sqlite3.connect(here / FILE)) as connection:
            (version,) = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        assert version == str(VERSION) or dump(here / FILE) == before
        versions.add(version)
        with closing(simulator(here, seen)) as one:
            assert says_the_same(one, seen)
    assert versions == {"1"} or versions == {"1", str(VERSION)}


def test_processes_that_migrate_at_once_agree(old: Path, seen: dict[str, Any]) -> None:
    assert run("race", old) == [0, 0, 0, 0]
    with closing(simulator(old, seen)) as one:
        assert says_the_same(one, seen)


def test_a_server_of_version_1_that_still_runs_fails_before_it_writes(old: Path, seen: dict[str, Any]) -> None:
    with closing(sqlite3.connect(old / FILE, isolation_level=None)) as running:
        assert running.execute("SELECT count(*) FROM open_orders").fetchone() == (5,)
        simulator(old, seen).close()
        with pytest.raises(sqlite3.OperationalError, match="no such table: open_orders"):
            running.execute("SELECT body FROM open_orders ORDER BY n")


def test_a_gateway_whose_file_a_newer_version_migrates_does_nothing_more(tmp_path: Path, seen: dict[str, Any]) -> None:
    with closing(simulator(tmp_path, seen)) as one:
        with closing(sqlite3.connect(tmp_path / FILE)) as connection:
            connection.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (str(VERSION + 1),))
            connection.commit()
        before = dump(tmp_path / FILE)
        with pytest.raises(ConfigInvalid, match="restart"):
            one.trade(Place(side=Side.BUY, exchange="binance", pair="USDT-BTC", amount=D(1), legs=(Leg(),)))
        assert dump(tmp_path / FILE) == before


def test_every_step_says_why_it_is_there() -> None:
    assert all(step.__doc__ for step in STEPS[1:])


def test_the_folder_and_its_files_are_their_users_alone(tmp_path: Path, old: Path, seen: dict[str, Any]) -> None:
    (old / FILE).chmod(0o644)
    before = os.umask(0)
    try:
        for folder in (tmp_path / "new" / "deeper", old):
            with closing(simulator(folder, seen)) as one:
                one.trade(Place(side=Side.BUY, exchange="binance", pair="USDT-BTC", amount=D(1), legs=(Leg(),)))
                assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    finally:
        os.umask(before)
    assert [(tmp_path / one).stat().st_mode & 0o777 for one in ("new", "new/deeper")] == [0o700, 0o700]
