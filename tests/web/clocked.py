"""A ticket's page in a browser whose clock the test moves, up to an order that is accepted, and on to its fill."""

# pyright: reportUnknownMemberType=false
# Playwright's assertions take patterns of types that it does not spell out.

import re
from datetime import timedelta

from playwright.sync_api import Locator, Page, expect
from support.browsing import visit
from web.site import Site

from gunbot_mcp.tickets.ticket import Ticket


def approve_on_a_clock(page: Page, site: Site, ticket: Ticket) -> Locator:
    """Approve an order below the market, and return the title of what became of it."""
    page.clock.install()
    visit(page, f"{site.url}/tickets/{ticket.id}")
    page.clock.run_for(600)
    page.get_by_role("button", name="Approve and send").click()
    title = page.get_by_role("status").get_by_role("heading")
    expect(title).to_have_text("Accepted by Gunbot")
    return title


def let_it_fill(page: Page, site: Site, title: Locator) -> None:
    """Let the market reach an order at 49,000, and the page look at it once more."""
    site.price("48000")
    site.clock.advance(timedelta(seconds=10))
    page.clock.run_for(3100)
    expect(title).to_have_text(re.compile(r"^Filled 0\.001 BTC at 49,000 at \d\d:\d\d:\d\d UTC$"))
