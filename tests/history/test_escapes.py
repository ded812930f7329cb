"""A model's query cannot leave its tables, whatever it tries: see `escapes` for the ideas, by kind."""

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from history.escapes import HARMLESS, REFUSED
from history.made_orders import BTC, SHORT, sample, written

from gunbot_mcp.errors import InvalidArguments
from gunbot_mcp.history import child
from gunbot_mcp.history.query import Found, Request, ask
from gunbot_mcp.history.reader import Reader, orders_sql
from gunbot_mcp.history.sql import NotAllowed

PASSWORD = "hunter2-in-a-file"
LIMIT = 2.0
SLACK = 6.0
"""How much later than the limit an answer may come on a machine that does other things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A mirror of one key, a file of another, a secret, and where nothing may come to be."""

    folder: Path
    reader: Reader
    other: Path
    secret: Path

    def idea(self, sql: str) -> str:
        paths = {"FILE": self.reader.files[0], "OTHER": self.other, "SECRET": self.secret, "NEW": self.folder / "new"}
        for word, path in paths.items():
            sql = sql.replace(word, str(path))
        return sql

    def state(self) -> dict[str, bytes]:
        return {str(file): file.read_bytes() for file in self.folder.rglob("*") if file.is_file()}


def place(folder: Path) -> Place:
    records = sample()
    written(folder, {SHORT: records[SHORT]})
    reader = written(folder, {BTC: records[BTC]})
    secret = folder / "secret.csv"
    secret.write_text(f"password\n{PASSWORD}\n", encoding="utf-8")
    other = next(file for file in folder.glob("*.parquet") if file not in reader.files)
    return Place(folder=folder, reader=reader, other=other, secret=secret)


def asked(found: Place, sql: str, seconds: float = LIMIT) -> Found | InvalidArguments:
    try:
        return anyio.run(ask, Request(sql=found.idea(sql), reader=found.reader, seconds=seconds))
    except InvalidArguments as exc:
        return exc


def test_at_least_two_hundred_ideas_are_tried_and_each_only_once() -> None:
    ideas = [sql for kinds in (REFUSED, HARMLESS) for group in kinds.values() for sql in group]

    assert len(set(ideas)) == len(ideas)
    assert len(ideas) >= 200


@pytest.mark.parametrize("kind", REFUSED)
def test_the_gate_refuses_every_idea_by_the_syntax_tree_alone(kind: str) -> None:
    connection = child.engine()
    passed: list[str] = []
    for sql in REFUSED[kind]:
        if "\x00" in sql or "\ud800" in sql:
            continue  # no text that the engine could be given: `ask` refuses it
        try:
            child.gate(connection, re.sub("FILE|OTHER|SECRET|NEW", lambda word: f"/somewhere/{word[0]}.parquet", sql))
        except NotAllowed:
            continue
        passed.append(sql)

    assert passed == []


@pytest.mark.parametrize(
    "sql", [idea for ideas in REFUSED.values() for idea in ideas if set(idea) & {"\x00", "\ud800"}]
)
def test_what_is_no_text_is_refused_before_anything_runs(tmp_path: Path, sql: str) -> None:
    assert isinstance(asked(place(tmp_path), sql), InvalidArguments)


@pytest.mark.parametrize(
    "sql",
    ["WITH x AS (COPY orders TO 'FILE') SELECT 1", "SELECT list_sum(range(2000000000))", "SELECT * FROM 'OTHER'"],
)
def test_a_query_that_is_stopped_leaves_the_mirror_as_it_was(tmp_path: Path, sql: str) -> None:
    found = place(tmp_path)
    before = found.state()

    assert isinstance(asked(found, sql), InvalidArguments)
    assert found.state() == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", REFUSED)
def test_every_idea_is_refused_with_a_word_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    found = place(tmp_path)
    before = found.state()
    for sql in REFUSED[kind]:
        start = time.monotonic()
        said = asked(found, sql, seconds=20)

        assert isinstance(said, InvalidArguments), sql
        assert said.hint, sql
        assert PASSWORD not in str(said)
        assert "took more than" not in said.message, sql
        assert time.monotonic() - start < 20 + SLACK, sql
    assert found.state() == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", HARMLESS)
def test_every_bomb_ends_within_the_limit_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    found = place(tmp_path)
    before = found.state()
    for sql in HARMLESS[kind]:
        start = time.monotonic()
        said = asked(found, sql)

        assert time.monotonic() - start < LIMIT + SLACK, sql
        if isinstance(said, Found):
            json.dumps([list(map(str, row)) for row in said.rows], allow_nan=False)
        else:
            assert said.hint, sql
    assert found.state() == before
    assert isinstance(asked(found, "SELECT count(*) FROM orders", seconds=20), Found)


UNGUARDED = """
import json, sys, threading
from gunbot_mcp.history import child
request = json.loads(sys.stdin.read())
import duckdb
connection = child.load(request)
if request["descriptors"]:
    child.open_nothing_more()
for sql in request["ideas"]:
    timer = threading.Timer(2, connection.interrupt)
    timer.start()
    try:
        said = str(connection.execute(sql).fetchall())[:20000]
    except Exception as exc:
        said = f"refused: {type(exc).__name__}: {str(exc)[:300]}"
    timer.cancel()
    print(json.dumps([sql, said]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("descriptors", [True, False], ids=["no descriptors left", "the engine's locks alone"])
def test_without_the_gate_nothing_outside_is_reached_either(tmp_path: Path, *, descriptors: bool) -> None:
    found = place(tmp_path)
    before = found.state()
    # What waits for minutes is the timer's affair, and what empties our own tables in memory touches nothing outside.
    waits = (
        "sleep",
        "repeat",
        "\x00",
        "\ud800",
        " orders RENAME",
        "DROP ",
        "DELETE FROM",
        "TRUNCATE",
        "OR REPLACE TABLE",
    )
    ideas = [sql for group in REFUSED.values() for sql in group if not any(word in sql for word in waits)]
    request = {
        "orders": orders_sql(found.reader.files),
        "fills": [],
        "zone": "UTC",
        "descriptors": descriptors,
        "ideas": [found.idea(sql) for sql in ideas],
    }
    done = subprocess.run(
        [sys.executable, "-c", UNGUARDED],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]

    assert len(said) == len(ideas), done.stderr[-2000:]
    assert [sql for sql, answer in said if PASSWORD in answer or "e-901" in answer] == []
    assert found.state() == before
