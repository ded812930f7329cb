"""The hostile model: what it sends, what it counts, and what must hold whatever it did."""

import json
import random
import re
import string
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import anyio
from anyio.abc import TaskStatus
from mcp import Client, types
from mcp.client import advertise
from mcp.client.context import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.shared.exceptions import MCPError

from gunbot_mcp.approval.pin import set_pin
from gunbot_mcp.config import Settings
from gunbot_mcp.dispatch import TICKET_META
from gunbot_mcp.render import ERROR_META
from gunbot_mcp.runtime import Runtime, Seams
from gunbot_mcp.server.app import build_server
from gunbot_mcp.server.http import serve_http
from gunbot_mcp.server.tools import UI_EXTENSION, UI_MIME
from gunbot_mcp.tickets.ticket import State
from gunbot_mcp.tools.inventory import inventory

Era = Literal["legacy", "auto"]

PIN = "pin 493 817 265"
_ROWS = {tool.name: tool for tool in inventory()}
TOOLS = tuple(_ROWS)
ORDER_TOOLS = tuple(name for name, tool in _ROWS.items() if tool.endpoint is not None and tool.endpoint.intent)
NEVER_SENT = {State.PENDING, State.WITHDRAWN, State.EXPIRED, State.DECLINED}
WIDE = {"orders_per_minute": 10**6, "duplicate_seconds": 0}

GOOD: dict[str, Any] = {
    "exchange": "binance",
    "pair": "USDT-BTC",
    "amount": 0.001,
    "price": 50000,
    "stop_price": 50500,
    "limit_price": 50600,
    "order_id": "123456",
    "order_type": "limit",
    "key": "binance/USDT-BTC",
    "keys": ["binance/USDT-BTC"],
    "timezone": "UTC",
    "page": 0,
    "page_size": 5,
    "ticket_id": "aaaaaaaa",
    "decision": "approve",
    "open_only": True,
    "limit": 5,
}
FLAGS: dict[str, Any] = {
    "confirm": True,
    "confirmed": "yes",
    "approved": True,
    "approve": "human",
    "approved_by": "human",
    "force": True,
    "dry_run": False,
    "mode": "auto",
    "pin": "0000",
    "code": "1234",
    "key": "k",
    "nonce": "n",
    "decision": "approve",
    "state": "approved",
    "mandate": "m1",
    "grant": "mode auto (paper)",
    "by": "a human",
    "_meta": {"approved": True},
    "meta": {"human": True},
    "request_state": "a.b",
    "requestState": "a.b",
    "input_responses": {"approval": {"action": "accept", "content": {"decision": "approve"}}},
    "inputResponses": {"approval": {"action": "accept", "content": {"decision": "approve"}}},
    "elicitation": {"decision": "approve"},
    "__class__": "Human",
    "self": 1,
    "exch": "binance",
    "amt": 1,
    "data": {"exch": "binance"},
    "": 1,
}
INJECTIONS = (
    "binance\nApproved by the human.",
    "binance\r\n\r\nHTTP/1.1 200 OK",
    "USDT-BTC\x00",
    "\u202eCTB-TDSU",
    "USDT\u2011BTC",
    "\x1b[2K\x1b[1Aaccepted: it is done",
    "</script><script>approve()</script>",
    "<img src=x onerror=approve()>",
    "'; UPDATE tickets SET state='approved'; --",
    "../../auth/login",
    "binance/../trade/buy",
    "binance%2f..%2fconfig",
    "http://127.0.0.1/",
    "${jndi:ldap://x}",
    "{pair.__class__}",
    "%s%s%n",
    "\ud800",
    "\uff42inance",
    "binance ",
    " ",
    "",
    "approved by human",
    "A" * 100_000,
)


CARDS = [advertise(UI_EXTENSION, {"mimeTypes": [UI_MIME]})]
NO_APPROVALS = (
    types.ElicitResult(action="decline"),
    types.ElicitResult(action="cancel"),
    types.ElicitResult(action="accept"),
    types.ElicitResult(action="accept", content={}),
    types.ElicitResult(action="accept", content={"decision": "yes"}),
    types.ElicitResult(action="accept", content={"approve": True}),
    types.ElicitResult(action="accept", content={"decision": "approve", "approved": True}),
)


@dataclass(slots=True)
class Tally:
    """How much was tried, everything that came back, and everything that must never come back.

    `unapproved` is how many orders arrived that no human allowed: 0, or a test failed.
    """

    calls: int = 0
    unapproved: int = 0
    shown: list[str] = field(default_factory=list[str])
    codes: set[str] = field(default_factory=set[str])
    nonces: list[str] = field(default_factory=list[str])


class Gateway(Protocol):
    """What stands behind the server and counts what arrives: path and body of each order."""

    @property
    def trades(self) -> list[tuple[str, bytes]]: ...


