"""Deciding at the desk: one decision counts, a rule that covers no more decides nothing, unknown fates are settled."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest
from support.live import TOKEN
from support.mandates import grant, mandate

from gunbot_mcp.config import Settings, load
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import LimitExceeded, TicketClosed, TicketNotFound
from gunbot_mcp.guard.desk import Desk, Proposal
from gunbot_mcp.guard.proposing import Pace
from gunbot_mcp.runtime import Runtime, Seams
from gunbot_mcp.tickets.channels import PAGE, TERMINAL, Actor
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import State
from gunbot_mcp.tickets.view import observed_view

if TYPE_CHECKING:
    from support.live import LiveGunbot

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio


async def proposed(
    desk: Desk,
    tool: str = "buy_limit",
    *,
    send: bool = False,
    **arguments: object,
) -> Proposal:
    endpoint = BY_NAME[tool]
    given = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000, **arguments}
    return await desk.propose(Order.of(endpoint, endpoint.args.model_validate(given)), client="a client", send=send)


async def test_of_many_who_decide_at_once_one_wins_and_the_others_are_told(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    outcomes: list[str] = []
    async with Runtime(live_settings()) as one, Runtime(live_settings()) as two:
        desks = [await one.desk(), await two.desk()]
        ticket = (await proposed(desks[0])).ticket

        async def decide(desk: Desk, turn: int) -> None:
            try:
                decided = await (desk.decline if turn % 3 == 0 else desk.approve)(
                    ticket.id, by=Actor("form", f"human {turn}")
                )
                outcomes.append(decided.state.value)
            except TicketClosed:
                outcomes.append("closed")

        async with anyio.create_task_group() as tasks:
            for turn in range(12):
                tasks.start_soon(decide, desks[turn % 2], turn)
    assert outcomes.count("closed") == 11
    assert len(live_gunbot.trades) == outcomes.count("accepted") <= 1


async def test_a_mandate_that_was_revoked_meanwhile_sends_nothing_and_leaves_the_ticket_to_a_human(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    now = datetime.now(UTC)
    mandate = Mandate(
        id="m1",
        instance="gunbot",
        exchange="binance",
        pairs=("USDT-BTC",),
        asset="USDT",
        max_order=Decimal(100),
        max_total=Decimal(100),
        live=True,
        url=live_gunbot.url,
        created_at=now - timedelta(minutes=1),
        expires_at=now + timedelta(hours=1),
        created_by=TERMINAL,
    )
    async with Runtime(live_settings(mode="auto")) as runtime:
        desk = await runtime.desk()
        async with desk.ledger.write() as write:
            await write.add_mandate(mandate)
        proposal = await proposed(desk)
        assert proposal.grant == Actor("mandate", "m1")
        async with desk.ledger.write() as write:
            await write.revoke_mandate("m1", TERMINAL)
        with pytest.raises(TicketClosed, match="m1"):
            await desk.approve(proposal.ticket.id, by=Actor("mandate", "m1"))
        assert (await desk.get(proposal.ticket.id)).state is State.PENDING
        assert live_gunbot.trades == []
        assert (await desk.approve(proposal.ticket.id, by=TERMINAL)).state is State.ACCEPTED


async def test_an_approved_order_is_void_where_the_market_cannot_be_asked_again(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime:
        ticket = (await proposed(await runtime.desk())).ticket
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = live_settings(url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        async with Runtime(away) as runtime:
            found = await (await runtime.desk()).approve(ticket.id, by=TERMINAL)
    assert found.state is State.VOID
    assert found.answer is not None
    assert found.answer["error"]["code"] == "gateway_unreachable"
    assert found.answer["error"]["retryable"] is False
    assert live_gunbot.trades == []


@pytest.mark.parametrize(
    ("placed", "order_id", "state", "observed"),
    [
        (True, "77", State.ACCEPTED, {"order_id": "77", "certainty": "human", "where": "a human's word"}),
        (True, None, State.ACCEPTED, None),
        (False, None, State.VOID, None),
    ],
)
async def test_a_human_settles_an_unknown_fate_once(
    *,
    placed: bool,
    order_id: str | None,
    state: State,
    observed: dict[str, str] | None,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    live_gunbot.reply = (502, "?")
    async with Runtime(live_settings()) as runtime:
        desk = await runtime.desk()
        ticket = await desk.approve((await proposed(desk)).ticket.id, by=TERMINAL)
        assert ticket.state is State.UNKNOWN
        settled = await desk.resolve(ticket.id, placed=placed, order_id=order_id, by=TERMINAL)
        seen = None if settled.observed is None else observed_view(settled.observed)
        if seen is not None:
            assert seen.pop("as_of")
        assert (settled.state, seen) == (state, observed)
        with pytest.raises(TicketClosed):
            await desk.resolve(ticket.id, placed=placed, order_id=order_id, by=TERMINAL)
    assert len(live_gunbot.trades) == 1


async def test_a_key_opens_its_own_ticket_and_no_proposal_shows_it(live_settings: MakeSettings) -> None:
    async with Runtime(live_settings()) as runtime:
        desk = await runtime.desk()
        one, two = await proposed(desk), await proposed(desk, price=49000)
        assert (await desk.check_key(one.ticket.id, one.nonce)).id == one.ticket.id
        for wrong in (two.nonce, "", "\ud800", "\x00", one.ticket.nonce_hash):
            with pytest.raises(TicketNotFound):
                await desk.check_key(one.ticket.id, wrong)
        for nobody in ("", "\ud800", "\x00", "%", two.ticket.id + " ", "x" * 10**6):
            with pytest.raises(TicketNotFound):
                await desk.check_key(nobody, one.nonce)
        assert one.nonce not in repr(one)


def test_a_place_is_free_again_after_a_minute_or_once_a_proposal_was_refused() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])

    def propose(*, fails: bool = False) -> None:
        with pace.place(2, "orders"):
            if fails:
                raise TicketNotFound("refused for another reason")

    for _ in range(5):
        with pytest.raises(TicketNotFound):
            propose(fails=True)
    propose()
    now[0] = 30
    propose()
    with pytest.raises(LimitExceeded, match="at most 2 orders"):
        propose()
    now[0] = 60
    propose()
    with pytest.raises(LimitExceeded):
        propose()


class _Edits(httpx2.AsyncBaseTransport):
    """Passes requests on; `edit` happens while the history is asked, which is after the approval was decided."""

    def __init__(self, edit: Callable[[], object]) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._edit = edit

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/orders/page"):
            self._edit()
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.mark.parametrize(
    ("by", "edit"),
    [
        (Actor("mandate", "m1"), ('mode = "auto"', 'mode = "approve"')),
        (Actor("form", "Claude Code"), ("[approval]", "[approval]\nelicitation = false")),
        (PAGE, ("[approval]", "[approval]\npage = false")),
        (Actor("card", "Claude"), ('[approval]\ncard_buttons = "always"', '[approval]\ncard_buttons = "never"')),
    ],
    ids=lambda given: given.channel if isinstance(given, Actor) else "",
)
async def test_a_way_to_approve_that_the_file_closes_while_the_market_is_looked_at_sends_nothing(
    tmp_path: Path, live_gunbot: "LiveGunbot", monkeypatch: pytest.MonkeyPatch, by: Actor, edit: tuple[str, str]
) -> None:
    before, after = edit
    file = tmp_path / "config.toml"
    text = f'[instances.gunbot]\nurl = "{live_gunbot.url}"\ntoken = "{TOKEN}"\n'
    file.write_text(text + before, encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(file))
    edits = _Edits(lambda: file.write_text(text + after, encoding="utf-8"))
    async with Runtime(load(), seams=Seams(transport=edits)) as runtime:
        await grant(runtime, mandate(max_total=Decimal(1000)))
        desk = await runtime.desk()
        ticket = (await proposed(desk)).ticket
        with pytest.raises(TicketClosed, match="closed this way"):
            await desk.approve(ticket.id, by=by)
        assert (await desk.get(ticket.id)).state is State.PENDING
    assert live_gunbot.trades == []
