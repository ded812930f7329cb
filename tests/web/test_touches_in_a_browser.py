"""Going on after a halt, and settling a ticket of unknown fate, by a touch: Chromium's authenticator, a real inbox."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Playwright's assertions take patterns of types that it does not spell out.

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from support.browsing import visit
from web.passkey_house import PIN, House, finger, register

from gunbot_mcp.guard.halt import halted

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NewPage = Callable[..., Any]


def test_a_touch_lets_trading_go_on_and_no_pin_does_once_the_config_asks_for_touches(
    make_house: Callable[..., Any], new_page: NewPage
) -> None:
    house: House
    with make_house(live_needs="any") as house, new_page() as page:
        cdp, device = finger(page)
        register(page, house)
        visit(page, house.url)
        page.get_by_role("button", name="Halt all trading now").click()
        expect(page.get_by_role("button", name="Resume trading")).to_be_visible()
        with_pin = page.get_by_label("Your PIN")
        with_pin.fill(PIN)
        # The stricter word counts from the moment that it stands in the file, for forms that are open already, too.
        house.says('"any"', '"passkey"')
        page.get_by_role("button", name="Resume trading").click()
        expect(page.get_by_text("only a touch of your passkey lets trading go on")).to_be_visible()
        assert halted(house.folder) is not None
        visit(page, house.url)
        expect(with_pin).to_have_count(0)
        touch = page.get_by_role("button", name="Resume with your passkey")
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
        touch.click()
        expect(page.locator("#passkey-problem")).to_contain_text("not touched")
        assert halted(house.folder) is not None
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
        touch.click()
        expect(page.get_by_role("button", name="Halt all trading now")).to_be_visible()
        assert halted(house.folder) is None
        proof = house.run("ledger", "--verify", "--key", _key(house))
        assert proof.returncode == 0, proof
        assert "gunbot-mcp/resume/v1" in proof.stdout


def test_a_touch_settles_a_ticket_of_unknown_fate_and_the_ledger_proves_it(
    make_house: Callable[..., Any], new_page: NewPage
) -> None:
    house: House
    with make_house(live_needs="passkey") as house, new_page() as page:
        finger(page)
        register(page, house)
        house.gunbot.reply = (500, {"error": "gone"})
        order = house.propose()
        visit(page, order)
        page.get_by_role("button", name="Approve with your passkey and send for real").click()
        expect(page.get_by_role("heading", name="What did you find?")).to_be_visible()
        expect(page.get_by_label("Your PIN")).to_have_count(0)
        expect(page.get_by_role("button", name="The order never arrived", exact=True)).to_have_count(0)
        visit(page, house.url)
        expect(page.get_by_role("heading", name="Of unknown fate")).to_be_visible()
        visit(page, order)
        page.get_by_role("button", name="The order never arrived (with your passkey)").click()
        expect(page.get_by_role("heading", name="What did you find?")).to_have_count(0)
        ticket = house.call("get_ticket", ticket_id=order.rpartition("/")[2])["ticket"]
        assert ticket["state"] == "void"
        assert len(house.gunbot.trades) == 1
        proof = house.run("ledger", "--verify", "--key", _key(house))
        assert proof.returncode == 0, proof
        assert "gunbot-mcp/resolve/v1" in proof.stdout


def _key(house: House) -> str:
    return house.run("passkey", "--list").stdout.split("SHA-256 ")[1].split()[0]
