"""Two orders that differ in nothing but the market never read the same: not in any place where a human reads one."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import combinations, product
from typing import Any

import pytest
from support.made import NOON

from gunbot_mcp.approval.forms import form_for
from gunbot_mcp.config import Limits
from gunbot_mcp.domain import Cancel, Intent
from gunbot_mcp.endpoints import BY_NAME, ENDPOINTS
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.guard.market import BookView
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.notional import worst_case
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.proceeds import Costs, proceeds
from gunbot_mcp.tickets.sentences import sentence
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.tickets.view import card_view, ticket_answer
from gunbot_mcp.web.front import Lists, front_page
from gunbot_mcp.web.pages import render
from gunbot_mcp.web.view_model import Form, Served, closed_page, open_page

MakeTicket = Callable[..., Ticket]
TOOLS = [endpoint.name for endpoint in ENDPOINTS if endpoint.intent]
NUMBERS = {"amount": 0.001, "price": 50000, "stop_price": 51000, "limit_price": 51100}
EXCHANGES = ("binance", "binance#2", "binanceFutures", "bybit", "bybit#2", "bitmex", "krakenFutures", "okex5", "new")
PAIRS = (
    *("USDT-BTC", "USDT-BTC-LONG", "USDT-BTC-SHORT", "USDT-BTC-PERP", "USDT-BTC-260327", "USD-BTC", "USD-BTC-200417"),
    *("XBT-USD", "XBT-MONTH", "XBT-QUART", "XBTUSD", "BTC-USDT", "USDTBTC", "USDT-BTC-LONG-2"),
)
BOOK = Book(bid=Decimal(49990), ask=Decimal(50000))
VIEW = BookView(at="12:00:00 UTC", moment="2030-01-02T12:00:00Z", bid="49,990", ask="50,000")
SERVED = Served(instance="gunbot", live=True)
FORM = Form(token="0" * 64, pin=False, locked=0, obstacle=None)


@pytest.fixture
def proposed(make_ticket: MakeTicket) -> Callable[..., Ticket]:
    """Make the ticket of an order as the desk does, always with the same id; only the order differs."""

    def make(tool: str, exchange: str, pair: str, numbers: Mapping[str, float] = NUMBERS) -> Ticket:
        endpoint = BY_NAME[tool]
        fields: dict[str, Any] = {"exchange": exchange, "pair": pair, **numbers, "order_id": "7", "order_type": "limit"}
        args = endpoint.args.model_validate(
            {name: fields[name] for name in endpoint.args.model_fields if name in fields}
        )
        order = Order.of(endpoint, args)
        model = make_ticket(notional=Decimal(50), asset="USDT", quote={"bid": "49990", "ask": "50000"})
        return replace(model, order=order, summary=_sentence(order.intent))

    return make


def _sentence(intent: Intent) -> str:
    worst = None
    if not isinstance(intent, Cancel):
        try:
            worst = worst_case(intent, BOOK, Limits())
        except GunbotMcpError:  # its pair does not say which asset pays
            worst = None
    return sentence(intent, worst, gets=proceeds(intent, BOOK, Costs.of(Limits())))


def _visible(html: str) -> str:
    """Return what a page shows at once: no style, no script, no details that must be opened."""
    shown = re.sub(r"<(style|script|details)\b.*?</\1>", "", html, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", "", shown)


def places(ticket: Ticket) -> Iterator[tuple[str, str]]:
    """Yield every place where a human or a model reads of an order, with what it says."""
    yield "sentence", ticket.summary
    yield "form", form_for(ticket, "nonce", Limits()).message
    yield "answer", ticket_answer(ticket).text
    card = card_view(ticket)
    yield "card", card["headline"]["what"] + card["headline"]["worth"]
    page = render("open.html", *open_page(SERVED, ticket, VIEW, FORM, left=9, version="1", failure=None))
    yield "page", _visible(page)
    yield "title", re.findall("<title>(.*?)</title>", page)[0]
    closed = replace(ticket, state=State.EXPIRED)
    yield "closed page", _visible(render("closed.html", *closed_page(SERVED, closed, None)))
    for lists in (Lists([ticket], []), Lists([], [closed])):
        listed = render("list.html", *front_page(SERVED, lists, NOON, version="1", switch=None, able=[ticket.instance]))
        yield "list", _visible(listed)


@pytest.mark.parametrize("tool", TOOLS)
def test_no_two_markets_read_the_same_in_any_place(tool: str, proposed: Callable[..., Ticket]) -> None:
    markets = list(product(EXCHANGES, PAIRS))
    said = {market: _sentence(proposed(tool, *market).order.intent) for market in markets}
    assert len(set(said.values())) == len(markets), [
        (one, other, said[one]) for one, other in combinations(markets, 2) if said[one] == said[other]
    ]
    # One exchange is enough to see that no place leaves out a part of the sentence.
    told = [list(places(proposed(tool, "bybit", pair))) for pair in PAIRS]
    for texts in zip(*told, strict=True):
        assert len({text for _, text in texts}) == len(PAIRS), texts[0][0]


@pytest.mark.parametrize("tool", TOOLS)
def test_every_place_says_long_or_short_and_the_whole_name(tool: str, proposed: Callable[..., Ticket]) -> None:
    for pair in ("USDT-BTC-LONG", "USDT-BTC-SHORT", "USDT-BTC-260327", "XBT-QUART", "USDT-BTC-PERP"):
        for place, text in places(proposed(tool, "bybit#2", pair)):
            assert pair in text, place
            assert "bybit#2" in text, place


@pytest.mark.parametrize("tool", TOOLS)
def test_no_place_cuts_off_a_part_of_the_longest_sentence(tool: str, proposed: Callable[..., Ticket]) -> None:
    longest = {
        name: number + place * 1e-19 for place, (name, number) in enumerate(dict.fromkeys(NUMBERS, 1.23456e-18).items())
    }
    pair = f"{'P' * 29}-{'T' * 29}-LONG"
    ticket = proposed(tool, "x" * 61 + "#22", pair, longest)
    for place, text in places(ticket):
        assert ticket.summary in text, place
        assert "…" not in text, place
