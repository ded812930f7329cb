"""Arguments are strict: whatever is not exactly right is refused by name, with the fix, before anything is sent."""

import json
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mcp import Client
from support.calls import error

from gunbot_mcp.arguments import Args, parse_arguments
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.domain import Effect
from gunbot_mcp.endpoints import BY_NAME, ENDPOINTS, CancelArgs, LimitArgs, OrdersArgs, OrdersTodayArgs
from gunbot_mcp.errors import GunbotMcpError, InvalidArguments
from gunbot_mcp.gunbot.wire import json_text
from gunbot_mcp.render import error_answer
from gunbot_mcp.schema import input_schema
from gunbot_mcp.server.app import build_server
from gunbot_mcp.tools.inventory import inventory
from gunbot_mcp.tools.tool import Audience

if TYPE_CHECKING:
    from support.recorder import Recorder

    from gunbot_mcp.runtime import Runtime

CALLS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "fixtures" / "sample_calls.json").read_text(encoding="utf-8")
)
_FILLED: dict[str, dict[str, Any]] = {call["tool"]: call["arguments"] for call in CALLS} | {
    "get_quote": {"exchange": "binance", "pair": "USDT-BTC"},
    "get_balances": {"exchange": "binance"},
    "list_open_orders": {"exchange": "binance", "pair": "USDT-BTC"},
    "list_exchanges": {},
    "list_pairs": {"exchange": "binance", "contains": "BTC"},
    "get_limits": {},
    "get_ticket": {"ticket_id": "abc123"},
    "list_tickets": {"open_only": True, "count": 5},
    "withdraw_ticket": {"ticket_id": "abc123"},
    "analyze_orders": {
        "keys": ["binance/USDT-BTC"],
        "since": "7d",
        "until": "today",
        "timezone": "Europe/Berlin",
        "group_by": ["month", "pair"],
        "metrics": ["pnl", "win_rate"],
        "side": "sell",
        "min_price": 1,
        "max_price": 1e18,
        "min_amount": 1e-18,
        "max_amount": 1e18,
        "closes_only": True,
        "placed_by": "ticket",
        "lots": "fifo",
        "before_fees": False,
        "capital": 1000,
        "sort": "-pnl",
        "limit": 5,
        "value_in": "USDT",
    },
    "query_orders": {
        "sql": "SELECT * FROM orders ORDER BY time DESC",
        "keys": ["binance/USDT-BTC"],
        "timezone": "Europe/Berlin",
        "max_rows": 500,
    },
    "chart_orders": {
        "chart": "pnl",
        "keys": ["binance/USDT-BTC"],
        "since": "7d",
        "until": "today",
        "timezone": "Europe/Berlin",
        "asset": "USDT",
    },
}
TOOLS = {tool.name: tool for tool in inventory() if tool.audience is Audience.MODEL}
"""The card's own tool has its tests beside the card's."""
GOOD = {name: arguments for name, arguments in _FILLED.items() if name in TOOLS}
MODELS: dict[str, type[Args]] = {name: tool.args for name, tool in TOOLS.items() if name in GOOD}

