"""`gunbot-mcp install CLIENT`: adds the server to an MCP client's own configuration."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click

from gunbot_mcp.config import load
from gunbot_mcp.errors import ConfigInvalid

_KEPT = ("GUNBOT_MCP_HOME", "GUNBOT_MCP_CONFIG", "GUNBOT_MCP_INSTANCE", "GUNBOT_MCP_MODE")


def claude_desktop_file(platform: str = sys.platform) -> Path:
    """Return where Claude Desktop keeps its configuration on that system."""
    if platform == "darwin":
        return Path.home() / "Library/Application Support/Claude/claude_desktop_config.json"
    if platform == "win32":
        return Path(os.environ.get("APPDATA", str(Path.home()))) / "Claude/claude_desktop_config.json"
    return Path.home() / ".config/Claude/claude_desktop_config.json"


@dataclass(frozen=True, slots=True)
class Target:
    """A client with a JSON file: where it is, and under which key its servers stand."""

    file: Callable[[], Path]
    key: str


_FILES: Mapping[str, Target] = {
    "claude-desktop": Target(claude_desktop_file, "mcpServers"),
    "cursor": Target(lambda: Path.home() / ".cursor/mcp.json", "mcpServers"),
    "vscode": Target(lambda: Path.cwd() / ".vscode/mcp.json", "servers"),
}


@click.command()
@click.argument("client", type=click.Choice([*_FILES, "claude-code"]))
@click.option("--name", default="gunbot", show_default=True, help="What the client calls the server.")
@click.option("--instance", help="The instance that this entry serves, where the config has several.")
@click.option("--print", "only_print", is_flag=True, help="Show what would be added, change nothing.")
def install(client: str, name: str, instance: str | None, only_print: bool) -> None:
    """Add this server to CLIENT. Secrets are never written: put tokens into the config or token_file."""
    settings = load(instance=instance)
    if settings.served.live and os.environ.get("GUNBOT_TOKEN"):
        raise ConfigInvalid(
            "GUNBOT_TOKEN would have to be written into the client's file",
            "put url and token_file into a config, set GUNBOT_MCP_CONFIG, and install again",
        )
    environment = {variable: os.environ[variable] for variable in _KEPT if os.environ.get(variable)}
    for variable in ("GUNBOT_MCP_HOME", "GUNBOT_MCP_CONFIG"):
        if variable in environment:
            environment[variable] = str(Path(environment[variable]).expanduser().absolute())
    if instance is not None:
        environment["GUNBOT_MCP_INSTANCE"] = instance
    command = [sys.executable, "-m", "gunbot_mcp", "serve"]
    if client == "claude-code":
        given = [part for variable, value in environment.items() for part in ("-e", f"{variable}={value}")]
        click.echo(shlex.join(["claude", "mcp", "add", name, *given, "--", *command]))
        return
    entry = {"command": command[0], "args": command[1:], **({"env": environment} if environment else {})}
    target = _FILES[client]
    if only_print:
        click.echo(json.dumps({target.key: {name: entry}}, indent=2))
        return
    path = target.file()
    kept = _add(path, target.key, name, entry)
    click.echo(f"{name} is in {path}. Restart {client} to see it.")
    if kept is not None:
        click.echo(f"The file as it was before is {kept}.")


def _add(path: Path, key: str, name: str, entry: Mapping[str, Any]) -> Path | None:
    """Add one server and leave everything else in the file as it is; return where a copy of the old file is kept.

    Raises:
        ConfigInvalid: the file is not a JSON object of the expected form; it is not touched.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    try:
        loaded: Any = json.loads(before) if before.strip() else {}
    except ValueError as exc:
        raise ConfigInvalid(f"{path} is not JSON", "repair it first, or use --print") from exc
    document = cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else None
    servers: Any = None if document is None else document.setdefault(key, {})
    if document is None or not isinstance(servers, dict):
        raise ConfigInvalid(f"{path} has another form than expected", "use --print and add it by hand")
    cast("dict[str, Any]", servers)[name] = entry
    # A link stays a link, and a file that only its owner could read stays so: other servers' keys may be in it.
    real = path.resolve()
    real.parent.mkdir(parents=True, exist_ok=True)
    kept = path.with_suffix(".json.before-gunbot-mcp")
    if before and not kept.exists():
        shutil.copy2(real, kept)
    fresh = real.with_name(f".{real.name}.new")
    fresh.touch(0o600)
    fresh.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if before:
        shutil.copymode(real, fresh)
    fresh.replace(real)
    return kept if before else None
