"""The command line. Every failure is one clear line on stderr and an exit code that is not 0; never a traceback.

Commands are imported when they are called: `serve` must be listening before anything else is loaded.
"""

import importlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence

import click

from gunbot_mcp import __version__
from gunbot_mcp.errors import GunbotMcpError, clean

logger = logging.getLogger(__name__)

_COMMANDS: Mapping[str, str] = {
    "serve": "gunbot_mcp.cli.serve:serve",
    "demo": "gunbot_mcp.cli.demo:demo",
    "paper": "gunbot_mcp.cli.paper:paper",
    "call": "gunbot_mcp.cli.call:call",
    "tickets": "gunbot_mcp.cli.tickets:tickets",
    "approve": "gunbot_mcp.cli.tickets:approve",
    "reject": "gunbot_mcp.cli.tickets:reject",
    "resolve": "gunbot_mcp.cli.tickets:resolve",
    "pin": "gunbot_mcp.cli.guard:pin",
    "halt": "gunbot_mcp.cli.guard:halt",
    "resume": "gunbot_mcp.cli.guard:resume",
    "mandate": "gunbot_mcp.cli.guard:mandate",
    "ledger": "gunbot_mcp.cli.guard:ledger",
    "doctor": "gunbot_mcp.cli.doctor:doctor",
    "install": "gunbot_mcp.cli.install:install",
    "schemas": "gunbot_mcp.cli.schemas:schemas",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        target = _COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gunbot-mcp")
def cli() -> None:
    """Let an assistant work with Gunbot: it proposes, a human approves, Gunbot trades."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.getLevelNamesMapping().get(os.environ.get("GUNBOT_MCP_LOG", "").upper(), logging.WARNING),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        result = cli.main(args=list(arguments), prog_name="gunbot-mcp", standalone_mode=False)
    except click.exceptions.Exit as exc:
        result = exc.exit_code
    except click.ClickException as exc:
        result = _fail(f"{exc.format_message()} (try --help)", exc.exit_code)
    except GunbotMcpError as exc:
        result = _fail(str(exc), 1)
    except (KeyboardInterrupt, click.Abort):
        result = _fail("interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        result = 1
    except OSError as exc:
        result = _fail(f"{exc.strerror or type(exc).__name__}: {exc.filename or ''}".rstrip(": "), 1)
    except Exception as exc:  # the top edge: a user gets one line, the log gets the traceback
        logger.debug("the command failed", exc_info=True)
        result = _fail(f"internal: {type(exc).__name__}: {exc} (GUNBOT_MCP_LOG=debug shows where)", 1)
    return result if isinstance(result, int) else 0


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"gunbot-mcp: {clean(message, 1200)}\n")
    return code


def main() -> None:
    """Run the console script."""
    sys.exit(run(sys.argv[1:]))
