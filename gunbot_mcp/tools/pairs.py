"""`list_pairs`: what an exchange has and what cycles there; and what other tools say of a pair that is not there."""

import functools
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Annotated, TypeVar

from pydantic import Field, WithJsonSchema

from gunbot_mcp.arguments import Args, Exchange
from gunbot_mcp.domain import Effect
from gunbot_mcp.errors import GatewayError, GatewayInvalidResponse, GatewayRejected, InvalidArguments, clean
from gunbot_mcp.guard.market import at_once, pairs_of
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.pairs import Known, look_up
from gunbot_mcp.render import Answer, table_answer
from gunbot_mcp.tools.tool import TABLE_OUTPUT, Audience, Context, Tool

Found = TypeVar("Found")

MOST = 400
"""How many names one answer holds: about half of what an answer may weigh."""
_EXCHANGES_ASKED = 5


_Part = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]+$", max_length=64), WithJsonSchema({"type": "string"})]


class PairsArgs(Args):
    exchange: Exchange
    contains: Annotated[_Part | None, Field(description="part of a name, e.g. BTC")] = None


async def _list_pairs(context: Context, args: PairsArgs) -> Answer:
    names: list[str] | GatewayError = []
    enabled: dict[str, bool | None] | None = None

    async def ask_names() -> None:
        nonlocal names
        try:
            names = await context.gunbot.pairs(args.exchange)
        except GatewayError as exc:
            names = exc

    async def ask_enabled() -> None:
        nonlocal enabled
        try:
            enabled = await context.gunbot.enabled_pairs(args.exchange)
        except GatewayError:
            enabled = None  # then it is not known, which is what None says

    await at_once(ask_names, ask_enabled)
    if isinstance(names, GatewayError):
        if not enabled:
            raise names
        names = []
    return _pairs_answer(args, names, enabled)


def _pairs_answer(args: PairsArgs, names: Sequence[str], enabled: dict[str, bool | None] | None) -> Answer:
    cycling = enabled or {}
    every = dict.fromkeys((*names, *cycling))
    part = (args.contains or "").upper()
    wanted = [name for name in every if part in name.upper()]
    # What cycles first: only that can be traded.
    wanted.sort(key=lambda name: (not cycling.get(name, False), name not in cycling))
    shown = [[clean(name, 64), None if enabled is None else cycling.get(name, False)] for name in wanted[:MOST]]
    noun = "pair" if len(wanted) == 1 else "pairs"
    which = f" with {args.contains}" if args.contains else ""
    said = f"{len(wanted)} {noun}{which} on {args.exchange}, the asset that pays first"
    if enabled is None:
        said += "; Gunbot does not say what is enabled"
    else:
        said += f"; {sum(cycling.get(name) is True for name in wanted)} enabled (one must cycle for any order there)"
    if len(wanted) > len(shown):
        said += f"; the first {len(shown)} are shown: narrow it with contains"
    return table_answer(said, ["pair", "enabled"], shown)


# What other tools say of a name


async def rightly_named(gunbot: Gunbot, keys: Sequence[str], work: Awaitable[Found]) -> Found:
    """Return what `work` answers. If Gunbot cannot answer it, and a key is another's wrong spelling, say so instead.

    Raises:
        InvalidArguments: it names the right pair.
        GatewayError: as `work` raised it.
    """
    try:
        return await work
    except (GatewayRejected, GatewayInvalidResponse) as exc:
        for key, known in (await _look_up(gunbot, keys)).items():
            if known.right is not None:
                exchange = key.partition("/")[0]
                hint = f"call again with {clean(known.right, 64)} on {exchange}; the asset that pays stands first"
                raise InvalidArguments(_said(key, known), hint) from exc
        raise


async def with_names(gunbot: Gunbot, keys: Sequence[str], answer: Answer) -> Answer:
    """Return an answer without records of these keys; if their exchange has no such pair, it says so.

    An answer that holds records of other keys speaks of a name only if it is another's wrong spelling.
    """
    empty = not answer.structured.get("rows")
    found = (await _look_up(gunbot, keys)).items()
    notes = [_said(key, known) for key, known in found if known.right is not None or (empty and not known.there)]
    if not notes:
        return answer
    note = ". ".join(notes[:_EXCHANGES_ASKED]) + "."
    return replace(answer, structured={**answer.structured, "note": note}, text=f"{answer.text}\n{note}")


async def not_there(gunbot: Gunbot, keys: Sequence[str]) -> list[str]:
    """Return words about each of these keys whose pair the exchange's list does not have."""
    found = (await _look_up(gunbot, keys)).items()
    return [_said(key, known) for key, known in found if known.right is not None or not known.there][:_EXCHANGES_ASKED]


async def _look_up(gunbot: Gunbot, keys: Sequence[str]) -> dict[str, Known]:
    """Return what the exchanges' lists say of each key; a key whose exchange has no list is left out."""
    lists: dict[str, list[str] | None] = {}

    async def ask(exchange: str) -> None:
        lists[exchange] = await pairs_of(gunbot, exchange)

    exchanges = dict.fromkeys(key.partition("/")[0] for key in keys)
    await at_once(*(functools.partial(ask, exchange) for exchange in list(exchanges)[:_EXCHANGES_ASKED]))
    split = ((key, *key.partition("/")[::2]) for key in dict.fromkeys(keys))
    return {key: look_up(pair, names) for key, exchange, pair in split if (names := lists.get(exchange))}


def _said(key: str, known: Known) -> str:
    exchange, _, pair = key.partition("/")
    if known.right is not None:
        right = clean(known.right, 64)
        return f"{exchange} has no pair {pair}: Gunbot writes it {right}, so its key is {exchange}/{right}"
    near = " and ".join(clean(name, 64) for name in known.near)
    return f"Gunbot's list of {exchange} has no {pair}" + (f"; it has {near}" if near else "")


# Unannotated like the table of endpoints, and for the same reason.
PAIR_TOOLS = (
    Tool(
        name="list_pairs",
        title="List pairs",
        about="The pairs of an exchange as Gunbot writes them, and which are enabled there.",
        args=PairsArgs,
        output=TABLE_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_list_pairs,
    ),
)
