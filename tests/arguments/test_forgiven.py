"""Arguments forgive where nothing is at stake: what the schema takes has the right type, an obeyed hint is accepted."""

import re
from typing import TYPE_CHECKING, Any

import pytest
from arguments.values import BAD, GOOD, MODELS, NAMES, NOTHING, NUMBERS, PLAUSIBLE, call, hint_of, obeyed
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.endpoints import CancelArgs, LimitArgs
from gunbot_mcp.errors import InvalidArguments
from gunbot_mcp.schema import input_schema

if TYPE_CHECKING:
    from support.recorder import Recorder

    from gunbot_mcp.runtime import Runtime

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


@pytest.mark.slow
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
        hint = hint_of(exc)
    assert parse_arguments(MODELS[tool], obeyed(arguments, hint)), hint


@pytest.mark.anyio
@pytest.mark.parametrize("arguments", [None, [], "x"], ids=repr)
@pytest.mark.parametrize("tool", GOOD)
async def test_the_call_that_a_hint_shows_is_answered(runtime: "Runtime", tool: str, arguments: object) -> None:
    refused = await call(runtime, tool, arguments)

    answer = await call(runtime, tool, obeyed({}, refused.error["hint"]))

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
    answer = await call(runtime, "cancel_order", {**GOOD["cancel_order"], "order_id": given})

    assert not answer.is_error
    [cancel] = recorder.to("/trade/cancel")
    assert cancel.data()["data"]["id"] == str(int(given))


@pytest.mark.anyio
@pytest.mark.parametrize("given", [2**53, 1234567890123456789, 1e18])
async def test_an_order_id_whose_digits_a_json_number_loses_is_asked_for_as_text(
    runtime: "Runtime", recorder: "Recorder", given: float
) -> None:
    answer = await call(runtime, "cancel_order", {**GOOD["cancel_order"], "order_id": given})

    assert answer.error["code"] == "invalid_arguments"
    assert "give it as text, JSON numbers lose its last digits" in answer.text
    assert recorder.requests == []
    obeyed = await call(runtime, "cancel_order", {**GOOD["cancel_order"], "order_id": str(int(given))})
    assert not obeyed.is_error
