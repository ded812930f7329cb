"""What passkeys signed, checked from the chain alone: no authenticator, no network, years later."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from gunbot_mcp.errors import clean
from gunbot_mcp.ledger.passkeys import REGISTERED, REVOKED, replayed
from gunbot_mcp.ledger.rows import Row
from gunbot_mcp.tickets.content import canonical
from gunbot_mcp.tickets.passkey import BadTouch, Deed, Passkey, challenge_of, check_touch, touch_of

_BY_KIND: Mapping[str, Deed] = {
    "approved": Deed.APPROVE,
    "mandate_created": Deed.MANDATE,
    REGISTERED: Deed.VOUCH,
    REVOKED: Deed.REVOKE,
    "halt_lifted": Deed.RESUME,
    "resumed": Deed.RESUME,
    "signed_in": Deed.SESSION,
}
"""Which deed a touch in an event of that kind must be for; in any other kind it settles a ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A touch that holds: in which event, for what, and by which key."""

    seq: int
    at: str
    deed: Deed
    ticket: str | None
    passkey: str
    fingerprint: str


class Signed:
    """Follows the passkeys through the chain, and checks every touch with the key that counted at that point."""

    def __init__(self, found: list[str], signatures: list[Signature], first: int) -> None:
        self._first = first
        self._found = found
        self._signatures = signatures
        self._known: dict[str, Passkey] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self._steps: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}

    def take(self, row: Row, facts: Mapping[str, Any], *, approves: bytes) -> None:
        """Follow one event; `approves` is what a passkey signs that approves its ticket."""
        if row["seq"] < self._first:
            return  # release 0.1 knew no passkeys, and its clients could call themselves anything
        if "touch" in facts or _by_passkey(row, facts):
            self._check(row, facts, approves)
        if row["kind"] in {REGISTERED, REVOKED}:
            self._follow(row, facts)

    def _check(self, row: Row, facts: Mapping[str, Any], approves: bytes) -> None:
        deed = _BY_KIND.get(row["kind"], Deed.RESOLVE)
        kept = facts.get("touch")
        try:
            touch = touch_of(kept)
            passkey = self._counting(touch.passkey)
            challenge = approves if deed is Deed.APPROVE else challenge_of(deed, _signed(row, facts, kept))
            check_touch(touch, challenge, passkey)
        except (BadTouch, KeyError, TypeError, ValueError) as exc:
            why = exc.message if isinstance(exc, BadTouch) else "it is damaged"
            self._found.append(f"event {row['seq']} says that a passkey decided, and {clean(why, 300)}")
            return
        self._signatures.append(
            Signature(
                seq=row["seq"],
                at=row["at"],
                deed=deed,
                ticket=row["ticket"],
                passkey=passkey.name,
                fingerprint=passkey.fingerprint,
            )
        )

    def _counting(self, name: str) -> Passkey:
        passkey = self._known.get(name)
        if passkey is None or passkey.revoked_at is not None:
            raise BadTouch("its passkey was not registered at that point")
        return passkey

    def _follow(self, row: Row, facts: Mapping[str, Any]) -> None:
        name = facts.get("passkey") or cast("dict[str, Any]", facts.get("content") or {}).get("id")
        steps = [*self._steps.get(str(name), []), (str(row["kind"]), facts)]
        try:
            self._known[str(name)], self._rows[str(name)] = replayed(steps)[str(name)]
            self._steps[str(name)] = steps
        except (ValueError, KeyError, TypeError, AttributeError):
            self._found.append(f"event {row['seq']} registers or revokes a passkey in a way that cannot be read")

    def row_problems(self, row: Row) -> list[str]:
        expected = self._rows.pop(row["id"], None)
        if expected == {**row, "public_key": bytes(row["public_key"])}:
            return []
        return [f"passkey {clean(row['name'], 60)} is not what its events say"]

    def missing(self) -> list[str]:
        return [f"passkey {clean(row['name'], 60)} is missing" for row in self._rows.values()]


def _by_passkey(row: Row, facts: Mapping[str, Any]) -> bool:
    """Return whether the event says that a passkey decided: then its touch must be there."""
    content = facts.get("content")
    vouched = row["kind"] == REGISTERED and cast("dict[str, Any]", content or {}).get("proof") == "passkey"
    return vouched or str(row["actor"]).startswith('["passkey",')


def _signed(row: Row, facts: Mapping[str, Any], kept: object) -> str:
    """Return the text that was signed: the event's own content, or what stands beside the touch.

    Raises:
        BadTouch: what stands there is about something else.
    """
    beside = cast("dict[str, Any]", kept).get("content")
    if beside is None:
        return canonical(facts["content"])
    if row["ticket"] is not None and f'"ticket":"{row["ticket"]}"' not in str(beside):
        raise BadTouch("it is about another ticket")
    if row["kind"] == REVOKED and f'"passkey":"{facts["passkey"]}"' not in str(beside):
        raise BadTouch("it is about another passkey")
    return str(beside)
