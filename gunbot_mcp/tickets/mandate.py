"""The mandate: a human's standing permission, time-boxed and capped, to send orders without being asked each time."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from gunbot_mcp.errors import clean
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.content import VERSION, canonical, instant_of, instant_text, money_of, money_text, opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """Amounts are in `asset`; `pairs` are exact names (none = nothing is covered); instants are aware UTC datetimes.

    `url` and `live` name the Gunbot that it was given for (None: version 0.1 did not write it down), see `is_for`. Only
    `spent` (which never falls) and `revoked_at` ever change. `content` is the canonical text of what was granted.
    """

    id: str
    instance: str
    live: bool | None
    url: str | None
    exchange: str
    pairs: tuple[str, ...]
    asset: str
    max_order: Decimal
    max_total: Decimal
    spent: Decimal = Decimal(0)
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    created_by: Actor
    content: str = field(default="", repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 over what was granted."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    def active(self, now: datetime) -> bool:
        """Return whether the mandate is in force at `now`; never before it was made, even if a clock was set back."""
        return self.revoked_at is None and self.created_at <= now < self.expires_at

    def is_for(self, *, live: bool, url: str) -> bool:
        """Return whether it was given for this Gunbot: the same kind and the same address, as they are configured.

        One of version 0.1 is for none: it may have been made on paper, where nobody was asked for a PIN.
        """
        return self.live is live and self.url == url

    def affords(self, amount: Decimal) -> bool:
        """Return whether one more order of `amount` fits both caps."""
        return Decimal(0) < amount <= self.max_order and self.spent + amount <= self.max_total


def covers(
    mandate: Mandate, *, live: bool, url: str, exchange: str, pair: str, asset: str, notional: Decimal, now: datetime
) -> bool:
    """Return whether the mandate permits this order to the Gunbot of that kind and address.

    Advisory: `Transaction.spend` decides, inside the transaction.
    """
    return (
        mandate.active(now)
        and mandate.is_for(live=live, url=url)
        and mandate.exchange == exchange
        and pair in mandate.pairs
        and mandate.asset == asset
        and notional.is_finite()
        and mandate.affords(notional)
    )


def not_for(mandate: Mandate, *, live: bool, url: str) -> str | None:
    """Return, for a human, why the mandate does not count for this Gunbot, and what to do; None where it does."""
    if mandate.is_for(live=live, url=url):
        return None
    if mandate.live is None or mandate.url is None:
        return "does not count: release 0.1 did not write down for which Gunbot it was made; create it again"
    if not mandate.live:
        return "does not count: it was made on paper, and this instance is live; create it again"
    return f"does not count here: it was made for the Gunbot at {clean(mandate.url)}"


def sealed(mandate: Mandate) -> Mandate:
    """Return a new mandate with what it grants written down in this version's form.

    Raises:
        ValueError: a naive instant, or money that is not finite.
    """
    content = {
        "v": VERSION,
        "id": mandate.id,
        "instance": mandate.instance,
        "kind": None if mandate.live is None else "live" if mandate.live else "paper",
        "url": mandate.url,
        "exchange": mandate.exchange,
        "pairs": list(mandate.pairs),
        "asset": mandate.asset,
        "max_order": money_text(mandate.max_order),
        "max_total": money_text(mandate.max_total),
        "created_at": instant_text(mandate.created_at),
        "expires_at": instant_text(mandate.expires_at),
        "created_by": [mandate.created_by.channel, mandate.created_by.name],
    }
    return replace(mandate, content=canonical(content))


def mandate_of(text: str) -> Mandate:
    """Return the mandate of a canonical content, unspent and not revoked.

    Raises:
        ValueError, KeyError, TypeError: it is damaged, or of a version that is not known here.
    """
    found, version = opened(text)
    max_order, max_total = money_of(found["max_order"]), money_of(found["max_total"])
    if max_order is None or max_total is None:
        raise ValueError("a mandate has caps")
    return Mandate(
        id=found["id"],
        instance=found["instance"],
        live={"live": True, "paper": False}.get(found.get("kind") or ""),
        url=found.get("url"),
        exchange=found["exchange"],
        pairs=tuple(json.loads(found["pairs"]) if version == 1 else found["pairs"]),
        asset=found["asset"],
        max_order=max_order,
        max_total=max_total,
        created_at=instant_of(found["created_at"]),
        expires_at=instant_of(found["expires_at"]),
        created_by=Actor("recorded", found["created_by"]) if version == 1 else Actor(*found["created_by"]),
        content=text,
    )
