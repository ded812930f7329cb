"""Settings: defaults < config.toml < environment < flags. No configuration at all is one paper instance.

Environment: `GUNBOT_MCP_HOME` (all state), `GUNBOT_MCP_CONFIG` (the TOML file), `GUNBOT_MCP_INSTANCE`,
`GUNBOT_MCP_MODE`, `GUNBOT_MCP_APPROVAL_WAIT` (seconds), and `GUNBOT_URL` with `GUNBOT_TOKEN`, which alone make one
live instance named `gunbot`. `config.example.toml` shows every key.
"""

import contextlib
import ipaddress
import logging
import os
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gunbot_mcp.domain import Capability
from gunbot_mcp.errors import ConfigInvalid, ReadOnly, clean
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


class Mode(StrEnum):
    READ_ONLY = "read-only"
    APPROVE = "approve"
    AUTO = "auto"

    @classmethod
    def parse(cls, value: object) -> "Mode":
        """Return the mode; a value that cannot be understood means read-only."""
        return cls(_mode_text(value)) if cls.knows(value) else cls.READ_ONLY

    @classmethod
    def knows(cls, value: object) -> bool:
        return _mode_text(value) in set(cls)


def require_trading(mode: Mode) -> None:
    """Refuse in read-only mode. The tools' gate and the guard's first check both ask here.

    Raises:
        ReadOnly: the mode is read-only.
    """
    if mode is Mode.READ_ONLY:
        raise ReadOnly("this server is read-only: it places and cancels nothing", "a human can set mode = approve")


def _mode_text(value: object) -> str:
    return str(value).strip().lower().replace("_", "-")


ModeValue = Annotated[Mode, BeforeValidator(Mode.parse)]
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


def is_token(text: str) -> bool:
    """Whether `text` can stand in an Authorization header: printable ASCII in one piece."""
    return text.isascii() and text.isprintable() and text != "" and " " not in text


class Instance(Section):
    """One Gunbot, or (without a `url`) one embedded paper gateway."""

    url: Annotated[str, Field(description="Gunbot's address, e.g. https://host:3000; empty: the paper gateway.")] = ""
    token: Annotated[SecretStr, Field(description="Gunbot's bearer token; better in GUNBOT_TOKEN or token_file.")] = (
        SecretStr("")
    )
    token_file: Annotated[Path | None, Field(description="A file that holds the token.")] = None
    password: Annotated[SecretStr, Field(description="Gunbot's GUI password, to log in instead of a token.")] = (
        SecretStr("")
    )
    wallet: Annotated[
        SecretStr, Field(description="bot.gunthy_wallet from Gunbot's config.js; its first 16 bytes encrypt the login.")
    ] = SecretStr("")
    mode: Annotated[
        ModeValue, Field(description="read-only, approve or auto; what cannot be understood means read-only.")
    ] = Mode.APPROVE
    cancel: Annotated[
        Literal["smart", "ask"],
        Field(
            description="smart: cancelling a plain buy that was placed from here and found needs no approval; ask: all do."
        ),
    ] = "smart"
    connect_timeout: Annotated[Seconds, Field(gt=0, description="Seconds to reach Gunbot.")] = 5
    read_timeout: Annotated[Seconds, Field(gt=0, description="Seconds to wait for an answer.")] = 20
    ca_file: Annotated[Path | None, Field(description="Certificate authority of a self-signed Gunbot.")] = None
    insecure_skip_verify: Annotated[
        bool, Field(description="Do not verify the certificate. Anyone in between can then read the token.")
    ] = False
    allow_insecure_http: Annotated[bool, Field(description="Allow plain http to a host that is not loopback.")] = False
    seed: Annotated[int, Field(ge=0, description="Paper: the seed of the price path.")] = 1
    market: Annotated[str, Field(description="Paper: walk, manual or replay:FILE.")] = "walk"
    limits: Limits = Field(default_factory=Limits)

    @property
    def live(self) -> bool:
        return bool(self.url)

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)  # its port is checked when it is asked for
        if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(parts.hostname or "") or parts.port == 0:
            raise ValueError("must look like https://host:3000")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must be an address only, without credentials, query or fragment")
        return value.rstrip("/").removesuffix("/api/v1")

    def secret(self) -> str:
        """Return the bearer token, from the file if one is named, or "" where there is none.

        Raises:
            ConfigInvalid: the token file cannot be read or is empty, or what is there cannot be a token.
        """
        token = self.token.get_secret_value().strip()
        if self.token_file is not None:
            try:
                token = self.token_file.expanduser().read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as exc:
                raise ConfigInvalid(
                    f"token_file cannot be read: {type(exc).__name__}", "check the path and its permissions"
                ) from None
        if not is_token(token) and (token or self.token_file is not None):
            raise ConfigInvalid(
                "the token is empty or has characters that no token has", "copy it again from Gunbot's GUI"
            )
        return token


