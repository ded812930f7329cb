"""Adding one entry to another program's file and taking it out again, without touching a byte of the rest.

No library keeps the bytes of JSON with comments, TOML and YAML that it did not write. So an entry is one text that is
put in at one place, and a library is the judge: it reads the file before and after, and only "what was there, plus this
entry" counts. Where it says anything else, nothing is written, and the human gets the lines to add by hand.
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

Entry = Mapping[str, Any]
Keys = tuple[str, ...]


class Misfit(Exception):
    """The file cannot be changed safely; the message says why."""


class Format(Protocol):
    """One format. Every function raises `ValueError` (or a subclass) for a text that it cannot handle."""

    @property
    def listed(self) -> bool:
        """Whether entries stand in a list and carry their name, and not in a mapping by name."""
        ...

    def parse(self, text: str) -> dict[str, Any]:
        """Return the whole document, read by the judge."""
        ...

    def add(self, text: str, keys: Keys, name: str, entry: Entry) -> str:
        """Return the text with the entry put in as one piece."""
        ...

    def cut(self, text: str, keys: Keys, name: str) -> tuple[int, int]:
        """Return where the entry that is called so begins and ends, with the separator that belongs to it."""
        ...

    def show(self, keys: Keys, name: str, entry: Entry) -> str:
        """Return the lines for a human to add by hand."""
        ...


def find(form: Format, text: str, keys: Keys, name: str) -> Entry | None:
    """Return the entry of that name, or None.

    Raises:
        Misfit: the file is damaged or of another form.
    """
    found = _entries(_parsed(form, text), keys)
    if isinstance(found, Mapping):
        entry = cast("Mapping[str, object]", found).get(name)
        if entry is not None and not isinstance(entry, Mapping):
            raise Misfit(f"{'.'.join((*keys, name))} is not a table of settings")
        return cast("Entry | None", entry)
    for one in found:
        if isinstance(one, Mapping) and cast("Entry", one).get("name") == name:
            return cast("Entry", one)
    return None


def put(form: Format, text: str, keys: Keys, name: str, entry: Entry) -> str:
    """Return the text with the entry added, or put in the place of the one that has its name.

    Raises:
        Misfit: the judge did not find exactly that.
    """
    old = find(form, text, keys, name)
    if old == entry:
        return text
    rest = text if old is None else take(form, text, keys, name)
    try:
        after = form.add(rest, keys, name, entry)
    except (ValueError, IndexError) as exc:
        raise Misfit(str(exc)) from exc
    expected = _parsed(form, rest)
    _insert(expected, form, keys, name, entry)
    _judge(form, after, expected, keys)
    return after


def take(form: Format, text: str, keys: Keys, name: str, inserted: str | None = None) -> str:
    """Return the text without the entry. `inserted` is the piece that was once put in: where it still stands, it goes.

    Raises:
        Misfit: the judge did not find exactly that.
    """
    expected = _parsed(form, text)
    entries = _entries(expected, keys)
    if isinstance(entries, dict):
        entries.pop(name, None)
    else:
        entries[:] = [one for one in entries if not (isinstance(one, dict) and cast("Entry", one).get("name") == name)]
    if inserted and text.count(inserted) == 1:
        without = text.replace(inserted, "")
        if _reads_as(form, without, expected, keys):
            return without
    try:
        start, end = form.cut(text, keys, name)
    except (ValueError, IndexError) as exc:
        raise Misfit(str(exc)) from exc
    after = text[:start] + text[end:]
    _judge(form, after, expected, keys)
    return after


def piece(before: str, after: str) -> str:
    """Return the one text by which `after` is longer than `before`."""
    start = 0
    while start < len(before) and before[start] == after[start]:
        start += 1
    return after[start : start + len(after) - len(before)]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file's text, and how to write it back: encoding and byte order mark as they were."""

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""

    @classmethod
    def read(cls, raw: bytes) -> "Encoded":
        """Decode a file.

        Raises:
            Misfit: it is neither UTF-8 nor UTF-16.
        """
        marks = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
        mark, encoding = next(((mark, name) for mark, name in marks if raw.startswith(mark)), (b"", "utf-8"))
        try:
            return cls(raw[len(mark) :].decode(encoding), encoding, mark)
        except UnicodeDecodeError as exc:
            raise Misfit("it is neither UTF-8 nor UTF-16 text") from exc

    def bytes_of(self, text: str) -> bytes:
        return self.mark + text.encode(self.encoding)


def newline(text: str) -> str:
    """Return how lines end in the text."""
    return "\r\n" if "\r\n" in text else "\n"


def _parsed(form: Format, text: str) -> dict[str, Any]:
    try:
        return form.parse(text)
    except (ValueError, RecursionError) as exc:
        raise Misfit(f"it cannot be read: {str(exc).splitlines()[0] if str(exc) else type(exc).__name__}") from exc


def _reads_as(form: Format, text: str, expected: dict[str, Any], keys: Keys) -> bool:
    """Return whether the judge reads the document; a table of entries without any may be there or not."""
    try:
        return _without_empty(form.parse(text), keys) == _without_empty(expected, keys)
    except (ValueError, RecursionError):
        return False


def _judge(form: Format, text: str, expected: dict[str, Any], keys: Keys) -> None:
    if not _reads_as(form, text, expected, keys):
        raise Misfit("its form is one that this program cannot change safely")


def _entries(document: dict[str, Any], keys: Keys) -> dict[str, Any] | list[Any]:
    """Return what holds the entries; an empty table where there is none yet."""
    at: Any = document
    for key in keys:
        if not isinstance(at, dict):
            raise Misfit(f"{'.'.join(keys)} is not a table")
        at = cast("dict[str, Any]", at).get(key)
        if at is None:
            return {}
    if not isinstance(at, dict | list):
        raise Misfit(f"{'.'.join(keys)} is not a table")
    return cast("dict[str, Any] | list[Any]", at)


def _insert(document: dict[str, Any], form: Format, keys: Keys, name: str, entry: Entry) -> None:
    at = document
    for key in keys[:-1]:
        at = at.setdefault(key, {})
    held: Any = at.get(keys[-1])
    if form.listed:
        at[keys[-1]] = [dict(entry), *(held or [])]
    else:
        at[keys[-1]] = {**(held or {}), name: dict(entry)}


def _without_empty(document: dict[str, Any], keys: Keys) -> dict[str, Any]:
    """Return the document without the tables on the way that are empty."""
    if not keys or keys[0] not in document:
        return document
    held: Any = document[keys[0]]
    if isinstance(held, dict):
        held = _without_empty(cast("dict[str, Any]", held), keys[1:])
    rest = {key: value for key, value in document.items() if key != keys[0]}
    return {**rest, keys[0]: held} if held else rest
