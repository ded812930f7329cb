"""Going from page to page in a real browser."""

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
