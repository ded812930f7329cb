"""The four order reads as tools answer them: structured and text, each complete by itself."""

import csv
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from gunbot_mcp.dispatch import Caller
from gunbot_mcp.gunbot.records import RECORD_FIELDS

if TYPE_CHECKING:
    from support.recorder import Recorder

    from gunbot_mcp.render import Answer
    from gunbot_mcp.runtime import Runtime

pytestmark = pytest.mark.anyio
KEY = {"key": "binance/USDT-BTC"}


async def _ask(runtime: "Runtime", tool: str, arguments: dict[str, Any]) -> "Answer":
    answer: Any = await runtime.dispatcher.call(tool, arguments, Caller(name="tests"))
    json.dumps(answer.structured, allow_nan=False)
    return answer


async def _orders(runtime: "Runtime", recorder: "Recorder", *records: dict[str, Any]) -> "Answer":
    recorder.on("/orders", recorder.json({"data": list(records)}))
    return await _ask(runtime, "list_orders", KEY)


async def test_numbers_as_text_and_nulls_arrive_as_numbers_and_nulls(runtime: "Runtime", recorder: "Recorder") -> None:
    answer = await _orders(runtime, recorder, {"time": 1731617894238, "rate": "87740.105", "amount": None, "pnl": "0"})

    assert answer.structured["rows"] == [[1731617894238, "2024-11-14T20:58:14Z", 87740.105, None, 0]]
    assert answer.text.splitlines()[1:] == [
        "time,time_iso,rate,amount,pnl",
        "1731617894238,2024-11-14T20:58:14Z,87740.105,,0",
    ]


async def test_ids_are_text_in_both_forms_since_javascript_reads_long_numbers_as_others(
    runtime: "Runtime", recorder: "Recorder"
) -> None:
    answer = await _orders(runtime, recorder, {"id": 166132}, {"id": "007"}, {"id": "x-9"}, {"id": 2**63})

    assert answer.structured["rows"] == [["166132"], ["007"], ["x-9"], [str(2**63)]]
    assert answer.text.splitlines()[2:] == ["166132", "007", "x-9", str(2**63)]


async def test_unknown_and_nested_fields_are_kept_in_both_forms(runtime: "Runtime", recorder: "Recorder") -> None:
    answer = await _orders(runtime, recorder, {"pair": "USDT-BTC", "meta": {"tags": ["a", 1]}, "note": 'x,"y"'})

    assert answer.structured["columns"] == ["pair", "meta", "note"]
    assert answer.structured["rows"] == [["USDT-BTC", {"tags": ["a", 1]}, 'x,"y"']]
    [cells] = csv.reader(answer.text.splitlines()[2:])
    assert cells[0] == "USDT-BTC"
    assert "tags" in cells[1]
    assert cells[2] == 'x,"y"'


async def test_a_field_that_a_record_lacks_is_null_there(runtime: "Runtime", recorder: "Recorder") -> None:
    answer = await _orders(runtime, recorder, {"type": "buy", "toCancel": True}, {"type": "sell"})

    assert answer.structured["rows"] == [["buy", True], ["sell", None]]
    assert answer.text.splitlines()[2:] == ["buy,true", "sell,"]


async def test_control_characters_are_kept_in_data_and_gone_from_text(runtime: "Runtime", recorder: "Recorder") -> None:
    evil = "a\x1b[31m\u202eb\nfake,row\r\x00"

    answer = await _orders(runtime, recorder, {"pair": evil, evil: 1}, {"pair": "plain"})

    assert answer.structured["rows"][0] == [evil, 1]
    assert answer.structured["columns"][1] == evil
    assert all(line.isprintable() for line in answer.text.split("\n"))
    assert len(answer.text.split("\n")) == 4


async def test_a_very_long_text_is_clipped_in_text_only(runtime: "Runtime", recorder: "Recorder") -> None:
    answer = await _orders(runtime, recorder, {"note": "x" * 5000})

    assert answer.structured["rows"] == [["x" * 5000]]
    assert len(answer.text) < 600


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, {"data": [5]}, [], "x", None, {"data": "orders"}])
async def test_data_that_is_no_list_of_records_is_said_to_be_so(
    runtime: "Runtime", recorder: "Recorder", body: object
) -> None:
    recorder.on("*", recorder.json(body))
    for tool, arguments in (("list_orders", KEY), ("list_orders_page", {**KEY, "page": 0, "page_size": 5})):
        answer = await _ask(runtime, tool, arguments)

        assert answer.error["code"] == "gateway_invalid_response"


async def test_no_orders_is_an_answer(runtime: "Runtime", recorder: "Recorder") -> None:
    answer = await _orders(runtime, recorder)

    assert answer.structured == {"columns": [], "rows": [], "covers": {"from": None, "to": None}}
    assert answer.text == "0 orders that Gunbot has stored for binance/USDT-BTC"


