"""`gunbot-mcp demo`: the story with a human who is played, or with you."""

import click

from gunbot_mcp.cli.demo import by_itself
from gunbot_mcp.cli.demo_me import with_you


@click.command()
@click.option("--me", is_flag=True, help="You are the human: an order waits for you in your browser.")
@click.option(
    "--wait",
    type=click.IntRange(5, 3600),
    default=300,
    show_default=True,
    help="With --me: seconds that the order waits for you.",
)
def demo(wait: int, *, me: bool) -> int:
    """Watch an assistant propose, a human decide, and orders fill, on the paper gateway."""
    return with_you(wait) if me else by_itself()
