"""Passkeys in the ledger, on both stores: what is written is what is read, and the chain agrees."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from support.authenticator import Authenticator
from support.tickets import CLIENT

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.passkeys import NotAllowed
from gunbot_mcp.tickets.channels import PAGE, TERMINAL
from gunbot_mcp.tickets.passkey import Passkey
from gunbot_mcp.tickets.ticket import Ticket

pytestmark = pytest.mark.anyio
ExecuteSql = Callable[..., None]
RESPONSE = {"attestationObject": "o2M", "clientDataJSON": "e30"}


def passkey(clock: ManualClock, name: str = "laptop") -> Passkey:
    return Authenticator().passkey(clock.now(), PAGE, name=name, live=False, proof="none")


@pytest.fixture
async def ledger(
    ledger_url: str, clock: ManualClock, make_ticket: Callable[..., Ticket]
) -> AsyncIterator[tuple[Ledger, list[Passkey]]]:
    """A ledger with a passkey that counts, one that was revoked, and a ticket."""
    async with await Ledger.open(ledger_url, clock=clock) as opened:
        async with opened.write() as write:
            await write.register_passkey(passkey(clock), RESPONSE)
            clock.advance(timedelta(seconds=1))
            gone = await write.register_passkey(passkey(clock, "phone"), RESPONSE)
            await write.revoke_passkey(gone, clock.now(), TERMINAL)
            await write.add(make_ticket("t1"), CLIENT)
        yield opened, await opened.passkeys()


_EXTRA = (
    "INSERT INTO credentials SELECT 'another', public_key, sign_count, origin, rp, 'thief', registered_at, "
    "registered_by, registration, NULL FROM credentials WHERE name = 'laptop'"
)
HARM: dict[str, tuple[list[str], list[str]]] = {
    "all deleted": (
        ["DELETE FROM credentials"],
        ['"laptop" was missing, and counts again', '"phone" was missing, and is revoked, as it was'],
    ),
    "one altered": (
        ["UPDATE credentials SET rp = 'evil.example' WHERE name = 'laptop'"],
        ['"laptop" was altered, and counts again'],
    ),
    "a revoked one made to count": (
        ["UPDATE credentials SET revoked_at = NULL"],
        ['"phone" was altered, and is revoked, as it was'],
    ),
    "one added": ([_EXTRA], ['"thief" was in no event, and is removed']),
    "one under another id": (
        ["UPDATE credentials SET id = 'another' WHERE name = 'laptop'"],
        ['"laptop" was in no event, and is removed', '"laptop" was missing, and counts again'],
    ),
}


@pytest.mark.parametrize("harm", HARM)
async def test_passkeys_are_made_again_from_the_events(
    ledger: tuple[Ledger, list[Passkey]], ledger_url: str, execute_sql: ExecuteSql, harm: str
) -> None:
    opened, known = ledger
    statements, said = HARM[harm]
    execute_sql(ledger_url, *statements)
    assert await opened.verify() != []
    async with opened.write() as write:
        assert sorted(await write.restore_passkeys(TERMINAL)) == sorted(said)
    assert await opened.passkeys() == known
    assert await opened.verify() == []
    assert [(event.kind, event.actor) for event in await opened.events(limit=1)] == [("passkeys_restored", TERMINAL)]


async def test_passkeys_that_are_what_the_events_say_are_left_alone(ledger: tuple[Ledger, list[Passkey]]) -> None:
    opened, _ = ledger
    before = await opened.events()
    async with opened.write() as write:
        assert await write.restore_passkeys(TERMINAL) == []
    assert await opened.events() == before


@pytest.mark.parametrize(
    "more",
    [
        "UPDATE events SET detail = replace(detail, 'evil.example', 'x'), at = '2020-01-01T00:00:00.000000+00:00'",
        "DELETE FROM events WHERE seq = 3",
        "UPDATE events SET detail = replace(detail, 'laptop', 'thief') WHERE seq = 1",
        "UPDATE tickets SET content = replace(content, 'Buy', 'Sell')",
        "UPDATE head SET seq = seq + 1",
    ],
)
async def test_nothing_is_made_again_where_more_is_wrong(
    ledger: tuple[Ledger, list[Passkey]], ledger_url: str, execute_sql: ExecuteSql, more: str
) -> None:
    opened, _ = ledger
    execute_sql(ledger_url, "DELETE FROM credentials WHERE name = 'laptop'")
    execute_sql(ledger_url, more)
    wrong = await opened.verify()
    before = await opened.events()
    with pytest.raises(NotAllowed, match="more is wrong than passkeys"):
        async with opened.write() as write:
            await write.restore_passkeys(TERMINAL)
    assert await opened.verify() == wrong
    assert await opened.events() == before


async def test_events_of_passkeys_that_cannot_be_read_make_none(
    ledger: tuple[Ledger, list[Passkey]], ledger_url: str, execute_sql: ExecuteSql
) -> None:
    opened, _ = ledger
    execute_sql(ledger_url, "UPDATE events SET detail = '{}' WHERE seq = 1")
    with pytest.raises(NotAllowed, match="cannot be read"):
        async with opened.write() as write:
            await write.restore_passkeys(TERMINAL)


async def test_a_passkey_is_kept_and_revoked_on_both_stores(ledger_url: str, clock: ManualClock) -> None:
    given = Authenticator().passkey(clock.now(), PAGE)
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        async with ledger.write() as write:
            await write.register_passkey(given, {"attestationObject": "o2M", "clientDataJSON": "e30"})
        assert await ledger.passkeys() == [given]
        later = clock.now() + timedelta(hours=1)
        async with ledger.write() as write:
            await write.revoke_passkey(given, later, TERMINAL)
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        assert await ledger.passkeys() == [replace(given, revoked_at=later)]
        assert await ledger.verify() == []
