"""What an order asks of the ledger is found by an index, however much the ledger holds, on both stores."""

import itertools
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, text, update
from support.tickets import CLIENT, needed, seen

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.ledger import tables
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.port import in_sync
from gunbot_mcp.ledger.rows import mandate_row, sightings_of, ticket_row
from gunbot_mcp.tickets.channels import AUTO, FOLLOWING, PAGE, SENDER
from gunbot_mcp.tickets.content import instant_text, sealed
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.mandate import sealed as sealed_mandate
from gunbot_mcp.tickets.ticket import State, Ticket

pytestmark = pytest.mark.anyio

MakeTicket = Callable[..., Ticket]
MakeMandate = Callable[..., Mandate]
Statements = list[tuple[str, Any]]

PAST = 2000


async def an_order(ledger: Ledger, clock: ManualClock, ticket: Ticket) -> None:
    """Do all that an order, its approval, its sending and its being looked for do to a ledger."""
    since = clock.now() - timedelta(days=1)
    await ledger.in_flight("paper")
    async with ledger.write() as write:
        await write.totals("paper", "USDT", since)
        await write.count_since("paper", since)
        await write.count_since("paper", since, cancels=True)
        await write.twin("paper", ticket.fingerprint, since)
        await write.lock("paper", ticket.exchange, ticket.pair, ticket.side)
        await write.mandates("paper", clock.now())
        await write.add(ticket, CLIENT)
    async with ledger.write() as write:
        await write.intact(ticket.id)
        await write.halted("paper")
        await write.spend("m1", Decimal(1), actor=AUTO, live=False, url="")
        await write.move(ticket.id, State.PENDING, State.APPROVED, actor=PAGE, decided_by=PAGE, mandate="m1")
        await write.move(ticket.id, State.APPROVED, State.SENDING, actor=SENDER, **needed(State.SENDING, clock))
    async with ledger.write() as write:
        await write.move(ticket.id, {State.SENDING, State.UNKNOWN}, State.ACCEPTED, actor=SENDER, answer={})
        await write.last_event(ticket.id)
        await write.rivals(ticket, since, since)
        await write.placed_as("paper", ticket.exchange, ticket.pair, "7")
        await write.last_trail(ticket.id)
        await write.taken(ticket, ["7", "8"])
        await write.observe(ticket.id, seen("7"), FOLLOWING)
        await write.get(ticket.id)
        await write.wrong_pins(since)


async def fill(database: Database, clock: ManualClock, make_ticket: MakeTicket, make_mandate: MakeMandate) -> None:
    """Put a year of orders of the same pair, and of mandates, into the tables; no chain holds them."""
    then = clock.now() - timedelta(days=365)
    expired = [
        mandate_row(
            sealed_mandate(make_mandate(f"old {number}", created_at=then, expires_at=then + timedelta(hours=number)))
        )
        for number in range(1, PAST + 1)
    ]
    tickets: list[dict[str, Any]] = []
    for number in range(PAST):
        then = clock.now() - timedelta(days=365) + timedelta(hours=number)
        row = ticket_row(sealed(make_ticket(f"old {number}", created_at=then)))
        tickets.append({**row, "state": "accepted", "sent_at": instant_text(then), "observed": '{"order_ids":["1"]}'})
    halts = [
        {"id": f"old {number}", "at": "", "by": "", "reason": "", "lifted_at": f"{number:09}"} for number in range(PAST)
    ]
    seen = [sighting for row in tickets for sighting in sightings_of(row)]
    async with database.connect() as connection:
        seq, newest = await database.begin(connection)
        events = [
            {
                "seq": seq + 1 + number,
                "at": row["sent_at"],
                "kind": kind,
                "ticket": row["id"],
                "actor": "",
                "detail": "{}",
            }
            for number, (row, kind) in enumerate(itertools.product(tickets, ("created", "approved", "pin_wrong")))
        ]
        await database.run(connection, insert(tables.mandates), expired)
        await database.run(connection, insert(tables.tickets), tickets)
        await database.run(connection, insert(tables.sightings), seen)
        await database.run(connection, insert(tables.halts), halts)
        await database.run(connection, insert(tables.events), [{**one, "prev": newest, "hash": ""} for one in events])
        await database.run(connection, update(tables.head), {"seq": events[-1]["seq"]})
        await database.run(connection, text("ANALYZE"))
        await database.commit(connection)


def explained(connection: Connection, *, statement: str, parameters: Any) -> list[Any]:  # noqa: ANN401 - a driver's
    return list(connection.exec_driver_sql(statement, parameters).all())


async def plans(database: Database, statements: Statements) -> list[str]:
    """Return how the store finds what each statement asks."""
    found: list[str] = []
    async with database.connect() as connection:
        for statement, parameters in statements:
            explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN (ANALYZE)"
            rows = await in_sync(connection, explained, statement=f"{explain} {statement}", parameters=parameters)
            found.append("\n".join([statement, *(str(row[-1]) for row in rows)]))
    return found


def is_slow(plan: str) -> bool:
    """Return whether a plan goes through more rows than it is asked for. `head` has one row."""
    scans = re.findall(r"(?:SCAN|Seq Scan on) (\w+)", plan)
    passed_over = [int(count) for count in re.findall(r"Rows Removed by Filter: (\d+)", plan)]
    sorts = "TEMP B-TREE" in plan or "Sort" in plan
    return bool(set(scans) - {"head"}) or sorts or any(count > 5 for count in passed_over)


async def test_every_question_is_one_probe_of_an_index(
    ledger_url: str, clock: ManualClock, make_ticket: MakeTicket, make_mandate: MakeMandate
) -> None:
    database = Database(ledger_url, patience=5)
    engine = database.engine if isinstance(database.engine, Engine) else database.engine.sync_engine
    statements: Statements = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_more: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")) and "set_config" not in statement:
            statements.append((statement, parameters))

    async with await Ledger.open(ledger_url, clock=clock, database=database) as ledger:
        async with ledger.write() as write:
            await write.add_mandate(make_mandate())
        await fill(database, clock, make_ticket, make_mandate)
        event.listen(engine, "before_cursor_execute", note)
        await an_order(ledger, clock, make_ticket())
        event.remove(engine, "before_cursor_execute", note)
        assert len(statements) > 25
        assert [plan for plan in await plans(database, statements) if is_slow(plan)] == []
