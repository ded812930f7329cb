"""What a tool answers: one structured form and one text, each complete by itself, because a client shows only one.

The text says the same in words and plain tables, never as a copy of the JSON.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType
from typing import Any

from pydantic_core import to_json

from gunbot_mcp.domain import decimal_text, plain_text
from gunbot_mcp.errors import GunbotMcpError, clean

ERROR_META = "gunbot-mcp/error"
"""The key of an error's code, message, hint and `retryable` in a result's `_meta`."""


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


def _cell(cell: Any) -> str:  # noqa: ANN401 - any JSON value
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Decimal):
        return decimal_text(cell)
    if isinstance(cell, int | float):
        return repr(cell)
    return _word(str(cell))


def _word(text: str) -> str:
    shown = clean(text, 400)
    if "," not in shown and '"' not in shown:
        return shown
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([shown])
    return buffer.getvalue()


def error_answer(error: GunbotMcpError, secrets: tuple[str, ...] = ()) -> Answer:
    """Return the error result: a stable code, what happened, and the next step."""
    facts = error.as_dict()
    facts["message"] = clean(error.message, 600, secrets)
    facts["hint"] = clean(error.hint, 600, secrets)
    text = f"{facts['code']}: {facts['message']}" + (f"\nNext: {facts['hint']}" if facts["hint"] else "")
    return Answer(structured={}, text=text, is_error=True, meta={ERROR_META: facts})


def table_answer(
    headline: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], extra: Mapping[str, Any] | None = None
) -> Answer:
    """Return a table in both forms; `headline` says in words what it covers, `extra` joins the structured form."""
    plain = [[number(cell) if isinstance(cell, Decimal) else cell for cell in row] for row in rows]
    shown = [[plain_text(cell) if isinstance(cell, Decimal) else cell for cell in row] for row in rows]
    return Answer(
        structured={"about": headline, "columns": list(columns), "rows": plain, **(extra or {})},
        text=f"{headline}\n{text_table(columns, shown)}" if rows else headline,
    )
