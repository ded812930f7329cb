"""Passkeys: what lets one in, what a touch approves, and everything that it does not."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text
from support.authenticator import PRESENT, Authenticator
from support.tickets import CLIENT

from gunbot_mcp.approval.passkey_code import BadCode, keep, new_code
from gunbot_mcp.approval.passkeys import NEW_FOR, Registrar, facts, news
from gunbot_mcp.approval.pin import WrongPin, set_pin
from gunbot_mcp.clock import ManualClock
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.passkeys import NotAllowed
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.content import canonical
from gunbot_mcp.tickets.passkey import BadTouch, Deed, Passkey, challenge_of, parse_touch
from gunbot_mcp.tickets.ticket import Ticket

if TYPE_CHECKING:
    from gunbot_mcp.ledger.signed import Signature

pytestmark = pytest.mark.anyio
MakeTicket = Callable[..., Ticket]
PIN = "246 810"
HERE = "http://localhost:8717"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    set_pin(tmp_path, PIN)
    return tmp_path


@pytest.fixture
async def ledger(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Ledger]:
    async with await Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite3'}", clock=clock) as opened:
        yield opened


def registrar(ledger: Ledger, clock: ManualClock, folder: Path, **changed: object) -> Registrar:
    given: dict[str, Any] = {"rp": "localhost", "origin": lambda: HERE, "any_live": True, **changed}
    return Registrar(ledger, clock, folder, **given)


async def register(
    registrar: Registrar, device: Authenticator, name: str = "laptop", by: Authenticator | None = None
) -> Passkey:
    ceremony, options = await registrar.begin(name, pin="" if by else PIN)
    made = await registrar.made(ceremony, device.make(options))
    if by is None:
        assert isinstance(made, Passkey)
        return made
    assert isinstance(made, dict)
    return await registrar.vouched(ceremony, by.touch(made["challenge"]))


def execute(path: Path, statement: str) -> None:
    engine = create_engine(f"sqlite:///{path / 'ledger.sqlite3'}")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


async def test_the_first_passkey_needs_the_pin(ledger: Ledger, clock: ManualClock, folder: Path) -> None:
    ways = registrar(ledger, clock, folder)
    assert await ways.needs() == "pin"
    with pytest.raises(WrongPin):
        await ways.begin("laptop", pin="000000")
    device = Authenticator()
    made = await register(ways, device)
    assert (made.live, made.proof, made.rp, made.public_key) == (True, "pin", "localhost", device.public_key)
    assert [one.id for one in await ledger.passkeys()] == [made.id]
    assert await ledger.verify() == []


async def test_without_a_pin_no_passkey_is_registered_where_an_instance_is_live(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    with pytest.raises(ConfigInvalid):
        await registrar(ledger, clock, tmp_path).begin("laptop")


async def test_one_that_no_pin_let_in_counts_on_paper_only(
    ledger: Ledger, clock: ManualClock, tmp_path: Path, make_ticket: MakeTicket
) -> None:
    ways = registrar(ledger, clock, tmp_path, any_live=False)
    device = Authenticator()
    ceremony, options = await ways.begin("laptop")
    made = await ways.made(ceremony, device.make(options))
    assert isinstance(made, Passkey)
    assert (made.counts(live=False), made.counts(live=True)) == (True, False)
    async with ledger.write() as write:
        ticket = await write.add(make_ticket("t1"), CLIENT)
    touch = parse_touch(device.touch(challenge_of(Deed.APPROVE, ticket.content)), HERE)
    async with ledger.write() as write:
        assert (await write.proven(touch, Deed.APPROVE, ticket.content, live=False)).id == made.id
        with pytest.raises(BadTouch, match="paper only"):
            await write.proven(touch, Deed.APPROVE, ticket.content, live=True)


async def test_a_further_one_needs_a_touch_of_the_first_and_no_pin_lets_it_in(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    ways = registrar(ledger, clock, folder)
    first, second = Authenticator(), Authenticator()
    await register(ways, first)
    assert await ways.needs() == "touch"
    ceremony, options = await ways.begin("phone", pin=PIN)
    asked = await ways.made(ceremony, second.make(options))
    assert isinstance(asked, dict)
    assert [one["id"] for one in asked["allowCredentials"]] == [(await ledger.passkeys())[0].id]
    assert len(await ledger.passkeys()) == 1
    # A stranger's key vouches for nothing, and neither does the new one for itself; each step is taken once.
    for device in (second, Authenticator(id=first.id)):
        ceremony, options = await ways.begin("phone")
        asked = await ways.made(ceremony, second.make(options))
        assert isinstance(asked, dict)
        with pytest.raises(BadTouch):
            await ways.vouched(ceremony, device.touch(asked["challenge"]))
        with pytest.raises(BadTouch, match="not asked for"):
            await ways.vouched(ceremony, first.touch(asked["challenge"]))
    made = await register(ways, second, "phone", by=first)
    assert (made.live, made.proof) == (True, "passkey")
    signatures: list[Signature] = []
    assert await ledger.verify(signatures) == []
    assert [(one.deed, one.passkey) for one in signatures] == [(Deed.VOUCH, "laptop")]


async def test_a_registration_for_another_page_or_without_a_verified_user_is_refused(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    ways = registrar(ledger, clock, folder)
    bad = [
        Authenticator(origin="http://localhost:9999"),
        Authenticator(origin="https://evil.example"),
        Authenticator(rp="evil.example"),
        Authenticator(flags=PRESENT),
        Authenticator(flags=0),
    ]
    for device in bad:
        ceremony, options = await ways.begin("laptop", pin=PIN)
        with pytest.raises(BadTouch):
            await ways.made(ceremony, device.make(options))
    ceremony, options = await ways.begin("laptop", pin=PIN)
    with pytest.raises(BadTouch):
        await ways.made(ceremony, Authenticator().make({**options, "challenge": "A" * 43}))
    ceremony, options = await ways.begin("laptop", pin=PIN)
    clock.advance(timedelta(minutes=6))
    with pytest.raises(BadTouch, match="too long ago"):
        await ways.made(ceremony, Authenticator().make(options))
    assert await ledger.passkeys() == []


async def test_a_row_that_no_event_made_is_no_passkey(ledger: Ledger, clock: ManualClock, folder: Path) -> None:
    made = await register(registrar(ledger, clock, folder), Authenticator())
    other = Authenticator()
    execute(folder, f"UPDATE credentials SET public_key = x'{other.public_key.hex()}'")
    assert await ledger.passkeys() == []
    assert await ledger.verify() == [f"passkey {made.name} is not what its events say"]
    execute(folder, "UPDATE credentials SET id = 'another'")
    assert await ledger.passkeys() == []


async def test_a_deleted_store_leaves_no_passkey_and_is_found(ledger: Ledger, clock: ManualClock, folder: Path) -> None:
    device = Authenticator()
    made = await register(registrar(ledger, clock, folder), device)
    execute(folder, "DELETE FROM credentials")
    assert await ledger.verify() == [f"passkey {made.name} is missing"]
    async with ledger.write() as write:
        with pytest.raises(BadTouch, match="not registered here"):
            await write.proven(
                parse_touch(device.touch(challenge_of(Deed.RESUME, "all")), HERE), Deed.RESUME, "all", live=True
            )


async def test_after_a_deleted_store_the_pin_lets_no_first_passkey_in(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    await register(registrar(ledger, clock, folder), Authenticator())
    execute(folder, "DELETE FROM credentials")
    with pytest.raises(NotAllowed, match="not what its events say"):
        await register(registrar(ledger, clock, folder), Authenticator())
    assert await ledger.passkeys() == []


async def test_a_revoked_one_counts_no_more(ledger: Ledger, clock: ManualClock, folder: Path) -> None:
    device = Authenticator()
    made = await register(registrar(ledger, clock, folder), device)
    async with ledger.write() as write:
        await write.revoke_passkey(made, clock.now(), TERMINAL)
    touch = parse_touch(device.touch(challenge_of(Deed.RESUME, "all")), HERE)
    async with ledger.write() as write:
        with pytest.raises(BadTouch, match="no longer"):
            await write.proven(touch, Deed.RESUME, "all", live=True)
    assert (await ledger.passkeys())[0].revoked_at == clock.now()
    assert await ledger.verify() == []


async def test_a_code_lets_in_one_passkey_of_the_public_url_once(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    url = "https://orders.example.org"
    first, phone = Authenticator(), Authenticator(rp="orders.example.org", origin=url)
    await register(registrar(ledger, clock, folder), first)
    public = registrar(ledger, clock, folder, rp="orders.example.org", origin=lambda: url)
    code, said = new_code()
    touch = parse_touch(first.touch(challenge_of(Deed.VOUCH, said)), HERE)
    keep(folder, code, clock.now(), proof="passkey", live=True, vouch=touch.facts(Deed.VOUCH, said))
    with pytest.raises(BadCode):
        await public.begin("phone", code="2" * 16)
    shown = f"{code[:4]}-{code[4:8]}-{code[8:12]}-{code[12:]}".lower()
    ceremony, options = await public.begin("phone", code=shown)
    twice, again = await public.begin("tablet", code=code)
    made = await public.made(ceremony, phone.make(options))
    assert isinstance(made, Passkey)
    assert (made.rp, made.live, made.origin) == ("orders.example.org", True, url)
    with pytest.raises(BadCode):
        await public.made(twice, Authenticator(rp="orders.example.org", origin=url).make(again))
    with pytest.raises(BadCode):
        await public.begin("tablet", code=code)
    assert await ledger.verify() == []
    assert len(await ledger.passkeys()) == 2


@pytest.mark.parametrize("why", ["late", "early", "none"])
async def test_a_code_that_is_over_lets_nothing_in(ledger: Ledger, clock: ManualClock, folder: Path, why: str) -> None:
    public = registrar(ledger, clock, folder, rp="a.test", origin=lambda: "https://a.test")
    code, _ = new_code()
    if why != "none":
        keep(folder, code, clock.now(), proof="pin", live=True)
    match why:
        case "late":
            clock.advance(timedelta(minutes=11))
        case "early":
            clock.set_wall(clock.now() - timedelta(days=1))
        case _:
            pass
    with pytest.raises(BadCode):
        await public.begin("phone", code=code)


async def test_a_stranger_who_tries_codes_does_not_use_up_the_true_one(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    public = registrar(ledger, clock, folder, rp="a.test", origin=lambda: "https://a.test")
    code, _ = new_code()
    keep(folder, code, clock.now(), proof="pin", live=True)
    for _ in range(20):
        with pytest.raises(BadCode):
            await public.begin("phone", code="2" * 16)
    authenticator = Authenticator(rp="a.test", origin="https://a.test")
    ceremony, options = await public.begin("phone", code=code)
    await public.made(ceremony, authenticator.make(options))
    assert len(await ledger.passkeys()) == 1
    with pytest.raises(BadCode):
        await public.begin("phone", code=code)


async def test_a_code_that_nobody_vouched_for_lets_nothing_in_beside_a_passkey(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    await register(registrar(ledger, clock, folder), Authenticator())
    public = registrar(ledger, clock, folder, rp="a.test", origin=lambda: "https://a.test")
    code, _ = new_code()
    keep(folder, code, clock.now(), proof="pin", live=True)
    ceremony, options = await public.begin("phone", code=code)
    with pytest.raises(NotAllowed):
        await public.made(ceremony, Authenticator(rp="a.test", origin="https://a.test").make(options))


async def test_a_new_passkey_is_told_of_for_a_day_and_doctor_says_what_is_missing(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    made = await register(registrar(ledger, clock, folder), Authenticator())
    known = await ledger.passkeys()
    assert news(known, clock.now()) == (
        f'Passkey "laptop" ({made.fingerprint[:8]}) was registered at 2030-01-02 12:00 UTC with the PIN',
    )
    assert news(known, clock.now() + NEW_FOR) == ()
    told = facts(known, clock.now(), live=True, live_needs="passkey", public_url="https://a.test")
    assert [one.well for one in told] == [True, None, None]
    assert made.fingerprint in told[0].detail
    assert [one.well for one in facts([], clock.now(), live=True, live_needs="passkey")] == [False]
    assert [one.well for one in facts([], clock.now(), live=False, live_needs="any")] == [None]


async def test_a_touch_whose_words_are_about_something_else_is_found_in_the_chain(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    device = Authenticator()
    await register(registrar(ledger, clock, folder), device)
    said = canonical({"why": "all is well"})
    touch = parse_touch(device.touch(challenge_of(Deed.RESUME, said)), HERE)
    by = (await ledger.passkeys())[0].actor
    async with ledger.write() as write:
        await write.event("resumed", actor=by, detail={"touch": touch.facts(Deed.RESUME, said)})
    assert await ledger.verify() == []
    async with ledger.write() as write:
        await write.event("resumed", actor=TERMINAL, detail={"touch": touch.facts(Deed.RESUME, "another")})
        await write.event("resumed", actor=by)
    assert len(await ledger.verify()) == 2
