"""Wherever a page asks for the PIN: what is wrong with it stands beside its field, and Enter there decides nothing."""

# pyright: reportUnknownMemberType=false
# Playwright's assertions take patterns of types that it does not spell out.

import re

import pytest
from playwright.sync_api import Page, expect
from support.browsing import visit
from web.cards import MakeSite, NewPage

from gunbot_mcp.guard.halt import halt, halted

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PIN = "246810"


def wrong_beside_its_field(page: Page) -> None:
    """Expect that the page says beside its one PIN field, and nowhere else, that the PIN is wrong."""
    pin, alert = page.get_by_label("Your PIN"), page.locator(".pin").get_by_role("alert")
    expect(alert).to_have_text(re.compile(r"^The PIN is wrong"))
    expect(pin).to_have_accessible_description(re.compile("The PIN is wrong"))
    assert page.locator("main").inner_text().count("PIN is wrong") == 1


def test_settling_an_order_says_beside_the_field_that_the_pin_is_wrong(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose()
    site.move(ticket, "approved", "sending", "unknown")
    with new_page() as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        page.get_by_label("Your PIN").fill("000000")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="The order arrived")).to_be_focused()
        page.get_by_role("button", name="The order never arrived").click()
        wrong_beside_its_field(page)
        expect(page.get_by_label("Your PIN")).to_be_focused()
        page.keyboard.type(PIN)
        page.get_by_role("button", name="The order never arrived").click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text(re.compile("^Void"))


def test_resuming_says_beside_the_field_that_the_pin_is_wrong_and_lets_one_try_again_there(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    site.set_pin(PIN)
    halt(site.folder, "lunch")
    with new_page() as page:
        visit(page, f"{site.url}/")
        page.get_by_label("Your PIN").fill("000000")
        page.keyboard.press("Enter")
        resume = page.get_by_role("button", name="Resume trading")
        expect(resume).to_be_focused()
        assert halted(site.folder) == "lunch"
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Trading stays halted")
        expect(page.locator("main")).to_contain_text("Trading is halted: lunch.")
        wrong_beside_its_field(page)
        expect(page.get_by_label("Your PIN")).to_be_focused()
        page.keyboard.type(PIN)
        resume.click()
        expect(page).to_have_url(f"{site.url}/")
    assert halted(site.folder) is None


def test_without_a_script_enter_in_the_pin_s_field_resumes_nothing(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    site.set_pin(PIN)
    halt(site.folder, "lunch")
    with new_page(java_script_enabled=False) as page:
        visit(page, f"{site.url}/")
        page.get_by_label("Your PIN").fill(PIN)
        page.keyboard.press("Enter")
        assert halted(site.folder) == "lunch"
        page.get_by_role("button", name="Resume trading").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("No open tickets")
    assert halted(site.folder) is None


def test_the_door_has_its_field_ready_and_says_beside_it_that_the_pin_is_wrong(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site(login=True)
    site.set_pin(PIN)
    with new_page(quiet=False) as page:
        visit(page, f"{site.url}/")
        expect(page.get_by_label("Your PIN")).to_be_focused()
        page.keyboard.type("000000")
        page.keyboard.press("Enter")
        wrong_beside_its_field(page)
        expect(page.get_by_label("Your PIN")).to_be_focused()
        page.keyboard.type(PIN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("No open tickets")


def test_registering_a_passkey_says_beside_the_field_that_the_pin_is_wrong(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    site.set_pin(PIN)
    with new_page(quiet=False) as page:
        visit(page, f"{site.url.replace('127.0.0.1', 'localhost')}/passkeys")
        page.get_by_label("A name for it").fill("laptop")
        page.get_by_label("Your PIN").fill("000000")
        page.get_by_role("button", name="Register a passkey").click()
        wrong_beside_its_field(page)
        expect(page.get_by_label("Your PIN")).to_be_focused()
        page.get_by_label("A name for it").fill("")
        page.get_by_role("button", name="Register a passkey").click()
        expect(page.get_by_label("A name for it")).to_have_accessible_description(re.compile("fill out"))
        expect(page.get_by_label("A name for it")).to_be_focused()
