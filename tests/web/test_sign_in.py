"""Signing in at the public url: one touch over one challenge opens one session, and nothing else does."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from starlette.responses import PlainTextResponse
from support.authenticator import PRESENT, Authenticator

from gunbot_mcp.approval.passkeys import Registrar
from gunbot_mcp.clock import ManualClock
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.passkey import Deed, Passkey, b64, challenge_of
from gunbot_mcp.web.public import PublicSide

pytestmark = pytest.mark.anyio
URL = "https://orders.example.org"
RP = "orders.example.org"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Phone:
    """A phone whose passkey is registered, and the public side that it asks."""

    http: httpx2.AsyncClient
    device: Authenticator
    passkey: Passkey
    ledger: Ledger
    clock: ManualClock
    halts: list[str] = field(default_factory=list[str])
    told: list[str] = field(default_factory=list[str])

    async def begin(self) -> tuple[str, str]:
        found = (await self.post("/sign-in/begin")).json()
        assert found["options"]["allowCredentials"] == []
        assert found["options"]["userVerification"] == "required"
        return found["ceremony"], found["options"]["challenge"]

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        return await self.http.post(path, data=fields, headers={"Origin": URL, **_FORM})

    async def sign_in(self, ceremony: str, touch: str) -> int:
        return (await self.post("/sign-in", ceremony=ceremony, touch=touch)).status_code

    async def looks(self) -> str:
        return (await self.http.get("/tickets/x")).text


@asynccontextmanager
async def public_side(
    ledger: Ledger,
    clock: ManualClock,
    folder: Path,
    halt: Callable[[str], Awaitable[None]],
    tell: Callable[[str], None] = print,
) -> AsyncGenerator[httpx2.AsyncClient]:
    """Serve what is in front of the public page, where an instance is live; behind it is an order."""
    side = PublicSide(
        PlainTextResponse("an order"),
        url=URL,
        registrar=Registrar(ledger, clock, folder, rp=RP, origin=lambda: URL, any_live=True),
        ledger=ledger,
        clock=clock,
        halt=halt,
        any_live=True,
        tell=tell,
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=side), base_url=URL) as http:
        yield http


@pytest.fixture
async def phone(tmp_path: Path, clock: ManualClock) -> AsyncGenerator[Phone]:
    device = Authenticator(rp=RP, origin=URL)
    passkey = device.passkey(clock.now(), name="phone")
    async with await Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite3'}", clock=clock) as ledger:
        async with ledger.write() as write:
            await write.register_passkey(passkey, {})
        halts: list[str] = []

        async def halt(reason: str) -> None:
            halts.append(reason)

        told: list[str] = []
        async with public_side(ledger, clock, tmp_path, halt, told.append) as http:
            yield Phone(http, device, passkey, ledger, clock, halts, told)


async def test_one_touch_opens_one_session_which_ends_after_twelve_hours(phone: Phone) -> None:
    assert "Sign in" in await phone.looks()
    ceremony, challenge = await phone.begin()
    touch = phone.device.touch(challenge)
    assert await phone.sign_in(ceremony, touch) == 200
    assert await phone.looks() == "an order"
    phone.http.cookies.clear()
    # Played back by somebody else, it opens nothing.
    assert await phone.sign_in(ceremony, touch) == 403
    assert "Sign in" in await phone.looks()
    assert await phone.sign_in(*await _again(phone)) == 200
    phone.clock.advance(timedelta(hours=12))
    assert "Sign in" in await phone.looks()
    assert await phone.ledger.verify() == []


async def _again(phone: Phone) -> tuple[str, str]:
    ceremony, challenge = await phone.begin()
    return ceremony, phone.device.touch(challenge)


async def test_no_other_touch_opens_a_session(phone: Phone) -> None:
    stranger = Authenticator(rp=RP, origin=URL)
    passed: list[str] = []
    for name, device in (
        ("a stranger's key", stranger),
        ("a stranger's key under a known id", replace(stranger, id=phone.device.id)),
        ("another origin", replace(phone.device, origin="https://orders.example.org:8443")),
        ("another host", replace(phone.device, rp="example.org")),
        ("user not verified", replace(phone.device, flags=PRESENT)),
    ):
        ceremony, challenge = await phone.begin()
        if await phone.sign_in(ceremony, device.touch(challenge)) != 403:
            passed.append(name)
    ceremony, challenge = await phone.begin()
    other, _ = await phone.begin()
    for name, given, signed in (
        ("another ceremony's challenge", other, challenge),
        ("a ceremony of one's own", "0" * 64 + ceremony[64:], challenge),
        ("another deed", ceremony, b64(challenge_of(Deed.APPROVE, ceremony.partition(".")[2]))),
        ("no challenge", ceremony, ""),
    ):
        if await phone.sign_in(given, phone.device.touch(signed)) != 403:
            passed.append(name)
    late, challenge = await phone.begin()
    phone.clock.advance(timedelta(minutes=6))
    if await phone.sign_in(late, phone.device.touch(challenge)) != 403:
        passed.append("a challenge of long ago")
    assert passed == []
    assert "Sign in" in await phone.looks()
    assert [event.kind for event in await phone.ledger.events()] == ["passkey_registered"]


async def test_a_session_ends_with_its_passkey(phone: Phone) -> None:
    assert await phone.sign_in(*await _again(phone)) == 200
    async with phone.ledger.write() as write:
        await write.revoke_passkey(phone.passkey, phone.clock.now(), TERMINAL)
    assert "Sign in" in await phone.looks()
    assert await phone.sign_in(*await _again(phone)) == 403


async def test_halting_needs_the_session_and_its_own_form(phone: Phone) -> None:
    assert (await phone.post("/halt", token="0" * 64)).status_code == 401
    assert await phone.sign_in(*await _again(phone)) == 200
    form = (await phone.http.get("/halt")).text
    token = form.partition('name="token" value="')[2][:64]
    assert (await phone.post("/halt", token="0" * 64)).status_code == 403
    foreign = await phone.http.post("/halt", data={"token": token}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert (await phone.http.get("/halt", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    assert phone.halts == []
    assert (await phone.post("/halt", token=token)).status_code == 303
    assert phone.halts == ["halted at the public url"]
    assert (await phone.post("/sign-out", token=token)).status_code == 303
    assert "Sign in" in await phone.looks()


async def test_one_that_counts_on_paper_only_opens_nothing_where_an_instance_is_live(
    tmp_path: Path, clock: ManualClock
) -> None:
    device = Authenticator(rp=RP, origin=URL)
    async with await Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite3'}", clock=clock) as ledger:
        async with ledger.write() as write:
            await write.register_passkey(device.passkey(clock.now(), name="phone", live=False, proof="none"), {})

        async def halt(_: str) -> None:
            raise AssertionError("nobody may halt")

        async with public_side(ledger, clock, tmp_path, halt) as http:
            begun = (await http.post("/sign-in/begin", data={}, headers={"Origin": URL, **_FORM})).json()
            fields = {"ceremony": begun["ceremony"], "touch": device.touch(begun["options"]["challenge"])}
            assert (await http.post("/sign-in", data=fields, headers={"Origin": URL})).status_code == 403
            assert json.loads((await http.post("/sign-in", data=fields, headers={"Origin": URL})).text)["message"]


async def test_the_operator_reads_once_what_host_a_proxy_has_to_pass_on_and_strangers_read_nothing(
    phone: Phone,
) -> None:
    wrong = ["127.0.0.1:8718", "localhost:8718", RP + ":8443", RP.upper(), "gunbot_backend", "203.0.113.9", "[::1]"]
    wrong += [f"{number}.example" for number in range(200)]
    wrong += ["evil\x1b[2J\x9b\u00ad" + "x" * 5000, ""]
    seen = {
        (answer.status_code, answer.text)
        for host in wrong
        for answer in [await phone.http.get("/", headers=[(b"Host", host.encode("latin-1"))])]
    }
    assert len(seen) == 1
    assert RP not in seen.pop()[1]
    assert len(phone.told) == 3
    assert "Host '127.0.0.1:8718'" in phone.told[0]
    assert all(line.isprintable() and len(line) < 600 for line in phone.told)
    # What it says works.
    assert len({line.partition("proxy_set_header Host ")[2].partition(";")[0] for line in phone.told}) == 1
    host = phone.told[0].partition("proxy_set_header Host ")[2].partition(";")[0]
    assert (await phone.http.get("/", headers={"Host": host})).status_code == 401
    assert len(phone.told) == 3


async def test_what_a_strange_host_holds_cannot_act_on_the_operators_terminal(phone: Phone) -> None:
    host = b"evil\x1b[2J\x9b\xad" + b"x" * 5000
    assert (await phone.http.get("/", headers=[(b"Host", host)])).status_code == 421
    (line,) = phone.told
    assert line.isprintable()
    assert len(line) < 600
