"""What the page and the inbox do not do: answer requests that are not their human's own, or decide what is closed."""

import http.client
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from gunbot_mcp.tickets.channels import TERMINAL

MakeSite = Callable[..., Any]


@pytest.fixture(params=["page", "inbox"])
def make_site(make_site: MakeSite, request: pytest.FixtureRequest) -> MakeSite:
    """Serve a page as its server does, or as an inbox does: what is refused here is refused there."""
    return partial(make_site, inbox=request.param == "inbox")


# Whose request it is


HOSTS = ("evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "127.0.0.1.evil.example:{port}", "[::1]:{port}", "")


@pytest.mark.parametrize("host", HOSTS)
def test_another_host_reaches_nothing(make_site: MakeSite, host: str) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    named = host.format(port=site.host.rpartition(":")[2])
    for path in ("/", f"/tickets/{ticket.id}", f"/tickets/{ticket.id}/live", "/live", "/nothing"):
        answer = site.request("GET", path, headers={"Host": named})
        assert answer.status in {400, 421}
        assert ticket.summary not in answer.text
    answer = form.post("approve", headers={"Host": named, "Origin": f"http://{named}"})
    assert answer.status in {400, 421}
    assert (site.state(ticket), site.wire.orders) == ("pending", [])


def test_localhost_is_this_host_too(make_site: MakeSite) -> None:
    site = make_site()
    form = site.open(site.propose())
    own = f"localhost:{site.host.rpartition(':')[2]}"
    assert form.post("reject", headers={"Host": own, "Origin": f"http://{own}"}).status == 303


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://{host}"},
        {"Origin": "http://{host}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Cookie": None},
        {"Cookie": "gunbot-mcp-form="},
        {"Cookie": "gunbot-mcp-form=" + "A" * 43},
    ],
)
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_form_that_is_not_ours_decides_nothing(
    make_site: MakeSite, decision: str, headers: Mapping[str, str | None]
) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    foreign = {name: value and value.format(host=site.host) for name, value in headers.items()}
    answer = form.post(decision, headers=foreign)
    assert answer.status == 403
    assert "unauthorized" in answer.text
    assert (site.state(ticket), site.wire.orders) == ("pending", [])


def test_a_token_belongs_to_one_ticket_in_one_browser(make_site: MakeSite) -> None:
    site = make_site()
    ticket, other = site.propose(), site.propose(exchange="binance", pair="USDT-ETH", amount=0.01, price=2700)
    form, stranger = site.open(ticket), site.open(other)
    for token in ("", "0" * 64, "é", stranger.token, site.open(ticket).token):
        assert form.post("approve", token=token).status == 403
    assert form.post("approve", headers={"Cookie": stranger.cookie}).status == 403
    assert (site.state(ticket), site.wire.orders) == ("pending", [])


def test_a_good_cookie_is_kept_so_that_two_tabs_of_a_browser_agree(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    again = site.request("GET", f"/tickets/{ticket.id}", headers={"Cookie": form.cookie})
    assert form.token in again.text
    cookie = again.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert f"Path=/tickets/{ticket.id}" in cookie


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, '{"token":"{token}"}', 415),
        ({"Content-Type": "text/plain"}, "token={token}", 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "token={token}", 415),
        ({"Content-Type": None}, "token={token}", 415),
        ({}, "token={token}&pin=" + "1" * 5000, 413),
        ({}, "token={token}&token={token}", 400),
        ({}, "token={token}&approve=yes", 400),
        ({}, "token={token}&pin=%FF", 400),
        ({}, "token={token}&pin=\u00e9", 400),
        ({}, "token", 400),
        ({}, "&".join(f"pin{n}=1" for n in range(20)), 400),
    ],
)
def test_only_a_small_and_complete_form_is_read(
    make_site: MakeSite, headers: Mapping[str, str | None], body: str, status: int
) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    answer = form.post("approve", headers=headers, body=body.replace("{token}", form.token))
    assert answer.status == status
    assert "invalid_arguments" in answer.text
    assert (site.state(ticket), site.wire.orders) == ("pending", [])


def test_a_reject_takes_no_pin(make_site: MakeSite) -> None:
    site = make_site()
    form = site.open(site.propose())
    assert form.post("reject", pin="0000").status == 400


def test_a_form_that_never_arrives_is_given_up(make_site: MakeSite) -> None:
    site = make_site(patience=0.2)
    form = site.open(site.propose())
    connection = http.client.HTTPConnection(site.host, timeout=10)
    connection.putrequest("POST", f"/tickets/{form.ticket.id}/approve", skip_host=True)
    for name, value in form.headers().items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"token=")
    assert connection.getresponse().status == 408
    connection.close()


