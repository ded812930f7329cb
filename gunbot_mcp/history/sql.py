"""The gate in front of a query: one SELECT over our own tables, by a walk of its syntax tree.

DuckDB's own statement type is no gate: a SELECT whose common table expression is a COPY wrote a file. So every node
of the tree that `json_serialize_sql` makes is held against lists of what is allowed (`sql_names`), and a node, a
member or a function that nobody listed is refused. Runs in the child process: it imports nothing but the lists.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from gunbot_mcp.history.sql_names import FUNCTIONS, NODES, SHAPES, TABLE_FUNCTIONS

MOST_SQL = 8_000
"""Characters of a query: what people and models write is far shorter; a longer one is refused before it is parsed."""
TABLES = frozenset({"orders", "fills_by_ticket"})
_NOWHERE = 2**63
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_ENGINE = ("duckdb", "pg_", "sqlite_", "information_schema", "pragma_")

_READ = "write one SELECT (or WITH … SELECT) over orders and fills_by_ticket"
_DEEP = "it is nested too deeply"


class NotAllowed(Exception):
    """A query that the gate refuses: what is wrong, where (in characters from 0, if known), and what to do."""

    def __init__(self, message: str, position: int | None = None, hint: str = _READ) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.hint = hint


def check(serialized: str) -> None:
    """Check a query's syntax tree, as DuckDB's `json_serialize_sql` wrote it.

    Raises:
        NotAllowed: it cannot be read, is not one statement, or holds something that is not on the lists.
    """
    try:
        tree: Any = json.loads(serialized)
        _check(tree)
    except RecursionError:
        raise NotAllowed(_DEEP) from None


def _check(tree: Mapping[str, Any]) -> None:
    if tree.get("error") is not False:
        message = str(tree.get("error_message", "it cannot be read"))
        if "Only SELECT" in message:
            message = "only a SELECT can be run here"
        if "expression depth" in message:
            message = _DEEP
        position = tree.get("position")
        raise NotAllowed(message, int(position) if isinstance(position, str) and position.isdigit() else None)
    statements = tree.get("statements")
    if not isinstance(statements, list) or len(cast("list[Any]", statements)) != 1:
        raise NotAllowed("it must be one statement")
    _walk(tree, TABLES)


def _walk(node: object, tables: frozenset[str]) -> None:
    """Check a node and all below it; `tables` are the names that can stand for a table here, in lower case."""
    if isinstance(node, list):
        for item in cast("list[object]", node):
            _walk(item, tables)
    elif isinstance(node, dict):
        found = cast("dict[str, Any]", node)
        _check_node(found, tables)
        _walk_members(found, tables)


def _check_node(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    kind = node.get("type")
    if not isinstance(kind, str):
        if frozenset(node) not in SHAPES:
            raise NotAllowed(f"it holds something that is not allowed here ({', '.join(sorted(node)[:4])})")
    elif kind not in NODES:
        raise NotAllowed(f"{_words(kind)} is not allowed", _position(node))
    elif kind in _CHECKS:
        _CHECKS[kind](node, tables)


def _walk_members(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    if "cte_map" in node:
        tables = _named(node["cte_map"], tables)
    if node.get("type") == "RECURSIVE_CTE_NODE":
        tables |= {str(node.get("cte_name", "")).lower()}
    for name, child in node.items():
        if name == "function" and node.get("type") == "TABLE_FUNCTION":
            _walk(child["arguments"], tables)  # its name was held against the table functions
        elif name != "cte_map":
            _walk(child, tables)


def _named(cte_map: Mapping[str, Any], tables: frozenset[str]) -> frozenset[str]:
    """Check common table expressions in their order, and return the names that the rest of the query sees."""
    if list(cte_map) != ["map"]:
        raise NotAllowed("its WITH clause cannot be read")
    for entry in cte_map["map"]:
        name = str(entry["key"]).lower()
        if not _PLAIN.fullmatch(name) or name.startswith(_ENGINE):
            raise NotAllowed(
                f"{name!r} is not a plain name", hint="name what WITH defines in plain letters, digits and _"
            )
        _walk(entry["value"], tables)
        tables |= {name}
    return tables


def _table(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    name = str(node.get("table_name", ""))
    path = _path(node)
    plain = not node.get("schema_name") and not node.get("catalog_name") and path == [name]
    if not plain or name.lower() not in tables or node.get("at_clause") is not None:
        shown = ".".join(path) or name
        raise NotAllowed(
            f"there is no table {shown!r}",
            _position(node),
            "the tables are orders and fills_by_ticket, without a schema",
        )


def _function(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    del tables
    _called(node, FUNCTIONS, "function")


def _table_function(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    del tables
    called = node.get("function")
    if not isinstance(called, dict):
        raise NotAllowed("its FROM clause cannot be read", _position(node))
    _called(cast("dict[str, Any]", called), TABLE_FUNCTIONS, "table function")


def _window(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    del tables
    _called(node, FUNCTIONS, "function", "WINDOW_AGGREGATE")


def _called(node: Mapping[str, Any], allowed: frozenset[str], noun: str, kind: str = "FUNCTION") -> None:
    name = str(node.get("function_name", ""))
    path = _path(node)
    if node.get("type") != kind or node.get("schema") or node.get("catalog") or path != [name]:
        raise NotAllowed(f"a {noun} is named without a schema", _position(node))
    if name.lower() not in allowed:
        raise NotAllowed(f"the {noun} {name!r} is not allowed", _position(node))


def _path(node: Mapping[str, Any]) -> list[str]:
    """Return a name's parts, as the engine will look it up; none where it does not say."""
    qualified = node.get("qualified_name")
    found = cast("dict[str, Any]", qualified).get("path") if isinstance(qualified, dict) else None
    return list(map(str, cast("list[object]", found))) if isinstance(found, list) else []


def _type(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    del tables
    if node.get("schema") or node.get("catalog"):
        raise NotAllowed("a type is named without a schema", _position(node))


def _show(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    del tables
    # DESCRIBE and SUMMARIZE of a query; SHOW TABLES, SHOW ALL and a table by name look into the catalog.
    if not isinstance(node.get("query"), dict) or node.get("table_name"):
        raise NotAllowed("SHOW is not allowed", _position(node))


def _pivot(node: Mapping[str, Any], tables: frozenset[str]) -> None:
    del tables
    if any(pivot.get("pivot_enum") for pivot in node.get("pivots", [])):
        raise NotAllowed("a PIVOT lists its values: ON side IN ('buy', 'sell')", _position(node))


_CHECKS: Mapping[str, Callable[[Mapping[str, Any], frozenset[str]], None]] = {
    "BASE_TABLE": _table,
    "FUNCTION": _function,
    "WINDOW_AGGREGATE": _window,
    "TABLE_FUNCTION": _table_function,
    "TYPE": _type,
    "SHOW_REF": _show,
    "PIVOT": _pivot,
}


def _position(node: Mapping[str, Any]) -> int | None:
    found = node.get("query_location")
    return found if isinstance(found, int) and found < _NOWHERE else None


def _words(kind: str) -> str:
    words = {"COPY_QUERY_NODE": "COPY", "PARAMETER": "a parameter", "VALUE_PARAMETER": "a parameter (? or $name)"}
    return words.get(kind, kind.removesuffix("_QUERY_NODE").replace("_", " "))
