"""Arguments are strict: whatever is not exactly right is refused by name, with the fix, before anything is sent."""

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from arguments.values import BAD, GOOD, MODELS, NAMES, NOTHING, PLAUSIBLE, TOOLS, call, obeyed
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mcp import Client
from support.calls import error

from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.domain import Effect
from gunbot_mcp.endpoints import BY_NAME, ENDPOINTS, LimitArgs, OrdersArgs, OrdersTodayArgs
from gunbot_mcp.errors import GunbotMcpError, InvalidArguments
from gunbot_mcp.gunbot.wire import json_text
from gunbot_mcp.server.app import build_server

if TYPE_CHECKING:
    from support.recorder import Recorder

    from gunbot_mcp.runtime import Runtime


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

            answer = await call(runtime, tool, arguments)

            shown = repr(value)[:60]
            assert answer.is_error, f"{tool} took {field}={shown}"
            facts = answer.error
            assert facts["code"] == "invalid_arguments", (field, shown, facts)
            assert field in facts["message"], (shown, facts)
            assert facts["hint"], (field, shown)
            assert facts["retryable"] is False
            assert len(answer.text) < 1300
            assert parse_arguments(MODELS[tool], obeyed(arguments, facts["hint"])), (field, shown, facts)
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

            answer = await call(runtime, tool, rest)

            assert answer.error["code"] == "invalid_arguments"
            assert f"{name} is required" in answer.error["message"]
            assert name in answer.error["hint"]
    assert recorder.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize("tool", GOOD)
async def test_arguments_that_are_no_object_are_refused(runtime: "Runtime", recorder: "Recorder", tool: str) -> None:
    for arguments in (None, [], "x", 5, True, [{"exchange": "binance"}]):
        answer = await call(runtime, tool, arguments)

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
    answer = await call(runtime, tool, {**GOOD[tool], given_name: 1})

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

    answer = await call(runtime, tool, arguments)

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
