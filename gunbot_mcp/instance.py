"""One instance: one Gunbot, or one embedded paper gateway, with its mode, its login, its time-outs and its limits."""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from gunbot_mcp.address import HOST, address, fingerprint
from gunbot_mcp.arguments import Key
from gunbot_mcp.domain import MAX_NUMBER, MIN_NUMBER, Pair
from gunbot_mcp.errors import Hint, ReadOnly
from gunbot_mcp.exchanges import right_name
from gunbot_mcp.limits import Limits, Money, Seconds, Section
from gunbot_mcp.tokens import plain_token, read_token


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
        raise ReadOnly("this server is read-only: it places and cancels nothing", Hint.by_human("set mode = approve"))


def _mode_text(value: object) -> str:
    return str(value).strip().lower().replace("_", "-")


ModeValue = Annotated[Mode, BeforeValidator(Mode.parse)]
_READ_SECONDS = 15.0
"""What the default deadline leaves to reads before an order: 40 s without the 25 s of an order's own."""


class Instance(Section):
    """One Gunbot, or (without a `url`) one embedded paper gateway."""

    url: Annotated[str, Field(description="Gunbot's address, e.g. https://host:3000; empty: the paper gateway.")] = ""
    token: Annotated[SecretStr, Field(description="Gunbot's bearer token; better in GUNBOT_TOKEN or token_file.")] = (
        SecretStr("")
    )
    token_file: Annotated[Path | None, Field(description="A file that holds the token.")] = None
    token_keyring: Annotated[
        str, Field(description="Where the OS keyring holds the token, as SERVICE/USER; needs the extra keyring.")
    ] = ""
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
        Field(description="smart: cancelling a plain buy placed from here and found needs no approval; ask: all do."),
    ] = "smart"
    connect_timeout: Annotated[Seconds, Field(gt=0, description="Seconds to reach Gunbot.")] = 5
    read_timeout: Annotated[Seconds, Field(gt=0, description="Seconds to wait for a whole answer.")] = 20
    deadline: Annotated[
        Seconds,
        Field(gt=0, description="Seconds within which every call answers, whatever Gunbot does."),
    ] = 40
    ca_file: Annotated[Path | None, Field(description="Certificate authority of a self-signed Gunbot.")] = None
    insecure_skip_verify: Annotated[
        bool, Field(description="Do not verify the certificate. Anyone in between can then read the token.")
    ] = False
    allow_insecure_http: Annotated[bool, Field(description="Allow plain http to a host that is not loopback.")] = False
    seed: Annotated[int, Field(ge=0, description="Paper: the seed of the price path.")] = 1
    market: Annotated[str, Field(description="Paper: walk, manual or replay:FILE.")] = "walk"
    tls_fingerprint: Annotated[
        str, Field(description="SHA-256 of Gunbot's certificate: this one and no other, whatever its chain and name.")
    ] = ""
    tls_server_name: Annotated[
        str, Field(description="The name in Gunbot's certificate where it is not url's host, e.g. localhost.")
    ] = ""
    limits: Limits = Field(default_factory=Limits)
    contracts: Annotated[
        dict[Key, Money],
        Field(description="How much of its traded asset one contract of exchange/pair holds, if amounts count those."),
    ] = Field(default_factory=dict[str, Decimal])

    @field_validator("contracts")
    @classmethod
    def _sizes_of_pairs(cls, value: dict[str, Decimal]) -> dict[str, Decimal]:
        for key, size in value.items():
            exchange, _, pair = key.partition("/")
            if right_name(exchange) != exchange:
                raise ValueError(f"{key}: Gunbot writes this exchange {right_name(exchange)!r}")
            if Pair.parse(pair) is None:
                raise ValueError(f"{key}: the name does not say which asset pays, so a size would not help")
            if not MIN_NUMBER <= size <= MAX_NUMBER:
                raise ValueError(f"{key}: the size of a contract must be between 1e-18 and 1e18")
        return value

    @property
    def live(self) -> bool:
        return bool(self.url)

    @property
    def post_seconds(self) -> float:
        """The whole time-out of one request: the longest that an order can be on its way to Gunbot and back."""
        return self.connect_timeout + self.read_timeout

    @property
    def answer_seconds(self) -> float:
        """The deadline of every call.

        Whoever raises the time-outs and names no deadline gets a longer one: else no order would fit into it.
        """
        named = "deadline" in self.model_fields_set
        return self.deadline if named else max(self.deadline, self.post_seconds + _READ_SECONDS)

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        return address(value)

    @field_validator("token_keyring")
    @classmethod
    def _service_and_user(cls, value: str) -> str:
        service, _, user = value.partition("/")
        if value and not (service and user and value.isprintable()):
            raise ValueError("must be SERVICE/USER, for example gunbot-mcp/gunbot")
        return value

    @field_validator("tls_fingerprint")
    @classmethod
    def _a_fingerprint(cls, value: str) -> str:
        return fingerprint(value)

    @field_validator("tls_server_name")
    @classmethod
    def _a_name(cls, value: str) -> str:
        if value and not HOST.fullmatch(value):
            raise ValueError("must be the name alone as it stands in the certificate, for example localhost")
        return value

    @model_validator(mode="after")
    def _one_way_to_trust(self) -> Self:
        pinned = "tls_fingerprint" if self.tls_fingerprint else "tls_server_name" if self.tls_server_name else None
        if pinned is not None and self.url.startswith("http://"):
            raise ValueError(f"{pinned} is for an https url, and this one is plain http: there is no certificate")
        if self.tls_fingerprint and self.insecure_skip_verify:
            raise ValueError("tls_fingerprint and insecure_skip_verify say the opposite: take one out")
        return self

    def secret(self) -> str:
        """Return the bearer token, from the file if one is named, or "" where there is none or the OS keyring has it.

        Raises:
            ConfigInvalid: the token file cannot be read or is empty, or what is there cannot be a token.
        """
        if self.token_file is not None:
            return read_token(self.token_file)
        if self.token_keyring:
            return ""  # asked when it is first needed: that may take a while, or show a dialogue
        token = self.token.get_secret_value()
        return plain_token(token, "the token") if token.strip() else ""