HOSTILE_TEXTS: tuple[Any, ...] = (
    *(
        "",
        " ",
        "x" * 10_000,
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "a b",
        " USDT-BTC",
        "USDT-BTC\n",
        "\x00",
        "\x1b[31m",
    ),
    *(
        "USDT-BTC\u202e",
        "USDT\u2013BTC",
        "\u0661\u0662",
        "USDT-BTC?x=1",
        "USDT-BTC%2F",
        "a/../b",
        "USDT-BTC;x",
        "'",
        '"',
    ),
    *(None, 5, 1.5, True, [], {}, ["USDT-BTC"]),
)
NUMBERS: tuple[Any, ...] = (
    *("1", "", "NaN", True, False, None, [], {}, [1], math.nan, math.inf, -math.inf, 0, 0.0, -0.0, -1, -1e-9),
    *(10**400, -(10**400), 1e19, 10**18 + 1, 1e-19, 5e-324, 1.7e308),
)
WHOLE: tuple[Any, ...] = (-1, 0.5, "-1", "1.0", "one", "", True, None, [], {}, math.nan, math.inf, 1e400, 10**400)
BAD: dict[str, tuple[Any, ...]] = {
    "exchange": (*HOSTILE_TEXTS, "binance#0", "binance#100", "binance#", "1binance", "binance/USDT-BTC"),
    "pair": (*HOSTILE_TEXTS, "-USDT", "USDT-", "USDT--BTC"),
    "key": (*HOSTILE_TEXTS, "binance", "binance/", "/USDT-BTC", "binance/USDT-BTC/x", "USDT-BTC"),
    # A whole number is an id, too, as long as no digit of it is lost on the way.
    "order_id": (
        *(value for value in HOSTILE_TEXTS if value != 5),
        -5,
        2**53,
        -(2**53),
        2.0**53,
        10**400,
        "x" * 257,
        "a\\b",
        "a`b",
        "<b>",
    ),
    "order_type": (*HOSTILE_TEXTS, "Limit", "stop", "limit "),
    "timezone": (*HOSTILE_TEXTS, "Mars/Olympus", "localtime", "posixrules", "right/UTC", "Europe", "Europe/../UTC"),
    "keys": (
        *([], {}, None, "binance/USDT-BTC", 5, True, ["binance/USDT-BTC"] * 101, ["binance/USDT-BTC"] * 5_000),
        *([text] for text in HOSTILE_TEXTS),
    ),
    "amount": NUMBERS,
    "price": NUMBERS,
    "stop_price": NUMBERS,
    "limit_price": NUMBERS,
    "page": WHOLE,
    "page_size": (*WHOLE, 0, 1001, 1_000_000),
    "fields": ([], "rate", {}, 5, True, ["a b"], [""], [5], [None], ["rate"] * 41, ["\u202e"]),
    "ticket_id": ("", "x" * 33, "UPPER", "a b", "../x", "a\n", None, 5, True, [], {}),
    "max_rows": (*WHOLE, 0, 20_001),
    "skip": (*WHOLE, 1_000_001),
    "open_only": ("true", 1, 0, None, [], {}),
    "count": (*WHOLE, 0, 201),
    "contains": ("", " ", "a b", "../x", "\u202e", "x" * 65, 5, True, [], {}),
    "since": ("last moon", "2026-13-01", "2026-02-30", "7x", "0d", "25:00", "x" * 41, "7d\n7d", 5, True, [], {}),
    "until": ("last moon", "2026-13-01", "2026-02-30T00:00", "-7d", "x" * 41, "\u0667d", 5, True, [], {}),
    "group_by": ("month", ["minute"], ["day", "pair", "side"], [5], [None], 5, True, {}),
    "metrics": ("pnl", ["winrate"], ["Pnl"], [""], [5], [None], ["\u202e"], ["x" * 65], ["pnl"] * 100, 5, True, {}),
    "side": (*HOSTILE_TEXTS, "Buy", "long"),
    "min_price": NUMBERS,
    "max_price": NUMBERS,
    "min_amount": NUMBERS,
    "max_amount": NUMBERS,
    "closes_only": ("true", 1, 0, None, [], {}),
    "placed_by": ("x" * 65, "a\nb", "\u202e", 5, True, [], {}),
    "lots": (*HOSTILE_TEXTS, "FIFO", "best"),
    "before_fees": ("true", 1, 0, None, [], {}),
    "capital": NUMBERS,
    "sort": ("winrate", "--pnl", "+pnl", "pnl desc", "x" * 65, "\u202e", 5, True, [], {}),
    "limit": (*WHOLE, 0, 1001),
    "value_in": ("US DT", "USDT-BTC", "../x", "\u202e", "x" * 21, 5, True, [], {}),
    "repeat_of": ("", "x" * 33, "UPPER", "a b", "../x", 5, True, [], {}),
    "sql": ("", "x" * 8_001, "x" * 1_000_000, None, 5, True, [], {}),
    "chart": (*HOSTILE_TEXTS, "pie", "PNL", "pnl "),
    "asset": ("US DT", "USDT-BTC", "../x", "\u202e", "x" * 21, 5, True, [], {}),
}
NOTHING: tuple[Any, ...] = (None, "", [])
"""What clients send for an argument that they leave out."""


