"""What `packaging/` says of the program is true of it: versions, variables, commands, clients; the bundle is whole."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import TypeAdapter

from gunbot_mcp import __version__
from gunbot_mcp.cli import cli
from gunbot_mcp.cli.clients import CLIENTS
from gunbot_mcp.config import Mode

ROOT = Path(__file__).parents[1]
PACKAGING = ROOT / "packaging"
MANIFEST: dict[str, Any] = json.loads((PACKAGING / "mcpb" / "manifest.json").read_text(encoding="utf-8"))
SERVER: dict[str, Any] = json.loads((PACKAGING / "server.json").read_text(encoding="utf-8"))


def test_every_version_is_the_package_s() -> None:
    assert {MANIFEST["version"], SERVER["version"], SERVER["packages"][0]["version"]} == {__version__}


def test_every_variable_is_one_that_the_program_reads() -> None:
    read = set(re.findall(r'"(GUNBOT\w*)"', (ROOT / "gunbot_mcp" / "config.py").read_text(encoding="utf-8")))
    named = set(MANIFEST["server"]["mcp_config"]["env"])
    named |= {one["name"] for one in SERVER["packages"][0]["environmentVariables"]}
    assert named <= read


def test_the_token_is_kept_secret_by_both() -> None:
    assert MANIFEST["user_config"]["token"]["sensitive"] is True
    secret = [one["name"] for one in SERVER["packages"][0]["environmentVariables"] if one.get("isSecret")]
    assert secret == ["GUNBOT_TOKEN"]


def test_the_registry_s_rules_hold() -> None:
    assert len(SERVER["description"]) <= 100
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", SERVER["name"])
    # The registry looks for this line in the description of the package.
    assert f"mcp-name: {SERVER['name']}" in (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert SERVER["packages"][0]["identifier"] == project["name"]
    modes = next(one["choices"] for one in SERVER["packages"][0]["environmentVariables"] if "choices" in one)
    assert [TypeAdapter(Mode).validate_python(mode) for mode in modes]


@pytest.mark.parametrize("name", ["AGENTS-INSTALL.md", "llms.txt"])
def test_the_texts_for_assistants_name_what_exists(name: str) -> None:
    text = (PACKAGING / name).read_text(encoding="utf-8")
    commands = set(re.findall(r"`gunbot-mcp ([a-z]+)", text))
    assert commands <= set(cli.list_commands(click.Context(cli)))
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (PACKAGING / link).exists(), link
    if name == "AGENTS-INSTALL.md":
        listed = re.search(r"CLIENT is one of ([^;]+);", text)
        assert listed is not None
        assert re.split(r",\s+", listed[1]) == list(CLIENTS)


def test_the_container_runs_as_nobody_special_and_keeps_its_state_apart() -> None:
    lines = (PACKAGING / "Containerfile").read_text(encoding="utf-8").splitlines()
    assert "USER 10001" in lines
    assert any("GUNBOT_MCP_HOME=/state" in line for line in lines)
    assert lines.index("USER 10001") < lines.index('ENTRYPOINT ["gunbot-mcp"]')


def test_the_bundle_is_whole_and_the_same_each_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.mcpb", tmp_path / "b.mcpb"
    for target in (first, second):
        subprocess.run([sys.executable, PACKAGING / "bundle.py", target], check=True)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as bundle:
        names = set(bundle.namelist())
        assert json.loads(bundle.read("manifest.json")) == MANIFEST
    assert {MANIFEST["server"]["entry_point"], "pyproject.toml", "gunbot_mcp/web/templates/base.html"} <= names
    assert not [name for name in names if "pycache" in name or name.startswith("tests")]


@pytest.mark.slow
def test_the_manifest_is_valid_to_the_official_tool() -> None:
    tool = shutil.which("mcpb")
    if tool is None:
        pytest.skip("no mcpb here: npm install -g @anthropic-ai/mcpb")
    done = subprocess.run([tool, "validate", PACKAGING / "mcpb"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
