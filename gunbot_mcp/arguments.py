"""The arguments of every tool: strict types where money is, shared by the table of endpoints and the companions.

An amount or a price is a JSON number, a name is text, an unknown name is refused. Where nothing is at stake, what
real clients do is forgiven: null, "" and [] for what may be left out, 10.0 and "10" for a count, a whole number for an
order's id. Wire names, where they differ from ours, are serialization aliases; what Gunbot must not see is declared
with `exclude=True`. Each type has a description and an example, from which schemas and hints are made.
"""

import contextlib
import re
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar, cast, get_args

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
from gunbot_mcp.hints import CALL, Unfit, hint_for, near_zones, shape_of

_EXCHANGE = r"[A-Za-z][A-Za-z0-9_]*(?:#[1-9][0-9]?)?"
_LONGEST = 64
_PAIR = r"[A-Za-z0-9]+(?:[._:-][A-Za-z0-9]+)*"


def _zone(name: str) -> str:
    # The zone folder also has names that are this machine's own (localtime, posixrules, right/…): all in lower case.
    if name[:1].isupper():
        with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            zoneinfo.ZoneInfo(name)
            return name
    said, near = "must be an IANA time zone, for example Europe/Berlin or UTC", near_zones(name)
    if near:
        raise Unfit(said, {"value": near[0]}, f"zones near it: {', '.join(near)}")
    raise ValueError(said)


