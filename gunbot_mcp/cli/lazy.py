"""A group of commands that are imported when they are called."""

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click
from click.shell_completion import CompletionItem

from gunbot_mcp.cli.groups import Commands, fitted
from gunbot_mcp.cli.interrupts import held_back


class Lazy(Commands):
    """`where` says for each command, in the order in which they are listed, `module:attribute`."""

    where: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.where)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        target = self.where.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        with held_back():
            command = getattr(importlib.import_module(module), attribute)
        return fitted(command) if isinstance(command, click.Command) else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # By name alone: to tell what each does, all of them would have to be loaded, while somebody waits for a Tab.
        named = [CompletionItem(name) for name in self.where if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]
