from decimal import Decimal
from typing import Any

from pydantic_core import from_json

from gunbot_mcp.render import text_table


def test_numbers_in_a_table_have_the_digits_of_the_structured_form_and_read_back_exactly() -> None:
    numbers: list[Any] = [0.1, 1e-7, -87740.105, 1e22, 0.0007884042071927771, 7, 10**18, 2**70]
    lines = text_table(["rate"], [[number] for number in numbers]).splitlines()
    assert [from_json(line) for line in lines[1:]] == numbers


def test_null_is_an_empty_cell_in_any_column() -> None:
    rows = [[None, None, None], [1.5, True, "buy"], [None, False, None]]
    assert text_table(["pnl", "toCancel", "type"], rows) == "pnl,toCancel,type\n,,\n1.5,true,buy\n,false,"


def test_a_text_is_quoted_only_where_it_must_be() -> None:
    rows = [["plain"], ["one, two"], ['"said"'], ["plain"]]
    assert text_table(["note"], rows).splitlines() == ["note", "plain", '"one, two"', '"""said"""', "plain"]


def test_columns_of_mixed_kinds_keep_every_cell() -> None:
    rows = [[166132], ["a-1"], [Decimal("0.10")], [True]]
    assert text_table(["id"], rows).splitlines() == ["id", "166132", "a-1", "0.10", "true"]


def test_a_table_without_rows_is_its_header() -> None:
    assert text_table(["time", "pair"], []) == "time,pair"
