"""The Skills extension (SEP-2640): short instructions that a client's model reads when it needs them.

A skill is there for whoever may call the tools that it teaches, and for nobody else.
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from mcp import types
from mcp.shared.exceptions import MCPError

from gunbot_mcp.dispatch import Caller, Dispatcher
from gunbot_mcp.errors import clean

SKILLS_EXTENSION = "io.modelcontextprotocol/skills"
MARKDOWN = "text/markdown"

TEACHES: Mapping[str, tuple[str, ...]] = {
    "placing-orders": ("buy_limit", "get_quote", "get_limits", "get_ticket"),
    "questioning-order-history": ("analyze_orders", "query_orders", "chart_orders"),
}
"""Every skill, by the name of its folder, with the tools without which it is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """One SKILL.md: its front matter is what a client always shows its model, the whole text what that reads."""

    name: str
    text: str

    @property
    def uri(self) -> str:
        return f"skill://{self.name}/SKILL.md"

    @property
    def frontmatter(self) -> dict[str, str]:
        """Return the lines `name: value` between the two lines of dashes."""
        lines = self.text.split("---\n")[1].splitlines()
        return {name: value for name, _, value in (line.partition(": ") for line in lines)}

    def entry(self) -> dict[str, Any]:
        content = self.text.encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        manifest = [{"uri": self.uri, "digest": digest, "size": len(content)}]
        return {"uri": self.uri, "frontmatter": self.frontmatter, "resources": manifest}


@functools.cache
def skill_named(name: str) -> Skill:
    """Return one of the skills of `TEACHES`, as its file has it."""
    file = files("gunbot_mcp.server.skills") / name / "SKILL.md"
    return Skill(name=name, text=file.read_bytes().decode())


class Skills:
    """The skills of one server."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def names(self, caller: Caller) -> list[str]:
        """Return the names of the skills that are there for this caller."""
        tools = {tool.name for tool in self._dispatcher.listed(caller)}
        return [name for name, needed in TEACHES.items() if tools.issuperset(needed)]

    def at(self, uri: str, caller: Caller) -> Skill | None:
        return next((skill for skill in map(skill_named, self.names(caller)) if skill.uri == uri), None)

    def as_resources(self, caller: Caller) -> list[types.Resource]:
        return [
            types.Resource(
                uri=skill.uri,
                name=skill.name,
                description=skill.frontmatter["description"],
                mime_type=MARKDOWN,
                size=len(skill.text.encode()),
            )
            for skill in map(skill_named, self.names(caller))
        ]

    def listed(self, caller: Caller) -> dict[str, Any]:
        """Return the result of `skills/list`. What it says may be kept only until the list of tools changes."""
        entries = [skill.entry() for skill in map(skill_named, self.names(caller))]
        return {"skills": entries, "ttlMs": 0, "cacheScope": "private"}

    def got(self, uri: str, caller: Caller) -> dict[str, Any]:
        """Return the result of `skills/get`.

        Raises:
            MCPError: no skill is there, for this caller.
        """
        skill = self.at(uri, caller)
        if skill is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no skill {clean(uri, 80)}", {"uri": uri})
        return {"skill": skill.entry(), "ttlMs": 0, "cacheScope": "private"}
