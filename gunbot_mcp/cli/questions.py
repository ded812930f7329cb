"""Questions at a terminal, each with a default; with `--yes` every default is taken, and nobody is asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import click

from gunbot_mcp.errors import GunbotMcpError, InvalidArguments

Found = TypeVar("Found")
TRIES = 5


@dataclass(frozen=True, slots=True)
class Questions:
    """`yes`: take every default."""

    yes: bool

    def text(self, question: str, default: str) -> str:
        if self.yes:
            click.echo(f"{question}: {default}")
            return default
        return str(click.prompt(question, default=default, type=str)).strip()

    def agree(self, question: str, *, default: bool) -> bool:
        if self.yes:
            click.echo(f"{question} {'yes' if default else 'no'}")
            return default
        return click.confirm(question, default=default)

    def secret(self, question: str) -> str:
        """Ask for what is not shown; "" where nobody is asked, or nothing was typed."""
        if self.yes:
            return ""
        return str(click.prompt(question, hide_input=True, default="", show_default=False, type=str)).strip()

    def until_good(self, ask: Callable[[], Found]) -> Found:
        """Ask again while the answer is refused, saying why; with `--yes` there is nobody to ask again.

        Raises:
            GunbotMcpError: the last refusal, after `TRIES`.
        """
        for _ in range(0 if self.yes else TRIES - 1):
            try:
                return ask()
            except Again as exc:
                click.echo(f"  ✗ {exc.message}" + (f" ({exc.hint})" if exc.hint else ""))
        return ask()


class Again(InvalidArguments):
    """An answer that does not do; the question is asked again."""

    @classmethod
    def because(cls, exc: GunbotMcpError) -> "Again":
        return cls(exc.message, exc.hint)


def fine(text: str) -> None:
    click.echo(f"  ✓ {text}")
