"""Tampering with the ledger's tables is found, on both stores."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update
from support.tickets import CLIENT, seen

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger, Transaction
from gunbot_mcp.ledger.rows import event_row
from gunbot_mcp.ledger.tables import events, head
from gunbot_mcp.tickets.channels import FOLLOWING, PAGE, SENDER, TERMINAL, Actor
from gunbot_mcp.tickets.content import canonical
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.ticket import SPENT, TRANSITIONS, State, Ticket

if TYPE_CHECKING:
    from gunbot_mcp.ledger.rows import Changes

MakeTicket = Callable[..., Ticket]
MakeMandate = Callable[..., Mandate]
ExecuteSql = Callable[..., None]

HISTORY = 9
"""Events that `record` makes."""


async def record(ledger: Ledger, clock: ManualClock, make_ticket: MakeTicket, make_mandate: MakeMandate) -> None:
    async with ledger.write() as write:
        await write.add_mandate(make_mandate())
        await write.add(make_ticket("t1"), CLIENT)
        await write.move("t1", State.PENDING, State.APPROVED, actor=PAGE, decided_by=PAGE)
        await write.spend("m1", Decimal(10), actor=PAGE, live=False, url="")
        await write.move(
            "t1", State.APPROVED, State.SENDING, actor=SENDER, owner="me", sent_at=clock.now(), mandate="m1"
        )
        await write.move("t1", State.SENDING, State.ACCEPTED, actor=SENDER, answer={"text": "Order sent"})
        await write.observe("t1", seen("7"), FOLLOWING)
        await write.add(make_ticket("t2"), CLIENT)
        await write.event("note", actor=TERMINAL, detail={"n": 1})


@pytest.fixture
async def ledger(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket, make_mandate: MakeMandate
) -> AsyncIterator[Ledger]:
    """A ledger with a history."""
    async with await Ledger.open(ledger_url, clock=clock) as opened:
        await record(opened, clock, make_ticket, make_mandate)
        yield opened


TAMPERING = {
    "an event's detail": ["UPDATE events SET detail = '{}' WHERE seq = 6"],
    "an event's actor": ["UPDATE events SET actor = 'somebody' WHERE seq = 6"],
    "an event's instant": ["UPDATE events SET at = '2020-01-01T00:00:00.000000+00:00' WHERE seq = 6"],
    "an event's ticket": ["UPDATE events SET ticket = 't2' WHERE seq = 6"],
    "an event's instance": ["UPDATE events SET instance = NULL WHERE seq = 6"],
    "an event's kind": ["UPDATE events SET kind = 'note' WHERE seq = 6"],
    "an event's hash": ["UPDATE events SET hash = 'x' WHERE seq = 6"],
    "an event's unreadable detail": ["UPDATE events SET detail = '{' WHERE seq = 6"],
    "an event's detail that is no object": ["UPDATE events SET detail = '[1]' WHERE seq = 6"],
    "the first event removed": ["DELETE FROM events WHERE seq = 1"],
    "the first event removed and the rest renumbered": [
        "DELETE FROM events WHERE seq = 1",
        *(f"UPDATE events SET seq = {number - 1} WHERE seq = {number}" for number in range(2, HISTORY + 1)),
    ],
    "an event in the middle removed": ["DELETE FROM events WHERE seq = 5"],
    "two events in the middle removed": ["DELETE FROM events WHERE seq IN (4, 5)"],
    "the last event removed": [f"DELETE FROM events WHERE seq = {HISTORY}"],
    "all events removed": ["DELETE FROM events"],
    "the last event removed and the end's number set back": [
        f"DELETE FROM events WHERE seq = {HISTORY}",
        f"UPDATE head SET seq = {HISTORY - 1}",
    ],
    "the end's number set back": [f"UPDATE head SET seq = {HISTORY - 1}"],
    "the end removed": ["DELETE FROM head"],
    "two events swapped": [
        "UPDATE events SET seq = -1 WHERE seq = 3",
        "UPDATE events SET seq = 3 WHERE seq = 4",
        "UPDATE events SET seq = 4 WHERE seq = -1",
    ],
    "an event appended": [
        "CREATE TABLE copy AS SELECT * FROM events WHERE seq = 9",
        "UPDATE copy SET seq = 10, prev = hash",
        "INSERT INTO events SELECT * FROM copy",
        "DROP TABLE copy",
    ],
    "an event put before the first": ["INSERT INTO events VALUES (0, 'x', NULL, NULL, 'note', 'x', '{}', 'x', 'x')"],
    "a ticket removed": ["DELETE FROM tickets WHERE id = 't2'"],
    "a ticket added": [
        "CREATE TABLE copy AS SELECT * FROM tickets WHERE id = 't2'",
        "UPDATE copy SET id = 't3'",
        "INSERT INTO tickets SELECT * FROM copy",
        "DROP TABLE copy",
    ],
    "a ticket's state": ["UPDATE tickets SET state = 'approved' WHERE id = 't2'"],
    "a ticket's content": ["UPDATE tickets SET content = replace(content, '0.001', '9') WHERE id = 't1'"],
    "a ticket's pair": ["UPDATE tickets SET pair = 'USDT-ETH' WHERE id = 't1'"],
    "a ticket's fingerprint": ["UPDATE tickets SET fingerprint = 'x' WHERE id = 't1'"],
    "a ticket's side": ["UPDATE tickets SET side = 'sell' WHERE id = 't1'"],
    "a ticket's notional": ["UPDATE tickets SET notional = '1' WHERE id = 't1'"],
    "a ticket's expiry": ["UPDATE tickets SET expires_at = '2040-01-01T00:00:00.000000+00:00' WHERE id = 't2'"],
    "a ticket's nonce": [f"UPDATE tickets SET content = replace(content, '{'0' * 64}', 'known') WHERE id = 't2'"],
    "a ticket's answer": ["UPDATE tickets SET answer = '{}' WHERE id = 't1'"],
    "who decided": ["UPDATE tickets SET decided_by = '[\"terminal\",\"\"]' WHERE id = 't1'"],
    "a ticket's sending": ["UPDATE tickets SET sent_at = NULL WHERE id = 't1'"],
    "a ticket's observation": ["UPDATE tickets SET observed = NULL WHERE id = 't1'"],
    "an order that a ticket was found to be, removed": ["DELETE FROM sightings"],
    "an order that a ticket was found to be, changed": ["UPDATE sightings SET order_id = '8'"],
    "an order that a ticket was found to be, added": [
        "INSERT INTO sightings VALUES ('paper', 'binance', 'USDT-BTC', '8', 't2')"
    ],
    "a mandate's cap": ["UPDATE mandates SET content = replace(content, '\"100\"', '\"1000000\"')"],
    "a mandate's spending": ["UPDATE mandates SET spent = '0'"],
    "a mandate added": [
        "CREATE TABLE copy AS SELECT * FROM mandates",
        "UPDATE copy SET id = 'm2'",
        "INSERT INTO mandates SELECT * FROM copy",
        "DROP TABLE copy",
    ],
    "a mandate removed": ["UPDATE tickets SET mandate = NULL", "DELETE FROM mandates"],
}


@pytest.mark.anyio
async def test_an_untouched_ledger_is_sound(ledger: Ledger) -> None:
    assert await ledger.verify() == []


@pytest.mark.anyio
@pytest.mark.parametrize("statements", TAMPERING.values(), ids=TAMPERING.keys())
async def test_verify_finds(statements: list[str], ledger: Ledger, ledger_url: str, execute_sql: ExecuteSql) -> None:
    execute_sql(ledger_url, *statements)
    assert await ledger.verify() != []


@pytest.mark.anyio
@pytest.mark.parametrize(
    "damage",
    [
        "notional = 'NaN'",
        "notional = 'much'",
        "sent_at = 'now'",
        "expires_at = '2030-01-01'",
        "state = 'done'",
        "observed = '{'",
    ],
)
async def test_a_damaged_ticket_is_neither_used_nor_passed_over(
    damage: str, ledger: Ledger, ledger_url: str, execute_sql: ExecuteSql
) -> None:
    execute_sql(ledger_url, f"UPDATE tickets SET {damage} WHERE id = 't1'")
    with pytest.raises(LedgerUnavailable, match="damaged"):
        await ledger.get("t1")
    if "notional" in damage:
        async with ledger.write() as write:
            with pytest.raises(LedgerUnavailable, match="damaged"):
                await write.totals("paper", "USDT", datetime(2020, 1, 1, tzinfo=UTC))
    assert any("ticket t1" in problem for problem in await ledger.verify())


@pytest.mark.anyio
async def test_what_is_done_after_tampering_does_not_hide_it(
    ledger: Ledger, ledger_url: str, execute_sql: ExecuteSql
) -> None:
    execute_sql(ledger_url, "UPDATE tickets SET content = replace(content, 'Buy 0.001', 'Sell all') WHERE id = 't2'")
    execute_sql(ledger_url, "UPDATE mandates SET content = replace(content, '\"50\"', '\"1000\"'), spent = '0'")
    async with ledger.write() as write:
        await write.move("t2", State.PENDING, State.APPROVED, actor=PAGE)
        await write.spend("m1", Decimal(1), actor=PAGE, live=False, url="")
    assert await ledger.verify() == [
        "ticket t2 is not what was recorded when it was made",
        "mandate m1 is not what was recorded when it was made",
    ]


async def forge(url: str, clock: ManualClock, kind: str, detail: dict[str, Any], ticket: str | None) -> None:
    """Append an event, its hash and all, as a forger with our code would."""
    database = Database(url, patience=5)
    async with database.connect() as connection:
        end = await database.begin(connection)
        row = event_row(end, clock.now(), kind, TERMINAL, canonical(detail), ticket=ticket, instance=None)
        await database.run(connection, insert(events), row)
        await database.run(connection, update(head), {"seq": row["seq"], "hash": row["hash"]})
        await database.commit(connection)
    await database.aclose()


@pytest.mark.anyio
async def test_a_history_that_no_ledger_could_have_written_is_found_though_its_hashes_hold(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    forged: list[tuple[str, dict[str, Any], str | None]] = [
        ("accepted", {"from": "pending", "set": {}}, "t1"),
        ("approved", {"from": "approved", "set": {}}, "none"),
        ("observed", {"set": 1}, "t1"),
        ("created", {}, "t1"),
        ("mandate_created", {}, None),
        ("mandate_spent", {"mandate": "none", "set": {}}, None),
    ]
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        async with ledger.write() as write:
            await write.add(make_ticket("t1"), CLIENT)
        for kind, detail, ticket in forged:
            await forge(ledger_url, clock, kind, detail, ticket)
        assert await ledger.verify() == [
            "event 2 moves ticket t1 from pending to accepted",
            "event 3 moves ticket none from None to approved",
            "event 3 changes what was never made, or does not say how",
            "event 4 changes what was never made, or does not say how",
            "event 5 makes t1 a second time",
            "event 6 makes None a second time",
            "event 7 changes what was never made, or does not say how",
            "ticket t1: state is not what its events say",
        ]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(["USDT", "BTC"]), st.integers(1, 100)),
        st.tuples(st.just("move"), st.integers(0, 5), st.sampled_from(list(State))),
        st.tuples(st.just("observe"), st.integers(0, 5), st.text(max_size=5)),
        st.tuples(
            st.just("event"), st.text(min_size=1, max_size=3), st.dictionaries(st.text(), st.floats() | st.none())
        ),
        st.tuples(st.just("rollback"), st.just(0), st.just(0)),
    ),
    max_size=25,
)
DAMAGE = st.tuples(st.integers(0, 1000), st.sampled_from(["at", "kind", "actor", "detail", "prev", "hash", "row"]))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, damage=DAMAGE)
def test_any_history_is_sound_and_any_damage_to_it_is_found(
    new_ledger_url: Callable[[], str],
    make_ticket: MakeTicket,
    execute_sql: ExecuteSql,
    steps: list[tuple[str, Any, Any]],
    damage: tuple[int, str],
) -> None:
    async def run() -> None:
        url = new_ledger_url()
        clock = ManualClock(datetime(2030, 1, 1, tzinfo=UTC))
        async with await Ledger.open(url, clock=clock) as ledger:
            model = await _played(ledger, clock, make_ticket, steps)
            assert await ledger.verify() == []
            kept = {ticket.id: ticket.state for ticket in await ledger.list("paper", limit=None)}
            assert kept == {f"t{number}": state for number, (state, _, _) in enumerate(model)}
            async with ledger.write() as write:
                total = await write.totals("paper", "USDT", datetime(2020, 1, 1, tzinfo=UTC))
            sent = [(asset, notional) for state, asset, notional in model if state in SPENT]
            assert (total.count, total.notional) == (len(sent), sum(paid for asset, paid in sent if asset == "USDT"))

            last = len(await ledger.events())
            if last:
                victim, column = damage[0] % last + 1, damage[1]
                change = f"UPDATE events SET {column} = {column} || '!'" if column != "row" else "DELETE FROM events"
                execute_sql(url, f"{change} WHERE seq = {victim}")
                assert await ledger.verify() != []

    asyncio.run(run())


async def _played(
    ledger: Ledger, clock: ManualClock, make_ticket: MakeTicket, steps: list[tuple[str, Any, Any]]
) -> list[tuple[State, str, int]]:
    """Take random steps in the ledger and in a model, which is returned: each ticket's state, asset and notional."""
    model: list[tuple[State, str, int]] = []
    for what, first, second in steps:
        clock.advance(timedelta(seconds=1))
        with contextlib.suppress(KeyError):
            async with ledger.write() as write:
                if what == "add":
                    ticket = make_ticket(f"t{len(model)}", asset=first, notional=Decimal(second))
                    await write.add(ticket, CLIENT)
                    model.append((State.PENDING, first, second))
                elif what == "event" and first not in set(State):
                    await write.event(first, actor=Actor("client", first), detail=cast("dict[str, Any]", second))
                elif what == "rollback":
                    await write.add(make_ticket("gone"), CLIENT)
                    raise KeyError("the caller's own failure")
                elif what in {"move", "observe"} and first < len(model):
                    await _move(write, clock, model, first, second)
    return model


async def _move(
    write: Transaction, clock: ManualClock, model: list[tuple[State, str, int]], number: int, to: State | str
) -> None:
    state, asset, notional = model[number]
    if not isinstance(to, State):
        found = await write.observe(f"t{number}", seen(to), FOLLOWING)
        assert (found is not None) == (state is State.ACCEPTED)
    elif to in TRANSITIONS.get(state, ()):
        sending: Changes = {"owner": "me", "sent_at": clock.now()} if to is State.SENDING else {}
        assert await write.move(f"t{number}", state, to, actor=SENDER, **sending) is not None
        model[number] = (to, asset, notional)
