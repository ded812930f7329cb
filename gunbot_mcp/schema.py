"""JSON Schemas as clients see them: inlined, without titles, as short as possible without losing anything."""

from typing import Any, cast

from pydantic import BaseModel


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the compact JSON Schema of an argument model: one object, `additionalProperties: false`, no `$defs`."""
    schema: dict[str, Any] = _compact(model.model_json_schema(by_alias=False))
    return {
        "type": "object",
        "properties": schema.get("properties", {}),
        **({"required": schema["required"]} if "required" in schema else {}),
        "additionalProperties": False,
    }


def _compact(node: object) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(node, list):
        return [_compact(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    kept: dict[str, Any] = {
        key: ({name: _compact(value) for name, value in child.items()} if key == "properties" else _compact(child))
        for key, child in cast("dict[str, Any]", node).items()
        # Examples are for hints: every client would pay for them.
        if not (key == "title" and isinstance(child, str))
        and not (key == "default" and child is None)
        and key != "examples"
    }
    # `X | None` arguments may be left out; that is all that `null` would say.
    options = [option for option in kept.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1 and isinstance(options[0], dict):
        del kept["anyOf"]
        kept = {**cast("dict[str, Any]", options[0]), **kept}
    return kept
