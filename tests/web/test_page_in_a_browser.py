"""The approval page as a human meets it, in real Chromium. `new_page` fails on any complaint in the console."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false
# Playwright's assertions and routes take patterns and handlers of types that it does not spell out.

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect
from support.browsing import visit

from gunbot_mcp.guard.halt import halt, resume
from gunbot_mcp.tickets.channels import TERMINAL

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MakeSite = Callable[..., Any]
NewPage = Callable[..., Any]
PIN = "246 810"


def stop_time(page: Page) -> None:
    """Let the page's time pass only when the test says so, however busy this machine is."""
    page.clock.install(time=1)
    page.clock.pause_at(2)


def approve(page: Page) -> Locator:
    return page.get_by_role("button", name="Approve and send")


def test_a_click_approves_on_paper_and_shows_what_became_of_it(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page() as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(page).to_have_title(re.compile(re.escape("PAPER: " + ticket.summary) + "$"))
        expect(page.get_by_label("Your PIN")).to_have_count(0)
        approve(page).click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Accepted by Gunbot")
        assert page.url == f"{site.url}/tickets/{ticket.id}"
        page.reload()
    assert len(site.wire.orders) == 1


def test_a_live_order_needs_the_pin(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose()
    with new_page() as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(page.locator(".kind")).to_have_text("LIVE")
        approve(page).click()  # without a PIN the browser itself asks for it
        assert site.state(ticket) == "pending"
        page.get_by_label("Your PIN").fill("000000")
        approve(page).click()
        expect(page.get_by_role("alert")).to_contain_text("The PIN is wrong.")
        expect(page.get_by_label("Your PIN")).to_have_value("")
        page.get_by_label("Your PIN").fill(PIN)
        approve(page).click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Accepted by Gunbot")
        assert PIN not in page.content() + page.url
    assert len(site.wire.orders) == 1


def test_reject_needs_no_pin(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose()
    with new_page() as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Declined")
    assert (site.state(ticket), site.wire.orders) == ("declined", [])


def test_enter_in_the_pin_field_decides_nothing(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose()
    with new_page() as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(approve(page)).to_be_enabled()
        page.get_by_label("Your PIN").fill(PIN)
        page.get_by_label("Your PIN").press("Enter")
        page.get_by_role("button", name="Reject").focus()  # a navigation would have lost the field's text
        expect(page.get_by_label("Your PIN")).to_have_value(PIN)
    assert (site.state(ticket), site.wire.orders) == ("pending", [])


def test_the_keyboard_alone_is_enough(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose()
    with new_page() as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(approve(page)).to_be_enabled()
        expect(page.get_by_label("Your PIN")).to_be_focused()
        page.keyboard.type(PIN)
        page.keyboard.press("Tab")
        expect(approve(page)).to_be_focused()
        outline = approve(page).evaluate("button => getComputedStyle(button).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Reject")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Accepted by Gunbot")
    assert len(site.wire.orders) == 1


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_it_works_without_javascript(make_site: MakeSite, new_page: NewPage, decision: str) -> None:
    site = make_site()
    site.set_pin(PIN)
    ticket = site.propose()
    with new_page(java_script_enabled=False) as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        # Nothing counts down, so only the clock's time is shown.
        expect(page.locator("#countdown")).to_be_hidden()
        expect(page.locator(".figures")).to_contain_text("Expires at")
        expect(page.locator("#expires-at")).to_have_text(f"{ticket.expires_at:%H:%M:%S} UTC")
        assert page.locator(".figures").inner_text().count("Expires") == 1
        page.get_by_label("Your PIN").fill(PIN)
        page.get_by_label("Your PIN").press("Enter")
        (approve(page) if decision == "approve" else page.get_by_role("button", name="Reject")).click()
        title = "Accepted by Gunbot" if decision == "approve" else "Declined"
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text(title)
    assert len(site.wire.orders) == (1 if decision == "approve" else 0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_small_phone_needs_no_sideways_scrolling_and_has_room_for_fingers(
    make_site: MakeSite, new_page: NewPage, scheme: str
) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    long = "W" * 300
    ticket = site.plant("longest", summary=long, client=long, warnings=(long, long), checks=(long,))
    with new_page(width=320, height=640, color_scheme=scheme, is_mobile=True, has_touch=True) as page:
        for path in (f"/tickets/{ticket.id}", "/", "/tickets/none"):
            visit(page, site.url + path)
            widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert widths == [320, 320]
        visit(page, f"{site.url}/tickets/{ticket.id}")
        for control in (page.get_by_label("Your PIN"), approve(page), page.get_by_role("button", name="Reject")):
            box = control.bounding_box()
            assert box is not None
            assert box["height"] >= 44


CONTRAST = """
(selectors) => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (channel) => ((channel /= 255) <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  return selectors.map((selector) => {
    const element = document.querySelector(selector);
    const pair = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))].sort((a, b) => b - a);
    return [selector, (pair[0] + 0.05) / (pair[1] + 0.05)];
  });
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("live", [True, False])
def test_every_text_stands_out_from_its_ground(
    make_site: MakeSite,
    new_page: NewPage,
    scheme: str,
    *,
    live: bool,
) -> None:
    site = make_site(live=live)
    site.set_pin(PIN)
    ticket = site.propose(exchange="binance", pair="USDT-BTC", amount=0.001, price=52000)
    texts = [".kind", ".money", "h1", ".figures dt", ".warnings li", ".quiet", "#book-ask", ".approve", ".reject", "q"]
    with new_page(color_scheme=scheme, reduced_motion="reduce") as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(approve(page)).to_be_enabled()
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(16, 19, 24)" if scheme == "dark" else "rgb(243, 244, 246)")
        assert [found for found in page.evaluate(CONTRAST, texts) if found[1] < 4.5] == []
        page.get_by_label("Your PIN").fill("000000")
        approve(page).click()
        assert [found for found in page.evaluate(CONTRAST, [".pin .problem", ".pin strong"]) if found[1] < 4.5] == []


def test_the_countdown_ends_in_a_page_that_cannot_approve(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    site.set_pin(PIN)
    ticket = site.propose()
    with new_page() as page:
        stop_time(page)
        page.route("**/live", lambda route: route.abort())  # the server's seconds would set the countdown anew
        visit(page, f"{site.url}/tickets/{ticket.id}")
        page.clock.run_for(1000)
        expect(page.locator("#countdown")).to_have_text("1:59")
        expect(approve(page)).to_be_enabled()
        page.clock.fast_forward(59_500)
        expect(page.locator("#announcement")).to_have_text("Expires in 60 seconds")
        page.clock.fast_forward(60_000)
        expect(page.locator("#countdown")).to_have_text("Expired")
        expect(page.locator("#announcement")).to_have_text("Expired. It can no longer be approved.")
        expect(approve(page)).to_be_disabled()
        expect(page.get_by_label("Your PIN")).to_be_disabled()
    assert site.wire.orders == []


def test_an_open_page_turns_into_what_became_of_its_ticket_when_its_time_is_up(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page() as page:
        stop_time(page)
        visit(page, f"{site.url}/tickets/{ticket.id}")
        site.clock.advance(timedelta(seconds=121))
        page.clock.run_for(3100)
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Expired: nothing was sent")


def test_an_open_page_follows_the_book_and_a_decision_taken_elsewhere(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page() as page:
        stop_time(page)
        visit(page, f"{site.url}/tickets/{ticket.id}")
        before = page.locator("#book-ask").inner_text()
        site.price("48000")
        page.clock.run_for(3100)
        expect(page.locator("#book-ask")).not_to_have_text(before)
        expect(page.locator("#book-distances")).to_contain_text("above the ask")
        site.wire.answers["/api/v1/market/orderbook"] = httpx2.Response(200, json={"data": {"bid": [], "ask": []}})
        page.clock.run_for(3100)
        expect(page.locator("#book-note")).to_be_visible()
        expect(page.locator("#book-prices")).to_be_hidden()
        site.portal.call(lambda: site.desk.decline(ticket.id, by=TERMINAL))
        page.clock.run_for(3100)
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Declined")


def test_the_front_page_shows_a_new_ticket_by_itself(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    with new_page() as page:
        stop_time(page)
        visit(page, site.url)
        expect(page.get_by_role("heading", level=1)).to_have_text("No open tickets")
        ticket = site.propose()
        page.clock.run_for(3100)
        expect(page.get_by_role("heading", level=1)).to_have_text("1 order waits for you")
        page.get_by_role("link", name=ticket.summary).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Buy 0.001 BTC at 50,000 USDT on binance")


def test_the_front_page_counts_down_only_where_a_script_can(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    ticket = site.propose()
    still = f"expires at {ticket.expires_at:%H:%M:%S} UTC"
    with new_page() as page:
        stop_time(page)
        visit(page, site.url)
        page.clock.run_for(1000)
        expect(page.locator(".tickets li")).to_contain_text("expires in 1:59")
        expect(page.get_by_text(still)).to_be_hidden()
        page.clock.fast_forward(121_000)
        expect(page.locator(".tickets li .ticking")).to_have_text("expired")
    with new_page(java_script_enabled=False) as page:
        visit(page, site.url)
        expect(page.get_by_text(still)).to_be_visible()
        expect(page.locator(".tickets li .ticking")).to_be_hidden()


@pytest.mark.parametrize(("zone", "hours"), [("Asia/Tokyo", 9), ("UTC", 0)])
def test_the_reader_s_own_time_stands_beside_utc(make_site: MakeSite, new_page: NewPage, zone: str, hours: int) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page(timezone_id=zone) as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        own = f"{ticket.expires_at + timedelta(hours=hours):%H:%M:%S} your time"
        for place in ("#expires-at", ".facts", "h2#book-title"):
            if hours:
                expect(page.locator(place).first).to_contain_text("your time")
            else:
                expect(page.locator(place).first).not_to_contain_text("your time")
        if hours:
            expect(page.locator("#expires-at")).to_contain_text(own)


def test_a_refused_form_is_not_sent_again_when_the_page_loads_anew(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page() as page:
        stop_time(page)
        visit(page, f"{site.url}/tickets/{ticket.id}")
        page.clock.run_for(600)
        halt(site.folder, "lunch")
        approve(page).click()
        expect(page.get_by_role("alert")).to_contain_text("Trading is halted: lunch.")
        assert page.url.endswith("/approve")
        resume(site.folder)
        page.clock.run_for(3100)
        expect(approve(page)).to_be_visible()
        assert page.url == f"{site.url}/tickets/{ticket.id}"
    assert (site.state(ticket), site.wire.orders) == ("pending", [])


def test_a_page_whose_server_is_gone_says_so(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page(quiet=False) as page:
        stop_time(page)
        visit(page, f"{site.url}/tickets/{ticket.id}")
        page.clock.run_for(600)
        expect(page.locator("#lost")).to_be_hidden()
        expect(approve(page)).to_be_enabled()
        site.portal.call(site.page.aclose)
        page.clock.run_for(3100)
        expect(page.locator("#lost")).to_contain_text(f"or run gunbot-mcp approve {ticket.id} in a terminal")
        expect(page.locator("#lost")).to_be_visible()
        expect(approve(page)).to_be_disabled()
        expect(page.get_by_role("button", name="Reject")).to_be_disabled()


def test_a_page_whose_server_came_back_loads_anew(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page(quiet=False) as page:
        stop_time(page)
        visit(page, f"{site.url}/tickets/{ticket.id}")
        page.evaluate("window.old = true")
        page.route("**/live", lambda route: route.abort())
        page.clock.run_for(3100)
        expect(page.locator("#lost")).to_be_visible()
        page.unroute("**/live")
        page.clock.run_for(3100)
        expect(page.locator("#lost")).to_be_hidden()
        page.wait_for_function("window.old === undefined")


def test_hostile_texts_are_inert(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    hostile = (
        '"><script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'"><style>*{display:none}'
    )
    ticket = site.plant("hostile", client=hostile, summary=hostile, warnings=(hostile,), checks=(hostile,))
    with new_page() as page:
        for path in (f"/tickets/{ticket.id}", "/"):
            visit(page, site.url + path)
            assert "owned" not in page.title().replace('"owned"', "").replace("'owned'", "")
            assert page.locator("img").count() == 0
            expect(page.locator("main")).to_be_visible()


def test_another_site_can_neither_frame_the_page_nor_post_its_form(make_site: MakeSite, new_page: NewPage) -> None:
    site, other = make_site(name="ours"), make_site(name="theirs")
    ticket = site.propose()
    with new_page(quiet=False) as page:
        visit(page, f"{site.url}/tickets/{ticket.id}")
        token = page.locator("#approve input[name=token]").get_attribute("value")
        # Another port of this machine is another origin, and cookies know no ports: the hardest neighbour.
        page.route(
            f"{other.url}/attack",
            lambda route: route.fulfill(
                content_type="text/html",
                body=f'<iframe src="{site.url}/tickets/{ticket.id}"></iframe>'
                f'<form method="post" action="{site.url}/tickets/{ticket.id}/approve">'
                f'<input name="token" value="{token}"><button>Win</button></form>',
            ),
        )
        visit(page, f"{other.url}/attack")
        framed = page.frames[1]
        framed.wait_for_load_state()
        assert ticket.summary not in framed.content()
        page.get_by_role("button", name="Win").click()
        expect(page.get_by_role("alert").or_(page.get_by_role("heading", level=1)).first).to_contain_text(
            "The decision was not sent by this page"
        )
    assert (site.state(ticket), site.wire.orders) == ("pending", [])
