"""The front page: what waits, the kill switch, what is of unknown fate, and the stream that keeps tabs up to date."""

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest

from gunbot_mcp.guard.halt import halt, halted
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from web.conftest import MakeSite
    from web.site import Answer, Site

PIN = "294857"


def post(site: "Site", path: str, body: str) -> "Answer":
    headers = {"Host": site.host, "Origin": site.url, "Content-Type": "application/x-www-form-urlencoded"}
    return site.request("POST", path, body=body, headers=headers)


def token_of(text: str) -> str:
    found = re.search(r'name="token" value="([0-9a-f]{64})"', text)
    assert found is not None
    return found[1]


def test_a_row_says_what_how_much_where_and_by_whom(make_site: "MakeSite") -> None:
    site = make_site()
    site.propose(client="Some assistant")
    text = site.request("GET", "/").text
    for said in ("Buy 0.001 BTC at 50,000 USDT", "You pay at most 50.05 USDT", "paper, binance", "Some assistant"):
        assert said in text


def test_the_newest_comes_first_and_a_ticket_says_how_many_others_wait_and_leads_on(make_site: "MakeSite") -> None:
    site = make_site()
    first = site.propose()
    site.clock.advance(timedelta(seconds=1))
    second = site.propose(exchange="binance", pair="USDT-BTC", amount=0.0005, price=50000)
    text = site.request("GET", "/").text
    assert text.index(second.id) < text.index(first.id)
    shown = site.open(second).text
    assert "1 other order waits" in shown
    assert f'href="/tickets/{first.id}">Next' in shown


def test_halting_needs_no_proof_and_resuming_needs_the_pin(make_site: "MakeSite") -> None:
    site = make_site()
    site.set_pin(PIN)
    token = token_of(site.request("GET", "/").text)
    assert post(site, "/halt", f"token={token}").status == 303
    assert halted(site.folder) == "halted on the approval page"
    for pin in ("", "000000"):
        assert post(site, "/resume", f"token={token}&pin={pin}").status == 403
        assert halted(site.folder) is not None
    assert post(site, "/resume", f"token={token}&pin={PIN}").status == 303
    assert halted(site.folder) is None


@pytest.mark.parametrize("path", ["/halt", "/resume"])
def test_the_switch_moves_for_no_form_made_elsewhere(make_site: "MakeSite", path: str) -> None:
    site = make_site()
    token = token_of(site.request("GET", "/").text)
    if path == "/resume":
        halt(site.folder, "lunch")
    before = halted(site.folder)
    assert post(site, path, f"token={'0' * 64}").status == 403
    foreign = {"Host": site.host, "Origin": "http://evil.example", "Content-Type": "application/x-www-form-urlencoded"}
    assert site.request("POST", path, body=f"token={token}", headers=foreign).status == 403
    assert halted(site.folder) == before


def test_a_ticket_of_unknown_fate_is_settled_on_its_page_with_the_pin(make_site: "MakeSite") -> None:
    site = make_site()
    site.set_pin(PIN)
    ticket = site.propose()
    site.move(ticket, "approved", "sending", "unknown")
    assert "Of unknown fate" in site.request("GET", "/").text
    page = site.open(ticket)
    for said in ("Look again", "The order arrived", "The order never arrived"):
        assert said in page.text
    assert page.post("resolve", word="not_placed").status == 403
    assert page.post("resolve", word="not_placed", pin="000000").status == 403
    assert page.post("resolve", word="nonsense", pin=PIN).status == 400
    assert site.state(ticket) == "unknown"
    assert page.post("resolve", word="not_placed", pin=PIN).status == 303
    assert site.get(ticket).state is State.VOID
    assert site.wire.orders == []


def test_a_ticket_that_still_waits_cannot_be_settled(make_site: "MakeSite") -> None:
    site = make_site()
    ticket = site.propose()
    assert site.open(ticket).post("resolve", word="placed").status == 409
    assert site.state(ticket) == "pending"


def test_after_a_decision_the_page_leads_back_to_the_assistant(make_site: "MakeSite") -> None:
    site = make_site()
    ticket = site.propose()
    site.open(ticket).post("approve")
    assert "You can go back to your assistant." in site.request("GET", f"/tickets/{ticket.id}").text


def test_a_stream_tells_how_much_waits_and_ends_with_its_server(make_site: "MakeSite") -> None:
    site = make_site()
    with (
        httpx2.Client(trust_env=False, timeout=20) as client,
        client.stream("GET", f"{site.url}/events") as answer,
    ):
        told = (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: "))
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next(told)["count"] == 0
        site.propose()
        now = next(told)
        assert (now["count"], 100 < now["left"] <= 120) == (1, True)
        site.portal.call(site.page.aclose)
        assert list(told) == []
