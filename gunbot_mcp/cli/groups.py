"""How commands are shown and found: in groups, their lines whole, and with the name that was perhaps meant."""

import difflib
import shutil
from collections.abc import Iterable, Iterator, Mapping

import click

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Every day": ("tickets", "inbox", "doctor", "halt", "resume"),
    "Deciding": ("approve", "reject", "resolve", "mandate"),
    "Setting up": ("demo", "setup", "install", "uninstall", "pin", "passkey"),
    "Records": ("ledger", "history"),
    "For clients and developers": ("serve", "call", "paper", "schemas"),
}
"""Which command is shown where; what stands in no group is shown last."""
_REST = "More"
_WIDEST, _NARROWEST = 80, 24
_MARGIN = 2


class Formatter(click.HelpFormatter):
    """click's own, but with room for the text where the terminal is narrow."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(rows, col_max=min(col_max, self.width // 3), col_spacing=col_spacing)


class Context(click.Context):
    formatter_class = Formatter


class Commands(click.Group):
    """A group of commands that suggests a name for one that it does not have."""

    context_class = Context

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx) and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {name!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in self.sections(self.list_commands(ctx)):
            found = ((name, self.get_command(ctx, name)) for name in names)
            rows = [(name, short_help(command)) for name, command in found if command is not None]
            with formatter.section(title):
                formatter.write_dl(rows)

    def sections(self, names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield the titles of the help and the commands below each."""
        yield "Commands", list(names)


def in_groups(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each group that has any of these commands, with those; then the rest."""
    left = list(names)
    for title, members in GROUPS.items():
        found = [name for name in members if name in left]
        if found:
            yield title, found
        left = [name for name in left if name not in members]
    if left:
        yield _REST, left


def short_help(command: click.Command) -> str:
    """Return the first sentence of a command's help, whole."""
    return command.get_short_help_str(limit=1_000)


def fitted(command: click.Command) -> click.Command:
    """Return a command whose help, and whose own commands' help, fits a narrow terminal."""
    command.context_class = Context
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            fitted(inner)
    return command


def help_width() -> int:
    """Return how many columns a help text may have: the terminal's, at most 80."""
    return max(min(shutil.get_terminal_size().columns, _WIDEST), _NARROWEST) - _MARGIN
