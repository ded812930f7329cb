import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gunbot_mcp.domain import Leg, Place, Side
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.paper.data import FILE, PaperData
from gunbot_mcp.paper.simulator import Simulator, order_id

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def simulator(folder: Path | None, *, seed: int | None = None, market: str = "manual") -> Simulator:
    return Simulator(folder, seed=seed, market=market, clock=lambda: NOW)


def buy(amount: str = "1", *legs: Leg) -> Place:
    return Place(side=Side.BUY, exchange="binance", pair="USDT-BTC", amount=Decimal(amount), legs=legs or (Leg(),))


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    def look(one: Simulator) -> object:
        return (one.balances(), one.memory(), one.orders("binance/USDT-BTC"))

    with closing(simulator(tmp_path)) as one:
        one.trade(buy())
        one.trade(buy("1", Leg(limit=Decimal(49000)), Leg(stop=Decimal(53000), limit=Decimal(53001))))
        one.trade(buy("1", Leg(trail=Decimal(500))))
        one.move_price("binance", "USDT-BTC", Decimal("50800.01"))
        seen = look(one)
    with closing(simulator(tmp_path)) as again:
        assert look(again) == seen


def test_no_seed_means_the_one_that_the_folder_remembers(tmp_path: Path) -> None:
    with closing(simulator(tmp_path, seed=7)) as one:
        one.trade(buy())
        first = one.orders("binance/USDT-BTC")[0]["id"]
    with closing(simulator(tmp_path)) as one:
        one.trade(buy())
        ids = [record["id"] for record in one.orders("binance/USDT-BTC")]
    assert [ids[1], ids[0]] == [first, order_id(7, 1)] == [order_id(7, 0), order_id(7, 1)]


def test_another_seed_or_market_than_the_folders_is_refused(tmp_path: Path) -> None:
    simulator(tmp_path, seed=7).close()
    with pytest.raises(ConfigInvalid, match="seed 7, not 8"):
        simulator(tmp_path, seed=8)
    with pytest.raises(ConfigInvalid, match="market manual, not walk"):
        simulator(tmp_path, market="walk")


def test_changed_candles_are_another_market(tmp_path: Path) -> None:
    candles = tmp_path / "candles.csv"
    candles.write_text("time,open,high,low,close\n1,1,1,1,1\n", encoding="utf-8")
    simulator(tmp_path, market=f"replay:{candles}").close()
    simulator(tmp_path, market=f"replay:{candles}").close()
    candles.write_text("time,open,high,low,close\n1,2,2,2,2\n", encoding="utf-8")
    with pytest.raises(ConfigInvalid, match="was made with market"):
        simulator(tmp_path, market=f"replay:{candles}")


def test_files_that_are_not_a_paper_gateways_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigInvalid, match="cannot open"):
        simulator(tmp_path / "file")
    (tmp_path / FILE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(ConfigInvalid, match="paper data"):
        simulator(tmp_path)
    assert (tmp_path / FILE).read_bytes() == b"not a database at all" * 100


def test_data_of_another_version_is_refused(tmp_path: Path) -> None:
    simulator(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
        connection.commit()
    with pytest.raises(ConfigInvalid, match="version 99"):
        simulator(tmp_path)


def test_a_commit_is_on_the_disk_before_the_answer(tmp_path: Path) -> None:
    with closing(PaperData(tmp_path, seed=1, market="manual", now=0)) as store, store.transaction() as tx:
        pragma = tx._connection.execute  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the settings are the promise
        assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
        assert pragma("PRAGMA synchronous").fetchone() == (2,)


def test_a_failed_transaction_leaves_no_trace(tmp_path: Path) -> None:
    def fail(store: PaperData) -> None:
        with store.transaction() as tx:
            tx.set_meta("half", "done")
            raise RuntimeError

    with closing(PaperData(tmp_path, seed=1, market="manual", now=0)) as store:
        with pytest.raises(RuntimeError):
            fail(store)
        with store.transaction() as tx:
            assert tx.meta("half") is None


def test_order_ids_are_six_digits_and_never_repeat() -> None:
    for seed in (0, 1, 2, 99_991, 2**40):
        ids = [order_id(seed, n) for n in range(5_000)]
        assert len(set(ids)) == len(ids)
        assert all(100_000 <= one < 1_000_000 for one in ids)
    assert order_id(1, 900_001) == order_id(1, 1) + 900_000


def test_two_gateways_on_one_file_see_each_others_orders(tmp_path: Path) -> None:
    with closing(simulator(tmp_path)) as one, closing(simulator(tmp_path)) as two:
        one.trade(buy("1", Leg(limit=Decimal(50000))))
        two.trade(buy())
        two.move_price("binance", "USDT-BTC", Decimal(49000))
        assert len(one.orders("binance/USDT-BTC")) == 2
        assert one.balances() == two.balances()


@pytest.fixture
def race(tmp_path: Path) -> Callable[[Callable[[Path], None]], Path]:
    def run(work: Callable[[Path], None]) -> Path:
        barrier, errors = threading.Barrier(4), list[BaseException]()

        def one() -> None:
            barrier.wait()
            try:
                work(tmp_path)
            except BaseException as exc:  # noqa: BLE001 - shown by the assertion below
                errors.append(exc)

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        return tmp_path

    return run


def test_gateways_that_open_a_new_folder_at_once_agree_and_lose_no_order(
    race: Callable[[Callable[[Path], None]], Path],
) -> None:
    def work(folder: Path) -> None:
        with closing(simulator(folder)) as one:
            for _ in range(10):
                one.trade(buy("0.1"))

    with closing(simulator(race(work))) as one:
        records = one.orders("binance/USDT-BTC")
        assert len({record["id"] for record in records}) == 40
        assert records[0]["balance"] == 14
