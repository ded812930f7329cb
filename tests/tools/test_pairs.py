"""`list_pairs`, and what the other tools say of a pair that an exchange does not have."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gunbot_mcp.config import Settings, load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.runtime import Runtime

if TYPE_CHECKING:
    from support.live import LiveGunbot
    from support.recorder import Recorder

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio
WRONG = "binance has no pair BTC-USDT: Gunbot writes it USDT-BTC"


async def _ask(runtime: Runtime, tool: str, **arguments: object) -> Any:  # noqa: ANN401 - any arguments, any answer
    return await runtime.dispatcher.call(tool, arguments, Caller(name="tests"))


def _names(recorder: "Recorder", *names: str) -> None:
    recorder.on("/pairs", recorder.json({"status": "success", "pairList": names}))


# The list


async def test_pairs_are_listed_with_what_is_enabled_first_and_no_strategy_or_override_is_shown(
    runtime: Runtime, recorder: "Recorder"
) -> None:
    _names(recorder, "USDT-ADA", "USDT-BTC", "USDT-ETH")
    pairs = {"USDT-ETH": {"strategy": "mystery", "enabled": True, "override": {"KEY": "hush"}}, "USDT-BTC": {}}
    recorder.on("/coremem", recorder.json({"config": {"binance": pairs}, "memory": {}}))

    answer = await _ask(runtime, "list_pairs", exchange="binance")

    assert answer.structured["rows"] == [["USDT-ETH", True], ["USDT-BTC", None], ["USDT-ADA", False]]
    assert "3 pairs on binance, the asset that pays first; 1 enabled" in answer.text
    assert "mystery" not in answer.text + str(answer.structured)
    assert "hush" not in answer.text + str(answer.structured)


async def test_a_part_of_a_name_narrows_the_list_and_a_long_one_is_cut_and_says_so(
    runtime: Runtime, recorder: "Recorder"
) -> None:
    _names(recorder, *(f"USDT-COIN{n}" for n in range(3000)), "USDT-BTC", "EUR-BTC")

    part = await _ask(runtime, "list_pairs", exchange="binance", contains="-btc")
    whole = await _ask(runtime, "list_pairs", exchange="binance")

    assert [row[0] for row in part.structured["rows"]] == ["USDT-BTC", "EUR-BTC"]
    assert "3002 pairs on binance" in whole.text
    assert "narrow it with contains" in whole.text
    assert len(whole.text.encode()) < 24_000


async def test_without_core_memorys_config_it_is_not_known_what_cycles(runtime: Runtime, recorder: "Recorder") -> None:
    for reply in (recorder.json({"memory": {}}), recorder.json({"status": "error", "message": "no"}, 400)):
        recorder.on("/coremem", reply)

        answer = await _ask(runtime, "list_pairs", exchange="binance")

        assert answer.structured["rows"] == [["USDT-BTC", None]]
        assert "does not say what is enabled" in answer.text


async def test_without_a_list_what_is_configured_is_shown_and_without_both_the_failure(
    runtime: Runtime, recorder: "Recorder"
) -> None:
    recorder.on("/pairs", recorder.json({"pairList": "none"}))
    failed = await _ask(runtime, "list_pairs", exchange="binance")
    recorder.on("/coremem", recorder.json({"config": {"binance": {"USDT-BTC": {"enabled": True}}}}))

    answer = await _ask(runtime, "list_pairs", exchange="binance")

    assert failed.error["code"] == "gateway_invalid_response"
    assert answer.structured["rows"] == [["USDT-BTC", True]]


async def test_the_paper_gateway_lists_its_pairs_and_all_of_them_cycle() -> None:
    async with Runtime(load()) as runtime:
        answer = await _ask(runtime, "list_pairs", exchange="bybit")

    assert ["USDT-BTC-LONG", True] in answer.structured["rows"]
    assert all(enabled for _, enabled in answer.structured["rows"])


# Histories and quotes


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_orders", {"key": "binance/BTC-USDT"}),
        ("list_orders_page", {"key": "binance/BTC-USDT", "page": 0, "page_size": 5}),
        ("list_orders_page_multi", {"keys": ["binance/USDT-BTC", "binance/BTC-USDT"], "page": 0, "page_size": 5}),
        ("list_orders_today", {"keys": ["binance/BTC-USDT"], "timezone": "UTC"}),
    ],
)
async def test_an_empty_history_of_a_wrong_name_says_that_there_is_no_such_pair_and_names_the_right_one(
    runtime: Runtime, recorder: "Recorder", tool: str, arguments: dict[str, Any]
) -> None:
    recorder.on("/orders", recorder.json({"data": []}))

    answer = await _ask(runtime, tool, **arguments)

    assert WRONG in answer.text
    assert WRONG in answer.structured["note"]
    assert "binance/USDT-BTC" in answer.structured["note"]


async def test_records_of_other_keys_do_not_hide_a_wrong_one(runtime: Runtime, recorder: "Recorder") -> None:
    recorder.on("/orders/page/multi", recorder.json({"total": 1, "page": 0, "data": [{"pair": "USDT-BTC"}]}))
    keys = ["binance/USDT-BTC", "binance/BTC-USDT", "binance/USDT-XYZ"]

    answer = await _ask(runtime, "list_orders_page_multi", keys=keys, page=0, page_size=5)

    assert WRONG in answer.structured["note"]
    assert "XYZ" not in answer.structured["note"]  # it may be right, and have no orders


async def test_on_paper_where_a_wrong_name_is_an_error_it_names_the_right_one_too() -> None:
    async with Runtime(load()) as runtime:
        for tool, arguments in (
            ("list_orders", {"key": "binance/BTC-USDT"}),
            ("get_quote", {"exchange": "binance", "pair": "BTC-USDT"}),
        ):
            error = (await _ask(runtime, tool, **arguments)).error

            assert WRONG in error["message"]
            assert "USDT-BTC" in error["hint"]


async def test_a_history_with_orders_or_of_a_known_pair_has_no_such_note(
    runtime: Runtime, recorder: "Recorder"
) -> None:
    full = await _ask(runtime, "list_orders", key="binance/BTC-USDT")
    assert "note" not in full.structured
    assert recorder.to("/pairs") == []  # not even asked
    empty = await _ask(runtime, "list_orders_page", key="binance/USDT-BTC", page=0, page_size=5)
    assert "note" not in empty.structured


async def test_where_gunbot_tells_no_list_an_empty_history_claims_nothing(
    runtime: Runtime, recorder: "Recorder"
) -> None:
    for reply in (recorder.json({"status": "error"}, 400), recorder.json({"pairList": []})):
        recorder.on("/pairs", reply)
        answer = await _ask(runtime, "list_orders_page", key="binance/BTC-USDT", page=0, page_size=5)
        assert "note" not in answer.structured


# Orders


async def test_an_order_with_a_reversed_name_on_a_live_instance_is_told_the_right_one(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    order = {"exchange": "binance", "pair": "BTC-USDT", "amount": 0.001, "price": 50000}
    async with Runtime(live_settings()) as runtime:
        error = (await _ask(runtime, "buy_limit", **order)).error

    assert error["code"] == "pair_not_allowed"
    assert "USDT-BTC" in error["message"]
    assert "limit" not in error["message"] + error["hint"]
    assert live_gunbot.trades == []


async def test_on_paper_too() -> None:
    order = {"exchange": "binance", "pair": "btc-usdt", "amount": 0.001, "price": 50000}
    async with Runtime(load()) as runtime:
        error = (await _ask(runtime, "buy_limit", **order)).error

    assert (error["code"], "USDT-BTC" in error["message"]) == ("pair_not_allowed", True)


async def test_orders_share_one_question_for_the_pairs(runtime: Runtime, recorder: "Recorder") -> None:
    order = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 49000}
    for _ in range(3):
        assert (await _ask(runtime, "buy_limit", **order)).structured["status"] == "accepted"

    assert len(recorder.to("/pairs")) == 1


async def test_an_order_goes_out_where_gunbot_tells_no_list(runtime: Runtime, recorder: "Recorder") -> None:
    recorder.on("/pairs", recorder.json({"status": "error", "message": "no"}, 400))
    order = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 49000}

    assert (await _ask(runtime, "buy_limit", **order)).structured["status"] == "accepted"


# A market order's price


@pytest.mark.parametrize("tool", ["buy_market", "sell_market"])
@pytest.mark.parametrize("zero", [0, 0.0])
async def test_a_market_orders_price_of_zero_is_sent_and_is_no_price(
    runtime: Runtime, recorder: "Recorder", tool: str, zero: float
) -> None:
    order = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001}

    with_zero = await _ask(runtime, tool, **order, price=zero)
    without = await _ask(runtime, tool, **order)

    assert with_zero.structured["status"] == without.structured["status"] == "accepted", with_zero.text
    assert with_zero.structured["ticket"]["summary"] == without.structured["ticket"]["summary"]
    first, second = (request.data()["data"] for request in recorder.requests if "/trade/" in request.path)
    assert first["price"] == 0
    assert "price" not in second


async def test_a_price_of_zero_does_not_make_it_another_order() -> None:
    order = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001}
    async with Runtime(load(instances={"paper": {"mode": "auto"}})) as runtime:
        assert (await _ask(runtime, "buy_market", **order)).structured["status"] == "accepted"
        again = await _ask(runtime, "buy_market", **order, price=0)

    assert again.error["code"] == "duplicate_order"