def _obeyed(given: dict[str, Any], hint: str) -> dict[str, Any]:
    """Change arguments as a hint says, the way a reader would who knows nothing but the hint."""
    found = dict(given)
    if "leave out everything but " in hint:
        named = re.findall(r"'(\w+)'", hint.partition("leave out everything but ")[2].partition(";")[0])
        found = {name: value for name, value in found.items() if name in named}
    for name in re.findall(r"leave out '([^']*)'", hint):
        del found[name]
    for right, wrong in re.findall(r"did you mean '(\w+)' instead of '([^']*)'", hint):
        found[right] = found.pop(wrong)
    _, example, values = hint.rpartition("for example ")
    return found | json.loads(values) if example else found


def _hint(caught: GunbotMcpError) -> str:
    """Return a hint as callers see it."""
    return str(error_answer(caught).error["hint"])


async def _call(runtime: "Runtime", tool: str, arguments: object) -> Any:  # noqa: ANN401 - an answer of any shape
    return await runtime.dispatcher.call(tool, arguments, Caller(name="tests"))


@pytest.mark.anyio
@pytest.mark.parametrize("tool", GOOD)
async def test_every_bad_value_is_refused_by_name_and_nothing_is_sent(
    runtime: "Runtime", recorder: "Recorder", tool: str
) -> None:
    for field in MODELS[tool].model_fields:
        for value in BAD[field]:
            if value in NOTHING and not MODELS[tool].model_fields[field].is_required():
                continue
            if tool.endswith("_market") and field == "price" and value in (0, 0.0) and value is not False:
                continue  # Gunbot's own way to say "the market's"
            arguments = {**GOOD[tool], field: value}

            answer = await _call(runtime, tool, arguments)

            shown = repr(value)[:60]
            assert answer.is_error, f"{tool} took {field}={shown}"
            facts = answer.error
            assert facts["code"] == "invalid_arguments", (field, shown, facts)
            assert field in facts["message"], (shown, facts)
            assert facts["hint"], (field, shown)
            assert facts["retryable"] is False
            assert len(answer.text) < 1300
            assert parse_arguments(MODELS[tool], _obeyed(arguments, facts["hint"])), (field, shown, facts)
    assert recorder.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize("tool", GOOD)
async def test_a_required_argument_that_is_missing_is_named(
    runtime: "Runtime", recorder: "Recorder", tool: str
) -> None:
    model = MODELS[tool]
    for name, field in model.model_fields.items():
        if field.is_required():
            rest = {key: value for key, value in GOOD[tool].items() if key != name}

            answer = await _call(runtime, tool, rest)

            assert answer.error["code"] == "invalid_arguments"
            assert f"{name} is required" in answer.error["message"]
            assert name in answer.error["hint"]
    assert recorder.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize("tool", GOOD)
