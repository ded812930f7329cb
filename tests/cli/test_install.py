"""`install` and `uninstall`: one entry in a client's own file, and out again; what it starts is this program alone."""

import json
import os
import shlex
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gunbot_mcp.cli import run
from gunbot_mcp.cli.clients import CLIENTS, Places, claude_desktop_file
from gunbot_mcp.command import program, typed


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own: every client's file is under it."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    return folder


def cursor(home: Path, content: str | None = None) -> Path:
    file = home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    if content is not None:
        file.write_text(content, encoding="utf-8")
    return file


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_an_entry_and_gives_its_file_back(
    home: Path, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = CLIENTS[client].file(Places())
    assert run(["install", client]) == 0
    said = capsys.readouterr().out
    assert f"gunbot (PAPER) is in {file}" in said
    assert program()[0] in file.read_text(encoding="utf-8")
    assert file.is_relative_to(home)
    assert run(["install", client]) == 0
    assert "Nothing was changed" in capsys.readouterr().out
    assert run(["uninstall", client]) == 0
    assert not file.exists()


def test_the_rest_of_the_file_stays_to_the_byte_and_a_copy_of_it_is_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = '{\n\t// mine\n\t"mcpServers": {"other": {"command": "x"}},\n\t"theme": "ünï",\n}\n'
    file = cursor(home, before)
    assert run(["install", "cursor", "--name", "mine"]) == 0
    said = capsys.readouterr().out
    assert '"mine": {' in said
    assert "ünï" not in said, "only what was changed is shown"
    copy = Path(said.rsplit("before is ", 1)[1].strip().removesuffix("."))
    assert copy.read_text(encoding="utf-8") == before
    after = file.read_text(encoding="utf-8")
    assert [line for line in before.splitlines() if line not in after] == [
        '\t"mcpServers": {"other": {"command": "x"}},'
    ]
    assert run(["uninstall", "cursor", "--name", "mine"]) == 0
    assert file.read_text(encoding="utf-8") == before


def test_each_change_keeps_a_copy_of_its_own(home: Path) -> None:
    file = cursor(home, "{}")
    for name in ("one", "two"):
        assert run(["install", "cursor", "--name", name]) == 0
    kept = sorted(path.read_text(encoding="utf-8") for path in file.parent.glob("mcp.json.before-*"))
    assert len(kept) == 2
    assert "{}" in kept


def test_an_entry_is_taken_out_although_the_file_was_changed_since(home: Path) -> None:
    file = cursor(home, '{"mcpServers": {"other": {"command": "x"}}}')
    assert run(["install", "cursor"]) == 0
    document = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({"later": 1, **document}, indent=4), encoding="utf-8")
    assert run(["uninstall", "cursor"]) == 0
    assert json.loads(file.read_text(encoding="utf-8")) == {"later": 1, "mcpServers": {"other": {"command": "x"}}}


