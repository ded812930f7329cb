"""`gunbot-mcp install CLIENT` and `uninstall CLIENT`: one entry in an MCP client's own file, and out again."""

import contextlib
import difflib
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from gunbot_mcp.cli.clients import CLIENTS, ClientFile, Command, Places
from gunbot_mcp.cli.screen import say
from gunbot_mcp.cli.splice import Encoded, Entry, Misfit, find, piece, put, take
from gunbot_mcp.command import CONFIG, HOME, INSTANCE, MODE, program, surroundings
from gunbot_mcp.config import Settings, load
from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError
from gunbot_mcp.files import write_private
from gunbot_mcp.runtime import state_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

_RECORD = "installed.json"


@click.command()
@click.argument("client", type=click.Choice(list(CLIENTS)), required=False)
@click.option("--name", default="gunbot", show_default=True, help="What the client calls the server.")
@click.option("--instance", help="The instance that this entry serves, where the config has several.")
@click.option("--print", "only_print", is_flag=True, help="Show what would be added, change nothing.")
def install(client: str | None, name: str, instance: str | None, only_print: bool) -> None:
    """Add this server to CLIENT. Secrets are never written: put tokens into the config or token_file.

    With --print and no CLIENT: the entry in the form that most other clients take.
    """
    settings = load(instance=instance)
    if settings.served.live and (os.environ.get("GUNBOT_TOKEN") or os.environ.get("GUNBOT_URL")):
        raise ConfigInvalid(
            "GUNBOT_URL and GUNBOT_TOKEN would have to be written into the client's file",
            "put url and token_file into a config, set GUNBOT_MCP_CONFIG, and install again",
        )
    if client is None and not only_print:
        raise click.UsageError(f"Missing CLIENT, one of {', '.join(CLIENTS)}; or --print for any other.")
    row = CLIENTS[client or "cursor"]
    entry = row.entry(_command(instance), name)
    if only_print:
        click.echo(row.format.show(row.keys, name, entry))
        return
    path = row.file(Places())
    file = _ClientsFile(path, row)
    before = file.text
    try:
        entry = _updated(row, find(row.format, before, row.keys, name), entry, name)
        after = put(row.format, before, row.keys, name, entry)
    except Misfit as exc:
        shown = row.format.show(row.keys, name, entry)
        raise ConfigInvalid(f"{path} is not changed: {exc}", f"add this by hand:\n{shown}") from exc
    kind = "LIVE" if settings.served.live else "PAPER"
    if after == before:
        say(f"{name} is already in {path}, as it would be added now ({kind}). Nothing was changed.")
        return
    kept = file.write(after)
    _remember(settings, path, name, before=before, after=after, created=not file.existed)
    _show_change(before, after)
    say(f"{name} ({kind}) is in {path}. {row.then}")
    if kept is not None:
        say(f"The file as it was before is {kept}.")


@click.command()
@click.argument("client", type=click.Choice(list(CLIENTS)))
@click.option("--name", default="gunbot", show_default=True, help="What the client calls the server.")
def uninstall(client: str, name: str) -> None:
    """Take this server out of CLIENT's file again, and nothing else."""
    row = CLIENTS[client]
    path = row.file(Places())
    file = _ClientsFile(path, row)
    try:
        entry = find(row.format, file.text, row.keys, name)
        if entry is None:
            say(f"{name} is not in {path}. Nothing was changed.")
            return
        _check_own(row, entry, name)
        made = _recalled(path, name)
        after = take(row.format, file.text, row.keys, name, made.get("inserted"))
    except Misfit as exc:
        raise ConfigInvalid(f"{path} is not changed: {exc}", f"take {name} out by hand") from exc
    kept = file.remove() if made.get("created") and not after.strip() else file.write(after)
    _show_change(file.text, after)
    say(f"{name} is no longer in {path}. Restart {row.title}.")
    say(f"The file as it was before is {kept}.")