async def test_arguments_that_are_no_object_are_refused(runtime: "Runtime", recorder: "Recorder", tool: str) -> None:
    for arguments in (None, [], "x", 5, True, [{"exchange": "binance"}]):
        answer = await _call(runtime, tool, arguments)

        assert answer.error["code"] == "invalid_arguments"
    assert recorder.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tool", "given_name", "nearest"),
    [
        ("buy_limit", "pricee", "price"),
        ("buy_limit", "ammount", "amount"),
        ("buy_limit", "Pair", "pair"),
        ("buy_limit", "exchnage", "exchange"),
        ("cancel_order", "orderId", "order_id"),
        ("buy_oco", "stopPrice", "stop_price"),
        ("sell_stop_limit", "limitPrice", "limit_price"),
        ("list_orders_page", "pageSize", "page_size"),
        ("list_orders_today", "timzone", "timezone"),
        ("get_quote", "pairs", "pair"),
    ],
)
async def test_an_unknown_argument_is_refused_with_the_nearest_name(
    runtime: "Runtime", recorder: "Recorder", tool: str, given_name: str, nearest: str
) -> None:
    answer = await _call(runtime, tool, {**GOOD[tool], given_name: 1})

    facts = answer.error
    assert facts["code"] == "invalid_arguments"
    assert given_name in facts["message"]
    assert f"did you mean '{nearest}'" in facts["hint"]
    assert recorder.requests == []


@pytest.mark.parametrize("tool", GOOD)
def test_an_argument_like_no_other_is_refused_with_the_whole_list(tool: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        parse_arguments(MODELS[tool], {**GOOD[tool], "\u202ezzz\x00": 1})

    assert "zzz" in caught.value.message
    assert caught.value.message.isprintable()
    assert all(name in caught.value.hint for name in MODELS[tool].model_fields)


@pytest.mark.parametrize("tool", GOOD)
def test_wire_names_are_not_arguments(tool: str) -> None:
    wire = {"exch", "amt", "stopPrice", "limitPrice", "limit", "id", "type", "keys[]", "pageSize", "data"}
    for alias in wire - set(MODELS[tool].model_fields):
        with pytest.raises(InvalidArguments, match="unknown argument"):
            parse_arguments(MODELS[tool], {**GOOD[tool], alias: 1})


@pytest.mark.parametrize("tool", ["buy_trailing_stop", "sell_trailing_stop"])
def test_a_trailing_stop_without_a_distance_is_refused(tool: str) -> None:
    with pytest.raises(InvalidArguments, match="price and stop_price must differ"):
        parse_arguments(MODELS[tool], {**GOOD[tool], "price": 50000, "stop_price": 50000.0})


def test_open_orders_of_a_pair_need_its_exchange() -> None:
    with pytest.raises(InvalidArguments, match="pair needs its exchange"):
        parse_arguments(MODELS["list_open_orders"], {"pair": "USDT-BTC"})
    parse_arguments(MODELS["list_open_orders"], {"exchange": "binance"})


@pytest.mark.parametrize("tool", ["buy_oco", "sell_oco", "buy_stop_limit", "sell_stop_limit"])
@pytest.mark.parametrize("prices", [(1, 2, 3), (3, 2, 1), (2, 2, 2)], ids=str)
def test_prices_on_either_side_of_each_other_pass_because_only_the_market_can_tell(
    tool: str, prices: tuple[int, int, int]
) -> None:
    named = dict(zip(("price", "stop_price", "limit_price"), prices, strict=True))
    arguments = GOOD[tool] | {name: price for name, price in named.items() if name in MODELS[tool].model_fields}

    assert parse_arguments(MODELS[tool], arguments)


def test_many_mistakes_are_told_in_one_short_line() -> None:
    with pytest.raises(InvalidArguments) as caught:
        parse_arguments(LimitArgs, {f"wrong_{number}": number for number in range(50)})

    assert caught.value.message.count(";") == 5
    assert "and 49 more" in caught.value.message


def test_a_choice_is_explained_with_all_its_values() -> None:
    with pytest.raises(InvalidArguments) as caught:
        parse_arguments(MODELS["cancel_order"], {**GOOD["cancel_order"], "order_type": "stop"})

    assert caught.value.message == "order_type must be 'limit' or 'market'"
    assert caught.value.hint == 'order_type: one of limit, market; for example {"order_type": "limit"}'


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "EST5EDT"])
def test_real_zones_pass(zone: str) -> None:
    assert parse_arguments(OrdersTodayArgs, {"timezone": zone, "keys": ["binance/USDT-BTC"]}).timezone == zone


