"""The numbers and the warnings of the approval page: what one pays or gets, what one has, what a cancel takes away."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import Ticket
from gunbot_mcp.tickets.view import card_view, ticket_answer

MakeSite = Callable[..., Any]
PLACE: dict[str, Any] = {"exchange": "binance", "pair": "USDT-BTC"}
BOOK = {"data": {"bid": [[50992.35, 9]], "ask": [[51007.65, 9]]}}


def live(site: Any, ticket: Ticket) -> dict[str, Any]:  # noqa: ANN401 - a site of the fixtures
    return json.loads(site.request("GET", f"/tickets/{ticket.id}/live").text)


def outside_details(html: str) -> str:
    return re.sub(r"<(details|script)\b.*?</\1>", "", html, flags=re.DOTALL)


def test_a_market_sell_says_about_what_it_gets_and_what_at_least(make_site: MakeSite) -> None:
    site = make_site()
    site.wire.answers["/api/v1/market/orderbook"] = httpx2.Response(200, json=BOOK)
    ticket = site.propose("sell_market", **PLACE, amount=0.002)
    assert ticket.summary == (
        "Sell 0.002 BTC at the market price on binance, "
        "you get about 101.88 USDT after fees, at least 100.86 if it slips no more than 1 %"
    )
    assert ticket.notional == Decimal("0.002") * Decimal("51007.65") * Decimal("1.01") * Decimal("1.001")
    text = site.open(ticket).text
    assert (
        "<dt>You get about</dt><dd>101.88 USDT</dd>"
        '<dd class="small">after fees; at least 100.86 USDT at 1 % slippage</dd>'
    ) in text
    assert "When proposed: 50,992.35 / 51,007.65" in text
    assert card_view(ticket)["figure"]["amount"] == "101.88 USDT"


def test_the_figure_keeps_to_the_costs_that_the_ticket_was_proposed_with(make_site: MakeSite) -> None:
    site = make_site(limits={"fee_percent": "0.5", "slippage_percent": "2"})
    ticket = site.get(site.propose("sell_limit", **PLACE, amount=0.001, price=52000))
    assert "<dt>You get at least</dt><dd>51.74 USDT</dd>" in site.open(ticket).text
    assert ticket.summary.endswith(", you get at least 51.74 USDT after fees")


def test_full_digits_are_under_the_details_and_nowhere_else(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose(**PLACE, amount=0.00123457, price=51000.37)
    exact = "63.0264903176909"  # 0.00123457 at 51000.37, and the fee of 0.1 %
    text = site.open(ticket).text
    assert "<dd>63.03 USDT</dd>" in text
    assert "Buy 0.00123457 BTC at 51,000.37 USDT on binance" in text
    assert exact in text
    assert "&#34;amount&#34;:0.00123457" in text
    assert "fee 0.1 %, slippage 1 %" in text
    assert exact not in outside_details(text)
    assert ticket_answer(ticket).structured["ticket"]["worst_case"].startswith(exact)
    assert exact not in ticket_answer(ticket).text


def test_the_page_says_what_one_has_and_does_not_ask_again_while_it_is_open(make_site: MakeSite) -> None:
    site = make_site()
    buys, sells = site.propose(), site.propose("sell_limit", **PLACE, amount=0.001, price=52000)
    assert "/api/v1/balances" not in site.wire.paths  # an order does not cost a request more
    assert (
        '<p id="have">You have 1,000,000 USDT available on binance; at least 999,949.95 USDT after this order.</p>'
        in site.open(buys).text
    )
    assert '<p id="have">You have 10 BTC available on binance; 9.999 BTC after this order.</p>' in site.open(sells).text
    asked = site.wire.paths.count("/api/v1/balances")
    site.request("GET", f"/tickets/{buys.id}/live")
    assert site.wire.paths.count("/api/v1/balances") == asked


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.ConnectError("no"),
        httpx2.Response(500, json={}),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json=[{"Asset": "USDT", "Exchange": "binance", "Available Qty": "n/a"}]),
    ],
)
def test_where_no_balance_is_known_the_page_says_nothing_and_shows_the_book(
    make_site: MakeSite, answer: httpx2.Response | Exception
) -> None:
    site = make_site()
    ticket = site.propose()
    site.wire.answers["/api/v1/balances"] = answer
    text = site.open(ticket).text
    assert 'id="have"' not in text
    assert '<p id="book-note" class="note" hidden>' in text


def test_a_stop_with_a_far_limit_warns_of_its_floor(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose("sell_stop_limit", **PLACE, amount=0.001, stop_price=49000, limit_price=45000)
    warning = "The limit 45,000 lies 8.2 % below the stop 49,000: once triggered it may sell for as little as 45,000."
    assert f"<li><strong>Warning: </strong>{warning}</li>" in site.open(ticket).text
    assert f"Warning: {warning}" in ticket_answer(ticket).text


def test_cancelling_a_stop_that_was_placed_here_says_which_protection_goes(make_site: MakeSite) -> None:
    site = make_site(cancel="ask")
    stop = site.propose("sell_stop_limit", **PLACE, amount=0.001, stop_price=49000, limit_price=48900)
    stop = site.portal.call(lambda: site.desk.approve(stop.id, by=TERMINAL))
    assert stop.observed is not None
    order = stop.observed.order_ids[0]
    cancel = site.propose("cancel_order", **PLACE, order_id=order, price=48900, order_type="limit")
    warning = f"Order {order} is a stop. Without it, nothing sells 0.001 BTC if BTC falls to 49,000 USDT."
    text = site.open(cancel).text
    assert (
        f'<h1 id="order">Cancel order {order} at 48,900 USDT on binance (USDT-BTC), placed here to sell 0.001 BTC'
        in text
    )
    assert f"<li><strong>Warning: </strong>{warning}</li>" in text
    assert f"Warning: {warning}" in ticket_answer(cancel).text
    assert cancel.warnings == (warning,)


def test_a_cancel_of_an_order_that_nobody_knows_says_what_it_may_be(make_site: MakeSite) -> None:
    site = make_site(cancel="ask")
    ticket = site.propose("cancel_order", **PLACE, order_id="42", price=50000, order_type="limit")
    assert "It may be a stop or one leg of an OCO: then its protection goes, too." in site.open(ticket).text


def test_an_old_ticket_keeps_the_sentence_that_it_was_made_with(make_site: MakeSite) -> None:
    site = make_site()
    was = "Buy 0.0001 BTC at 50000 USDT on binance, at most 5.005 USDT with fees"
    ticket = site.plant("old", summary=was, quote={"bid": "50000", "ask": "50001.5"})
    assert f'<h1 id="order">{was}</h1>' in site.open(ticket).text
    assert f"awaiting_approval: {was}" in ticket_answer(ticket).text
    assert card_view(ticket)["headline"] == {"what": was, "worth": ""}


def test_a_market_that_moved_too_far_takes_the_button_away_before_anybody_types_a_pin(make_site: MakeSite) -> None:
    site = make_site(live=True)
    site.set_pin("correct horse")
    site.wire.answers["/api/v1/market/orderbook"] = httpx2.Response(200, json=BOOK)
    ticket = site.propose("buy_market", **PLACE, amount=0.001)
    before = live(site, ticket)["version"]
    assert 'class="approve"' in site.open(ticket).text
    assert "Fills near 51,007.65" in site.open(ticket).text

    far = {"data": {"bid": [[59670, 9]], "ask": [[59680, 9]]}}
    site.wire.answers["/api/v1/market/orderbook"] = httpx2.Response(200, json=far)
    text = site.open(ticket).text

    assert "The market moved 17.0 %, from 51,007.65 to 59,680, since this order was proposed" in text
    assert "this would not be sent" in text
    assert 'class="ladder moved"' in text
    assert "it rose by 17.00 % since" in text
    assert 'class="approve"' not in text
    assert 'name="pin"' not in text
    assert live(site, ticket)["version"] != before, "an open page loads itself again"
    assert "Ask 59,680" in json.dumps(live(site, ticket)["book"]["figure"])
    assert site.wire.orders == []


def test_a_cancel_draws_where_its_order_lies(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose("cancel_order", **PLACE, order_id="1", price=48000, order_type="limit")

    assert "The order 48,000" in site.open(ticket).text
