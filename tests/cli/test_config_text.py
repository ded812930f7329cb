"""A config that `setup` writes says exactly what it was given, each key explained."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.cli.config_text import config_text
from gunbot_mcp.errors import ConfigInvalid

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = TEXT | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
TABLE = st.dictionaries(TEXT, TEXT)


@given(
    st.fixed_dictionaries(
        {"instances": st.dictionaries(TEXT, st.fixed_dictionaries({}, optional={"url": PLAIN, "contracts": TABLE}))},
        optional={"home": TEXT, "mode": PLAIN, "capabilities": st.dictionaries(TEXT, st.lists(TEXT))},
    )
)
def test_any_values_are_read_back_as_they_were(values: dict[str, Any]) -> None:
    written = tomllib.loads(config_text({**values, "instances": {**values["instances"], "one": {"url": "x"}}}))
    assert written.pop("instances") == {**values["instances"], "one": {"url": "x"}}
    assert written == {key: value for key, value in values.items() if key != "instances"}


def test_the_whole_example_is_written_back_with_every_key_explained(root: Path) -> None:
    example = (root / "config.example.toml").read_text(encoding="utf-8")
    lines = [
        line[1:] if line[:2].strip("#") and line[1] in '[abcdefghijklmnopqrstuvwxyz"' else line
        for line in example.splitlines()
    ]
    values = tomllib.loads("\n".join(lines))
    text = config_text(values)
    assert tomllib.loads(text) == values
    above = text.splitlines()
    keys = [number for number, line in enumerate(above) if " = " in line and not line.startswith("#")]
    explained = [number for number in keys if above[number - 1].startswith("# ")]
    assert len(explained) > 40
    assert all(len(line) <= 120 for line in above if line.startswith("#"))


@pytest.mark.parametrize("value", [None, b"x", object()])
def test_what_a_config_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ConfigInvalid):
        config_text({"instances": {"a": {"url": value}}})
