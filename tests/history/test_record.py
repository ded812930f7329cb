"""A record of Gunbot's as a row: exact money, one time, one identity, nothing lost."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gunbot_mcp.history.parquet import write_rows
from gunbot_mcp.history.reader import Reader
from gunbot_mcp.history.record import COLUMNS, Row, row_of

KEY = "binance/USDT-BTC"
SAMPLE: dict[str, Any] = {
    "time": 1731617894238,
    "pair": "USDT-BTC",
    "type": "buy",
    "rate": 87740.105,
    "amount": 0.5,
    "id": 166132,
    "cost": 43870.0525,
    "fees": 43.8700525,
    "pnl": 0,
    "toCancel": True,
    "ABP": 89885.66715497107,
}


def row(key: str = KEY, **changes: object) -> Row:
    return row_of({**SAMPLE, **changes}, key, 1)


def kept(rows: list[Row], folder: Path, columns: str = "*") -> list[tuple[Any, ...]]:
    file = folder / "rows.parquet"
    with duckdb.connect(":memory:") as connection:
        write_rows(connection, rows, file)
    with Reader([file]).connect() as connection:
        return connection.sql(f"SELECT {columns} FROM orders").fetchall()


def test_every_field_is_there_as_gunbot_wrote_it(tmp_path: Path) -> None:
    found = kept([row()], tmp_path)

    assert len(found[0]) == len(COLUMNS)
    (values,) = kept([row()], tmp_path, "key, pair, paying, traded, id, epoch_ms(time), side, price, cost, extra")
    assert values[:9] == (
        *(KEY, "USDT-BTC", "USDT", "BTC", "166132", 1731617894238, "buy"),
        *(Decimal("87740.105"), Decimal("43870.0525")),
    )
    assert json.loads(values[9]) == {"toCancel": True, "ABP": 89885.66715497107}


def test_the_documented_sample_keeps_every_digit(fixtures: Path, tmp_path: Path) -> None:
    records = json.loads((fixtures / "gunbot_sample_records.json").read_text(encoding="utf-8"))
    rows = [row_of(record, KEY, 1) for record in records]

    assert [one.odd for one in rows] == [False] * 4
    assert rows[1].cost == Decimal("49.53058413122556")
    # Nineteen decimals: rounded in the column, and whole beside it.
    assert rows[0].amount == Decimal("0.000788404207192777")
    assert json.loads(rows[0].extra)["amount"] == 0.0007884042071927771
    assert kept(rows, tmp_path, "sum(fees)") == [(sum(one.fees for one in rows if one.fees is not None),)]


@pytest.mark.parametrize(
    ("time", "millis"),
    [
        (1731617894, 1731617894000),
        (1731617894.238, 1731617894238),
        ("1731617894238", 1731617894238),
        (1731617894238000, 1731617894238),
    ],
)
def test_a_time_in_seconds_or_microseconds_is_the_same_instant(time: object, millis: int) -> None:
    assert row(time=time).time_ms == millis
    assert row(time=time).month == "2024-11"


def test_an_id_is_the_same_as_number_and_as_text() -> None:
    assert {row(id=value).identity for value in (166132, "166132", 166132.0, " 166132 ")} == {row().identity}


def test_the_same_id_on_another_pair_is_another_record() -> None:
    assert row(pair="USDT-ETH").identity != row().identity


@pytest.mark.parametrize(
    "changes", [{"rate": 1e20}, {"id": None}, {"time": "soon"}, {"fees": "much"}, {"rate": None}, {"id": True}]
)
def test_what_cannot_be_read_makes_the_record_odd_and_keeps_it_whole(changes: dict[str, Any]) -> None:
    found = row(**changes)

    assert found.odd
    assert json.loads(found.extra) == {**SAMPLE, **changes}


def test_a_record_without_time_id_or_price_is_kept_and_not_shown(tmp_path: Path) -> None:
    rows = [row(), row(time=None), row(id=None), row(rate=None, id=2), row(fees="much", id=3)]

    assert sorted(kept(rows, tmp_path, "id, fees IS NULL")) == [("166132", False), ("3", True)]


def test_a_missing_cost_is_price_times_amount_only_where_that_is_exact() -> None:
    assert (row(cost=None).cost, row(cost=None).cost_given) == (Decimal("43870.0525"), False)
    assert row(cost=None, rate=0.1234567891, amount=0.123456789123).cost is None
    assert not row(cost=None, rate=0.1234567891, amount=0.123456789123).odd


@pytest.mark.parametrize(
    ("key", "pair", "side", "pnl", "closes"),
    [
        (KEY, "USDT-BTC", "buy", 0, False),
        (KEY, "USDT-BTC", "sell", 0, True),
        (KEY, "USDT-BTC", "buy", 0.1, True),
        ("bybit/USDT-BTC-LONG", "USDT-BTC-LONG", "sell", 0, True),
        ("bybit/USDT-BTC-SHORT", "USDT-BTC-SHORT", "sell", 0, False),
        ("bybit/USDT-BTC-SHORT", "USDT-BTC-SHORT", "buy", None, True),
        ("bitmex/XBT-USD", "XBT-USD", "sell", 0, False),
        ("bitmex/XBT-USD", "XBT-USD", "sell", -1, True),
        ("binanceFutures/USDT-BTC", "USDT-BTC", "sell", 0, False),
        (KEY, "USDT-BTC", "transfer", 0, False),
    ],
)
def test_what_closes_is_a_sell_a_short_s_buy_or_whatever_made_a_pnl(
    key: str, pair: str, side: str, pnl: object, *, closes: bool
) -> None:
    assert row(key, pair=pair, type=side, pnl=pnl).closes is closes


def test_a_side_that_is_none_stays_readable() -> None:
    found = row(type="Transfer")

    assert found.side is None
    assert json.loads(found.extra)["type"] == "Transfer"


def test_no_files_are_an_empty_view_with_all_columns() -> None:
    with Reader([]).connect() as connection:
        assert connection.sql("SELECT * FROM orders").columns == list(COLUMNS)
        assert connection.sql("SELECT count(*) FROM fills_by_ticket").fetchall() == [(0,)]


def test_a_record_that_two_keys_hold_counts_once_and_the_later_version_counts(tmp_path: Path) -> None:
    files = [tmp_path / "own.parquet", tmp_path / "other.parquet"]
    with duckdb.connect(":memory:") as connection:
        write_rows(connection, [row_of({**SAMPLE, "pair": "USDT-ETH", "fees": 1}, "binance/USDT-ETH", 1)], files[0])
        write_rows(connection, [row(), row_of({**SAMPLE, "pair": "USDT-ETH", "fees": 2}, KEY, 2)], files[1])

    with Reader(files, shared=True).connect() as connection:
        assert connection.sql("SELECT pair, fees FROM orders ORDER BY pair").fetchall() == [
            ("USDT-BTC", Decimal("43.8700525")),
            ("USDT-ETH", Decimal(2)),
        ]


def test_a_newer_version_of_a_record_takes_the_place_of_the_older(tmp_path: Path) -> None:
    older, newer = tmp_path / "1.parquet", tmp_path / "2.parquet"
    with duckdb.connect(":memory:") as connection:
        write_rows(connection, [row(), row(id="x", time=1731617890000)], older)
        counted = write_rows(connection, [row(fees=1)], newer, older=[older])

    assert counted == (2, 1731617890000, 1731617894238, 0, 0)
    with Reader([newer]).connect() as connection:
        assert connection.sql("SELECT id, fees FROM orders ORDER BY time").fetchall() == [
            ("x", Decimal("43.8700525")),
            ("166132", Decimal(1)),
        ]
