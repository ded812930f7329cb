"""The public side: what a phone can do through the user's own proxy, and what everybody else can not."""

# pyright: reportUnknownMemberType=false
# Playwright's assertions take patterns of types that it does not spell out.

import http.client
import re
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, Playwright, Request, expect
from support.browsing import follow, visit
from web.axe import axe
from web.conftest import CHROMIUM_ARGUMENTS, chromium
from web.passkey_house import PIN, House, finger, open_house, register
from web.proxy import reverse_proxy

from gunbot_mcp.approval.passkey_code import keep, new_code
from gunbot_mcp.clock import Clock
from gunbot_mcp.guard.halt import halted

if TYPE_CHECKING:
    from support.live import LiveGunbot

HOST = "gunbot.localhost"
NewPage = Callable[..., Any]


@dataclass(frozen=True)
class Public:
    """An inbox with a public side at `url`, whose own port is `port`."""

    house: House
    url: str
    port: int

    def ask(self, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, str, str]:
        """Ask the public port as a program does, past the proxy, with any headers at all."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in {**headers, **({"Content-Length": str(len(body))} if method == "POST" else {})}.items():
                connection.putheader(name, value)
            connection.endheaders(body.encode() or None)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers.get("set-cookie", "")
        finally:
            connection.close()

    @property
    def host(self) -> str:
        return self.url.removeprefix("https://")


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def make_public(
    live_gunbot: "LiveGunbot", clean_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    @contextmanager
    def make(**approval: object) -> Generator[Public]:
        outer, inner = free_port(), free_port()
        url = f"https://{HOST}:{outer}"
        given = {"public_url": url, "public_port": inner, **approval}
        with ExitStack() as stack:
            house: House = stack.enter_context(
                open_house(live_gunbot, clean_environment, tmp_path / "config.toml", monkeypatch.setenv, **given)
            )
            stack.enter_context(reverse_proxy(HOST, outer, inner, tmp_path))
            yield Public(house, url, inner)

    return make


@pytest.fixture(scope="module")
def browser(_playwright: Playwright) -> Iterator[Browser]:
    """Chromium as on a phone whose owner trusts the proxy's certificate."""
    found = _playwright.chromium.launch(
        executable_path=chromium(), args=[*CHROMIUM_ARGUMENTS, "--ignore-certificate-errors"]
    )
    yield found
    found.close()


HEADERS: dict[str, Callable[[Public], dict[str, str]]] = {
    "nothing": lambda at: {"Host": at.host},
    "our origin": lambda at: {"Host": at.host, "Origin": at.url},
    "a foreign origin": lambda at: {"Host": at.host, "Origin": "https://evil.example"},
    "no origin at all": lambda at: {"Host": at.host, "Origin": "null"},
    "a made-up session": lambda at: {"Host": at.host, "Origin": at.url, "Cookie": "__Host-gunbot-mcp=" + "a" * 43},
    "a loopback session": lambda at: {"Host": at.host, "Origin": at.url, "Cookie": "gunbot-mcp-page=" + "a" * 43},
    "an inner address": lambda at: {"Host": at.host, "Origin": at.url, "X-Forwarded-For": "127.0.0.1"},
    "a user's name": lambda at: {"Host": at.host, "Origin": at.url, "Authorization": "Basic YTpi"},
}
FOREIGN: dict[str, Callable[[Public], str]] = {
    "an address": lambda _: "evil.example",
    "localhost": lambda at: f"localhost:{at.port}",
    "127.0.0.1": lambda at: f"127.0.0.1:{at.port}",
    "no port": lambda _: HOST,
    "our own port": lambda at: f"{HOST}:{at.port}",
    "a longer name": lambda at: f"{HOST}.evil.example:{at.url.rpartition(':')[2]}",
    "capitals": lambda at: at.host.upper(),
    "nothing": lambda _: "",
}