class _ClientsFile:
    """Another program's file: read once, written in one step, a link stays a link, permissions stay."""

    def __init__(self, path: Path, row: ClientFile) -> None:
        """Read it; where there is none, its text is empty.

        Raises:
            ConfigInvalid: it is no text.
        """
        self._real = path.resolve()
        self._row = row
        self.existed = self._real.exists()
        self._raw = self._real.read_bytes() if self.existed else b""
        try:
            self._read = Encoded.read(self._raw)
        except Misfit as exc:
            raise ConfigInvalid(f"{path} is not changed: {exc}", "save it as UTF-8, or use --print") from exc
        self.text = self._read.text

    def write(self, text: str) -> Path | None:
        """Write the text; return where the file as it was is kept.

        Raises:
            ConfigInvalid: somebody else wrote it since it was read.
        """
        self._real.parent.mkdir(parents=True, exist_ok=True)
        kept = self._back_up()
        fresh = self._real.with_name(f".{self._real.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.touch(0o600)
        fresh.write_bytes(self._read.bytes_of(text))
        if self.existed:
            shutil.copymode(self._real, fresh)
        if (self._real.read_bytes() if self._real.exists() else b"") != self._raw:
            fresh.unlink()
            raise ConfigInvalid(f"{self._real} was changed by another program just now", "run it again")
        fresh.replace(self._real)
        return kept

    def remove(self) -> Path | None:
        kept = self._back_up()
        self._real.unlink()
        return kept

    def _back_up(self) -> Path | None:
        if not self.existed:
            return None
        stem = f"{self._real.name}.before-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        for number in range(1, 1000):
            kept = self._real.with_name(stem if number == 1 else f"{stem}-{number}")
            with contextlib.suppress(FileExistsError):
                kept.touch(0o600, exist_ok=False)
                shutil.copy2(self._real, kept)
                return kept
        raise ConfigInvalid(f"there are too many copies of {self._real.name}", "remove old ones")


def _command(instance: str | None) -> Command:
    environment = surroundings((HOME, CONFIG, INSTANCE, MODE))
    if instance is not None:
        environment[INSTANCE] = instance
    command, *args = program()
    return Command(command=command, args=(*args, "serve"), env=environment)


def _updated(row: ClientFile, old: Entry | None, new: Entry, name: str) -> Entry:
    """Return the entry to write: what the user added to an older one of ours stays, the environment above all.

    Raises:
        ConfigInvalid: the name belongs to another server.
    """
    if old is None:
        return new
    _check_own(row, old, name)
    kept = cast("Mapping[str, str]", old.get(row.env) or {})
    given = cast("Mapping[str, str]", new.get(row.env) or {})
    environment = {**kept, **given}
    merged = {**old, **new}
    return {**merged, row.env: environment} if environment or row.env in merged else merged


def _check_own(row: ClientFile, entry: Entry, name: str) -> None:
    """Refuse to touch a server that is not this one.

    Raises:
        ConfigInvalid: it is another.
    """
    words = [str(entry.get(row.program, "")), *map(str, cast("list[object]", entry.get("args") or []))]
    if not any(Path(word.replace("\\", "/")).name.lower().startswith(("gunbot-mcp", "gunbot_mcp")) for word in words):
        raise ConfigInvalid(f"{name} is another server's entry there", "choose a name with --name")


def _show_change(before: str, after: str) -> None:
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0):
        if line[:1] in "+-" and not line.startswith(("+++", "---")):
            click.echo(f"  {line}")


# What was put where, so that it can be taken out to the byte


def _remember(settings: Settings, path: Path, name: str, *, before: str, after: str, created: bool) -> None:
    grown = len(after) > len(before) and after.replace(piece(before, after), "", 1) == before
    record = _records(state_folder(settings))
    record[f"{path.resolve()}#{name}"] = {"inserted": piece(before, after) if grown else None, "created": created}
    # Without it the entry can still be taken out; only its blank lines may stay.
    with contextlib.suppress(OSError):
        write_private(state_folder(settings) / _RECORD, json.dumps(record, indent=1))


def _recalled(path: Path, name: str) -> dict[str, Any]:
    try:
        folder = state_folder(load())
    except GunbotMcpError:
        return {}
    return _records(folder).get(f"{path.resolve()}#{name}", {})


def _records(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        found: object = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, dict[str, Any]]", found) if isinstance(found, dict) else {}
