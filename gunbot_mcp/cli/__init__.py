"""The command line. Every failure is one clear line on stderr and an exit code that is not 0; never a traceback.

Commands are imported when they are called: `serve` must be listening before anything else is loaded.
"""

import contextlib
import gc
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import click

from gunbot_mcp import __version__
from gunbot_mcp.cli.groups import help_width, in_groups
from gunbot_mcp.cli.lazy import Lazy
from gunbot_mcp.cli.output import clean_output
from gunbot_mcp.cli.screen import columns, wrapped
from gunbot_mcp.errors import GunbotMcpError, clean

if TYPE_CHECKING:
    from gunbot_mcp.runtime import Seams

logger = logging.getLogger(__name__)

_COMMANDS: Mapping[str, str] = {
    "serve": "gunbot_mcp.cli.serve:serve",
    "demo": "gunbot_mcp.cli.demos:demo",
    "paper": "gunbot_mcp.cli.paper:paper",
    "call": "gunbot_mcp.cli.call:call",
    "tickets": "gunbot_mcp.cli.tickets:tickets",
    "approve": "gunbot_mcp.cli.tickets:approve",
    "reject": "gunbot_mcp.cli.tickets:reject",
    "resolve": "gunbot_mcp.cli.tickets:resolve",
    "inbox": "gunbot_mcp.cli.inbox:inbox",
    "pin": "gunbot_mcp.cli.guard:pin",
    "halt": "gunbot_mcp.cli.switch:halt",
    "resume": "gunbot_mcp.cli.switch:resume",
    "mandate": "gunbot_mcp.cli.guard:mandate",
    "ledger": "gunbot_mcp.cli.guard:ledger",
    "history": "gunbot_mcp.cli.history:history",
    "doctor": "gunbot_mcp.cli.doctor:doctor",
    "install": "gunbot_mcp.cli.install:install",
    "uninstall": "gunbot_mcp.cli.install:uninstall",
    "schemas": "gunbot_mcp.cli.schemas:schemas",
    "setup": "gunbot_mcp.cli.setup:setup",
    "passkey": "gunbot_mcp.cli.passkey:passkey",
}


_CLEAR = (GunbotMcpError, KeyboardInterrupt, BrokenPipeError, SystemExit)
"""Exceptions that say by themselves why a command ended."""


class _Cli(Lazy):
    where = _COMMANDS

    def sections(self, names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        yield from in_groups(names)


@click.group(cls=_Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gunbot-mcp")
def cli() -> None:
    """Let an assistant work with Gunbot: it proposes, a human approves, Gunbot trades."""
    if not gc.isenabled():  # see `main`
        gc.freeze()
        gc.enable()


def run(arguments: Sequence[str], *, commands: click.Command = cli, seams: "Seams | None" = None) -> int:
    """Run one command line and return its exit code. `seams` replace parts of the runtime that a command opens."""
    with clean_output():
        return _run(arguments, commands, seams)


def _run(arguments: Sequence[str], commands: click.Command, seams: "Seams | None") -> int:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.getLevelNamesMapping().get(os.environ.get("GUNBOT_MCP_LOG", "").upper(), logging.WARNING),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    try:
        result = commands.main(
            list(arguments),
            "gunbot-mcp",
            standalone_mode=False,
            obj=seams,
            color=False if plain else None,
            terminal_width=help_width(),
        )
    except BaseException as exc:  # noqa: BLE001 - the top of every command: whoever typed it gets one line, also for an interrupt, and no traceback
        result = _told(_cause(exc))
    return result if isinstance(result, int) else 0


def _leaves(exc: BaseException) -> list[BaseException]:
    if not isinstance(exc, BaseExceptionGroup):
        return [exc]
    group = cast("BaseExceptionGroup[BaseException]", exc)
    return [leaf for one in group.exceptions for leaf in _leaves(one)]


def _cause(exc: BaseException) -> BaseException:
    """Return the one exception to report if tasks wrapped several in a group: the first clear error, if any."""
    leaves = _leaves(exc)
    return next((leaf for leaf in leaves if isinstance(leaf, _CLEAR)), leaves[0])


def _told(exc: BaseException) -> int:
    """Tell the user in one line what ended the command, and return its exit code."""
    match exc:
        case click.exceptions.Exit():
            code = exc.exit_code
        case click.exceptions.NoArgsIsHelpError():
            click.echo(exc.format_message(), err=True)
            code = exc.exit_code
        case click.ClickException():
            code = _fail(f"{exc.format_message()} (try --help)", exc.exit_code)
        case GunbotMcpError():
            code = _fail(str(exc), 1)
        case KeyboardInterrupt() | click.Abort():
            code = _fail("interrupted", 130)
        case SystemExit(code=0):
            code = 0  # click has answered a shell that completes a line
        case BrokenPipeError() | SystemExit():
            # The reader of our output is gone (rich raises SystemExit then), so nobody can be told.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        case OSError():
            code = _fail(f"{exc.strerror or type(exc).__name__}: {exc.filename or ''}".rstrip(": "), 1)
        case Exception():  # a user gets one line, the log gets the traceback
            logger.debug("the command failed", exc_info=exc)
            code = _fail(f"internal: {type(exc).__name__}: {exc} (GUNBOT_MCP_LOG=debug shows where)", 1)
        case _:
            raise exc
    return code


def _fail(message: str, code: int) -> int:
    lines = wrapped(f"gunbot-mcp: {clean(message, 1200)}", columns(sys.stderr), rest="  ")
    sys.stderr.write("\n".join(lines) + "\n")
    return code


def main() -> None:
    """Run the console script.

    What a command loads is never freed: no garbage collection looks through it, neither while it loads nor later.
    """
    gc.disable()
    sys.exit(run(sys.argv[1:]))
