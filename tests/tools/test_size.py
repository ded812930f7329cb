"""Everything that the server answers fits what clients pass on, and what was cut is said, with the way to the rest."""

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gunbot_mcp.config import load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.domain import Effect
from gunbot_mcp.runtime import Runtime, Seams
from gunbot_mcp.tools.inventory import inventory
from gunbot_mcp.tools.orders import page_after

if TYPE_CHECKING:
    from gunbot_mcp.render import Answer

pytestmark = pytest.mark.anyio
MANY = 20_000
KEY = "binance/USDT-BTC"
PAIR = {"exchange": "binance", "pair": "USDT-BTC"}


def _record(number: int) -> dict[str, Any]:
    """One of many fills, newest first, as long as real ones are."""
    facts = dict.fromkeys(
        ("cost", "fees", "baseValue", "costProceed", "averagePrice", "balance", "ABP"), 87740.10512345
    )
    time = 1731617894238 - number * 60_000
    return {
        "time": time,
        "pair": "USDT-BTC",
        "type": "buy",
        "rate": 87740.105,
        "amount": 0.00057,
        "id": number,
        **facts,
    }


RECORDS = [_record(number) for number in range(MANY)]


class Gateway:
    """A Gunbot that has many of everything: its answers are written once, since they are large."""

    def __init__(self, many: int = MANY) -> None:
        self._many = many
        orders = [{"id": n, "type": "buy", "rate": 49000.5, "amount": 0.1, "cost": 4900.05} for n in range(many)]
        memory = {"memory": {KEY: {"openOrders": orders}}}
        quantities = {"Exchange": "binance", "Available Qty": "442.80001", "On Order": "0.0"}
        numbers = list(range(many))
        fixed: dict[str, Any] = {
            "/orders": {"data": RECORDS[:many]},
            "/orders/day": {"days": numbers, "orders": numbers, "closeOrders": numbers},
            "/balances": [{**quantities, "Asset": f"ASSET{n}"} for n in numbers],
            "/coremem": memory,
            "/coremem/single": memory,
            "/market/orderbook": {"data": {"ask": [[50000 + n, 1] for n in numbers], "bid": [[40000, 1]]}},
            "/pairs": {"status": "success", "pairList": [f"USDT-A{n}" for n in numbers]},
            "/time": {"serverTime": 1731617894238},
        }
        self._fixed = {path: json.dumps(body).encode() for path, body in fixed.items()}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        parts = urlsplit(str(request.url))
        path, query = parts.path.removeprefix("/api/v1"), parse_qs(parts.query)
        if path.startswith("/orders/page"):
            page, size = int(query["page"][0]), int(query["pageSize"][0])
            records = RECORDS[: self._many][page * size : (page + 1) * size]
            return httpx2.Response(200, json={"total": self._many, "page": page, "data": records})
        sent = json.dumps({"status": "success", "message": "Order sent " + "x" * 100_000}).encode()
        return httpx2.Response(200, content=self._fixed.get(path, sent), headers={"Content-Type": "application/json"})


CALLS: dict[str, dict[str, Any]] = {
    "list_orders": {"key": KEY},
    "list_orders_today": {"timezone": "UTC", "keys": [KEY]},
    "list_orders_page": {"key": KEY, "page": 0, "page_size": 1000},
    "list_orders_page_multi": {"keys": [KEY, "binance/USDT-ETH"], "page": 0, "page_size": 1000},
    "list_open_orders": PAIR,
    "get_balances": {},
    "get_quote": PAIR,
    "list_exchanges": {},
    "list_tickets": {"count": 200},
    "list_pairs": {"exchange": "binance"},
    "get_limits": {},
    "query_orders": {"sql": "SELECT * FROM orders ORDER BY time DESC", "keys": [KEY]},
    "chart_orders": {"chart": "pnl", "keys": [KEY], "since": "all"},
}
LISTS = ("list_orders", "list_orders_today", "list_orders_page", "list_orders_page_multi", "list_open_orders")


def _runtime(many: int = MANY) -> Runtime:
    return Runtime(load(), seams=Seams(transport=httpx2.MockTransport(Gateway(many))))


