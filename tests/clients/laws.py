"""What a client makes of our schemas, and the two laws over what a model may then send."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.schema import input_schema
from gunbot_mcp.tools.inventory import inventory
from gunbot_mcp.tools.tool import Audience

Schema = Mapping[str, Any]
BUY = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 48000}
TOOLS = {tool.name: tool for tool in inventory() if tool.audience is Audience.MODEL}


def converted(schemas: Mapping[str, Schema]) -> int:
    """Return how many of our tools arrived whole: every argument with its description, no requirement lost."""
    for name, tool in TOOLS.items():
        ours, theirs = input_schema(tool.args), schemas[name]
        properties: Mapping[str, Schema] = theirs.get("properties") or {}
        # Gemini CLI adds an argument of its own, and takes it out of the call again.
        assert set(properties) - {"wait_for_previous"} == set(ours["properties"]), name
        for argument, schema in ours["properties"].items():
            assert schema["description"] in _description(properties[argument]), (name, argument)
        if "required" in theirs:
            assert set(theirs["required"]) >= set(ours.get("required", ())), name
    return len(TOOLS)


def accepted(schemas: Mapping[str, Schema]) -> int:
    """Return how many calls a model could make of these schemas that say "nothing" or write a number otherwise.

    Each is valid for the client's own schema, or is a count as text, which some send all the same. None may be refused.
    """
    calls = 0
    for name, tool in TOOLS.items():
        ours = input_schema(tool.args)
        theirs: dict[str, Schema] = schemas[name].get("properties") or {}
        good = {argument: _example(tool.args, argument) for argument in ours.get("required", ())}
        for argument in ours["properties"]:
            for value in _written(theirs[argument], good.get(argument), required=argument in good):
                parse_arguments(tool.args, {**good, argument: value})
                calls += 1
        if set(schemas[name].get("required", ())) > set(good):
            # A strict conversion: every argument has a value in every call.
            options = [_nothing(theirs[argument]) or [_least(theirs[argument])] for argument in _left(theirs, good)]
            for values in itertools.product(*options):
                parse_arguments(tool.args, {**good, **dict(zip(_left(theirs, good), values, strict=True))})
                calls += 1
    return calls


def _left(theirs: Schema, good: Mapping[str, object]) -> list[str]:
    return [argument for argument in theirs if argument not in good]


def _description(schema: Schema) -> str:
    return str(schema.get("description", "")) + "".join(_description(one) for one in schema.get("anyOf", ()))


def _example(model: Any, argument: str) -> Any:  # noqa: ANN401 - any JSON value
    schema = model.model_json_schema(by_alias=False)["properties"][argument]
    return (schema.get("examples") or schema["enum"])[0]


def _kinds(schema: Schema) -> set[str]:
    kinds = schema.get("type", ())
    found = {kinds} if isinstance(kinds, str) else set(kinds)
    found |= {kind for one in schema.get("anyOf", ()) for kind in _kinds(one)}
    return {kind.lower() for kind in found} | ({"null"} if schema.get("nullable") else set())


def _nothing(schema: Schema) -> list[Any]:
    """Return what says "nothing" for an argument that may be left out, as far as this schema lets a model say it."""
    if "enum" in schema:
        return []
    ways: dict[str, Any] = {"null": None, "string": "", "array": []}
    return [value for kind, value in ways.items() if kind in _kinds(schema)]


def _least(schema: Schema) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a model invents where it must give a value."""
    if "enum" in schema:
        return schema["enum"][0]
    return False if "boolean" in _kinds(schema) else schema.get("minimum", 1)


def _written(schema: Schema, good: object, *, required: bool) -> Iterator[object]:
    if not required:
        yield from _nothing(schema)
    if "integer" in _kinds(schema):
        least = int(schema.get("minimum", 1))
        yield from (float(least), str(least))
    elif "number" in _kinds(schema) and isinstance(good, int | float):
        yield from (float(good), int(good) or 1)
    elif isinstance(good, str) and good.isdecimal():
        yield from (int(good), float(good))
