"""`gunbot-mcp demo`: the whole job on a bare machine, narrated, in well under twenty seconds.

A real MCP client (the SDK's own) starts `gunbot-mcp serve` as a child over stdio, on a paper instance in a temporary
folder. The demo plays both the assistant, which proposes, and the human, who decides in the client's form. Every step
is checked; a step that does not do what it says ends the demo with an exit code that is not 0.
"""

import functools
import os
import site
import sys
import tempfile
import textwrap
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
import httpx2
from mcp import Client, StdioServerParameters, types
from rich.console import Console
from rich.text import Text

from gunbot_mcp import __version__
from gunbot_mcp.config import Instance, Settings
from gunbot_mcp.domain import Effect
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.guard import halt
from gunbot_mcp.render import ERROR_META, from_millis
from gunbot_mcp.runtime import PaperTransport

CONFIG = """\
# made by gunbot-mcp demo
instance = "paper"

[approval]
wait = 60

[instances.paper]
market = "manual"
"""
BTC = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001}
LONG = {"exchange": "bybit", "pair": "USDT-BTC-LONG", "amount": 0.001}
ORDERS: Mapping[str, Mapping[str, Any]] = {
    "buy_market": BTC,
    "sell_market": BTC,
    "buy_limit": {**BTC, "price": 50500},
    "sell_limit": {**BTC, "price": 51800},
    "buy_stop_limit": {**BTC, "stop_price": 51500, "limit_price": 51600},
    "sell_stop_limit": {**BTC, "stop_price": 50000, "limit_price": 49900},
    "buy_trailing_stop": {**BTC, "price": 51000, "stop_price": 51300},
    "sell_trailing_stop": {**BTC, "price": 51000, "stop_price": 50600},
    "buy_oco": {**BTC, "price": 49000, "stop_price": 52500, "limit_price": 52600},
    "sell_oco": {**BTC, "price": 52000, "stop_price": 49000, "limit_price": 48900},
    "close_limit": {**LONG, "price": 51500},
    "close_market": LONG,
}
"""Chapter 4: one order of each kind, in the order in which they are placed."""
KEY = "binance/USDT-BTC"
ME = types.Implementation(name="the demo's assistant", version=__version__)
Context = Any  # the SDK's client context, which the form does not need


class DemoFailed(GunbotMcpError):
    """A step did not do what it says."""


