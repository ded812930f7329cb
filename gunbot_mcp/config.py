"""Settings: defaults < config.toml < environment < flags. No configuration at all is one paper instance.

Environment: `GUNBOT_MCP_HOME` (all state), `GUNBOT_MCP_CONFIG` (the TOML file), `GUNBOT_MCP_INSTANCE`,
`GUNBOT_MCP_MODE`, `GUNBOT_MCP_APPROVAL_WAIT` (seconds), and `GUNBOT_URL` with `GUNBOT_TOKEN`, which alone make one
live instance named `gunbot`. `config.example.toml` shows every key.
"""

import codecs
import contextlib
import difflib
import logging
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gunbot_mcp.address import is_loopback
from gunbot_mcp.domain import Capability
from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.files import Stamp, stamp_of
from gunbot_mcp.instance import Instance, Mode, ModeValue
from gunbot_mcp.limits import Limits, Seconds, Section

logger = logging.getLogger(__name__)

_ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "GUNBOT_MCP_HOME": ("home",),
    "GUNBOT_MCP_INSTANCE": ("instance",),
    "GUNBOT_MCP_MODE": ("mode",),
    "GUNBOT_MCP_APPROVAL_WAIT": ("approval", "wait"),
    "GUNBOT_URL": ("instances", "gunbot", "url"),
    "GUNBOT_TOKEN": ("instances", "gunbot", "token"),
}
CONFIG_VARIABLE = "GUNBOT_MCP_CONFIG"
_CLIENTS_WAIT = 60.0
"""Seconds after which most clients give up a call."""


