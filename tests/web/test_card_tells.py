"""The loop closes on the card: the assistant is told of the decision, and the order is followed to its fill."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false
# Playwright's assertions and routes take patterns and handlers of types that it does not spell out.

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect
from web.cards import BUY, FILLED, Client, MakeSite, NewPage, outcome, ticket_of, without

from gunbot_mcp.guard.halt import halt
from gunbot_mcp.tickets.channels import PAGE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MESSAGES: dict[str, Any] = {"message": {"text": {}}, "updateModelContext": {"text": {}}}
RESTS = {**BUY, "price": 49000}


def contexts(client: Client) -> list[str]:
    return [sent["params"]["content"][0]["text"] for sent in client.sent("ui/update-model-context")]


def messages(client: Client) -> list[str]:
    assert all(sent["params"]["role"] == "user" for sent in client.sent("ui/message"))
    return [sent["params"]["content"][0]["text"] for sent in client.sent("ui/message")]


@pytest.mark.parametrize("takes", [MESSAGES, {}])
def test_the_assistant_is_told_of_a_decision_on_the_card(
    make_site: MakeSite, new_page: NewPage, takes: dict[str, Any]
) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site, takes=takes)
        card = client.show(result)
        card.get_by_role("button", name="Approve and send").click()
        outcome(card, FILLED)
        page.wait_for_function("log.some(m => m.method === 'ui/update-model-context')")
        (told,) = contexts(client)
        assert f"Ticket {ticket_of(result)}, PAPER instance paper, is accepted: Buy 0.001 BTC" in told
        assert "filled, 0.001 at" in told
        # A message starts a turn of the assistant: only where the host says that it takes one.
        assert messages(client) == ([f"I decided on the ticket card.\n{told}"] if takes else [])


def test_a_client_that_passes_on_only_text_is_told_too(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    strips = ("_meta", "structuredContent")
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site, strips=strips, takes=MESSAGES)
        card = client.show(without(result, *strips))
        expect(card.locator("#again")).to_be_enabled()
        site.portal.call(lambda: site.desk.decline(ticket_of(result), by=PAGE))
        card.get_by_role("button", name="Look again").click()
        outcome(card, "Declined")
        expect(card.locator("#outcome-lines")).not_to_contain_text("Next:")
        page.wait_for_function("log.some(m => m.method === 'ui/update-model-context')")
        assert contexts(client)[0].endswith("Declined by a human.")


def test_what_the_host_showed_the_model_itself_is_not_told_again(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    ticket = ticket_of(site.call("buy_limit", BUY))
    site.portal.call(lambda: site.desk.decline(ticket, by=PAGE))
    with new_page() as page:
        client = Client(page, site, takes=MESSAGES)
        card = client.show(site.call("get_ticket", {"ticket_id": ticket}))
        outcome(card, "Declined")
        expect(card.locator("#again")).to_be_enabled()
        card.get_by_role("button", name="Look again").click()
        page.wait_for_function("log.some(m => m.method === 'tools/call')")
        assert (contexts(client), messages(client)) == ([], [])


def test_the_card_follows_its_order_to_the_fill_and_tells_it_without_a_second_message(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    result = site.call("buy_limit", RESTS)
    with new_page() as page:
        client = Client(page, site, takes=MESSAGES)
        card = client.show_on_a_clock(result)
        card.get_by_role("button", name="Approve and send").click()
        outcome(card, "Accepted by Gunbot")
        site.price("48000")
        site.clock.advance(timedelta(seconds=10))
        page.clock.run_for(4100)
        outcome(card, FILLED)
        page.wait_for_function("log.filter(m => m.method === 'ui/update-model-context').length === 2")
        assert (len(contexts(client)), len(messages(client))) == (2, 1)
        asked = len(client.called)
        page.clock.run_for(300_000)  # nothing more can become of it
        assert len(client.called) == asked


@pytest.mark.parametrize("live", [True, False])
def test_a_card_left_alone_says_by_itself_that_nothing_was_sent(
    make_site: MakeSite,
    new_page: NewPage,
    live: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    site = make_site(live=live)
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site, takes=MESSAGES)
        card = client.show_on_a_clock(result)
        expect(card.locator("#countdown")).to_have_text(re.compile(r"^[12]:"))
        client.expire()
        outcome(card, "Expired: nothing was sent")
        expect(card.locator("#decision")).to_be_hidden()
        page.wait_for_function("log.some(m => m.method === 'ui/update-model-context')")
        assert messages(client) == []


def test_a_reject_that_the_client_never_answers_does_not_keep_the_card_from_its_end(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site(live=True, buttons="always")
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site)
        card = client.show_on_a_clock(result)
        # This client shows its human a question about the call, and nobody answers it.
        page.evaluate(
            "callTool = (pass => (tool, given) => tool === 'decide_ticket' ? new Promise(() => {}) : pass(tool, given))"
            "(callTool)"
        )
        card.get_by_role("button", name="Reject").click()
        expect(card.locator("#reject")).to_have_text("Rejecting…")
        client.expire()
        outcome(card, "Expired: nothing was sent")
        page.clock.run_for(70_000)  # the card's own patience with the client ends
        expect(card.locator("#failure")).to_be_hidden()
        outcome(card, "Expired: nothing was sent")


def test_a_reject_that_the_client_refuses_leaves_a_live_card_that_still_comes_to_its_end(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site(live=True, buttons="always")
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site, refuse={"decide_ticket"})
        card = client.show_on_a_clock(result)
        card.get_by_role("button", name="Reject").click()
        refusal = card.get_by_role("alert")
        expect(refusal.get_by_role("heading")).to_have_text("Not decided")
        expect(card.get_by_role("button", name="Reject")).to_be_enabled()
        client.expire()
        outcome(card, "Expired: nothing was sent")
        expect(refusal).to_have_count(0)


def test_a_decision_that_the_server_refuses_is_told_to_people_and_its_command_to_whoever_can_run_it(
    make_site: MakeSite, new_page: NewPage
) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        client = Client(page, site, takes=MESSAGES)
        card = client.show(result)
        expect(card.get_by_role("button", name="Approve and send")).to_be_enabled()
        halt(site.folder, "lunch")
        card.get_by_role("button", name="Approve and send").click()
        refusal = card.get_by_role("alert")
        expect(refusal.get_by_role("heading")).to_have_text("Trading is halted")
        expect(refusal).to_contain_text("gunbot-mcp resume")
        expect(refusal).not_to_contain_text(re.compile("halted:.*halted:|Next:|_"))
        assert (contexts(client), messages(client)) == ([], [])  # it still waits: nothing to tell


def test_a_card_that_may_not_ask_says_that_the_time_is_over_and_no_more(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    with new_page() as page:
        page.clock.install()
        card = Client(page, site, refuse={"get_ticket"}).show(site.call("buy_limit", BUY))
        page.clock.run_for(1000)
        page.clock.fast_forward(121_000)
        page.clock.run_for(2000)
        outcome(card, "The time to decide is over")
        expect(card.locator("#outcome-lines")).to_contain_text("does not let the card ask")


def test_a_refused_order_has_a_title_and_words_for_people(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    with new_page() as page:
        card = Client(page, site).show(site.call("buy_limit", {**BUY, "amount": 900}))
        refusal = card.get_by_role("alert")
        expect(refusal.get_by_role("heading")).to_have_text("Beyond one of your limits")
        expect(refusal).not_to_contain_text("limit_exceeded")
        expect(refusal).not_to_contain_text(re.compile("get_|Next:"))
