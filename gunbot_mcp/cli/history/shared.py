"""What the history's commands share: a running mirror with its progress, and the lines that say what it covers."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
import click
from pydantic_core import to_json
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from gunbot_mcp.cli.output import printable_json
from gunbot_mcp.config import Settings
from gunbot_mcp.errors import clean
from gunbot_mcp.history.coverage import Coverage, KeyCoverage, NoteCode
from gunbot_mcp.history.mirror import Mirror
from gunbot_mcp.render import from_millis, instant
from gunbot_mcp.runtime import Runtime, Seams

T = TypeVar("T")

instance_option = click.option("--instance", help="The instance to use, where the config has several.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
keys_argument = click.argument("keys", nargs=-1, metavar="[EXCHANGE/PAIR]...")

_TICK_SECONDS = 0.1
_NOTES: Mapping[NoteCode, str] = {
    NoteCode.DUPLICATES: "{count} positions of Gunbot's list repeat a record; each record counts once",
    NoteCode.EDITED: "{count} records say something else than before; Gunbot's newest word counts",
    NoteCode.ODD: "{count} records cannot be read in part, or at all; they are kept as they are",
    NoteCode.SHRANK: "{count} older records are no longer listed by Gunbot; they still count",
    NoteCode.RESET: "{count} records were removed by Gunbot; they lie aside and do not count",
    NoteCode.DAMAGED: "{count} files of the mirror were damaged and set aside; what they held is fetched again",
    NoteCode.AHEAD: "the newest record is {count} s later than this machine's clock",
    NoteCode.AWAY: "could not be read now",
    NoteCode.STALE: "last read {count} s ago",
    NoteCode.UNPROVEN: "the ledger cannot be asked which orders are our own tickets'",
    NoteCode.ENDLESS: "Gunbot's list did not end after {count} records and is not read further; "
    "gunbot-mcp history verify KEY reads it again, history prune --key KEY removes what is here",
}


def with_mirror(settings: Settings, seams: Seams | None, work: Callable[[Mirror], Awaitable[T]]) -> T:
    """Run `work` with the instance's mirror, and close everything afterwards."""

    async def run() -> T:
        async with Runtime(settings, seams=seams) as runtime:
            return await work(runtime.mirror())

    return anyio.run(run)


async def refreshed(mirror: Mirror, keys: Sequence[str], *, whole: bool = False) -> Coverage:
    """Bring the keys (none: all known ones) up to date, however long it takes; a terminal sees how far it is."""
    wanted = keys or await mirror.keys()
    columns = TextColumn("{task.description}"), MofNCompleteColumn(), TextColumn("records"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_show, mirror, bar)
            try:
                return await mirror.ready(wanted, within=math.inf, whole=whole)
            finally:
                tasks.cancel_scope.cancel()
    raise AssertionError  # the block above returns, or raises


async def _show(mirror: Mirror, bar: Progress) -> None:
    shown: dict[str, TaskID] = {}
    while True:
        running = mirror.progress()
        for key in [key for key in shown if key not in running]:
            bar.remove_task(shown.pop(key))
        for key, told in running.items():
            if told.pages:
                if key not in shown:
                    shown[key] = bar.add_task(clean(key, 64), total=None)
                bar.update(shown[key], completed=told.records, total=told.of)
        await anyio.sleep(_TICK_SECONDS)


def tell(coverage: Coverage, *, as_json: bool, more: Mapping[str, Any] | None = None) -> None:
    """Print what the mirror covers: a line a key, then what is worth knowing."""
    if as_json:
        facts = {"coverage": coverage, **(more or {})}
        click.echo(printable_json(to_json(facts, indent=2).decode()))
        return
    for one in coverage.keys:
        click.echo(f"{clean(one.key, 64)}  {_line(one, pending=one.key in coverage.pending)}")
    for note in coverage.notes:
        words = _NOTES[note.code].replace("{count}", str(note.count))
        click.echo(f"{clean(note.key, 64)}: {words}" if note.key else words)
    state = "complete" if coverage.complete else "NOT complete"
    click.echo(
        f"{coverage.records} records of {len(coverage.keys)} keys, {state}; "
        f"{coverage.pages} pages read, {instant(coverage.read_at)}"
    )


def _line(one: KeyCoverage, *, pending: bool) -> str:
    if one.error_code is not None:
        state = one.error_code
    elif one.complete and not pending:
        state = "complete"
    else:
        state = f"{one.records} of {one.of}" if one.of is not None else "not complete"
    span = f"  {from_millis(one.first_ms)} - {from_millis(one.last_ms)}" if one.first_ms is not None else ""
    return f"{one.records} records{span}  {state}"


_MB, _KB = 1e6, 1e3


def size_text(size: int) -> str:
    """Return bytes in megabytes from a tenth of one on, else in kilobytes."""
    return f"{size / _MB:.1f} MB" if size >= _MB / 10 else f"{size / _KB:.1f} kB"
