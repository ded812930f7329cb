"""JSON, with or without comments and trailing commas."""

import json
import re
from dataclasses import dataclass
from typing import Any, cast

import jsonc as judge  # pyright: ignore[reportMissingTypeStubs] - its types are in its source

from gunbot_mcp.cli.splice import Entry, Keys, newline

listed = False
_SPACE = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SCALAR = re.compile(r"[^\s,}\]/]+")


def parse(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    found: object = judge.loads(text)
    match found:
        case dict():
            return cast("dict[str, Any]", found)
        case _:
            raise ValueError("it is not a JSON object")


def show(keys: Keys, name: str, entry: Entry) -> str:
    document: dict[str, Any] = {name: entry}
    for key in reversed(keys):
        document = {key: document}
    return json.dumps(document, indent=2, ensure_ascii=False)


def add(text: str, keys: Keys, name: str, entry: Entry) -> str:
    if not text.strip():
        return show(keys, name, entry) + "\n" + text
    at, missing = _space(text, 0), list(keys)
    while missing:
        members, _ = _members(text, at)
        held = next((one for one in members if one.key == missing[0]), None)
        if held is None:
            break
        at = held.value
        missing.pop(0)
    value: Any = {name: entry}
    for key in reversed(missing):
        value = {key: value}
    return _inside(text, at, value)


def cut(text: str, keys: Keys, name: str) -> tuple[int, int]:
    at = _space(text, 0)
    members: list[_Member] = []
    for key in (*keys, name):
        members, _ = _members(text, at)
        at = next(one.value for one in members if one.key == key)
    place = next(number for number, one in enumerate(members) if one.key == name)
    own = members[place]
    start = own.start
    while start and text[start - 1] in " \t":
        start -= 1
    start -= text[:start].endswith("\n") + text[:start].endswith("\r\n")
    after = _space(text, own.end)
    if text[after] == ",":
        return start, after + 1
    if place == 0:
        return start, own.end
    # The last one: the comma before it has nothing to separate any more.
    return _space(text, members[place - 1].end), own.end


@dataclass(frozen=True, slots=True)
class _Member:
    """Offsets: of the key's quote, of the value, and of what follows the value."""

    key: str
    start: int
    value: int
    end: int


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _members(text: str, brace: int) -> tuple[list[_Member], int]:
    """Return the members of the object that begins at `brace`, and the offset of its closing brace."""
    if text[brace] != "{":
        raise ValueError("a table is expected where there is something else")
    found: list[_Member] = []
    at = _space(text, brace + 1)
    while text[at] != "}":
        key = _STRING.match(text, at)
        if key is None:
            raise ValueError("a key is not quoted")
        colon = _space(text, key.end())
        value = _space(text, colon + 1)
        end = _end(text, value)
        found.append(_Member(json.loads(key.group(), strict=False), at, value, end))
        at = _space(text, end)
        if text[at] == ",":
            at = _space(text, at + 1)
    return found, at


def _end(text: str, at: int) -> int:
    """Return the offset after the value that begins at `at`."""
    if text[at] == '"':
        found = _STRING.match(text, at)
    elif text[at] in "{[":
        depth = 0
        while True:
            at = _space(text, at)
            if (string := _STRING.match(text, at)) is not None:
                at = string.end()
                continue
            depth += (text[at] in "{[") - (text[at] in "}]")
            at += 1
            if not depth:
                return at
    else:
        found = _SCALAR.match(text, at)
    if found is None:
        raise ValueError("a value is missing")
    return found.end()


def _inside(text: str, brace: int, value: dict[str, Any]) -> str:
    """Put the members of `value` first into the object that begins at `brace`."""
    members, close = _members(text, brace)
    outer = _margin(text, brace)
    if members and text[: members[0].start].rstrip(" \t").endswith("\n"):
        inner = _margin(text, members[0].start)
    else:
        inner = outer + ("\t" if "\n\t" in text else "  ")
    unit = inner.removeprefix(outer) or "  "
    lines = json.dumps(value, indent=unit, ensure_ascii=False).splitlines()[1:-1]
    body = newline(text).join(f"{outer}{line}" for line in lines)
    tail = "," if members else ""
    if not members and not text[brace + 1 : close].strip(" \t"):
        tail = newline(text) + outer
    elif not text[brace + 1 :].lstrip(" \t").startswith(("\n", "\r\n", "//", "/*")):
        tail += newline(text) + (inner if members else outer)
    return f"{text[: brace + 1]}{newline(text)}{body}{tail}{text[brace + 1 :]}"


def _margin(text: str, at: int) -> str:
    """Return the white space that the line of this offset begins with."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]
