"""Lines that end between words, and tables: as wide as the terminal where there is one, unbroken where there is none.

A pipe gets one line per record, so that `grep` and `cut` find whole records. A word longer than a line (a path, an
address, a hash) is never torn: it must be possible to copy it.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

import click

_NARROWEST = 20
_TEXT_AT_LEAST = 30
"""With less room than this for its last column, a table's records are shown one below the other."""
_GAP = "  "


def columns(stream: TextIO) -> int | None:
    """Return how many characters a line of this terminal has; None where it is none, or does not say."""
    if not stream.isatty():
        return None
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named) > 0:
        return max(int(named), _NARROWEST)
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
    return max(found, _NARROWEST) if found else None


def can_show(text: str, stream: TextIO) -> bool:
    """Return whether the stream's encoding has these characters."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes: a character of Chinese takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrapped(text: str, width: int | None, *, first: str = "", rest: str = "") -> list[str]:
    """Return the text as lines of at most `width` columns, broken at spaces; None leaves its lines as they are.

    `first` stands before the first line, `rest` before the others.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        start = rest if lines else first
        if width is None or cells(start) + cells(paragraph) <= width:
            lines.append(f"{start}{paragraph}")
            continue
        # Spaces at its start are its own: an indented line goes on as it began.
        inner = " " * (len(paragraph) - len(paragraph.lstrip(" ")))
        line, empty = start + inner, True
        for word in paragraph.split():
            if not empty and cells(line) + 1 + cells(word) > width:
                lines.append(line)
                line, empty = rest + inner, True
            line, empty = (line + word, False) if empty else (f"{line} {word}", False)
        lines.append(line)
    return lines


def say(text: str, *, err: bool = False, fg: str | None = None, bold: bool = False) -> None:
    """Write a text for people; on a terminal its lines end between words."""
    shown = "\n".join(wrapped(text, columns(sys.stderr if err else sys.stdout)))
    click.echo(click.style(shown, fg=fg, bold=bold) if fg or bold else shown, err=err)


def table(names: Sequence[str], rows: Iterable[Sequence[str]], width: int | None) -> list[str]:
    """Return a line of names and the rows below it. The last column is the text that wraps.

    In a narrow terminal each record stands alone: its columns on one line, the text below them.
    """
    body = [list(row) for row in rows]
    if not body:
        return []
    widths = [max(cells(row[at]) for row in (list(names), *body)) for at in range(len(names) - 1)]
    before = sum(widths) + len(_GAP) * len(widths)
    longest = max(cells(row[-1]) for row in body)
    if width is not None and width - before < min(_TEXT_AT_LEAST, longest):
        return [line for row in body for line in _record(row, width)]
    lines: list[str] = []
    for row in (list(names), *body):
        start = "".join(_padded(cell, room) + _GAP for cell, room in zip(row, widths, strict=False))
        lines += [line.rstrip() for line in wrapped(row[-1], width, first=start, rest=" " * before)]
    return lines


def _padded(text: str, room: int) -> str:
    return text + " " * (room - cells(text))


def _record(row: Sequence[str], width: int) -> list[str]:
    head = wrapped(_GAP.join(cell for cell in row[:-1] if cell), width)
    return [*head, *(wrapped(row[-1], width, first=_GAP, rest=_GAP) if row[-1] else [])]
