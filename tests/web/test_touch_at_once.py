"""`touch_at_once`: the link of a notice asks for the touch by itself, and nothing else ever does.

Chromium's own authenticator touches as soon as it is asked, so whatever asks without being meant to sends an order.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Playwright's assertions take patterns of types that it does not spell out.

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from starlette.requests import Request
from support.browsing import follow, visit
from web.passkey_house import House, finger, register

from gunbot_mcp.web.gate import is_from_outside

NewPage = Callable[..., Any]
ASKED = "window.asked"
COUNTS_PROMPTS = """
window.asked = 0;
const ask = navigator.credentials?.get.bind(navigator.credentials);
if (ask) navigator.credentials.get = (...given) => { window.asked += 1; return ask(...given); };
"""
AT_ONCE: Mapping[str, Any] = {"live_needs": "passkey", "touch_at_once": True}
LONGER_THAN_ITS_PAUSE = "new Promise((done) => setTimeout(done, 1500))"
WITHOUT_FOCUS = 'Object.defineProperty(document, "hasFocus", { value: () => false });'


def asks_after_all(page: Page) -> int:
    """Return how often this page asked for a touch, once it had the time to."""
    page.evaluate(LONGER_THAN_ITS_PAUSE)
    return int(page.evaluate(ASKED))


def from_another_site(page: Page, house: House) -> None:
    follow(page, f"{house.propose()}#touch")


def from_our_front(page: Page, house: House) -> None:
    """Follow the front page's own link, as if it ended like a notice's."""
    house.propose()
    visit(page, house.url)
    link = page.get_by_role("link", name=re.compile("^Buy 0.001 BTC")).first
    link.evaluate("(found) => found.setAttribute('href', found.getAttribute('href') + '#touch')")
    link.click()
    page.wait_for_url("**#touch")


def without_the_mark(page: Page, house: House) -> None:
    """Open the address that the assistant and `open = "browser"` know."""
    visit(page, house.propose())


def in_a_window_without_focus(page: Page, house: House) -> None:
    page.add_init_script(WITHOUT_FOCUS)
    visit(page, f"{house.propose()}#touch")


def once_the_config_says_no(page: Page, house: House) -> None:
    house.says("touch_at_once = true", "touch_at_once = false")
    visit(page, f"{house.propose()}#touch")


def with_a_warning(page: Page, house: House) -> None:
    visit(page, f"{house.propose(price=51200)}#touch")
    expect(page.get_by_text("it fills at once")).to_be_visible()


NEVER = (
    from_another_site,
    from_our_front,
    without_the_mark,
    in_a_window_without_focus,
    once_the_config_says_no,
    with_a_warning,
)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("come", NEVER)
def test_no_other_way_to_an_order_asks_before_a_press(
    come: Callable[[Page, House], None], make_house: Callable[..., Any], new_page: NewPage
) -> None:
    house: House
    with make_house(**AT_ONCE) as house, new_page() as page:
        finger(page)
        register(page, house)
        page.add_init_script(COUNTS_PROMPTS)
        come(page, house)
        expect(page.get_by_role("button", name="Approve with your passkey")).to_be_enabled()
        assert asks_after_all(page) == 0
        assert house.gunbot.trades == []


@pytest.mark.browser
@pytest.mark.slow
def test_a_touch_that_is_refused_decides_nothing_and_is_not_asked_for_again(
    make_house: Callable[..., Any], new_page: NewPage
) -> None:
    house: House
    with make_house(**AT_ONCE) as house, new_page() as page:
        cdp, device = finger(page)
        register(page, house)
        page.add_init_script(COUNTS_PROMPTS)
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
        order = house.propose()
        visit(page, f"{order}#touch")
        expect(page.locator("#passkey-problem")).to_contain_text("Nothing was decided")
        assert page.evaluate(ASKED) == 1
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
        page.reload()
        button = page.get_by_role("button", name="Approve with your passkey")
        expect(button).to_be_enabled()
        assert asks_after_all(page) == 0
        assert house.call("get_ticket", ticket_id=order.rpartition("/")[2])["ticket"]["state"] == "pending"
        button.click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text(
            re.compile("^(Accepted by Gunbot|Filled )")
        )
        assert len(house.gunbot.trades) == 1


BROWSERS: Mapping[str, tuple[bool, str, dict[str, str]]] = {
    "another program": (True, "GET", {"site": "none", "mode": "navigate", "dest": "document"}),
    "a link in another site's page": (False, "GET", {"site": "cross-site", "mode": "navigate", "dest": "document"}),
    "a link in a page of ours": (False, "GET", {"site": "same-origin", "mode": "navigate", "dest": "document"}),
    "another server of this machine": (False, "GET", {"site": "same-site", "mode": "navigate", "dest": "document"}),
    "a frame": (False, "GET", {"site": "none", "mode": "navigate", "dest": "iframe"}),
    "a script": (False, "GET", {"site": "none", "mode": "cors", "dest": "empty"}),
    "a form that was sent": (False, "POST", {"site": "none", "mode": "navigate", "dest": "document"}),
    "a browser that does not say": (False, "GET", {}),
    "a browser that says half": (False, "GET", {"site": "none"}),
}


@pytest.mark.parametrize("who", BROWSERS)
def test_only_a_whole_word_of_the_browser_shows_that_no_page_led_here(who: str) -> None:
    outside, method, said = BROWSERS[who]
    headers = [(f"sec-fetch-{name}".encode(), value.encode()) for name, value in said.items()]
    assert is_from_outside(Request({"type": "http", "method": method, "headers": headers})) is outside