@pytest.mark.slow
def test_without_a_session_everything_is_the_same_sign_in_page(make_public: Callable[..., Any]) -> None:
    at: Public
    with make_public() as at:
        order = at.house.propose().rpartition("/")[2]
        paths = ["/", "/live", "/inbox?nonce=" + "a" * 32, "/passkeys", "/halt", "/sign-out", "/none", "/../etc/passwd"]
        paths += [
            f"/tickets/{name}{rest}" for name in (order, "0" * 12) for rest in ("", "/live", "/approve", "/reject")
        ]
        body = urlencode({"token": "0" * 64, "pin": PIN})
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        seen: set[tuple[int, str, str]] = set()
        for make in HEADERS.values():
            for path in paths:
                for method in ("GET", "POST", "PUT", "DELETE"):
                    seen.add(at.ask(method, path, {**make(at), **form}, body if method == "POST" else ""))
        (only,) = seen
        assert only[0] == 401
        assert "Sign in" in only[1]
        assert order not in only[1]
        assert "gunbot</b>" not in only[1]
        for make in FOREIGN.values():
            status, text, _ = at.ask("GET", f"/tickets/{order}", {"Host": make(at)})
            assert status in {400, 421}
            assert order not in text
        for headers in (HEADERS["a foreign origin"](at), HEADERS["no origin at all"](at), HEADERS["nothing"](at)):
            for path in ("/sign-in/begin", "/sign-in", "/passkeys/begin", "/passkeys/made"):
                assert at.ask("POST", path, {**headers, **form}, "a=b")[0] == 403
        for body in ("ceremony=x&touch=y", "ceremony=" + "0" * 64 + ".%7B%7D&touch=%7B%7D", "touch=y"):
            status, _, cookie = at.ask("POST", "/sign-in", {**HEADERS["our origin"](at), **form}, body)
            assert (status, cookie) == (403, "")
        status, _, _ = at.ask(
            "POST", "/passkeys/begin", {**HEADERS["our origin"](at), **form}, urlencode({"code": "2" * 16, "name": "x"})
        )
        assert status == 403
        assert at.house.call("get_ticket", ticket_id=order)["ticket"]["state"] == "pending"
        assert at.house.gunbot.trades == []
        assert halted(at.house.folder) is None
    # Each kind of a wrong Host once, however often it came.
    (stderr,) = at.house.stderr
    assert 1 <= stderr.count("A request to the public side came with") <= 5
    assert f"proxy_set_header Host {at.host};" in stderr


FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "x-forwarded-anything", "Via")


@pytest.mark.slow
def test_the_loopback_port_refuses_whatever_came_through_a_proxy(make_public: Callable[..., Any]) -> None:
    at: Public
    with make_public() as at:
        port = int(at.house.url.rpartition(":")[2])
        inside = Public(at.house, at.house.url, port)
        order = at.house.propose()
        path = "/tickets/" + order.rpartition("/")[2]
        host = {"Host": f"localhost:{port}"}
        assert inside.ask("GET", path, host)[0] == 200
        for name in FORWARDED:
            for where in ("/", path, "/passkeys", "/inbox?nonce=" + "a" * 32):
                status, text, _ = inside.ask("GET", where, {**host, name: "for=127.0.0.1"})
                assert status == 403, (name, where)
                assert "0.001 BTC" not in text


