"""Approving by passkey: a touch for this order sends it; whatever else is given sends nothing."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.authenticator import PRESENT, VERIFIED, Authenticator
from support.mandates import grant, mandate

from gunbot_mcp.approval.passkeys import Registrar
from gunbot_mcp.approval.pin import set_pin
from gunbot_mcp.config import Approval, Settings, load
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import GunbotMcpError, TicketClosed
from gunbot_mcp.files import private_folder
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import NEEDS, PAGE, TERMINAL, Actor
from gunbot_mcp.tickets.mandate import sealed
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.passkey import BadTouch, Deed, Passkey, Touch, challenge_of, parse_touch, settling
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.tickets.ways import human_channels

if TYPE_CHECKING:
    from support.live import LiveGunbot

    from gunbot_mcp.ledger.signed import Signature

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio
PIN = "246 810"
HERE = "http://localhost:8717"
TOUCH = Actor("passkey")


@dataclass(frozen=True)
class House:
    """A live instance whose human has one passkey, on `device`."""

    runtime: Runtime
    desk: Desk
    device: Authenticator
    passkey: Passkey

    async def propose(self, price: float = 50000) -> Ticket:
        endpoint = BY_NAME["buy_limit"]
        given = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": price}
        order = Order.of(endpoint, endpoint.args.model_validate(given))
        return (await self.desk.propose(order, client="a client")).ticket


@asynccontextmanager
async def house(settings: Settings, folder: Path) -> AsyncGenerator[House]:
    private_folder(folder)
    set_pin(folder, PIN)
    async with Runtime(settings) as runtime:
        desk = await runtime.desk()
        device = Authenticator()
        ways = Registrar(desk.ledger, desk.clock, folder, rp="localhost", origin=lambda: HERE, any_live=True)
        ceremony, options = await ways.begin("laptop", pin=PIN)
        passkey = await ways.made(ceremony, device.make(options))
        assert isinstance(passkey, Passkey)
        yield House(runtime, desk, device, passkey)


def touch_for(ticket: Ticket, device: Authenticator) -> Touch:
    return parse_touch(device.touch(challenge_of(Deed.APPROVE, ticket.content)), HERE)


async def test_a_touch_sends_the_order_and_the_ledger_proves_who_approved_what(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", clean_environment: Path
) -> None:
    async with house(live_settings(approval={"live_needs": "passkey"}), clean_environment) as home:
        ticket = await home.propose()
        done = await home.desk.approve(ticket.id, by=TOUCH, touch=touch_for(ticket, home.device))
        assert done.state is State.ACCEPTED
        assert str(done.decided_by) == f"passkey laptop ({home.passkey.fingerprint[:8]})"
        signatures: list[Signature] = []
        assert await home.desk.ledger.verify(signatures) == []
        assert [(one.ticket, one.deed, one.fingerprint) for one in signatures] == [
            (ticket.id, Deed.APPROVE, home.passkey.fingerprint)
        ]
        # Played back, it finds a closed ticket.
        with pytest.raises(TicketClosed):
            await home.desk.approve(ticket.id, by=TOUCH, touch=touch_for(ticket, home.device))
    assert len(live_gunbot.trades) == 1


Give = Callable[[Authenticator, Authenticator, bytes], Touch]


def _changed(text: str, member: str, value: str) -> str:
    found = json.loads(text)
    (found if member in found else found["response"])[member] = value
    return json.dumps(found)


def _flipped(text: str, member: str) -> str:
    value: str = json.loads(text)["response"][member]
    return _changed(text, member, ("B" if value[0] != "B" else "C") + value[1:])


def _at(device: Authenticator, origin: str) -> Authenticator:
    return replace(device, origin=origin)


ATTACKS: dict[str, Give] = {
    "another challenge": lambda d, _, __: parse_touch(d.touch(b"x" * 32), HERE),
    "a stranger's key": lambda _, o, c: parse_touch(o.touch(c), HERE),
    "a stranger's key under a known id": lambda d, o, c: parse_touch(replace(o, id=d.id).touch(c), HERE),
    "a known key under a stranger's id": lambda d, o, c: parse_touch(replace(d, id=o.id).touch(c), HERE),
    "only rawId swapped": lambda d, o, c: parse_touch(
        _changed(d.touch(c), "rawId", json.loads(o.touch(c))["id"]), HERE
    ),
    "only id swapped": lambda d, o, c: parse_touch(_changed(d.touch(c), "id", json.loads(o.touch(c))["id"]), HERE),
    "another port": lambda d, _, c: parse_touch(_at(d, "http://localhost:9").touch(c), HERE),
    "127.0.0.1": lambda d, _, c: parse_touch(_at(d, "http://127.0.0.1:8717").touch(c), "http://127.0.0.1:8717"),
    "another host": lambda d, _, c: parse_touch(_at(d, "https://a.test").touch(c), "https://a.test"),
    "another host's hash": lambda d, _, c: parse_touch(replace(d, rp="a.test").touch(c), HERE),
    "user not verified": lambda d, _, c: parse_touch(replace(d, flags=PRESENT).touch(c), HERE),
    "user not present": lambda d, _, c: parse_touch(replace(d, flags=VERIFIED).touch(c), HERE),
    "inside a frame": lambda d, _, c: parse_touch(d.touch(c, crossOrigin=True), HERE),
    "a registration's type": lambda d, _, c: parse_touch(d.touch(c, type="webauthn.create"), HERE),
    "a bit of the signature": lambda d, _, c: parse_touch(_flipped(d.touch(c), "signature"), HERE),
    "a bit of the flags": lambda d, _, c: parse_touch(_flipped(d.touch(c), "authenticatorData"), HERE),
    "a bit of the client's data": lambda d, _, c: parse_touch(_flipped(d.touch(c), "clientDataJSON"), HERE),
}


async def test_no_other_touch_sends_anything(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", clean_environment: Path
) -> None:
    async with house(live_settings(), clean_environment) as home:
        older, ticket = await home.propose(), await home.propose(price=49000)
        other = Authenticator()
        challenge = challenge_of(Deed.APPROVE, ticket.content)
        touches = {name: give(home.device, other, challenge) for name, give in ATTACKS.items()}
        touches["for an older ticket"] = touch_for(older, home.device)
        for deed in (one for one in Deed if one is not Deed.APPROVE):
            signed = challenge_of(deed, ticket.content)
            touches[f"for {deed}"] = parse_touch(home.device.touch(signed), HERE)
        passed: list[str] = []
        for name, touch in touches.items():
            try:
                await home.desk.approve(ticket.id, by=TOUCH, touch=touch)
                passed.append(name)
            except BadTouch:
                pass
        with pytest.raises(BadTouch):
            await home.desk.approve(ticket.id, by=TOUCH)
        assert passed == []
        assert (await home.desk.get(ticket.id)).state is State.PENDING
        assert live_gunbot.trades == []
        # It still waits, and the true touch still sends it.
        done = await home.desk.approve(ticket.id, by=TOUCH, touch=touch_for(ticket, home.device))
        assert done.state is State.ACCEPTED
        assert await home.desk.ledger.verify() == []


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"id":1}', "[" * 9000, '{"response":[]}', "x" * 5000])
def test_what_is_no_touch_at_all_is_refused_before_anything_is_asked(text: str) -> None:
    with pytest.raises(BadTouch):
        parse_touch(text, HERE)


@pytest.mark.parametrize(
    ("needs", "counting"),
    [("any", {"form", "page", "terminal", "card"}), ("pin", {"page", "terminal"}), ("passkey", set[str]())],
)
async def test_live_needs_says_at_the_claim_who_counts(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", clean_environment: Path, needs: str, counting: set[str]
) -> None:
    settings = live_settings(approval={"live_needs": needs, "card_buttons": "always"}, limits={"duplicate_seconds": 0})
    sent: set[str] = set()
    async with house(settings, clean_environment) as home:
        for channel in ("form", "page", "terminal", "card"):
            ticket = await home.propose()
            try:
                if (await home.desk.approve(ticket.id, by=Actor(channel, "x"))).state is State.ACCEPTED:
                    sent.add(channel)
            except TicketClosed:
                assert (await home.desk.get(ticket.id)).state is State.PENDING
    assert sent == counting
    assert len(live_gunbot.trades) == len(counting)


async def test_a_mandate_that_a_pin_made_counts_for_nothing_where_a_passkey_is_needed(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", clean_environment: Path
) -> None:
    settings = live_settings(approval={"live_needs": "passkey"}, mode="auto")
    async with house(settings, clean_environment) as home:
        await grant(home.runtime, mandate())
        endpoint = BY_NAME["buy_limit"]
        order = Order.of(
            endpoint,
            endpoint.args.model_validate({"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}),
        )
        made = await home.desk.propose(order, client="a client", send=True)
        assert made.ticket.state is State.PENDING
        with pytest.raises(BadTouch):
            await grant(home.runtime, mandate(id="m2", created_by=home.passkey.actor))
        assert live_gunbot.trades == []


async def test_a_mandate_that_a_touch_made_lets_orders_go(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", clean_environment: Path
) -> None:
    settings = live_settings(approval={"live_needs": "passkey"}, mode="auto")
    async with house(settings, clean_environment) as home:
        given = mandate(created_by=home.passkey.actor, url=settings.served.url)
        touch = parse_touch(home.device.touch(challenge_of(Deed.MANDATE, sealed(given).content)), HERE)
        async with home.desk.ledger.write() as write:
            await write.add_mandate(given, touch)
        endpoint = BY_NAME["buy_limit"]
        args = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}
        order = Order.of(endpoint, endpoint.args.model_validate(args))
        assert (await home.desk.propose(order, client="a client", send=True)).ticket.state is State.ACCEPTED
        assert await home.desk.ledger.verify() == []
    assert len(live_gunbot.trades) == 1


async def test_settling_needs_what_approving_needs(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", clean_environment: Path
) -> None:
    live_gunbot.reply = (500, {"status": "error", "message": "An internal error occurred"})
    async with house(live_settings(approval={"live_needs": "passkey"}), clean_environment) as home:
        ticket = await home.propose()
        done = await home.desk.approve(ticket.id, by=TOUCH, touch=touch_for(ticket, home.device))
        assert done.state is State.UNKNOWN
        wrong = parse_touch(
            home.device.touch(challenge_of(Deed.RESOLVE, settling(done, placed=True, order_id="1"))), HERE
        )
        for by, touch in ((TERMINAL, None), (PAGE, None), (TOUCH, None), (TOUCH, wrong)):
            with pytest.raises(GunbotMcpError):
                await home.desk.resolve(ticket.id, placed=False, order_id=None, by=by, touch=touch)
        said = settling(done, placed=False, order_id=None)
        touch = parse_touch(home.device.touch(challenge_of(Deed.RESOLVE, said)), HERE)
        settled = await home.desk.resolve(ticket.id, placed=False, order_id=None, by=TOUCH, touch=touch)
        assert settled.state is State.VOID
        signatures: list[Signature] = []
        assert await home.desk.ledger.verify(signatures) == []
        assert [one.deed for one in signatures] == [Deed.APPROVE, Deed.RESOLVE]


def test_every_way_of_the_config_is_known_to_the_channels() -> None:
    said: Any = Approval.model_fields["live_needs"].annotation
    assert set(said.__args__) == set(NEEDS)


@pytest.mark.parametrize(
    ("needs", "names"),
    [
        ("any", ["form", "page", "terminal", "card", "passkey"]),
        ("pin", ["page", "terminal", "passkey"]),
        ("passkey", ["passkey"]),
    ],
)
def test_what_does_not_count_on_a_live_instance_is_not_offered_either(
    live_settings: MakeSettings, needs: str, names: list[str]
) -> None:
    settings = live_settings(approval={"live_needs": needs, "card_buttons": "always"})
    assert [row.name for row in human_channels(settings)] == names
    paper = load(approval={"live_needs": needs})
    assert [row.name for row in human_channels(paper)] == ["form", "page", "terminal", "card", "passkey"]
