"""Axe finds nothing on any kind of order, on any end that one can come to, on the card's ends, nor behind a sign-in."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false
# Playwright's assertions and routes take patterns and handlers of types that it does not spell out.

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect
from support.browsing import visit
from web.axe import axe
from web.cards import BUY, Client, outcome
from web.clocked import approve_on_a_clock, let_it_fill
from web.test_accessibility import BTC, OCO, PIN, REFUSED, MakeSite, NewPage, Scheme, schemes, show

from gunbot_mcp.tickets.channels import TERMINAL

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CLOSE: dict[str, Any] = {"exchange": "bybit", "pair": "USDT-BTC-LONG", "amount": 0.001}
KINDS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "a limit buy": ("buy_limit", {**BTC, "price": 49500}),
    "a market buy": ("buy_market", BTC),
    "a market sell": ("sell_market", BTC),
    "a stop-limit sell with a warning": ("sell_stop_limit", {**BTC, "stop_price": 49000, "limit_price": 45000}),
    "a trailing stop": ("sell_trailing_stop", {**BTC, "price": 49500, "stop_price": 49000}),
    "an OCO": ("sell_oco", {**BTC, "price": 53000, "stop_price": 49000, "limit_price": 48900}),
    "a close at a limit": ("close_limit", {**CLOSE, "price": 52000}),
    "a close at the market": ("close_market", CLOSE),
}


@schemes
def test_axe_finds_nothing_on_any_kind_of_order(make_site: MakeSite, new_page: NewPage, scheme: Scheme) -> None:
    found = axe("kinds of orders")
    site = make_site(cancel="ask")
    site.set_pin(PIN)
    with new_page(color_scheme=scheme) as page:
        for state, (tool, arguments) in KINDS.items():
            show(page, site, f"/tickets/{site.propose(tool, **arguments).id}")
            found.look(state, page)
        protects = site.propose("sell_stop_limit", **BTC, stop_price=49100, limit_price=49000)
        protects = site.portal.call(lambda: site.desk.approve(protects.id, by=TERMINAL))
        cancel = {"order_id": protects.observed.order_ids[0], "price": 49000, "order_type": "limit"}
        market = {"exchange": "binance", "pair": "USDT-BTC"}
        show(page, site, f"/tickets/{site.propose('cancel_order', **market, **cancel).id}")
        expect(page.locator(".warnings")).to_contain_text("is a stop")
        found.look("a cancel that takes a protection", page)
        show(page, site, "/")
        for amount in ("You get the market price", "Spends nothing", "You pay at most 51.57 USDT"):
            expect(page.locator(".amount").filter(has_text=amount)).to_have_count(1)
        found.look("the front with all of them", page)
    assert found.found == [], found.report()


@schemes
def test_axe_finds_nothing_on_the_ends_of_orders(make_site: MakeSite, new_page: NewPage, scheme: Scheme) -> None:
    found = axe("the ends of orders")
    site = make_site()
    with new_page(color_scheme=scheme, quiet=False) as page:
        title = approve_on_a_clock(page, site, site.propose("buy_limit", **BTC, price=49000))
        found.look("accepted and open", page)
        let_it_fill(page, site, title)
        found.look("filled", page)
        site.price("51000")
        left = site.propose("buy_oco", **OCO)
        page.route("**/live", lambda route: route.abort())
        visit(page, f"{site.url}/tickets/{left.id}")
        page.clock.run_for(1000)
        page.clock.fast_forward(121_000)
        expect(page.locator("#countdown")).to_have_text("Expired")
        found.look("a page that was left open too long", page)
        site.clock.advance(timedelta(seconds=121))
        visit(page, f"{site.url}/tickets/{left.id}")
        expect(title).to_have_text("Expired: nothing was sent")
        found.look("expired", page)
        kept = site.propose("buy_limit", **BTC, price=49200)
        site.move(kept, "approved", "void")
        visit(page, f"{site.url}/tickets/{kept.id}")
        found.look("void", page)
    assert found.found == [], found.report()


@schemes
def test_axe_finds_nothing_on_the_ends_that_a_card_comes_to(
    make_site: MakeSite, new_page: NewPage, scheme: Scheme
) -> None:
    found = axe("the ends of cards")
    site = make_site()
    refusal = httpx2.Response(502, text="bad gateway")
    ends: Mapping[str, tuple[httpx2.Response | None, str]] = {
        "filled": (None, "^(Accepted by Gunbot|Filled )"),
        "rejected": (REFUSED, "^Rejected by Gunbot"),
        "unknown": (refusal, "^Unknown"),
    }
    for number, (state, (answer, title)) in enumerate(ends.items()):
        site.wire.answers.clear()
        if answer is not None:
            site.wire.answers["/api/v1/trade/buy"] = answer
        with new_page(color_scheme=scheme) as page:
            card = Client(page, site).show(site.call("buy_limit", {**BUY, "price": 51500 + number}), theme=scheme)
            card.get_by_role("button", name="Approve and send").click()
            outcome(card, re.compile(title))
            found.look(state, page.frames[1])
    site.wire.answers.clear()
    with new_page(color_scheme=scheme) as page:
        client = Client(page, site)
        card = client.show_on_a_clock(site.call("sell_limit", {**BUY, "price": 53000}))
        expect(card.get_by_role("button", name="Approve and send")).to_be_enabled()
        found.look("with its ladder", page.frames[1])
        client.expire()
        outcome(card, "Expired: nothing was sent")
        found.look("expired", page.frames[1])
    assert found.found == [], found.report()


def test_axe_finds_nothing_on_the_inbox_of_an_order_that_is_decided_elsewhere(
    make_site: Callable[..., Any], new_page: NewPage
) -> None:
    found = axe("the inbox")
    inbox = make_site(name="ours", inbox=True)
    server = make_site(name="theirs", live=True)
    server.set_pin(PIN)
    ticket = server.propose()
    with new_page(quiet=False) as page:
        show(page, inbox, "/")
        found.look("an order for another instance", page)
        server.portal.call(server.page.aclose)
        show(page, inbox, f"/tickets/{ticket.id}")
        found.look("what to write into the config", page)
    assert found.found == [], found.report()