@pytest.mark.browser
@pytest.mark.slow
def test_a_phone_signs_in_and_approves_each_order_by_a_touch_of_its_own(
    make_public: Callable[..., Any], new_page: NewPage
) -> None:
    at: Public
    with make_public() as at, new_page(width=390, height=844) as page:
        cdp, device = finger(page)
        sign_in(page, at)
        (cookie,) = [one for one in page.context.cookies() if one.get("name") == "__Host-gunbot-mcp"]
        assert (cookie.get("secure"), cookie.get("httpOnly"), cookie.get("sameSite")) == (True, True, "Strict")
        order = at.house.propose().rpartition("/")[2]
        visit(page, f"{at.url}/tickets/{order}")
        expect(page.get_by_label("Your PIN")).to_have_count(0)
        # Signed in is not approved: without a touch nothing goes, whatever form is sent.
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
        page.get_by_role("button", name="Approve with your passkey").click()
        expect(page.locator("#passkey-problem")).to_contain_text("not touched")
        token = page.locator("#touch input[name=token]").input_value()
        statuses = page.evaluate(
            """async ([path, token, pin]) => {
              const found = [];
              for (const fields of [{ token }, { token, pin }, { token, touch: "{}" }])
                found.push((await fetch(path, { method: "POST", body: new URLSearchParams(fields) })).status);
              return found;
            }""",
            [f"/tickets/{order}/approve", token, PIN],
        )
        assert statuses == [403, 400, 403]
        assert at.house.gunbot.trades == []
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
        visit(page, f"{at.url}/tickets/{order}")
        page.get_by_role("button", name="Approve with your passkey").click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Accepted by Gunbot")
        assert len(at.house.gunbot.trades) == 1
        # Rejecting and halting need the session alone.
        other = at.house.propose(price=48000).rpartition("/")[2]
        visit(page, f"{at.url}/tickets/{other}")
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Declined")
        visit(page, f"{at.url}/tickets/{'0' * 12}")
        expect(page.get_by_role("heading", name="There is no")).to_be_visible()
        visit(page, at.url)
        page.get_by_role("link", name="Halt all trading").click()
        page.get_by_role("button", name="Halt all trading now").click()
        expect(page.get_by_role("alert").first).to_contain_text("halted at the public url")
        assert halted(at.house.folder) is not None
        visit(page, f"{at.url}/halt")
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_title("Sign in")
        assert at.house.run("ledger", "--verify").returncode == 0


@pytest.mark.browser
@pytest.mark.slow
def test_a_phone_that_has_signed_in_follows_a_notice_also_from_another_site(
    make_public: Callable[..., Any], new_page: NewPage
) -> None:
    at: Public
    with make_public(touch_at_once=True) as at, new_page(width=390, height=844) as page:
        finger(page)
        sign_in(page, at)
        # Another program opens the link: one touch sends.
        first = at.house.propose().rpartition("/")[2]
        visit(page, f"{at.url}/tickets/{first}#touch")
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Accepted by Gunbot")
        assert len(at.house.gunbot.trades) == 1
        # A web page links it: browsers then keep the session's cookie back at first, and nothing is asked for at once.
        second = at.house.propose(price=48000).rpartition("/")[2]
        for mark in ("", "#touch"):
            follow(page, f"{at.url}/tickets/{second}{mark}")
            expect(page.get_by_role("heading", level=1)).to_contain_text("Buy 0.001 BTC at 48,000 USDT")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Buy 0.001 BTC at 48,000 USDT")
        page.get_by_role("button", name="Approve with your passkey").click()
        expect(page.get_by_role("status").get_by_role("heading")).to_have_text("Accepted by Gunbot")
        assert len(at.house.gunbot.trades) == 2


@pytest.mark.browser
@pytest.mark.slow
def test_a_stranger_who_follows_a_link_from_another_site_is_asked_to_sign_in(
    make_public: Callable[..., Any], new_page: NewPage
) -> None:
    at: Public
    with make_public() as at, new_page() as page:
        looks: list[str] = []

        def note(asked: Request) -> None:
            if asked.is_navigation_request():
                looks.append(asked.url)

        page.on("request", note)
        follow(page, f"{at.url}/tickets/x")
        expect(page.locator("body[data-again]")).to_have_count(0)
        expect(page.get_by_role("button", name="Sign in with your passkey")).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert looks == [f"{at.url}/tickets/x"] * 2


@pytest.mark.browser
@pytest.mark.slow
def test_no_path_leads_from_the_sign_in_page_to_another_site(
    make_public: Callable[..., Any], new_page: NewPage
) -> None:
    at: Public
    # What is not there is an error on the browser's console.
    with make_public() as at, new_page(quiet=False) as page:
        finger(page)
        sign_in(page, at)
        page.context.clear_cookies()
        for go in (visit, follow):
            go(page, f"{at.url}//evil.invalid/x?y")
            expect(page.locator("body[data-again]")).to_have_count(0)
            expect(page.get_by_role("button", name="Sign in with your passkey")).to_be_visible()
            assert page.url == f"{at.url}//evil.invalid/x?y"
        page.get_by_role("button", name="Sign in with your passkey").click()
        expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
        assert page.url == f"{at.url}//evil.invalid/x?y"