def test_half_requests_do_not_keep_the_page_from_its_human(make_site: MakeSite) -> None:
    site = make_site(patience=0.2)
    host, _, port = site.host.partition(":")
    half = [socket.create_connection((host, int(port)), timeout=10) for _ in range(70)]
    for connection in half:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
    for connection in half:
        # Refused as one too many, or closed for want of the rest.
        assert not connection.recv(65536) or not connection.recv(65536)
        connection.close()
    assert site.request("GET", "/").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 403),
    ],
)
def test_other_sites_can_link_to_a_ticket_but_not_embed_or_fetch_it(
    make_site: MakeSite, headers: Mapping[str, str], status: int
) -> None:
    site = make_site()
    ticket = site.propose()
    for path in ("/", f"/tickets/{ticket.id}", f"/tickets/{ticket.id}/live", "/live"):
        assert site.request("GET", path, headers=headers).status == status


def test_every_answer_forbids_storing_framing_and_foreign_sources(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    answers = [
        site.request("GET", "/"),
        site.request("GET", f"/tickets/{ticket.id}"),
        site.request("GET", f"/tickets/{ticket.id}/live"),
        site.request("GET", "/tickets/none"),
        site.request("GET", "/nothing"),
        site.request("GET", "/", headers={"Host": "evil.example"}),
        form.post("approve", token="wrong"),
        form.post("reject"),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        # With no-referrer, browsers would not send our own Origin with our own form.
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "server" not in answer.headers


# What cannot be decided


def test_a_get_changes_nothing(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    events = site.portal.call(site.ledger.events)
    for path in ("", "/live", "/approve", "/reject", "?decision=approve", "/approve?token=x"):
        site.request("GET", f"/tickets/{ticket.id}{path}")
    assert site.portal.call(site.ledger.events) == events
    assert (site.state(ticket), site.wire.orders) == ("pending", [])
    assert site.request("GET", f"/tickets/{ticket.id}/approve").status == 405


@pytest.mark.parametrize("ticket_id", ["zzzzzzzz", "..%2F..%2Fpin.json", "%00", "a" * 300, "%3Cscript%3E"])
def test_an_unknown_ticket_is_not_found(make_site: MakeSite, ticket_id: str) -> None:
    site = make_site()
    form = site.open(site.propose())
    assert site.request("GET", f"/tickets/{ticket_id}").status == 404
    path = f"/tickets/{ticket_id}/approve"
    answer = site.request("POST", path, body=f"token={form.token}", headers=form.headers())
    assert answer.status == 404
    assert answer.text.count("<script>") == 1


def test_the_ticket_of_another_instance_is_not_shown_here(make_site: MakeSite) -> None:
    ours, theirs = make_site(name="ours"), make_site(name="theirs")
    ticket = theirs.propose()
    form = theirs.open(ticket)
    # An inbox knows it from the ledger that both share, and says only that it cannot send for that one.
    refused = 404 if ours.house is None else 403
    answer = ours.request("GET", f"/tickets/{ticket.id}")
    assert answer.status == refused
    assert (ticket.summary in answer.text) is (ours.house is not None)
    assert "<form" not in answer.text
    headers = {**form.headers(), "Host": ours.host, "Origin": ours.url}
    path = f"/tickets/{ticket.id}/approve"
    assert ours.request("POST", path, body=f"token={form.token}", headers=headers).status == refused
    assert theirs.state(ticket) == "pending"


def test_an_expired_ticket_is_not_approved(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    site.clock.advance(timedelta(seconds=121))
    answer = form.post("approve")
    assert answer.status == 409
    assert "ticket_closed" in answer.text
    assert "Nobody decided in time" in answer.text
    assert (site.state(ticket), site.wire.orders) == ("expired", [])


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_form_that_is_sent_again_finds_the_ticket_decided(make_site: MakeSite, decision: str) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    assert form.post("approve").status == 303
    again = form.post(decision)
    assert again.status == 409
    assert "ticket_closed" in again.text
    assert "Accepted by Gunbot" in again.text
    assert (site.state(ticket), len(site.wire.orders)) == ("accepted", 1)


def _approve(form: Any) -> int:  # noqa: ANN401 - a form of the fixture
    status: int = form.post("approve").status
    return status


def test_of_two_who_approve_at_the_same_instant_one_wins_and_one_order_is_sent(make_site: MakeSite) -> None:
    site = make_site()
    for amount in (0.001, 0.0011, 0.0012):
        ticket = site.propose(exchange="binance", pair="USDT-BTC", amount=amount, price=50000)
        forms = [site.open(ticket) for _ in range(4)]
        sent = len(site.wire.orders)
        with ThreadPoolExecutor(len(forms)) as threads:
            statuses = sorted(threads.map(_approve, forms))
        assert statuses == [303, 409, 409, 409]
        assert len(site.wire.orders) == sent + 1


def test_whoever_reads_the_page_learns_that_somebody_else_decided(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    assert '"state":"pending"' in site.request("GET", f"/tickets/{ticket.id}/live").text
    site.portal.call(lambda: site.desk.decline(ticket.id, by=TERMINAL))
    assert '"state":"declined"' in site.request("GET", f"/tickets/{ticket.id}/live").text
    assert form.post("approve").status == 409
