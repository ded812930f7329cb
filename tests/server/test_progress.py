"""A read that takes long tells whoever asked to hear of it, and nobody else."""

import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from support.calls import BOTH_ERAS, BUY, Era, error
from support.live import TOKEN
from support.recorder import SHORTLY, Redirected, Reply
from support.served import over_http

from gunbot_mcp.config import load
from gunbot_mcp.gunbot.telling import say, telling
from gunbot_mcp.runtime import Runtime, Seams
from gunbot_mcp.server.app import build_server

if TYPE_CHECKING:
    from support.recorder import Recorder

pytestmark = pytest.mark.anyio

KEYS = [f"binance/USDT-C{number}" for number in range(40)]
MULTI: dict[str, Any] = {"keys": KEYS, "page": 0, "page_size": 50}
EMPTY: dict[str, Any] = {"total": 0, "totalCount": 0, "page": 0, "data": []}


@pytest.fixture
def answer() -> Iterator[threading.Event]:
    """What Gunbot waits for before it answers; a test that fails does not leave it waiting."""
    event = threading.Event()
    yield event
    event.set()


class Told:
    """What a client was told, and lets the Gunbot answer once that is so many sentences."""

    def __init__(self, enough: int, answer: threading.Event) -> None:
        self.numbers: list[float] = []
        self.sentences: list[str] = []
        self._enough, self._answer = enough, answer

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        self.numbers.append(progress)
        self.sentences.append(message or "")
        if len(self.numbers) >= self._enough:
            self._answer.set()


def _slow(recorder: "Recorder", answer: threading.Event) -> None:
    recorder.on("/orders/page/multi", Reply(recorder.json(EMPTY).raw, after=answer))


@BOTH_ERAS
async def test_a_read_of_many_keys_that_takes_long_says_that_it_goes_on(
    recorder: "Recorder", answer: threading.Event, era: Era
) -> None:
    _slow(recorder, answer)
    told = Told(3, answer)
    seams = Seams(transport=Redirected(recorder.url), backoff=SHORTLY, beat=0.01)
    async with Runtime(load(), seams=seams) as runtime, Client(build_server(runtime), mode=era) as client:
        result = await client.call_tool("list_orders_page_multi", MULTI, progress_callback=told)

    assert not result.is_error
    assert len(told.numbers) >= 3
    assert told.numbers == sorted(set(told.numbers))
    assert all(sentence.startswith("Still waiting for the answer, ") for sentence in told.sentences)


@BOTH_ERAS
async def test_a_read_that_is_tried_again_says_so(recorder: "Recorder", era: Era, answer: threading.Event) -> None:
    recorder.on("/orders/page/multi", recorder.json({}, 503), recorder.json({}, 503), recorder.json(EMPTY))
    told = Told(99, answer)
    seams = Seams(transport=Redirected(recorder.url), backoff=SHORTLY)
    async with Runtime(load(), seams=seams) as runtime, Client(build_server(runtime), mode=era) as client:
        result = await client.call_tool("list_orders_page_multi", MULTI, progress_callback=told)

    assert not result.is_error
    assert told.numbers == [1, 2]
    assert ["attempt 2 of 3" in told.sentences[0], "attempt 3 of 3" in told.sentences[1]] == [True, True]


@BOTH_ERAS
async def test_what_fails_after_all_is_the_same_error_as_without_progress(
    recorder: "Recorder", era: Era, answer: threading.Event
) -> None:
    recorder.on("/orders/page/multi", recorder.json({}, 503))
    seams = Seams(transport=Redirected(recorder.url), backoff=SHORTLY)
    async with Runtime(load(), seams=seams) as runtime, Client(build_server(runtime), mode=era) as client:
        plain = await client.call_tool("list_orders_page_multi", MULTI)
        heard = await client.call_tool("list_orders_page_multi", MULTI, progress_callback=Told(99, answer))

    assert error(plain) == error(heard)


@BOTH_ERAS
async def test_an_order_tells_nothing_of_its_reads(recorder: "Recorder", era: Era, answer: threading.Event) -> None:
    recorder.on("/market/orderbook", recorder.json({}, 503))
    told = Told(99, answer)
    seams = Seams(transport=Redirected(recorder.url), backoff=SHORTLY, beat=0.001)
    async with Runtime(load(), seams=seams) as runtime, Client(build_server(runtime), mode=era) as client:
        await client.call_tool("buy_limit", BUY, progress_callback=told)

    assert told.sentences == []


@pytest.mark.slow
@BOTH_ERAS
async def test_progress_reaches_clients_over_stdio_and_http(
    recorder: "Recorder", answer: threading.Event, child_environment: dict[str, str], era: Era
) -> None:
    live = {**child_environment, "GUNBOT_URL": recorder.url, "GUNBOT_TOKEN": TOKEN}

    async def read(server: Any) -> None:  # noqa: ANN401 - any server of a client
        answer.clear()
        _slow(recorder, answer)
        told = Told(1, answer)
        async with Client(server, mode=era) as client:
            result = await client.call_tool("list_orders_page_multi", MULTI, progress_callback=told)
        assert not result.is_error
        assert told.sentences

    await read(StdioServerParameters(command=sys.executable, args=["-m", "gunbot_mcp", "serve"], env=live))
    with over_http(live) as (url, _):
        await read(url)


async def test_a_caller_that_takes_nothing_in_holds_up_its_read_by_a_moment_only() -> None:
    async def deaf(sentence: str) -> None:
        del sentence
        await anyio.sleep_forever()

    async def work() -> str:
        await say("one")
        return "done"

    with anyio.fail_after(10):
        assert await telling(deaf, work) == "done"


async def test_what_nobody_wants_to_hear_is_said_to_nobody() -> None:
    heard: list[str] = []

    async def hear(sentence: str) -> None:
        heard.append(sentence)

    async def work() -> None:
        await say("inside")

    await say("before")
    await telling(hear, work)
    await say("after")

    assert heard == ["inside"]