@pytest.mark.parametrize(
    "key", ["binance#2/USDT-BTC", "bitmex/XBTUSD", "bybit/USDT-BTC-LONG", "kraken/USD-1000SHIB", "mex_gunthy/a.b:c_d-e"]
)
def test_names_of_slots_hedge_pairs_and_other_markets_pass(key: str) -> None:
    exchange, _, pair = key.partition("/")

    assert parse_arguments(OrdersArgs, {"key": key}).key == key
    assert parse_arguments(LimitArgs, {"exchange": exchange, "pair": pair, "amount": 1, "price": 1}).pair == pair


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("1", "1"),
        ("1.0", "1.0"),
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1e-7", "0.0000001"),
        ("1E+17", "100000000000000000"),
        ("123456789012345678", "123456789012345678"),
        ("87740.105", "87740.105"),
        ("0.0007884042071927771", "0.0007884042071927771"),
    ],
)
def test_a_number_keeps_its_digits_from_json_to_the_wire(written: str, sent: str) -> None:
    arguments = json.loads(f'{{"exchange": "binance", "pair": "USDT-BTC", "amount": {written}, "price": 1}}')

    assert f'"amt":{sent},' in json_text(parse_arguments(LimitArgs, arguments).wire())


@given(st.floats(min_value=1e-18, max_value=1e18) | st.integers(min_value=1, max_value=10**18))
def test_every_number_arrives_as_the_same_number(value: float) -> None:
    args = parse_arguments(LimitArgs, {"exchange": "binance", "pair": "USDT-BTC", "amount": value, "price": 1})

    text = json_text(args.wire())
    assert float(json.loads(text)["amt"]) == float(value)
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal)["amt"] == Decimal(repr(value))
    assert "e" not in text.partition('"amt":')[2].partition(",")[0]


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("value", ["1", True, 10**30, -5, None, [1], 1e19])
async def test_an_mcp_client_gets_a_code_a_field_and_a_fix(
    runtime: "Runtime", recorder: "Recorder", mode: str, value: object
) -> None:
    async with Client(build_server(runtime), mode=mode) as client:
        result = await client.call_tool("buy_limit", {**GOOD["buy_limit"], "amount": value})

    assert error(result)["code"] == "invalid_arguments"
    [content] = result.content
    assert content.type == "text"
    assert content.text.startswith("invalid_arguments: amount ")
    assert "Next: amount: a JSON number greater than 0" in content.text
    assert recorder.requests == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
NAMES = sorted({name for model in MODELS.values() for name in model.model_fields})
PLAUSIBLE = (
    st.sampled_from(["binance", "binance#2", "USDT-BTC", "binance/USDT-BTC", "UTC", "limit", "357044"])
    | st.sampled_from([["binance/USDT-BTC"], ["rate"], 0, 1, 10, 0.5])
    | JSON
)


@pytest.mark.anyio
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tool=st.sampled_from(sorted(GOOD)), arguments=st.dictionaries(st.sampled_from(NAMES) | st.text(), PLAUSIBLE))
@example(tool="buy_limit", arguments=GOOD["buy_limit"])
async def test_no_arguments_at_all_can_raise_or_send_unless_they_are_valid(
    runtime: "Runtime", recorder: "Recorder", tool: str, arguments: dict[str, Any]
) -> None:
    try:
        parse_arguments(MODELS[tool], arguments)
        valid = True
    except InvalidArguments:
        valid = False
    recorder.requests.clear()

    answer = await _call(runtime, tool, arguments)

    assert answer.text
    json.dumps(answer.structured)
    if not valid:
        assert answer.error["code"] == "invalid_arguments"
        assert recorder.requests == []
    endpoint = BY_NAME.get(tool)
    if endpoint is not None and endpoint.effect is not Effect.READ:
        assert len(recorder.to(endpoint.path)) <= 1


def test_every_tool_of_the_tables_is_tried_here() -> None:
    assert set(GOOD) >= set(TOOLS)
    assert {endpoint.name for endpoint in ENDPOINTS} <= set(GOOD)
    for tool, arguments in GOOD.items():
        assert parse_arguments(MODELS[tool], arguments)


