"""Which clients connected lately, and what they said they can show: `doctor` tells the user from it."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, cast

from gunbot_mcp.config import Settings
from gunbot_mcp.files import write_private

logger = logging.getLogger(__name__)

FILE = "clients.json"
_KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """A client as it declared itself: whether it can show a form (elicitation) and the ticket card (MCP Apps).

    `known` says that the user's own client is at the other end of a pipe; over HTTP it could be anybody.
    """

    name: str
    version: str
    protocol: str
    shows_forms: bool
    shows_card: bool
    known: bool = True


def remember(settings: Settings, facts: ClientFacts) -> None:
    """Note a client in the state folder. A failure to do so does not fail the client's call."""
    try:
        noted, today = {**recall(settings)}, datetime.now(UTC).date().isoformat()
        entry = {**asdict(facts), "seen_on": today}
        if noted and list(noted)[-1] == facts.name and noted[facts.name] == entry:
            return
        noted.pop(facts.name, None)
        noted[facts.name] = entry
        write_private(settings.folder / FILE, json.dumps(dict(list(noted.items())[-_KEPT:]), indent=2))
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
