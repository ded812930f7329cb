"""Which records of an order read this server placed: ticket, client, who approved, when. All others are Gunbot's."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from gunbot_mcp.errors import GunbotMcpError, clean
from gunbot_mcp.gunbot.ids import exact
from gunbot_mcp.render import instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gunbot_mcp.gunbot.records import Record
    from gunbot_mcp.ledger.reads import Placed
    from gunbot_mcp.tools.tool import Context

_MOST = 1_000
"""How many ids are looked up for one answer."""
_NAMED = 5

Owned = tuple[str, str]
"""A record's pair and id."""


async def placed_here(context: Context, keys: Sequence[str], records: Sequence[Record]) -> dict[Owned, str]:
    """Return in words whose those records are that this server's ledger knows; empty where no ledger is open.

    A plain read opens none: what it would cost the first time is more than the read.
    """
    desk = context.opened()
    found: dict[Owned, str] = {}
    if desk is None:
        return found
    wanted: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in records[:_MOST]:
        for exchange, pair in _places(keys, record):
            wanted[exchange, pair].append(_id(record))
    # Where the ledger cannot be asked, the records are still the answer.
    with contextlib.suppress(GunbotMcpError):
        for (exchange, pair), ids in wanted.items():
            for one in await desk.placed(exchange, pair, ids):
                found[pair, one.order_id] = _words(one)
    return found


def _places(keys: Sequence[str], record: Record) -> list[tuple[str, str]]:
    split = [(key.partition("/")[0], key.partition("/")[2]) for key in keys]
    own = record.get("pair")
    if len(split) == 1:
        return [(split[0][0], own if isinstance(own, str) and own else split[0][1])]
    return [place for place in split if place[1] == own]


def _id(record: Mapping[str, Any]) -> str:
    return str(exact("id", record.get("id")))


def _words(one: Placed) -> str:
    ticket = one.ticket
    by = "nobody known" if ticket.decided_by is None else str(ticket.decided_by)
    when = "" if one.approved_at is None else f" {instant(one.approved_at)}"
    return f"ticket {ticket.id}, {clean(ticket.client, 40)}, approved by {clean(by, 60)}{when}"


def shown(owned: Mapping[Owned, str], records: Sequence[Record], keys: Sequence[str]) -> dict[str, str]:
    """Return whose those of these records are that somebody here placed, by id."""
    if not owned:
        return {}
    pairs = {_id(record): {pair for _, pair in _places(keys, record)} for record in records}
    return {id_: words for (pair, id_), words in owned.items() if pair in pairs.get(id_, ())}


def line(found: Mapping[str, str]) -> str:
    """Return the same in one line, the first few by name; empty where there are none."""
    named = "; ".join(f"{clean(id_, 64)}: {words}" for id_, words in list(found.items())[:_NAMED])
    more = f"; {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"Placed through this server: {named}{more}; all others are Gunbot's own" if found else ""


def facts(found: Mapping[str, str]) -> dict[str, Any]:
    """Return the same for programs."""
    if not found:
        return {}
    few = dict(list(found.items())[:_NAMED])
    return {"placed_here": {**few, **({"more": len(found) - _NAMED} if len(found) > _NAMED else {})}}
