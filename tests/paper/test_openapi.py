from typing import Any, cast

from starlette.routing import Route

from gunbot_mcp.endpoints import ENDPOINTS
from gunbot_mcp.paper.app import PREFIX, PaperGateway
from gunbot_mcp.paper.openapi import paper_openapi


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        here = cast("dict[str, Any]", node)
        return {here["$ref"]} if "$ref" in here else set[str]().union(*map(references, here.values()))
    if isinstance(node, list):
        return set[str]().union(*map(references, cast("list[Any]", node)))
    return set()


def test_the_document_has_exactly_the_routes_that_the_gateway_serves() -> None:
    served = {
        (method, route.path)
        for route in PaperGateway().app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    described = {
        (method.upper(), path) for path, operations in paper_openapi()["paths"].items() for method in operations
    }
    assert described == {(method, path) for method, path in served if method != "HEAD"}


def test_fields_carry_the_names_of_the_wire() -> None:
    paths = paper_openapi()["paths"]
    body = paths[f"{PREFIX}/trade/buy/oco"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    flat = body["anyOf"][1]
    assert list(flat["properties"]) == flat["required"] == ["exch", "pair", "amt", "price", "stopPrice", "limit"]
    page = paths[f"{PREFIX}/orders/page/multi"]["get"]["parameters"]
    assert [(one["name"], one["in"]) for one in page] == [("page", "query"), ("pageSize", "query"), ("keys[]", "query")]
    market = paths[f"{PREFIX}/trade/buy/market"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert market["anyOf"][1]["required"] == ["exch", "pair", "amt"]


def test_every_reference_leads_somewhere_and_every_operation_has_its_own_name() -> None:
    document = paper_openapi()
    for reference in references(document):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node
    names = [one["operationId"] for operations in document["paths"].values() for one in operations.values()]
    assert len(names) == len(set(names))
    assert {endpoint.name for endpoint in ENDPOINTS} < set(names)
