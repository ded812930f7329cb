"""`gunbot-mcp call TOOL '{json}'`: one tool call, through the same checks as everybody else's."""

import json
import sys
from typing import Any

import anyio
import click
from pydantic_core import to_json

from gunbot_mcp.approval.forms import Question
from gunbot_mcp.cli.output import printable_json
from gunbot_mcp.cli.screen import say
from gunbot_mcp.config import Settings, load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.errors import Internal, InvalidArguments, clean
from gunbot_mcp.render import Answer
from gunbot_mcp.runtime import Runtime, Seams

_WELL = frozenset({"accepted", "awaiting_approval", None})


@click.command()
@click.argument("tool")
@click.argument("arguments", default="{}")
@click.option("--text", is_flag=True, help="Print the answer as text instead of JSON.")
@click.option("--instance", help="The instance to use, where the config has several.")
@click.pass_obj
def call(seams: Seams | None, tool: str, arguments: str, text: bool, instance: str | None) -> int:
    """Call one tool as an assistant does, through the same checks.

    ARGUMENTS is a JSON object. The answer is printed as JSON.

    Exit code 0 means that the call succeeded or waits for a human's approval.
    """
    settings = load(instance=instance)
    try:
        parsed = json.loads(arguments, object_pairs_hook=_once)
    except (json.JSONDecodeError, RecursionError) as exc:
        raise InvalidArguments("the arguments are not JSON", 'for example \'{"key": "binance/USDT-BTC"}\'') from exc
    except ValueError as exc:  # Python refuses integers of thousands of digits
        raise InvalidArguments("a number among the arguments is too long", "numbers are at most 1e18") from exc
    answer = anyio.run(_call, settings, tool, parsed, seams)
    shown = {"error": answer.error} if answer.is_error else answer.structured
    structured = to_json(shown, indent=2, inf_nan_mode="null").decode()
    # A terminal shows both streams, and an error is said once: programs read it on stdout, in the form that they asked.
    if not (answer.is_error and sys.stdout.isatty() and sys.stderr.isatty()):
        click.echo(answer.text if text else printable_json(structured))
    if answer.is_error:
        error = answer.error
        hint = f" ({error['hint']})" if error["hint"] else ""
        say(f"gunbot-mcp: {error['code']}: {error['message']}{hint}", err=True)
        return 1
    # A read may have a `status` of Gunbot's own among its members.
    status = answer.structured.get("status") if "ticket" in answer.structured else None
    if status not in _WELL:
        say(f"gunbot-mcp: {status}: {answer.structured['note']}", err=True)
        return 1
    return 0


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an argument that is given twice: it is not known which one was meant.

    Raises:
        InvalidArguments: one is given twice.
    """
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidArguments(f"{clean(twice, 64)!r} is given twice", "give each argument once")
    return dict(pairs)


async def _call(settings: Settings, tool: str, arguments: object, seams: Seams | None) -> Answer:
    async with Runtime(settings, seams=seams) as runtime:
        caller = Caller(name="gunbot-mcp call")
        answer = await runtime.dispatcher.call(tool, arguments, caller)
    # Only callers that can show a form later get this; this one cannot.
    if isinstance(answer, Question):
        raise Internal("a form was asked for where none can be shown")
    return answer
