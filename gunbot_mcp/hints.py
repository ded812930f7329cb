"""What to do about arguments that were refused, so that whoever obeys is accepted.

A hint says how each argument should look, and gives the values to send as one JSON object. It is tried before it is
given: the call with these values passes. A value that only has the wrong type is given back in the right one.
"""

import difflib
import functools
import json
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from gunbot_mcp.errors import clean

CALL = "call"
"""The context of a validation: these arguments come from a caller, and not from a stored ticket."""
_TOLD = 5
"""How many arguments one hint describes: what fits a line."""
LONGEST = 580
"""How many characters a hint has at most: what an error shows whole."""
_LONGEST = 200
_ROUNDS = 5
_NUMBER = re.compile(r"\s*[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?\s*")


class Unfit(ValueError):
    """Arguments that do not fit together, with values that would (`instead`), or `advice` in words.

    Of one argument alone, `instead` has one member: the right `value`.
    """

    def __init__(self, message: str, instead: Mapping[str, Any] | None = None, advice: str = "") -> None:
        super().__init__(message)
        self.instead = dict(instead or {})
        self.advice = advice


def hint_for(model: type[BaseModel], given: Mapping[str, object]) -> str:
    """Return what to change in these arguments of a tool, which were refused; at most `LONGEST` characters."""
    working = dict(given)
    strange = [name for name in given if name not in model.model_fields]
    names, shape = "", ""
    if len(strange) <= _TOLD:
        said = [_renamed(model, working, name) for name in strange]
        names = "; ".join(said)
        shape = shape_of(model) if any(part.startswith("leave out") for part in said) else ""
    else:
        names = f"leave out everything but {', '.join(map(repr, model.model_fields))}"
        working = {name: value for name, value in given.items() if name in model.model_fields}
    told, instead = _repaired(model, working)
    values = f"for example {json.dumps(instead)}" if instead else ""
    # What must be obeyed comes before what explains it.
    every = ([names, shape, *told[:_TOLD], values], [names, *told[:_TOLD], values], [names, values])
    texts = ["; ".join(filter(None, parts)) for parts in every]
    return next((text for text in texts if len(text) <= LONGEST), texts[-1])


def shape_of(model: type[BaseModel]) -> str:
    """Return the names of a tool's arguments in words, those that may be left out in brackets."""
    names = [name if field.is_required() else f"[{name}]" for name, field in model.model_fields.items()]
    return f"it takes {', '.join(names)}" if names else "it takes no arguments"


def _renamed(model: type[BaseModel], working: dict[str, object], name: str) -> str:
    """Take an unknown argument out of `working`, or give it its right name there, and say so."""
    value, shown = working.pop(name), repr(clean(name, 64))
    near = difflib.get_close_matches(name[:64], model.model_fields, n=1, cutoff=0.5)
    if not near:
        return f"leave out {shown}"
    if near[0] in working:
        return f"did you mean {near[0]!r}? It is given already: leave out {shown}"
    working[near[0]] = value
    return f"did you mean {near[0]!r} instead of {shown}?"


