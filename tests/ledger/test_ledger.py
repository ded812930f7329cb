"""The ledger's promises, on both stores."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import anyio
import pytest
from support.tickets import CLIENT, needed, put, seen

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger.ledger import Ledger, Transaction
from gunbot_mcp.tickets.channels import FOLLOWING, PAGE, SENDER, TERMINAL, Actor
from gunbot_mcp.tickets.content import sealed
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.ticket import CLOSED, TRANSITIONS, State, Ticket

pytestmark = pytest.mark.anyio

MakeTicket = Callable[..., Ticket]
MakeMandate = Callable[..., Mandate]


async def test_a_ticket_comes_back_as_it_was_added(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket(
        notional=Decimal("0.000000000000000001"),
        warnings=("a\nb", "ü", "\x00"),
        summary='quotes " and \\ and 🜚',
        quote={"half": "\ud83d", "nul": "\x00", "deep": [1.1, None, {"é": True}]},
    )
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        async with ledger.write() as write:
            assert await write.add(ticket, CLIENT) == sealed(ticket)
            assert await write.get("t1") == sealed(ticket)
        found = await ledger.get("t1")
        assert found == sealed(ticket)
        assert found is not None
        assert replace(found, content="") == ticket
        assert found.digest == sealed(ticket).digest
        assert await ledger.get("t2") is None
        assert await ledger.verify() == []


async def test_text_that_no_store_can_keep_is_marked_not_refused(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        async with ledger.write() as write:
            stored = await write.add(make_ticket(summary="NUL \x00", client="half \ud83d"), CLIENT)
        assert (stored.summary, stored.client) == ("NUL \ufffd", "half \\ud83d")
        assert await ledger.get("t1") == stored
        assert await ledger.verify() == []


@pytest.mark.parametrize("before", State)
async def test_a_ticket_moves_along_legal_transitions_only(
    before: State, ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    legal = TRANSITIONS.get(before, frozenset[State]())
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        for to in State:
            ticket = make_ticket(f"to {to}")
            await put(ledger, ticket, before, clock)
            clock.advance(timedelta(seconds=1))
            async with ledger.write() as write:
                if to not in legal:
                    with pytest.raises(ValueError, match="no ticket moves"):
                        await write.move(ticket.id, before, to, actor=TERMINAL)
                    continue
                moved = await write.move(ticket.id, before, to, actor=TERMINAL, detail={"n": 1}, **needed(to, clock))
            assert moved is not None
            assert moved == await ledger.get(ticket.id)
            assert (moved.state, moved.digest) == (to, sealed(ticket).digest)
            assert moved.closed_at == (clock.now() if to in CLOSED else None)
            last = (await ledger.events(ticket=ticket.id, limit=1))[0]
            assert (last.kind, last.actor, last.detail["from"], last.detail["n"]) == (to, TERMINAL, before, 1)
        for to in set(State) - legal:
            ticket = await ledger.get(f"to {to}")
            assert ticket is not None
            assert ticket.state is before
        assert await ledger.verify() == []


async def test_a_move_that_lost_the_race_changes_nothing(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        await put(ledger, make_ticket(), State.DECLINED, clock)
        before = await ledger.events()
        async with ledger.write() as write:
            assert await write.move("t1", State.PENDING, State.APPROVED, actor=PAGE, decided_by=PAGE) is None
            assert await write.move("t2", State.PENDING, State.APPROVED, actor=PAGE) is None
            assert await write.observe("t1", seen("1"), FOLLOWING) is None
        assert await ledger.events() == before
        assert await ledger.verify() == []


async def test_sending_needs_an_owner_and_an_instant(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        await put(ledger, make_ticket(), State.APPROVED, clock)
        async with ledger.write() as write:
            with pytest.raises(ValueError, match="sending needs its owner and its time"):
                await write.move("t1", State.APPROVED, State.SENDING, actor=TERMINAL, owner="me")
            with pytest.raises(ValueError, match="sending needs its owner and its time"):
                await write.move("t1", State.APPROVED, State.SENDING, actor=TERMINAL, sent_at=clock.now())


async def test_programming_errors_are_refused_before_anything_is_written(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket, make_mandate: MakeMandate
) -> None:
    wrong: Any = {"state": "accepted"}
    async with await Ledger.open(ledger_url, clock=clock) as ledger, ledger.write() as write:
        with pytest.raises(ValueError, match="a new ticket is pending"):
            await write.add(make_ticket(state=State.APPROVED), CLIENT)
        with pytest.raises(ValueError, match="a new ticket is pending"):
            await write.add(make_ticket(decided_by=PAGE), CLIENT)
        with pytest.raises(ValueError, match="must be aware"):
            await write.add(make_ticket(expires_at=clock.now().replace(tzinfo=None)), CLIENT)
        with pytest.raises(ValueError, match="must be finite"):
            await write.add(make_ticket(notional=Decimal("NaN")), CLIENT)
        with pytest.raises(ValueError, match="not for the caller to set: state"):
            await write.move("t1", State.PENDING, State.APPROVED, actor=TERMINAL, **wrong)
        with pytest.raises(ValueError, match="not for the caller to set: from"):
            await write.move("t1", State.PENDING, State.APPROVED, actor=TERMINAL, detail={"from": "x"})
        with pytest.raises(ValueError, match="nowhere"):
            await write.move("t1", set(), State.APPROVED, actor=TERMINAL)
        with pytest.raises(ValueError, match="must not append"):
            await write.event("accepted", actor=TERMINAL, ticket="t1")
        with pytest.raises(ValueError, match="unspent"):
            await write.add_mandate(make_mandate(spent=Decimal(1)))
        for amount in ("0", "-1", "NaN", "Infinity"):
            with pytest.raises(ValueError, match="greater than 0"):
                await write.spend("m1", Decimal(amount), actor=PAGE)
        assert await ledger.events() == []


async def test_of_a_hundred_claims_at_once_exactly_one_wins(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with (
        await Ledger.open(ledger_url, clock=clock) as first,
        await Ledger.open(ledger_url, clock=clock) as second,
    ):
        await put(first, make_ticket(), State.PENDING, clock)
        won: list[str] = []

        async def claim(name: str, ledger: Ledger) -> None:
            async with ledger.write() as write:
                who = Actor("form", name)
                moved = await write.move("t1", State.PENDING, State.APPROVED, actor=who, decided_by=who)
            if moved is not None:
                won.append(name)

        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(claim, f"claim {number}", second if number % 2 else first)
        ticket = await first.get("t1")
        assert ticket is not None
        assert [ticket.decided_by] == [Actor("form", name) for name in won]
        assert [event.kind for event in await second.events(ticket="t1")] == ["created", "approved"]
        assert await first.verify() == []


async def test_a_write_that_raises_leaves_no_trace(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket, make_mandate: MakeMandate
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        await put(ledger, make_ticket(), State.PENDING, clock)
        before = await ledger.events()
        kept: list[Transaction] = []

        async def fail() -> None:
            async with ledger.write() as write:
                kept.append(write)
                await write.move("t1", State.PENDING, State.APPROVED, actor=TERMINAL)
                await write.add(make_ticket("t2"), CLIENT)
                await write.add_mandate(make_mandate())
                raise KeyError("the caller's own")

        with pytest.raises(KeyError):
            await fail()
        ticket = await ledger.get("t1")
        assert ticket is not None
        assert ticket.state is State.PENDING
        assert await ledger.get("t2") is None
        assert await ledger.mandates("paper") == []
        assert await ledger.events() == before
        assert await ledger.verify() == []
        with pytest.raises(RuntimeError, match="over"):
            await kept[0].get("t1")


async def test_a_write_with_a_swallowed_failure_is_not_committed(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:

        async def swallow() -> None:
            async with ledger.write() as write:
                await write.add(make_ticket(), CLIENT)
                with contextlib.suppress(LedgerUnavailable):
                    await write.add(make_ticket(), CLIENT)

        with pytest.raises(LedgerUnavailable, match="earlier step failed"):
            await swallow()
        assert await ledger.get("t1") is None
        assert await ledger.verify() == []


@pytest.mark.parametrize("how", ["a scope", "the task itself"])
async def test_a_cancelled_write_is_whole_or_absent_and_frees_the_ledger(
    how: str, ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        inside = anyio.Event()

        async def slow() -> None:
            async with ledger.write() as write:
                await write.add(make_ticket(), CLIENT)
                inside.set()
                for _ in range(50):
                    await write.event("step", actor=TERMINAL)

        if how == "a scope":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(slow)
                await inside.wait()
                tasks.cancel_scope.cancel()
        else:
            task = asyncio.create_task(slow())
            await inside.wait()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        with anyio.fail_after(3):
            async with ledger.write() as write:
                await write.event("next", actor=TERMINAL)
        assert len(await ledger.events()) in {1, 52}
        assert (await ledger.get("t1") is None) == (len(await ledger.events()) == 1)
        assert await ledger.verify() == []


async def test_an_observation_is_kept_on_an_accepted_ticket(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        await put(ledger, make_ticket(), State.ACCEPTED, clock)
        async with ledger.write() as write:
            first = await write.observe("t1", seen("1"), FOLLOWING)
            second = await write.observe("t1", replace(seen("1"), state="filled"), FOLLOWING)
        assert first is not None
        assert second is not None
        assert second == await ledger.get("t1")
        assert (first.observed, second.observed) == (seen("1"), replace(seen("1"), state="filled"))
        assert [event.kind for event in await ledger.events(limit=2)] == ["observed", "observed"]
        assert await ledger.verify() == []


async def test_an_outcome_is_recorded_after_all_where_it_was_unknown(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        await put(ledger, make_ticket(), State.UNKNOWN, clock)
        async with ledger.write() as write:
            moved = await write.move(
                "t1",
                {State.SENDING, State.UNKNOWN},
                State.ACCEPTED,
                actor=SENDER,
                answer={"text": "Order sent \ud800\x00", "code": 200},
            )
        assert moved is not None
        assert moved == await ledger.get("t1")
        assert moved.answer == {"text": "Order sent \ud800\x00", "code": 200}
        assert await ledger.verify() == []


async def test_tickets_are_listed_newest_first(ledger_url: str, clock: ManualClock, make_ticket: MakeTicket) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        for number in range(4):
            await put(ledger, make_ticket(f"t{number}", created_at=clock.now()), State.PENDING, clock)
            clock.advance(timedelta(microseconds=1))
        await put(ledger, make_ticket("live", instance="live", created_at=clock.now()), State.DECLINED, clock)
        assert [ticket.id for ticket in await ledger.list("paper")] == ["t3", "t2", "t1", "t0"]
        assert [ticket.id for ticket in await ledger.list("paper", limit=2)] == ["t3", "t2"]
        assert [ticket.id for ticket in await ledger.list(None, limit=1)] == ["live"]
        assert [ticket.id for ticket in await ledger.list(None, states={State.DECLINED})] == ["live"]
        assert await ledger.list("paper", states=set()) == []
        async with ledger.write() as write:
            assert [ticket.id for ticket in await write.in_state({State.PENDING})] == ["t0", "t1", "t2", "t3"]
            assert await write.in_state({State.PENDING}, "live") == []


async def test_events_are_read_in_their_order(ledger_url: str, clock: ManualClock) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        async with ledger.write() as write:
            for number in range(5):
                await write.event(
                    "step",
                    actor=Actor("client", "a\x00"),
                    detail={"n": number},
                    ticket=f"t{number % 2}",
                    instance="paper",
                )
            assert await write.last_event("none") is None
            last = await write.last_event("t1")
        assert last is not None
        assert last.detail == {"n": 3}
        assert [event.detail["n"] for event in await ledger.events()] == [0, 1, 2, 3, 4]
        assert [event.detail["n"] for event in await ledger.events(limit=2)] == [3, 4]
        assert [(event.seq, event.detail["n"]) for event in await ledger.events(ticket="t1")] == [(2, 1), (4, 3)]
