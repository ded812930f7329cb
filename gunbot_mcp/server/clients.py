"""Which clients connected lately, and what they said they can show: `doctor` tells the user from it."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, cast

from gunbot_mcp.config import Settings
from gunbot_mcp.render import instant

logger = logging.getLogger(__name__)

FILE = "clients.json"
_KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """A client as it declared itself: whether it can show a form (elicitation) and the ticket card (MCP Apps)."""

    name: str
    version: str
    protocol: str
    shows_forms: bool
    shows_card: bool


def remember(settings: Settings, facts: ClientFacts) -> None:
    """Note a client in the state folder. Not being able to is no reason to fail its call."""
    try:
        folder = settings.folder
        if not folder.is_dir():
            return
        known = {**recall(settings)}
        known.pop(facts.name, None)
        known[facts.name] = {**asdict(facts), "seen_at": instant(datetime.now(UTC))}
        text = json.dumps(dict(list(known.items())[-_KEPT:]), indent=2)
        (folder / FILE).write_text(text, encoding="utf-8")
    except OSError as exc:
        logger.info("the client cannot be noted: %s", exc.strerror)


def recall(settings: Settings) -> Mapping[str, Mapping[str, Any]]:
    """Return the clients seen lately by name, oldest first."""
    try:
        found: Any = json.loads((settings.folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    entries = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return {name: cast("dict[str, Any]", entry) for name, entry in entries.items() if isinstance(entry, dict)}