def _repaired(model: type[BaseModel], working: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return words about each argument that is wrong, and values with which the call passes."""
    told: dict[str, str] = {}
    instead: dict[str, Any] = {}
    for _ in range(_ROUNDS):
        wrong, fits = _wrong(model, working)
        if not wrong and fits is None:
            break
        for name, fault in wrong.items():
            facts = facts_of(model).get(name, {})
            told.setdefault(name, "; ".join(filter(None, (f"{name}: {_fact(facts)}", fault.advice))))
            meant = _candidates(facts, working.get(name), tried=name in instead)
            for value in (*fault.right, *meant, _example(facts)):
                working[name] = instead[name] = value
                if name not in _wrong(model, working)[0]:
                    break
        if fits is not None:
            instead |= fits.instead
            working |= fits.instead
            told.setdefault("", fits.advice)
    return list(told.values()), instead


@dataclass(frozen=True, slots=True)
class _Fault:
    """One argument that is wrong by itself: advice on it, and the right value where that is known."""

    advice: str = ""
    right: tuple[Any, ...] = ()


def _wrong(model: type[BaseModel], working: Mapping[str, Any]) -> tuple[dict[str, _Fault], Unfit | None]:
    """Return the arguments that are wrong by themselves, and what does not fit together."""
    try:
        model.model_validate(working, context=CALL)
    except ValidationError as exc:
        wrong: dict[str, _Fault] = {}
        unfit: Unfit | None = None
        for error in exc.errors():
            cause = error.get("ctx", {}).get("error")
            if error["loc"]:
                name, *inside = error["loc"]
                known = isinstance(cause, Unfit)
                right = _put(working.get(str(name)), inside, cause.instead) if known else ()
                wrong.setdefault(str(name), _Fault(cause.advice if known else "", right))
            elif isinstance(cause, Unfit):
                unfit = cause
        return wrong, unfit
    return {}, None


def _put(value: object, inside: Sequence[int | str], instead: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the argument with the right value in its place, which is one of its items where it is a list."""
    if "value" not in instead:
        return ()
    if not inside or not isinstance(value, list):
        return (instead["value"],)
    items = cast("list[Any]", value)
    return ([instead["value"] if at == inside[0] else item for at, item in enumerate(items)],)


@functools.cache
def facts_of(model: type[BaseModel]) -> Mapping[str, Mapping[str, Any]]:
    """Return the schema of each argument; where it may be left out, of what it is if it is given."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, node in model.model_json_schema(by_alias=False).get("properties", {}).items():
        options = [option for option in node.get("anyOf", []) if option != {"type": "null"}]
        found[name] = {**options[0], **node} if len(options) == 1 else node
    return found


def _fact(facts: Mapping[str, Any]) -> str:
    if "enum" in facts:
        return "one of " + ", ".join(map(str, facts["enum"]))
    kind = facts.get("type", "")
    least, most = facts.get("minimum"), facts.get("maximum")
    words = {
        "number": "a JSON number greater than 0" if least is None else f"a JSON number from {least}",
        "integer": f"a whole number from {least}" + ("" if most is None else f" to {most}"),
        "array": f"a list of 1 to {facts.get('maxItems', 40)} texts",
        "boolean": "true or false",
    }.get(kind, "text")
    about = facts.get("description")
    return f"{words}, {about}" if about and kind in {"string", "array"} else words


def _example(facts: Mapping[str, Any]) -> object:
    for found in (facts.get("examples"), facts.get("enum")):
        if found:
            return found[0]
    kind = facts.get("type", "")
    if facts.get("default") is not None or kind == "integer":
        return facts.get("default", facts.get("minimum", 1))
    return {"number": 1, "boolean": True}.get(kind, "")


def _candidates(facts: Mapping[str, Any], value: object, *, tried: bool) -> Sequence[Any]:
    """Return what the caller may have meant, in the type that is asked for."""
    if tried or value is None:
        return ()
    kind, found = facts.get("type", ""), cast("list[Any]", [])
    if kind == "array" and isinstance(value, str):
        found.append([value.strip()])
    elif kind == "boolean" and isinstance(value, str | int):
        found += {"true": [True], "false": [False], "1": [True], "0": [False]}.get(str(value).strip().lower(), [])
    elif kind == "string" and isinstance(value, str):
        found += [value.strip(), value.strip().lower()]
    elif kind in {"number", "integer"} and (number := _as_number(value)) is not None:
        found.append(number)
        bounds = [bound for bound in (facts.get("minimum"), facts.get("maximum")) if bound is not None]
        found += sorted(bounds, key=lambda bound: abs(bound - number))
    return [one for one in found if len(json.dumps(one)) <= _LONGEST]


def _as_number(value: object) -> int | float | None:
    """Return a number that arrived as text, if a JSON number can hold its digits."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if isinstance(value, int) and abs(value) < 10**18 else None
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return None
    exact = Decimal(value.strip())
    if exact == exact.to_integral_value():
        return int(exact)
    return float(exact) if Decimal(repr(float(exact))) == exact else None


def near_zones(name: str) -> list[str]:
    """Return time zones that somebody may have meant, nearest first: also by the place alone, in any case."""
    zones = sorted(zone for zone in zoneinfo.available_timezones() if zone[:1].isupper())
    plain = "_".join(name[:64].split()).casefold()
    place = plain.rpartition("/")[2]
    found = [zone for zone in zones if zone.casefold() == plain]
    found += [zone for zone in zones if zone.rpartition("/")[2].casefold() == place]
    found += difflib.get_close_matches(name[:64], zones, n=3, cutoff=0.6)
    return list(dict.fromkeys(found))[:3]