def public_address(value: str) -> str:
    """Return the public address as browsers write it in Origin.

    Raises:
        ValueError: passkeys do not work there, or it is more than an address.
    """
    if not value:
        return value
    parts = urlsplit(value)
    host = parts.hostname or ""
    plain = re.fullmatch(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", host) and not host.rpartition(".")[2].isdigit()
    if parts.scheme != "https" or not plain or parts.port == 0:
        raise ValueError("must look like https://orders.example.org: https, and a name of its own, not a number")
    if parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"):
        raise ValueError("must be an address only, without credentials, path, query or fragment")
    return f"https://{host}" + ("" if parts.port in {None, 443} else f":{parts.port}")


class Approval(Section):
    """How a human is asked."""

    wait: Annotated[Seconds, Field(description="Seconds that a call waits for a human before it answers.")] = 25
    ttl: Annotated[Seconds, Field(gt=0, description="Seconds until a ticket expires.")] = 120
    elicitation: Annotated[bool, Field(description="Ask in the client's own form where it has one.")] = True
    page: Annotated[bool, Field(description="Serve the approval page on loopback while tickets are open.")] = True
    page_port: Annotated[
        int, Field(ge=0, le=65_535, description="Port of the page; 0 or a taken one: any free one.")
    ] = 0
    card_buttons: Annotated[
        Literal["paper", "always", "never"],
        Field(description="Where the ticket card in the client has its own approve and reject buttons."),
    ] = "paper"
    live_needs: Annotated[
        Literal["any", "pin", "passkey"],
        Field(description="What counts as your word on live instances: any open way, the PIN or a passkey, a passkey."),
    ] = "any"
    page_login: Annotated[
        bool, Field(description="Show the pages only after the PIN was typed once: for machines that others use, too.")
    ] = False
    public_url: Annotated[
        str, Field(description="The https address of the inbox behind your own reverse proxy; empty: none.")
    ] = ""
    public_port: Annotated[
        int, Field(ge=1, le=65_535, description="The port on loopback to which only that proxy forwards.")
    ] = 8718
    open: Annotated[
        Literal["no", "browser"], Field(description="Open the page in the browser when a first order waits.")
    ] = "no"
    notify: Annotated[
        list[SecretStr], Field(max_length=20, description="Where to tell that an order waits: addresses for Apprise.")
    ] = Field(default_factory=list[SecretStr])
    notify_detail: Annotated[
        Literal["short", "full"],
        Field(description="short: only the desktop is told more than that an order waits; full: every address is."),
    ] = "short"

    touch_at_once: Annotated[
        bool, Field(description="Ask for the touch as soon as a notice's link is opened, and not after a press.")
    ] = False

    @field_validator("public_url")
    @classmethod
    def _a_public_address(cls, value: str) -> str:
        return public_address(value)


class LedgerSettings(Section):
    url: Annotated[
        SecretStr,
        Field(description="sqlite:///PATH or postgresql://…; empty: ledger.sqlite3 in the state folder."),
    ] = SecretStr("")


class _Environment(PydanticBaseSettingsSource):
    """The few variables above, as nested settings; all others are ignored."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for variable, path in _ENVIRONMENT.items():
            value = os.environ.get(variable, "").strip()
            if value:
                place = found
                for part in path[:-1]:
                    place = place.setdefault(part, {})
                place[path[-1]] = value
        return found


def in_one_place(home: Path | None) -> Path | None:
    """Refuse a state folder that is another one wherever a program happens to be started."""
    try:
        if home is None or home.expanduser().is_absolute():
            return home
    except RuntimeError:
        pass  # `~name` of nobody
    raise ValueError("must be an absolute path, or start with ~/; no variables are put in here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where settings were read from, so that they can be read again: `stamp` is the file's before it was read."""

    file: Path
    stamp: Stamp | None
    flags: Mapping[str, Any] = field(repr=False)


class Settings(BaseSettings):
    """Everything that can be configured."""

    _source: Source | None = PrivateAttr(default=None)

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    home: Annotated[SkipJsonSchema[Path | None], AfterValidator(in_one_place)] = None
    mode: SkipJsonSchema[ModeValue | None] = None
    instance: Annotated[
        str | None, Field(description="The instance that this server serves; needed where there are several.")
    ] = None
    # A name is part of the path of a paper instance's accounts.
    instances: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")], Instance] = Field(
        default_factory=dict[str, Instance]
    )
    approval: Approval = Field(default_factory=Approval)
    ledger: LedgerSettings = Field(default_factory=LedgerSettings)
    # Of the exchange, not of one of its slots: a name without `#`.
    capabilities: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,60}$")], list[Capability]],
        Field(description="What an exchange can do beyond what is documented."),
    ] = Field(default_factory=dict[str, list[Capability]])

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del env_settings, dotenv_settings, file_secret_settings
        toml = TomlConfigSettingsSource(settings_cls, toml_file=_toml_file())
        return (init_settings, _Environment(settings_cls), toml)

    @property
    def source(self) -> Source | None:
        """The file that may change while a server runs; None where none is named."""
        return self._source

    def read_from(self, source: Source) -> "Settings":
        """Note where these settings were read from, and return them."""
        self._source = source
        return self

    @property
    def folder(self) -> Path:
        """The state folder: `GUNBOT_MCP_HOME`, or the platform's user-data folder."""
        if self.home is not None:
            return self.home.expanduser()
        return platformdirs.user_data_path("gunbot-mcp", appauthor=False)

    @property
    def name(self) -> str:
        """The name of the instance that is served."""
        if self.instance is not None:
            return self.instance
        return next(iter(self.instances))

    @property
    def served(self) -> Instance:
        return self.instances[self.name]

    @property
    def effective_mode(self) -> Mode:
        """Read-only wins over everything; else the environment's or flag's mode; else the instance's."""
        if Mode.READ_ONLY in {self.mode, self.served.mode}:
            return Mode.READ_ONLY
        return self.mode or self.served.mode

    def secrets(self) -> tuple[str, ...]:
        """Every configured secret, for scrubbing texts."""
        found = [
            secret.get_secret_value()
            for instance in self.instances.values()
            for secret in (instance.token, instance.password, instance.wallet)
        ]
        found += [address.get_secret_value() for address in self.approval.notify]
        with contextlib.suppress(ConfigInvalid):
            found.append(self.served.secret())  # the one that a file may hold
        return tuple(dict.fromkeys(secret for secret in found if secret))


def instance_names() -> list[str]:
    """Return the names of all instances that are configured, also of those that `load` refuses for what they lack.

    Raises:
        ConfigInvalid: the configuration cannot be read at all.
    """
    return list(_read({})[0].instances)


def load(**flags: object) -> Settings:
    """Read the configuration; `flags` win over everything else.

    Raises:
        ConfigInvalid: names the key that is wrong and what it should be.
    """
    settings, source = _read(flags)
    _check(settings)
    return settings if source is None else settings.read_from(source)


