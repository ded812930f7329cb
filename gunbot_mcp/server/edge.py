"""The last edge: no exception leaves a handler, for clients of the handshake era would be sent its text."""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from gunbot_mcp.errors import GunbotMcpError, Internal, clean
from gunbot_mcp.render import Answer, error_answer

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]
Params = TypeVar("Params")
Result = TypeVar("Result")
Handler = Callable[[Context, Params], Awaitable[Result]]


def kept(handler: Handler[Params, Result], secrets: tuple[str, ...] = ()) -> Handler[Params, Result]:
    """Return a handler that raises protocol errors only, each with one of our codes in its data."""

    @functools.wraps(handler)
    async def answer(ctx: Context, params: Params) -> Result:
        try:
            return await handler(ctx, params)
        except MCPError:
            raise
        except GunbotMcpError as exc:
            raise protocol_error(error_answer(exc, secrets)) from None
        except Exception:  # the top edge: a client gets a code, the log gets the traceback
            logger.exception("%s failed", clean(ctx.method, 64))
            fault = Internal("gunbot-mcp itself failed", "its log on stderr says more; please report it")
            raise protocol_error(error_answer(fault)) from None

    return answer


_PARAMS = frozenset({"invalid_arguments", "unknown_tool", "ticket_not_found"})
"""What is wrong with these is in the request."""


def protocol_error(answer: Answer, **more: object) -> MCPError:
    """Return an error answer as the protocol's error, for methods whose results cannot be errors.

    Its message is the answer's text; its data are the error's facts and `more`.
    """
    code = types.INVALID_PARAMS if answer.error.get("code") in _PARAMS else types.INTERNAL_ERROR
    return MCPError(code, answer.text, {**answer.error, **more})
