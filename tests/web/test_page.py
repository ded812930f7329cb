"""The approval page over real sockets, as any program on this machine can speak to it."""

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.halt import halt
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.ticket import Ticket

MakeSite = Callable[..., Any]
PIN = "246 810"


def test_the_page_says_what_how_much_where_and_that_it_is_paper(make_site: MakeSite) -> None:
    site = make_site()
    form = site.open(site.propose())
    assert '<strong class="kind">PAPER</strong>' in form.text
    assert "<title>PAPER: Buy 0.001 BTC at 50,000 USDT on binance, at most 50.05 USDT with fees</title>" in form.text
    assert (
        '<h1 id="order">Buy 0.001 BTC at 50,000 USDT on binance<small>, at most 50.05 USDT with fees</small></h1>'
        in form.text
    )
    assert "<dt>You pay at most</dt><dd>50.05 USDT</dd>" in form.text
    assert "LIVE" not in form.text


@pytest.mark.parametrize(
    ("tool", "market", "word", "worth"),
    [
        ("sell_limit", "binance/USDT-BTC", "You get at least", ", you get at least 51.94 USDT after fees"),
        ("close_limit", "bybit/USDT-BTC-LONG", "Worth at least", ", worth at least 51.94 USDT after fees"),
    ],
)
def test_what_is_sold_brings_something_and_is_no_worst_case(
    make_site: MakeSite, tool: str, market: str, word: str, worth: str
) -> None:
    site = make_site()
    exchange, pair = market.split("/")
    text = site.open(site.propose(tool, exchange=exchange, pair=pair, amount=0.001, price=52000)).text
    assert f"<dt>{word}</dt><dd>51.94 USDT</dd>" in text
    assert f"<small>{worth}</small></h1>" in text
    outside = re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)
    assert "Worst case" not in outside


def test_words_for_programs_are_kept_in_details(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    for text, word in (
        (form.text, "Digest"),
        (form.post("approve", token="wrong").text, "<code>unauthorized</code>"),
        (site.request("GET", "/tickets/none").text, "<code>ticket_not_found</code>"),
    ):
        outside = re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)
        assert word in text
        assert word not in outside
    assert '<a href="/">All tickets</a>' in form.text


def test_the_page_of_a_live_instance_says_so_by_word_and_by_colour(make_site: MakeSite) -> None:
    site = make_site(live=True)
    form = site.open(site.propose())
    assert '<strong class="kind">LIVE</strong>' in form.text
    assert '<body class="live">' in form.text
    assert "PAPER" not in form.text


def test_the_page_shows_the_book_as_it_is_now_and_how_far_the_price_lies_from_it(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    site.price("60000")
    text = site.open(ticket).text
    shown = re.search(r'id="book-ask">(\d\d,[0-9.]+)<', text)
    assert shown is not None
    ask = Decimal(shown.group(1).replace(",", ""))
    percent = (ask - 50000) / ask * 100
    assert f"<b>{percent.quantize(Decimal('0.01'))} % below the ask</b>" in text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx2.ConnectError("no"), "Gunbot cannot be reached"),
        (httpx2.Response(200, json={"data": {"bid": [], "ask": []}}), "The order book is empty."),
        (httpx2.Response(200, json={"data": None}), "no order book"),
    ],
)
def test_a_book_that_cannot_be_read_is_said_and_does_not_hide_the_ticket(
    make_site: MakeSite, answer: httpx2.Response | Exception, words: str
) -> None:
    site = make_site()
    ticket = site.propose()
    site.wire.answers["/api/v1/market/orderbook"] = answer
    text = site.open(ticket).text
    assert '<p id="book-note" class="note"><strong>The book cannot be read now.' in text
    assert words in text


