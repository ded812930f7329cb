"""A config that becomes stricter counts for a server that runs; one that becomes looser counts after a restart.

In force is, key by key, the stricter of what the server started with and what the file says now: `TABLE` says for every
key what that is. Where a key cannot change while a server runs, or the file cannot be read, nothing is sent.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel

from gunbot_mcp.config import Mode, Settings, load
from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError
from gunbot_mcp.files import Stamp, stamp_of

_Model = TypeVar("_Model", bound=BaseModel)
Rule = Callable[[Any, Any], Any]
"""Takes what the server started with and what the file says now, and returns the stricter."""
Amounts = Mapping[str, Decimal]

NOBODY = "(none)"
"""An exchange of no name: an empty list would allow all."""


class _Changed(Exception):
    """A key that cannot change while a server runs."""


def _same(started: object, now: object) -> object:
    if started != now:
        raise _Changed
    return started


def _as_started(started: object, now: object) -> object:
    """Neither is stricter: it takes effect at the next start."""
    del now
    return started


def _first_of(*strictest_first: object) -> Rule:
    return lambda started, now: min(started, now, key=strictest_first.index)


def _both(started: object, now: object) -> bool:
    return bool(started and now)


def _either(started: object, now: object) -> bool:
    return bool(started or now)


def _smaller_amounts(started: Amounts, now: Amounts) -> Amounts:
    """An asset that is not named is refused, so both must name it."""
    return {asset: min(amount, now[asset]) for asset, amount in started.items() if asset in now}


def _smaller_where_named(started: Amounts, now: Amounts) -> Amounts:
    """An asset that is not named has no limit, so what either of them names holds."""
    return {
        asset: min(found[asset] for found in (started, now) if asset in found)
        for asset in dict.fromkeys((*started, *now))
    }


def _fewer_but_none(started: int, now: int) -> int:
    """0 is no limit."""
    return min(started, now) or max(started, now)


def _same_amounts(started: Amounts, now: Amounts) -> Amounts:
    """What one of them does not say, or says otherwise, nobody said."""
    return {name: amount for name, amount in started.items() if now.get(name) == amount}


def _allowed_names(started: list[str], now: list[str]) -> list[str]:
    if not started or not now:
        return started or now
    return [name for name in started if name in now] or [NOBODY]


def _allowed_patterns(started: list[str], now: list[str]) -> list[str]:
    """`A & B` matches what both match; the check of pairs knows it."""
    if not started or not now or started == now:
        return started or now
    return [one if one == other else f"{one} & {other}" for one in started for other in now]


def _abilities(started: Mapping[str, list[Any]], now: Mapping[str, list[Any]]) -> Mapping[str, list[Any]]:
    return {name: [one for one in found if one in now.get(name, [])] for name, found in started.items()}


_MODE = _first_of(Mode.READ_ONLY, Mode.APPROVE, Mode.AUTO)

TABLE: Mapping[str, Rule] = {
    "home": _same,
    "mode": _MODE,
    "instance": _same,
    "capabilities": _abilities,
    "ledger.url": _same,
    "approval.wait": _as_started,
    "approval.ttl": min,
    "approval.elicitation": _both,
    "approval.page": _both,
    "approval.page_port": _as_started,
    "approval.card_buttons": _first_of("never", "paper", "always"),
    "approval.live_needs": _first_of("passkey", "pin", "any"),
    "approval.page_login": _either,
    "approval.public_url": _as_started,
    "approval.public_port": _as_started,
    "approval.open": _as_started,
    "approval.notify": _as_started,
    "approval.notify_detail": _first_of("short", "full"),
    "approval.touch_at_once": _both,
    "instances.url": _same,
    "instances.token": _same,
    "instances.token_file": _same,
    "instances.password": _same,
    "instances.wallet": _same,
    "instances.ca_file": _same,
    "instances.insecure_skip_verify": _same,
    "instances.allow_insecure_http": _both,
    "instances.mode": _MODE,
    "instances.cancel": _first_of("ask", "smart"),
    "instances.connect_timeout": _as_started,
    "instances.read_timeout": _as_started,
    "instances.deadline": _as_started,
    "instances.seed": _as_started,
    "instances.market": _as_started,
    "instances.contracts": _same_amounts,
    "instances.limits.max_order": _smaller_amounts,
    "instances.limits.max_day": _smaller_amounts,
    "instances.limits.max_exit": _smaller_amounts,
    "instances.limits.max_exit_day": _smaller_amounts,
    "instances.limits.orders_per_day": min,
    "instances.limits.orders_per_minute": min,
    "instances.limits.price_band_percent": min,
    "instances.limits.slippage_percent": min,
    "instances.limits.fee_percent": max,
    "instances.limits.duplicate_seconds": max,
    "instances.limits.code_above": _smaller_amounts,
    "instances.limits.wrong_side": _first_of("refuse", "warn"),
    "instances.limits.exchanges": _allowed_names,
    "instances.limits.pairs": _allowed_patterns,
    "instances.limits.without_market_data": _first_of("refuse", "allow"),
    "instances.token_keyring": _same,
    "instances.tls_fingerprint": _same,
    "instances.tls_server_name": _same,
    "instances.limits.max_day_loss": _smaller_where_named,
    "instances.limits.halt_after_rejections": _fewer_but_none,
}
"""Every key of the settings (of the instance that is served), and which of two values is the stricter."""


def stricter(started: Settings, now: Settings) -> Settings:
    """Return the settings that are in force. Pure.

    Raises:
        ConfigInvalid: a key has changed that cannot change while a server runs.
    """
    # Where a key is left out, what counts in its place is compared.
    left, right = (
        one.model_copy(update={"home": one.folder, "mode": one.effective_mode, "instance": one.name})
        for one in (started, now)
    )
    if left.instance != right.instance:
        raise _restart("instance")
    merged = _merged("", left, right)
    served = _merged("instances.", started.served, now.served)
    return merged.model_copy(update={"instances": {**started.instances, started.name: served}})


def _merged(prefix: str, started: _Model, now: _Model) -> _Model:
    values: dict[str, Any] = {}
    for name in type(started).model_fields:
        left, right = getattr(started, name), getattr(now, name)
        if isinstance(left, BaseModel):
            values[name] = _merged(f"{prefix}{name}.", left, right)
        elif (prefix, name) != ("", "instances"):
            try:
                # A key without a rule may be of any kind: then no change of it is let pass.
                values[name] = TABLE.get(f"{prefix}{name}", _same)(left, right)
            except _Changed:
                raise _restart(f"{prefix}{name}") from None
    return started.model_copy(update=values)


def _restart(key: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"{key} was changed in the config while this server runs; nothing is sent",
        "restart the server, or change it back",
    )


class Rules:
    """The settings in force, for one server that runs. The file is only read again once it has changed on disk."""

    def __init__(self, started: Settings) -> None:
        self._started = started
        self._in_force = started
        self._stamp: Stamp | None = None if started.source is None else started.source.stamp
        self._problem: ConfigInvalid | None = None

    @property
    def last(self) -> Settings:
        """What was in force when the file could last be read: for whatever sends nothing."""
        self._look()
        return self._in_force

    def require(self) -> Settings:
        """Return what is in force, for whoever is about to send.

        Raises:
            ConfigInvalid: nothing may be sent; the message says why.
        """
        self._look()
        if self._problem is not None:
            raise self._problem
        return self._in_force

    def _look(self) -> None:
        source = self._started.source
        if source is None:
            return
        stamp = stamp_of(source.file)
        if stamp == self._stamp and self._problem is None:
            return
        try:
            in_force = stricter(self._started, load(**source.flags))
        except GunbotMcpError as exc:
            self._problem = ConfigInvalid(f"the config, as it is now, stops all sending: {exc.message}", f"{exc.hint}")
        except OSError as exc:
            self._problem = ConfigInvalid(
                f"the config cannot be read any more ({exc.strerror}); nothing is sent",
                "check its path and permissions",
            )
        except (ValueError, RecursionError):
            self._problem = ConfigInvalid("the config cannot be understood any more; nothing is sent", "repair it")
        else:
            self._in_force, self._stamp, self._problem = in_force, stamp, None
