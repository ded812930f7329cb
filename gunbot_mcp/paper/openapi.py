"""An OpenAPI 3.1 document of everything that the paper gateway serves, derived from the table of endpoints."""

from typing import Any

from gunbot_mcp import __version__
from gunbot_mcp.arguments import Args
from gunbot_mcp.endpoints import BY_NAME, AnyEndpoint, Result
from gunbot_mcp.gunbot.records import NUMBER_FIELDS, RECORD_FIELDS
from gunbot_mcp.paper.app import PREFIX, KeyArgs, PairsArgs, PriceArgs, SingleArgs
from gunbot_mcp.paper.wire import wire_names
from gunbot_mcp.schema import input_schema

Schema = dict[str, Any]


def paper_openapi() -> Schema:
    """Return the document as JSON-ready data; every call returns a new one."""
    paths: dict[str, Schema] = {}
    for endpoint in BY_NAME.values():
        paths[PREFIX + endpoint.path] = {endpoint.method.lower(): _operation_of(endpoint)}
    for method, path, operation in _others():
        paths[PREFIX + path] = {method: operation}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gunbot-mcp paper gateway",
            "version": __version__,
            "description": "Trading and order paths of Gunbot's API on simulated markets. No order leaves the machine.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
            "responses": {
                "Refused": _answer("The request is malformed, or the order cannot be placed.", _ref("Error")),
                "Unauthorized": _answer("No token, or a wrong one.", _ref("Error")),
                "Failed": _answer("The gateway could not record the request; nothing was done.", _ref("Error")),
            },
        },
    }


def _operation_of(endpoint: AnyEndpoint) -> Schema:
    answers = {
        Result.SENT: "Sent",
        Result.ORDERS: "Orders",
        Result.DAYS: "Days",
        Result.PAGE: "MultiPage" if "keys[]" in wire_names(endpoint.args) else "Page",
    }
    takes: Schema = (
        {"requestBody": _wrapped(endpoint.args)}
        if endpoint.method == "POST"
        else {"parameters": _parameters(endpoint.args)}
    )
    return _operation(endpoint.name, endpoint.about, _ref(answers[endpoint.result]), **takes)


def _others() -> list[tuple[str, str, Schema]]:
    login = _object({"password": {"type": "string", "pattern": "^ENC:"}}, ["password"])
    price = _operation("set_price", "Set a pair's price; not a path of Gunbot's.", _ref("Done"))
    return [
        (
            "post",
            "/auth/login",
            {
                **_operation(
                    "login", "Get a token for an encrypted password.", _ref("Token"), requestBody=_body(login)
                ),
                "security": [],
            },
        ),
        ("get", "/auth/status", _operation("auth_status", "Say that the token is good.", _ref("Status"))),
        ("get", "/time", _operation("server_time", "The gateway's clock, epoch milliseconds.", _ref("Time"))),
        ("post", "/balances", _operation("balances", "Every asset of every account.", _ref("Balances"))),
        (
            "get",
            "/pairs",
            _operation("pairs", "The pairs of an exchange.", _ref("Pairs"), parameters=_parameters(PairsArgs)),
        ),
        (
            "get",
            "/market/orderbook",
            _operation("orderbook", "Ten levels of both sides.", _ref("Book"), parameters=_parameters(KeyArgs)),
        ),
        ("post", "/coremem", _operation("core_memory", "Open orders of all pairs.", _ref("Memory"))),
        (
            "post",
            "/coremem/single",
            _operation(
                "core_memory_single", "Open orders of one pair.", _ref("Memory"), requestBody=_body(_wire(SingleArgs))
            ),
        ),
        ("post", "/paper/price", {**price, "requestBody": _wrapped(PriceArgs)}),
    ]


