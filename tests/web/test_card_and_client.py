"""The ticket card and the client that embeds it: whom it hears, what it answers, how it looks and is used there."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false
# Playwright's assertions and routes take patterns and handlers of types that it does not spell out.

from typing import Any

import pytest
from playwright.sync_api import expect
from web.cards import BUY, TICKET, Client, MakeSite, NewPage, outcome

from gunbot_mcp.tickets.view import ticket_answer, ticket_view

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_card_wears_the_clients_theme_and_changes_with_it(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    with new_page(color_scheme="light") as page:
        card = Client(page, site).show(site.call("buy_limit", BUY), theme="dark")
        ground = "article => getComputedStyle(article).backgroundColor"
        expect(card.locator("html")).to_have_attribute("data-theme", "dark")
        assert card.locator("#card").evaluate(ground) == "rgb(25, 30, 37)"
        changed = {"method": "ui/notifications/host-context-changed", "params": {"theme": "light"}}
        page.evaluate("message => send(message)", changed)
        expect(card.locator("html")).to_have_attribute("data-theme", "light")
        assert card.locator("#card").evaluate(ground) == "rgb(255, 255, 255)"


def test_the_card_answers_the_clients_own_requests(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    with new_page() as page:
        card = Client(page, site).show(site.call("buy_limit", BUY))
        expect(card.locator(".kind")).to_be_visible()
        for number, method in ((71, "ping"), (72, "ui/resource-teardown"), (73, "tools/list")):
            page.evaluate("message => send(message)", {"id": number, "method": method, "params": {}})
        page.wait_for_function("log.filter(m => m.id > 70 && !m.method).length === 3")
        answers = page.evaluate("log.filter(m => m.id > 70 && !m.method)")
        assert [answer.get("result") for answer in answers] == [{}, {}, None]
        assert answers[2]["error"]["code"] == -32601


def test_only_the_embedding_client_is_heard(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    result = site.call("buy_limit", BUY)
    with new_page() as page:
        card = Client(page, site).show(None)
        expect(card.locator("#waiting")).to_be_visible()
        forged = {"jsonrpc": "2.0", "method": "ui/notifications/tool-result", "params": result}
        card.locator("html").evaluate("(_, message) => window.postMessage(message, '*')", forged)
        page.evaluate("send({ method: 'ui/notifications/tool-cancelled', params: {} })")
        expect(card.locator("#told")).to_contain_text("gunbot-mcp tickets")
        expect(card.locator("#band")).to_be_hidden()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (
            {"content": [{"type": "text", "text": "limit_exceeded: too much\nNext: smaller"}], "isError": True},
            "It was refusedToo much.",
        ),
        ({"content": [], "isError": True}, "The server answered with an error."),
        ({"content": [{"type": "text", "text": "3 tickets, newest first"}]}, "3 tickets, newest first"),
        ({}, "The answer holds no ticket."),
    ],
)
def test_an_answer_without_a_ticket_is_shown_as_it_is(
    make_site: MakeSite, new_page: NewPage, result: dict[str, Any], words: str
) -> None:
    with new_page() as page:
        card = Client(page, make_site()).show(result)
        expect(card.locator("main")).to_contain_text(words)
        expect(card.locator("#decision")).to_be_hidden()


def test_hostile_texts_are_inert_on_the_card(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    hostile = '"><script>document.title="owned"</script><img src=x onerror="top.owned=1">\u202e' + "W" * 3000
    ticket = site.plant("hostile", client=hostile, summary=hostile, warnings=(hostile,) * 20)
    answer = ticket_answer(ticket)
    meta = {"ticket": ticket_view(ticket), "quote": {"bid": hostile, "ask": hostile, "at": hostile}, "buttons": False}
    result = {"content": [{"type": "text", "text": answer.text}], "_meta": {TICKET: meta}}
    with new_page(width=360) as page:
        card = Client(page, site).show(result)
        expect(card.get_by_role("heading", level=1)).to_contain_text("<script>")
        assert card.locator("img").count() == 0
        assert card.locator("#warnings li").count() == 10
        shown = card.locator("main").inner_text()
        assert "\u202e" not in shown
        assert "W" * 1300 not in shown
        widths = card.locator("html").evaluate("page => [page.scrollWidth, window.innerWidth]")
        assert widths[0] == widths[1]
        assert page.evaluate("window.owned") is None


def test_the_card_is_usable_by_keyboard_alone(make_site: MakeSite, new_page: NewPage) -> None:
    site = make_site()
    with new_page() as page:
        card = Client(page, site).show(site.call("buy_limit", BUY))
        button = card.get_by_role("button", name="Approve and send")
        expect(button).to_be_enabled()
        button.focus()
        page.keyboard.press("Tab")
        expect(card.get_by_role("button", name="Reject")).to_be_focused()
        page.keyboard.press("Enter")
        outcome(card, "Declined")