def _read(flags: Mapping[str, Any]) -> tuple[Settings, Source | None]:
    named = os.environ.get(CONFIG_VARIABLE, "").strip()
    file = Path(named).expanduser() if named else None
    # Before it is read: what is changed meanwhile is then read again.
    stamp = None if file is None else stamp_of(file)
    try:
        settings = Settings(**{key: value for key, value in flags.items() if value is not None})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigInvalid(f"the config is not valid TOML: {clean(exc)}", _toml_hint()) from exc
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "config"
        what = (
            "is not a known key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        )
        raise ConfigInvalid(f"{clean(key, 80)}: {clean(what)}", _hint(first["loc"])) from None
    for said in (flags.get("mode"), os.environ.get("GUNBOT_MCP_MODE", "").strip()):
        if said and not Mode.knows(said):
            logger.warning("mode %r is not understood: the server is read-only", clean(said, 40))
    if _read_only_anywhere(settings):
        settings = settings.model_copy(update={"mode": Mode.READ_ONLY})
    if not settings.instances:
        settings = settings.model_copy(update={"instances": {"paper": Instance()}})
    if settings.instance is None and os.environ.get("GUNBOT_URL", "").strip():
        settings = settings.model_copy(update={"instance": "gunbot"})
    return settings, None if file is None else Source(file=file, stamp=stamp, flags=flags)


def _hint(place: tuple[int | str, ...]) -> str:
    """Return what to do about a wrong key or value: the variable that set it, or the name that was meant."""
    variable = next((name for name, path in _ENVIRONMENT.items() if path == place and os.environ.get(name)), None)
    if variable is not None:
        return f"{variable} sets it; config.example.toml shows what it may be"
    known = {
        name for section in (Settings, Instance, Approval, LedgerSettings, Limits) for name in section.model_fields
    }
    name = str(place[-1]) if place else ""
    near = [] if name in known else difflib.get_close_matches(name, known, n=1)
    return (f"did you mean {near[0]}? " if near else "") + "config.example.toml shows every key, and what it may be"


def _toml_hint() -> str:
    file = _toml_file()
    if file is not None and file.read_bytes().startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"{clean(file)} begins with a byte order mark: save it as UTF-8 without one"
    where = "" if file is None else f" in {clean(file)}"
    return f"repair that line{where}; config.example.toml shows the form"


def _read_only_anywhere(settings: Settings) -> bool:
    """Return whether any source says read-only for the whole server: then no stronger source takes it back."""
    sources = (_Environment(Settings)(), TomlConfigSettingsSource(Settings, toml_file=_toml_file())())
    said = [settings.mode, *(Mode.parse(source["mode"]) for source in sources if "mode" in source)]
    return Mode.READ_ONLY in said


def _toml_file() -> Path | None:
    named = os.environ.get(CONFIG_VARIABLE, "").strip()
    if not named:
        return None
    path = Path(named).expanduser()
    # pydantic-settings silently ignores a file that is not there; a user who named one wants to know.
    try:
        path.open("rb").close()
    except OSError as exc:
        raise ConfigInvalid(
            f"the file named by {CONFIG_VARIABLE} cannot be read: {clean(path)}", "check the path and its permissions"
        ) from exc
    return path


def _check(settings: Settings) -> None:
    names = ", ".join(clean(name, 40) for name in settings.instances)
    if settings.instance is None and len(settings.instances) > 1:
        raise ConfigInvalid(
            f"there are several instances ({names}) and none is chosen",
            "set `instance` in the config, GUNBOT_MCP_INSTANCE, or --instance; add the server once per instance",
        )
    if settings.instance is not None and settings.instance not in settings.instances:
        raise ConfigInvalid(
            f"there is no instance {clean(settings.instance, 40)!r}", f"choose one that there is: {names}"
        )
    served = settings.served
    can_log_in = bool(served.password.get_secret_value() and served.wallet.get_secret_value())
    has_token = bool(served.token_file or served.token_keyring or served.token.get_secret_value())
    if served.post_seconds > served.answer_seconds:
        logger.warning("deadline is less than connect_timeout and read_timeout together: no order can be sent")
    elif served.answer_seconds > _CLIENTS_WAIT:
        logger.warning("calls may take %g s; most clients give up after %g", served.answer_seconds, _CLIENTS_WAIT)
    if settings.name == "gunbot" and not served.live and os.environ.get("GUNBOT_TOKEN", "").strip():
        raise ConfigInvalid(
            "GUNBOT_TOKEN is set but no url: without one this would be paper",
            "set GUNBOT_URL, too, or unset GUNBOT_TOKEN",
        )
    if served.live and not (has_token or can_log_in):
        raise ConfigInvalid(
            f"instance {clean(settings.name, 40)!r} has a url but no token",
            "set GUNBOT_TOKEN, token, token_file or token_keyring, or password and wallet",
        )
    if urlsplit(served.url).scheme == "http" and not served.allow_insecure_http and not is_loopback(served.url):
        raise ConfigInvalid(
            "plain http to a host that is not loopback would show the token to the network",
            "use https, or set allow_insecure_http = true for this instance",
        )


def said_by(flags: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return what each source says, the strongest first: `flag`, `environment`, `file`. Secrets stand in it unmasked.

    Raises:
        ConfigInvalid: the file cannot be read.
    """
    return {
        "flag": {name: value for name, value in flags.items() if value is not None},
        "environment": _Environment(Settings)(),
        "file": TomlConfigSettingsSource(Settings, toml_file=_toml_file())(),
    }


def variable_of(path: tuple[str, ...]) -> str | None:
    """Return the environment variable that sets this key: `("approval", "wait")`; None where there is none."""
    return next((name for name, place in _ENVIRONMENT.items() if place == path), None)
