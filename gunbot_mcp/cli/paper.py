"""`gunbot-mcp paper`: the paper gateway on a port, for Gunbot's own SDKs, or as somebody's practice Gunbot."""

from pathlib import Path

import anyio
import click

from gunbot_mcp.paper.app import PaperGateway
from gunbot_mcp.paper.serve import serve


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), required=True, help="The port on 127.0.0.1; 0 picks a free one."
)
@click.option("--token", help="The bearer token to ask for; without it anybody on this machine may call.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The folder that keeps everything.")
@click.option("--seed", type=click.IntRange(min=0), help="The seed of the price path; 1 for a new folder.")
@click.option("--market", default="walk", show_default=True, help="walk, manual, or replay:FILE (a CSV of candles).")
@click.option(
    "--orders",
    type=click.Path(path_type=Path, dir_okay=False),
    help='A file of filled orders for the history: {"key": …, "record": {…}} a line.',
)
def paper(port: int, token: str | None, data: Path | None, seed: int | None, market: str, orders: Path | None) -> None:
    """Serve the paper gateway, which speaks Gunbot's API, on loopback."""
    gateway = PaperGateway(data=data, token=token, seed=seed, market=market, orders=orders)
    anyio.run(serve, gateway, "127.0.0.1", port, click.echo)
