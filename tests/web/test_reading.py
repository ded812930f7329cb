"""What a screen reader finds on the pages, in which order, and what it is told unasked; pages that keep still; zoom."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false
# Playwright's assertions and routes take patterns and handlers of types that it does not spell out.

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from support.browsing import visit
from web.cards import BUY, Client

from gunbot_mcp.guard.halt import halt, resume

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MakeSite = Callable[..., Any]
NewPage = Callable[..., Any]
PIN = "246 810"
BTC: dict[str, Any] = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001}
OCO = {**BTC, "price": 49000, "stop_price": 52500, "limit_price": 52600}

OPEN = """
- banner:
  - strong: LIVE
  - text: Real money instance main
- main:
  - heading /Buy 0.001 BTC at 52,000 USDT on binance, at most/ [level=1]
  - term: You pay at most
  - definition: 52.06 USDT
  - term: Expires in
  - definition:
    - timer
  - list:
    - listitem:
      - strong: "Warning:"
  - region /The book now/:
    - heading /The book now/ [level=2]
    - term: Bid
    - term: Ask
    - list:
      - listitem: /Limit price 52,000/
  - region "Decision":
    - textbox "Your PIN"
    - button "Approve and send for real"
    - button "Reject"
  - term: Proposed by
  - paragraph:
    - link "All tickets"
- contentinfo
"""
UNKNOWN = """
- main:
  - status /Unknown/:
    - heading /Unknown/ [level=2]
  - region "What did you find?":
    - button "Look again"
    - textbox "Your PIN"
    - button "The order arrived"
    - button "The order never arrived"
  - heading /Buy 0.001 BTC/ [level=1]
"""
FRONT = """
- main:
  - heading "1 order waits for you" [level=1]
  - list:
    - listitem:
      - paragraph:
        - link /Buy 0.001 BTC/
      - paragraph: /How much/
      - paragraph: /Where/
      - paragraph: /By/
      - paragraph: /expires in/
  - region "Halt":
    - button "Halt all trading now"
"""
CARD = """
- banner:
  - strong: PAPER
- main:
  - heading /Buy 0.001 BTC/ [level=1]
  - term: You pay at most
  - term: Expires in
  - list:
    - listitem: /Warning/
  - list:
    - listitem: /Limit price/
  - region "Decision":
    - button "Approve and send"
    - button "Reject"
"""
LIVE_REGIONS = """() => [...document.querySelectorAll("[role=alert],[role=status],[aria-live]")]
  .map((it) => [it.role, it.id && "#" + it.id, it.ariaLive].filter(Boolean).join(" "))"""


def test_a_reader_hears_first_whose_money_then_what_then_how_to_decide(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose(**BTC, price=52000)
    with new_page(quiet=False) as page:
        visit(page, f"{site.url}/")
        expect(page.locator("body")).to_match_aria_snapshot(FRONT)
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(page.locator("body")).to_match_aria_snapshot(OPEN)
        # The drawing and its words would be read twice.
        assert page.locator("#book-figure").get_attribute("aria-hidden") == "true"
        # What changes by itself is told by one polite line, and not by a clock that speaks each second.
        regions = ["status #lost", "timer #countdown off", "alert #passkey-problem", "#announcement polite"]
        assert sorted(page.evaluate(LIVE_REGIONS)) == sorted(regions)
        expect(page.get_by_role("button", name="Approve and send")).to_be_enabled()
        page.get_by_label("Your PIN").fill("000000")
        page.get_by_role("button", name="Approve and send").click()
        expect(page.get_by_role("alert").first).to_contain_text("The PIN is wrong.")
        site.move(ticket, "approved", "sending", "unknown")
        visit(page, f"{site.url}/tickets/{ticket.id}")
        expect(page.locator("body")).to_match_aria_snapshot(UNKNOWN)


def test_the_last_seconds_are_told_once_each_and_the_end_too(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page(quiet=False) as page:
        page.clock.install(time=1)
        page.clock.pause_at(2)
        visit(page, f"{site.url}/tickets/{ticket.id}")
        page.route("**/live", lambda route: route.abort())  # the server's seconds would set the countdown anew
        said = page.locator("#announcement")
        expect(said).to_have_text("")
        for seconds, words in ((61, "60"), (30, "30"), (20, "10")):
            page.clock.fast_forward(seconds * 1000)
            page.clock.run_for(300)
            expect(said).to_have_text(f"Expires in {words} seconds")
        page.clock.fast_forward(10_000)
        page.clock.run_for(300)
        expect(said).to_have_text("Expired. It can no longer be approved.")


def test_a_reader_hears_the_same_order_on_the_card(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    with new_page() as page:
        card = Client(page, site).show(site.call("buy_limit", BUY))
        expect(card.get_by_role("button", name="Approve and send")).to_be_enabled()
        expect(card.locator("body")).to_match_aria_snapshot(CARD)


MOVES = """() => [...document.querySelectorAll("*")].filter((it) => {
  const style = getComputedStyle(it);
  return style.animationName !== "none" || style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0);
}).map((it) => it.outerHTML.slice(0, 80))"""


def test_nothing_moves_where_the_human_asked_for_that(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    ticket = site.propose()
    with new_page(reduced_motion="reduce") as still, new_page() as moving:
        for page in (still, moving):
            visit(page, f"{site.url}/tickets/{ticket.id}")
            expect(page.get_by_role("button", name="Approve and send")).to_be_enabled()
        assert still.evaluate(MOVES) == []
        assert moving.evaluate(MOVES) != []


def _pages(site: Any) -> Iterator[str]:  # noqa: ANN401 - a Site
    yield "/"
    yield f"/tickets/{site.propose('buy_oco', **OCO).id}"
    long = "A client whose name has no end and no space " + "x" * 60
    ticket = site.propose(client=long, **BTC, price=52000)
    yield f"/tickets/{ticket.id}"
    yield "/"
    yield "/passkeys"
    yield "/nothing"
    halt(site.folder, "lunch " + "y" * 200)
    yield "/"
    yield f"/tickets/{ticket.id}"
    resume(site.folder)
    site.move(ticket, "approved", "sending", "unknown")
    yield f"/tickets/{ticket.id}"


def _wide(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize(("width", "zoom"), [(1280, 2), (1280, 4)], ids=["200 %", "400 %"])
def test_zoomed_pages_need_no_sideways_scrolling(make_site: MakeSite, new_page: NewPage, width: int, zoom: int) -> None:
    site = make_site()
    site.set_pin(PIN)
    # A browser's zoom makes the page's window narrower and its pixels larger.
    with new_page(width=width // zoom, height=800 // zoom, device_scale_factor=zoom, quiet=False) as page:
        found: list[tuple[str, int]] = []
        for path in _pages(site):
            visit(page, f"{site.url}{path}")
            found.append((path, _wide(page)))
    assert [(path, wide) for path, wide in found if wide > 0] == []