def test_what_cannot_be_arguments_is_one_error_of_the_tree() -> None:
    assert issubclass(InvalidArguments, GunbotMcpError)


EVERY = [(tool, name) for tool in GOOD for name in MODELS[tool].model_fields]
LEFT_OUT = [(tool, name) for tool, name in EVERY if not MODELS[tool].model_fields[name].is_required()]
COUNTS = [(tool, name) for tool, name in EVERY if name in {"page", "page_size", "count", "max_rows", "skip"}]


@pytest.mark.parametrize("nothing", NOTHING, ids=repr)
@pytest.mark.parametrize(("tool", "name"), LEFT_OUT)
def test_null_and_empty_mean_left_out(tool: str, name: str, nothing: object) -> None:
    without = {key: value for key, value in GOOD[tool].items() if key != name}
    if tool == "list_open_orders" and name == "exchange":
        del without["pair"]

    assert parse_arguments(MODELS[tool], {**without, name: nothing}) == parse_arguments(MODELS[tool], without)


@pytest.mark.parametrize("written", [10.0, "10", 10], ids=repr)
@pytest.mark.parametrize(("tool", "name"), COUNTS)
def test_a_count_may_arrive_as_a_double_or_as_text(tool: str, name: str, written: object) -> None:
    found = getattr(parse_arguments(MODELS[tool], {**GOOD[tool], name: written}), name)

    assert (type(found), found) == (int, 10)


@pytest.mark.parametrize(("tool", "name"), [pair for pair in EVERY if BAD[pair[1]] is NUMBERS])
def test_an_amount_or_a_price_is_never_text(tool: str, name: str) -> None:
    with pytest.raises(InvalidArguments, match=f"{name} must be a JSON number, not a string"):
        parse_arguments(MODELS[tool], {**GOOD[tool], name: "1"})


@pytest.mark.parametrize(("number", "text"), [(357044, "357044"), (357044.0, "357044"), (2**53 - 1, str(2**53 - 1))])
def test_an_orders_id_may_arrive_as_a_whole_number(number: float, text: str) -> None:
    args = parse_arguments(CancelArgs, {**GOOD["cancel_order"], "order_id": number})

    assert args.order_id == text
    assert args.wire()["id"] == text


@pytest.mark.parametrize("number", [2**53, 2.0**53, 10**30])
def test_an_id_that_may_have_lost_digits_is_refused_with_the_way_to_give_it(number: float) -> None:
    with pytest.raises(InvalidArguments) as caught:
        parse_arguments(CancelArgs, {**GOOD["cancel_order"], "order_id": number})

    assert "give it as text, JSON numbers lose its last digits" in caught.value.hint
    # Its digits are not said back: they may be those of another order.
    assert str(int(number)) not in caught.value.hint


OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "integer": st.integers(-2, 1200) | st.integers(-(2**60), 2**60).map(float) | st.integers(0, 9).map(float),
    "string": st.text() | st.sampled_from(["binance", "USDT-BTC", "limit", "market", "buy", "fifo", "1", "true"]),
    "boolean": st.booleans(),
    "array": st.lists(st.text(max_size=8) | st.sampled_from(["binance/USDT-BTC", "time"]), max_size=20),
}
REFUSED_FOR_ITS_TYPE = re.compile(
    r"must be (a JSON number, not|a whole number|a string|a list|true or false|a JSON object|a valid)|must not be null"
)


@pytest.mark.parametrize(("tool", "name"), EVERY)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_what_the_published_schema_accepts_is_never_refused_for_its_type(
    tool: str, name: str, data: st.DataObject
) -> None:
    schema = input_schema(MODELS[tool])["properties"][name]
    validator: Any = Draft202012Validator(schema)
    of_type = st.sampled_from(schema["enum"]) if "enum" in schema else OF_TYPE[schema["type"]]
    value = data.draw(of_type.filter(validator.is_valid))

    try:
        parse_arguments(MODELS[tool], {**GOOD[tool], name: value})
        said = ""
    except InvalidArguments as exc:
        said = exc.message
    assert not REFUSED_FOR_ITS_TYPE.search(said), (value, said)


