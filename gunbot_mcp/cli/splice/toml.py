"""TOML: an entry is a table of its own, at the end of the file."""

import json
import re
import tomllib
from typing import Any, cast

from gunbot_mcp.cli.splice import Entry, Keys, newline

listed = False
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)


def parse(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def show(keys: Keys, name: str, entry: Entry) -> str:
    lines = [f"[{'.'.join(map(_key, (*keys, name)))}]"]
    lines += [f"{_key(key)} = {_value(value)}" for key, value in entry.items()]
    return "\n".join(lines)


def add(text: str, keys: Keys, name: str, entry: Entry) -> str:
    end = newline(text)
    gap = "" if not text else end if text.endswith("\n") else end * 2
    return f"{text}{gap}{show(keys, name, entry).replace(chr(10), end)}{end}"


def cut(text: str, keys: Keys, name: str) -> tuple[int, int]:
    path = r"\s*\.\s*".join(
        rf"(?:{re.escape(part)}|\"{re.escape(part)}\"|'{re.escape(part)}')" for part in (*keys, name)
    )
    own = list(re.finditer(rf"^[ \t]*\[\s*{path}\s*(?:\.[^\]\n]*)?\][^\n]*$", text, re.MULTILINE))
    if not own:
        raise ValueError("the entry has no table of its own")
    after = next((found.start() for found in _HEADER.finditer(text, own[-1].end())), len(text))
    # What stands just before the next table, blank lines and comments, belongs to that.
    lines = text[own[0].start() : after].splitlines(keepends=True)
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    start = own[0].start()
    return start, start + sum(map(len, lines))


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _text(text)


def _text(value: str) -> str:
    # A basic string has JSON's escapes; it wants DEL escaped, too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(_value, cast('list[object]', value)))}]"
        case dict():
            members = cast("dict[str, object]", value).items()
            return f"{{ {', '.join(f'{_key(key)} = {_value(one)}' for key, one in members)} }}"
        case _:
            raise ValueError(f"a setting of the entry cannot be written: {type(value).__name__}")