@dataclass
class Human:
    """The human of the demo: decides in the form as the story wants, and remembers what the form said."""

    decisions: list[str] = field(default_factory=list[str])
    read: list[str] = field(default_factory=list[str])

    async def answer(self, context: Context, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        self.read.append(params.message)
        decision = self.decisions.pop(0) if self.decisions else "approve"
        return types.ElicitResult(action="accept", content={"decision": decision})


@dataclass
class Story:
    """Prints what happens, and stops at the first step that fails."""

    client: Client
    human: Human
    console: Console
    gateway: httpx2.AsyncClient
    accepted: int = 0

    def chapter(self, title: str) -> None:
        self.console.print(Text(f"\n{title}", "bold cyan"))

    def line(self, text: str, style: str = "") -> None:
        for part in text.splitlines():
            self._print("", part, style)

    def _print(self, mark: str, text: str, style: str = "", mark_style: str = "") -> None:
        """Print a line that breaks between words; its further lines are indented. A word is never split."""
        first = f"  {mark} " if mark else "  "
        for row in textwrap.wrap(
            text,
            self.console.width,
            initial_indent=first,
            subsequent_indent=" " * (4 if mark else 2),
            break_long_words=False,
            break_on_hyphens=False,
        ):
            shown = Text(row, style)
            if mark and row.startswith(first):
                shown.stylize(mark_style, 0, len(first))
                first = "\0"
            self.console.print(shown, soft_wrap=True, highlight=False)

    def table(self, answer: Mapping[str, Any]) -> None:
        """Print a tool's table in aligned columns, Gunbot's milliseconds as instants."""
        columns: Sequence[str] = answer["columns"]
        rows = [[_cell(name, value) for name, value in zip(columns, row, strict=True)] for row in answer["rows"]]
        widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
        for cells in (columns, *rows):
            shown = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            self.console.print(Text(f"    {shown}".rstrip()), soft_wrap=True, highlight=False)

    def check(self, holds: bool, what: str) -> None:
        self._print("✓" if holds else "✗", what, mark_style="green" if holds else "red")
        if not holds:
            raise DemoFailed(f"the demo expected: {what}", "please report it with the lines above")

    async def call(self, tool: str, **arguments: object) -> types.CallToolResult:
        result = await self._call(tool, arguments)
        self._print("assistant →", f"{tool}({_given(arguments)})", mark_style="dim")
        return result

    async def _call(self, tool: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Call a tool, and count the orders and cancels that were accepted."""
        result = await self.client.call_tool(tool, arguments)
        answer: Mapping[str, Any] = result.structured_content or {}
        if tool in BY_NAME and answer.get("status") == "accepted":
            self.accepted += 1
        return result

    async def order(self, tool: str, **arguments: object) -> Mapping[str, Any]:
        """Place one order that the human approves, and print it as one line."""
        result = await self._call(tool, arguments)
        answer: Mapping[str, Any] = result.structured_content or {}
        own = {name: value for name, value in arguments.items() if name not in BTC}
        asked = f"{tool}({_given(own)})"
        if answer.get("status") != "accepted":
            self.line(text_of(result))
            self.check(False, f"the human approved, and {asked} was accepted")
        self.check(True, f"{asked}: {_found(answer.get('observed'))}")
        return answer

    async def move_price(self, price: float) -> None:
        """Move the paper market, as the exchange would."""
        body = {"data": {"exch": "binance", "pair": "USDT-BTC", "price": price}}
        response = await self.gateway.post("/api/v1/paper/price", json=body)
        self.check(response.is_success, f"the market moves: BTC now {price:g} USDT")

    async def open_orders(self) -> list[dict[str, Any]]:
        result = await self.client.call_tool("list_open_orders", {"exchange": "binance", "pair": "USDT-BTC"})
        found: Mapping[str, Any] = result.structured_content
        return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]

    async def fills(self) -> int:
        result = await self.client.call_tool("list_orders_page", {"key": KEY, "page": 0, "page_size": 1})
        return int(result.structured_content["total"])


def by_itself() -> int:
    """Play the demo whose human is played too; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="gunbot-mcp-demo-") as home:
        config = Path(home) / "config.toml"
        config.write_text(CONFIG, encoding="utf-8")
        anyio.run(_demo, Path(home), config)
    return 0


def surroundings(home: Path, config: Path) -> dict[str, str]:
    """Return the environment of the demo's children: nothing of it is the user's, who keeps what was installed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GUNBOT_")}
    return {
        **own,
        "GUNBOT_MCP_HOME": str(home),
        "GUNBOT_MCP_CONFIG": str(config),
        # A home of its own: the user's switch is not the demo's to look at. What was installed for this user stays.
        **dict.fromkeys(("HOME", "USERPROFILE"), str(home / "user")),
        "PYTHONUSERBASE": site.getuserbase(),
    }


def server_in(home: Path, config: Path) -> StdioServerParameters:
    """Return how an assistant's client starts the demo's server."""
    args = ["-m", "gunbot_mcp", "serve"]
    return StdioServerParameters(command=sys.executable, args=args, env=surroundings(home, config))


def market_of(home: Path) -> httpx2.AsyncClient:
    """Return a way to the paper gateway of the demo's server, by which its prices are moved."""
    settings = Settings.model_construct(home=home, instances={"paper": Instance(market="manual")}, instance="paper")
    return httpx2.AsyncClient(transport=PaperTransport(settings), base_url="http://paper.invalid")


@asynccontextmanager
async def _story(home: Path, config: Path) -> AsyncGenerator[Story]:
    human = Human()
    async with (
        market_of(home) as gateway,
        Client(server_in(home, config), mode="legacy", elicitation_callback=human.answer, client_info=ME) as client,
    ):
        yield Story(client=client, human=human, console=Console(), gateway=gateway)


async def _demo(home: Path, config: Path) -> None:
    async with _story(home, config) as story:
        story.line("gunbot-mcp demo: paper gateway, real MCP client, and you would be the human.", "bold")
        await _look_around(story)
        await _first_order(story)
        await _refusals(story, home)
        await _every_kind(story)
        await _market_moves(story)
        await _history(story)
        story.chapter("Everything did what it says.")
        story.line("Next: gunbot-mcp install claude-desktop")


async def _look_around(story: Story) -> None:
    story.chapter("1. What the assistant can do")
    tools = (await story.client.list_tools()).tools
    orders = [tool.name for tool in tools if tool.annotations and tool.annotations.destructive_hint]
    tickets = [tool.name for tool in tools if tool.name.endswith(("_ticket", "_tickets"))]
    reads = [tool.name for tool in tools if tool.name not in {*orders, *tickets}]
    for word, names in (("Reads", reads), ("Orders", orders), ("Tickets", tickets)):
        story.line(f"{word}: {', '.join(names)}")
    trades = [row.name for row in BY_NAME.values() if row.effect is not Effect.READ]
    story.check(orders == trades, f"{len(tools)} tools, of which {len(orders)} can trade or cancel")
    quote = await story.call("get_quote", exchange="binance", pair="USDT-BTC")
    story.line(text_of(quote))
    story.check(quote.structured_content["ask"] > quote.structured_content["bid"] > 0, "there is a market")


async def _first_order(story: Story) -> None:
    story.chapter("2. The assistant proposes, the human decides")
    placed = await story.call("buy_limit", **BTC, price=50000)
    answer: Mapping[str, Any] = placed.structured_content or {}
    story.line(text_of(placed).partition("\n")[2].partition("\n")[0] or text_of(placed))
    story.check(answer.get("status") == "accepted", "the human approved, and the order was accepted")
    story.line("The form that the human saw:", style="dim")
    story.line(story.human.read[-1], style="yellow")
    story.check("at most 50.05 USDT" in story.human.read[-1], "the form names the assets and the worst case")
    observed = answer["observed"]
    story.check(observed is not None, f"the order rests on the exchange as {observed and observed['order_id']}")
    story.human.decisions = ["reject"]
    declined = await story.call("buy_limit", **{**BTC, "amount": 0.002}, price=50000)
    story.line(text_of(declined).splitlines()[0])
    story.check(declined.structured_content["status"] == "declined", "the human said no, and nothing was sent")
    cancelled = await story.call(
        "cancel_order",
        exchange="binance",
        pair="USDT-BTC",
        order_id=observed["order_id"],
        price=50000,
        order_type="limit",
    )
    story.line(text_of(cancelled).splitlines()[0])
    story.check(cancelled.structured_content["status"] == "accepted", "an entry order is cancelled without asking")
    story.check(not await story.open_orders(), "no order is open any more")


async def _refusals(story: Story, home: Path) -> None:
    story.chapter("3. What is refused before anybody is asked")
    asked, filled = len(story.human.read), await story.fills()
    refused = functools.partial(_refused, story)
    await refused("limit_exceeded", "buy_limit", **{**BTC, "amount": 0.1}, price=50000)
    await refused("price_out_of_band", "buy_limit", **BTC, price=90000)
    kraken = {**BTC, "exchange": "kraken"}
    await refused("not_supported", "sell_oco", **kraken, price=52000, stop_price=50000, limit_price=49900)
    await refused("invalid_arguments", "buy_limit", **{**BTC, "amount": "lots"}, price=50000)
    await refused("invalid_arguments", "sell_limit", **BTC, prise=52000)
    await anyio.to_thread.run_sync(halt.halt, home, "the demo pulls the switch")
    await refused("halted", "buy_market", **BTC)
    await anyio.to_thread.run_sync(halt.resume, home)
    unasked = len(story.human.read) == asked
    unsent = not await story.open_orders() and await story.fills() == filled
    story.check(unasked and unsent, "nobody was asked, and nothing was sent")


async def _refused(story: Story, code: str, tool: str, **arguments: object) -> None:
    result = await story.call(tool, **arguments)
    error: Mapping[str, Any] = (result.meta or {}).get(ERROR_META, {})
    story.line(f"{error.get('message')}", style="dim")
    story.check(bool(result.is_error) and error.get("code") == code, f"refused: {code}")


async def _every_kind(story: Story) -> None:
    story.chapter("4. One order of each kind, each approved by the human")
    story.line("0.001 BTC each, on binance/USDT-BTC; the last two close a position on bybit/USDT-BTC-LONG.")
    asked = len(story.human.read)
    for tool, arguments in ORDERS.items():
        await story.order(tool, **arguments)
    others = [row.name for row in BY_NAME.values() if row.effect is Effect.ORDER and row.name not in ORDERS]
    if others:
        story.line(f"Not shown here: {', '.join(others)}")
    times = len(ORDERS)
    story.check(len(story.human.read) - asked == times, f"the human was asked {times} times, once for each")


async def _market_moves(story: Story) -> None:
    story.chapter("5. The market moves, and orders fill")
    before, resting = await story.fills(), len(await story.open_orders())
    story.line(f"{resting} orders rest, {before} have filled")
    for price in (50400, 51900, 52100, 51600):
        await story.move_price(price)
        open_now, filled = await story.open_orders(), await story.fills()
        story.line(f"{len(open_now)} rest, {filled} have filled")
    left = await story.open_orders()
    story.check(await story.fills() > before, "orders filled as the price reached them")
    groups = [order for order in left if order["side"] == "sell" and order["price"] in {52000, 48900}]
    story.check(not groups, "one leg of the OCO filled, and the other was cancelled")
    kinds = {order["kind"] for order in left}
    story.check("trailing_stop" not in kinds, "the trailing stops followed the market, turned, and filled")


async def _history(story: Story) -> None:
    story.chapter("6. What happened?")
    fields = ["time", "type", "rate", "amount", "fees", "pnl"]
    size = 5
    page = await story.call("list_orders_page", key=KEY, page=0, page_size=size, fields=fields)
    story.line(text_of(page).partition("\n")[0])
    story.table(page.structured_content)
    story.check(len(page.structured_content["rows"]) == size, f"a page of the newest {size} orders")
    whole = await story.call("list_orders", key=KEY, fields=["id"])
    story.check(len(whole.structured_content["rows"]) == page.structured_content["total"], "all orders of the pair")
    today = await story.call("list_orders_today", timezone="Europe/Berlin", keys=[KEY])
    story.check(not today.is_error, "today's counts")
    counts: Mapping[str, Any] = today.structured_content
    names = ["days", "orders", "closeOrders"]
    story.table({"columns": names, "rows": list(zip(*(counts[name] for name in names), strict=True))})
    keys = [KEY, "bybit/USDT-BTC-LONG"]
    size, fields = 3, ["pair", "type", "rate"]
    multi = await story.call("list_orders_page_multi", keys=keys, page=0, page_size=size, fields=fields)
    story.line(text_of(multi).partition("\n")[0])
    story.table(multi.structured_content)
    story.check(len(multi.structured_content["rows"]) == size, "a page over two pairs")
    tickets = await story.call("list_tickets", count=100)
    states = [row[1] for row in tickets.structured_content["rows"]]
    story.check(states.count("accepted") == story.accepted, "the ledger has every order, and who approved it")


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


def _given(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_listed(value)}" for name, value in arguments.items())


def _listed(value: object) -> str:
    return ",".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)


def _found(observed: Mapping[str, Any] | None) -> str:
    """Say where an accepted order is by now."""
    if observed is None:
        return "accepted, not seen yet"
    where = f"filled at {observed['price']}" if observed.get("filled") else "rests"
    return f"{where} as {observed['order_id']}"


def _cell(name: str, value: object) -> str:
    if name == "time":
        return from_millis(value) or str(value)
    return f"{value:.8g}" if isinstance(value, float) else str(value)
