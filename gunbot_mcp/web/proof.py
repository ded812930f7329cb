"""The proof that an inbox, or a server's own page, gives to a nonce. See `approval.inbox`."""

import re
from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from gunbot_mcp.approval.inbox import Serves, serves, statement
from gunbot_mcp.config import Settings
from gunbot_mcp.web import gate
from gunbot_mcp.web.answers import data

_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


def proof(request: Request, served: Sequence[Serves], folder: Path, port: int | None) -> Response:
    """Return the answer to the request's nonce.

    Raises:
        NotOurs: another site asks.
        BadForm: there is none, or nothing is served here.
    """
    gate.check_visit(request)
    nonce = request.query_params.get("nonce", "")
    if _NONCE.fullmatch(nonce) is None or port is None:
        raise gate.BadForm("the inbox proves itself to a nonce")
    return data(statement(folder, nonce=nonce, port=port, served=served))


def own_statement(request: Request, settings: Settings, folder: Path, port: int | None) -> Response:
    """As `proof`, of a server's own page, which sends for one instance."""
    here = settings.served
    return proof(request, [serves(folder, instance=settings.name, live=here.live, url=here.url)], folder, port)
