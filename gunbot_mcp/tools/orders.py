"""The four order reads as answers: all records, all fields, names once, and what the answer covers."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import to_json

from gunbot_mcp.arguments import Args
from gunbot_mcp.endpoints import BY_NAME, AnyEndpoint, Result
from gunbot_mcp.errors import InvalidArguments, clean
from gunbot_mcp.gunbot.ids import exact
from gunbot_mcp.gunbot.records import RECORD_FIELDS, Record, record_list, to_table
from gunbot_mcp.render import (
    Answer,
    Window,
    cut_at,
    cut_words,
    fit_or_clip,
    from_millis,
    go_on,
    short,
    short_record,
    text_table,
)
from gunbot_mcp.tools import provenance
from gunbot_mcp.tools.columns import TIME_ISO, meanings, meanings_line, millis, with_times
from gunbot_mcp.tools.tool import TABLE_OUTPUT

_TABLE: Mapping[str, Any] = {**TABLE_OUTPUT["properties"], "covers": {"type": "object"}}
# Whatever Gunbot sends passes through: a client that holds it against a type would lose the whole answer.
_COUNT: Mapping[str, Any] = {"description": "as Gunbot says it"}
_LIST: Mapping[str, Any] = {"description": "a list, as Gunbot says it"}

ORDERS_OUTPUT: Mapping[Result, Mapping[str, Any]] = {
    Result.ORDERS: {**TABLE_OUTPUT, "properties": _TABLE},
    Result.DAYS: {
        "type": "object",
        "properties": {
            "days": _LIST,
            "orders": _LIST,
            "closeOrders": _LIST,
            "keys": {"description": "whose orders these are, together"},
        },
    },
    Result.PAGE: {
        **TABLE_OUTPUT,
        "properties": {**_TABLE, "total": _COUNT, "totalCount": _COUNT, "page": _COUNT},
    },
}


def orders_answer(
    endpoint: AnyEndpoint, args: Args, body: dict[str, Any], owned: Mapping[provenance.Owned, str] | None = None
) -> Answer:
    """Return both forms of an order read's body; `owned` says in words which records this server placed.

    Raises:
        InvalidArguments: `fields` names a column that neither the documents nor these records know.
    """
    window = Window(tool=endpoint.name, asked=args)
    if endpoint.result is Result.DAYS:
        return _days_that_fit(body, window, keys_of(args))
    found = record_list(body)
    wanted: Sequence[str] | None = getattr(args, "fields", None)
    if wanted:
        known = {*RECORD_FIELDS, TIME_ISO, *(name for record in found for name in record)}
        strange = [name for name in wanted if name not in known]
        if strange:
            instead = [name for name in wanted if name in known] or ["time", "type", "rate", "amount"]
            columns = ", ".join(sorted(known, key=str.lower))
            raise InvalidArguments(
                f"fields: no such column {clean(strange[0], 64)!r}",
                f"columns are {clean(columns, 400)}; for example {json.dumps({'fields': instead})}",
            )
    shown = _Shown(
        window=window,
        found=found,
        rest=_brief({name: exact(name, value) for name, value in body.items() if name != "data"}),
        columns=list(dict.fromkeys(wanted)) if wanted else None,
        owned=owned or {},
    )
    return shown.answer()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """The records of one answer of Gunbot, as many of them as fit."""

    window: Window
    found: Sequence[Record]
    rest: Mapping[str, Any]
    columns: Sequence[str] | None
    owned: Mapping[provenance.Owned, str]

    def answer(self) -> Answer:
        return fit_or_clip(self.window.most(len(self.found)), self.build, self.window.room)

    @property
    def bulk(self) -> bool:
        """Whether somebody asked for so many rows that a program reads them: each byte of a row counts then."""
        return (self.window.max_rows or 0) > _BULK

    @property
    def start(self) -> int:
        """Return how many records come before these."""
        asked = self.window.asked
        return getattr(asked, "page", 0) * getattr(asked, "page_size", 0)

    def build(self, fits: int, *, clip: bool = False) -> Answer:
        # The next page begins where this answer ends only if it ends at a multiple of that page's size.
        count = fits if fits in {0, len(self.found)} else page_after(self.start, fits)[0]
        records = [short_record(record) for record in self.found[:count]] if clip else self.found[:count]
        table = to_table(records, self.columns)
        if self.columns or not self.bulk:
            table = with_times(table, records, self.columns)
        times = [time for record in records if (time := millis(record.get("time"))) is not None]
        meant = meanings(table.columns) if records else {}
        ours = provenance.shown(self.owned, records, keys_of(self.window.asked))
        covers = {"from": from_millis(min(times, default=None)), "to": from_millis(max(times, default=None))}
        cut = self.cut(count, fits, clip=clip)
        asked = self.window.asked
        headline = _headline(keys_of(asked), len(self.found), self.rest, covers) + _cut_words(cut)
        return Answer(
            # Gunbot's own members first: none of them may take the place of the orders.
            structured={
                **self.rest,
                "columns": table.columns,
                "rows": table.rows,
                "covers": covers,
                **({"meanings": meant} if meant and not self.bulk else {}),
                **provenance.facts(ours),
                **cut,
            },
            text="\n".join(
                filter(
                    None, [headline, text_table(table.columns, table.rows), meanings_line(meant), provenance.line(ours)]
                )
            )
            if records
            else headline,
        )

    def cut(self, count: int, fits: int, *, clip: bool) -> dict[str, Any]:
        """Return the member `cut` of an answer that does not hold all these records whole."""
        note = {"note": "long fields are clipped"} if clip else {}
        following = {"next": self.following(fits)} if count < len(self.found) else {}
        if not (note or following):
            return {}
        return {"cut": {"rows": count, "of": len(self.found), **note, **following}}

    def following(self, fits: int) -> Mapping[str, Any]:
        """Return the call that goes on after those that are shown of the first `fits` records."""
        _, page, size = page_after(self.start, fits)
        changes: dict[str, Any] = {"page": page, "page_size": size}
        if self.window.tool != BY_NAME["list_orders"].name:
            return self.window.call(**changes)
        # Pages begin with the newest record. Where this list does not, they are read from the first one.
        times = [millis(record.get("time")) for record in self.found]
        known = [time for time in times if time is not None]
        if len(known) < len(times) or known != sorted(known, reverse=True):
            changes["page"] = 0
        return replace(self.window, tool="list_orders_page").call(**changes)


def page_after(start: int, fits: int) -> tuple[int, int, int]:
    """Return (rows to show, next page, its size), so that the next page begins right after those rows.

    `start` is how many records come before these, `fits` how many fit an answer. A page of size s begins at a multiple
    of s, so a few rows less than fit are shown where that makes the numbers meet.
    """
    most = max(1, min(fits, _LARGEST_PAGE))
    sizes = range(most, max(0, most * 3 // 4 - 1), -1)
    shown, size = max(((start + fits) // size * size - start, size) for size in sizes)
    return shown, (start + shown) // size, size


_LARGEST_PAGE = 1000
_BULK = 100
_BRIEF = 4_000


def _brief(rest: Mapping[str, Any]) -> dict[str, Any]:
    """Return Gunbot's other members of an answer; where they are long, only those that are documented, and a note."""
    if len(to_json(rest)) <= _BRIEF:
        return dict(rest)
    kept = {name: rest[name] for name in rest if name in _SAID and len(to_json(rest[name])) <= _BRIEF // 100}
    return {**kept, "left_out": f"{len(rest) - len(kept)} other members that are too long"}


def _cut_words(cut: Mapping[str, Any]) -> str:
    if not cut:
        return ""
    facts = cut["cut"]
    words = [f"the first {facts['rows']} of them are shown" if "next" in facts else "", facts.get("note", "")]
    return "; ".join(["", *filter(None, words), *([go_on(facts["next"])] if "next" in facts else [])])


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


def _headline(keys: Sequence[str], count: int, rest: Mapping[str, Any], covers: dict[str, str | None]) -> str:
    named = _named(keys)
    page = f", page {rest['page']}" if "page" in rest else ""
    totals = "".join(f", {name} {clean(rest[name], 40)}" for name in ("total", "totalCount") if name in rest)
    span = f", {covers['from']} to {covers['to']}" if covers["from"] else ""
    noun = "order" if count == 1 else "orders"
    others = "".join(f", {clean(name, 40)} {clean(value, 80)}" for name, value in rest.items() if name not in _SAID)
    return f"{count} {noun} that Gunbot has stored for {named}{page}{totals}{span}{others}"


_FIT_A_LINE = 5


def _named(keys: Sequence[str]) -> str:
    more = len(keys) - _FIT_A_LINE
    return ", ".join(keys[:_FIT_A_LINE]) + (f" and {more} more" if more > 0 else "")


_SAID = frozenset({"page", "total", "totalCount"})


def _days_that_fit(body: dict[str, Any], window: Window, keys: Sequence[str]) -> Answer:
    lists: dict[str, list[Any]] = {name: value for name, value in body.items() if isinstance(value, list)}
    others = _brief({name: value for name, value in body.items() if name not in lists})
    total, skip = max((len(value) for value in lists.values()), default=0), window.skip

    def build(count: int, *, clip: bool = False) -> Answer:
        shown = {name: value[skip : skip + count] for name, value in lists.items()}
        lists_shown = {name: [*map(short, value)] if clip else value for name, value in shown.items()}
        answer = _days_answer({**lists_shown, **others}, keys)
        cut = cut_at(window, count, total, clip=clip)
        first, *table = answer.text.split("\n")
        text = "\n".join([first + cut_words(cut.get("cut")), *table])
        return replace(answer, structured={**answer.structured, **cut}, text=text)

    return fit_or_clip(window.most(max(0, total - skip)), build, window.room)


def _days_answer(body: dict[str, Any], keys: Sequence[str]) -> Answer:
    """Pass through whatever arrives: the documents disagree about what the lists hold, counts or ids.

    They are read side by side, as days with their counts, only where they can be nothing else.
    """
    exactly = {name: exact(name, value) for name, value in body.items()}
    # Counts are of all these pairs together; a member of Gunbot's own of that name is left as it is.
    said = {**({} if "keys" in exactly else {"keys": list(keys)}), **exactly}
    of = _named(keys)
    lists: dict[str, list[Any]] = {name: value for name, value in exactly.items() if isinstance(value, list)}
    others = "".join(f", {clean(name, 40)} {clean(value, 80)}" for name, value in exactly.items() if name not in lists)
    if not any(lists.values()):
        return Answer(structured=said, text=f"no orders today on {of}{others}")
    counted = _counts(lists)
    if counted is not None:
        return Answer(structured=said, text=f"{of}: {counted}{others}")
    lines = [text_table([name], [[item] for item in value]) for name, value in lists.items() if value]
    headline = f"Gunbot's lists for today as they came, of {of}, counts or ids: nothing is counted here{others}"
    return Answer(structured=said, text="\n".join([headline, *lines]))


_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOST_A_DAY = 10_000
"""More orders than this a bot does not fill in a day; ids are larger."""


def _counts(lists: Mapping[str, list[Any]]) -> str | None:
    """Return the counts of each day in words, or None if the lists may hold something else."""
    documented = ("days", "orders", "closeOrders")
    days, orders, closed = (lists.get(name, []) for name in documented)
    if len(lists) != len(documented):
        return None
    whole = all(type(count) is int and 0 <= count <= _MOST_A_DAY for count in (*orders, *closed))
    dated = all(isinstance(day, str) and _DAY.fullmatch(day) for day in days)
    if not (whole and dated and len(days) == len(orders) == len(closed)):
        return None
    return "; ".join(
        f"{day}: {count} {'order' if count == 1 else 'orders'}, {ended} of them closing"
        for day, count, ended in zip(days, orders, closed, strict=True)
    )
