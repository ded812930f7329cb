"""`page_login`: on a shared machine the pages are shown only after the PIN was typed once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

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
