"""One pair of Gunbot's core memory: its open orders, and whether it moved since it was last looked at.

Nothing in the memory says how old it is. It is refreshed once per cycle, so only a difference shows that it moved on.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gunbot_mcp.gunbot.records import OpenOrder, memory_of, open_orders


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMemory:
    """`orders` None: not known, since the pair is missing or not populated yet. `mark` changes with any field of it."""

    orders: tuple[OpenOrder, ...] | None
    mark: str | None


def pair_memory(body: Mapping[str, Any], key: str) -> PairMemory:
    """Return what a core-memory answer says of `exchange/pair`.

    Raises:
        GatewayInvalidResponse: its open orders are there, but are not a list of objects.
    """
    memory, found = memory_of(body, key), open_orders(body, key)
    if found is None:
        return PairMemory(orders=None, mark=None)
    text = json.dumps(memory, sort_keys=True, default=str)
    return PairMemory(orders=tuple(found), mark=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16])
