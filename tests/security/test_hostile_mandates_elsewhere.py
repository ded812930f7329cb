"""A mandate counts for the Gunbot that it was made for: no other one, no paper that became live, no older release's.

A hostile model tries every order tool within the mandate's own bounds, while the server is started for this Gunbot and
that one, and while somebody who can reach the guard claims the mandate by its name.
"""

import functools
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import anyio
import pytest
from security.hostile import ORDER_TOOLS, WIDE, Era, Tally, arguments_of, hostile, nothing_leaked, sent_only
from support import mandates
from support.recorder import TOKEN, Recorder, recording

from gunbot_mcp.config import Settings, load
from gunbot_mcp.errors import TicketClosed
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.ticket import State

MakeSettings = Callable[..., Settings]
pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOTH_ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])

mandate = functools.partial(mandates.mandate, max_order=Decimal(100), max_total=Decimal(10_000))
LIMITS: dict[str, Any] = {**WIDE, "orders_per_day": 10**6, "max_day": {"USDT": "1e6", "BTC": "1e6"}}
ELSEWHERE: dict[str, tuple[bool | None, str | None]] = {
    "paper": (False, ""),
    "release 0.1, which did not say": (None, None),
    "live, and no address": (True, None),
    "another host": (True, "https://gunbot.example:3000"),
    "this address, but as paper": (False, "{url}"),
    "another port": (True, "http://127.0.0.1:1"),
    "another scheme": (True, "https{rest}"),
    "another spelling": (True, "{url}/"),
    "in capitals": (True, "HTTP{rest}"),
    "another name of this machine": (True, "http://localhost:{port}"),
    "this address with more": (True, "{url}@evil.example"),
    "a beginning of it": (True, "http://127.0.0.1"),
    "a space behind it": (True, "{url} "),
    "nothing": (True, ""),
}
"""For whom the mandate was made: kind and url; in braces, of the Gunbot that is served."""


@pytest.fixture
def other() -> Iterator[Recorder]:
    """Another Gunbot."""
    with recording() as served:
        yield served


def at(recorder: Recorder, **fields: object) -> Settings:
    instance = {"url": recorder.url, "token": TOKEN, "read_timeout": 60, "limits": LIMITS, "mode": "auto", **fields}
    return load(instances={"gunbot": instance}, approval={"wait": 0})


async def record(runtime: Runtime, name: str, live: bool | None, url: str | None) -> None:  # noqa: FBT001 - as in the table
    async with (await runtime.desk()).ledger.write() as write:
        await write.add_mandate(mandate(id=name, live=live, url=url))


async def nothing_went(runtime: Runtime, tally: Tally, *gunbots: Recorder) -> None:
    """No order arrived, and nothing was taken from any mandate, also not by its name."""
    desk = await runtime.desk()
    for ticket in await desk.list(limit=200):
        for found in await desk.ledger.mandates(None):
            with pytest.raises(TicketClosed):
                await desk.approve(ticket.id, by=Actor("mandate", found.id))
        assert (await desk.get(ticket.id)).state is State.PENDING
    assert [found.spent for found in await desk.ledger.mandates(None) if found.spent] == []
    for gunbot in gunbots:
        sent_only(0, gunbot, tally)
    assert "internal" not in tally.codes
    nothing_leaked(tally)


@BOTH_ERAS
async def test_every_order_under_mandates_that_are_for_somebody_else(
    era: Era, recorder: Recorder, tally: Tally
) -> None:
    scheme, rest = recorder.url[:4], recorder.url[4:]
    assert scheme == "http"
    facts = {"url": recorder.url, "rest": rest, "port": rest.rpartition(":")[2]}
    async with hostile(at(recorder), era, tally) as (runtime, model):
        for number, (live, url) in enumerate(ELSEWHERE.values()):
            await record(runtime, f"m{number}", live, None if url is None else url.format(**facts))
        for tool in ORDER_TOOLS:
            await model.call(tool, arguments_of(tool))
            await model.call(tool, {**arguments_of(tool), "mandate": "m0", "grant": "mandate m0"})
        await nothing_went(runtime, tally, recorder)


@BOTH_ERAS
async def test_a_mandate_of_paper_days_once_the_instance_has_a_url(era: Era, recorder: Recorder, tally: Tally) -> None:
    paper = load(instances={"gunbot": {"mode": "auto", "limits": LIMITS}}, approval={"wait": 0})
    async with hostile(paper, era, tally) as (runtime, model):
        await record(runtime, "m1", False, "")
        assert (await model.call("buy_limit", arguments_of("buy_limit")))["status"] == "accepted"
    async with hostile(at(recorder), era, tally) as (runtime, model):
        for tool in ORDER_TOOLS:
            await model.call(tool, arguments_of(tool))
        (given,) = await (await runtime.desk()).ledger.mandates("gunbot")
    sent_only(0, recorder, tally)
    assert given.spent == 0


@BOTH_ERAS
async def test_a_server_that_is_started_for_one_gunbot_and_the_other_in_turn(
    era: Era, recorder: Recorder, other: Recorder, tally: Tally
) -> None:
    """Each mandate sends at its own Gunbot, and what waits from there is not sent here."""
    for gunbot, name in ((recorder, "m1"), (other, "m2")):
        async with Runtime(at(gunbot)) as runtime:
            await record(runtime, name, True, gunbot.url)
    # More than the mandate: it waits, as an order to A.
    waiting: dict[str, Any] = {**arguments_of("buy_limit"), "amount": 0.003}
    async with hostile(at(recorder), era, tally) as (runtime, model):
        assert (await model.call("buy_limit", waiting))["status"] in {"awaiting_approval", "asked"}
        assert (await model.call("buy_limit", arguments_of("buy_limit")))["status"] == "accepted"
    async with hostile(at(other), era, tally) as (runtime, model):
        desk = await runtime.desk()
        (left,) = await desk.list(states={State.PENDING})
        for name in ("m1", "m2"):
            with pytest.raises(TicketClosed):
                await desk.approve(left.id, by=Actor("mandate", name))

        async def one(turn: int) -> None:
            await model.call("buy_limit", {**arguments_of("buy_limit"), "price": 50000 - turn})

        async with anyio.create_task_group() as tasks:
            for turn in range(5):
                tasks.start_soon(one, turn)
        spent = {found.id: found.spent for found in await desk.ledger.mandates("gunbot")}
    sent_only(1, recorder, tally)
    assert len(other.trades) == 5
    # One order of 50.05 came from the first, and all that went to the other from the second.
    assert spent["m1"] == Decimal("50.05")
    assert Decimal(250) < spent["m2"] < Decimal(251)
