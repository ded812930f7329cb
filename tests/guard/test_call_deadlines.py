"""Every call answers within the deadline, whatever Gunbot does; an order that has begun has its whole time."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from support.calls import some_ticket
from support.recorder import TOKEN, recorded

from gunbot_mcp.config import Settings, load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.guard.timing import Timing
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.port import Link
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

if TYPE_CHECKING:
    from support.recorder import Recorder

    from gunbot_mcp.approval.forms import Form
    from gunbot_mcp.render import Answer

pytestmark = pytest.mark.anyio

ORDER = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}
KEY = {"key": "binance/USDT-BTC"}
MUCH = 15
"""Seconds that nothing here may take, and that a silent Gunbot would."""


def _settings(mode: str = "auto", **instance: object) -> Settings:
    fields = {"mode": mode, "token": TOKEN, **instance}
    return load(instances={"paper": fields}, approval={"page": False, "wait": 60})


async def _ask(runtime: Runtime, tool: str, arguments: Mapping[str, Any], caller: Caller | None = None) -> "Answer":
    answer: Any = await runtime.dispatcher.call(tool, arguments, caller or Caller(name="tests"))
    return answer


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_quote", {"exchange": "binance", "pair": "USDT-BTC"}),
        ("get_balances", {}),
        ("list_open_orders", {}),
        ("list_orders", KEY),
        ("buy_limit", ORDER),
    ],
)
async def test_a_silent_gunbot_costs_no_call_more_than_the_deadline(
    recorder: "Recorder", tool: str, arguments: dict[str, Any]
) -> None:
    recorder.on("*", recorder.raw(b"", "hang"))

    async with Runtime(_settings(read_timeout=60, deadline=0.6), seams=recorded(recorder)) as runtime:
        await runtime.desk()
        began = time.monotonic()
        answer = await _ask(runtime, tool, arguments)

    assert time.monotonic() - began < MUCH
    assert answer.text.startswith("gateway_timeout")
    assert recorder.trades == []


async def test_an_order_whose_own_time_no_longer_fits_is_void_and_nothing_is_sent(recorder: "Recorder") -> None:
    async with Runtime(_settings(read_timeout=60, deadline=20), seams=recorded(recorder)) as runtime:
        answer = await _ask(runtime, "buy_limit", ORDER)

    assert answer.structured["status"] == "void"
    assert answer.structured["ticket"]["state"] == "void"
    assert "nothing was sent" in answer.text.lower()
    assert "65 s" in answer.text
    assert recorder.trades == []


@pytest.mark.slow
async def test_a_gunbot_that_keeps_back_its_memory_does_not_use_up_the_orders_time(recorder: "Recorder") -> None:
    recorder.on("/coremem/single", recorder.raw(b"", "hang"))
    settings = _settings(connect_timeout=1, read_timeout=3, deadline=6)

    async with Runtime(settings, seams=replace(recorded(recorder), timing=Timing(looks=0))) as runtime:
        answer = await _ask(runtime, "buy_limit", ORDER)

    assert answer.structured["status"] == "accepted"
    assert [path for path, _ in recorder.trades] == ["/trade/buy"]


class Hindered(Database):
    """Keeps back every transaction that begins after an order has arrived, until it is let go on."""

    def __init__(self, url: str, recorder: "Recorder", go_on: anyio.Event) -> None:
        super().__init__(url, 5)
        self._recorder = recorder
        self._go_on = go_on

    async def begin(self, connection: Link) -> Any:  # noqa: ANN401 - passed on
        if self._recorder.trades:
            await self._go_on.wait()
        return await super().begin(connection)


async def test_an_order_that_outlasts_its_call_goes_on_in_the_background_and_is_recorded(recorder: "Recorder") -> None:
    go_on, settings = anyio.Event(), _settings(connect_timeout=0.1, read_timeout=1, deadline=3)

    def hindered(url: str) -> Database:
        return Hindered(url, recorder, go_on)

    seams = replace(recorded(recorder), database=hindered)
    async with Runtime(settings, seams=seams) as runtime:
        answer = await _ask(runtime, "buy_limit", ORDER)
        go_on.set()

    assert answer.structured["status"] == "unknown"
    assert answer.structured["ticket"]["state"] == "sending"
    assert "Never send it again" in answer.text
    async with Runtime(settings, seams=recorded(recorder)) as later:
        known = await _ask(later, "get_ticket", {"ticket_id": answer.structured["ticket"]["id"]})
    assert known.structured["status"] == "accepted"
    assert len(recorder.trades) == 1


async def _never(form: "Form") -> tuple[str, Mapping[str, Any] | None]:
    """A form that nobody answers."""
    del form
    await anyio.sleep_forever()
    raise AssertionError


async def test_a_call_that_waits_for_a_human_answers_within_the_deadline(recorder: "Recorder") -> None:
    settings = _settings("approve", connect_timeout=0.1, read_timeout=0.2, deadline=0.6)
    async with Runtime(settings, seams=recorded(recorder)) as runtime:
        await runtime.desk()
        began = time.monotonic()
        answer = await _ask(runtime, "buy_limit", ORDER, Caller(name="tests", ask=_never))

    assert time.monotonic() - began < MUCH
    assert answer.structured["status"] == "awaiting_approval"


@pytest.mark.slow
async def test_a_call_does_not_wait_beyond_its_deadline_for_an_order_that_another_process_is_sending(
    recorder: "Recorder",
) -> None:
    answered = threading.Event()
    recorder.on("/trade/buy", replace(recorder.json({"status": "success", "message": "Order sent"}), after=answered))
    answers: list[Answer] = []
    async with (
        Runtime(_settings("approve", deadline=4), seams=recorded(recorder)) as here,
        Runtime(_settings("approve", read_timeout=60), seams=recorded(recorder)) as there,
        anyio.create_task_group() as tasks,
    ):

        async def propose() -> None:
            answers.append(await _ask(here, "buy_limit", ORDER, Caller(name="tests", ask=_never)))
            answered.set()

        await here.desk()
        tasks.start_soon(propose)
        waiting = await some_ticket(there)
        done = await (await there.desk()).approve(waiting.id, by=TERMINAL)
        assert done.state is State.ACCEPTED

    assert answers[0].structured["status"] == "unknown"
    assert answers[0].structured["ticket"]["state"] == "sending"
    assert len(recorder.trades) == 1


def test_the_default_deadline_leaves_an_order_its_own_time_whatever_the_time_outs() -> None:
    usual, patient = load().served, _settings(read_timeout=60).served

    assert (usual.deadline, usual.answer_seconds, usual.post_seconds) == (40, 40, 25)
    assert patient.answer_seconds > patient.post_seconds
    assert _settings(read_timeout=60, deadline=7).served.answer_seconds == 7


@pytest.mark.parametrize(
    ("instance", "said"),
    [({"deadline": 20}, "no order can be sent"), ({"read_timeout": 60}, "give up"), ({"deadline": 90}, "give up")],
)
def test_a_deadline_that_cannot_be_kept_or_that_no_client_waits_for_is_said_at_the_start(
    instance: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    _settings(**instance)

    assert said in json.dumps(caplog.messages)