class Approval(Section):
    """How a human is asked."""

    wait: Annotated[Seconds, Field(description="Seconds that a call waits for a human before it answers.")] = 25
    ttl: Annotated[Seconds, Field(gt=0, description="Seconds until a ticket expires.")] = 120
    elicitation: Annotated[bool, Field(description="Ask in the client's own form where it has one.")] = True
    page: Annotated[bool, Field(description="Serve the approval page on loopback while tickets are open.")] = True
    page_port: Annotated[
        int, Field(ge=0, le=65_535, description="Port of the page; 0 or a taken one: any free one.")
    ] = 8717
    card_buttons: Annotated[
        Literal["paper", "always", "never"],
        Field(description="Where the ticket card in the client has its own approve and reject buttons."),
    ] = "paper"


class LedgerSettings(Section):
    url: Annotated[
        SecretStr,
        Field(description="sqlite:///PATH or postgresql://…; empty: ledger.sqlite3 in the state folder."),
    ] = SecretStr("")


class _Environment(PydanticBaseSettingsSource):
    """The few variables above, as nested settings; all others are ignored."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ANN401, ARG002 - the base's signature
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


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    home: SkipJsonSchema[Path | None] = None
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
    def folder(self) -> Path:
        """The state folder: `GUNBOT_MCP_HOME`, or the platform's user-data folder."""
        if self.home is not None:
            return self.home.expanduser()
        import platformdirs  # noqa: PLC0415 - not needed where a home is set

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
        with contextlib.suppress(ConfigInvalid):
            found.append(self.served.secret())  # the one that a file may hold
        return tuple(dict.fromkeys(secret for secret in found if secret))


def state_home() -> Path:
    """Return the state folder whatever else is wrong with the configuration: the kill switch must work then, too."""
    named: object = os.environ.get("GUNBOT_MCP_HOME", "").strip()
    if not named:
        with contextlib.suppress(OSError, ValueError):  # not TOML is a ValueError
            file = os.environ.get(CONFIG_VARIABLE, "").strip()
            named = tomllib.loads(Path(file).expanduser().read_text(encoding="utf-8")).get("home") if file else None
    return Settings.model_construct(home=Path(named) if isinstance(named, str) and named else None).folder


def load(**flags: Any) -> Settings:  # noqa: ANN401 - any setting
    """Read the configuration; `flags` win over everything else.

    Raises:
        ConfigInvalid: names the key that is wrong and what it should be.
    """
    try:
        settings = Settings(**{key: value for key, value in flags.items() if value is not None})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigInvalid(f"the config is not valid TOML: {clean(exc)}", "see config.example.toml") from exc
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "config"
        what = (
            "is not a known key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        )
        raise ConfigInvalid(f"{clean(key, 80)}: {clean(what)}", "config.example.toml shows every key") from None
    for said in (flags.get("mode"), os.environ.get("GUNBOT_MCP_MODE", "").strip()):
        if said and not Mode.knows(said):
            logger.warning("mode %r is not understood: the server is read-only", clean(said, 40))
    if _read_only_anywhere(settings):
        settings = settings.model_copy(update={"mode": Mode.READ_ONLY})
    if not settings.instances:
        settings = settings.model_copy(update={"instances": {"paper": Instance()}})
    if settings.instance is None and os.environ.get("GUNBOT_URL", "").strip():
        settings = settings.model_copy(update={"instance": "gunbot"})
    _check(settings)
    return settings


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
        raise ConfigInvalid(f"there is no instance {clean(settings.instance, 40)!r}", f"there is: {names}")
    served = settings.served
    can_log_in = bool(served.password.get_secret_value() and served.wallet.get_secret_value())
    has_token = bool(served.token_file or served.token.get_secret_value())
    if settings.name == "gunbot" and not served.live and os.environ.get("GUNBOT_TOKEN", "").strip():
        raise ConfigInvalid(
            "GUNBOT_TOKEN is set but no url: without one this would be paper",
            "set GUNBOT_URL, too, or unset GUNBOT_TOKEN",
        )
    if served.live and not (has_token or can_log_in):
        raise ConfigInvalid(
            f"instance {clean(settings.name, 40)!r} has a url but no token",
            "set GUNBOT_TOKEN, token or token_file, or password and wallet",
        )
    if urlsplit(served.url).scheme == "http" and not served.allow_insecure_http and not _loopback(served.url):
        raise ConfigInvalid(
            "plain http to a host that is not loopback would show the token to the network",
            "use https, or set allow_insecure_http = true for this instance",
        )


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
