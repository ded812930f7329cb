"""How requests look on the wire: exact digits in bodies, single encoding in queries."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast
from urllib.parse import urlencode

from gunbot_mcp.domain import decimal_text


def json_text(value: object) -> str:
    """Return compact JSON in which every `Decimal` is a number with exactly its digits."""
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value).items()
        return "{" + ",".join(f"{json.dumps(name)}:{json_text(member)}" for name, member in members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(json_text(item) for item in cast("Sequence[Any]", value)) + "]"
    return json.dumps(value)


def query_text(fields: Mapping[str, Any]) -> str:
    """Return a query string: lists repeat their name (`keys%5B%5D=a&keys%5B%5D=b`), everything encoded exactly once."""
    return urlencode(list(fields.items()), doseq=True)
