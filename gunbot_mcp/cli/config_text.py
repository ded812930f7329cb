"""A config as text: the values that are set, each with its key's own description above it. `tomllib` is the judge."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args

from pydantic import BaseModel

from gunbot_mcp.config import Settings
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.instance import Instance

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDTH = 116
_HEAD = "gunbot-mcp's configuration, written by gunbot-mcp setup. config.example.toml shows every key and its default."
Values = Mapping[str, Any]


def config_text(values: Values) -> str:
    """Return the config as TOML with comments; reading it gives back exactly these values.

    Raises:
        ConfigInvalid: it would not.
    """
    text = "\n".join([*_comment(_HEAD), "", *_section("", values, Settings)]) + "\n"
    if tomllib.loads(text) != values:
        raise ConfigInvalid("this configuration cannot be written down exactly", "write it by hand")
    return text


def _section(name: str, values: Values, model: type[BaseModel] | None) -> Iterator[str]:
    """Write plain keys first: what stands below a table's head belongs to that table."""
    below: list[tuple[str, Values, type[BaseModel] | None]] = []
    if name:
        yield f"[{name}]"
    for key, value in values.items():
        path = f"{name}.{_key(key)}" if name else _key(key)
        inner = _model_of(model, key)
        if isinstance(value, Mapping) and (inner is not None or key in {"capabilities", "contracts"}):
            table = cast("Values", value)
            if inner is Instance and not name:
                below += [(f"{path}.{_key(one)}", cast("Values", found), Instance) for one, found in table.items()]
            else:
                below.append((path, table, inner))
            continue
        yield from _comment((model.model_fields[key].description or "") if model and key in model.model_fields else "")
        yield f"{_key(key)} = {_value(cast('object', value))}"
    for path, table, inner in below:
        yield ""
        yield from _section(path, table, inner)


def _model_of(model: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    """Return the model of a section below; `instances` holds several of one."""
    if model is None or key not in model.model_fields:
        return None
    annotation: Any = model.model_fields[key].annotation
    for found in (annotation, *get_args(annotation)):
        if isinstance(found, type) and issubclass(found, BaseModel):
            return found
    return None


def _comment(text: str) -> Iterator[str]:
    line = "#"
    for word in text.split():
        if len(line) + len(word) >= _WIDTH:
            yield line
            line = "#"
        line += f" {word}"
    if line != "#":
        yield line


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: object) -> str:
    match value:
        case str():
            # JSON's escapes are TOML's, but for DEL, which TOML wants escaped, too.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list():
            return f"[{', '.join(map(_value, cast('list[object]', value)))}]"
        case Mapping():
            pairs = cast("Mapping[str, object]", value).items()
            return f"{{ {', '.join(f'{_key(key)} = {_value(one)}' for key, one in pairs)} }}" if pairs else "{}"
        case _:
            raise ConfigInvalid(f"a config holds no {type(value).__name__}", "write it by hand")