@settings(max_examples=600, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))  # shrinking takes long
@given(
    tool=st.sampled_from(sorted(GOOD)),
    missing=st.sets(st.sampled_from(NAMES), max_size=3),
    wrong=st.dictionaries(st.sampled_from(NAMES) | st.from_regex(r"[A-Za-z_]{1,12}", fullmatch=True), PLAUSIBLE),
)
@example(tool="buy_limit", missing=set(), wrong={"price": "50000"})
@example(tool="list_tickets", missing=set(), wrong={"open_only": "true"})
@example(tool="list_exchanges", missing=set(), wrong={"anything": 1})
@example(tool="buy_limit", missing={"price"}, wrong={"pricee": "50000"})
@example(tool="buy_trailing_stop", missing={"stop_price"}, wrong={"price": 49500})
@example(tool="list_open_orders", missing={"exchange"}, wrong={})
@example(tool="buy_oco", missing=set(NAMES), wrong={})
@example(tool="get_quote", missing=set(), wrong={f"x_{letter}": 1 for letter in "abcdefghij"})
def test_a_hint_that_is_obeyed_is_accepted(tool: str, missing: set[str], wrong: dict[str, Any]) -> None:
    arguments = {name: value for name, value in {**GOOD[tool], **wrong}.items() if name not in missing - set(wrong)}
    hint = ""
    try:
        parse_arguments(MODELS[tool], arguments)
    except InvalidArguments as exc:
        hint = _hint(exc)
    assert parse_arguments(MODELS[tool], _obeyed(arguments, hint)), hint


@pytest.mark.anyio
@pytest.mark.parametrize("arguments", [None, [], "x"], ids=repr)
@pytest.mark.parametrize("tool", GOOD)
async def test_the_call_that_a_hint_shows_is_answered(runtime: "Runtime", tool: str, arguments: object) -> None:
    refused = await _call(runtime, tool, arguments)

    answer = await _call(runtime, tool, _obeyed({}, refused.error["hint"]))

    assert answer.error.get("code") != "invalid_arguments", answer.text


def test_a_number_that_came_as_text_is_given_back_as_the_number() -> None:
    with pytest.raises(InvalidArguments) as caught:
        parse_arguments(LimitArgs, {**GOOD["buy_limit"], "price": "49000.5"})

    assert caught.value.hint == 'price: a JSON number greater than 0; for example {"price": 49000.5}'


@pytest.mark.anyio
@pytest.mark.parametrize("given", [2**53 - 1, 461773, 461773.0, 0])
async def test_an_order_id_may_come_as_a_whole_number_and_goes_out_as_text(
    runtime: "Runtime", recorder: "Recorder", given: float
) -> None:
    answer = await _call(runtime, "cancel_order", {**GOOD["cancel_order"], "order_id": given})

    assert not answer.is_error
    [cancel] = recorder.to("/trade/cancel")
    assert cancel.data()["data"]["id"] == str(int(given))


@pytest.mark.anyio
@pytest.mark.parametrize("given", [2**53, 1234567890123456789, 1e18])
async def test_an_order_id_whose_digits_a_json_number_loses_is_asked_for_as_text(
    runtime: "Runtime", recorder: "Recorder", given: float
) -> None:
    answer = await _call(runtime, "cancel_order", {**GOOD["cancel_order"], "order_id": given})

    assert answer.error["code"] == "invalid_arguments"
    assert "give it as text, JSON numbers lose its last digits" in answer.text
    assert recorder.requests == []
    obeyed = await _call(runtime, "cancel_order", {**GOOD["cancel_order"], "order_id": str(int(given))})
    assert not obeyed.is_error
