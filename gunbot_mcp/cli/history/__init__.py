"""`gunbot-mcp history …`: the local mirror of the order history. A command is a row here and a function in its file."""

from collections.abc import Mapping

import click

from gunbot_mcp.cli.lazy import Lazy

COMMANDS: Mapping[str, str] = {
    "status": "gunbot_mcp.cli.history.mirror:status",
    "sync": "gunbot_mcp.cli.history.mirror:sync",
    "verify": "gunbot_mcp.cli.history.mirror:verify",
    "export": "gunbot_mcp.cli.history.export:export",
    "prune": "gunbot_mcp.cli.history.mirror:prune",
    "analyze": "gunbot_mcp.cli.history.ask:analyze",
    "query": "gunbot_mcp.cli.history.ask:query",
    "chart": "gunbot_mcp.cli.history.ask:chart",
}


class _History(Lazy):
    where = COMMANDS


@click.group(cls=_History)
def history() -> None:
    """Keep a copy of Gunbot's order history here, ask and draw it, and write it to a file."""
