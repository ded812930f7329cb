"""What goes on the wire: exact digits, each thing encoded once."""

import json
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.gunbot.wire import json_text, query_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-10"), "0.0000000001"),
        (Decimal("1.10"), "1.10"),
        ({"data": {"amt": Decimal("0.1"), "list": [1, Decimal(2), None]}}, '{"data":{"amt":0.1,"list":[1,2,null]}}'),
        ({'a"b': "\u2028é\n"}, '{"a\\"b":"\\u2028\\u00e9\\n"}'),
        ((), "[]"),
        (True, "true"),
    ],
)
def test_json_is_compact_and_exact(value: object, text: str) -> None:
    assert json_text(value) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_json_text_reads_back_as_the_same_value(value: object) -> None:
    assert json.loads(json_text(value)) == value


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), unique_by=lambda pair: pair[0]))
def test_a_query_reads_back_as_the_same_fields(fields: list[tuple[str, str]]) -> None:
    assert parse_qsl(query_text(dict(fields)), keep_blank_values=True, encoding="utf-8") == fields
