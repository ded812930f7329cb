"""The MCP clients that `gunbot-mcp install` knows: where each keeps its servers, and in which form. One row each."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gunbot_mcp.cli.splice import Entry, Format, Keys, jsonc, toml, yaml

_FORMATS: Mapping[str, Format] = {
    "jsonc": jsonc,
    "toml": toml,
    "yaml": yaml.Yaml(listed=False),
    "yaml-list": yaml.Yaml(listed=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a system keeps its programs' files."""

    platform: str = sys.platform
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def home(self) -> Path:
        return Path.home()

    @property
    def config(self) -> Path:
        """The folder for settings: `%APPDATA%`, `~/Library/Application Support`, or `$XDG_CONFIG_HOME`."""
        if self.platform == "win32":
            return Path(self.environment.get("APPDATA") or self.home / "AppData/Roaming")
        if self.platform == "darwin":
            return self.home / "Library/Application Support"
        return self.xdg

    @property
    def xdg(self) -> Path:
        given = self.environment.get("XDG_CONFIG_HOME", "")
        # The standard says to ignore one that is not absolute.
        return Path(given) if Path(given).is_absolute() else self.home / ".config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How to start this server."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str]


def _plain(command: Command, _: str) -> dict[str, Any]:
    return {
        "command": command.command,
        "args": list(command.args),
        **({"env": dict(command.env)} if command.env else {}),
    }


def _stdio(command: Command, name: str) -> dict[str, Any]:
    return {"type": "stdio", **_plain(command, name)}


def _goose(command: Command, name: str) -> dict[str, Any]:
    return {
        "enabled": True,
        "type": "stdio",
        "name": name,
        "cmd": command.command,
        "args": list(command.args),
        "envs": dict(command.env),
        "timeout": 300,
    }


def _named(command: Command, name: str) -> dict[str, Any]:
    return {"name": name, **_plain(command, name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFile:
    """One client. `env` is the key of an entry that holds its environment; `then` is what a human does next."""

    title: str
    file: Callable[[Places], Path]
    form: str = "jsonc"
    keys: Keys = ("mcpServers",)
    entry: Callable[[Command, str], Entry] = _plain
    env: str = "env"
    program: str = "command"
    then: str = "Restart it to see the server."

    @property
    def format(self) -> Format:
        return _FORMATS[self.form]


def claude_desktop_file(places: Places) -> Path:
    """Return Claude Desktop's file; the packaged one on Windows has a folder of its own."""
    if places.platform == "win32":
        local = Path(places.environment.get("LOCALAPPDATA") or places.home / "AppData/Local")
        packaged = sorted(local.glob("Packages/Claude_*/LocalCache/Roaming/Claude"))
        if packaged:
            return packaged[-1] / "claude_desktop_config.json"
    return places.config / "Claude/claude_desktop_config.json"


def _code_user(places: Places) -> Path:
    return places.config / "Code/User"


def _goose_file(places: Places) -> Path:
    if places.platform == "win32":
        return places.config / "Block/goose/config/config.yaml"
    return places.xdg / "goose/config.yaml"


def _zed_file(places: Places) -> Path:
    return (places.config / "Zed" if places.platform == "win32" else places.xdg / "zed") / "settings.json"


def _codex_file(places: Places) -> Path:
    given = places.environment.get("CODEX_HOME")
    return (Path(given) if given else places.home / ".codex") / "config.toml"


CLIENTS: Mapping[str, ClientFile] = {
    "claude-desktop": ClientFile(title="Claude Desktop", file=claude_desktop_file, then="Quit it and start it again."),
    "claude-code": ClientFile(
        title="Claude Code",
        file=lambda places: places.home / ".claude.json",
        entry=_stdio,
        then="Start a new session to see the server.",
    ),
    "cursor": ClientFile(title="Cursor", file=lambda places: places.home / ".cursor/mcp.json"),
    "vscode": ClientFile(
        title="VS Code",
        file=lambda places: _code_user(places) / "mcp.json",
        keys=("servers",),
        entry=_stdio,
        then="Start the server with MCP: List Servers.",
    ),
    "codex": ClientFile(title="Codex", file=_codex_file, form="toml", keys=("mcp_servers",)),
    "gemini": ClientFile(title="Gemini CLI", file=lambda places: places.home / ".gemini/settings.json"),
    "windsurf": ClientFile(title="Windsurf", file=lambda places: places.home / ".codeium/windsurf/mcp_config.json"),
    "cline": ClientFile(
        title="Cline",
        file=lambda places: (
            _code_user(places) / "globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"
        ),
    ),
    "zed": ClientFile(title="Zed", file=_zed_file, keys=("context_servers",), then="It starts the server by itself."),
    "goose": ClientFile(
        title="Goose", file=_goose_file, form="yaml", keys=("extensions",), entry=_goose, env="envs", program="cmd"
    ),
    "lm-studio": ClientFile(title="LM Studio", file=lambda places: places.home / ".lmstudio/mcp.json"),
    "continue": ClientFile(
        title="Continue",
        file=lambda places: places.home / ".continue/config.yaml",
        form="yaml-list",
        entry=_named,
    ),
}
