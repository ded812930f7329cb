"""`analyze_orders` from a call to the answer: on the paper gateway, and with what models get wrong."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from history.sample import LATER

from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.config import load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.errors import InvalidArguments
from gunbot_mcp.hints import LONGEST
from gunbot_mcp.history.metrics.table import METRICS
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.schema import input_schema
from gunbot_mcp.tools.history import ALL, AnalyzeArgs, question_of

if TYPE_CHECKING:
    from gunbot_mcp.render import Answer

pytestmark = pytest.mark.anyio
KEY = "binance/USDT-BTC"


async def _ask(runtime: Runtime, tool: str = "analyze_orders", **arguments: object) -> "Answer":
    answer: Any = await runtime.dispatcher.call(tool, arguments, Caller(name="tests"))
    return answer


async def test_orders_of_the_paper_gateway_are_analysed_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    order = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.0005}
    async with Runtime(load()) as runtime:
        before = await _ask(runtime)
        bought = await _ask(runtime, "buy_market", **order)
        sold = await _ask(runtime, "sell_market", **order)

        answer = await _ask(runtime, metrics=["count", "closes", "volume", "fifo_net"])
        held = await _ask(runtime, keys=[KEY], metrics=["held"])
        ours, theirs = [await _ask(runtime, placed_by=by, metrics=["count"]) for by in ("ticket", "bot")]
        unknown = await _ask(runtime, keys=["binance/BTC-USDT"])
        valued = await _ask(runtime, value_in="BTC")

    assert "0 orders are known of these keys" in before.text
    assert [one.structured["status"] for one in (bought, sold)] == ["accepted", "accepted"]
    totals = answer.structured["totals"]["USDT"]
    assert (totals["count"], totals["closes"]) == (2, 1)
    assert totals["fifo_net"] is not None
    assert answer.text.startswith("Covers ")
    assert "complete" in answer.text.splitlines()[0]
    assert "Nothing is held on binance/USDT-BTC" in held.text
    assert ours.structured["totals"]["USDT"]["count"] == 2
    assert theirs.structured["covers"]["records"] == 0
    assert "its key is binance/USDT-BTC" in unknown.text
    assert "0 orders" not in unknown.text
    assert "Rates of now, not of then: 1 USDT = " in valued.text
    assert valued.structured["value_in"]["rates"][0]["key"] == KEY


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"metrics": ["winrate"]}, "has no metric 'winrate'", '{"metrics": ["win_rate"]}'),
        ({"metrics": ["pnl", "shape"]}, "metrics[1] has no metric 'shape'", '{"metrics": ["pnl", "sharpe"]}'),
        ({"metrics": ["xyzzy"]}, "has no metric", '{"metrics": ["all"]}'),
        ({"sort": "-winrate"}, "has no metric 'winrate'", '{"sort": "-win_rate"}'),
        ({"timezone": "Berlin"}, "must be an IANA time zone", '{"timezone": "Europe/Berlin"}'),
        ({"timezone": "Mars/Olympus"}, "must be an IANA time zone", "Europe/Berlin"),
        ({"keys": [KEY] * 400}, "keys has too many items", "a list of 1 to 100 texts"),
        ({"group_by": ["minute"]}, "group_by[0]", "month"),
        ({"group_by": ["day", "pair", "side"]}, "has too many items", "month"),
        ({"min_price": 5, "max_price": 4}, "min_price must not be above max_price", '{"min_price": 4, "max_price": 5}'),
        ({"before_fees": True}, "before_fees needs lots", '{"lots": "fifo"}'),
        ({"since": "2026-02-30"}, "is no time that is known here", "last month"),
    ],
)
async def test_what_models_get_wrong_is_refused_with_what_is_right(
    arguments: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(InvalidArguments) as caught:
        parse_arguments(AnalyzeArgs, arguments)

    assert message in caught.value.message
    assert hint in caught.value.hint
    assert len(caught.value.hint) <= LONGEST


async def test_an_impossible_range_is_refused_before_gunbot_is_asked() -> None:
    async with Runtime(load()) as runtime:
        answer = await _ask(runtime, since="2026-01-02", until="2026-01-01")

    assert answer.error["code"] == "invalid_arguments"
    assert "the range is empty" in answer.text


async def test_all_metrics_have_one_name() -> None:
    question = question_of(parse_arguments(AnalyzeArgs, {"metrics": [ALL]}), LATER)

    assert question.metrics == tuple(METRICS)
    assert (question.zone, question.keys, question.method) == ("UTC", None, None)


async def test_its_schema_stays_small() -> None:
    assert len(json.dumps(input_schema(AnalyzeArgs), separators=(",", ":"))) < 1_900
