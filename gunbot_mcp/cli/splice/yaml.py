"""YAML: lines at the marks of the composed document. Entries stand in a mapping by name, or in a list."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false
# ruamel.yaml's nodes carry no types for their values and marks.

import io
import json
import re
from dataclasses import dataclass
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gunbot_mcp.cli.splice import Entry, Keys, newline

_COMMA = re.compile(r"\s*,\s*")


@dataclass(frozen=True, slots=True)
class Yaml:
    """YAML whose entries are `listed` or stand in a mapping by name."""

    listed: bool

    def parse(self, text: str) -> dict[str, Any]:
        try:
            found: object = YAML(typ="safe", pure=True).load(io.StringIO(text))
        except YAMLError as exc:
            raise ValueError(str(exc)) from exc
        match found:
            case None:
                return {}
            case dict():
                return cast("dict[str, Any]", found)
            case _:
                raise ValueError("it is not a mapping")

    def show(self, keys: Keys, name: str, entry: Entry) -> str:
        return "\n".join([f"{keys[0]}:", *self._lines(name, entry, "  ")])

    def add(self, text: str, keys: Keys, name: str, entry: Entry) -> str:
        end = newline(text)
        held = self._held(text, keys[0])
        if held is None:
            gap = "" if not text or text.endswith("\n") else end
            return f"{text}{gap}{self.show(keys, name, entry).replace(chr(10), end)}{end}"
        key, node = held
        if isinstance(node, MappingNode | SequenceNode) and node.flow_style:
            first = node.start_mark.index + 1
            inner = json.dumps(entry if self.listed else {name: entry}, ensure_ascii=False)
            inner = inner if self.listed else inner[1:-1]
            return f"{text[:first]}{inner}{', ' if node.value else ''}{text[first:]}"
        if isinstance(node, MappingNode | SequenceNode) and node.value:
            mark = (node.value[0][0] if isinstance(node, MappingNode) else node.value[0]).start_mark
            at = text.rfind("\n", 0, mark.index) + 1
            line = text[at : mark.index]
            margin = line[: len(line) - len(line.lstrip(" "))]
            lines = self._lines(name, entry, margin)
            return text[:at] + "".join(f"{line}{end}" for line in lines) + text[at:]
        if isinstance(node, ScalarNode) and not text[node.start_mark.index : node.end_mark.index].strip():
            at = text.find("\n", key.end_mark.index) + 1
            gap = "" if at else end
            at = at or len(text)
            lines = self._lines(name, entry, " " * (key.start_mark.column + 2))
            return text[:at] + gap + "".join(f"{line}{end}" for line in lines) + text[at:]
        raise ValueError(f"{keys[0]} is neither a mapping nor a list")

    def cut(self, text: str, keys: Keys, name: str) -> tuple[int, int]:
        held = self._held(text, keys[0])
        if held is None or not isinstance(held[1], MappingNode | SequenceNode):
            raise ValueError("the entry has no lines of its own")
        key, node = held
        if isinstance(node, MappingNode):
            first, value = next((key, value) for key, value in node.value if key.value == name)
        else:
            first = value = next(one for one in node.value if _is_called(one, name))
        if node.flow_style:
            comma = _COMMA.match(text, value.end_mark.index)
            return first.start_mark.index, value.end_mark.index if comma is None else comma.end()
        # An only entry goes with the key that it stands under: what would be left of that is no table.
        mark = (key if len(node.value) == 1 else first).start_mark
        start = text.rfind("\n", 0, mark.index) + 1
        end = text.find("\n", _last(value).end_mark.index)
        return start, len(text) if end < 0 else end + 1

    def _held(self, text: str, key: str) -> tuple[Node, Node] | None:
        """Return the node of a top-level key and that of its value."""
        try:
            root = YAML(typ="rt").compose(io.StringIO(text))
        except YAMLError as exc:
            raise ValueError(str(exc)) from exc
        if root is None:
            return None
        if not isinstance(root, MappingNode) or root.flow_style:
            raise ValueError("it is not a block mapping")
        return next(((name, value) for name, value in root.value if name.value == key), None)

    def _lines(self, name: str, entry: Entry, margin: str) -> list[str]:
        # JSON's strings, lists and objects are YAML's, too.
        settings = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
        if self.listed:
            return [f"{margin}{'  ' if number else '- '}{line}" for number, line in enumerate(settings)]
        plain = name if name.replace("-", "").replace("_", "").isalnum() and name[0].isalpha() else json.dumps(name)
        return [f"{margin}{plain}:", *(f"{margin}  {line}" for line in settings)]


def _is_called(node: Node, name: str) -> bool:
    return any(key.value == "name" and value.value == name for key, value in node.value)


def _last(node: Node) -> Node:
    """Return the node whose end is the end of this one's text: a block's own mark lies behind what follows it."""
    while isinstance(node, MappingNode | SequenceNode) and node.value and not node.flow_style:
        node = node.value[-1][1] if isinstance(node, MappingNode) else node.value[-1]
    return node
