"""What the ledger counts and locks, so that limits and mandates hold under races, on both stores."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import anyio
import pytest
from support.tickets import needed, put

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.domain import Purpose
from gunbot_mcp.ledger.ledger import Ledger, Totals
from gunbot_mcp.tickets.channels import PAGE, SENDER, TERMINAL
from gunbot_mcp.tickets.mandate import Mandate, sealed
from gunbot_mcp.tickets.spent import sum_of
from gunbot_mcp.tickets.ticket import State, Ticket

pytestmark = pytest.mark.anyio

MakeTicket = Callable[..., Ticket]
MakeMandate = Callable[..., Mandate]


async def test_totals_count_what_was_sent_or_perhaps_sent(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    day = timedelta(days=1)
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        for state in State:
            await put(ledger, make_ticket(f"{state}", notional=Decimal("10.1")), state, clock)
        others: list[dict[str, Any]] = [
            {"asset": "BTC", "notional": Decimal("0.5")},
            {"side": "cancel", "notional": None, "asset": None},
            {"instance": "live"},
            {"notional": None, "asset": None},
        ]
        for number, fields in enumerate(others):
            await put(ledger, make_ticket(f"other {number}", **fields), State.ACCEPTED, clock)
        async with ledger.write() as write:
            since = clock.now() - day
            assert await write.totals("paper", "USDT", since) == Totals(Decimal("30.3"), 5)
            assert await write.totals("paper", "USDT", since, exclude="unknown") == Totals(Decimal("20.2"), 4)
            assert await write.totals("paper", "BTC", since) == Totals(Decimal("0.5"), 5)
            assert await write.totals("paper", "USDT", clock.now()) == Totals(Decimal("30.3"), 5)
            assert await write.totals("paper", "USDT", clock.now() + day) == Totals(Decimal(0), 0)


async def test_entries_and_exits_add_up_apart_and_are_counted_together(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        for side, notional in (("buy", "10"), ("sell", "7"), ("sell", "8")):
            made = make_ticket(f"{side} {notional}", side=side, notional=Decimal(notional))
            await put(ledger, made, State.ACCEPTED, clock)
        since = clock.now() - timedelta(days=1)
        async with ledger.write() as write:
            entries = await write.totals("paper", "USDT", since, purpose=Purpose.ENTRY)
            exits = await write.totals("paper", "USDT", since, purpose=Purpose.EXIT)
        sent = await ledger.sent_since("paper", since)

    assert entries == Totals(Decimal(10), 3)
    assert exits == Totals(Decimal(15), 3)
    assert (sum_of(sent, "USDT"), sum_of(sent, "USDT", Purpose.EXIT), sum_of(sent, "BTC")) == (25, 15, 0)


async def test_orders_of_any_state_count_against_the_rate(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        for state in State:
            await put(ledger, make_ticket(f"{state}"), state, clock)
        await put(ledger, make_ticket("cancel", side="cancel"), State.PENDING, clock)
        await put(ledger, make_ticket("old", created_at=clock.now() - timedelta(minutes=2)), State.PENDING, clock)
        await put(ledger, make_ticket("live", instance="live"), State.PENDING, clock)
        async with ledger.write() as write:
            assert await write.count_since("paper", clock.now() - timedelta(minutes=1)) == len(State)


async def test_a_twin_is_the_newest_ticket_of_the_same_intent_that_may_have_happened(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        start = clock.now()
        for state in State:
            clock.advance(timedelta(seconds=1))
            await put(ledger, make_ticket(f"{state}", fingerprint="f", created_at=clock.now()), state, clock)
            await put(ledger, make_ticket(f"{state} 2", fingerprint=f"{state}", created_at=start), state, clock)
        async with ledger.write() as write:
            newest = await write.twin("paper", "f", start)
            assert newest is not None
            assert newest.id == "unknown"
            assert await write.twin("paper", "f", newest.created_at + timedelta(seconds=1)) is None
            assert await write.twin("live", "f", start) is None
            twins = {state for state in State if await write.twin("paper", f"{state}", start) is not None}
        assert twins == {State.PENDING, State.APPROVED, State.SENDING, State.ACCEPTED, State.UNKNOWN}


async def test_an_unknown_order_locks_its_pair_and_side(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        await put(ledger, make_ticket("buy"), State.UNKNOWN, clock)
        await put(ledger, make_ticket("cancel", side="cancel", pair="USDT-ETH"), State.UNKNOWN, clock)
        await put(ledger, make_ticket("sent", side="sell"), State.ACCEPTED, clock)
        async with ledger.write() as write:
            locked = await write.lock("paper", "binance", "USDT-BTC", "buy")
            assert locked is not None
            assert locked.id == "buy"
            assert await write.lock("paper", "binance", "USDT-BTC", "sell") is None
            assert await write.lock("paper", "binance", "USDT-ETH", "buy") is None
            assert await write.lock("paper", "binance", "USDT-ETH", "cancel") is None
            assert await write.lock("paper", "kraken", "USDT-BTC", "buy") is None
            assert await write.lock("live", "binance", "USDT-BTC", "buy") is None
            await write.move("buy", State.UNKNOWN, State.VOID, actor=PAGE)
            assert await write.lock("paper", "binance", "USDT-BTC", "buy") is None


async def test_limits_that_are_checked_and_claimed_in_one_write_are_never_exceeded(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with (
        await Ledger.open(ledger_url, clock=clock) as first,
        await Ledger.open(ledger_url, clock=clock) as second,
    ):
        for number in range(12):
            await put(first, make_ticket(f"t{number}", notional=Decimal(30)), State.APPROVED, clock)
        sent: list[str] = []

        async def claim(ticket_id: str, ledger: Ledger) -> None:
            async with ledger.write() as write:
                totals = await write.totals("paper", "USDT", clock.now() - timedelta(days=1))
                if totals.notional + 30 <= 100:
                    changes = needed(State.SENDING, clock)
                    await write.move(ticket_id, State.APPROVED, State.SENDING, actor=SENDER, **changes)
                    sent.append(ticket_id)

        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(claim, f"t{number}", second if number % 2 else first)
        assert len(sent) == 3


async def test_concurrent_spends_never_exceed_a_mandate(
    ledger_url: str, clock: ManualClock, make_mandate: MakeMandate
) -> None:
    async with (
        await Ledger.open(ledger_url, clock=clock) as first,
        await Ledger.open(ledger_url, clock=clock) as second,
    ):
        async with first.write() as write:
            await write.add_mandate(make_mandate())
        allowed: list[int] = []

        async def spend(number: int, ledger: Ledger) -> None:
            async with ledger.write() as write:
                if await write.spend("m1", Decimal("9.9"), actor=PAGE, live=False, url=""):
                    allowed.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(spend, number, second if number % 2 else first)
        (mandate,) = await first.mandates("paper")
        assert (len(allowed), mandate.spent) == (10, Decimal("99.0"))
        assert await first.verify() == []


async def test_a_mandate_is_spent_only_while_it_is_in_force(
    ledger_url: str, clock: ManualClock, make_mandate: MakeMandate
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        async with ledger.write() as write:
            await write.add_mandate(make_mandate("m1"))
            await write.add_mandate(make_mandate("m2", instance="live"))
            await write.add_mandate(make_mandate("m3", expires_at=clock.now() + timedelta(minutes=1)))
            assert [mandate.id for mandate in await write.mandates("paper")] == ["m1", "m3"]
            assert await write.spend("m1", Decimal(50), actor=PAGE, live=False, url="")
            assert not await write.spend("m1", Decimal("50.01"), actor=PAGE, live=False, url="")
            assert not await write.spend("none", Decimal(1), actor=PAGE, live=False, url="")
            assert await write.spend("m3", Decimal(1), actor=PAGE, live=False, url="")
            clock.advance(timedelta(minutes=1))
            assert not await write.spend("m3", Decimal(1), actor=PAGE, live=False, url="")
            assert [mandate.id for mandate in await write.mandates(None, clock.now())] == ["m1", "m2"]
            assert await write.revoke_mandate("m1", TERMINAL)
            assert not await write.revoke_mandate("m1", TERMINAL)
            assert not await write.revoke_mandate("none", TERMINAL)
            assert not await write.spend("m1", Decimal(1), actor=PAGE, live=False, url="")
        found = {mandate.id: mandate for mandate in await ledger.mandates(None)}
        assert found["m1"] == replace(sealed(make_mandate("m1")), spent=Decimal(50), revoked_at=clock.now())
        assert await ledger.verify() == []
