"""`gunbot-mcp setup`: a few questions, each answer tried at once, and then a config that works, or none at all."""

import os
import tomllib
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import click
import platformdirs

from gunbot_mcp.approval.pin import SHORTEST, has_pin, set_pin
from gunbot_mcp.cli.clients import CLIENTS
from gunbot_mcp.cli.config_text import config_text
from gunbot_mcp.cli.human import require_terminal
from gunbot_mcp.cli.install import install
from gunbot_mcp.cli.questions import Again, Questions, fine
from gunbot_mcp.cli.setup_gunbot import (
    LOGIN,
    PAPER,
    WAY,
    Fields,
    Login,
    ask_address,
    ask_login,
    ask_trust,
    found_here,
)
from gunbot_mcp.cli.setup_limits import ask_limits, ask_pairs
from gunbot_mcp.command import typed
from gunbot_mcp.config import CONFIG_VARIABLE, Settings, load
from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError, InvalidArguments, clean
from gunbot_mcp.files import create_private, keep_copy, write_private
from gunbot_mcp.gunbot import keychain
from gunbot_mcp.instance import Instance
from gunbot_mcp.runtime import state_folder

_URL, _TOKEN = "GUNBOT_URL", "GUNBOT_TOKEN"
_WINS = (_URL, _TOKEN, "GUNBOT_MCP_INSTANCE")
_NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """The config that is there. `raw` is None where there is none; `values` are empty where it is not understood."""

    raw: bytes | None = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)

    @property
    def instances(self) -> Mapping[str, Fields]:
        return cast("Mapping[str, Fields]", self.values.get("instances") or {})

    def name(self, *, live: bool) -> str:
        """Return the instance that is set up: the one that is served, or the first of this kind, or a new one."""
        fitting = [name for name, fields in self.instances.items() if bool(fields.get("url")) == live]
        served = self.values.get("instance")
        fresh = "gunbot" if live else PAPER
        while fresh in self.instances and fresh not in fitting:
            fresh += "-live" if live else "-paper"
        return str(served) if served in fitting else next(iter(fitting), fresh)


@click.command()
@click.option("--yes", is_flag=True, help="Ask nothing: take every default, GUNBOT_URL and GUNBOT_TOKEN among them.")
@click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; by default the one in GUNBOT_MCP_CONFIG, or config.toml in your folder for settings.",
)
@click.pass_context
def setup(context: click.Context, *, yes: bool, file: Path | None) -> None:
    """Set up a real Gunbot (or paper), trying each answer as it is given. Nothing is written before the end."""
    if not yes:
        require_terminal("setup asks questions (without one, --yes takes every default): it")
    ask, target = Questions(yes), _target(file)
    given_url, given_token = (os.environ.get(name, "").strip() for name in (_URL, _TOKEN))
    hiding = [name for name in _WINS if os.environ.get(name)]
    with _environment({**dict.fromkeys(_WINS), CONFIG_VARIABLE: None}):
        old = _read(target)
        try:
            name, fields, login = _asked(ask, old, given_url, given_token)
            _require_agreement(ask, target)
        except BaseException:
            click.echo("Nothing was written.", err=True)
            raise
        kept = _write(target, old, name, fields, login)
    fine(f"written: {target}")
    if kept is not None:
        click.echo(f"    The config as it was, with its comments, is {kept}.")
    with _environment({**dict.fromkeys(_WINS), CONFIG_VARIABLE: str(target)}):
        settings = load()
        if settings.served.live:
            _offer_pin(ask, settings)
        _offer_client(ask, context)
        click.echo(f"Look whether all is well: {typed('doctor')}")
    if hiding:
        click.echo(f"Note that {', '.join(hiding)} in this shell would win over the config: unset it.")


def _require_agreement(ask: Questions, target: Path) -> None:
    if not ask.agree(f"Write this to {target}?", default=True):
        raise click.Abort


def _target(file: Path | None) -> Path:
    """Return the file to write. A link stays a link."""
    named = os.environ.get(CONFIG_VARIABLE, "").strip()
    if file is None and named:
        file = Path(named)
    if file is None:
        file = platformdirs.user_config_path("gunbot-mcp", appauthor=False) / "config.toml"
    try:
        return file.expanduser().resolve()
    except (RuntimeError, OSError) as exc:
        raise ConfigInvalid(f"{clean(file)} is no path for a config", "name another with --config") from exc


def _read(target: Path) -> Old:
    try:
        raw = target.read_bytes()
    except FileNotFoundError:
        return Old(raw=None, values={})
    try:
        values = tomllib.loads(raw.decode())
        with _environment({CONFIG_VARIABLE: str(target)}):
            load(instance=next(iter(cast("Mapping[str, Any]", values.get("instances") or {})), None))
    except (ValueError, TypeError, GunbotMcpError) as exc:  # what is neither UTF-8 nor TOML is a ValueError
        why = exc.message if isinstance(exc, GunbotMcpError) else type(exc).__name__
        click.echo(f"The config that is there cannot be used ({clean(why)}). It will be kept, and a new one begun.")
        return Old(raw=raw, values={})
    return Old(raw=raw, values=values)


