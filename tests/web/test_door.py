"""`page_login`: on a shared machine the pages are shown only after the PIN was typed once."""

# pyright: reportUnknownMemberType=false
# Playwright's assertions take patterns of types that it does not spell out.

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect
from support.browsing import follow, visit

MakeSite = Callable[..., Any]
PIN = "246 810"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def log_in(site: Any, pin: str, back: str = "/", **headers: str) -> Any:  # noqa: ANN401 - a Site and its Answer
    body = urlencode({"pin": pin, "next": back})
    given = {"Host": site.host, "Origin": site.url, **FORM, **headers}
    return site.request("POST", "/log-in", body=body, headers=given)


def test_nothing_is_shown_before_the_pin_and_everything_after_it(make_site: MakeSite) -> None:
    site = make_site(login=True)
    site.set_pin(PIN)
    ticket = site.propose()
    path = f"/tickets/{ticket.id}"
    for where in ("/", "/live", path, f"{path}/live", "/tickets/none"):
        answer = site.request("GET", where)
        assert answer.status == 401
        assert "0.001" not in answer.text
    assert site.request("POST", f"{path}/reject", body="token=x", headers={"Origin": site.url, **FORM}).status == 401
    wrong = log_in(site, "000000")
    assert (wrong.status, "set-cookie" in wrong.headers) == (403, False)
    entered = log_in(site, PIN, path)
    assert (entered.status, entered.headers["location"]) == (303, path)
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    known = {"Cookie": cookie.partition(";")[0]}
    assert ticket.summary[:9] in site.request("GET", path, headers=known).text
    site.clock.advance(timedelta(hours=12))
    assert site.request("GET", path, headers=known).status == 401


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/tickets/../..", "/log-in", "\r\nX: y"])
def test_it_leads_nowhere_but_to_our_pages(make_site: MakeSite, back: str) -> None:
    site = make_site(login=True)
    site.set_pin(PIN)
    assert log_in(site, PIN, back).headers["location"] == "/"


def test_a_form_from_elsewhere_opens_nothing(make_site: MakeSite) -> None:
    site = make_site(login=True)
    site.set_pin(PIN)
    assert log_in(site, PIN, Origin="https://evil.example").status == 403
    assert log_in(site, PIN, Host="evil.example").status == 421


def test_without_page_login_nobody_is_asked(make_site: MakeSite) -> None:
    site = make_site()
    site.set_pin(PIN)
    assert site.request("GET", "/").status == 200


@pytest.mark.browser
def test_who_has_logged_in_follows_a_link_from_another_site_without_the_pin(
    make_site: MakeSite, new_page: Callable[..., Any]
) -> None:
    site = make_site(login=True)
    site.set_pin(PIN)
    ticket = site.propose()
    with new_page() as page:
        visit(page, site.url)
        page.get_by_label("Your PIN").fill(PIN)
        page.get_by_role("button", name="Show the orders").click()
        expect(page.get_by_role("link", name=ticket.summary)).to_be_visible()
        follow(page, f"{site.url}/tickets/{ticket.id}")
        expect(page.get_by_role("heading", level=1)).to_contain_text("0.001 BTC")


@pytest.mark.browser
def test_a_stranger_who_follows_a_link_is_asked_for_the_pin(make_site: MakeSite, new_page: Callable[..., Any]) -> None:
    site = make_site(login=True)
    site.set_pin(PIN)
    with new_page() as page:
        follow(page, f"{site.url}/tickets/{site.propose().id}")
        expect(page.get_by_label("Your PIN")).to_be_focused()
