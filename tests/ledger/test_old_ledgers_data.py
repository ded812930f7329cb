"""The ledgers kept as test data are what their sidecar says. Judged without the product's code, which they outlive."""

import asyncio
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from ledger.old_ledgers import Facts, Kind, engine_of, facts, restore_home, restore_postgres, restore_sqlite, sql
from sqlalchemy import text
from sqlalchemy.engine import make_url

Rows = dict[str, list[dict[str, Any]]]

TABLES = {"chain": "id", "events": "seq", "mandates": "id", "tickets": "id"}
STATES = "pending approved sending accepted rejected unknown declined expired withdrawn void"
ORDERS = (
    "buy_limit buy_market sell_limit sell_market cancel_order buy_stop_limit sell_stop_limit buy_trailing_stop "
    "sell_trailing_stop buy_oco sell_oco close_limit close_market"
)
OTHER_EVENTS = "created observed order_gone late_outcome pin_wrong pin_ok mandate_created mandate_spent mandate_revoked"


@pytest.fixture
def story() -> Facts:
    return facts()


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    path = tmp_path / "old" / "ledger.sqlite3"
    restore_sqlite(path)
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def rows(request: pytest.FixtureRequest, kind: Kind) -> Rows:
    if kind == "postgres":
        return asyncio.run(_postgres_rows(request.getfixturevalue("postgres_ledger")))
    connection = sqlite3.connect(request.getfixturevalue("sqlite_file"))
    connection.row_factory = sqlite3.Row
    try:
        return {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY {key}")]
            for table, key in TABLES.items()
        }
    finally:
        connection.close()


@pytest.fixture
def postgres_ledger(postgres_url: str, execute_sql: Callable[..., None]) -> Iterator[str]:
    """The URL of a database that holds the old ledger."""
    name = f"gunbot_mcp_{uuid4().hex}"
    execute_sql(postgres_url, f"CREATE DATABASE {name}")
    url = make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    asyncio.run(restore_postgres(url))
    yield url
    execute_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


async def _postgres_rows(url: str) -> Rows:
    engine = engine_of(url)
    try:
        async with engine.connect() as connection:
            return {
                table: [
                    dict(row)
                    for row in (await connection.execute(text(f"SELECT * FROM {table} ORDER BY {key}"))).mappings()
                ]
                for table, key in TABLES.items()
            }
    finally:
        await engine.dispose()


def test_a_restored_ledger_is_one_of_version_1(rows: Rows) -> None:
    [end] = rows["chain"]
    assert (end["product"], end["version"]) == ("gunbot-mcp", 1)


def test_the_chain_holds_from_its_first_event_to_the_hash_that_was_noted(rows: Rows, kind: Kind, story: Facts) -> None:
    previous = "0" * 64
    for number, event in enumerate(rows["events"], start=1):
        assert (event["seq"], event["prev"]) == (number, previous)
        previous = event.pop("hash")
        content = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(content.encode()).hexdigest() == previous
    [end] = rows["chain"]
    assert (len(rows["events"]), previous) == (story.events, story.last_hash[kind])
    assert (end["seq"], end["hash"]) == (story.events, story.last_hash[kind])


def test_every_ticket_is_in_the_state_that_was_noted(rows: Rows, story: Facts) -> None:
    found = {row["id"]: (row["instance"], row["tool"], row["state"]) for row in rows["tickets"]}
    assert found == {ticket.id: (ticket.instance, ticket.tool, ticket.state) for ticket in story.tickets}
    assert {row["id"]: row["instance"] for row in rows["mandates"]} == story.mandates


def test_every_state_every_kind_of_order_and_every_kind_of_event_is_there(rows: Rows) -> None:
    assert {row["state"] for row in rows["tickets"]} == set(STATES.split())
    assert {row["tool"] for row in rows["tickets"]} == set(ORDERS.split())
    # Every state but the first is also a kind of event.
    assert {row["kind"] for row in rows["events"]} == set(STATES.split()) - {"pending"} | set(OTHER_EVENTS.split())


def test_what_is_rare_is_there(rows: Rows, story: Facts) -> None:
    by_label = {ticket.label: ticket.id for ticket in story.tickets}
    found = {row["id"]: row for row in rows["tickets"]}

    def ticket(label: str) -> dict[str, Any]:
        return found[by_label[label]]

    assert len(json.loads(ticket("buy_oco")["observed"])["legs"]) == 2
    assert [ticket(label)["observed"] for label in ("not_observed", "word_placed_no_id")] == [None, None]
    assert len(json.loads(ticket("word_placed")["observed"])["order_id"]) == 128
    assert json.loads(ticket("pending_oco")["warnings"])
    assert ticket("paper_repeat")["repeat_of"] == by_label["paper_auto"]
    assert ticket("by_mandate")["mandate"] == ticket("by_mandate_unknown")["mandate"] == "3f9a0c11"
    assert {row["live"] for row in rows["tickets"]} == {0, 1}
    assert ticket("pending_limit")["client"].startswith('Zoë\'s “Клиент” 日本語 🚀 \\ "quoted"')
    assert Counter(row["state"] for row in rows["tickets"])["unknown"] >= 5


def test_pending_tickets_wait_for_almost_a_day_after_the_noted_instant(rows: Rows, story: Facts) -> None:
    waiting = [row for row in rows["tickets"] if row["state"] == "pending"]
    assert {row["instance"] for row in waiting} == {"gunbot", "paper"}
    for row in waiting:
        assert datetime.fromisoformat(row["created_at"]) <= story.instant
        assert datetime.fromisoformat(row["expires_at"]) > story.instant + timedelta(hours=23, minutes=50)


def test_the_state_folder_holds_an_accepted_outcome_for_a_ticket_that_is_being_sent(
    rows: Rows, kind: Kind, story: Facts, tmp_path: Path
) -> None:
    restore_home(tmp_path / "home", kind)
    [file] = (tmp_path / "home" / "outcomes").iterdir()
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert (kept["ticket"], kept["state"]) == (story.ticket("spooled").id, "accepted")
    [row] = [row for row in rows["tickets"] if row["id"] == file.stem]
    assert row["state"] == "sending"
    assert json.loads(row["outcome"])["baseline"] == kept["outcome"]["baseline"]
    locks = {path.stem.replace("+", ":") for path in (tmp_path / "home" / "run").iterdir()}
    assert {row["owner"] for row in rows["tickets"] if row["state"] in {"approved", "sending"}} == locks
    assert (tmp_path / "home" / "pin.json").exists()


def test_a_restored_sqlite_ledger_is_written_out_as_the_same_text(sqlite_file: Path) -> None:
    connection = sqlite3.connect(sqlite_file)
    try:
        assert "\n".join(connection.iterdump()) + "\n" == sql("sqlite")
    finally:
        connection.close()