@pytest.mark.parametrize("time", ["soon", None, 1e300, -(10**30), True, 10**400, {}])
async def test_times_that_are_none_cover_nothing(runtime: "Runtime", recorder: "Recorder", time: object) -> None:
    answer = await _orders(runtime, recorder, {"time": time})

    assert not answer.is_error
    assert answer.structured["covers"] == {"from": None, "to": None}


async def test_fields_picks_columns(runtime: "Runtime") -> None:
    answer = await _ask(runtime, "list_orders", {**KEY, "fields": ["pnl", "time"]})

    assert answer.structured["columns"] == ["pnl", "time"]
    assert answer.structured["rows"][0] == [0, 1731617894238]
    assert answer.text.splitlines()[1] == "pnl,time"


async def test_a_documented_field_that_no_record_has_is_an_empty_column(
    runtime: "Runtime", recorder: "Recorder"
) -> None:
    recorder.on("/orders", recorder.json({"data": [{"time": 5}]}))

    answer = await _ask(runtime, "list_orders", {**KEY, "fields": ["time", "ABP"]})

    assert answer.structured["rows"] == [[5, None]]


async def test_a_field_that_nothing_knows_is_refused_with_the_columns(runtime: "Runtime") -> None:
    answer = await _ask(runtime, "list_orders", {**KEY, "fields": ["time", "profit"]})

    assert answer.error["code"] == "invalid_arguments"
    assert "profit" in answer.error["message"]
    assert all(name in answer.error["hint"] for name in RECORD_FIELDS)


async def test_fields_are_ours_and_do_not_reach_gunbot(runtime: "Runtime", recorder: "Recorder") -> None:
    await _ask(runtime, "list_orders", {**KEY, "fields": ["time"]})

    assert recorder.requests[0].target == "/api/v1/orders?key=binance%2FUSDT-BTC"


async def test_a_page_says_its_number_and_its_totals(runtime: "Runtime", recorder: "Recorder") -> None:
    page = {"total": 27, "totalCount": 31, "page": 2, "data": [{"time": 1731617894238}], "next": "no"}
    recorder.on("/orders/page/multi", recorder.json(page))

    answer = await _ask(
        runtime,
        "list_orders_page_multi",
        {"page": 2, "page_size": 10, "keys": [f"binance/USDT-A{n}" for n in range(7)]},
    )

    assert answer.structured == {
        "columns": ["time", "time_iso"],
        "rows": [[1731617894238, "2024-11-14T20:58:14Z"]],
        "total": 27,
        "totalCount": 31,
        "page": 2,
        "next": "no",
        "covers": {"from": "2024-11-14T20:58:14Z", "to": "2024-11-14T20:58:14Z"},
    }
    headline = answer.text.splitlines()[0]
    assert headline.startswith("1 order that Gunbot has stored for binance/USDT-A0, ")
    for said in ("and 2 more", "page 2", "total 27", "totalCount 31", "next no"):
        assert said in headline


@pytest.mark.parametrize(
    "body",
    [
        {"days": ["2024-11-14"], "orders": [3], "closeOrders": [1]},
        {"days": ["2024-11-14"], "orders": ["id-1", "id-2"], "closeOrders": []},
        {"days": [], "orders": [], "closeOrders": [], "zone": "UTC"},
        {"orders": [{"code": 1}]},
    ],
)
async def test_todays_orders_pass_through_whatever_they_hold(
    runtime: "Runtime", recorder: "Recorder", body: dict[str, Any]
) -> None:
    recorder.on("/orders/day", recorder.json(body))

    answer = await _ask(runtime, "list_orders_today", {"timezone": "UTC", "keys": ["binance/USDT-BTC"]})

    assert answer.structured == {"keys": ["binance/USDT-BTC"], **body}
    for value in body.values():
        items = cast("list[Any]", value) if isinstance(value, list) else [value]
        read = "".join("".join(cells) for cells in csv.reader(answer.text.splitlines()))
        assert all(
            (json.dumps(item).replace(" ", "") if isinstance(item, dict) else str(item)) in read for item in items
        )


async def test_no_orders_today_is_said_in_words(runtime: "Runtime") -> None:
    answer = await _ask(runtime, "list_orders_today", {"timezone": "UTC", "keys": ["binance/USDT-BTC"]})

    assert answer.text == "no orders today on binance/USDT-BTC"


async def test_no_member_of_the_answer_takes_the_place_of_the_orders(runtime: "Runtime", recorder: "Recorder") -> None:
    recorder.on("/orders", recorder.json({"columns": [1], "rows": "x", "covers": 5, "data": [{"id": 1}], "more": 2}))
    answer = await _ask(runtime, "list_orders", KEY)

    assert answer.structured == {"columns": ["id"], "rows": [["1"]], "covers": {"from": None, "to": None}, "more": 2}


