"""`gunbot-mcp doctor`: on one screen, what is set up, what works, what is missing, and the next step of each."""

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import anyio
import click

from gunbot_mcp.cli.checkup import setup
from gunbot_mcp.cli.checkup.finding import Finding, Status, broken, examine, note
from gunbot_mcp.cli.checkup.patient import Patient
from gunbot_mcp.cli.checkup.rows import ROWS
from gunbot_mcp.cli.checkup.sources import origins
from gunbot_mcp.cli.human import at_terminal
from gunbot_mcp.cli.output import printable_json
from gunbot_mcp.cli.screen import can_show, columns, table, wrapped
from gunbot_mcp.config import Settings, load
from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.guard.halt import thrown, users_switch
from gunbot_mcp.runtime import Runtime, Seams

_WIDTH = 80
"""In a pipe, too: what is sent to somebody who helps should look as it did here."""
_PARTS = 3
"""How many parts that are well are shown of a row; --json has them all."""
_MARKS: Mapping[Status, tuple[str, str, str]] = {
    Status.WELL: ("✓", "ok", "green"),
    Status.NOTE: ("!", "!", "yellow"),
    Status.BROKEN: ("✗", "FAIL", "red"),
    Status.SKIPPED: ("·", "-", "bright_black"),
}

Found = Sequence[tuple[str, Finding]]


@click.command()
@click.option("--instance", help="The instance to look at, where the config has several.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, every setting and its source, too.")
@click.option("--settings", "all_settings", is_flag=True, help="List every setting, its value and its source instead.")
@click.option("--notify", "tries_notices", is_flag=True, help="Send a test notice to every address of approval.notify.")
@click.pass_obj
def doctor(seams: Seams | None, instance: str | None, *, as_json: bool, all_settings: bool, tries_notices: bool) -> int:
    """Check everything, and say the next step.

    Configuration, gateway, TLS, login, clock, market data, limits, the ways to ask a human, and the ledger. It sends no
    order. The exit code is 1 where something is broken.
    """
    flags = {"instance": instance}
    try:
        settings = load(**flags)
    except ConfigInvalid as exc:
        return _told(None, [("config", broken(exc.message, exc.hint)), *_without_settings()], flags, as_json=as_json)
    if all_settings and not as_json:
        rows = [(one.key, one.told, clean(json.dumps(one.value), 400)) for one in origins(settings, flags)]
        click.echo("\n".join(table(("key", "from", "value"), rows, columns(sys.stdout))))
        return 0
    try:
        look = functools.partial(Patient, seams=seams, flags=flags, tries_notices=tries_notices)
        # A program that was told a fingerprint could talk its human into pinning it.
        found = anyio.run(
            _examined, settings, seams, functools.partial(look, at_terminal=at_terminal() and not as_json)
        )
    except ConfigInvalid as exc:  # a token file or a certificate that it names cannot be used
        found = [("config", broken(exc.message, exc.hint)), *_without_settings()]
    return _told(settings, found, flags, as_json=as_json)


async def _examined(settings: Settings, seams: Seams | None, patient: Callable[[Settings, Runtime], Patient]) -> Found:
    async with Runtime(settings, seams=seams) as runtime:
        return await examine(ROWS, patient(settings, runtime))


def _without_settings() -> Iterator[tuple[str, Finding]]:
    """Yield what can be told where the config is broken."""
    try:
        reason = thrown(users_switch())
    except ConfigInvalid as exc:
        reason = exc.message
    if reason is not None:
        yield "halt", note(f"trading is halted: {clean(reason)}", "gunbot-mcp resume ends it")
    yield "versions", setup.versions()


def _told(settings: Settings | None, found: Found, flags: Mapping[str, Any], *, as_json: bool) -> int:
    worst = [finding.worst for _, finding in found]
    fails = Status.BROKEN in worst
    if as_json:
        whole = {
            "well": not fails,
            "instance": None if settings is None else settings.name,
            "live": None if settings is None else settings.served.live,
            "mode": None if settings is None else settings.effective_mode.value,
            "checks": [{"name": name, **finding.as_dict()} for name, finding in found],
            "settings": [] if settings is None else [one.as_dict() for one in origins(settings, flags)],
        }
        click.echo(printable_json(json.dumps(whole, indent=2, ensure_ascii=False)))
        return int(fails)
    width = min(columns(sys.stdout) or _WIDTH, _WIDTH)
    click.echo("\n".join(wrapped(_title(settings), width)))
    for line in _screen(found, width):
        click.echo(line)
    click.echo("\n".join(wrapped(_summary(worst), width)))
    return int(fails)


def _title(settings: Settings | None) -> str:
    if settings is None:
        return "The configuration cannot be used, so little can be checked."
    kind = f"LIVE at {settings.served.url}" if settings.served.live else "PAPER, embedded"
    return f"instance {settings.name} ({kind}), mode {settings.effective_mode.value}"


def _summary(worst: Sequence[Status]) -> str:
    bad, notes = worst.count(Status.BROKEN), worst.count(Status.NOTE)
    if not bad and not notes:
        return "All is well."
    counted = [f"{bad} broken"] if bad else []
    counted += [f"{notes} worth knowing"] if notes else []
    return ("All works; " if not bad else "") + " and ".join(counted) + "."


def _screen(found: Found, width: int) -> Iterator[str]:
    pretty = can_show("".join(mark for mark, _, _ in _MARKS.values()), sys.stdout)
    names = max(len(name) for name, _ in found)
    for name, finding in found:
        yield from _lines(name.ljust(names), finding, width, pretty=pretty)


def _lines(name: str, finding: Finding, width: int, *, pretty: bool) -> Iterator[str]:
    shown = _shown(finding)
    # A row's own line shows its own state; what is wrong with a part stands before that part.
    yield from _entry(name, finding, width, pretty=pretty)
    for part in shown:
        yield from _entry(" " * len(name), part, width, pretty=pretty)
    left = sum(part.status is Status.WELL for part in finding.parts) - sum(part.status is Status.WELL for part in shown)
    if left and not finding.summed:
        yield f"{'':{len(name) + _room(pretty=pretty) + 2}}and {left} more: --json shows them"


def _shown(finding: Finding) -> list[Finding]:
    good = [part for part in finding.parts if part.status is Status.WELL]
    kept = [] if finding.summed else good[:_PARTS]
    return [part for part in finding.parts if part.status is not Status.WELL or part in kept]


def _room(*, pretty: bool) -> int:
    return max(len(mark if pretty else plain) for mark, plain, _ in _MARKS.values())


def _entry(name: str, finding: Finding, width: int, *, pretty: bool) -> Iterator[str]:
    sign, plain, colour = _MARKS[finding.status]
    room = _room(pretty=pretty)
    mark = (sign if pretty else plain).ljust(room)
    # Colours take no room, so they come in after the lines are broken.
    start, rest = f"{mark} {name} ", " " * (room + len(name) + 2)
    first, *others = wrapped(finding.says, width, first=start, rest=rest)
    yield click.style(mark, fg=colour) + first[room:]
    yield from others
    if finding.next:
        arrow = "→ " if pretty else "-> "
        yield from wrapped(finding.next, width, first=rest + arrow, rest=rest + " " * len(arrow))
