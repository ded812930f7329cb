"""A halt in the ledger stops every replica that shares it, at the claim."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.desks import open_desk, propose
from support.exchange import Exchange

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.errors import Halted
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

pytestmark = pytest.mark.anyio

ExecuteSql = Callable[..., None]


async def test_a_halt_on_one_machine_stops_the_replica_on_another_until_it_is_lifted(
    ledger_url: str, tmp_path: Path
) -> None:
    exchange = Exchange()
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    async with (
        open_desk(ledger_url, tmp_path / "here", exchange) as here,
        open_desk(ledger_url, tmp_path / "there", exchange) as there,
    ):
        ticket = await propose(here)
        async with there.ledger.write() as write:
            await write.halt("fire", TERMINAL)
        with pytest.raises(Halted, match="fire"):
            await here.approve(ticket.id, by=TERMINAL)
        with pytest.raises(Halted, match="fire"):
            await propose(here)
        assert ((await here.get(ticket.id)).state, exchange.posts) == (State.PENDING, [])
        async with there.ledger.write() as write:
            assert await write.lift_halts(TERMINAL) == 1
            assert await write.lift_halts(TERMINAL) == 0
        assert (await here.approve(ticket.id, by=TERMINAL)).state is State.ACCEPTED
        assert await here.ledger.verify() == []
        kinds = [event.kind for event in await here.ledger.events()]
        assert [kind for kind in kinds if "halt" in kind] == ["halt_set", "halt_lifted"]


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE halts SET lifted_at = '2030-01-02T12:00:00.000000Z'",
        "UPDATE halts SET reason = 'none'",
        "DELETE FROM halts",
        "INSERT INTO halts VALUES ('9', NULL, '', '', '', NULL, NULL)",
    ],
)
async def test_a_halt_that_was_changed_behind_the_chain_is_found(
    ledger_url: str, clock: ManualClock, execute_sql: ExecuteSql, tampering: str
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        async with ledger.write() as write:
            await write.halt("fire", TERMINAL)
        assert await ledger.verify() == []
        execute_sql(ledger_url, tampering)
        (problem,) = await ledger.verify()
        assert problem.startswith("halt ")
