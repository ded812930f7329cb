"""Every key of the configuration with its value and where that came from: default, file, environment or flag."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel

from gunbot_mcp.config import Mode, Settings, said_by, variable_of

_HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One key. `value` is as JSON has it, a secret's is hidden; `source` is one of the four; `variable` names it."""

    key: str
    value: object
    source: str
    variable: str | None = None

    @property
    def told(self) -> str:
        return self.variable or self.source

    def as_dict(self) -> dict[str, object]:
        return {"key": self.key, "value": self.value, "from": self.source, "variable": self.variable}


def origins(settings: Settings, flags: Mapping[str, Any]) -> list[Origin]:
    """Return every key of the whole and of the served instance, in the order of the settings.

    Raises:
        ConfigInvalid: the file cannot be read any more.
    """
    sources = said_by(flags)
    shown = settings.model_dump(mode="json")
    return [_origin(settings, sources, path, _at(shown, path)) for path in _paths(settings)]


def _paths(settings: Settings) -> Iterator[tuple[str, ...]]:
    for name in type(settings).model_fields:
        if name == "instances":
            yield from _below(settings.served, ("instances", settings.name))
        else:
            value = getattr(settings, name)
            yield from _below(value, (name,)) if isinstance(value, BaseModel) else [(name,)]


def _below(section: BaseModel, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        yield from _below(value, (*path, name)) if isinstance(value, BaseModel) else [(*path, name)]


def _origin(
    settings: Settings, sources: Mapping[str, Mapping[str, Any]], path: tuple[str, ...], value: object
) -> Origin:
    value = _without_secrets(value)
    if path == ("mode",):
        # Read-only from any source wins, so it is not the strongest source that counts.
        value = None if settings.mode is None else settings.mode.value
        spoke = (name for name, said in sources.items() if "mode" in said and Mode.parse(said["mode"]) is settings.mode)
    else:
        spoke = (name for name, said in sources.items() if _at(said, path) is not None)
    source = next(spoke, "default")
    variable = variable_of(path) if source == "environment" else None
    return Origin(key=".".join(path), value=value, source=source, variable=variable)


def _without_secrets(value: object) -> object:
    """Return a value as it may be shown: pydantic writes a secret as stars."""
    if isinstance(value, list):
        return [_without_secrets(one) for one in cast("list[object]", value)]
    return _HIDDEN if isinstance(value, str) and value.startswith("***") else value


def _at(tree: object, path: tuple[str, ...]) -> object:
    for name in path:
        tree = cast("Mapping[str, object]", tree).get(name) if isinstance(tree, Mapping) else None
    return tree
