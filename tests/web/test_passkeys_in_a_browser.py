"""Passkeys as a human meets them: real Chromium with its virtual authenticator, a real inbox, a live Gunbot."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Playwright's assertions take patterns of types that it does not spell out.

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect
from support.browsing import visit
from support.terminals import Terminal
from web.passkey_house import PIN, House, finger, register

from gunbot_mcp.guard.halt import halt, halted

pytestmark = pytest.mark.browser
NewPage = Callable[..., Any]
MakeHouse = Callable[..., Any]
MANDATE = ("mandate", "create", "--exchange", "binance", "--pairs", "USDT-BTC", "--for", "1h")


@pytest.mark.slow
def test_a_touch_approves_a_live_order_and_the_ledger_proves_it(make_house: MakeHouse, new_page: NewPage) -> None:
    house: House
    with make_house(live_needs="passkey") as house, new_page() as page:
        order = house.propose()
        visit(page, order)
        expect(page.get_by_text("none that counts belongs to this address")).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
        cdp, device = finger(page)
        register(page, house)
        expect(page.get_by_role("note").first).to_contain_text('Passkey "laptop"')
        visit(page, order)
        expect(page.get_by_label("Your PIN")).to_have_count(0)
        expect(page.locator(".news")).to_contain_text("was registered")
        touch = page.get_by_role("button", name="Approve with your passkey and send for real")
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
        touch.click()
        expect(page.locator("#passkey-problem")).to_contain_text("not touched")
        assert house.gunbot.trades == []
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
        touch.click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Accepted by Gunbot")
        assert len(house.gunbot.trades) == 1
        shown = house.run("passkey", "--list").stdout
        key = shown.split("SHA-256 ")[1].strip()
        proof = house.run("ledger", "--verify", "--key", key)
        assert proof.returncode == 0, proof
        assert "gunbot-mcp/approve/v1" in proof.stdout
        assert house.run("ledger", "--verify", "--key", "0" * 64).returncode == 1


@pytest.mark.slow
def test_a_second_passkey_needs_a_touch_of_the_first(make_house: MakeHouse, new_page: NewPage) -> None:
    house: House
    with make_house() as house, new_page() as page:
        cdp, first = finger(page)
        register(page, house)
        # The second lies on a device of its own; the first vouches.
        options = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        second = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
        presence = "WebAuthn.setAutomaticPresenceSimulation"
        cdp.send(presence, {"authenticatorId": first, "enabled": False})
        expect(page.get_by_label("Your PIN")).to_have_count(0)
        page.get_by_label("A name for it").fill("key")

        def made(route: Route) -> None:
            # The new one is made; from here on the human's finger lies on the first.
            cdp.send(presence, {"authenticatorId": second, "enabled": False})
            cdp.send(presence, {"authenticatorId": first, "enabled": True})
            route.continue_()

        page.route("**/passkeys/made", made)
        page.get_by_role("button", name="Register a passkey").click()
        expect(page.get_by_text("key", exact=True)).to_be_visible()
        assert house.run("ledger", "--verify").returncode == 0
        assert house.run("passkey", "--list").stdout.count("SHA-256") == 2


@pytest.mark.slow
def test_where_any_way_counts_the_pin_and_the_touch_stand_side_by_side(
    make_house: MakeHouse, new_page: NewPage
) -> None:
    house: House
    with make_house() as house, new_page() as page:
        finger(page)
        register(page, house)
        order = house.propose()
        visit(page, order.replace("localhost", "127.0.0.1"))
        expect(page.get_by_role("link", name=order)).to_be_visible()
        expect(page.get_by_role("button", name="passkey")).to_have_count(0)
        visit(page, order)
        expect(page.get_by_role("button", name="Approve with your passkey")).to_be_enabled()
        page.get_by_label("Your PIN").fill(PIN)
        page.get_by_role("button", name="Approve and send").click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Accepted by Gunbot")


def test_commands_in_a_terminal_ask_for_a_touch(make_house: MakeHouse, new_page: NewPage) -> None:
    house: House

    def opened(terminal: Terminal) -> str:
        terminal.answer("touch your passkey there", "")
        found = re.search(r"http://localhost:\d+", terminal.shown)
        assert found is not None
        return found[0]

    with make_house(live_needs="passkey") as house, new_page() as page:
        finger(page)
        register(page, house)
        order = house.propose()
        for arguments, title in (
            (("approve", order.rpartition("/")[2]), "Approve and send for real: "),
            (("resume",), "Allow trading again"),
            (
                (*MANDATE, "--max-order", "50", "--max-total", "99"),
                "Create a mandate on LIVE instance gunbot",
            ),
        ):
            if arguments == ("resume",):
                halt(house.folder, "a test")
            terminal = Terminal(*arguments)
            visit(page, opened(terminal))
            expect(page.get_by_role("heading", level=1)).to_contain_text(title)
            page.get_by_role("button", name="Sign with your passkey").click()
            assert terminal.end() == 0, terminal.shown
            assert halted(house.folder) is None
        assert len(house.gunbot.trades) == 1
        key = house.run("passkey", "--list").stdout.split("SHA-256 ")[1].strip()
        shown = house.run("ledger", "--verify", "--key", key)
        assert [f"gunbot-mcp/{name}/v1" in shown.stdout for name in ("approve", "resume", "mandate")] == [True] * 3
        assert shown.returncode == 0, shown


@pytest.mark.slow
def test_a_command_that_needs_a_touch_opens_its_page_where_pages_open_by_themselves(
    make_house: MakeHouse, new_page: NewPage, opened: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house: House
    with make_house(live_needs="passkey", open="browser") as house, new_page() as page:
        finger(page)
        terminal = Terminal("passkey")
        url = opened()
        assert url in terminal.wait_for("register your passkey there")
        assert "Your browser opens" in terminal.words
        visit(page, url)
        page.get_by_label("A name for it").fill("laptop")
        page.get_by_label("Your PIN").fill(PIN)
        page.get_by_role("button", name="Register a passkey").click()
        assert terminal.end() == 0, terminal.shown
        halt(house.folder, "a test")
        terminal = Terminal("resume")
        visit(page, opened())
        page.get_by_role("button", name="Sign with your passkey").click()
        assert terminal.end() == 0, terminal.shown
        assert halted(house.folder) is None
        # Without a screen the human is told to open it, and not that it opened.
        halt(house.folder, "a test")
        monkeypatch.delenv("DISPLAY")
        terminal = Terminal("resume")
        terminal.interrupt("touch your passkey there")
        assert terminal.end() != 0
        assert "Open http://localhost:" in terminal.words
        assert "browser" not in terminal.words
