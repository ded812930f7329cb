"""The client's form, in both protocol generations: only a human's own approval in it sends."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client, types
from mcp.client.context import ClientRequestContext
from support.calls import APPROVING, BOTH_ERAS, BUY, PATIENT, Era, answering, only_ticket, status, text
from support.live import TOKEN

from gunbot_mcp.approval.forms import Question
from gunbot_mcp.config import Settings, load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.render import Answer
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.live import LiveGunbot, SteppedClock

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio

DEAR = {**BUY, "amount": 0.004}  # 200 USDT: above the amount that needs a code


@BOTH_ERAS
async def test_an_order_that_a_human_approves_in_the_form_is_sent_once_and_found(
    era: Era,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode=era, elicitation_callback=APPROVING) as client,
    ):
        result = await client.call_tool("buy_limit", BUY)
    assert status(result) == "accepted"
    assert live_gunbot.trades == [
        ("/trade/buy", b'{"data":{"exch":"binance","pair":"USDT-BTC","amt":0.001,"price":50000}}')
    ]
    (resting,) = live_gunbot.open_orders()
    assert result.structured_content is not None
    assert result.structured_content["observed"].pop("as_of")
    assert result.structured_content["observed"] == {
        "certainty": "match",
        "state": "open",
        "order_id": resting["id"],
        "order_type": "limit",
        "price": "50000",
        "where": "open orders",
    }
    assert result.structured_content["gateway"] == {"message": "Order sent"}
    assert result.structured_content["ticket"]["decided_by"] == "form in mcp"


@BOTH_ERAS
async def test_an_order_that_a_human_rejects_in_the_form_is_declined(
    era: Era,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    rejecting = answering("accept", {"decision": "reject"})
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode=era, elicitation_callback=rejecting) as client,
    ):
        result = await client.call_tool("buy_limit", BUY)
    assert status(result) == "declined"
    assert live_gunbot.trades == []


@BOTH_ERAS
@pytest.mark.parametrize(
    ("action", "seconds", "expected"),
    [
        ("decline", 0.05, State.PENDING),
        ("cancel", 0.05, State.PENDING),
        ("decline", 2, State.DECLINED),
        ("cancel", 2, State.PENDING),
    ],
)
async def test_a_form_closed_too_fast_to_be_read_or_merely_closed_decides_nothing(
    *,
    era: Era,
    action: str,
    seconds: float,
    expected: State,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
    stepped_clock: "SteppedClock",
) -> None:
    # A client that is called back has been heard before the waiting begins.
    approval = PATIENT if expected is State.DECLINED else {"wait": 0.1 if era == "auto" else 5}

    def read() -> None:
        stepped_clock.pushed += seconds

    async with (
        Runtime(live_settings(approval=approval), seams=stepped_clock.seams) as runtime,
        Client(build_server(runtime), mode=era, elicitation_callback=answering(action, before=read)) as client,
    ):
        result = await client.call_tool("buy_limit", BUY)
        assert (await only_ticket(runtime)).state is expected
    assert status(result) == ("awaiting_approval" if expected is State.PENDING else "declined")
    assert ("not answered by a human" in text(result)) is (expected is State.PENDING)
    assert live_gunbot.trades == []


PLAIN_CONTENTS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"decision": "yes"},
    {"decision": "APPROVE"},
    {"decision": True},
    {"decision": ["approve"]},
    {"decision": "approve", "confirmed": True},
    {"decision": "approve", "code": "1234"},
)
DEAR_CONTENTS: tuple[dict[str, Any] | None, ...] = (
    {"decision": "approve"},
    {"decision": "approve", "code": "none"},
    {"decision": "approve", "code": "{code}", "pin": "1"},
)


@BOTH_ERAS
async def test_a_form_that_is_answered_in_any_other_way_leaves_the_ticket_pending(
    era: Era,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    """All at once, since each call waits in vain for an answer that is one."""
    left = {False: list(PLAIN_CONTENTS), True: list(DEAR_CONTENTS)}
    results: list[types.CallToolResult] = []

    async def answer(
        context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        content = left["code: " in params.message].pop()
        return await answering("accept", content)(context, params)

    async def propose(order: dict[str, Any]) -> None:
        results.append(await client.call_tool("buy_limit", order))

    settings = live_settings(approval={"wait": 5}, limits={"duplicate_seconds": 0, "orders_per_minute": 20})
    async with (
        Runtime(settings) as runtime,
        Client(build_server(runtime), mode=era, elicitation_callback=answer) as client,
    ):
        async with anyio.create_task_group() as tasks:
            for order in (*([BUY] * len(PLAIN_CONTENTS)), *([DEAR] * len(DEAR_CONTENTS))):
                tasks.start_soon(propose, order)
        tickets = await (await runtime.desk()).list()
    assert left == {False: [], True: []}
    assert [ticket.state for ticket in tickets] == [State.PENDING] * 11
    assert [status(result) for result in results] == ["awaiting_approval"] * 11
    assert all("not approved" in text(result) for result in results)
    assert live_gunbot.trades == []


@BOTH_ERAS
async def test_above_the_amount_the_right_code_sends(
    era: Era,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    typing = answering("accept", {"decision": "approve", "code": "{code}"})
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode=era, elicitation_callback=typing) as client,
    ):
        assert status(await client.call_tool("buy_limit", DEAR)) == "accepted"
    assert live_gunbot.paths == ["/trade/buy"]


async def test_a_client_that_answers_a_form_with_an_error_has_asked_nobody(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async def failing(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ErrorData:
        del context, params
        return types.ErrorData(code=-32600, message="not here")

    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=failing) as client,
    ):
        assert status(await client.call_tool("buy_limit", BUY)) == "awaiting_approval"
    assert live_gunbot.trades == []


@BOTH_ERAS
async def test_where_the_user_wants_no_forms_none_is_shown(
    era: Era,
    live_settings: MakeSettings,
    live_gunbot: "LiveGunbot",
) -> None:
    settings = live_settings(approval={"elicitation": False})
    async with (
        Runtime(settings) as runtime,
        Client(build_server(runtime), mode=era, elicitation_callback=APPROVING) as client,
    ):
        assert status(await client.call_tool("buy_limit", BUY)) == "awaiting_approval"
    assert live_gunbot.trades == []


@pytest.mark.parametrize(("decision", "ends"), [("approve", State.ACCEPTED), ("reject", State.DECLINED)])
async def test_a_form_that_is_answered_after_the_call_has_ended_still_counts(
    decision: str, ends: State, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    reading = anyio.Event()

    async def slowly(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context, params
        await reading.wait()
        return types.ElicitResult(action="accept", content={"decision": decision})

    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=slowly) as client,
    ):
        assert status(await client.call_tool("buy_limit", BUY)) == "awaiting_approval"
        assert live_gunbot.trades == []
        reading.set()
        ticket = await (await runtime.desk()).wait((await only_ticket(runtime)).id, 60)
    assert (ticket.state, str(ticket.decided_by)) == (ends, "form in mcp")
    assert len(live_gunbot.trades) == (ends is State.ACCEPTED)


async def test_a_form_that_nobody_has_answered_goes_away_with_its_ticket(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    gone = anyio.Event()

    async def never(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context, params
        try:
            await anyio.sleep_forever()
        finally:
            gone.set()
        raise AssertionError("the form was left open")

    async with (
        Runtime(live_settings()) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=never) as client,
    ):
        assert status(await client.call_tool("buy_limit", BUY)) == "awaiting_approval"
        await (await runtime.desk()).decline((await only_ticket(runtime)).id, by=TERMINAL)
        with anyio.fail_after(60):
            await gone.wait()
    assert live_gunbot.trades == []


# Forms that are never shown


async def test_a_client_without_forms_is_answered_at_once(live_settings: MakeSettings) -> None:
    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode="legacy") as client,
    ):
        with anyio.fail_after(10):
            result = await client.call_tool("buy_limit", BUY)
    assert status(result) == "awaiting_approval"
    assert text(result).startswith("Nothing has been sent.")


@BOTH_ERAS
async def test_a_form_that_is_declined_in_a_blink_ends_the_waiting_and_is_not_asked_for_again(
    era: Era, live_settings: MakeSettings
) -> None:
    asked: list[object] = []

    async def blink(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        asked.append(params)
        return types.ElicitResult(action="decline")

    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode=era, elicitation_callback=blink) as client,
    ):
        with anyio.fail_after(10):
            for amount in (0.001, 0.0011):
                assert status(await client.call_tool("buy_limit", {**BUY, "amount": amount})) == "awaiting_approval"
    assert len(asked) == 1


async def test_while_a_form_is_shown_the_way_to_decide_is_told_as_progress(live_settings: MakeSettings) -> None:
    told: list[str | None] = []

    async def told_so(progress: float, total: float | None, message: str | None) -> None:
        del progress, total
        told.append(message)

    async with (
        Runtime(live_settings(approval=PATIENT)) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=APPROVING) as client,
    ):
        await client.call_tool("buy_limit", BUY, progress_callback=told_so)
    assert len(told) == 1
    assert told[0] is not None
    assert "Nothing has been sent" in told[0]


async def test_an_order_whose_question_was_dropped_leads_to_its_ticket_when_it_comes_again(
    live_settings: MakeSettings,
) -> None:
    async with Runtime(live_settings(approval=PATIENT)) as runtime:
        caller = Caller(name="Dropper", asks_later=True)
        question = await runtime.dispatcher.call("buy_limit", BUY, caller)
        assert isinstance(question, Question)
        again = await runtime.dispatcher.call("buy_limit", BUY, caller)
        assert isinstance(again, Answer)
        ticket = (await (await runtime.desk()).list())[0]
        assert ticket.id in again.text
        assert "approve" in again.text
        assert "repeat_of" not in again.text
        # From now on nobody asks this client for a form.
        other = await runtime.dispatcher.call("buy_limit", {**BUY, "amount": 0.0011}, caller)
    assert isinstance(other, Answer)
    assert other.structured["status"] == "awaiting_approval"


async def test_a_form_that_the_config_has_switched_off_meanwhile_approves_nothing(
    tmp_path: Path, live_gunbot: "LiveGunbot", monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    live = f'[instances.gunbot]\nurl = "{live_gunbot.url}"\ntoken = "{TOKEN}"\n'
    config.write_text(live, encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(config))

    async def late(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context, params
        config.write_text(f"{live}[approval]\nelicitation = false\n", encoding="utf-8")
        return types.ElicitResult(action="accept", content={"decision": "approve"})

    async with (
        Runtime(load()) as runtime,
        Client(build_server(runtime), mode="legacy", elicitation_callback=late) as client,
    ):
        result = await client.call_tool("buy_limit", BUY)
    assert status(result) == "awaiting_approval"
    assert "has meanwhile closed this way to approve" in text(result)
    assert live_gunbot.trades == []
