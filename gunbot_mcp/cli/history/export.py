"""`gunbot-mcp history export --to FILE.csv|.parquet`."""

from pathlib import Path

import click

from gunbot_mcp.cli.history.shared import instance_option, keys_argument, refreshed, tell, whole_file, with_mirror
from gunbot_mcp.config import load
from gunbot_mcp.errors import InvalidArguments, clean
from gunbot_mcp.history.coverage import Coverage
from gunbot_mcp.history.mirror import Mirror
from gunbot_mcp.history.reader import Reader, quoted
from gunbot_mcp.runtime import Seams

_OPTIONS = {".csv": "FORMAT csv, HEADER", ".parquet": "FORMAT parquet, COMPRESSION zstd"}


@click.command()
@click.option(
    "--to", "target", type=click.Path(path_type=Path, dir_okay=False), required=True, help="FILE.csv or FILE.parquet"
)
@click.option("--replace", is_flag=True, help="Replace the file if there is one.")
@keys_argument
@instance_option
@click.pass_obj
def export(seams: Seams | None, target: Path, replace: bool, keys: tuple[str, ...], instance: str | None) -> int:
    """Write the orders of these keys (none: all known ones) to a file, oldest first, after fetching what is new."""
    options = _OPTIONS.get(target.suffix.lower())
    if options is None:
        raise InvalidArguments(f"{clean(target.name)} must end in .csv or .parquet", "for example --to orders.csv")
    if target.exists() and not replace:
        raise InvalidArguments(f"{clean(target)} is there already", "name another file, or say --replace")

    async def work(mirror: Mirror) -> tuple[Coverage, Reader]:
        coverage = await refreshed(mirror, keys)
        return coverage, mirror.reader([one.key for one in coverage.keys])

    coverage, reader = with_mirror(load(instance=instance), seams, work)
    count = _write(reader, target, options)
    tell(coverage, as_json=False)
    click.echo(f"{count} orders written to {target}")
    return 0 if coverage.complete else 1


def _write(reader: Reader, target: Path, options: str) -> int:
    """Write a whole file or none, readable by its owner alone."""
    # A folder that cannot be written is said before anything is read.
    with whole_file(target) as draft, reader.connect(memory="1GB") as connection:
        connection.execute("SET preserve_insertion_order = true")
        found = "SELECT * FROM orders ORDER BY time_ms, key, id"
        (counted,) = connection.execute(f"COPY ({found}) TO {quoted(str(draft))} ({options})").fetchone() or (0,)
    return int(counted)