def test_a_file_for_its_owner_alone_stays_so_and_a_link_stays_a_link(home: Path, tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.json", cursor(home)
    real.write_text('{"mcpServers": {"other": {"env": {"KEY": "secret"}}}}', encoding="utf-8")
    real.chmod(0o600)
    link.symlink_to(real)
    assert run(["install", "cursor", "--name", "one"]) == 0
    assert run(["install", "cursor", "--name", "two", "--instance", "paper"]) == 0
    assert link.is_symlink()
    found = json.loads(real.read_text(encoding="utf-8"))["mcpServers"]
    assert set(found) == {"other", "one", "two"}
    assert found["two"]["env"]["GUNBOT_MCP_INSTANCE"] == "paper"
    kept = list(real.parent.glob("dotfiles.json.before-*"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in (real, *kept)} == {0o600}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_keeps_its_byte_order_mark_and_its_line_ends(home: Path, encoding: str) -> None:
    file = cursor(home)
    before = '{\r\n  "theme": "ü"\r\n}\r\n'.encode(encoding)
    file.write_bytes(before)
    assert run(["install", "cursor"]) == 0
    after = file.read_bytes()
    assert after[:2] == before[:2]
    assert "\n" not in after.decode(encoding).replace("\r\n", "")
    assert run(["uninstall", "cursor"]) == 0
    assert file.read_bytes() == before


def test_what_the_user_added_to_our_entry_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = cursor(home)
    monkeypatch.setenv("GUNBOT_MCP_MODE", "read-only")
    assert run(["install", "cursor"]) == 0
    document = json.loads(file.read_text(encoding="utf-8"))
    document["mcpServers"]["gunbot"].update(disabled=False, command="/old/place/gunbot-mcp")
    document["mcpServers"]["gunbot"]["env"]["LANG"] = "C"
    file.write_text(json.dumps(document), encoding="utf-8")
    monkeypatch.delenv("GUNBOT_MCP_MODE")
    assert run(["install", "cursor"]) == 0
    entry = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]["gunbot"]
    assert entry["command"] == program()[0]
    assert entry["disabled"] is False
    assert entry["env"]["LANG"] == "C"
    assert entry["env"]["GUNBOT_MCP_MODE"] == "read-only"


def test_another_server_of_that_name_is_not_touched(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = '{"mcpServers": {"gunbot": {"command": "npx", "args": ["other"]}}}'
    file = cursor(home, content)
    assert run(["install", "cursor"]) == 1
    assert "choose a name with --name" in capsys.readouterr().err
    assert run(["uninstall", "cursor"]) == 1
    assert file.read_text(encoding="utf-8") == content


@pytest.mark.parametrize("content", ["{not json", "[1, 2]", '{"mcpServers": 5}', b"\xff\xfe\x00"])
def test_a_client_s_file_of_another_form_is_not_touched(
    home: Path, capsys: pytest.CaptureFixture[str], content: str | bytes
) -> None:
    file = cursor(home)
    raw = content if isinstance(content, bytes) else content.encode()
    file.write_bytes(raw)
    assert run(["install", "cursor"]) == 1
    assert file.read_bytes() == raw
    assert "config_invalid" in capsys.readouterr().err


@pytest.mark.parametrize("token", ["", "t-" + "x" * 20])
def test_installing_writes_no_secret_and_no_entry_that_would_be_another_instance(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], token: str
) -> None:
    monkeypatch.setenv("GUNBOT_URL", "http://127.0.0.1:3000")
    monkeypatch.setenv("GUNBOT_TOKEN", token)
    assert run(["install", "claude-desktop"]) == 1
    assert "token_file" in capsys.readouterr().err
    assert [path for path in home.rglob("*") if "laude" in path.name] == []


def test_a_live_instance_is_called_live(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cursor(home)
    config = tmp_path / "config.toml"
    config.write_text(
        '[instances.mine]\nurl = "http://127.0.0.1:3000"\ntoken = "secret-token-of-mine"\n', encoding="utf-8"
    )
    config.chmod(0o600)
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(config))
    assert run(["install", "cursor"]) == 0
    said = capsys.readouterr().out
    assert "gunbot (LIVE) is in" in said
    assert "secret-token-of-mine" not in said
    assert "secret-token-of-mine" not in (home / ".cursor/mcp.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("platform", "environment", "place"),
    [
        ("darwin", {}, "Library/Application Support/Claude/claude_desktop_config.json"),
        ("linux", {}, ".config/Claude/claude_desktop_config.json"),
        ("linux", {"XDG_CONFIG_HOME": "{home}/xdg"}, "xdg/Claude/claude_desktop_config.json"),
        ("win32", {"APPDATA": "{home}/Roaming"}, "Roaming/Claude/claude_desktop_config.json"),
    ],
)
def test_claude_desktop_s_file_is_where_each_system_has_it(
    home: Path, platform: str, environment: dict[str, str], place: str
) -> None:
    given = {name: value.format(home=home) for name, value in environment.items()}
    assert claude_desktop_file(Places(platform=platform, environment=given)) == home / place


def test_the_packaged_claude_desktop_on_windows_has_a_folder_of_its_own(home: Path) -> None:
    folder = home / "Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude"
    folder.mkdir(parents=True)
    places = Places(platform="win32", environment={"LOCALAPPDATA": str(home / "Local")})
    assert claude_desktop_file(places) == folder / "claude_desktop_config.json"


def test_a_list_of_servers_takes_it_beside_the_others(home: Path) -> None:
    file = home / ".continue/config.yaml"
    file.parent.mkdir()
    before = "name: mine # my assistant\nmcpServers:\n  - name: other\n    command: x\nmodels: []\n"
    file.write_text(before, encoding="utf-8")
    assert run(["install", "continue"]) == 0
    assert "  - name: other\n    command: x\n" in file.read_text(encoding="utf-8")
    assert run(["uninstall", "continue"]) == 0
    assert file.read_text(encoding="utf-8") == before


def test_printing_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["install", "vscode", "--print"]) == 0
    assert "servers" in json.loads(capsys.readouterr().out)
    assert run(["install", "codex", "--print"]) == 0
    assert "gunbot" in tomllib.loads(capsys.readouterr().out)["mcp_servers"]
    assert run(["install", "--print"]) == 0
    assert "gunbot" in json.loads(capsys.readouterr().out)["mcpServers"]
    assert list(home.iterdir()) == []


