"""The loopback pages are for the human at the machine: whatever came through a proxy is refused."""

from collections.abc import Callable
from typing import Any

import pytest

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-anything", "X-Real-IP", "Via")


@pytest.mark.parametrize("name", FORWARDED)
def test_what_came_through_a_proxy_is_refused(make_site: Callable[..., Any], name: str) -> None:
    site = make_site()
    ticket = site.propose()
    for path in ("/", f"/tickets/{ticket.id}", "/passkeys"):
        answer = site.request("GET", path, headers={"Host": site.host, name: "for=127.0.0.1"})
        assert answer.status == 403
        assert "0.001" not in answer.text
