"""A group of commands that are imported when they are called."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class Lazy(click.Group):
    """`where` says for each command, in the order in which they are listed, `module:attribute`."""

    def __init__(self, name: str | None = None, *, where: Mapping[str, str], **attrs: Any) -> None:  # noqa: ANN401 - click's own keywords, passed on
        super().__init__(name, **attrs)
        self._where = where

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self._where)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        target = self._where.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None
