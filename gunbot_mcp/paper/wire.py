"""Requests in, arguments out: the wire names of the table of endpoints, read backwards.

Gunbot ignores what it does not know, so unknown fields pass; everything else is as strict as the tools are.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError
from starlette.requests import Request

from gunbot_mcp.arguments import AnyArgs, Args
from gunbot_mcp.errors import clean

MAX_BODY = 65_536
# A body that is too long is read a while longer and dropped: a client that is still writing would not see the answer.
_MAX_DRAINED = 16 * 1024 * 1024


class Malformed(Exception):
    """The request is not one that the gateway can read; the message is for the caller."""


def wire_names(model: type[Args]) -> dict[str, str]:
    """Return wire name → field name of what Gunbot sees of an argument model."""
    return {
        field.serialization_alias or name: name
        for name, field in model.model_fields.items()
        if field.exclude is not True
    }


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a body; an empty body is `{}`.

    Raises:
        Malformed: too long, not JSON (NaN and Infinity are not), or not an object.
    """
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY:
            body += chunk
        elif size > _MAX_DRAINED:
            break
    if size > MAX_BODY:
        raise Malformed(f"Invalid input: the body is longer than {MAX_BODY} bytes")
    if not body.strip():
        return {}
    try:
        value = json.loads(bytes(body).decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Malformed("Invalid input: the body is not JSON") from None
    return _object(value, "the body")


def unwrap(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a trade, which come in `data` or, as the SDKs' examples have it, flat."""
    return _object(body["data"], "data") if "data" in body else body


def from_body(model: type[AnyArgs], body: dict[str, Any]) -> AnyArgs:
    """Return validated arguments of a POST.

    Raises:
        Malformed: names the offending fields as the wire does.
    """
    data = unwrap(body)
    for wire, name in wire_names(model).items():
        # Our tools take a whole number for an id; on the wire it is text.
        if model.model_fields[name].annotation is str and isinstance(data.get(wire), int | float):
            raise Malformed(f"Invalid input: {wire}: must be a string")
    return validated(model, {name: data[wire] for wire, name in wire_names(model).items() if wire in data})


def from_query(model: type[AnyArgs], request: Request) -> AnyArgs:
    """Return validated arguments of a GET; a list is a repeated `name[]`.

    Raises:
        Malformed: names the offending fields as the wire does.
    """
    found: dict[str, Any] = {}
    for wire, name in wire_names(model).items():
        texts = request.query_params.getlist(wire)
        if wire.endswith("[]"):
            found |= {name: texts} if texts else {}
        elif texts:
            found[name] = _integer(texts[0]) if model.model_fields[name].annotation is int else texts[0]
    return validated(model, found)


def validated(model: type[AnyArgs], values: Mapping[str, Any]) -> AnyArgs:
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        wires = {name: wire for wire, name in wire_names(model).items()}
        problems = [
            f"{wires.get(str(error['loc'][0]), 'data') if error['loc'] else 'data'}: {_plain(error['msg'])}"
            for error in exc.errors(include_url=False, include_context=False, include_input=False)[:5]
        ]
        raise Malformed(clean("Invalid input: " + "; ".join(problems))) from None


def _integer(text: str) -> int | str:
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else text


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"Invalid input: {what} must be a JSON object")
    return cast("dict[str, Any]", value)