def _asked(ask: Questions, old: Old, url: str, token: str) -> tuple[str, Fields, Login | None]:
    """Return the instance's name, its keys, and the login that has yet to be put where it is kept."""
    before = dict(old.instances.get(old.name(live=True), {}))
    default = url or str(before.get("url") or "") or (PAPER if ask.yes else found_here())
    way = ask_address(ask, default, before)
    if not way:
        name = old.name(live=False)
        return name, {"mode": "approve", **old.instances.get(name, {})}, None
    way = ask_trust(ask, way)
    login = ask_login(ask, way, before, token)
    usable = {**way, **login.fields} | ({"token": login.token} if login.token else {})
    limits = cast("Fields", before.get("limits") or {})
    pairs = ask_pairs(ask, usable, login.enabled, cast("list[str]", limits.get("pairs") or []))
    rest = {key: value for key, value in before.items() if key not in {*WAY, *LOGIN, "limits"}}
    fields = {**way, **login.fields, "mode": "approve", **rest, "limits": ask_limits(ask, pairs, limits)}
    return old.name(live=True), fields, login


# Writing


def _write(target: Path, old: Old, name: str, fields: Fields, login: Login | None) -> Path | None:
    """Write the config, all of it or nothing; return where the old one is kept.

    Raises:
        ConfigInvalid: it would not work, or somebody else wrote it meanwhile; the old one is untouched.
    """
    made: Path | None = None
    try:
        if login is not None and login.keep_in == "keyring":
            fields["token_keyring"] = _into_keyring(name, login.token)
        elif login is not None and login.keep_in == "file":
            made, held = _into_file(target.parent, name, login.token)
            fields["token_file"] = str(held)
        ordered = {key: fields[key] for key in Instance.model_fields if key in fields}
        values = {**old.values, "instance": name, "instances": {**old.instances, name: ordered}}
        text = config_text(values)
        load(**tomllib.loads(text)).served.secret()
        _require_unchanged(target, old)
        kept = None if old.raw is None else keep_copy(target)
        write_private(target, text)
    except BaseException as exc:
        # A token without a config is of no use to anybody but a thief.
        if made is not None:
            with suppress(OSError):
                made.unlink()
        if isinstance(exc, OSError):
            raise ConfigInvalid(
                f"{target} cannot be written: {exc.strerror}", "check its folder, or name another with --config"
            ) from None
        raise
    return kept


def _require_unchanged(target: Path, old: Old) -> None:
    if (target.read_bytes() if target.exists() else None) != old.raw:
        raise ConfigInvalid(f"{target} was changed by another program just now", "run setup again")


def _into_file(folder: Path, name: str, token: str) -> tuple[Path | None, Path]:
    """Put the token into a private file of its own; return the file if it is new, and the file.

    Another one's token is never overwritten: until the config is written, the old one still points there.
    """
    for number in range(1, 1000):
        file = folder / (f"{name}.token" if number == 1 else f"{name}-{number}.token")
        with suppress(FileExistsError):
            create_private(file, f"{token}\n".encode())
            return file, file
        with suppress(ConfigInvalid):
            if Instance(token_file=file).secret() == token:
                return None, file
    raise ConfigInvalid(f"there are too many tokens in {folder}", "remove old ones")


def _into_keyring(name: str, token: str) -> str:
    for number in range(1, 1000):
        place = f"gunbot-mcp/{name}" if number == 1 else f"gunbot-mcp/{name}-{number}"
        if keychain.keep(place, token):
            return place
    raise ConfigInvalid("the keyring does not keep the token", "run setup again, and log in by token")


# What comes after it


def _offer_pin(ask: Questions, settings: Settings) -> None:
    folder = state_folder(settings)
    if has_pin(folder):
        return
    question = "Set the PIN now? Approving live orders on the page or in a terminal asks for it."
    if ask.yes or not ask.agree(question, default=True):
        click.echo(f"Approving live orders needs a PIN, which only you set: {typed('pin')}")
        return

    def once() -> None:
        chosen = click.prompt(
            f"New PIN, {SHORTEST} characters or more", hide_input=True, confirmation_prompt=True, type=str
        )
        try:
            set_pin(folder, chosen)
        except InvalidArguments as exc:
            raise Again.because(exc) from None

    ask.until_good(once)
    fine("the PIN is set")


def _offer_client(ask: Questions, context: click.Context) -> None:
    def once() -> None:
        client = ask.text(f"Add this server to a client now? ({', '.join(CLIENTS)}; {_NONE})", _NONE)
        if client == _NONE:
            click.echo(f"Later: {typed('install', 'CLIENT')}")
            return
        if client not in CLIENTS:
            raise Again(f"{clean(client, 40)} is none of them")
        try:
            context.invoke(install, client=client, name="gunbot", instance=None, only_print=False)
        except GunbotMcpError as exc:
            raise Again.because(exc) from None

    ask.until_good(once)


@contextmanager
def _environment(changed: Mapping[str, str | None]) -> Generator[None]:
    """Set or hide variables meanwhile: what is asked, tried and written must be what the config alone says."""
    before = {name: os.environ.get(name) for name in changed}
    _apply(changed)
    try:
        yield
    finally:
        _apply(before)


def _apply(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
