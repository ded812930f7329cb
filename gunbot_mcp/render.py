"""What a tool answers: one structured form and one text, each complete by itself, because a client shows only one.

The text says the same in words and plain tables, never as a copy of the JSON.
"""

import csv
import functools
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType
from typing import Any, Protocol

from pydantic_core import to_json

from gunbot_mcp.arguments import Args
from gunbot_mcp.domain import decimal_text, plain_text
from gunbot_mcp.errors import GatewayInvalidResponse, GunbotMcpError, clean

ERROR_META = "gunbot-mcp/error"
"""The key of an error's code, message, hint and `retryable` in a result's `_meta`."""

REFUSAL_META = "gunbot-mcp/refusal"
"""The key of an error's title and lines for people in a result's `_meta`: for the view in a client."""


CHART_META = "gunbot-mcp/chart"
"""The key of a chart's drawing in a result's `_meta`: for the view in a client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image that stands beside an answer's text, for clients that show images; the text says it all, too."""

    data: bytes = field(repr=False)
    mime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A tool's result. `meta` is for programs and the human's view: no client shows it to the model.

    An error has no structured form: clients on the TypeScript SDK 1.x hold that against the tool's output schema even
    then, and lose the whole answer. Its text is complete, and `_meta` carries its code for programs.
    """

    structured: dict[str, Any]
    text: str
    is_error: bool = False
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    picture: Picture | None = None

    @property
    def error(self) -> Mapping[str, Any]:
        """Return an error's `{"code", "message", "hint", "retryable"}`; empty where this is none."""
        return self.meta.get(ERROR_META, {})


def number(value: Decimal | None) -> int | float | str | None:
    """Return a Decimal as a JSON number with the same digits, or as text where a double cannot hold them."""
    if value is None:
        return None
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else decimal_text(value)


def instant(moment: datetime) -> str:
    """Return `2026-03-01T12:00:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def from_millis(millis: object) -> str | None:
    """Return Gunbot's milliseconds as an instant's text, or None if they are not a valid time."""
    if isinstance(millis, bool) or not isinstance(millis, int | float):
        return None
    try:
        return instant(datetime.fromtimestamp(millis / 1000, tz=UTC))
    except (OverflowError, ValueError, OSError):
        return None


def text_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return one header line and one line per row, comma-separated, quoted only where needed; null is empty.

    Column by column, because a thousand records have eighteen thousand cells and few types.
    """
    texts = [_column(cells) for cells in zip(*rows, strict=True)]
    return "\n".join([",".join(map(_word, columns)), *map(",".join, zip(*texts, strict=True))])


_JSON_WORDS = frozenset({int, float, bool, NoneType})


def _column(cells: Sequence[Any]) -> list[str]:
    kinds = set(map(type, cells))
    if kinds <= _JSON_WORDS:
        # One call for the column, with the structured form's own digits; such words hold no comma.
        words = to_json(cells, inf_nan_mode="null")[1:-1].decode().split(",")
        return ["" if word == "null" else word for word in words] if kinds & {NoneType, float} else words
    if kinds == {str}:
        shown = {text: _word(text) for text in set(cells)}
        return [shown[text] for text in cells]
    return [_cell(cell) for cell in cells]


def _cell(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Decimal):
        return decimal_text(cell)
    if isinstance(cell, int | float):
        return repr(cell)
    if isinstance(cell, dict | list):
        return _word(to_json(cell, inf_nan_mode="null").decode())
    return _word(str(cell))


def _word(text: str) -> str:
    shown = clean(text, 400)
    if "," not in shown and '"' not in shown:
        return shown
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([shown])
    return buffer.getvalue()


def error_answer(error: GunbotMcpError, secrets: tuple[str, ...] = (), *, shows_card: bool = False) -> Answer:
    """Return the error result: a stable code, what happened, and the next step.

    The caller is a model; where its client shows cards, the same for people is beside it.
    """
    facts = error.as_dict()
    facts["message"] = clean(error.message, 600, secrets)
    facts["hint"] = clean(error.for_model, 600, secrets)
    text = f"{facts['code']}: {facts['message']}" + (f"\nNext: {facts['hint']}" if facts["hint"] else "")
    people = {REFUSAL_META: _for_people(error, secrets)} if shows_card else {}
    return Answer(structured={}, text=text, is_error=True, meta={ERROR_META: facts, **people})


def _for_people(error: GunbotMcpError, secrets: tuple[str, ...]) -> dict[str, Any]:
    """Return `{"title", "lines", "command"}`; `command` is what to run in a terminal next, or None."""
    command = error.command
    lines = [clean(error.message, 600, secrets), clean("" if command else error.for_human, 600, secrets)]
    return {
        "title": error.title,
        "lines": [as_sentence(line) for line in lines if line],
        "command": None if command is None else clean(command, 200, secrets),
    }


def as_sentence(text: str) -> str:
    """Return a text that begins with a capital, unless with our command's name, and ends with one full stop."""
    shown = text if text.startswith("gunbot-mcp ") else f"{text[:1].upper()}{text[1:]}"
    return shown if shown.endswith(("…", "?")) else f"{shown.removesuffix('.')}."


ROOM = 24_000
"""How many bytes each form of an answer has: what every client passes on whole."""
MOST_ROOM = 200_000
"""How many it has at most where the caller asked for more."""


def weight(answer: Answer) -> int:
    """Return the bytes of the larger form. Clients write the structured one for their models with spaces in it."""
    written = to_json(answer.structured, inf_nan_mode="null")
    return max(len(answer.text.encode()), len(written) + written.count(b",") + written.count(b":"))


