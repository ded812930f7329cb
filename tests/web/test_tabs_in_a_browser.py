"""Tabs of one browser: in the background, a seventh one, with another clock, before a long queue, during a stop."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false
# Playwright's assertions and routes take patterns and handlers of types that it does not spell out.

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio
import pytest
from playwright.sync_api import Page, expect
from support.browsing import visit

from gunbot_mcp.guard.halt import halt
from gunbot_mcp.tickets.channels import TERMINAL, Actor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MakeSite = Callable[..., Any]
NewPage = Callable[..., Any]
PIN = "246 810"
MANY = 520
HIDDEN = """
Object.defineProperty(document, "hidden", { get: () => !window.shown });
Object.defineProperty(document, "visibilityState", { get: () => (window.shown ? "visible" : "hidden") });
"""
SEVEN_WAIT = """async () => {
  while ((await navigator.locks.query()).pending.length < 7) await new Promise((next) => setTimeout(next, 20));
}"""


def waiting(count: int) -> re.Pattern[str]:
    """Return what the title of a tab begins with while so many orders wait."""
    return re.compile(rf"^\({count}\) ")


def streams_of(page: Page) -> list[str]:
    """Return the list that every stream which a tab of this browser opens is added to."""
    opened: list[str] = []
    page.context.on("request", lambda request: opened.append(request.url) if request.url.endswith("/events") else None)
    return opened


def test_a_tab_in_the_background_counts_in_its_title_and_turns_into_what_became_of_its_ticket(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page() as page:
        page.add_init_script(HIDDEN)
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(page).to_have_title(waiting(1))
        second = site.propose(exchange="binance", pair="USDT-BTC", amount=0.0005, price=50000)
        expect(page).to_have_title(waiting(2))
        expect(page.locator(".others")).to_contain_text("1 other order waits")
        assert page.evaluate("document.querySelector('link[rel=icon]').href").startswith("data:image/svg+xml")
        site.portal.call(lambda: site.desk.decline(ticket.id, by=TERMINAL))
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Declined")
        expect(page).to_have_title(waiting(1))
        visit(page, site.url)
        site.portal.call(lambda: site.desk.decline(second.id, by=TERMINAL))
        expect(page.get_by_role("heading", level=1)).to_have_text("No open tickets")


def test_a_seventh_tab_of_one_browser_loads_and_all_of_them_share_one_stream(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    with new_page() as page:
        opened = streams_of(page)
        tabs = [page, *(page.context.new_page() for _ in range(7))]
        for tab in tabs:
            visit(tab, site.url)
            expect(tab.get_by_role("heading", level=1)).to_have_text("No open tickets")
        tabs[0].evaluate(SEVEN_WAIT)
        assert len(opened) == 1
        # Where the one that holds the stream is closed, another one takes it.
        tabs.pop(0).close()
        site.propose()
        for tab in tabs:
            expect(tab).to_have_title(waiting(1))
        assert len(set(opened)) == 1


def test_a_server_that_stops_waits_for_no_open_tab(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    site.propose()
    with new_page(quiet=False) as page:
        visit(page, site.url)
        expect(page).to_have_title(waiting(1))

        async def stop() -> None:
            # A stream would hold it up to ten minutes.
            with anyio.fail_after(5):
                await site.page.aclose()

        site.portal.call(stop)
        expect(page.locator("#lost")).to_be_visible()


@pytest.mark.parametrize("hours", [-30, 5])
def test_the_countdown_is_the_server_s_whatever_clock_the_browser_has(
    make_site: MakeSite, new_page: NewPage, hours: int
) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page() as page:
        page.clock.install(time=ticket.created_at + timedelta(hours=hours))
        page.clock.pause_at(ticket.created_at + timedelta(hours=hours, seconds=1))
        site.clock.advance(timedelta(seconds=60))
        for path, place, said in (
            (f"/tickets/{ticket.id}", "#countdown", "1:00"),
            ("/", ".queue .ticking", "expires in 1:00"),
        ):
            visit(page, f"{site.url}{path}")
            expect(page.locator(place)).to_have_text(said)
            page.clock.run_for(1000)
            expect(page.locator(place)).to_contain_text("0:59")
        visit(page, f"{site.url}/tickets/{ticket.id}")
        page.clock.run_for(600)
        page.get_by_role("button", name="Approve and send").click()
        expect(page.get_by_role("status").get_by_role("heading")).to_contain_text("Accepted")
    assert len(site.wire.orders) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("width", "columns"), [(1280, 4), (390, 1)])
def test_five_hundred_waiting_tickets_stand_in_columns_and_the_page_stays_quick(
    make_site: MakeSite, new_page: NewPage, width: int, columns: int
) -> None:
    site = make_site(inbox=True)
    model = site.propose()

    async def many() -> None:
        async with site.ledger.write() as write:
            for number in range(1, MANY):
                made = replace(model, id=f"t{number:04d}", created_at=model.created_at - timedelta(seconds=number))
                await write.add(made, Actor("client", "a test"))

    site.portal.call(many)
    with new_page(width=width, height=844) as page:
        visit(page, site.url)
        expect(page.get_by_role("heading", level=1)).to_have_text(f"{MANY} orders wait for you")
        expect(page.locator(".queue > li")).to_have_count(500)
        expect(page.get_by_text(f"And {MANY - 500} more, older ones.")).to_be_attached()
        expect(page).to_have_title(waiting(MANY))
        style = "getComputedStyle(document.querySelector('.queue > li')).gridTemplateColumns.split(' ').length"
        assert page.evaluate(style) == columns
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # However slow the machine: one answer, of a size that is quickly there.
        size = page.evaluate("performance.getEntriesByType('navigation')[0].transferSize")
        assert size < 600_000
        assert page.evaluate("performance.getEntriesByType('resource').length") <= 2
        # The newest stands first, and one press from there is a decision on it.
        page.locator(".queue a").first.click()
        expect(page.locator(".others")).to_contain_text("other orders wait")
        page.get_by_role("button", name="Approve and send").click()
        expect(page.get_by_role("status").get_by_role("heading")).to_contain_text("Accepted")
    assert (site.state(model), len(site.wire.orders)) == ("accepted", 1)


def test_a_pressed_button_says_what_it_does_and_only_an_approval_says_sending(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    site.set_pin(PIN)
    waits = site.propose()
    with new_page() as page:
        # No answer that a browser would show: it stays on the page.
        page.route(lambda _: True, lambda at: at.fallback() if at.request.method == "GET" else at.fulfill(status=204))
        for path, name, said in (
            (f"/tickets/{waits.id}", "Approve and send", "Sending…"),
            (f"/tickets/{waits.id}", "Reject", "Rejecting…"),
            ("/", "Halt all trading now", "One moment…"),
            ("/", "Resume trading", "One moment…"),
        ):
            if name == "Resume trading":
                halt(site.folder, "lunch")
            visit(page, site.url + path)
            if page.get_by_label("Your PIN").count():
                page.get_by_label("Your PIN").fill(PIN)
            before = page.get_by_role("button").count()
            page.get_by_role("button", name=name).click()
            expect(page.get_by_role("button", name=said)).to_have_count(1)
            expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
            assert page.get_by_role("button").count() == before


def test_a_pin_that_is_being_typed_on_the_front_page_is_not_lost_to_news(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    site.set_pin(PIN)
    ticket = site.propose()
    halt(site.folder, "lunch")
    with new_page() as page:
        visit(page, site.url)
        expect(page).to_have_title(waiting(1))
        page.get_by_label("Your PIN").fill(PIN)
        site.portal.call(lambda: site.desk.decline(ticket.id, by=TERMINAL))
        expect(page).to_have_title(re.compile("^PAPER"))
        with page.expect_response(lambda answer: answer.url.endswith("/live")):
            pass
        expect(page.get_by_label("Your PIN")).to_have_value(PIN)
        page.get_by_role("button", name="Resume trading").click()
        expect(page.get_by_role("button", name="Halt all trading now")).to_be_visible()
