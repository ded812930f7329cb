"""Axe finds nothing on any page in any state, light and dark, nor on the card."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false
# Playwright's assertions and routes take patterns and handlers of types that it does not spell out.

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from playwright.sync_api import Page, expect
from support.browsing import visit
from web.axe import Axe, axe
from web.cards import BUY, Client
from web.passkey_house import finger
from web.test_history_page import BERLIN, drawn, result_of, served, view, written

from gunbot_mcp.guard.halt import halt, resume
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.web.frame import Served
from gunbot_mcp.web.pages import render, render_door
from gunbot_mcp.web.passkey_view import touch_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MakeSite = Callable[..., Any]
NewPage = Callable[..., Any]
Scheme = Literal["light", "dark"]
PIN = "246 810"
BTC: dict[str, Any] = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001}
OCO = {**BTC, "price": 49000, "stop_price": 52500, "limit_price": 52600}
REFUSED = httpx2.Response(400, json={"status": "error", "message": "no funds"})
schemes = pytest.mark.parametrize("scheme", ["light", "dark"])


def show(page: Page, site: Any, path: str) -> None:  # noqa: ANN401 - a Site
    visit(page, f"{site.url}{path}")
    expect(page.locator("main")).to_be_visible()
    if page.locator("button.approve").count():
        # It is enabled after half a second: what is disabled is not looked at.
        expect(page.locator("button.approve").last).to_be_enabled()


@schemes
def test_axe_finds_nothing_on_a_ticket_that_waits(make_site: MakeSite, new_page: NewPage, scheme: Scheme) -> None:
    found: Axe = axe("a ticket that waits")
    site = make_site()
    live = make_site(live=True, port=0)
    with new_page(color_scheme=scheme, quiet=False) as page:
        oco = f"/tickets/{site.propose('buy_oco', **OCO).id}"
        show(page, site, oco)
        found.look("an OCO on paper", page)
        sold = f"/tickets/{site.propose('sell_market', client='<b>A client</b>', **BTC).id}"
        show(page, site, sold)
        page.locator("summary").first.click()
        page.locator("summary").last.click()
        found.look("one of two that wait, all opened", page)
        page.evaluate("document.getElementById('lost').hidden = false")
        found.look("the server is gone", page)
        site.wire.answers["/api/v1/market/orderbook"] = httpx2.Response(500)
        show(page, site, sold)
        found.look("no book", page)
        halt(site.folder, "lunch")
        visit(page, f"{site.url}{oco}")
        found.look("halted", page)
        resume(site.folder)

        ticket = f"/tickets/{live.propose('buy_limit', **BTC, price=50500).id}"
        visit(page, f"{live.url}{ticket}")
        found.look("live without a PIN", page)
        live.set_pin(PIN)
        show(page, live, ticket)
        found.look("live", page)
        sold = f"/tickets/{live.propose('sell_market', **BTC).id}"
        live.price("48000")
        show(page, live, sold)
        expect(page.get_by_text("this would not be sent")).to_be_visible()
        found.look("the market moved", page)
        live.price("51000")
        show(page, live, ticket)
        for attempt in range(6):
            if page.get_by_label("Your PIN").count() == 0:
                break
            page.get_by_label("Your PIN").fill("000000")
            page.locator("#approve button.approve").click()
            expect(page.get_by_role("alert").first).to_contain_text("PIN")
            if attempt == 0:
                found.look("a wrong PIN", page)
        found.look("too many wrong PINs", page)
    assert found.found == [], found.report()
    assert len(found.states) == 10


@schemes
def test_axe_finds_nothing_on_a_ticket_that_is_closed(make_site: MakeSite, new_page: NewPage, scheme: Scheme) -> None:
    found: Axe = axe("a ticket that is closed")
    site = make_site()
    site.set_pin(PIN)

    def closed(how: str) -> str:
        # Of an order under way or of unknown fate, the side is locked: the other one waits for its turn.
        tool, price = ("sell_limit", 52000) if how == "unknown" else ("buy_limit", 50000 + ord(how[0]))
        ticket = site.propose(tool, **BTC, price=price)
        form = site.open(ticket)
        match how:
            case "accepted":
                form.post("approve", pin=PIN)
            case "rejected":
                site.wire.answers["/api/v1/trade/buy"] = REFUSED
                form.post("approve", pin=PIN)
            case "declined":
                form.post("reject")
            case "sending":
                site.move(ticket, "approved", "sending")
            case _:
                site.move(ticket, "approved", "sending", "unknown")
        return f"/tickets/{ticket.id}"

    with new_page(color_scheme=scheme, quiet=False) as page:
        for how, tone in (
            ("accepted", "good"),
            ("declined", "calm"),
            ("rejected", "bad"),
            ("unknown", "unsure"),
            ("sending", "unsure"),
        ):
            show(page, site, closed(how))
            expect(page.locator(".outcome")).to_have_class(f"outcome {tone}")
            found.look(how, page)
        show(page, site, "/")
        found.look("the front with all of them", page)
    assert found.found == [], found.report()


@schemes
def test_axe_finds_nothing_on_the_front_and_the_doors(
    make_site: MakeSite, new_page: NewPage, scheme: Scheme, tmp_path: Path
) -> None:
    found: Axe = axe("the front and the doors")
    (tmp_path / "history").mkdir()
    site = served(make_site, tmp_path / "history")
    shut = make_site(login=True)
    with new_page(color_scheme=scheme, quiet=False) as page:
        show(page, site, "/")
        found.look("an empty front", page)
        show(page, site, BERLIN)
        found.look("the history", page)
        show(page, site, "/nothing")
        found.look("an error", page)
        show(page, shut, "/")
        found.look("the door", page)
        page.get_by_label("Your PIN").fill("000000")
        page.get_by_role("button").click()
        expect(page.get_by_role("alert")).to_be_visible()
        found.look("the door after a wrong PIN", page)
        site.propose(**BTC, price=50000)
        site.propose("buy_oco", client="Cursor", **OCO)
        site.set_pin(PIN)
        show(page, site, "/")
        found.look("a full front", page)
        halt(site.folder, "lunch")
        show(page, site, "/")
        found.look("a halted front", page)
        _resume_wrongly(page)
        found.look("resuming with a wrong PIN", page)
        resume(site.folder)

        show(page, site, "/passkeys")
        found.look("passkeys at a number", page)
        finger(page)
        at_home = site.url.replace("127.0.0.1", "localhost")
        visit(page, f"{at_home}/passkeys")
        page.get_by_label("A name for it").fill("laptop")
        found.look("no passkey yet", page)
        page.get_by_label("Your PIN").fill(PIN)
        page.get_by_role("button", name="Register a passkey").click()
        page.get_by_text("laptop", exact=True).wait_for()
        found.look("a passkey", page)
        visit(page, f"{at_home}/tickets/{site.propose(**BTC, price=50001).id}")
        expect(page.get_by_role("button", name="Approve with your passkey")).to_be_enabled()
        found.look("a touch or the PIN", page)
        halt(site.folder, "lunch")
        visit(page, f"{at_home}/")
        found.look("a halted front with a passkey", page)
        resume(site.folder)
        for state, text in _doors().items():
            visit(page, "about:blank")
            page.set_content(text)
            found.look(state, page)
    assert found.found == [], found.report()


def _resume_wrongly(page: Page) -> None:
    page.get_by_label("Your PIN").fill("000000")
    page.get_by_role("button", name="Resume trading").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Trading stays halted")


def _doors() -> Mapping[str, str]:
    at = Served(instance="main", live=True, news=('Passkey "laptop" was registered at 12:00:00 UTC',))
    lines = ("Approve and send: Buy 0.001 BTC", "This is what the touch signs")

    def touch(*, problem: str = "", done: bool = False) -> str:
        return render("touch.html", *touch_page(at, lines, token="0", options="{}", problem=problem, done=done))

    return {
        "what a terminal asks for": touch(),
        "a touch that does not count": touch(problem="the passkey's answer does not count"),
        "a touch that was given": touch(done=True),
        "signing in": render_door("sign_in.html", again=False).replace("<details>", "<details open>"),
        "halting from afar": render_door("halt.html", token="0"),
    }


@schemes
def test_axe_finds_nothing_on_a_chart_in_a_client(new_page: NewPage, scheme: Scheme, tmp_path: Path) -> None:
    found: Axe = axe("a chart in a client")
    result = result_of(drawn(written(tmp_path), {"chart": "days", "since": "2026-10-12"}))
    with new_page(color_scheme=scheme) as page:
        card = view(page, result, theme=scheme)
        expect(card.locator("svg")).to_be_visible()
        found.look("a chart", page.frames[1])
    assert found.found == [], found.report()


@schemes
def test_axe_finds_nothing_on_the_card(make_site: MakeSite, new_page: NewPage, scheme: Scheme) -> None:
    found: Axe = axe("the card")
    site = make_site(live=True, buttons="always")
    states: dict[str, Callable[[dict[str, Any]], None]] = {
        "it waits": lambda _: None,
        "declined": lambda result: site.portal.call(
            lambda: site.desk.decline(result["structuredContent"]["ticket"]["id"], by=TERMINAL)
        ),
    }
    for state, happens in states.items():
        result = site.call("buy_limit", {**BUY, "price": 50000 + ord(state[0])})
        happens(result)
        with new_page(color_scheme=scheme) as page:
            card = Client(page, site).show(result, theme=scheme)
            if state == "it waits":
                expect(card.get_by_role("button", name="Approve and send")).to_be_enabled()
            else:
                expect(card.locator("#outcome-title")).to_have_text("Declined")
            found.look(state, page.frames[1])
    with new_page(color_scheme=scheme) as page:
        card = Client(page, site).show(site.call("buy_limit", {**BUY, "amount": 100}), theme=scheme)
        expect(card.get_by_role("alert")).to_be_visible()
        found.look("refused", page.frames[1])
    with new_page(color_scheme=scheme) as page:
        card = Client(page, site).show(None, theme=scheme)
        expect(card.locator("#waiting")).to_be_visible()
        found.look("nothing yet", page.frames[1])
    assert found.found == [], found.report()
