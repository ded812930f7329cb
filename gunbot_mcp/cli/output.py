"""The one way out of every command: what is written to stdout and stderr cannot steer a terminal or reorder its text.

Foreign words (Gunbot's, a client's, an exchange's) reach a terminal through many lines. They are cleaned where they
come in; this is the last gate, through which every write of every command goes, those of libraries too.
"""

import contextlib
import io
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from gunbot_mcp.errors import UNPRINTABLE

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_KEPT = {"\n", "\t", "\r\n"}
# Colours that can be read on any ground, bold, dim, underlined, and off again: what our own lines use. Nothing that
# hides text (8, black, a background), moves the cursor, or talks to the terminal.
_COLOUR = r"\x1b\[(?:(?:[0-4]|3[1-7]|39|9[1-7])(?:;(?:[0-4]|3[1-7]|39|9[1-7]))*)?m"
_SPECIAL = re.compile(rf"{_COLOUR}|\r\n|{UNPRINTABLE.pattern}")


def printable(text: str) -> str:
    """Return the text with every control, bidi and invisible character as a space; lines, tabs and colours stay."""
    return _SPECIAL.sub(lambda found: found[0] if found[0] in _KEPT or found[0].endswith("m") else " ", text)


def printable_json(text: str) -> str:
    r"""Return the JSON text with every such character as its `\uXXXX`: the same value, and safe to show."""
    return UNPRINTABLE.sub(lambda found: found[0] if found[0] == "\n" else _escaped(found[0]), text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True))


class CleanText(io.TextIOBase):
    """A text stream that writes to another one what is `printable`."""

    def __init__(self, inner: TextIO) -> None:
        super().__init__()
        self._inner = inner

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - read-only in CPython, too
        return self._inner.encoding

    @property
    def errors(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride] - likewise
        return self._inner.errors

    @property
    def closed(self) -> bool:
        return self._inner.closed

    @property
    def buffer(self) -> "_CleanBytes":
        """Bytes go the same way: click writes what completes a shell's line as such."""
        return _CleanBytes(self)

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self._inner.write(printable(text))
        return len(text)

    def flush(self) -> None:
        self._inner.flush()

    def isatty(self) -> bool:
        return self._inner.isatty()

    def fileno(self) -> int:
        return self._inner.fileno()

    def close(self) -> None:
        """Leave the other stream open: it is not ours."""


class _CleanBytes(io.RawIOBase):
    """UTF-8 that is written through a `CleanText`, line ends as they are."""

    def __init__(self, text: CleanText) -> None:
        super().__init__()
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        found = bytes(data)
        self._text.write(found.decode(errors="replace"))
        return len(found)

    def flush(self) -> None:
        self._text.flush()


@contextmanager
def clean_output() -> Generator[None]:
    """Send everything that is written to stdout and stderr meanwhile through `CleanText`."""
    for stream in (sys.stdout, sys.stderr):
        # A character that a terminal or a pipe cannot show must not end the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    with contextlib.redirect_stdout(CleanText(sys.stdout)), contextlib.redirect_stderr(CleanText(sys.stderr)):
        yield