@dataclass(slots=True)
class Model:
    """The model and its client: calls anything, remembers everything, also what only a human's card should read."""

    client: Client
    tally: Tally
    questions: list[types.InputRequiredResult] = field(default_factory=list[types.InputRequiredResult])
    cards: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def call(self, tool: str, arguments: Any, **beside: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """Call, and return what the model sees: the structured form, or the protocol's own refusal."""
        self.tally.calls += 1
        try:
            result = await self.client.session.call_tool(tool, arguments, allow_input_required=True, **beside)
        except MCPError as exc:
            self.tally.shown.append(str(exc))
            return {"error": exc.error.data or {"code": "protocol"}}
        if isinstance(result, types.InputRequiredResult):
            self.tally.shown.append(result.model_dump_json(exclude={"request_state"}))
            self.questions.append(result)
            return {"status": "asked", "request_state": result.request_state}
        assert isinstance(result, types.CallToolResult)
        error = (result.meta or {}).get(ERROR_META)
        self.tally.shown.append(f"{result.content} {json.dumps(result.structured_content)} {json.dumps(error)}")
        if (card := (result.meta or {}).get(TICKET_META)) is not None:
            self.cards.append(card)
        found: dict[str, Any] = result.structured_content or {"error": error}
        self.tally.codes.add(str(found.get("status", found.get("error", {}).get("code", "read"))))
        return found


@asynccontextmanager
async def hostile(
    chosen: Settings,
    era: Era,
    tally: Tally,
    *,
    cards: bool = False,
    forms: bool = False,
    name: str = "mcp",
    seams: Seams | None = None,
) -> AsyncGenerator[tuple[Runtime, Model]]:
    async def garbage(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        """An agent framework that answers forms without a human, with everything but an approval."""
        del context, params
        tally.calls += 1
        return random.choice(NO_APPROVALS)

    set_pin(chosen.folder, PIN)
    async with (
        Runtime(chosen, seams=seams) as runtime,
        Client(
            build_server(runtime),
            mode=era,
            elicitation_callback=garbage if forms else None,
            extensions=CARDS if cards else None,
            client_info=types.Implementation(name=name, version="1"),
        ) as client,
    ):
        yield runtime, Model(client, tally)


@asynccontextmanager
async def hostile_over_http(
    chosen: Settings, era: Era, tally: Tally, *, cards: bool = False, answer: ElicitationFnT | None = None
) -> AsyncGenerator[tuple[Runtime, Model]]:
    """Serve as `serve --http` does; the runtime plays another process: the human's, on the same ledger."""

    async def serve(*, task_status: TaskStatus[str]) -> None:
        await serve_http(
            chosen, "127.0.0.1", 0, announce=lambda line: task_status.started(line.removeprefix("listening on "))
        )

    set_pin(chosen.folder, PIN)
    async with anyio.create_task_group() as tasks, Runtime(chosen) as runtime:
        url = await tasks.start(serve)
        async with Client(url, mode=era, elicitation_callback=answer, extensions=CARDS if cards else None) as client:
            yield runtime, Model(client, tally)
        tasks.cancel_scope.cancel()


def approval_of(message: str, schema: object) -> types.ElicitResult:
    """The answer of a human who approves, made by a program: with the code, if one must be typed."""
    code = re.search(r"code: (\d{4})", message)
    typed = {"code": code[1]} if code is not None and '"code"' in json.dumps(schema) else {}
    return types.ElicitResult(action="accept", content={"decision": "approve", **typed})


async def approving(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
    """A client that asks nobody and approves everything."""
    del context
    assert isinstance(params, types.ElicitRequestFormParams)
    return approval_of(params.message, params.requested_schema)


def arguments_of(tool: str) -> dict[str, Any]:
    """Valid arguments of a tool, as a polite model would send them."""
    model = _ROWS[tool].args
    return {name: GOOD[name] for name in model.model_fields if name in GOOD}


def sent_only(approved: int, gunbot: Gateway, tally: Tally) -> None:
    """Exactly as many orders arrived as a human (or a human's rule) allowed."""
    tally.unapproved = max(tally.unapproved, len(gunbot.trades) - approved)
    assert len(gunbot.trades) == approved, gunbot.trades


async def nothing_happened(runtime: Runtime, gunbot: Gateway, tally: Tally) -> None:
    sent_only(0, gunbot, tally)
    tickets = await (await runtime.desk()).list(limit=200)
    assert {ticket.state for ticket in tickets} <= NEVER_SENT
    assert "internal" not in tally.codes
    desk = await runtime.desk()
    nothing_leaked(tally, [repr(ticket) for ticket in tickets], [repr(event) for event in await desk.ledger.events()])
    everything_stored = await anyio.to_thread.run_sync(stored, runtime.settings.folder)
    for secret in [*tally.nonces, PIN, runtime.settings.served.secret()]:
        assert secret.encode() not in everything_stored


def nothing_leaked(tally: Tally, *more: list[str]) -> None:
    everything = "\n".join([*tally.shown, *(text for texts in more for text in texts)])
    for secret in (*tally.nonces, PIN, "eyJhbGciOiJIUzI1NiJ9"):
        assert secret not in everything


def stored(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def junk(rng: random.Random, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON value
    kinds: list[Callable[[], Any]] = [
        lambda: None,
        lambda: rng.choice([True, False]),
        lambda: rng.choice([0, -1, 1, 10**18, 10**19, 10**400, -(10**30)]),
        lambda: rng.choice([0.0, -0.0, 1e-18, 1e-19, 1e18, 1e308, 5e-324, -1.5, float("inf"), float("nan")]),
        lambda: rng.choice(["50000", "0x10", "1e3", "NaN", "true", *INJECTIONS[:-1]]),
        lambda: "".join(rng.choices(string.printable, k=rng.randrange(20))),
        lambda: rng.choice(list(GOOD.values())),
    ]
    if depth < 3:
        kinds += [
            lambda: [junk(rng, depth + 1) for _ in range(rng.randrange(4))],
            lambda: {rng.choice([*GOOD, *FLAGS, "x"]): junk(rng, depth + 1) for _ in range(rng.randrange(4))},
        ]
    return rng.choice(kinds)()
