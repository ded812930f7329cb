"""Every page in every state: axe-core looks for what keeps people from using it, and a picture is left for human eyes.

axe-core comes from npm and is none of ours: GUNBOT_MCP_TEST_AXE names its `axe.min.js`. CI sets that, and then a file
that is not there is a failure. The pictures lie in `build/screens`, or where GUNBOT_MCP_TEST_SCREENS says.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Playwright does not spell out what a script's value is.

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Frame, Page

# The tests' own environment has no GUNBOT… any more.
_GIVEN = os.environ.get("GUNBOT_MCP_TEST_AXE")
SCREENS = Path(os.environ.get("GUNBOT_MCP_TEST_SCREENS") or Path(__file__).parents[2] / "build" / "screens")
WIDTHS = {1280: 900, 390: 844}
"""Of a desk and of a phone, in CSS pixels, with their heights."""
_LOOK = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .flatMap((rule) => rule.nodes.map((node) => [rule.id, node.target.join(" "), node.failureSummary]))"""
_DARK = "matchMedia('(prefers-color-scheme: dark)').matches"


@dataclass
class Axe:
    """`found` is what was wrong in each state that was looked at; `states` are all of them.

    `where` names what the states are of: the folder of their pictures.
    """

    source: str
    where: str
    states: list[str] = field(default_factory=list[str])
    found: list[str] = field(default_factory=list[str])

    def look(self, state: str, place: Page | Frame) -> None:
        # Through the debugger's door: the page's own policy lets no foreign script in.
        place.evaluate(self.source)
        wrong: list[list[Any]] = place.evaluate(_LOOK)
        self.states.append(state)
        self.found += [f"{state}: {rule}: {target}: {why}" for rule, target, why in wrong]
        self._keep(state, place if isinstance(place, Page) else place.page)

    def _keep(self, state: str, page: Page) -> None:
        """Leave pictures of the whole page, on a desk and on a phone."""
        before = page.viewport_size
        scheme = "dark" if page.evaluate(_DARK) else "light"
        name = f"{len(self.states):02}-{_slug(state)}"
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            file = SCREENS / _slug(self.where) / f"{name}-{scheme}-{width}.png"
            page.screenshot(path=file, full_page=True, animations="disabled", caret="hide")
        if before is not None:
            page.set_viewport_size(before)

    def report(self) -> str:
        return "\n".join(self.found)


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")


def axe(where: str) -> Axe:
    """Return axe, ready to look; where it is not, the test is skipped."""
    if _GIVEN is None:
        pytest.skip("no axe-core here: npm install axe-core, and let GUNBOT_MCP_TEST_AXE name its axe.min.js")
    return Axe(Path(_GIVEN).read_text(encoding="utf-8"), where)
