"""A hostile model with every tool of a live instance: whatever it calls, nothing is traded that no human approved.

It lies, loops, races, forges, replays and floods, in both protocol generations. Its calls are counted, and the total
is told at the end of the run. Every result, error, log line, repr and byte of the state folder is searched for secrets.
"""

import json
import random
import secrets
import string
import unicodedata
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import types
from security.hostile import (
    FLAGS,
    GOOD,
    INJECTIONS,
    ORDER_TOOLS,
    PIN,
    TOOLS,
    WIDE,
    Era,
    Tally,
    arguments_of,
    hostile,
    junk,
    nothing_happened,
    nothing_leaked,
    sent_only,
    stored,
)

from gunbot_mcp.config import Settings
from gunbot_mcp.dispatch import Caller, LaterReply, Question
from gunbot_mcp.render import Answer
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.live import LiveGunbot

MakeSettings = Callable[..., Settings]
pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOTH_ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])


@BOTH_ERAS
@pytest.mark.parametrize("forms", [True, False])
async def test_every_tool_with_random_arguments(
    era: Era, *, forms: bool, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    rng = random.Random(f"{era} {forms}")
    chosen = live_settings(limits=WIDE, approval={"wait": 0})
    async with hostile(chosen, era, tally, cards=not forms, forms=forms) as (runtime, model):
        for _ in range(25):
            for tool in TOOLS:
                arguments = arguments_of(tool)
                for name in rng.sample(list(arguments), k=min(len(arguments), rng.randrange(1, 3))):
                    arguments[name] = junk(rng)
                if rng.random() < 0.3:
                    arguments[rng.choice(list(FLAGS))] = junk(rng)
                await model.call(tool, arguments)
        await nothing_happened(runtime, live_gunbot, tally)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([*GOOD.values(), *INJECTIONS[:-1]]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def served(live_settings: MakeSettings) -> Iterator[tuple[BlockingPortal, Runtime]]:
    """A running instance and the event loop that it runs on, for a test that is not on one."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Runtime(live_settings(approval={"wait": 0}))) as runtime,
    ):
        yield portal, runtime


@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    tool=st.sampled_from([*TOOLS, "approve_ticket", "resume", "", "trade/buy", "DECIDE_TICKET"]) | st.text(max_size=20),
    arguments=JSON | st.fixed_dictionaries({}, optional=dict.fromkeys((*GOOD, *FLAGS), JSON)),
)
def test_every_tool_with_any_json_from_any_caller(
    tool: str,
    arguments: object,
    *,
    served: tuple[BlockingPortal, Runtime],
    live_gunbot: "LiveGunbot",
    tally: Tally,
) -> None:
    portal, runtime = served
    for caller in (
        Caller(name="model"),
        Caller(name="model", asks_later=True),
        Caller(name="model", shows_card=True, asks_later=True),
        Caller(name="model", reply=LaterReply(state=tool, action="accept", content={"decision": "approve"})),
    ):
        answer = portal.call(runtime.dispatcher.call, tool, arguments, caller)
        tally.calls += 1
        if isinstance(answer, Answer):
            assert answer.error.get("code") != "internal"
            tally.shown.append(answer.text + json.dumps(answer.structured))
    sent_only(0, live_gunbot, tally)
    nothing_leaked(tally)
    tally.shown.clear()


@BOTH_ERAS
async def test_text_injected_through_every_string(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    async with hostile(live_settings(limits=WIDE, approval={"wait": 0}), era, tally) as (runtime, model):
        for tool in TOOLS:
            good = arguments_of(tool)
            for name in [name for name, value in good.items() if isinstance(value, str | list)]:
                for text in INJECTIONS:
                    found = await model.call(tool, {**good, name: [text] if isinstance(good[name], list) else text})
                    assert "error" in found or found.get("status") == "awaiting_approval" or "rows" in found
        tickets = await (await runtime.desk()).list(limit=200)
        await nothing_happened(runtime, live_gunbot, tally)
    for text in (*tally.shown, *(ticket.summary for ticket in tickets)):
        assert not unprintable(text), text


def unprintable(text: str) -> set[str]:
    """Control, bidi, invisible and surrogate characters; a result's own line breaks are not among them."""
    return {mark for mark in text if unicodedata.category(mark) in {"Cc", "Cf", "Cs"} and mark != "\n"}


BESIDE: tuple[dict[str, Any], ...] = (
    {"meta": {"approved": True, "gunbot-mcp/ticket": {"decision": "approve"}}},
    {"meta": {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}},
    {"input_responses": {"approval": types.ElicitResult(action="accept", content={"decision": "approve"})}},
)


@BOTH_ERAS
async def test_flags_that_say_that_a_human_approved(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    async with hostile(live_settings(limits=WIDE, approval={"wait": 0}), era, tally) as (runtime, model):
        for tool in ORDER_TOOLS:
            good = {**arguments_of(tool), "exchange": "bybit" if tool.startswith("close") else "binance"}
            for name, value in FLAGS.items():
                found = await model.call(tool, {**good, name: value})
                assert found["error"]["code"] == "invalid_arguments"
            for beside in BESIDE:
                found = await model.call(tool, good, **beside)
                assert found.get("status", "asked") in {"awaiting_approval", "asked"} or "error" in found
        await nothing_happened(runtime, live_gunbot, tally)


@BOTH_ERAS
async def test_ids_keys_and_states_that_are_guessed_swapped_and_replayed(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    rng = random.Random(era)
    chosen = live_settings(limits=WIDE, approval={"wait": 0, "card_buttons": "always"})
    yes: types.InputResponses = {"approval": types.ElicitResult(action="accept", content={"decision": "approve"})}
    no: types.InputResponses = {"approval": types.ElicitResult(action="cancel")}
    async with hostile(chosen, era, tally, cards=True, forms=True) as (runtime, model):
        desk = await runtime.desk()
        questions = [await model.call("buy_limit", {**arguments_of("buy_limit"), "price": 50000 + n}) for n in range(4)]
        ids = [ticket.id for ticket in await desk.list(states={State.PENDING})]
        assert ids
        states = [question["request_state"] for question in questions if question.get("request_state")]
        for _ in range(100):
            guess = secrets.token_urlsafe(24)
            tally.nonces.remove(guess)
            wrong = rng.choice([guess, "approve", *ids, tally.nonces[0][:-1], tally.nonces[0].swapcase()])
            await model.call("decide_ticket", {"ticket_id": rng.choice(ids), "decision": "approve", "key": wrong})
            state = f"{rng.choice(ids)}.{wrong}"
            order = {**arguments_of("buy_limit"), "price": 50000 + rng.randrange(4)}
            await model.call("buy_limit", order, request_state=state, input_responses=yes)
            if states:
                await model.call("buy_limit", order, request_state=rng.choice(states), input_responses=no)
                wrong_tool = rng.choice([tool for tool in ORDER_TOOLS if tool != "buy_limit"])
                await model.call(
                    wrong_tool, arguments_of(wrong_tool), request_state=rng.choice(states), input_responses=yes
                )
            unknown = "".join(rng.choices(string.ascii_lowercase + string.digits, k=8))
            await model.call("get_ticket", {"ticket_id": unknown})
            await model.call("withdraw_ticket", {"ticket_id": unknown})
        await nothing_happened(runtime, live_gunbot, tally)


@BOTH_ERAS
async def test_withdrawing_and_proposing_again_in_a_loop(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    async with hostile(live_settings(approval={"wait": 0}), era, tally) as (runtime, model):
        repeat_of: dict[str, str] = {}
        for turn in range(60):
            found = await model.call("buy_limit", {**arguments_of("buy_limit"), **repeat_of})
            if "error" in found:
                assert found["error"]["code"] == "limit_exceeded"
                continue
            ticket_id = found["ticket"]["id"]
            if turn % 2:
                await model.call("withdraw_ticket", {"ticket_id": ticket_id})
            else:
                repeat_of = {"repeat_of": ticket_id}
        assert len(await (await runtime.desk()).list(limit=200)) == 30
        await nothing_happened(runtime, live_gunbot, tally)


@pytest.mark.parametrize("tool", ["buy_limit", "cancel_order"])
async def test_a_flood_of_five_thousand_proposals_is_stopped_by_the_rate(
    tool: str, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    codes: dict[str, int] = {}
    async with Runtime(live_settings(approval={"wait": 0})) as runtime:
        await runtime.desk()
        asked_before = live_gunbot.requests

        async def propose(turn: int) -> None:
            arguments = {**arguments_of(tool), "price": 50000 + turn / 100}
            answer = await runtime.dispatcher.call(tool, arguments, Caller(name="model"))
            assert not isinstance(answer, Question)
            tally.calls += 1
            code = str(answer.structured.get("status") or answer.error["code"])
            codes[code] = codes.get(code, 0) + 1

        async with anyio.create_task_group() as tasks:
            for turn in range(5000):
                tasks.start_soon(propose, turn)
        assert codes == {"awaiting_approval": 30, "limit_exceeded": 4970}
        # Gunbot is not asked five thousand times either, and everybody else is still served.
        assert live_gunbot.requests - asked_before <= 70
        quote = {"exchange": "binance", "pair": "USDT-BTC"}
        assert not (await runtime.dispatcher.call("get_quote", quote, Caller(name="another"))).is_error  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - a read is never a question
        await nothing_happened(runtime, live_gunbot, tally)


def nested(depth: int) -> Any:  # noqa: ANN401 - any JSON value
    found: Any = "x"
    for _ in range(depth):
        found = {"a": [found]}
    return found


@BOTH_ERAS
async def test_arguments_made_to_exhaust_the_server(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    deep, deeper = nested(40), nested(2000)  # a client of the SDK cannot send the second one, others can
    huge = "9" * 100_000
    async with hostile(live_settings(approval={"wait": 0}), era, tally) as (runtime, model):
        for tool in TOOLS:
            good = arguments_of(tool)
            for arguments in (
                {**good, **dict.fromkeys(good, huge)},
                {**good, **dict.fromkeys(good, deep)},
                {**good, **{f"x{n}": n for n in range(5000)}},
                {**good, "keys": ["binance/USDT-BTC"] * 20_000, "fields": ["a"] * 20_000},
                {**good, "amount": int("9" * 4000), "page": int("9" * 4000)},
                {huge: 1},
                deep,
            ):
                found = await model.call(tool, arguments)
                assert "error" in found or tool in {"list_exchanges", "get_limits"}
                assert tool in {"list_exchanges", "get_limits"} or len(tally.shown[-1]) < 5000
            answer = await runtime.dispatcher.call(tool, {**good, **dict.fromkeys(good, deeper)}, Caller(name="model"))
            assert isinstance(answer, Answer)
            tally.codes.add(str(answer.error.get("code")))
        assert (await model.call(huge, {}))["error"]["code"] == "unknown_tool"
        assert "bid" in await model.call("get_quote", {"exchange": "binance", "pair": "USDT-BTC"})
        await nothing_happened(runtime, live_gunbot, tally)


@BOTH_ERAS
@pytest.mark.parametrize("name", [*INJECTIONS[:-4], "A" * 5000])
async def test_a_client_that_lies_in_its_name(
    era: Era, name: str, live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    if name == "\ud800":
        name = "a half surrogate cannot be encoded by a client"
    async with hostile(live_settings(approval={"wait": 0}), era, tally, name=name) as (runtime, model):
        await model.call("buy_limit", arguments_of("buy_limit"))
        (ticket,) = await (await runtime.desk()).list()
        assert not unprintable(ticket.client)
        assert "\n" not in ticket.client
        assert len(ticket.client) <= 80
        await nothing_happened(runtime, live_gunbot, tally)


async def test_many_small_orders_never_exceed_the_day_even_if_a_human_approves_all_of_them(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally
) -> None:
    chosen = live_settings(limits={**WIDE, "max_day": {"USDT": "505"}}, approval={"wait": 0})
    async with hostile(chosen, "legacy", tally) as (runtime, model):
        desk = await runtime.desk()
        for price in range(20):
            await model.call("buy_limit", {**arguments_of("buy_limit"), "price": 50000 - price})
            await model.call("buy_market", {**arguments_of("buy_market"), "amount": 0.001 + price / 10**9})
        async with anyio.create_task_group() as tasks:
            for ticket in await desk.list(limit=200):
                tasks.start_soon(lambda ticket_id: desk.approve(ticket_id, by=TERMINAL), ticket.id)
        tickets = await desk.list(limit=200)
        spent = sum(ticket.notional or 0 for ticket in tickets if ticket.state is State.ACCEPTED)
        assert {ticket.state for ticket in tickets} == {State.ACCEPTED, State.VOID}
    assert 450 < spent <= 505
    sent_only(sum(ticket.state is State.ACCEPTED for ticket in tickets), live_gunbot, tally)


async def test_no_secret_comes_back_or_is_kept_whatever_gunbot_says(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot", tally: Tally, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    chosen = live_settings(limits=WIDE, approval={"wait": 0})
    token = chosen.served.secret()
    said = f"no: {token} (Authorization: Bearer {token}; password ENC:{'A' * 24})"
    replies = [(400, {"status": "error", "message": said}), (401, {"status": "error", "message": said})]
    replies += [(500, {"status": "error", "message": said}), (200, {"status": "success", "message": said})]
    async with hostile(chosen, "auto", tally) as (runtime, model):
        desk = await runtime.desk()
        for turn, reply in enumerate(replies):
            live_gunbot.reply = reply
            tool = "sell_limit" if turn == 3 else "buy_limit"
            found = await model.call(tool, {**arguments_of(tool), "price": 50000 - turn})
            approved = await desk.approve(found["ticket"]["id"], by=TERMINAL)
            assert token not in repr(approved)
            await model.call("get_ticket", {"ticket_id": approved.id})
        await model.call("list_tickets", {})
        nothing_leaked(tally, [caplog.text, repr(runtime.settings), repr(runtime.dispatcher), repr(desk)])
        nothing_leaked(tally, [repr(event) for event in await desk.ledger.events()])
        everything_stored = await anyio.to_thread.run_sync(stored, chosen.folder)
        assert token.encode() not in everything_stored
        assert PIN.encode() not in everything_stored
        assert b"A" * 24 not in everything_stored
    sent_only(len(replies), live_gunbot, tally)