async def _ask(runtime: Runtime, tool: str, arguments: dict[str, Any]) -> "Answer":
    answer: Any = await runtime.dispatcher.call(tool, arguments, Caller(name="tests", shows_card=True))
    assert not answer.is_error, answer.text
    return answer


def _sizes(answer: "Answer") -> tuple[int, int]:
    return len(answer.text.encode()), len(json.dumps(answer.structured, ensure_ascii=False).encode())


def _rows(answer: "Answer") -> list[Any]:
    found = answer.structured
    return found["rows"] if "rows" in found else list(zip(found["days"], found["orders"], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("tool", CALLS)
async def test_an_answer_about_twenty_thousand_records_fits_and_says_what_it_lacks(tool: str) -> None:
    async with _runtime() as runtime:
        answer = await _ask(runtime, tool, CALLS[tool])

    assert max(_sizes(answer)) <= 24_000
    if tool in LISTS or tool == "get_balances":
        assert min(_sizes(answer)) > 8_000, "it need not be that small"
        cut = answer.structured["cut"]
        assert cut["rows"] == len(_rows(answer))
        first = answer.text.partition("\n")[0]
        assert f"go on with {cut['next']['tool']} {{" in first
        assert json.loads(first.partition(cut["next"]["tool"] + " ")[2]) == cut["next"]["arguments"]
        assert str(1000 if "page" in tool else MANY) in first
        # Days, counts and closes come as three lists, one below the other.
        lists = 3 if tool == "list_orders_today" else 1
        # What prices mean is said in a line of its own.
        explained = 1 if "meanings" in answer.structured else 0
        lines = 1 + lists * (1 + len(_rows(answer))) + explained
        assert len(answer.text.splitlines()) == lines, "both forms have the same rows"


def test_every_tool_that_reads_is_tried_here() -> None:
    reads = {tool.name for tool in inventory() if tool.effect is Effect.READ}

    # What became of one ticket is bounded by what this server writes about it.
    # What the history says, and what is held, is bounded in tests of their own.
    assert reads - {"get_ticket", "analyze_orders", "get_positions"} == set(CALLS)


@pytest.mark.slow
@pytest.mark.parametrize("tool", LISTS)
async def test_whoever_asks_for_more_gets_more_up_to_a_hard_end(tool: str) -> None:
    async with _runtime() as runtime:
        few = await _ask(runtime, tool, {**CALLS[tool], "max_rows": 10})
        more = await _ask(runtime, tool, {**CALLS[tool], "max_rows": 300})
        most = await _ask(runtime, tool, {**CALLS[tool], "max_rows": MANY})

    assert [len(_rows(answer)) for answer in (few, more)] == [10, 300]
    assert max(_sizes(most)) <= 200_000
    assert "next" in most.structured.get("cut", {}) or len(_rows(most)) == 1000


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"max_rows": 500}, {"fields": ["id", "time"]}], ids=str)
@pytest.mark.parametrize("tool", [*LISTS, "get_balances"])
async def test_the_calls_obeyed_one_after_the_other_give_every_record_once(tool: str, more: dict[str, Any]) -> None:
    known = {tool.name: tool.args.model_fields for tool in inventory()}
    call: dict[str, Any] = {
        "tool": tool,
        "arguments": {**CALLS[tool], **{n: v for n, v in more.items() if n in known[tool]}},
    }
    seen: list[Any] = []
    # What Gunbot only has whole is asked for whole each time.
    many = 4_000 if "page" in CALLS[tool] else 2_000
    async with _runtime(many) as runtime:
        while call:
            answer = await _ask(runtime, call["tool"], call["arguments"])
            seen += [str(row) for row in _rows(answer)]
            call = answer.structured.get("cut", {}).get("next") or _next_page(call, len(_rows(answer)))

    assert len(seen) == many
    assert len(set(seen)) == many


def _next_page(call: dict[str, Any], rows: int) -> dict[str, Any]:
    """Go on as everybody pages: the next number, until there is nothing."""
    arguments = call["arguments"]
    if "page" not in arguments or not rows:
        return {}
    return {**call, "arguments": {**arguments, "page": arguments["page"] + 1}}


