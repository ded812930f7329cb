"""Going from page to page in a real browser."""

import re

from playwright.sync_api import Error, Page, Response


def visit(page: Page, address: str) -> Response | None:
    """Open this address.

    A page of ours that follows what happens may load itself at that very moment, which ends the visit once.
    """
    try:
        return page.goto(address)
    except Error as exc:
        if "ERR_ABORTED" not in exc.message:
            raise
        return page.goto(address)


def follow(page: Page, address: str) -> None:
    """Follow a link to this address in a page of another site."""
    visit(page, "data:text/html,<a id=go>go</a>")
    page.evaluate("address => document.getElementById('go').setAttribute('href', address)", address)
    page.get_by_text("go").click()
    # A page that loads itself anew loses what is behind the #.
    page.wait_for_url(re.compile(re.escape(address.partition("#")[0])))
