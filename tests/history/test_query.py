"""What a query answers: exact numbers, times in the asked zone, and errors that say what to write instead."""

import os
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from history.made_orders import BTC, SHORT, sample, written

from gunbot_mcp.errors import HistoryUnavailable, InvalidArguments
from gunbot_mcp.history.query import AT_ONCE, Found, Request, ask
from gunbot_mcp.history.reader import FILL_COLUMNS, Fill, Reader
from gunbot_mcp.history.record import COLUMNS
from gunbot_mcp.history.schema_text import ABOUT_FILLS, ABOUT_ORDERS, EXAMPLES, schema_text
from gunbot_mcp.history.sql import MOST_SQL


def asked(reader: Reader, sql: str, *, zone: str = "UTC", rows: int = 100, seconds: float = 30) -> Found:
    return anyio.run(ask, Request(sql=sql, reader=reader, zone=zone, rows=rows, seconds=seconds))


def refused(reader: Reader, sql: str) -> InvalidArguments:
    with pytest.raises(InvalidArguments) as told:
        asked(reader, sql)
    return told.value


def test_sums_are_exact_and_groups_are_those_of_the_asked_zone(tmp_path: Path) -> None:
    sql = """SELECT date_trunc('month', time)::DATE AS month, count(*) AS n, sum(pnl) AS pnl, min(time) AS first
             FROM orders GROUP BY ALL ORDER BY month"""

    # The last record of October in UTC is one of November in Berlin.
    assert asked(written(tmp_path), sql, zone="Europe/Berlin").rows == [
        ["2026-10-01", 22, Decimal("13.4907"), "2026-10-12T08:15:00+02:00"],
        ["2026-11-01", 3, Decimal("4.6461"), "2026-11-01T00:30:00+01:00"],
    ]


def test_what_json_cannot_hold_comes_as_text(tmp_path: Path) -> None:
    sql = (
        "SELECT 'nan'::DOUBLE, 'inf'::DOUBLE, 9007199254740993, 'infinity'::TIMESTAMPTZ, [1.5, 2], "
        "'2026-01-02'::DATE, NULL"
    )

    (row,) = asked(written(tmp_path), sql).rows

    assert row == ["NaN", "Infinity", "9007199254740993", "infinity", "[1.5, 2.0]", "2026-01-02", None]


def test_only_the_asked_rows_come_and_it_says_that_there_are_more(tmp_path: Path) -> None:
    reader = written(tmp_path)

    few, all_of_them = (asked(reader, "SELECT id FROM orders ORDER BY time DESC, id", rows=rows) for rows in (2, 25))

    assert (few.rows, few.more) == ([["500115"], ["500114"]], True)
    assert (len(all_of_them.rows), all_of_them.more) == (25, False)


def test_only_the_files_of_the_reader_are_in_reach(tmp_path: Path) -> None:
    written(tmp_path, {SHORT: sample()[SHORT]})

    found = asked(written(tmp_path, {BTC: sample()[BTC]}), "SELECT DISTINCT key FROM orders")

    assert found.rows == [[BTC]]


def test_orders_of_tickets_are_found_by_key_and_id(tmp_path: Path) -> None:
    when = datetime(2026, 10, 14, 11, 59, tzinfo=UTC)
    fill = Fill(
        key=BTC,
        id="500104",
        ticket="k7x2",
        client="claude",
        approved_by="page",
        approved_at=when,
        summary="Sell 0.008 BTC",
    )
    sql = EXAMPLES["What was ordered through this server, who approved it, and what it made"]

    (row,) = asked(written(tmp_path, fills=[fill]), sql).rows

    assert row[:4] == ["k7x2", "page", "Sell 0.008 BTC", "2026-10-14T12:00:00Z"]
    assert row[6] == Decimal("11.028")