def test_without_a_client_all_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["install"]) != 0
    assert "lm-studio" in capsys.readouterr().err


def test_the_entry_runs_nothing_from_the_project_folder_that_it_is_started_in(home: Path, tmp_path: Path) -> None:
    file = cursor(home)
    assert run(["install", "cursor"]) == 0
    entry = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]["gunbot"]
    project = tmp_path / "project"
    (project / "mcp").mkdir(parents=True)
    trap = f"open({str(tmp_path / 'caught')!r}, 'w')"
    for name in ("click.py", "mcp/__init__.py", "gunbot_mcp.py", "json.py", "sitecustomize.py"):
        (project / name).write_text(trap, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [entry["command"], *entry["args"]],
        cwd=project,
        env={**environment, **entry["env"]},
        input='{"jsonrpc":"2.0","id":1,"method":"ping"}\n',
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert '"id":1' in done.stdout
    assert not (tmp_path / "caught").exists()


@pytest.mark.parametrize(
    ("prefix", "begins"),
    [
        ("/home/me/.cache/uv/archive-v0/abc", ["uvx", "--from"]),
        ("/a/cache/of/my/own/environments-v2/abc", ["uvx", "--from"]),
        ("/home/me/.local/pipx/.cache/abc", ["pipx", "run", "--spec"]),
        ("/Users/me/Library/Caches/pipx/abc", ["pipx", "run", "--spec"]),
    ],
)
def test_what_uvx_and_pipx_unpacked_is_not_named_but_what_they_unpacked_it_from(
    monkeypatch: pytest.MonkeyPatch, prefix: str, begins: list[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "prefix", prefix)

    *words, source, name = program()

    assert (words, name) == (begins, "gunbot-mcp")
    assert (Path(source) / "pyproject.toml").is_file()


def test_a_line_for_a_terminal_is_whole_and_quoted_as_the_shell_wants_it() -> None:
    given = {"GUNBOT_MCP_HOME": "/a b"}
    line = typed("approve", "x1", environment=given, words=["/opt/it's/gunbot-mcp"], platform="linux")
    assert shlex.split(line) == ["GUNBOT_MCP_HOME=/a b", "/opt/it's/gunbot-mcp", "approve", "x1"]
    line = typed("approve", "x1", environment=given, words=[r"C:\it's\gunbot-mcp.exe"], platform="win32")
    assert line == r"$env:GUNBOT_MCP_HOME='/a b'; & 'C:\it''s\gunbot-mcp.exe' approve x1"