def most_that_fit(count: int, build: Callable[[int], Answer], room: int) -> tuple[int, Answer]:
    """Return how many of `count` rows fit, and the answer that `build` makes of them. It is 0 where not even one does.

    Never renders much more than fits, however many rows there are.
    """
    low, high, tried = 0, count + 1, min(count, 64)
    found: Answer | None = None
    while high - low > 1:
        answer = build(tried)
        if weight(answer) <= room:
            low, found = tried, answer
        else:
            high = tried
        tried = min(2 * low, count) if high > count else (low + high) // 2
    return low, found or build(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The rows that a call asks for, where a list may be too long for one answer: `asked` are its arguments.

    `by_default` is how many bytes an answer has where nobody asked for more, `count` how many rows it has at most.
    """

    tool: str
    asked: Args
    by_default: int = ROOM
    count: int | None = None

    @property
    def skip(self) -> int:
        return getattr(self.asked, "skip", 0)

    @property
    def max_rows(self) -> int | None:
        return getattr(self.asked, "max_rows", None)

    @property
    def room(self) -> int:
        return self.by_default if self.max_rows is None else MOST_ROOM

    def most(self, count: int) -> int:
        return min([count, *(most for most in (self.max_rows, self.count) if most is not None)])

    def call(self, **changes: object) -> dict[str, Any]:
        """Return the call with these arguments changed, in JSON's terms, without those that say nothing."""
        fields = type(self.asked).model_fields
        given = {name: getattr(self.asked, name) for name in fields if name in self.asked.model_fields_set}
        arguments = {name: value for name, value in {**given, **changes}.items() if value is not None}
        return {"tool": self.tool, "arguments": arguments}


def go_on(following: Mapping[str, Any]) -> str:
    """Return the next call in words."""
    return f"go on with {following['tool']} {to_json(following['arguments']).decode()}"


def table_answer(
    headline: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    extra: Mapping[str, Any] | None = None,
    *,
    window: Window | None = None,
) -> Answer:
    """Return a table in both forms; `headline` says in words what it covers, `extra` joins the structured form.

    What does not fit is cut in both forms alike, and the answer says so, with the call that goes on if `window` can.

    Raises:
        GatewayInvalidResponse: a row alone is larger than an answer.
    """
    skip, room = (window.skip, window.room) if window else (0, ROOM)
    asked = rows[skip:]
    most = window.most(len(asked)) if window else len(asked)

    def build(shown: int, *, clip: bool = False) -> Answer:
        part = [list(map(short, row)) if clip else row for row in asked[:shown]]
        return _table(headline, columns, part, {**(extra or {}), **cut_at(window, shown, len(rows), clip=clip)})

    if most and room < ROOM and not most_that_fit(1, build, room)[0]:
        # A short answer that has no room for one row has that one row.
        return fit_or_clip(1, build, ROOM)
    return fit_or_clip(most, build, room)


class Build(Protocol):
    def __call__(self, count: int, /, *, clip: bool = False) -> Answer: ...


def fit_or_clip(most: int, build: Build, room: int) -> Answer:
    """Return the answer with as many rows as fit, at least one: if need be, with its long fields clipped.

    Raises:
        GatewayInvalidResponse: not even that fits.
    """
    shown, answer = most_that_fit(most, build, room)
    if most and not shown:
        shown, answer = most_that_fit(most, functools.partial(build, clip=True), room)
    if weight(answer) > room or (most and not shown):
        raise GatewayInvalidResponse(
            f"one record of Gunbot's answer alone is larger than {room:,} bytes", "look at it in Gunbot itself"
        )
    return answer


def cut_at(window: Window | None, shown: int, total: int, *, clip: bool) -> dict[str, Any]:
    """Return the member `cut` of an answer that does not hold all rows whole."""
    skip = window.skip if window else 0
    last = skip + shown
    if not skip and last >= total and not clip:
        return {}
    facts: dict[str, Any] = {"from_row": skip + 1, "rows": shown, "total": total}
    if clip:
        facts["note"] = "long fields are clipped"
    if last < total and window is not None and "skip" in type(window.asked).model_fields:
        facts["next"] = window.call(skip=last)
    return {"cut": facts}


def cut_words(cut: Mapping[str, Any] | None) -> str:
    """Say which rows these are, and how to go on."""
    if cut is None:
        return ""
    last = cut["from_row"] + cut["rows"] - 1
    words = [f"rows {cut['from_row']} to {last} of {cut['total']}", cut.get("note", "")]
    if "next" in cut:
        words.append(go_on(cut["next"]))
    elif last < cut["total"]:
        words.append("the others do not fit: ask for less")
    return "; " + "; ".join(filter(None, words))


def _table(headline: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], extra: Mapping[str, Any]) -> Answer:
    plain = [[number(cell) if isinstance(cell, Decimal) else cell for cell in row] for row in rows]
    shown = [[plain_text(cell) if isinstance(cell, Decimal) else cell for cell in row] for row in rows]
    first = headline + cut_words(extra.get("cut"))
    return Answer(
        structured={"about": headline, "columns": list(columns), "rows": plain, **extra},
        text=f"{first}\n{text_table(columns, shown)}" if rows else first,
    )


_LONGEST_CELL = 400


def short(cell: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return a cell, or its beginning as text where it is long."""
    if cell is None or isinstance(cell, int | float | Decimal) or len(str(cell)) <= _LONGEST_CELL:
        return cell
    return clean(cell, _LONGEST_CELL)


def short_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record whose long fields are clipped."""
    return {name: short(value) for name, value in record.items()}
