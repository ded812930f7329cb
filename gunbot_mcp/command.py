"""How this program is started again: in an entry of a client's file, or typed by a human in a terminal."""

import json
import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

HOME, CONFIG, INSTANCE, MODE = "GUNBOT_MCP_HOME", "GUNBOT_MCP_CONFIG", "GUNBOT_MCP_INSTANCE", "GUNBOT_MCP_MODE"


def program() -> list[str]:
    """Return the words that start this program.

    The console script by its full path: Python started with `-m` would look for modules in the folder that it is
    started in first, which may be anybody's project, and run what it finds there. From `uvx` and `pipx run` by these:
    what they unpacked is thrown away some day.
    """
    parts = {part.lower() for part in Path(sys.prefix).parts}
    if parts & {"archive-v0", "environments-v2", "builds-v0"}:
        return [shutil.which("uvx") or "uvx", *_from("--from"), "gunbot-mcp"]
    if "pipx" in parts and parts & {".cache", "caches", "cache"}:
        return [shutil.which("pipx") or "pipx", "run", *_from("--spec"), "gunbot-mcp"]
    suffix = ".exe" if sys.platform == "win32" else ""
    script = Path(sysconfig.get_path("scripts")) / f"gunbot-mcp{suffix}"
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", "gunbot_mcp"]


def _from(option: str) -> list[str]:
    """Return the option that names the checkout or archive that this was installed from; a package index needs none."""
    try:
        url = str(json.loads(distribution("gunbot-mcp").read_text("direct_url.json") or "{}").get("url", ""))
    except (PackageNotFoundError, ValueError):
        return []
    if not url.startswith("file:"):
        return []
    path = unquote(urlsplit(url).path)
    return [option, path.lstrip("/") if sys.platform == "win32" else path]


def surroundings(names: tuple[str, ...] = (HOME, CONFIG)) -> dict[str, str]:
    """Return the variables that lead to this state folder and this config, paths made absolute. Never a secret."""
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    for name in (HOME, CONFIG):
        if name in found:
            found[name] = str(Path(found[name]).expanduser().absolute())
    return found


def typed(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    words: list[str] | None = None,
    platform: str = sys.platform,
) -> str:
    """Return one line that does this in a plain terminal: a POSIX shell, or PowerShell on Windows."""
    given = surroundings() if environment is None else environment
    line = [*(program() if words is None else words), *arguments]
    if platform != "win32":
        return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in given.items()), shlex.join(line)])
    before = [f"$env:{name}={_powershell(value, plain='')};" for name, value in given.items()]
    return " ".join([*before, "&", *map(_powershell, line)])


def _powershell(word: str, plain: str = "\\/:._-") -> str:
    if plain and word and all(letter.isalnum() or letter in plain for letter in word):
        return word
    doubled = word.replace("'", "''")
    return f"'{doubled}'"
