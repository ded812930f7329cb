"""The arguments of every tool: strict types, shared by the table of endpoints and the companions around it.

Nothing is coerced: a number is a JSON number, a string is a string, an unknown name is refused. Wire names, where
they differ from ours, are serialization aliases; what Gunbot must not see is declared with `exclude=True`.
"""

import contextlib
import difflib
import re
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from gunbot_mcp.domain import MOST_EXACT, MOST_ID, exact_number, exact_or_zero, is_order_id
from gunbot_mcp.errors import InvalidArguments, clean
from gunbot_mcp.exchanges import right_name

_EXCHANGE = r"[A-Za-z][A-Za-z0-9_]*(?:#[1-9][0-9]?)?"
_LONGEST = 64
_PAIR = r"[A-Za-z0-9]+(?:[._:-][A-Za-z0-9]+)*"


def _zone(name: str) -> str:
    # The zone folder also has names that are this machine's own (localtime, posixrules, right/…): all in lower case.
    if name[:1].isupper():
        with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            zoneinfo.ZoneInfo(name)
            return name
    raise ValueError("must be an IANA time zone, for example Europe/Berlin or UTC")


_CALL = "call"
_WRITTEN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*(?:#[0-9]{1,3})?")


def _as_gunbot_writes_it(value: object, info: ValidationInfo) -> object:
    """Refuse another spelling of an exchange in a call. A stored ticket stays readable, whatever it says.

    Raises:
        ValueError: names the right one; nothing is corrected in silence.
    """
    if info.context != _CALL or not isinstance(value, str) or len(value) > _LONGEST:
        return value
    exchange, slash, pair = value.partition("/")
    if not _WRITTEN.fullmatch(exchange):
        return value  # what no spelling of a name can be, the pattern refuses
    right = right_name(exchange)
    if right != exchange:
        raise ValueError(f"must be {clean(right + slash + pair, _LONGEST)}: Gunbot writes this exchange {right!r}")
    return value


def _whole_as_text(value: object) -> object:
    """Return an id that came as a whole number as text, while no digit of it can be lost."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if value > MOST_EXACT:
        raise ValueError("must be text: give it as text, JSON numbers lose its last digits")
    if value < 0:
        raise ValueError("must be an id, not a negative number")
    return str(value)


def _order_id(text: str) -> str:
    if not is_order_id(text):
        raise ValueError("has another form, or characters that are not allowed")
    return text


def _string(example: str = "") -> WithJsonSchema:
    """Return the short schema of a string: its pattern is checked here, and would cost every client tokens."""
    return WithJsonSchema({"type": "string", **({"description": f"e.g. {example}"} if example else {})})


_EXACTLY = BeforeValidator(_as_gunbot_writes_it)
Exchange = Annotated[str, Field(pattern=f"^{_EXCHANGE}$", max_length=64), _EXACTLY, _string()]
PairName = Annotated[str, Field(pattern=f"^{_PAIR}$", max_length=64), _string()]
Key = Annotated[str, Field(pattern=f"^{_EXCHANGE}/{_PAIR}$", max_length=64), _EXACTLY, _string("binance/USDT-BTC")]
Keys = Annotated[list[Key], Field(min_length=1, max_length=100)]
Number = Annotated[Decimal, BeforeValidator(exact_number), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
MarketPrice = Annotated[Decimal, BeforeValidator(exact_or_zero), WithJsonSchema({"type": "number", "minimum": 0})]
"""0 is Gunbot's own way to say "the market's"."""
OrderId = Annotated[
    str, BeforeValidator(_whole_as_text), AfterValidator(_order_id), Field(max_length=MOST_ID), _string()
]
Page = Annotated[int, Field(ge=0, le=1_000_000_000), WithJsonSchema({"type": "integer", "minimum": 0})]
PageSize = Annotated[int, Field(ge=1, le=1000)]
Timezone = Annotated[str, Field(max_length=64), AfterValidator(_zone), _string("Europe/Berlin")]
TicketId = Annotated[str, Field(pattern=r"^[a-z0-9]+$", max_length=32), _string()]
Fields = Annotated[
    list[Annotated[str, Field(pattern=r"^\w+$", max_length=64)]] | None,
    Field(exclude=True, min_length=1, max_length=40),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]
RepeatOf = Annotated[
    str | None,
    Field(exclude=True, pattern=r"^[a-z0-9]+$", max_length=32),
    _string(),
]


class Args(BaseModel):
    """Base of all argument models: strict, closed, immutable."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    def wire(self) -> dict[str, Any]:
        """Return the arguments under Gunbot's own names, in the page's order, without those that were left out."""
        return self.model_dump(by_alias=True, exclude_none=True)


AnyArgs = TypeVar("AnyArgs", bound=Args)

_SIMPLE_MESSAGES = {
    "missing": "is required",
    "string_pattern_mismatch": "has another form, or characters that are not allowed",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "list_type": "must be a list",
    "too_long": "has too many items",
    "too_short": "must not be empty",
    "string_too_long": "is too long",
    "string_too_short": "must not be empty",
    "model_type": "must be a JSON object",
}

_TOLD = 5
"""How many offending fields one error names: what fits a line."""

_EXAMPLES = {
    "exchange": "e.g. binance or binance#2 (list_exchanges knows the names)",
    "pair": "paying asset first, e.g. USDT-BTC or USDT-BTC-LONG",
    "key": "exchange/pair, e.g. binance/USDT-BTC",
    "keys": "each exchange/pair, e.g. binance/USDT-BTC",
    "order_id": "as list_open_orders shows it",
}


def parse_arguments(model: type[AnyArgs], arguments: object) -> AnyArgs:
    """Return validated arguments.

    Raises:
        InvalidArguments: names every offending field and, in the hint, how each should look.
    """
    if not isinstance(arguments, Mapping):
        raise InvalidArguments("arguments must be a JSON object", _shape_of(model))
    # The schema knows no null: what is not given is left out.
    given = cast("Mapping[str, object]", arguments)
    null = next((n for n, f in model.model_fields.items() if not f.is_required() and given.get(n, n) is None), None)
    if null is not None:
        raise InvalidArguments(f"{null} must not be null", f"leave it out, or {_fix_for(model, null)}")
    try:
        return model.model_validate(arguments, context=_CALL)
    except ValidationError as exc:
        problems, fixes = zip(*(_explain(model, dict(error)) for error in exc.errors()[:_TOLD]), strict=True)
        more = f"; and {exc.error_count() - _TOLD} more" if exc.error_count() > _TOLD else ""
        raise InvalidArguments(
            "; ".join(problems) + more, "; ".join(dict.fromkeys(fix for fix in fixes if fix))
        ) from None


def _explain(model: type[Args], error: dict[str, Any]) -> tuple[str, str]:
    location = [str(part) for part in error["loc"]]
    name = clean(location[0], 64) if location else ""
    where = name + "".join(f"[{part}]" for part in location[1:] if part.isdigit())
    kind = error["type"]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, model.model_fields, n=1, cutoff=0.5)
        fix = f"did you mean {near[0]!r}?" if near else _shape_of(model)
        return f"unknown argument {name!r}", fix
    said = str(error["msg"]).removeprefix("Value error, ").replace("Input should ", "must ", 1)
    message = _SIMPLE_MESSAGES.get(kind) or said
    return f"{where} {message}".lstrip(), _fix_for(model, name)


def _fix_for(model: type[Args], name: str) -> str:
    """Say how one argument should look, from its own schema."""
    schema = model.model_json_schema()["properties"].get(name)
    if schema is None:
        return _shape_of(model)
    facts = {
        "number": "a JSON number greater than 0",
        "integer": f"an integer from {schema.get('minimum')} to {schema.get('maximum', 1_000_000_000)}",
        "array": f"a list of 1 to {schema.get('maxItems', 40)} strings",
    }
    choices = schema.get("enum")
    fact = "one of " + ", ".join(choices) if choices else facts.get(schema.get("type", ""), "a string")
    example = _EXAMPLES.get(name) or schema.get("description")
    return f"{name}: {fact}" + (f", {example}" if example else "")


def _shape_of(model: type[Args]) -> str:
    return "it takes " + ", ".join(
        name if field.is_required() else f"[{name}]" for name, field in model.model_fields.items()
    )
