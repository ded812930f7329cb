"""config.example.toml: every key and no other, each explained, each with its real default."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gunbot_mcp.config import Approval, Instance, LedgerSettings, Limits, Settings, load
from gunbot_mcp.domain import Capability


@pytest.fixture
def example(root: Path) -> str:
    return (root / "config.example.toml").read_text(encoding="utf-8")


def _uncommented(example: str) -> str:
    return re.sub(r'^#(?=[\[a-zA-Z"])', "", example, flags=re.MULTILINE)


def _configure(text: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "config.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(folder / "config.toml"))


def _keys(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


def test_the_example_as_it_is_changes_nothing(example: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = load().model_dump()
    _configure(example, monkeypatch, tmp_path)

    assert load().model_dump() == before
    assert tomllib.loads(example) == {}


def test_the_example_uncommented_loads_and_has_every_key_and_no_other(
    example: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = _uncommented(example)
    _configure(text, monkeypatch, tmp_path)
    found: dict[str, Any] = tomllib.loads(text)

    assert load().name == "gunbot"
    assert set(found) == _keys(Settings)
    instances: dict[str, dict[str, Any]] = found["instances"]
    assert {key for instance in instances.values() for key in instance} == _keys(Instance)
    assert set(instances["gunbot"]["limits"]) == _keys(Limits)
    assert set(found["approval"]) == _keys(Approval)
    assert set(found["ledger"]) == _keys(LedgerSettings)
    assert {name for names in found["capabilities"].values() for name in names} <= {c.value for c in Capability}


def test_the_example_shows_the_real_defaults(example: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _configure(_uncommented(example), monkeypatch, tmp_path)
    settings = load()
    personal = {"url", "token", "token_file", "password", "wallet", "ca_file", "contracts"}
    personal |= {"token_keyring", "tls_fingerprint", "tls_server_name"}

    assert settings.approval == Approval()
    assert settings.ledger == LedgerSettings()
    assert settings.served.limits == Limits()
    assert settings.served.model_dump(exclude=personal) == Instance().model_dump(exclude=personal)
    assert settings.instances["paper"] == Instance()


def test_every_key_of_the_example_is_explained(example: str) -> None:
    lines = example.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"#[a-z_]+ = ", line) or line.startswith("#["):
            block = lines[max(0, number - 4) : number]
            assert any(above.startswith("# ") for above in block), line