async def test_tickets_that_do_not_fit_are_read_with_one_more_call() -> None:
    wide = {"orders_per_minute": 1000, "orders_per_day": 1000, "max_day": {"USDT": "100000"}}
    async with Runtime(load(instances={"paper": {"limits": wide}})) as runtime:
        for number in range(150):
            order = {**PAIR, "amount": 0.0001, "price": 49000 + number}
            await _ask(runtime, "buy_limit", order)
        first = await _ask(runtime, "list_tickets", {"count": 200})
        call = first.structured["cut"]["next"]
        second = await _ask(runtime, call["tool"], call["arguments"])

    assert max(_sizes(first)) <= 24_000
    ids = [row[0] for answer in (first, second) for row in _rows(answer)]
    assert len(ids) == len(set(ids)) == 150


async def test_a_list_that_is_not_newest_first_is_read_again_from_its_first_page() -> None:
    def turned(request: httpx2.Request) -> httpx2.Response:
        del request
        return httpx2.Response(200, json={"data": RECORDS[::-1]})

    async with Runtime(load(), seams=Seams(transport=httpx2.MockTransport(turned))) as runtime:
        answer = await _ask(runtime, "list_orders", {"key": KEY})

    following = answer.structured["cut"]["next"]
    assert (following["tool"], following["arguments"]["page"]) == ("list_orders_page", 0)


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"id": 1, "note": "x" * 50_000}, {"id": 2}]},
        {"data": [{"id": 1, "note": ["x"] * 20_000}, {"id": 2}]},
        {"data": [{f"field_{n}": n} for n in range(MANY)]},
        {"data": [{"id": 1}], "extra": list(range(MANY))},
        {"data": [{"id": 1}], **{f"member_{n}": n for n in range(MANY)}},
    ],
    ids=["a long text", "a long list", "other fields each", "a long member", "many members"],
)
async def test_records_of_any_shape_fit(body: dict[str, Any]) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=body))
    async with Runtime(load(), seams=Seams(transport=transport)) as runtime:
        answer = await _ask(runtime, "list_orders", {"key": KEY})

    assert max(_sizes(answer)) <= 24_000
    assert len(_rows(answer)) >= 1


async def test_a_record_that_no_answer_can_hold_is_an_error_and_not_a_flood() -> None:
    body = {"data": [{f"field_{n}": n for n in range(MANY)}]}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=body))
    async with Runtime(load(), seams=Seams(transport=transport)) as runtime:
        answer: Any = await runtime.dispatcher.call("list_orders", {"key": KEY}, Caller(name="tests"))

    assert answer.error["code"] == "gateway_invalid_response"
    assert "larger than 24,000 bytes" in answer.text


async def test_a_long_word_of_gunbots_about_an_order_fits() -> None:
    order = {**PAIR, "amount": 0.001, "price": 50000}
    async with _runtime() as runtime:
        answer: Any = await runtime.dispatcher.call("buy_limit", order, Caller(name="tests", shows_card=True))

    assert max(_sizes(answer)) <= 24_000


@pytest.mark.parametrize("tool", CALLS)
async def test_a_cut_answer_fits_its_output_schema(tool: str) -> None:
    schema = next(dict(found.output) for found in inventory() if found.name == tool)
    validator: Any = Draft202012Validator(schema)
    async with _runtime(3_000) as runtime:
        validator.validate((await _ask(runtime, tool, CALLS[tool])).structured)


@given(fits=st.integers(1, 3000), start=st.integers(0, 10**9))
def test_the_next_page_begins_right_after_the_rows_that_are_shown(fits: int, start: int) -> None:
    shown, page, size = page_after(start, fits)

    assert 1 <= shown <= fits
    assert 1 <= size <= min(fits, 1000)
    assert page * size == start + shown


def test_a_page_of_a_thousand_that_fits_120_goes_on_with_pages_of_120() -> None:
    assert page_after(0, 120) == (120, 1, 120)
