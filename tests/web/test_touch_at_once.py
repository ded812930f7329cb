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
DARK = """
Object.defineProperty(document, "hasFocus", { value: () => false });
"""


def asks_after_all(page: Page) -> int:
    """Return how often this page asked for a touch, once it had the time to."""
    page.evaluate(LONGER_THAN_ITS_PAUSE)
    return int(page.evaluate(ASKED))


def from_our_front(page: Page, order: str) -> None:
    """Follow the front page's own link, as if it ended like a notice's."""
    visit(page, order.partition("/tickets/")[0])
    link = page.get_by_role("link", name=re.compile("^Buy 0.001 BTC")).first
    link.evaluate("(found) => found.setAttribute('href', found.getAttribute('href') + '#touch')")
    link.click()
    page.wait_for_url("**#touch")


def without_the_mark(page: Page, order: str) -> None:
    """Open the address that the assistant and `open = "browser"` know."""
    visit(page, order.partition("#")[0])


def unseen(page: Page, order: str) -> None:
    """Open the link in a window that nobody looks at."""
    page.add_init_script(DARK)
    visit(page, order)


NEVER: Mapping[str, Callable[[Page, str], None]] = {
    "a link in another site's page": follow,
    "a link in a page of ours": from_our_front,
    "an address without the mark": without_the_mark,
    "a window without focus": unseen,
}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("way", NEVER)
def test_no_other_way_to_the_page_asks_before_a_press(
    way: str, make_house: Callable[..., Any], new_page: NewPage
) -> None:
    house: House
    with make_house(**AT_ONCE) as house, new_page() as page:
        finger(page)
        register(page, house)
        page.add_init_script(COUNTS_PROMPTS)
        NEVER[way](page, f"{house.propose()}#touch")
        expect(page.get_by_role("button", name="Approve with your passkey")).to_be_enabled()
        assert asks_after_all(page) == 0
        assert house.gunbot.trades == []


@pytest.mark.browser
@pytest.mark.slow
def test_no_page_asks_by_itself_unless_the_config_says_so_also_one_that_says_it_no_more(
    make_house: Callable[..., Any], new_page: NewPage
) -> None:
    house: House
    with make_house(**AT_ONCE) as house, new_page() as page:
        finger(page)
        register(page, house)
        page.add_init_script(COUNTS_PROMPTS)
        house.says("= true", "= false")
        visit(page, f"{house.propose()}#touch")
        expect(page.get_by_role("button", name="Approve with your passkey")).to_be_enabled()
        assert asks_after_all(page) == 0
        assert house.gunbot.trades == []


@pytest.mark.browser
@pytest.mark.slow
def test_an_order_with_a_warning_needs_a_press(make_house: Callable[..., Any], new_page: NewPage) -> None:
    house: House
    with make_house(**AT_ONCE) as house, new_page() as page:
        finger(page)
        register(page, house)
        page.add_init_script(COUNTS_PROMPTS)
        visit(page, f"{house.propose(price=51200)}#touch")
        expect(page.get_by_text("it fills at once")).to_be_visible()
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
