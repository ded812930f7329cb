"""Through which channels a human can decide on one instance: the rows of `tickets/channels.py` under its settings."""

from typing import TYPE_CHECKING

from gunbot_mcp.instance import Mode
from gunbot_mcp.tickets.channels import BY_NAME, CHANNELS, Channel, Proof, Speaker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gunbot_mcp.config import Settings


def _buttons(settings: "Settings") -> bool:
    where = settings.approval.card_buttons
    return where == "always" or (where == "paper" and not settings.served.live)


def _auto(settings: "Settings") -> bool:
    return settings.effective_mode is Mode.AUTO


_SWITCHES: "Mapping[str, Callable[[Settings], bool]]" = {
    "mode": _auto,
    "cancel": lambda settings: settings.served.cancel == "smart",
    "approval.elicitation": lambda settings: settings.approval.elicitation,
    "approval.page": lambda settings: settings.approval.page,
    "approval.card_buttons": _buttons,
}


def is_open(channel: str, settings: "Settings", *, known: bool = True) -> bool:
    """Return whether this channel's approval sends an order on the served instance, and the user has not closed it.

    `known` is False where anybody could be the client, see `Channel.counts`.
    """
    row = BY_NAME[channel]
    needs = settings.approval.live_needs
    return switched_on(row, settings) and row.counts(live=settings.served.live, known=known, needs=needs)


def human_channels(settings: "Settings", *, known: bool = True) -> tuple[Channel, ...]:
    """Return the open channels through which a human decides, in the order in which they are offered."""
    humans = (row for row in CHANNELS if row.speaks_for is Speaker.HUMAN)
    return tuple(row for row in humans if is_open(row.name, settings, known=known))


def needs_pin(channel: str, *, live: bool, pin_set: bool) -> bool:
    """Return whether an approval through this channel needs the PIN: on live instances, and wherever one is set."""
    return BY_NAME[channel].proof is Proof.PIN and (live or pin_set)


def switched_on(row: Channel, settings: "Settings") -> bool:
    switch = None if row.setting is None else _SWITCHES.get(row.setting)
    return switch is None or switch(settings)
