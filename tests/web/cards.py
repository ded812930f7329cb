"""A page that plays an MCP client's part for the ticket card: it shows the card and passes its calls on to a desk."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false
# Playwright's assertions and routes take patterns and handlers of types that it does not spell out.

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import FrameLocator, Page, expect

from gunbot_mcp.web.card import card_html

MakeSite = Callable[..., Any]
NewPage = Callable[..., Any]
HOST = (Path(__file__).parents[1] / "web" / "host.html").read_text(encoding="utf-8")
BUY: Mapping[str, Any] = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 52000}
TICKET = "gunbot-mcp/ticket"


@dataclass
class Client:
    """An MCP client that shows a card. It remembers what the card asked for.

    `refuse` names tools (or `link`) that it does not pass on; `strips` the parts of results that it does not pass on;
    `takes` is what it says that it takes from a card, beside links and tool calls.
    """

    page: Page
    site: Any
    opened: list[str] = field(default_factory=list[str])
    called: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    refuse: set[str] = field(default_factory=set[str])
    strips: tuple[str, ...] = ()
    takes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def show(self, result: dict[str, Any] | None, **context: Any) -> FrameLocator:  # noqa: ANN401 - any host context
        self.page.expose_function("callTool", self._call)
        self.page.expose_function("openLink", self._open)
        self.page.set_content(HOST)
        shown = [card_html(), result, context, self.takes]
        self.page.evaluate("([html, result, context, takes]) => start(html, result, context, takes)", shown)
        return self.page.frame_locator("iframe")

    def show_on_a_clock(self, result: dict[str, Any] | None) -> FrameLocator:
        """Show the card in a browser whose clock the test moves, until its buttons can be pressed."""
        self.page.clock.install()
        card = self.show(result)
        self.page.clock.run_for(1000)
        return card

    def expire(self) -> None:
        """Let the ticket's two minutes pass, for the desk and for the browser."""
        self.site.clock.advance(timedelta(seconds=121))
        self.page.clock.fast_forward(121_000)
        self.page.clock.run_for(2000)

    def _call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if tool in self.refuse:
            raise RuntimeError("the user said no")
        self.called.append((tool, arguments))
        return without(self.site.call(tool, arguments), *self.strips)

    def _open(self, url: str) -> None:
        if "link" in self.refuse:
            raise RuntimeError("no links here")
        self.opened.append(url)

    def sent(self, method: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate("method => log.filter(m => m.method === method)", method)
        return found


def text_of(result: Mapping[str, Any]) -> str:
    return str(result["content"][0]["text"])


def ticket_of(result: Mapping[str, Any]) -> str:
    return str(result["structuredContent"]["ticket"]["id"])


def without(result: Mapping[str, Any], *parts: str) -> dict[str, Any]:
    """Return the result as a client passes it on that strips these parts."""
    return {name: value for name, value in result.items() if name not in parts}


FILLED = re.compile(r"^Filled 0\.001 BTC at [\d,.]+ at \d\d:\d\d:\d\d UTC$")


def outcome(card: FrameLocator, title: str | re.Pattern[str]) -> None:
    expect(card.locator("#outcome h2")).to_have_text(title)