def _schemas() -> dict[str, Schema]:
    text: Schema = {"type": "string"}
    number: Schema = {"type": "number"}
    count: Schema = {"type": "integer"}
    records: Schema = {"type": "array", "items": _ref("Record")}
    levels: Schema = {"type": "array", "items": {"type": "array", "prefixItems": [number, number], "items": False}}
    sides: Schema = {"type": "string", "enum": ["buy", "sell"]}
    money = [name for name in RECORD_FIELDS if name in NUMBER_FIELDS and name != "time"]
    record = {"time": count, "pair": text, "type": sides, "id": count, **dict.fromkeys(money, number)}
    open_order = {
        **dict.fromkeys(("id", "pair", "group"), text),
        "type": sides,
        "orderType": {"type": "string", "enum": ["limit", "market"]},
        "kind": {"type": "string", "enum": ["limit", "stop_limit", "trailing_stop"]},
        **dict.fromkeys(("rate", "amount", "stopPrice", "trail"), number),
        "time": count,
        **{key: {"type": "boolean"} for key in ("triggered", "reduceOnly")},
    }
    pair = {**dict.fromkeys(("Bid", "Ask", "ABP", "quoteBalance", "baseBalance"), number)}
    pair["openOrders"] = {"type": "array", "items": _ref("OpenOrder")}
    flags = {key: {"type": "boolean"} for key in ("isDemo", "isRegistered", "isTwoFA")}
    page = {"total": count, "page": count, "data": records}
    done: Schema = {"status": {"const": "success"}, "message": text}
    return {
        "Sent": _object({**done, "message": {"const": "Order sent"}}),
        "Done": _object(done),
        "Error": _object({"status": {"const": "error"}, "message": text, "code": count}, ["status", "message"]),
        "Record": _object({**record, "toCancel": {"const": True}}, list(record)),
        "Orders": _object({"data": records}),
        "Page": _object(page),
        "MultiPage": _object({**page, "totalCount": count}),
        "Days": _object(
            {
                "days": {"type": "array", "items": {"type": "string", "format": "date"}},
                **{key: {"type": "array", "items": count} for key in ("orders", "closeOrders")},
            }
        ),
        "Token": _object({"status": {"const": "success"}, "token": text}),
        "Status": _object({"code": count, **flags, **done}),
        "Time": _object({"serverTime": count}),
        "Balances": {
            "type": "array",
            "items": _object(dict.fromkeys(("Asset", "Exchange", "Available Qty", "On Order"), text)),
        },
        "Pairs": _object({"status": {"const": "success"}, "pairList": {"type": "array", "items": text}}),
        "Book": _object({"data": _object({"ask": levels, "bid": levels})}),
        "OpenOrder": _object(open_order, ["id", "pair", "type", "orderType", "kind", "rate", "amount", "time"]),
        "Memory": _object({"memory": {"type": "object", "additionalProperties": _object(pair)}}),
    }


def _operation(name: str, about: str, answer: Schema, **more: object) -> Schema:
    responses = {
        "200": _answer("Done.", answer),
        "400": {"$ref": "#/components/responses/Refused"},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "500": {"$ref": "#/components/responses/Failed"},
    }
    return {"operationId": name, "summary": about, **more, "responses": responses}


def _wire(model: type[Args]) -> Schema:
    """Return the schema of an argument model under wire names; unknown fields are ignored, as Gunbot does."""
    schema = input_schema(model)
    names = wire_names(model)
    properties = {wire: schema["properties"][name] for wire, name in names.items()}
    return _object(properties, [wire for wire, name in names.items() if name in schema.get("required", ())])


def _wrapped(model: type[Args]) -> Schema:
    """Return a body that may be wrapped in `data` or flat."""
    flat = _wire(model)
    return _body({"anyOf": [_object({"data": flat}), flat]})


def _parameters(model: type[Args]) -> list[Schema]:
    schema = _wire(model)
    return [
        {"name": name, "in": "query", "required": name in schema["required"], "schema": what}
        for name, what in schema["properties"].items()
    ]


def _body(schema: Schema) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _answer(about: str, schema: Schema) -> Schema:
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
