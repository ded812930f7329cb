"""Passkeys in the ledger, on both stores: what is written is what is read, and the chain agrees."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.authenticator import Authenticator

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import PAGE, TERMINAL
from gunbot_mcp.tickets.passkey import Passkey, b64

pytestmark = pytest.mark.anyio


async def test_a_passkey_is_kept_and_revoked_on_both_stores(ledger_url: str, clock: ManualClock) -> None:
    device = Authenticator()
    given = Passkey(
        id=b64(device.id),
        public_key=device.public_key,
        sign_count=0,
        origin="http://localhost:8717",
        rp="localhost",
        name="laptop",
        live=True,
        proof="pin",
        registered_at=clock.now(),
        registered_by=PAGE,
    )
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
