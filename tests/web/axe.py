"""axe-core in a page: what it finds wrong, as short lines that name the state, the rule and the element.

It comes from npm and is none of ours: GUNBOT_MCP_TEST_AXE names its `axe.min.js`. CI sets that, and then a file that is
not there is a failure.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Playwright does not spell out what a script's value is.

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Frame, Page

_GIVEN = os.environ.get("GUNBOT_MCP_TEST_AXE")  # the tests' own environment has no GUNBOT… any more
_LOOK = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .flatMap((rule) => rule.nodes.map((node) => [rule.id, node.target.join(" "), node.failureSummary]))"""


@dataclass
class Axe:
    """`found` is what was wrong in each state that was looked at; `states` are all of them."""

    source: str
    states: list[str] = field(default_factory=list[str])
    found: list[str] = field(default_factory=list[str])

    def look(self, state: str, place: Page | Frame) -> None:
        # Through the debugger's door: the page's own policy lets no foreign script in.
        place.evaluate(self.source)
        wrong: list[list[Any]] = place.evaluate(_LOOK)
        self.states.append(state)
        self.found += [f"{state}: {rule}: {target}: {why}" for rule, target, why in wrong]

    def report(self) -> str:
        return "\n".join(self.found)


def axe() -> Axe:
    """Return axe, ready to look; where it is not, the test is skipped."""
    if _GIVEN is None:
        pytest.skip("no axe-core here: npm install axe-core, and let GUNBOT_MCP_TEST_AXE name its axe.min.js")
    return Axe(Path(_GIVEN).read_text(encoding="utf-8"))
