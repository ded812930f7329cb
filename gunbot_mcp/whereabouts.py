"""Where the kill switch reaches, whatever is wrong with the configuration."""

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from gunbot_mcp.config import CONFIG_VARIABLE, Settings, in_one_place
from gunbot_mcp.errors import clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where the kill switch reaches by the configuration, as far as that can be told; `unknown` says what cannot be.

    `ledger` is the address of a ledger that others may share; empty: none is named.
    """

    home: Path | None = None
    ledger: str = field(default="", repr=False)
    unknown: str | None = None


def whereabouts() -> Whereabouts:
    """Look for the state folder and the ledger whatever else is wrong with the configuration. Never raises."""
    home: object = os.environ.get("GUNBOT_MCP_HOME", "").strip()
    file = os.environ.get(CONFIG_VARIABLE, "").strip()
    found: dict[str, Any] = {}
    unknown: str | None = None
    if file:
        try:
            found = tomllib.loads(Path(file).expanduser().read_text(encoding="utf-8"))
        except (OSError, ValueError, RuntimeError) as exc:  # not TOML is a ValueError
            unknown = f"the config {clean(file)} cannot be read ({type(exc).__name__})"
    ledger: object = found.get("ledger")
    url: object = cast("dict[str, object]", ledger).get("url") if isinstance(ledger, dict) else None
    shared = url.strip() if isinstance(url, str) else ""
    home = home or found.get("home")
    if home is None or home == "":
        # A config that cannot be read may name another one.
        folder = None if unknown else Settings.model_construct().folder
        return Whereabouts(home=folder, ledger=shared, unknown=unknown)
    try:
        folder = in_one_place(Path(str(home)))
    except ValueError:
        return Whereabouts(ledger=shared, unknown=f"home {clean(home)!r} is not an absolute path")
    return Whereabouts(home=None if folder is None else folder.expanduser(), ledger=shared, unknown=unknown)
