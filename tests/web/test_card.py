"""The ticket card inside a page that plays an MCP client's part (host.html), its tools answered by a real desk."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false
# Playwright's assertions and routes take patterns and handlers of types that it does not spell out.

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect
from web.cards import BUY, FILLED, TICKET, Client, MakeSite, NewPage, outcome, ticket_of, without

from gunbot_mcp.tickets.channels import PAGE, TERMINAL, Actor
from gunbot_mcp.web.card import CARD_URI, card_html

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_view_is_one_text_without_any_other_origin() -> None:
    assert CARD_URI == "ui://gunbot-mcp/ticket.html"
    html = card_html()
    assert html is card_html()
    assert re.findall(r"(?:src|href|action)\s*=|@import|url\(|innerHTML|eval\(|document\.write", html) == []
    assert [address for address in re.findall(r"https?://[^\s\"'`)]+", html) if "127" not in address] == [
        "http://www.w3.org/2000/svg"  # a name of elements, and no place
    ]
    assert "<!-- " not in html


def test_the_card_shakes_hands_and_shows_the_ticket(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    with new_page(width=420) as page:
        client = Client(page, site)
        card = client.show(result)
        expect(card.locator(".kind")).to_have_text("PAPER")
        expect(card.get_by_role("heading", level=1)).to_have_text(
            "Buy 0.001 BTC at 52,000 USDT on binance, at most 52.06 USDT with fees"
        )
        expect(card.locator("#worst-word")).to_have_text("You pay at most")
        expect(card.locator("#worst-case")).to_have_text("52.06 USDT")
        expect(card.locator("#warnings li")).to_contain_text("Warning: The limit 52,000 is at or above the market")
        expect(card.locator("#quote")).to_contain_text("When proposed: bid 5")
        expect(card.locator("#distances li")).to_have_text(
            re.compile(r"^Limit price 52,000: [12]\.\d\d % above the ask$")
        )
        expect(card.locator("#countdown")).to_have_text(re.compile(r"[12]:\d\d"))
        expect(card.locator("q")).to_have_text("a card client")
        (hello,) = client.sent("ui/initialize")
        assert hello["params"]["protocolVersion"] == "2026-01-26"
        assert hello["params"]["appInfo"]["name"]
        assert hello["params"]["appCapabilities"] == {"availableDisplayModes": ["inline"]}
        assert len(client.sent("ui/notifications/initialized")) == 1
        size = client.sent("ui/notifications/size-changed")[-1]["params"]
        assert size["height"] > 200
        page.add_style_tag(content="iframe { min-height: 0; }")
        inner = card.locator("html").evaluate("page => [page.scrollHeight, page.scrollWidth]")
        assert inner == [size["height"], size["width"]]
        # An old conversation shows an old answer, so the card looks again by itself.
        assert client.called == [("get_ticket", {"ticket_id": ticket_of(result)})]


def test_approving_on_the_card_sends_its_key_and_shows_the_answer(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    key = result["_meta"][TICKET]["key"]
    with new_page() as page:
        client = Client(page, site)
        card = client.show(result)
        card.get_by_role("button", name="Approve and send").click()
        outcome(card, FILLED)
        expect(card.locator("#outcome-lines")).to_contain_text("filled, 0.001 at")
        expect(card.locator("#decision")).to_be_hidden()
        arguments = {"ticket_id": ticket_of(result), "decision": "approve", "key": key}
        assert ("decide_ticket", arguments) in client.called
        assert key not in card.locator("html").inner_html()
    assert len(site.wire.orders) == 1


def test_rejecting_on_the_card_sends_no_order(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    with new_page() as page:
        card = Client(page, site).show(site.call("buy_limit", BUY))
        card.get_by_role("button", name="Reject").click()
        outcome(card, "Declined")
    assert site.wire.orders == []


@pytest.mark.parametrize("width", [340, 420])
@pytest.mark.parametrize("live", [True, False])
def test_a_whole_card_fits_where_clients_show_it(
    make_site: MakeSite,
    new_page: NewPage,
    live: bool,  # noqa: FBT001 - a parameter of the test
    width: int,
) -> None:
    site = make_site(live=live, buttons="always")
    result = site.call("buy_limit", BUY)
    more = "There is an open order of the same side on this pair: 461773 at 50000."
    result["_meta"][TICKET]["ticket"]["warnings"].append(more)
    with new_page(width=width + 24) as page:  # the host's margins
        client = Client(page, site, refuse={"get_ticket"})
        card = client.show(result)
        expect(card.locator("#warnings li")).to_have_count(2)
        expect(card.locator("#approve")).to_be_enabled()
        assert client.sent("ui/notifications/size-changed")[-1]["params"]["height"] <= 610
        approve, reject = (card.locator(name).bounding_box() for name in ("#approve", "#reject"))
        assert approve is not None
        assert reject is not None
        assert min(approve["height"], reject["height"]) >= 44
        if not live:
            assert approve["y"] == reject["y"]
            lines = card.locator(".band .instance").evaluate("it => it.getClientRects().length")
            kind, instance = (card.locator(name).bounding_box() for name in (".band .kind", ".band .instance"))
            assert kind is not None
            assert instance is not None
            assert (lines, instance["y"] < kind["y"] + kind["height"]) == (1, True)


def test_what_is_sold_is_worth_something_on_the_card_too(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    with new_page() as page:
        card = Client(page, site).show(site.call("sell_limit", BUY))
        expect(card.locator("#worst-word")).to_have_text("You get at least")
        expect(card.get_by_role("heading", level=1)).to_contain_text("Sell 0.001 BTC at 52,000 USDT on binance")


CANCEL: Mapping[str, Any] = {"exchange": "binance", "pair": "USDT-BTC", "price": 50000, "order_type": "limit"}


def test_a_cancel_on_the_card_is_not_spoken_of_as_an_order(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(cancel="ask")
    site.send("/api/v1/trade/buy", {"data": {"exch": "binance", "pair": "USDT-BTC", "amt": 0.001, "price": 50000}})
    listed = site.call("list_open_orders", {"exchange": "binance", "pair": "USDT-BTC"})
    order = str(listed["structuredContent"]["rows"][0][0])
    result = site.call("cancel_order", {**CANCEL, "order_id": order})
    with new_page() as page:
        card = Client(page, site).show(result)
        expect(card.locator("#worst-note")).to_have_text("it only cancels")
        expect(card.locator("#warnings")).to_contain_text("then its protection goes, too.")
        expect(card.get_by_role("button", name="Keep it")).to_be_visible()
        card.get_by_role("button", name="Cancel this order").click()
        outcome(card, f"Cancel handed over: order {order} is no longer among the open orders")
        expect(card.locator("#outcome-lines")).to_contain_text("Gunbot said:")
        expect(card.locator("#outcome-lines")).to_contain_text("no fill was seen up to now")


@pytest.mark.parametrize("stripped", [(), ("structuredContent", "_meta")])
def test_a_cancel_that_gunbot_rejects_leaves_the_order_perhaps_open(
    make_site: MakeSite, new_page: NewPage, stripped: tuple[str, ...]
) -> None:
    site = make_site(cancel="ask")
    result = site.call("cancel_order", {**CANCEL, "order_id": "42"})
    site.wire.answers["/api/v1/trade/cancel"] = httpx2.Response(400, json={"status": "error", "message": "no"})
    with new_page() as page:
        card = Client(page, site, strips=stripped).show(without(result, *stripped))
        expect(card.locator("#again")).to_be_enabled()
        site.portal.call(lambda: site.desk.approve(ticket_of(result), by=TERMINAL))
        card.get_by_role("button", name="Look again").click()
        outcome(card, "Not cancelled: order 42 may still be open")


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (TERMINAL, "Declined in a terminal."),
        (Actor("form", "Cursor"), "Declined in the form in Cursor."),
        (Actor("card", "Claude"), "Declined on the ticket card in Claude."),
        (Actor("recorded", "somebody"), "Declined by somebody."),
    ],
)
def test_the_card_says_where_a_no_was_said(make_site: MakeSite, new_page: NewPage, by: Actor, words: str) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    site.portal.call(lambda: site.desk.decline(ticket_of(result), by=by))
    with new_page() as page:
        card = Client(page, site).show(result)
        outcome(card, "Declined")
        expect(card.locator("#outcome-lines p").first).to_have_text(words)


@pytest.mark.parametrize("live", [True, False])
def test_without_buttons_the_card_opens_the_page_and_follows_it(
    make_site: MakeSite,
    new_page: NewPage,
    live: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    site = make_site(live=live, buttons="never")
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site)
        card = client.show_on_a_clock(result)
        expect(card.locator(".kind")).to_have_text("LIVE" if live else "PAPER")
        expect(card.locator("#approve")).to_be_hidden()
        expect(card.locator("#reject")).to_be_hidden()
        card.get_by_role("button", name="Open approval page").click()
        expect(card.locator("#told")).to_be_hidden()
        page.clock.run_for(100)
        assert client.opened == [f"{site.url}/tickets/{ticket_of(result)}"]
        site.portal.call(lambda: site.desk.decline(ticket_of(result), by=PAGE))
        page.clock.run_for(5000)
        outcome(card, "Declined")
        assert [tool for tool, _ in client.called if tool != "get_ticket"] == []


def test_where_the_user_opts_in_a_live_card_has_buttons_that_say_real(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(live=True, buttons="always")
    with new_page() as page:
        card = Client(page, site).show(site.call("buy_limit", BUY))
        card.get_by_role("button", name="Approve and send for real").click()
        outcome(card, FILLED)
    assert len(site.wire.orders) == 1


@pytest.mark.parametrize("stripped", [("structuredContent",), ("_meta",), ("structuredContent", "_meta")])
def test_the_card_works_with_whichever_part_of_a_result_is_left(
    make_site: MakeSite, new_page: NewPage, stripped: tuple[str, ...]
) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        card = Client(page, site, strips=stripped).show(without(result, *stripped))
        expect(card.locator(".kind")).to_have_text("PAPER")
        expect(card.locator("#instance")).to_have_text("paper")
        summary = result["structuredContent"]["ticket"]["summary"]
        expect(card.get_by_role("heading", level=1)).to_have_text(summary)
        expect(card.locator("#warnings li")).to_have_count(1)
        expect(card.locator("#countdown")).to_have_text(re.compile(r"[12]:\d\d"))
        expect(card.locator("#ticket-id")).to_have_text(ticket_of(result))
        if "_meta" in stripped:
            expect(card.locator("#approve")).to_be_hidden()
        card.get_by_role("button", name="Open approval page").click()
        expect(card.locator("#told")).to_be_hidden()
        site.portal.call(lambda: site.desk.decline(ticket_of(result), by=PAGE))
        card.get_by_role("button", name="Look again").click()
        outcome(card, "Declined")


def test_a_client_that_opens_no_links_leaves_the_address_to_the_human(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site(live=True)
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site, refuse={"link"})
        card = client.show(result)
        card.get_by_role("button", name="Open approval page").click()
        expect(card.locator("#told")).to_contain_text(f"{site.url}/tickets/{ticket_of(result)}")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://evil.example/tickets/x", "http://127.0.0.1.evil.example/x", 7]
)
def test_only_an_approval_page_on_this_machine_is_offered(make_site: MakeSite, new_page: NewPage, url: object) -> None:
    site = make_site(live=True)
    result = site.call("buy_limit", BUY)
    result["_meta"][TICKET]["page_url"] = url
    with new_page() as page:
        card = Client(page, site, refuse={"get_ticket"}).show(result)
        command = result["_meta"][TICKET]["command"]
        expect(card.locator("#how summary")).to_have_text("To approve, run this in a terminal")
        expect(card.get_by_text(command)).to_be_visible()
        expect(card.locator("#open")).to_be_hidden()


@pytest.mark.parametrize("strips", [(), ("_meta",), ("_meta", "structuredContent")])
def test_the_card_names_the_whole_command_that_the_answer_names(
    make_site: MakeSite, new_page: NewPage, monkeypatch: pytest.MonkeyPatch, strips: tuple[str, ...]
) -> None:
    monkeypatch.setenv("GUNBOT_MCP_HOME", "/home/somebody/a folder/" + "of_some_length_" * 8)
    site = make_site(live=True)
    result = site.call("buy_limit", BUY)
    command = result["structuredContent"]["approve"]["command"]
    assert "GUNBOT_MCP_HOME='/home/somebody/a folder/of_some" in command
    with new_page(width=364) as page:
        client = Client(page, site, refuse={"get_ticket"})
        card = client.show(without(result, *strips))
        expect(card.locator("#open")).to_be_visible()
        expect(card.get_by_text(command)).to_be_hidden()
        assert client.sent("ui/notifications/size-changed")[-1]["params"]["height"] <= 610
        card.get_by_text("Or approve in a terminal").click()
        expect(card.get_by_text(command)).to_be_visible()
        assert card.locator("html").evaluate("page => page.scrollWidth <= page.clientWidth")


@pytest.mark.parametrize(
    "command", [7, "", "gunbot-mcp halt", "\u202e gunbot-mcp approve {id}", "x" * 2000 + " approve {id}"]
)
def test_a_command_that_is_none_or_not_whole_is_shown_as_the_short_one(
    make_site: MakeSite, new_page: NewPage, command: object
) -> None:
    site = make_site(live=True)
    result = site.call("buy_limit", BUY)
    ticket = ticket_of(result)
    given = command.replace("{id}", ticket) if isinstance(command, str) else command
    result["_meta"][TICKET]["command"] = given
    with new_page() as page:
        card = Client(page, site, refuse={"get_ticket"}).show(result)
        expect(card.locator("#how code")).to_have_text(f"gunbot-mcp approve {ticket}")


def test_a_client_that_refuses_the_call_leaves_the_ticket_open(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site, refuse={"decide_ticket", "get_ticket"})
        card = client.show(result)
        card.get_by_role("button", name="Approve and send").click()
        expect(card.get_by_role("alert")).to_contain_text("The client did not pass your decision on")
        expect(card.get_by_role("button", name="Approve and send")).to_be_enabled()
        card.get_by_role("button", name="Look again").click()
        expect(card.get_by_role("alert")).to_contain_text("The client did not let the card look")
        client.refuse.clear()
        card.get_by_role("button", name="Approve and send").click()
        outcome(card, FILLED)
    assert len(site.wire.orders) == 1


def test_a_ticket_that_was_decided_elsewhere_shows_that_and_the_refusal(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site)
        card = client.show(result)
        expect(card.get_by_role("button", name="Approve and send")).to_be_enabled()
        site.portal.call(lambda: site.desk.decline(ticket_of(result), by=TERMINAL))
        card.get_by_role("button", name="Approve and send").click()
        refusal = card.get_by_role("alert")
        expect(refusal.get_by_role("heading")).to_have_text("This decision changed nothing")
        expect(refusal).to_contain_text("is already declined")
        expect(refusal).not_to_contain_text("get_ticket")
        outcome(card, "Declined")
    assert site.wire.orders == []


def test_an_answer_from_an_old_conversation_is_brought_up_to_date(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    site.clock.advance(timedelta(seconds=121))
    with new_page() as page:
        card = Client(page, site).show(result)
        outcome(card, "Expired: nothing was sent")
        expect(card.locator("#outcome-lines")).to_contain_text("Nobody decided in time.")
        expect(card.locator("#decision")).to_be_hidden()


def test_at_the_end_of_the_countdown_the_card_cannot_approve_and_looks_again(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site, refuse={"get_ticket"})
        card = client.show_on_a_clock(result)
        expect(card.get_by_role("button", name="Approve and send")).to_be_enabled()
        page.clock.fast_forward(121_000)
        expect(card.locator("#countdown")).to_have_text("Expired")
        expect(card.get_by_role("button", name="Approve and send")).to_be_disabled()
        client.refuse.clear()
        site.clock.advance(timedelta(seconds=121))
        card.get_by_role("button", name="Look again").click()
        page.clock.run_for(100)
        outcome(card, "Expired: nothing was sent")
        expect(card.locator("#outcome-lines")).to_contain_text("Nobody decided in time.")
