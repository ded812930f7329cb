"""What every tool accepts, and for every argument what it refuses; how a test calls, and obeys a hint."""

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from gunbot_mcp.arguments import Args
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.render import error_answer
from gunbot_mcp.tools.inventory import inventory
from gunbot_mcp.tools.tool import Audience

if TYPE_CHECKING:
    from gunbot_mcp.runtime import Runtime

CALLS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "sample_calls.json").read_text(encoding="utf-8")
)
_FILLED: dict[str, dict[str, Any]] = {call["tool"]: call["arguments"] for call in CALLS} | {
    "get_quote": {"exchange": "binance", "pair": "USDT-BTC"},
    "get_balances": {"exchange": "binance"},
    "list_open_orders": {"exchange": "binance", "pair": "USDT-BTC"},
    "list_exchanges": {},
    "list_pairs": {"exchange": "binance", "contains": "BTC"},
    "get_limits": {},
    "get_ticket": {"ticket_id": "abc123"},
    "list_tickets": {"open_only": True, "count": 5, "since": "today", "timezone": "Europe/Berlin"},
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
    "get_positions": {"exchange": "binance", "value_in": "USDT", "limit": 5},
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
NAMES = sorted({name for model in MODELS.values() for name in model.model_fields})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
PLAUSIBLE = (
    st.sampled_from(["binance", "binance#2", "USDT-BTC", "binance/USDT-BTC", "UTC", "limit", "357044"])
    | st.sampled_from([["binance/USDT-BTC"], ["rate"], 0, 1, 10, 0.5])
    | JSON
)


async def call(runtime: "Runtime", tool: str, arguments: object) -> Any:  # noqa: ANN401 - an answer of any shape
    return await runtime.dispatcher.call(tool, arguments, Caller(name="tests"))


def obeyed(given: dict[str, Any], hint: str) -> dict[str, Any]:
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


def hint_of(caught: GunbotMcpError) -> str:
    """Return a hint as callers see it."""
    return str(error_answer(caught).error["hint"])
