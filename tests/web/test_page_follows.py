"""The page's field for the PIN, a cancel's own words, and an order that is followed to its fill, in real Chromium."""

# pyright: reportUnknownMemberType=false
# Playwright's assertions take patterns of types that it does not spell out.

import re

import pytest
from playwright.sync_api import expect
from support.browsing import visit
from web.cards import MakeSite, NewPage
from web.clocked import approve_on_a_clock, let_it_fill

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PIN = "246810"


def test_the_pin_s_field_is_ready_to_type_in_and_enter_goes_on_to_the_button(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose()
    with new_page(height=420) as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        pin, approve = page.get_by_label("Your PIN"), page.get_by_role("button", name="Approve and send for real")
        expect(pin).to_be_focused()
        assert page.evaluate("scrollY") == 0  # the order is what one sees first
        expect(pin).to_have_accessible_description(re.compile("^Buy 0.001 BTC .*Enter here decides nothing"))
        expect(approve).to_be_enabled()
        page.keyboard.press("Enter")
        expect(pin).to_be_focused()  # empty: the browser asks for it
        page.keyboard.type(PIN)
        page.keyboard.press("Enter")
        expect(approve).to_be_focused()
        assert site.state(ticket) == "pending"
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Accepted by Gunbot")


def test_where_a_finger_types_no_keyboard_hides_the_order(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose()
    with new_page(width=390, has_touch=True, is_mobile=True) as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(page.get_by_role("button", name="Approve and send for real")).to_be_enabled()
        assert page.evaluate("document.activeElement.tagName") == "BODY"


def test_what_is_wrong_with_the_pin_stands_beside_its_field(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose()
    with new_page() as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        page.get_by_label("Your PIN").fill("000000")
        page.get_by_role("button", name="Approve and send for real").click()
        alert, pin = page.get_by_role("alert"), page.get_by_label("Your PIN")
        expect(alert).to_have_text(re.compile(r"^The PIN is wrong\. \d more tr"))
        expect(pin).to_have_attribute("aria-invalid", "true")
        expect(pin).to_have_accessible_description(re.compile("The PIN is wrong"))
        expect(pin).to_be_focused()
        field, said = pin.bounding_box(), alert.bounding_box()
        assert field is not None
        assert said is not None
        assert 0 <= said["y"] - (field["y"] + field["height"]) < 30


def test_a_cancel_has_its_own_words_and_says_which_protection_goes(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(cancel="ask")
    site.send("/api/v1/trade/buy", {"data": {"exch": "binance", "pair": "USDT-BTC", "amt": 0.001, "price": 49000}})
    order = str(
        site.call("list_open_orders", {"exchange": "binance", "pair": "USDT-BTC"})["structuredContent"]["rows"][0][0]
    )
    cancel = {"exchange": "binance", "pair": "USDT-BTC", "order_id": order, "price": 49000, "order_type": "limit"}
    ticket = site.propose("cancel_order", **cancel)
    with new_page() as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(page.locator(".warnings")).to_contain_text("then its protection goes, too.")
        expect(page.get_by_role("button", name="Cancel this order")).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
        page.get_by_role("button", name="Keep it").click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text(f"Kept: order {order} is not cancelled")
    assert site.state(ticket) == "declined"


def test_the_page_follows_an_accepted_order_to_its_fill(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    ticket = site.propose(exchange="binance", pair="USDT-BTC", amount=0.001, price=49000)
    with new_page() as page:
        title = approve_on_a_clock(page, site, ticket)
        let_it_fill(page, site, title)
        expect(page.locator("#outcome-lines")).to_contain_text("Order")


def test_buttons_that_settle_an_order_do_not_stand_under_a_line_that_sends_one_to_a_terminal(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    ticket = site.propose()
    site.move(ticket, "approved", "sending", "unknown")
    with new_page() as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(page.get_by_role("status")).not_to_contain_text("terminal")
        expect(page.get_by_role("button", name="The order never arrived")).to_be_visible()
        expect(page.locator("main")).to_contain_text(f"Or in a terminal: gunbot-mcp resolve {ticket.id}")