def sign_in(page: Page, at: Public) -> None:
    """Register the phone with a code of the machine, and sign in."""
    visit(page, at.url)
    code, _ = new_code()
    keep(at.house.folder, code, Clock().now(), proof="pin", live=True)
    page.get_by_text("This device has no passkey yet").click()
    page.get_by_label("The code").fill(code)
    page.get_by_label("A name for this device").fill("phone")
    page.get_by_role("button", name="Register this device").click()
    expect(page.get_by_label("The code")).to_have_value("")
    page.get_by_role("button", name="Sign in with your passkey").click()
    expect(page.get_by_role("heading", name="No open tickets")).to_be_visible()


@pytest.mark.browser
@pytest.mark.slow
def test_the_sign_in_page_says_beside_a_field_what_is_wrong_with_it(
    make_public: Callable[..., Any], new_page: NewPage
) -> None:
    at: Public
    found = axe("the public side")
    # A refusal is an error on the browser's console, and meant here.
    with make_public() as at, new_page(width=390, height=844, quiet=False) as page:
        cdp, device = finger(page)
        visit(page, at.url)
        page.get_by_text("This device has no passkey yet").click()
        code, name = page.get_by_label("The code"), page.get_by_label("A name for this device")
        press = page.get_by_role("button", name="Register this device")
        beside = page.locator(".pin").get_by_role("alert")
        press.click()
        expect(beside).to_have_count(2)
        for field in (code, name):
            expect(field).to_have_attribute("aria-invalid", "true")
            expect(field).to_have_accessible_description(re.compile("fill out"))
        expect(code).to_be_focused()
        found.look("empty fields", page)
        page.keyboard.type("2" * 16)
        expect(beside).to_have_count(1)
        name.fill("phone")
        expect(beside).to_have_count(0)
        press.click()
        expect(code).to_have_accessible_description(re.compile("^this code lets no passkey in", re.IGNORECASE))
        expect(code).to_have_attribute("aria-invalid", "true")
        expect(code).to_be_focused()
        expect(name).not_to_have_attribute("aria-invalid", "true")
        expect(page.locator("#passkey-problem")).to_be_hidden()
        found.look("a wrong code", page)
        # What is about no field stands by the button that was pressed.
        right, _ = new_code()
        keep(at.house.folder, right, Clock().now(), proof="pin", live=True)
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
        code.fill(right)
        press.click()
        expect(page.locator("form").get_by_role("alert")).to_contain_text("not touched")
        expect(page.locator("#passkey-problem")).to_be_hidden()
        found.look("a passkey that was not made", page)
    assert found.found == [], found.report()


@pytest.mark.browser
@pytest.mark.slow
def test_axe_finds_nothing_behind_the_sign_in(make_public: Callable[..., Any], new_page: NewPage) -> None:
    at: Public
    found = axe("behind the sign-in")
    with make_public() as at, new_page(width=390, height=844) as page:
        finger(page)
        sign_in(page, at)
        found.look("nothing waits", page)
        order = at.house.propose().rpartition("/")[2]
        visit(page, f"{at.url}/tickets/{order}")
        expect(page.get_by_role("button", name="Approve with your passkey")).to_be_enabled()
        found.look("an order waits", page)
        visit(page, f"{at.url}/halt")
        found.look("halting", page)
        page.get_by_role("button", name="Halt all trading now").click()
        expect(page.get_by_role("alert").first).to_contain_text("halted at the public url")
        found.look("halted", page)
    assert found.found == [], found.report()


@pytest.mark.browser
@pytest.mark.slow
def test_a_passkey_of_this_machine_opens_nothing_at_the_public_url(
    make_public: Callable[..., Any], new_page: NewPage
) -> None:
    at: Public
    with make_public() as at, new_page() as page:
        finger(page)
        register(page, at.house)
        visit(page, at.url)
        page.get_by_role("button", name="Sign in with your passkey").click()
        expect(page.locator("#passkey-problem")).to_be_visible()
        expect(page).to_have_title("Sign in")