@pytest.mark.parametrize("time", ["1731617906000", 1731617906000.0, 1731617906000])
async def test_what_is_covered_is_said_however_the_time_is_written(
    runtime: "Runtime", recorder: "Recorder", time: object
) -> None:
    answer = await _orders(runtime, recorder, {"time": time}, {"time": True}, {"time": "soon"}, {})

    assert answer.structured["covers"] == {"from": "2024-11-14T20:58:26Z", "to": "2024-11-14T20:58:26Z"}


async def test_numbers_of_absurd_length_stay_text_and_infinite_ones_are_none(
    runtime: "Runtime", recorder: "Recorder"
) -> None:
    long = "1" + "0" * 4999
    recorder.on("/orders", recorder.http(200, f'{{"data":[{{"amount":"{long}","cost":1e400}}]}}'.encode()))
    answer: Any = await runtime.dispatcher.call("list_orders", KEY, Caller(name="tests"))

    assert answer.structured["rows"][0][0] == long
    assert answer.text.splitlines()[2].endswith(",")


async def test_a_secret_that_gunbot_says_back_reaches_nobody(
    runtime: "Runtime", recorder: "Recorder", token: str
) -> None:
    recorder.on("/orders", recorder.json({"data": [{"id": 1, "note": f"x {token} y"}], "echo": token}))
    answer = await _ask(runtime, "list_orders", KEY)

    assert token not in json.dumps(answer.structured)
    assert token not in answer.text
    assert answer.structured["rows"] == [["1", "x *** y"]]


@pytest.mark.parametrize(
    ("time", "iso"),
    [
        (1731617894238, "2024-11-14T20:58:14Z"),
        ("1731617894238", "2024-11-14T20:58:14Z"),
        (1731617894, "2024-11-14T20:58:14Z"),
        (1731617894238000, "2024-11-14T20:58:14Z"),
        ("soon", None),
        (True, None),
        (10**400, None),
    ],
    ids=["milliseconds", "text", "seconds", "microseconds", "a word", "yes", "beyond all times"],
)
async def test_each_time_stands_in_iso_form_beside_gunbots_own(
    runtime: "Runtime", recorder: "Recorder", time: object, iso: str | None
) -> None:
    answer = await _orders(runtime, recorder, {"id": 1, "time": time, "rate": 2})

    assert answer.structured["columns"] == ["id", "time", "time_iso", "rate"]
    assert answer.structured["rows"][0][2] == iso


async def test_iso_times_can_be_picked_alone_and_a_field_of_gunbots_own_of_that_name_stays(
    runtime: "Runtime", recorder: "Recorder"
) -> None:
    picked = await _ask(runtime, "list_orders", {**KEY, "fields": ["time_iso", "type"]})
    own = await _orders(runtime, recorder, {"time": 1731617894238, "time_iso": "mine"})

    assert picked.structured["rows"][0] == ["2024-11-14T20:58:14Z", "buy"]
    assert own.structured["rows"] == [[1731617894238, "mine"]]


async def test_whoever_asks_for_very_many_rows_gets_the_milliseconds_alone_unless_they_pick_the_other(
    runtime: "Runtime",
) -> None:
    many = await _ask(runtime, "list_orders", {**KEY, "max_rows": 1000})
    picked = await _ask(runtime, "list_orders", {**KEY, "max_rows": 1000, "fields": ["time_iso"]})

    assert "time_iso" not in many.structured["columns"]
    assert picked.structured["rows"][0] == ["2024-11-14T20:58:14Z"]


async def test_prices_that_nobody_can_guess_are_explained_in_one_line_where_they_appear(runtime: "Runtime") -> None:
    whole = await _ask(runtime, "list_orders", KEY)
    some = await _ask(runtime, "list_orders", {**KEY, "fields": ["time", "ABP"]})
    none = await _ask(runtime, "list_orders", {**KEY, "fields": ["time", "rate"]})

    *_, line = whole.text.splitlines()
    assert all(f"{name}: " in line for name in ("averagePrice", "inventory_cost", "ABP", "pnlPrice"))
    assert list(whole.structured["meanings"]) == ["averagePrice", "inventory_cost", "ABP", "pnlPrice"]
    assert list(some.structured["meanings"]) == ["ABP"]
    assert some.text.splitlines()[-1].startswith("Prices, as computed from records: ABP: break-even")
    assert "meanings" not in none.structured
    assert "Prices" not in none.text


async def test_todays_counts_name_the_pairs_that_they_are_of(runtime: "Runtime", recorder: "Recorder") -> None:
    recorder.on("/orders/day", recorder.json({"days": ["2024-11-14"], "orders": [3], "closeOrders": [1]}))
    keys = ["binance/USDT-BTC", "binance/USDT-ETH"]

    answer = await _ask(runtime, "list_orders_today", {"timezone": "UTC", "keys": keys})

    assert answer.text == "binance/USDT-BTC, binance/USDT-ETH: 2024-11-14: 3 orders, 1 of them closing"
    assert answer.structured["keys"] == keys
