"""The four order reads as answers: all records, all fields, names once, and what the answer covers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gunbot_mcp.arguments import Args
from gunbot_mcp.domain import to_decimal
from gunbot_mcp.endpoints import AnyEndpoint, Result
from gunbot_mcp.errors import InvalidArguments, clean
from gunbot_mcp.gunbot.ids import exact
from gunbot_mcp.gunbot.records import RECORD_FIELDS, record_list, to_table
from gunbot_mcp.render import Answer, from_millis, text_table
from gunbot_mcp.tools.tool import TABLE_OUTPUT

_TABLE: Mapping[str, Any] = {**TABLE_OUTPUT["properties"], "covers": {"type": "object"}}
_COUNT: Mapping[str, Any] = {"type": ["integer", "number", "null"]}
_LIST: Mapping[str, Any] = {"type": "array"}

ORDERS_OUTPUT: Mapping[Result, Mapping[str, Any]] = {
    Result.ORDERS: {**TABLE_OUTPUT, "properties": _TABLE},
    Result.DAYS: {"type": "object", "properties": {"days": _LIST, "orders": _LIST, "closeOrders": _LIST}},
    Result.PAGE: {
        **TABLE_OUTPUT,
        "properties": {**_TABLE, "total": _COUNT, "totalCount": _COUNT, "page": _COUNT},
    },
}


def orders_answer(endpoint: AnyEndpoint, args: Args, body: dict[str, Any]) -> Answer:
    """Return both forms of an order read's body.

    Raises:
        InvalidArguments: `fields` names a column that neither the documents nor these records know.
    """
    if endpoint.result is Result.DAYS:
        return _days_answer(body)
    found = record_list(body)
    wanted: Sequence[str] | None = getattr(args, "fields", None)
    if wanted:
        known = {*RECORD_FIELDS, *(name for record in found for name in record)}
        strange = [name for name in wanted if name not in known]
        if strange:
            raise InvalidArguments(
                f"fields: no such column {clean(strange[0], 64)!r}",
                "columns are " + ", ".join(sorted(known, key=str.lower)),
            )
    table = to_table(found, list(dict.fromkeys(wanted)) if wanted else None)
    rest = {name: exact(name, value) for name, value in body.items() if name != "data"}
    times = [millis for record in found if (millis := _millis(record.get("time"))) is not None]
    covers = {"from": from_millis(min(times, default=None)), "to": from_millis(max(times, default=None))}
    keys = keys_of(args)
    return Answer(
        # Gunbot's own members first: none of them may take the place of the orders.
        structured={**rest, "columns": table.columns, "rows": table.rows, "covers": covers},
        text=_headline(keys, len(found), rest, covers)
        + (f"\n{text_table(table.columns, table.rows)}" if found else ""),
    )


def keys_of(args: Args) -> list[str]:
    """Return the `exchange/pair` keys that a read asks for."""
    return getattr(args, "keys", None) or [getattr(args, "key", "")]


def keys_without_orders(endpoint: AnyEndpoint, keys: Sequence[str], body: Mapping[str, Any]) -> list[str]:
    """Return the keys of which this answer of Gunbot holds nothing; a name may be wrong there."""
    if endpoint.result is Result.DAYS:
        return [] if any(isinstance(value, list) and value != [] for value in body.values()) else list(keys)
    found = record_list(body)
    if len(keys) == 1:
        return [] if found else list(keys)
    seen = {record.get("pair") for record in found}
    return [key for key in keys if key.partition("/")[2] not in seen]


def _millis(time: object) -> int | float | None:
    """Return a record's time as a number, however Gunbot wrote it."""
    if type(time) is int:  # almost always
        return time
    number = to_decimal(time)
    return None if number is None else float(number)


def _headline(keys: Sequence[str], count: int, rest: dict[str, Any], covers: dict[str, str | None]) -> str:
    named = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")  # noqa: PLR2004 - fits a line
    page = f", page {rest['page']}" if "page" in rest else ""
    totals = "".join(f", {name} {clean(rest[name], 40)}" for name in ("total", "totalCount") if name in rest)
    span = f", {covers['from']} to {covers['to']}" if covers["from"] else ""
    noun = "order" if count == 1 else "orders"
    others = "".join(f", {clean(name, 40)} {clean(value, 80)}" for name, value in rest.items() if name not in _SAID)
    return f"{count} {noun} that Gunbot has stored for {named}{page}{totals}{span}{others}"


_SAID = frozenset({"page", "total", "totalCount"})


def _days_answer(body: dict[str, Any]) -> Answer:
    """Pass through whatever arrives: the documents disagree about what the lists hold, counts or ids.

    They are read side by side, as days with their counts, only where they can be nothing else.
    """
    exactly: dict[str, Any] = exact("", body)
    lists: dict[str, list[Any]] = {name: value for name, value in exactly.items() if isinstance(value, list)}
    others = "".join(f", {clean(name, 40)} {clean(value, 80)}" for name, value in exactly.items() if name not in lists)
    if not any(lists.values()):
        return Answer(structured=exactly, text=f"no orders today{others}")
    counted = _counts(lists)
    if counted is not None:
        return Answer(structured=exactly, text=f"{counted}{others}")
    lines = [text_table([name], [[item] for item in value]) for name, value in lists.items() if value]
    headline = f"Gunbot's lists for today as they came, counts or ids: nothing is counted here{others}"
    return Answer(structured=exactly, text="\n".join([headline, *lines]))


_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOST_A_DAY = 10_000
"""More orders than this a bot does not fill in a day; ids are larger."""


def _counts(lists: Mapping[str, list[Any]]) -> str | None:
    """Return the counts of each day in words, or None if the lists may hold something else."""
    days, orders, closed = (lists.get(name, []) for name in ("days", "orders", "closeOrders"))
    if len(lists) != 3:  # noqa: PLR2004 - these and no other
        return None
    whole = all(type(count) is int and 0 <= count <= _MOST_A_DAY for count in (*orders, *closed))
    dated = all(isinstance(day, str) and _DAY.fullmatch(day) for day in days)
    if not (whole and dated and len(days) == len(orders) == len(closed)):
        return None
    return "; ".join(
        f"{day}: {count} {'order' if count == 1 else 'orders'}, {ended} of them closing"
        for day, count, ended in zip(days, orders, closed, strict=True)
    )