_WRITTEN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*(?:#[0-9]{1,3})?")


def _as_gunbot_writes_it(value: object, info: ValidationInfo) -> object:
    """Refuse another spelling of an exchange in a call. A stored ticket stays readable, whatever it says.

    Raises:
        ValueError: names the right one; nothing is corrected in silence.
    """
    if info.context != CALL or not isinstance(value, str) or len(value) > _LONGEST:
        return value
    exchange, slash, pair = value.partition("/")
    if not _WRITTEN.fullmatch(exchange):
        return value  # what no spelling of a name can be, the pattern refuses
    right = right_name(exchange)
    if right != exchange:
        whole = right + slash + pair
        raise Unfit(f"must be {clean(whole, _LONGEST)}: Gunbot writes this exchange {right!r}", {"value": whole})
    return value


def _whole_as_text(value: object) -> object:
    """Return an id that came as a whole number as text, while no digit of it can be lost.

    Raises:
        Unfit: the number may have lost its last digits on its way.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if abs(value) > MOST_EXACT:
        raise Unfit("is too large for a number", advice="give it as text, JSON numbers lose its last digits")
    if value < 0:
        raise ValueError("must be an id, not a negative number")
    return str(value)


def _order_id(text: str) -> str:
    if not is_order_id(text):
        raise ValueError("has another form, or characters that are not allowed")
    return text


def _schema(kind: str, about: str, example: object, **more: object) -> WithJsonSchema:
    """Return the short schema of an argument: its pattern is checked here, and would cost every client tokens."""
    return WithJsonSchema({"type": kind, "description": about, **more, "examples": [example]})


_EXACTLY = BeforeValidator(_as_gunbot_writes_it)
Exchange = Annotated[
    str, Field(pattern=f"^{_EXCHANGE}$", max_length=64), _EXACTLY, _schema("string", "e.g. binance", "binance")
]
PairName = Annotated[
    str, Field(pattern=f"^{_PAIR}$", max_length=64), _schema("string", "paying asset first: USDT-BTC", "USDT-BTC")
]
Key = Annotated[
    str,
    Field(pattern=f"^{_EXCHANGE}/{_PAIR}$", max_length=64),
    _EXACTLY,
    _schema("string", "e.g. binance/USDT-BTC", "binance/USDT-BTC"),
]
Keys = Annotated[
    list[Key],
    Field(min_length=1, max_length=100),
    WithJsonSchema(
        {
            "type": "array",
            "description": "e.g. binance/USDT-BTC",
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": 100,
            "examples": [["binance/USDT-BTC"]],
        }
    ),
]
Number = Annotated[Decimal, BeforeValidator(exact_number), _schema("number", "in the paying asset, > 0", 50000)]
MarketPrice = Annotated[
    Decimal, BeforeValidator(exact_or_zero), _schema("number", "in the paying asset; 0: the market's", 50000, minimum=0)
]
"""0 is Gunbot's own way to say "the market's"."""
Amount = Annotated[Decimal, BeforeValidator(exact_number), _schema("number", "of the traded asset, > 0", 0.001)]
StopPrice = Annotated[Decimal, BeforeValidator(exact_number), _schema("number", "stop's trigger, > 0", 49500)]
StopLimit = Annotated[Decimal, BeforeValidator(exact_number), _schema("number", "stop's limit, > 0", 49400)]
OrderId = Annotated[
    str,
    BeforeValidator(_whole_as_text),
    AfterValidator(_order_id),
    Field(max_length=MOST_ID),
    _schema("string", "as list_open_orders shows it", "357044"),
]
Page = Annotated[int, Field(ge=0, le=1_000_000_000), _schema("integer", "from 0", 0, minimum=0, maximum=1_000_000_000)]
PageSize = Annotated[int, Field(ge=1, le=1000), _schema("integer", "records a page", 50, minimum=1, maximum=1000)]
Timezone = Annotated[
    str, Field(max_length=64), AfterValidator(_zone), _schema("string", "IANA, e.g. Europe/Berlin", "Europe/Berlin")
]
TicketId = Annotated[
    str, Field(pattern=r"^[a-z0-9]+$", max_length=32), _schema("string", "from the order's answer", "k7x2mp9q")
]
Fields = Annotated[
    list[Annotated[str, Field(pattern=r"^\w+$", max_length=64)]] | None,
    Field(exclude=True, min_length=1, max_length=40),
    WithJsonSchema(
        {
            "type": "array",
            "description": "columns; default all",
            "items": {"type": "string"},
            "maxItems": 40,
            "examples": [["time", "type", "rate", "amount"]],
        }
    ),
]
MaxRows = Annotated[
    int | None,
    Field(exclude=True, ge=1, le=20_000),
    _schema("integer", "more than fit 24 kB, up to 200 kB", 1000, minimum=1, maximum=20_000),
]
Skip = Annotated[
    int,
    Field(exclude=True, ge=0, le=1_000_000),
    _schema("integer", "rows to pass over", 0, minimum=0, maximum=1_000_000),
]
RepeatOf = Annotated[
    str | None,
    Field(exclude=True, pattern=r"^[a-z0-9]+$", max_length=32),
    _schema("string", "ticket repeated on purpose", "k7x2mp9q"),
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
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "too_long": "has too many items",
    "too_short": "must not be empty",
    "string_too_long": "is too long",
    "string_too_short": "must not be empty",
    "model_type": "must be a JSON object",
}

_TOLD = 5
"""How many offending fields one error names: what fits a line."""
_DIGITS = re.compile(r"[0-9]{1,10}")


def parse_arguments(model: type[AnyArgs], arguments: object) -> AnyArgs:
    """Return validated arguments.

    Raises:
        InvalidArguments: names every offending field and, in the hint, what to give instead.
    """
    if not isinstance(arguments, Mapping):
        raise InvalidArguments("arguments must be a JSON object", hint_for(model, {}) or shape_of(model))
    given = _forgiven(model, cast("Mapping[str, object]", arguments))
    try:
        return model.model_validate(given, context=CALL)
    except ValidationError as exc:
        problems = "; ".join(_problem(dict(error)) for error in exc.errors()[:_TOLD])
        more = f"; and {exc.error_count() - _TOLD} more" if exc.error_count() > _TOLD else ""
        raise InvalidArguments(problems + more, hint_for(model, given)) from None


def _forgiven(model: type[Args], given: Mapping[str, object]) -> dict[str, object]:
    """Return the arguments without those that say "nothing" where that is allowed, and whole numbers as such."""
    found: dict[str, object] = {}
    for name, value in given.items():
        field = model.model_fields.get(name)
        if field is not None and not field.is_required() and (value is None or value in ("", [])):
            continue
        found[name] = _whole(value) if field is not None and _counts(field.annotation) else value
    return found


def _counts(annotation: object) -> bool:
    """Return whether an argument is a whole number: a count or a page, nothing that money hangs on."""
    return annotation is int or any(map(_counts, get_args(annotation)))


def _whole(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


def _problem(error: dict[str, Any]) -> str:
    location = [str(part) for part in error["loc"]]
    name = clean(location[0], 64) if location else ""
    where = name + "".join(f"[{part}]" for part in location[1:] if part.isdigit())
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"unknown argument {name!r}"
    said = str(error["msg"]).removeprefix("Value error, ").replace("Input should ", "must ", 1)
    return f"{where} {_SIMPLE_MESSAGES.get(kind) or said}".lstrip()