def test_approving_on_paper_needs_no_pin_and_sends_one_order(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    answer = form.post("approve")
    assert (answer.status, answer.headers["location"]) == (303, f"/tickets/{ticket.id}")
    assert site.wire.orders == ["/api/v1/trade/buy"]
    assert str(site.get(ticket).decided_by) == "approval page"
    after = site.request("GET", f"/tickets/{ticket.id}").text
    assert "Accepted by Gunbot" in after
    assert "Accepted is not filled" in after
    assert re.search(r"Order \d+ at 50,000 is open, as of [\d-]{10} \d\d:\d\d:\d\d UTC", after)


def test_rejecting_needs_no_pin_and_sends_nothing(make_site: MakeSite) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose()
    assert site.open(ticket).post("reject").status == 303
    assert site.state(ticket) == "declined"
    assert site.wire.orders == []
    assert "Declined on the approval page." in site.request("GET", f"/tickets/{ticket.id}").text


@pytest.mark.parametrize("live", [True, False])
def test_where_a_pin_is_set_only_the_right_one_approves(make_site: MakeSite, *, live: bool) -> None:
    site = make_site(live=live)
    site.set_pin(PIN)
    ticket = site.propose()
    form = site.open(ticket)
    for fields, words in (
        ({}, "needs your PIN"),
        ({"pin": ""}, "needs your PIN"),
        ({"pin": "000000"}, "The PIN is wrong"),
    ):
        answer = form.post("approve", **fields)
        assert (answer.status, site.state(ticket)) == (403, "pending")
        assert words in answer.text
    assert form.post("approve", pin=PIN).status == 303
    assert site.state(ticket) == "accepted"
    assert len(site.wire.orders) == 1


def test_too_many_wrong_pins_are_throttled_even_for_the_right_one(make_site: MakeSite) -> None:
    site = make_site(live=True)
    site.set_pin(PIN)
    ticket = site.propose()
    form = site.open(ticket)
    for _ in range(3):
        form.post("approve", pin="000000")
    site.clock.advance(timedelta(minutes=1))
    form.post("approve", pin="000000")
    answer = form.post("approve", pin=PIN)
    assert answer.status == 403
    assert "Too many wrong PINs" in answer.text
    assert (site.state(ticket), site.wire.orders) == ("pending", [])
    live = f"/tickets/{ticket.id}/live"
    for page, wait in ((answer, 2), (site.request("GET", f"/tickets/{ticket.id}"), 2)):
        # A field that is not read must not look as if it were.
        assert f"Wait up to {wait} minutes" in page.text
        assert 'id="pin"' not in page.text
        assert 'id="reject"' in page.text
    locked = site.request("GET", live).text
    site.clock.advance(timedelta(minutes=1, seconds=30))
    other = site.propose(exchange="binance", pair="USDT-ETH", amount=0.01, price=2700)
    assert "Wait up to 1 minute." in site.open(other).text
    site.clock.advance(timedelta(seconds=31))
    free = site.open(other)
    assert 'id="pin"' in free.text
    version = re.search(r'data-version="(\w+)"', free.text)
    assert version is not None
    assert version.group(1) not in locked
    assert free.post("approve", pin=PIN).status == 303


def test_where_no_pin_is_needed_none_is_locked(make_site: MakeSite) -> None:
    live, paper = make_site(live=True), make_site(name="practice")
    live.set_pin(PIN)
    form = live.open(live.propose())
    for _ in range(5):
        form.post("approve", pin="000000")
    (live.folder / "pin.json").unlink()
    ticket = paper.propose()
    assert paper.open(ticket).post("approve").status == 303


def test_without_a_pin_nobody_approves_a_live_order(make_site: MakeSite) -> None:
    site = make_site(live=True)
    ticket = site.propose()
    form = site.open(ticket)
    assert "<code>gunbot-mcp pin</code>" in form.text
    assert 'action="/tickets/' + ticket.id + '/approve"' not in form.text
    answer = form.post("approve", pin="000000")
    assert answer.status == 403
    assert "config_invalid" in answer.text
    assert (site.state(ticket), site.wire.orders) == ("pending", [])


def test_a_damaged_pin_is_no_pin(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    (site.folder / "pin.json").write_text("{}", encoding="utf-8")
    answer = site.open(ticket).post("approve", pin="000000")
    assert answer.status == 403
    assert site.state(ticket) == "pending"


def test_a_halt_keeps_the_ticket_and_says_how_to_resume(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    before = site.open(ticket)
    halt(site.folder, "lunch")
    answer = before.post("approve")
    assert answer.status == 403
    assert "Trading is halted: lunch" in answer.text
    for path in (f"/tickets/{ticket.id}", "/"):
        text = site.request("GET", path).text
        main = text[text.index("<main") :]
        assert main.index("Trading is halted: lunch.") < main.index("<h1")
        assert main.count("Trading is halted: lunch") == 1
        assert "<code>gunbot-mcp resume</code>" in main
    assert answer.text.count("Trading is halted: lunch") == 1
    assert (site.state(ticket), site.wire.orders) == ("pending", [])


def test_an_open_page_learns_of_a_halt(make_site: MakeSite) -> None:
    site = make_site()
    paths = ("/live", f"/tickets/{site.propose().id}/live")
    before = [site.request("GET", path).text.partition('"version"')[2] for path in paths]
    halt(site.folder, "lunch")
    after = [site.request("GET", path).text.partition('"version"')[2] for path in paths]
    assert all(old and old != new for old, new in zip(before, after, strict=True))


def test_a_ticket_of_a_paper_instance_does_not_approve_on_a_live_one_of_that_name(make_site: MakeSite) -> None:
    site = make_site(live=True, name="main")
    site.set_pin(PIN)
    ticket = site.plant("turncoat", live=False)
    answer = site.open(ticket).post("approve", pin=PIN)
    assert answer.status == 403
    assert "is for a PAPER instance" in answer.text
    assert site.wire.orders == []


# What became of it


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (
            httpx2.Response(400, json={"status": "error", "message": "not enough <b>funds</b>"}),
            "rejected",
            ("Rejected by Gunbot", "not enough &lt;b&gt;funds&lt;/b&gt;"),
        ),
        (httpx2.ReadTimeout("late"), "unknown", ("Unknown: the order may exist", "Do not place it again")),
        (httpx2.ConnectError("no"), "void", ("Void: this order did not happen", "could not be reached")),
    ],
)
def test_an_order_that_is_not_accepted_says_what_became_of_it(
    make_site: MakeSite, answer: httpx2.Response | Exception, state: str, words: tuple[str, ...]
) -> None:
    site = make_site()
    ticket = site.propose()
    site.wire.answers["/api/v1/trade/buy"] = answer
    assert site.open(ticket).post("approve").status == 303
    text = site.request("GET", f"/tickets/{ticket.id}").text
    assert site.state(ticket) == state
    assert all(word in text for word in words)
    assert (f"gunbot-mcp resolve {ticket.id}" in text) is (state == "unknown")
    assert "checks passed when it was proposed" in text


def test_reloading_the_page_of_an_unknown_order_looks_for_it(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    site.wire.answers["/api/v1/trade/buy"] = httpx2.ReadTimeout("late")
    site.open(ticket).post("approve")
    assert site.state(ticket) == "unknown"
    site.wire.answers.clear()
    # The order did arrive: the paper gateway gets it behind the desk's back.
    body = {"data": {"exch": "binance", "pair": "USDT-BTC", "amt": 0.001, "price": 50000}}
    site.send("/api/v1/trade/buy", body)
    assert "Accepted by Gunbot" in site.request("GET", f"/tickets/{ticket.id}").text
    assert site.state(ticket) == "accepted"


@pytest.mark.parametrize(
    ("state", "words"), [("approved", "Approved, about to be sent"), ("sending", "On its way to Gunbot")]
)
def test_an_order_under_way_is_not_called_done(make_site: MakeSite, state: str, words: str) -> None:
    site = make_site()
    ticket = site.propose()
    site.move(ticket, "approved", *(["sending"] if state == "sending" else []))
    text = site.request("GET", f"/tickets/{ticket.id}").text
    assert words in text
    assert "Do not place the order a second time" in text


def test_an_accepted_order_that_nobody_has_seen_yet_is_not_given_an_id(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    site.move(ticket, "approved", "sending", "accepted")
    text = site.request("GET", f"/tickets/{ticket.id}").text
    assert "Accepted by Gunbot" in text
    assert "It was not seen among the open orders or fills yet" in text


def test_a_withdrawn_ticket_says_who_took_it_back(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    site.portal.call(lambda: site.desk.withdraw(ticket.id, by=Actor("client", "a client")))
    text = site.request("GET", f"/tickets/{ticket.id}").text
    assert "Withdrawn" in text
    assert "Withdrawn by a client." in text


def test_a_ticket_from_before_a_restart_of_the_machine_expires_by_the_wall_clock(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.plant("old", boot="an earlier one", deadline=0.0)
    assert 'data-left="120.0"' in site.open(ticket).text


def test_a_cancel_says_that_it_spends_nothing(make_site: MakeSite) -> None:
    site = make_site(cancel="ask")
    ticket = site.propose(
        "cancel_order", exchange="binance", pair="USDT-BTC", order_id="42", price=50000, order_type="limit"
    )
    text = site.open(ticket).text
    assert "it only cancels" in text
    assert "Its price 50,000" in text
    site.wire.answers["/api/v1/trade/cancel"] = httpx2.Response(400, json={"status": "error", "message": "no"})
    site.open(ticket).post("approve")
    after = site.request("GET", f"/tickets/{ticket.id}").text
    assert "Not cancelled: order 42 may still be open" in after
    assert "no such order" not in after


# The front page


def test_the_front_page_lists_what_waits_and_what_was_decided_lately(make_site: MakeSite) -> None:
    site = make_site()
    assert "No open tickets" in site.request("GET", "/").text
    before = site.request("GET", "/live").text
    ticket, other = site.propose(), site.propose(exchange="binance", pair="USDT-ETH", amount=0.01, price=2700)
    site.open(other).post("reject")
    text = site.request("GET", "/").text
    assert "1 order waits for you" in text
    assert f'<a href="/tickets/{ticket.id}">' in text
    assert "Declined" in text
    assert site.request("GET", "/live").text != before
    site.propose(exchange="binance", pair="USDT-XRP", amount=10, price=0.55)
    assert "2 orders wait for you" in site.request("GET", "/").text


# Texts of others, and secrets


HOSTILE = '"><script>alert(1)</script>\u202e\u0000\x1b[31m<img src=x onerror=alert(2)>' + "A" * 5000


def test_texts_of_others_are_escaped_clipped_and_stripped(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.plant("hostile", client=HOSTILE, summary=HOSTILE, warnings=(HOSTILE,) * 40, checks=(HOSTILE,))
    for path in (f"/tickets/{ticket.id}", "/"):
        text = site.request("GET", path).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert not set(text) & {"\u202e", "\x00", "\x1b"}
        assert "A" * 1300 not in text
        assert text.count("&lt;script&gt;") <= 16


def test_no_secret_is_in_any_address_page_or_log(make_site: MakeSite, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    site = make_site(live=True)
    site.set_pin(PIN)
    said = {"status": "error", "message": "bad token hush-hush-token"}
    site.wire.answers["/api/v1/trade/buy"] = httpx2.Response(400, json=said)
    ticket = site.propose()
    form = site.open(ticket)
    form.post("approve", pin="13 57 9")
    form.post("approve", pin=PIN)
    site.request("GET", f"/tickets/{ticket.id}")
    seen = "\n".join(site.seen) + caplog.text
    for secret in (PIN, "246+810", "246%20810", "13 57 9", "13+57+9", "hush-hush-token", ticket.nonce_hash):
        assert secret not in seen
    assert form.token not in caplog.text
    assert form.cookie.partition("=")[2] not in form.text


# Faults


def test_a_ledger_that_cannot_be_read_is_an_error_page(make_site: MakeSite) -> None:
    class Away(Desk):
        async def get(self, *_: object, **__: object) -> Ticket:
            raise LedgerUnavailable("the disk is full", "make room")

    answer = make_site(desk_type=Away).request("GET", "/tickets/t2345678")
    assert answer.status == 503
    assert "The disk is full" in answer.text
    assert "ledger_unavailable" in answer.text


def test_a_fault_of_ours_shows_no_traceback(make_site: MakeSite, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Desk):
        async def list(self, *_: object, **__: object) -> list[Ticket]:
            raise ZeroDivisionError("secret detail")

    site = make_site(desk_type=Broken)
    answer = site.request("GET", "/")
    assert answer.status == 500
    assert "internal" in answer.text
    assert "secret detail" not in answer.text
    site.portal.call(site.page.aclose)
    assert "ZeroDivisionError" in caplog.text


def test_the_page_of_a_server_registers_passkeys_too_and_says_where(make_site: Callable[..., Any]) -> None:
    site = make_site()
    assert 'href="/passkeys"' in site.request("GET", "/").text
    port = site.host.rpartition(":")[2]
    shown = site.request("GET", "/passkeys", headers={"Host": f"127.0.0.1:{port}"})
    assert f"http://localhost:{port}/passkeys" in shown.text
    assert 'id="register"' not in shown.text
    assert 'id="register"' in site.request("GET", "/passkeys", headers={"Host": f"localhost:{port}"}).text
    assert site.request("GET", "/passkeysx").status == 404
    headers = {"Origin": site.url, "Content-Type": "application/x-www-form-urlencoded"}
    assert site.request("POST", "/passkeys/begin", body="token=x&name=y", headers=headers).status == 403
