"""What every driver in Python plays: one client, one story, told line by line as JSON on stdout.

Its stdin says what to do: first the server's entry as a client's file has it, later the id of the ticket that a human
has decided about meanwhile.
"""

import importlib.metadata
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

Call = Callable[[str, dict[str, Any]], Awaitable[object]]

PAIR = {"exchange": "binance", "pair": "USDT-BTC"}
BUY = {**PAIR, "amount": 0.001, "price": 48000}
TOO_LARGE = {**BUY, "amount": 1}
MISTAKEN = {**BUY, "price": -1}


@dataclass(frozen=True, slots=True)
class Entry:
    """The server as a client starts it."""

    command: str
    args: list[str]
    env: dict[str, str]


def entry() -> Entry:
    return Entry(**json.loads(sys.stdin.readline()))


def tell(stage: str, **facts: object) -> None:
    print(json.dumps({"stage": stage, **facts}, default=str), flush=True)


def as_text(found: object) -> str:
    """What a client hands to its model: a text, or what it would write as one."""
    return found if isinstance(found, str) else json.dumps(found, default=str, ensure_ascii=False)


async def play(
    package: str, schemas: Mapping[str, object], call: Call, *, left_out: Mapping[str, Any] | None = None
) -> None:
    """Tell the story: `call` returns what reaches the model, `left_out` is what this client sends for nothing."""
    nothing = dict(left_out or {})
    tell("lists", version=importlib.metadata.version(package), schemas=schemas)
    # Some clients write a whole number as 10.0.
    page = {"key": "binance/USDT-BTC", "page": 0.0, "page_size": 10.0, **only(nothing, "fields", "max_rows")}
    for tool, arguments in (("get_quote", PAIR), ("list_orders_page", page)):
        tell("reads", tool=tool, text=as_text(await call(tool, arguments)))
    optional = only(nothing, "repeat_of")
    tell("refused", text=as_text(await call("buy_limit", {**TOO_LARGE, **optional})))
    tell("mistaken", text=as_text(await call("buy_limit", {**MISTAKEN, **optional})))
    tell("proposed", text=as_text(await call("buy_limit", {**BUY, **optional})))
    ticket = sys.stdin.readline().strip()
    tell("after", text=as_text(await call("get_ticket", {"ticket_id": ticket})))


def only(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}


def quiet() -> None:
    """No telemetry, and no look for newer releases: nothing of this leaves the machine."""
    switched_off = ("DO_NOT_TRACK", "OTEL_SDK_DISABLED", "CREWAI_DISABLE_TELEMETRY", "OPENAI_AGENTS_DISABLE_TRACING")
    os.environ.update(dict.fromkeys(switched_off, "true"))
    os.environ.update(ANONYMIZED_TELEMETRY="false", MCP_USE_ANONYMIZED_TELEMETRY="false", OPENAI_API_KEY="none")
