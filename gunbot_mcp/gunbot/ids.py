"""Ids in answers are text: an id of nineteen digits, read as a JSON number, is another id in JavaScript."""

from typing import Any, cast

from gunbot_mcp.domain import MOST_EXACT

_NAMES = frozenset({"id", "orderid", "ordid", "clientorderid", "clordid", "tradeid"})
_MOST_BITS = 4096


def is_id(name: str) -> bool:
    """Whether a field of this name holds an id (and not a `Bid`)."""
    lower = name.lower()
    camel = name.endswith("Id") or (name.endswith("ID") and name[-3:-2].islower())
    return lower in _NAMES or camel or lower.endswith(("_id", "uuid"))


def exact(name: str, value: object) -> object:
    """Return a field's value with every id in it, and every whole number that JavaScript would change, as text."""
    if isinstance(value, dict):
        return {key: exact(key, member) for key, member in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [exact(name, item) for item in cast("list[Any]", value)]
    if isinstance(value, bool) or not isinstance(value, int) or value.bit_length() > _MOST_BITS:
        return value
    return str(value) if is_id(name) or abs(value) > MOST_EXACT else value
