"""The four order reads as answers: all records, all fields, names once, and what the answer covers."""

from collections.abc import Mapping, Sequence
from typing import Any

from gunbot_mcp.arguments import Args
from gunbot_mcp.domain import to_decimal
from gunbot_mcp.endpoints import AnyEndpoint, Result
from gunbot_mcp.errors import InvalidArguments, clean
from gunbot_mcp.gunbot.records import RECORD_FIELDS, record_list, to_table
from gunbot_mcp.render import Answer, from_millis, text_table
from gunbot_mcp.tools.tool import TABLE_OUTPUT

_TABLE: Mapping[str, Any] = {**TABLE_OUTPUT["properties"], "covers": {"type": "object"}}
# Whatever Gunbot sends passes through: a client that holds it against a type would lose the whole answer.
_COUNT: Mapping[str, Any] = {"description": "as Gunbot says it"}
_LIST: Mapping[str, Any] = {"description": "a list, as Gunbot says it"}

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
    rest = {name: value for name, value in body.items() if name != "data"}
    times = [millis for record in found if (millis := _millis(record.get("time"))) is not None]
    covers = {"from": from_millis(min(times, default=None)), "to": from_millis(max(times, default=None))}
    keys: list[str] = getattr(args, "keys", None) or [getattr(args, "key", "")]
    return Answer(
        # Gunbot's own members first: none of them may take the place of the orders.
        structured={**rest, "columns": table.columns, "rows": table.rows, "covers": covers},
        text=_headline(keys, len(found), rest, covers)
        + (f"\n{text_table(table.columns, table.rows)}" if found else ""),
    )


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
    """Pass through whatever arrives: the documents disagree about what the lists hold."""
    lists: dict[str, list[Any]] = {name: value for name, value in body.items() if isinstance(value, list)}
    longest = max((len(value) for value in lists.values()), default=0)
    rows: list[list[Any]] = [
        [value[index] if index < len(value) else None for value in lists.values()] for index in range(longest)
    ]
    others = "".join(f", {clean(name, 40)} {clean(value, 80)}" for name, value in body.items() if name not in lists)
    entries = "1 entry" if longest == 1 else f"{longest} entries"
    headline = (entries if longest else "no orders today") + others
    return Answer(structured=body, text=headline + (f"\n{text_table(list(lists), rows)}" if rows else ""))
