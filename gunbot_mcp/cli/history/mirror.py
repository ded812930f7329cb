"""`gunbot-mcp history status | sync | verify | prune`."""

from typing import Any

import anyio.to_thread
import click
from pydantic_core import to_json

from gunbot_mcp.cli.history.shared import (
    instance_option,
    json_option,
    keys_argument,
    refreshed,
    size_text,
    tell,
    with_mirror,
)
from gunbot_mcp.cli.human import at_terminal
from gunbot_mcp.cli.output import printable_json
from gunbot_mcp.config import load
from gunbot_mcp.errors import InvalidArguments, clean
from gunbot_mcp.history import prune as pruning
from gunbot_mcp.history.coverage import NoteCode
from gunbot_mcp.history.manifest import Manifest
from gunbot_mcp.history.mirror import Mirror
from gunbot_mcp.history.opening import home_of
from gunbot_mcp.history.place import Folder
from gunbot_mcp.history.store import held_keys
from gunbot_mcp.history.store import load as load_manifest
from gunbot_mcp.render import from_millis
from gunbot_mcp.runtime import Seams, state_folder

_WRONG = frozenset({NoteCode.DAMAGED, NoteCode.EDITED})


@click.command()
@json_option
@instance_option
def status(as_json: bool, instance: str | None) -> None:
    """Show what the mirror holds, how large and how old it is; asks nobody."""
    settings = load(instance=instance)
    home = home_of(settings, state_folder(settings))
    place = Folder(home.path)
    held = [load_manifest(place, key) for key in held_keys(place)]
    size = sum(one.size for one in held)
    left = pruning.leftovers(home)
    if as_json:
        facts = {"folder": str(home.path), "bytes": size, "keys": [_facts(one) for one in held]}
        spare = [{"what": one.what, "folder": str(one.path), "bytes": one.size} for one in left]
        click.echo(printable_json(to_json({**facts, "prunable": spare}, indent=2).decode()))
        return
    for one in held:
        read = f"read {from_millis(one.fetched_ms)}" if one.fetched_ms is not None else "never read whole"
        state = "" if one.complete else "  NOT complete"
        click.echo(f"{clean(one.key, 64)}  {one.records} records  {size_text(one.size)}  {read}{state}")
    click.echo(f"{sum(one.records for one in held)} records of {len(held)} keys, {size_text(size)}, in {home.path}")
    for one in left:
        click.echo(f"{size_text(one.size)} can go (gunbot-mcp history prune): {clean(one.what)}")


def _facts(one: Manifest) -> dict[str, Any]:
    names = ("key", "records", "size", "first_ms", "last_ms", "fetched_ms", "complete", "total", "odd")
    return {name: getattr(one, name) for name in (*names, "duplicates", "shrank", "reset", "damaged")}


@click.command()
@keys_argument
@json_option
@instance_option
@click.pass_obj
def sync(seams: Seams | None, keys: tuple[str, ...], as_json: bool, instance: str | None) -> int:
    """Fetch what is new of these keys (none: all known ones). Ctrl-C keeps what was read."""
    coverage = with_mirror(load(instance=instance), seams, lambda mirror: refreshed(mirror, keys))
    tell(coverage, as_json=as_json)
    return 0 if coverage.complete else 1


@click.command()
@keys_argument
@json_option
@instance_option
@click.pass_obj
def verify(seams: Seams | None, keys: tuple[str, ...], as_json: bool, instance: str | None) -> int:
    """Check every byte of the mirror and compare every record with Gunbot's; what is wrong is put right and said."""
    settings = load(instance=instance)
    coverage = with_mirror(settings, seams, lambda mirror: refreshed(mirror, keys, whole=True))
    bad = pruning.unreadable_lots(home_of(settings, state_folder(settings)))
    tell(coverage, as_json=as_json, more={"unreadable_lots": bad})
    if bad and not as_json:
        click.echo(f"{bad} files of matched lots could not be read and are removed; they are made again when needed")
    return 0 if coverage.complete and not bad and not _WRONG & {note.code for note in coverage.notes} else 1


@click.command()
@click.option("--key", "keys", multiple=True, help="Also what is held of this exchange/pair; may be given again.")
@click.option("--all", "everything", is_flag=True, help="Everything that is held of this instance.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@instance_option
@click.pass_obj
def prune(seams: Seams | None, keys: tuple[str, ...], everything: bool, yes: bool, instance: str | None) -> None:
    """Remove what lies aside, and mirrors of other Gunbots; with --key or --all also what counts."""
    settings = load(instance=instance)
    home = home_of(settings, state_folder(settings))
    place = Folder(home.path)
    held = {key: load_manifest(place, key) for key in held_keys(place)}
    unknown = [key for key in keys if key not in held]
    if unknown:
        raise InvalidArguments(f"nothing is held of {clean(unknown[0], 64)!r}", "gunbot-mcp history status lists all")
    left, wanted = pruning.leftovers(home), list(held) if everything else list(dict.fromkeys(keys))
    for one in left:
        click.echo(f"{size_text(one.size)}  {clean(one.what)}")
    for key in wanted:
        lost = f"; {held[key].shrank} of them Gunbot no longer lists" if held[key].shrank else ""
        click.echo(f"{size_text(held[key].size)}  {clean(key, 64)}, {held[key].records} records{lost}")
    if not left and not wanted:
        click.echo("nothing to remove")
        return
    if not yes:
        if not at_terminal():
            raise InvalidArguments("removing needs a human's yes", "say --yes")
        click.confirm("Remove this? What Gunbot still lists can be fetched again.", abort=True)

    async def removed(mirror: Mirror) -> None:
        await mirror.forget(wanted)
        for one in left:
            await anyio.to_thread.run_sync(pruning.remove, one.path)

    with_mirror(settings, seams, removed)
    click.echo(f"{size_text(sum(one.size for one in left) + sum(held[key].size for key in wanted))} removed")
