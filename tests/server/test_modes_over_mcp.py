"""What goes without asking, and what does not go at all: auto on paper, smart cancels, read-only, halt."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client
from support.calls import BOTH_ERAS, BUY, Era, call, error
from support.calls import status as said

from gunbot_mcp.config import Mode, Settings, load
from gunbot_mcp.endpoints import ENDPOINTS
from gunbot_mcp.errors import Halted
from gunbot_mcp.guard.halt import halt, homes_switch, lift, resume, throw, users_switch
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.live import LiveGunbot, SteppedClock

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio

ORDERS = [endpoint.name for endpoint in ENDPOINTS if endpoint.intent is not None]


# Auto on paper


@BOTH_ERAS
async def test_auto_on_paper_sends_at_once(era: Era) -> None:
    settings = load(mode="auto", instances={"paper": {"market": "manual"}})
    async with Runtime(settings) as runtime, Client(build_server(runtime), mode=era) as client:
        assert await call(client) == "accepted"
        (ticket,) = await (await runtime.desk()).list()
    assert str(ticket.decided_by) == "mode auto (paper)"


async def test_auto_on_paper_still_checks() -> None:
    settings = load(mode="auto", instances={"paper": {"market": "manual"}})
    async with Runtime(settings) as runtime, Client(build_server(runtime)) as client:
        assert await call(client, amount=1) == "limit_exceeded"
        assert await call(client) == "accepted"
        assert await call(client) == "duplicate_order"


# Cancels


def cancel_of(order: dict[str, Any], **fields: object) -> dict[str, Any]:
    found = {"exchange": "binance", "pair": "USDT-BTC", "order_id": order["id"], "price": order["rate"]}
    return {**found, "order_type": order["orderType"], **fields}


@BOTH_ERAS
async def test_cancelling_an_entry_order_that_this_server_placed_and_found_needs_no_approval(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime), mode=era) as client:
        assert await call(client, price=49000) == "awaiting_approval"
        desk = await runtime.desk()
        (ticket,) = await desk.list()
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.ACCEPTED
        (resting,) = live_gunbot.open_orders()
        assert await call(client, "cancel_order", **cancel_of(resting)) == "accepted"
    assert live_gunbot.paths == ["/trade/buy", "/trade/cancel"]
    assert live_gunbot.open_orders() == []


async def test_cancelling_an_order_that_somebody_else_placed_asks(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    live_gunbot.place("/trade/buy", exch="binance", pair="USDT-BTC", amt=0.001, price=49000)
    (resting,) = live_gunbot.open_orders()
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        assert await call(client, "cancel_order", **cancel_of(resting)) == "awaiting_approval"
    assert live_gunbot.trades == []


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("/trade/sell", {"price": 53000}),
        ("/trade/buy/stoplimit", {"stopPrice": 52000, "limitPrice": 52100}),
        ("/trade/sell/stoplimit", {"stopPrice": 49000, "limitPrice": 48900}),
        ("/trade/sell/trailingstop", {"price": 51000, "stopPrice": 50000}),
        ("/trade/buy/oco", {"price": 50000, "stopPrice": 52000, "limit": 52100}),
        ("/trade/sell/oco", {"price": 52000, "stopPrice": 50000, "limit": 49900}),
    ],
)
async def test_cancelling_anything_else_asks(
    path: str, order: dict[str, float], live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    live_gunbot.place(path, exch="binance", pair="USDT-BTC", amt=0.001, **order)
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        for resting in live_gunbot.open_orders():
            assert await call(client, "cancel_order", **cancel_of(resting)) == "awaiting_approval"
    assert live_gunbot.trades == []


@pytest.mark.parametrize("wrong", [{"price": 49000.01}, {"order_type": "market"}, {"order_id": "1"}])
async def test_a_cancel_that_does_not_fit_what_the_server_sees_asks(
    wrong: dict[str, Any], live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    live_gunbot.place("/trade/buy", exch="binance", pair="USDT-BTC", amt=0.001, price=49000)
    (resting,) = live_gunbot.open_orders()
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        assert await call(client, "cancel_order", **cancel_of(resting, **wrong)) == "awaiting_approval"
    assert live_gunbot.trades == []


async def test_where_the_user_wants_to_be_asked_every_cancel_asks(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    live_gunbot.place("/trade/buy", exch="binance", pair="USDT-BTC", amt=0.001, price=49000)
    (resting,) = live_gunbot.open_orders()
    async with Runtime(live_settings(cancel="ask")) as runtime, Client(build_server(runtime)) as client:
        assert await call(client, "cancel_order", **cancel_of(resting)) == "awaiting_approval"
        (ticket,) = await (await runtime.desk()).list()
        assert (await (await runtime.desk()).approve(ticket.id, by=TERMINAL)).state is State.ACCEPTED
    assert live_gunbot.paths == ["/trade/cancel"]


# Read-only


@pytest.mark.parametrize("era", ["legacy", "auto"])
@pytest.mark.parametrize("value", ["read-only", "READ_ONLY", "aprove", "none", "true"])
async def test_read_only_has_no_tools_that_trade_and_refuses_them(
    era: Era, value: str, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(mode=value)) as runtime, Client(build_server(runtime), mode=era) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert not listed & {*ORDERS, "withdraw_ticket", "decide_ticket"}
        assert {"get_quote", "list_orders", "get_ticket"} <= listed
        for name in (*ORDERS, "withdraw_ticket"):
            assert await call(client, name) == "read_only"
        assert await call(client) == "read_only"
    assert live_gunbot.trades == []


@pytest.mark.parametrize(
    ("variable", "flag", "configured", "expected"),
    [
        (None, None, None, Mode.APPROVE),
        (None, None, "auto", Mode.AUTO),
        ("approve", None, "auto", Mode.APPROVE),
        ("auto", "approve", None, Mode.APPROVE),
        (None, "auto", "approve", Mode.AUTO),
        ("read-only", None, "auto", Mode.READ_ONLY),
        ("read-only", "auto", "auto", Mode.READ_ONLY),
        ("auto", "auto", "read-only", Mode.READ_ONLY),
        ("auto", "read-only", "auto", Mode.READ_ONLY),
        ("yes", "auto", None, Mode.READ_ONLY),
        ("auto", "yes", None, Mode.READ_ONLY),
        ("auto", "", None, Mode.READ_ONLY),
        (" AUTO ", None, None, Mode.AUTO),
    ],
)
def test_read_only_wins_over_everything_and_what_cannot_be_understood_is_read_only(
    *,
    variable: str | None,
    flag: str | None,
    configured: str | None,
    expected: Mode,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[instances.paper]\nmode = "{configured}"\n' if configured else "", encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(config))
    if variable is not None:
        monkeypatch.setenv("GUNBOT_MCP_MODE", variable)
    assert load(mode=flag).effective_mode is expected


def test_read_only_at_the_top_of_the_file_wins_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('mode = "read-only"\n', encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(config))
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    assert load(mode="auto").effective_mode is Mode.READ_ONLY


async def test_a_ticket_that_was_proposed_before_read_only_cannot_be_sent_under_it(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        assert await call(client) == "awaiting_approval"
    async with Runtime(live_settings(mode="read-only")) as runtime:
        desk = await runtime.desk()
        (ticket,) = await desk.list()
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.VOID
    assert live_gunbot.trades == []


# Halt


@BOTH_ERAS
async def test_a_halt_refuses_orders_and_cancels_until_a_human_resumes(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot", clean_environment: Path
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime), mode=era) as client:
        halt(clean_environment, "fire")
        result = await client.call_tool("buy_limit", BUY)
        assert said(result) == "halted"
        assert "fire" in error(result)["message"]
        cancel = {"exchange": "binance", "pair": "USDT-BTC", "order_id": "1", "price": 1, "order_type": "limit"}
        assert await call(client, "cancel_order", **cancel) == "halted"
        resume(clean_environment)
        assert await call(client) == "awaiting_approval"
    assert live_gunbot.trades == []


# Between proposal and approval


async def approve_only_ticket(runtime: Runtime) -> tuple[State, str]:
    desk = await runtime.desk()
    (ticket,) = await desk.list()
    found = await desk.approve(ticket.id, by=TERMINAL)
    return found.state, str((found.answer or {}).get("error", {}).get("code"))


async def test_a_ticket_waits_through_a_halt_and_can_be_approved_after_it(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", clean_environment: Path
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        assert await call(client) == "awaiting_approval"
        for switch in (users_switch(), homes_switch(clean_environment)):
            throw(switch, "fire")
            with pytest.raises(Halted, match="fire"):
                await approve_only_ticket(runtime)
            (ticket,) = await (await runtime.desk()).list()
            assert (ticket.state, ticket.decided_by) == (State.PENDING, None)
            assert live_gunbot.trades == []
            assert lift(switch)
        assert (await approve_only_ticket(runtime))[0] is State.ACCEPTED
    assert len(live_gunbot.trades) == 1


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_order": {"USDT": "50"}}, "limit_exceeded"),
        ({"max_day": {"USDT": "50"}}, "limit_exceeded"),
        ({"orders_per_day": 0}, "limit_exceeded"),
        ({"pairs": ["USDT-ETH"]}, "pair_not_allowed"),
        ({"exchanges": ["kraken"]}, "exchange_not_allowed"),
        ({"price_band_percent": "1"}, "price_out_of_band"),
    ],
)
async def test_limits_that_moved_after_the_proposal_make_the_ticket_void(
    limits: dict[str, Any], code: str, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        assert await call(client) == "awaiting_approval"
    async with Runtime(live_settings(limits=limits)) as runtime:
        assert await approve_only_ticket(runtime) == (State.VOID, code)
    assert live_gunbot.trades == []


async def test_a_market_that_moved_after_the_proposal_makes_the_ticket_void(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    order = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001}
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        assert await call(client, "buy_market", **order) == "awaiting_approval"
        live_gunbot.set_price(52000)
        assert await approve_only_ticket(runtime) == (State.VOID, "price_out_of_band")
    assert live_gunbot.trades == []


async def test_a_limit_order_is_void_once_its_price_left_the_band(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime, Client(build_server(runtime)) as client:
        assert await call(client) == "awaiting_approval"
        live_gunbot.set_price(90000)
        assert await approve_only_ticket(runtime) == (State.VOID, "price_out_of_band")
    assert live_gunbot.trades == []


async def test_a_ticket_that_expired_between_form_and_sending_sends_nothing(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", stepped_clock: "SteppedClock"
) -> None:
    async with Runtime(live_settings(), seams=stepped_clock.seams) as runtime, Client(build_server(runtime)) as client:
        assert await call(client) == "awaiting_approval"
        stepped_clock.pushed += 121
        with pytest.raises(Exception, match="expired"):
            await approve_only_ticket(runtime)
    assert live_gunbot.trades == []


async def test_a_ticket_of_a_paper_instance_is_void_in_a_live_one_of_the_same_name(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    settings = load(instances={"gunbot": {"market": "manual"}}, approval={"wait": 0.1})
    async with Runtime(settings) as runtime, Client(build_server(runtime)) as client:
        assert await call(client) == "awaiting_approval"
    async with Runtime(live_settings()) as runtime:
        assert await approve_only_ticket(runtime) == (State.VOID, "ticket_closed")
    assert live_gunbot.trades == []


async def test_the_day_limit_holds_however_many_tickets_a_human_approves_at_once(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    settings = live_settings(limits={"max_day": {"USDT": "170"}})
    states: list[State] = []
    async with Runtime(settings) as runtime, Client(build_server(runtime)) as client:
        for index in range(8):
            assert await call(client, price=50000 - index) == "awaiting_approval"
        desk = await runtime.desk()

        async def approve(ticket_id: str) -> None:
            states.append((await desk.approve(ticket_id, by=TERMINAL)).state)

        async with anyio.create_task_group() as tasks:
            for ticket in await desk.list():
                tasks.start_soon(approve, ticket.id)
    assert sorted(states) == [State.ACCEPTED] * 3 + [State.VOID] * 5
    assert len(live_gunbot.trades) == 3
