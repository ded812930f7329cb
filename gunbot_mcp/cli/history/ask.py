"""`gunbot-mcp history analyze | query | chart`: the assistants' own tools, asked by a person."""

import contextlib
import csv
import re
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import anyio
import click
from pydantic_core import to_json

from gunbot_mcp.approval.forms import Question
from gunbot_mcp.arguments import Args
from gunbot_mcp.cli.history.shared import instance_option, json_option, keys_argument, refreshed
from gunbot_mcp.cli.output import printable_json
from gunbot_mcp.cli.screen import columns, table
from gunbot_mcp.config import load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.errors import HistoryUnavailable, Internal, InvalidArguments, clean, error_codes
from gunbot_mcp.history.charts.picture import HOW_TO_GET
from gunbot_mcp.render import CHART_META, Answer
from gunbot_mcp.runtime import Runtime, Seams
from gunbot_mcp.schema import input_schema
from gunbot_mcp.tools.chart import ChartArgs
from gunbot_mcp.tools.history import AnalyzeArgs
from gunbot_mcp.tools.query import QueryArgs

_KINDS: Mapping[str, "click.ParamType[Any]"] = {"number": click.FLOAT, "integer": click.INT}
_HEADS = re.compile(r"[a-z_%]+(,[a-z_%]+)+")
Command = Callable[..., Any]
_WIDE = 10_000
"""A pipe: nothing is folded."""


def options_of(model: type[Args], *but: str) -> Callable[[Command], Command]:
    """Return a decorator that gives a command one option an argument of the tool; a list's may be given again."""
    schema = input_schema(model)

    def decorate(command: Command) -> Command:
        for name, found in reversed(schema["properties"].items()):
            if name in {"keys", *but}:
                continue
            kind, about = found.get("type"), found.get("description", "")
            option = f"--{name.replace('_', '-')}"
            choices = found.get("enum") or found.get("items", {}).get("enum")
            value: click.ParamType[Any] = click.Choice(choices) if choices else _KINDS.get(kind, click.STRING)
            if kind == "boolean":
                command = click.option(option, name, is_flag=True, default=None, help=about)(command)
            else:
                many = kind == "array"
                needed = name in schema.get("required", ())
                command = click.option(option, name, type=value, multiple=many, required=needed, help=about)(command)
        return command

    return decorate


@click.command()
@keys_argument
@options_of(AnalyzeArgs)
@json_option
@instance_option
@click.pass_obj
def analyze(seams: Seams | None, keys: tuple[str, ...], as_json: bool, instance: str | None, **asked: object) -> None:
    """Say how filled orders did: pnl, fees, win rate, drawdown, ratios, open lots. Without keys: all known ones."""
    answer = _ask(seams, instance, "analyze_orders", keys, asked)
    _show(answer, as_json=as_json)


@click.command()
@click.argument("sql")
@click.option("--key", "keys", multiple=True, help="Only this exchange/pair; may be given again.")
@options_of(QueryArgs, "sql")
@json_option
@instance_option
@click.pass_obj
def query(
    seams: Seams | None, sql: str, keys: tuple[str, ...], as_json: bool, instance: str | None, **asked: object
) -> None:
    """Ask one read-only SELECT over the views orders and fills_by_ticket."""
    answer = _ask(seams, instance, "query_orders", keys, {"sql": sql, **asked})
    _show(answer, as_json=as_json)


@click.command()
@click.argument("chart", type=click.Choice(["pnl", "days", "fills", "holdings"]))
@keys_argument
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), help="FILE.png or FILE.svg")
@click.option("--replace", is_flag=True, help="Replace the file if there is one.")
@options_of(ChartArgs, "chart")
@json_option
@instance_option
@click.pass_obj
def chart(
    seams: Seams | None,
    chart: str,
    keys: tuple[str, ...],
    target: Path | None,
    replace: bool,
    as_json: bool,
    instance: str | None,
    **asked: object,
) -> None:
    """Draw filled orders: a line of blocks and the numbers; with --to also a picture."""
    if target is not None and target.suffix.lower() not in {".png", ".svg"}:
        raise InvalidArguments(f"{clean(target.name)} must end in .png or .svg", "for example --to pnl.png")
    if target is not None and target.exists() and not replace:
        raise InvalidArguments(f"{clean(target)} is there already", "name another file, or say --replace")
    answer = _ask(seams, instance, "chart_orders", keys, {"chart": chart, **asked})
    if target is not None:
        _write(answer, target)
    _show(answer, as_json=as_json)
    if target is not None:
        click.echo(f"written to {target}", err=True)


def _ask(
    seams: Seams | None, instance: str | None, tool: str, keys: Sequence[str], asked: Mapping[str, object]
) -> Answer:
    """Return a tool's answer, after everything new was fetched however long that takes.

    Raises:
        GunbotMcpError: the answer is a refusal.
    """
    # An option that may be given again and was not is an empty tuple.
    arguments: dict[str, Any] = {name: value for name, value in asked.items() if value not in (None, ())}
    arguments = {
        name: list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
        for name, value in arguments.items()
    }

    async def run() -> Answer | Question:
        async with Runtime(load(instance=instance), seams=seams) as runtime:
            await refreshed(runtime.mirror(), keys)
            named: dict[str, Any] = {**arguments, **({"keys": list(keys)} if keys else {})}
            # The drawing itself comes to who can show it.
            return await runtime.dispatcher.call(tool, named, Caller(name="gunbot-mcp history", shows_card=True))

    answer = anyio.run(run)
    if isinstance(answer, Question):
        raise Internal("a form was asked for where none can be shown")
    if answer.is_error:
        raise error_codes()[answer.error["code"]](answer.error["message"], answer.error["hint"])
    return answer


def _show(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        click.echo(printable_json(to_json(answer.structured, indent=2, inf_nan_mode="null").decode()))
    else:
        click.echo("\n".join(fitted(answer, columns(sys.stdout) or _WIDE)))


def fitted(answer: Answer, width: int) -> list[str]:
    """Return an answer's text, its table in columns that fit so many characters."""
    lines = answer.text.splitlines()
    heads: list[str] = answer.structured.get("columns") or []
    shown: list[str] = []
    while lines:
        line = lines.pop(0)
        cells: list[str] = next(csv.reader([line]), list[str]())
        is_table = bool(cells[1:]) and (cells == heads or _HEADS.fullmatch(line))
        if not is_table:
            shown.append(line)
            continue
        rows: list[list[str]] = []
        while lines and len(row := next(csv.reader([lines[0]]), list[str]())) == len(cells):
            rows.append(row)
            lines.pop(0)
        shown += table(cells, rows, width)
    return shown


def _write(answer: Answer, target: Path) -> None:
    """Write a whole picture or none, readable by its owner alone.

    Raises:
        HistoryUnavailable: nothing can draw, or the file cannot be written.
    """
    svg = answer.meta.get(CHART_META, {}).get("svg")
    drawn = svg.encode() if target.suffix.lower() == ".svg" and svg else None
    if drawn is None and answer.picture is not None and target.suffix.lower() == ".png":
        drawn = answer.picture.data
    if drawn is None:
        raise HistoryUnavailable(clean(answer.structured.get("chart", "there is no picture")), HOW_TO_GET)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_bytes(drawn)
        draft.replace(target)
    except OSError as exc:
        raise HistoryUnavailable(f"{clean(target)} cannot be written: {exc.strerror}", "name another file") from exc
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