@pytest.mark.parametrize(
    ("sql", "message", "hint"),
    [
        ("SELECT pnll FROM orders", "line 1, character 8 (at 'pnll FROM orders')", "did you mean pnl"),
        (
            "SELECT 'ä',\n  side, pnll FROM orders",
            "line 2, character 9 (at 'pnll FROM orders')",
            "orders has key, exchange",
        ),
        ("SELECT sum(pnl FROM orders", "syntax error", "one SELECT"),
        ("SELECT * FROM trades", "there is no table 'trades'", "orders and fills_by_ticket"),
        ("DELETE FROM orders", "only a SELECT", "one SELECT"),
        ("SELECT key, sum(pnl) FROM orders", "must appear in the GROUP BY", "orders has"),
        ("SELECT getenv('x')", "the function 'getenv' is not allowed", "one SELECT"),
        ("PIVOT orders ON side USING sum(cost)", "only a SELECT", "one SELECT"),
    ],
)
def test_an_error_says_where_and_what_exists(tmp_path: Path, sql: str, message: str, hint: str) -> None:
    error = refused(written(tmp_path), sql)

    assert message in error.message
    assert hint in error.hint
    assert "\n" not in error.message + error.hint


def test_a_megabyte_is_refused_before_it_is_parsed() -> None:
    # No file is there: whoever parses or reads anything fails otherwise.
    error = refused(Reader([Path("/nowhere/at/all.parquet")]), "SELECT 1 -- " + "x" * 1_000_000)

    assert f"at most {MOST_SQL:,}" in error.message


def test_a_query_that_takes_too_long_is_stopped_at_its_limit(tmp_path: Path) -> None:
    sql = "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t"

    with pytest.raises(InvalidArguments, match="took more than 1 s"):
        asked(written(tmp_path), sql, seconds=1)


def test_a_damaged_file_is_a_matter_of_the_mirror_and_not_of_the_query(tmp_path: Path) -> None:
    reader = written(tmp_path)
    reader.files[0].write_bytes(reader.files[0].read_bytes()[:200])

    with pytest.raises(HistoryUnavailable):
        asked(reader, "SELECT 1")


def test_the_process_of_a_query_has_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A folder of somebody's, with a module that is named like one that the process imports.
    monkeypatch.setenv("GUNBOT_TOKEN", "a-token")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("json.py", "duckdb.py", "gunbot_mcp.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")

    assert asked(written(tmp_path), "SELECT count(*) FROM orders").rows == [[25]]
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_of_many_queries_at_once_only_a_few_run_and_the_others_say_that_they_did_not(tmp_path: Path) -> None:
    reader = written(tmp_path)
    endless = "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t"
    said: list[str] = []
    most = 0

    async def one() -> None:
        try:
            await ask(Request(sql=endless, reader=reader, seconds=1.5))
        except InvalidArguments as exc:
            said.append(exc.message)

    async def all_of_them() -> None:
        nonlocal most
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(one)
            while len(said) < 6:
                most = max(most, len(_queries()))
                await anyio.lowlevel.checkpoint()

    anyio.run(all_of_them)

    assert most == AT_ONCE
    assert sum("took more than 1.5 s" in text for text in said) == AT_ONCE
    assert sum("did not run" in text for text in said) == 6 - AT_ONCE
    assert _queries() == []


def _queries() -> list[str]:
    """Return the processes of queries that this process has."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    return [pid for pid in children if _is_query(pid)]


def _is_query(pid: str) -> bool:
    try:
        return b"history.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_process_is_left_behind_when_the_caller_gives_up(tmp_path: Path) -> None:
    reader = written(tmp_path)
    sql = "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t"

    async def give_up() -> None:
        with anyio.move_on_after(0.7):
            await ask(Request(sql=sql, reader=reader, seconds=60))

    anyio.run(give_up)

    assert _queries() == []


def test_the_schema_tells_every_column_and_its_examples_work(tmp_path: Path) -> None:
    told, reader = schema_text(), written(tmp_path)

    assert list(ABOUT_ORDERS) == list(COLUMNS)
    assert list(ABOUT_FILLS) == list(FILL_COLUMNS)
    assert all(f"- `{name}` {kind}" in told for name, kind in {**COLUMNS, **FILL_COLUMNS}.items())
    assert len(told.encode()) < 4_000
    for sql in EXAMPLES.values():
        assert sql in told
        asked(reader, sql)
