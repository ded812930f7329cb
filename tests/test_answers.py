"""Answers: one structured form and one text, each complete by itself."""

import csv
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.errors import GatewayRejected, LimitExceeded
from gunbot_mcp.render import ERROR_META, error_answer, from_millis, instant, number, table_answer, text_table

CELLS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6))
def test_a_table_is_one_header_and_one_readable_line_per_row(rows: list[list[Any]]) -> None:
    lines = text_table(["a", "b,c", 'd"e'], rows).split("\n")

    read = list(csv.reader(lines))
    assert len(lines) == len(rows) + 1
    assert read[0] == ["a", "b,c", 'd"e']
    assert all(len(cells) == 3 for cells in read)


def test_cells_say_what_they_are_and_nested_ones_are_json() -> None:
    rows = [[None, True, Decimal("1E-7"), 0.1, "a b", {"x": 1}], ["x", False, Decimal("5.00"), 2, 'say "hi", ok', [1]]]

    assert text_table(list("abcdef"), rows).split("\n")[1:] == [
        ',true,0.0000001,0.1,a b,"{""x"":1}"',
        'x,false,5.00,2,"say ""hi"", ok",[1]',
    ]


def test_numbers_keep_every_digit_in_text() -> None:
    numbers = [0.1 + 0.2, 1e22, 5e-324, 2**70]

    assert [
        type(n)(cell)
        for n, cell in zip(numbers, text_table(list("abcd"), [numbers]).split("\n")[1].split(","), strict=True)
    ] == numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, None), (Decimal("5.00"), 5), (Decimal("0.1"), 0.1), (Decimal("1E+3"), 1000), (Decimal("-0.5"), -0.5)],
)
def test_a_decimal_becomes_a_json_number(value: Decimal | None, shown: float | None) -> None:
    assert number(value) == shown
    assert type(number(value)) is type(shown)


def test_instants_are_utc() -> None:
    moment = datetime(2026, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))

    assert instant(moment) == "2026-03-01T12:00:00Z"
    assert instant(datetime(2026, 3, 1, tzinfo=UTC)) == "2026-03-01T00:00:00Z"


@pytest.mark.parametrize("millis", [None, "1", True, 1e300, 10**40, float("nan"), float("inf"), []])
def test_milliseconds_that_are_no_time_are_none(millis: object) -> None:
    assert from_millis(millis) is None


def test_milliseconds_are_since_1970() -> None:
    assert from_millis(1731617894238) == "2024-11-14T20:58:14Z"
    assert from_millis(-1000) == "1969-12-31T23:59:59Z"


def test_an_error_says_code_and_next_step_in_text_and_for_programs() -> None:
    answer = error_answer(LimitExceeded("too much", "ask for less"))

    assert answer.is_error
    assert answer.meta == {
        ERROR_META: {"code": "limit_exceeded", "message": "too much", "hint": "ask for less", "retryable": False}
    }
    assert answer.structured == {}
    assert answer.text == "limit_exceeded: too much\nNext: ask for less"


def test_an_error_shows_no_secret_and_no_flood() -> None:
    answer = error_answer(GatewayRejected("hunter2 \x1b[31m" + "x" * 5000, "hunter2"), ("hunter2",))

    assert "hunter2" not in f"{answer.structured}{answer.meta}{answer.text}"
    assert len(answer.text) < 1300
    assert all(line.isprintable() for line in answer.text.splitlines())


def test_an_empty_table_is_its_headline() -> None:
    answer = table_answer("0 balances", ["asset"], [])

    assert answer.structured == {"about": "0 balances", "columns": ["asset"], "rows": []}
    assert answer.text == "0 balances"
