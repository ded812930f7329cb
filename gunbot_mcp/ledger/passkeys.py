"""Passkeys in the ledger: registered and revoked by events, looked up by id, and asked whether they gave a touch.

A row of `credentials` counts only where it is what the events say: whoever writes into the table alone adds no key.
"""

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from gunbot_mcp.errors import Refused, clean
from gunbot_mcp.ledger.reads import Reads
from gunbot_mcp.ledger.rows import Event, Row
from gunbot_mcp.ledger.tables import credentials, events
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.content import canonical, instant_of, instant_text
from gunbot_mcp.tickets.passkey import BadTouch, Deed, Passkey, Touch, b64, challenge_of, check_touch, unb64
from gunbot_mcp.tickets.stored import actor_facts, actor_of

REGISTERED, REVOKED = "passkey_registered", "passkey_revoked"
RESTORED = "passkeys_restored"
"""Says that rows were made again from the events; no row follows from it."""
PASSKEY_EVENTS = select(events).where(events.c.kind.in_([REGISTERED, REVOKED])).order_by(events.c.seq)
PASSKEY_ROWS = select(credentials).order_by(credentials.c.registered_at, credentials.c.id)
_ADD = insert(credentials)
_REMOVE = delete(credentials).where(credentials.c.id == bindparam("the_id"))
_REVOKE = update(credentials).where(credentials.c.id == bindparam("the_id"))


class NotAllowed(Refused):
    """A passkey was to be added or removed without what that needs."""

    code = "read_only"


def content_of(passkey: Passkey, response: Mapping[str, Any]) -> str:
    """Return a new passkey's canonical content: what its event carries, and what the one that vouches for it signs."""
    return canonical(
        {
            "v": 1,
            "id": passkey.id,
            "public_key": b64(passkey.public_key),
            "sign_count": passkey.sign_count,
            "origin": passkey.origin,
            "rp": passkey.rp,
            "name": passkey.name,
            "live": passkey.live,
            "proof": passkey.proof,
            "registered_at": instant_text(passkey.registered_at),
            "registered_by": actor_facts(passkey.registered_by),
            "response": dict(response),
        }
    )


def passkey_in(content: Mapping[str, Any]) -> Passkey:
    """Return the passkey of a content.

    Raises:
        ValueError, KeyError, TypeError: it is damaged.
    """
    return Passkey(
        id=content["id"],
        public_key=unb64(content["public_key"]),
        sign_count=int(content["sign_count"]),
        origin=content["origin"],
        rp=content["rp"],
        name=content["name"],
        live=content["live"] is True,
        proof=content["proof"],
        registered_at=instant_of(content["registered_at"]),
        registered_by=actor_of(content["registered_by"]),
    )


def project_passkey(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a content. Pure.

    Raises:
        ValueError, KeyError, TypeError: it is damaged.
    """
    made = passkey_in(content)
    return {
        "id": made.id,
        "public_key": made.public_key,
        "sign_count": made.sign_count,
        "origin": made.origin,
        "rp": made.rp,
        "name": made.name,
        "registered_at": content["registered_at"],
        "registered_by": canonical(content["registered_by"]),
        "registration": canonical({name: content[name] for name in ("live", "proof", "response")}),
    }


def replayed(found: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, tuple[Passkey, dict[str, Any]]]:
    """Return the passkeys that the events (kind and detail, in their order) add up to, each with its row. Pure.

    Raises:
        ValueError, KeyError, TypeError: one of them is damaged.
    """
    known: dict[str, tuple[Passkey, dict[str, Any]]] = {}
    for kind, detail in found:
        if kind == REGISTERED:
            made = passkey_in(detail["content"])
            if made.id in known:
                raise ValueError("a passkey is registered a second time")
            known[made.id] = made, {**project_passkey(detail["content"]), "revoked_at": None}
        else:
            made, row = known[detail["passkey"]]
            at = detail["set"]["revoked_at"]
            known[made.id] = replace(made, revoked_at=instant_of(at)), {**row, "revoked_at": at}
    return known


def sound(found: Iterable[Row], rows: Iterable[Row]) -> list[Passkey]:
    """Return the passkeys whose rows are what the events say, the oldest first; the revoked ones, too."""
    try:
        known = replayed((row["kind"], json.loads(row["detail"])) for row in found)
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    there = _by_id(rows)
    return [passkey for name, (passkey, row) in known.items() if there.get(name) == row]


def _by_id(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    return {row["id"]: {**row, "public_key": bytes(row["public_key"])} for row in rows}


def whole(found: Iterable[Row], there: Iterable[Passkey]) -> bool:
    """Return whether no passkey that the events tell of is missing: a deleted store would make the PIN enough again."""
    try:
        told = {json.loads(row["detail"])["content"]["id"] for row in found if row["kind"] == REGISTERED}
    except (ValueError, KeyError, TypeError):
        return False
    return told == {one.id for one in there}


class PasskeyWrites(Reads):
    """What the write transaction can do with passkeys."""

    @abstractmethod
    async def _append(
        self, kind: str, actor: Actor, detail: str, *, ticket: str | None, instance: str | None
    ) -> Event: ...

    @abstractmethod
    async def problems(self) -> list[str]: ...

    _whole: Callable[[], AbstractContextManager[None]]

    async def passkeys(self) -> list[Passkey]:
        """Return every passkey that is what its events say, the oldest first; the revoked ones, too."""
        return sound(await self._rows(PASSKEY_EVENTS), await self._rows(PASSKEY_ROWS))

    async def proven(self, touch: Touch | None, deed: Deed, content: str, *, live: bool) -> Passkey:
        """Return the passkey that gave this touch for this deed.

        Raises:
            BadTouch: there is no touch, none of the passkeys gave it, or that one does not count here.
        """
        if touch is None:
            raise BadTouch("none was given")
        passkey = next((one for one in await self.passkeys() if one.id == touch.passkey), None)
        if passkey is None or passkey.revoked_at is not None:
            raise BadTouch("this passkey is not registered here, or no longer")
        if not passkey.counts(live=live):
            raise BadTouch("it was registered without a PIN, so it counts on paper only; register it anew")
        check_touch(touch, challenge_of(deed, content), passkey)
        return passkey

    async def register_passkey(
        self, passkey: Passkey, response: Mapping[str, Any], *, vouch: Touch | None = None, said: str | None = None
    ) -> Passkey:
        """Record a new passkey, let in by `vouch`: another one's touch over its content, or over `said`.

        Raises:
            NotAllowed: there is one that counts on live instances, and it did not vouch; or this one is known already.
            BadTouch: the one that vouches does not count.
        """
        known = await self.passkeys()
        content = content_of(passkey, response)
        if any(one.id == passkey.id for one in known):
            raise NotAllowed("this passkey is registered already", "use it, or make another one")
        if passkey.proof != "passkey" and not whole(await self._rows(PASSKEY_EVENTS), known):
            raise NotAllowed(
                "the ledger's passkeys are not what its events say, so no first one is let in",
                "gunbot-mcp ledger --verify names them; gunbot-mcp ledger --repair puts back what the events say",
            )
        if any(one.counts(live=True) for one in known) != (passkey.proof == "passkey"):
            raise NotAllowed("a further passkey needs a touch of one that counts", "begin again")
        kept = None
        if passkey.proof == "passkey":
            await self.proven(vouch, Deed.VOUCH, content if said is None else said, live=True)
            kept = vouch.facts(Deed.VOUCH, said) if vouch is not None else None
        elif passkey.live is not (passkey.proof == "pin"):
            raise NotAllowed("a passkey that no PIN let in counts on paper only", "gunbot-mcp pin sets a PIN")
        detail = f'{{"content":{content}' + ("" if kept is None else f',"touch":{canonical(kept)}') + "}"
        with self._whole():
            await self._run(_ADD, {**project_passkey(json.loads(content)), "revoked_at": None})
            await self._append(REGISTERED, passkey.registered_by, detail, ticket=None, instance=None)
        return passkey

    async def revoke_passkey(
        self, passkey: Passkey, at: datetime, actor: Actor, *, touch: Touch | None = None, said: str | None = None
    ) -> None:
        """Record that a passkey no longer counts; with a `touch` for `said`, that one of them said so.

        Raises:
            BadTouch: the touch does not count.
        """
        values = {"revoked_at": instant_text(at)}
        detail: dict[str, Any] = {"passkey": passkey.id, "set": values}
        if actor.channel == "passkey":
            actor = (await self.proven(touch, Deed.REVOKE, said or "", live=True)).actor
            detail["touch"] = None if touch is None else touch.facts(Deed.REVOKE, said)
        with self._whole():
            await self._run(_REVOKE, {"the_id": passkey.id, **values})
            await self._append(REVOKED, actor, canonical(detail), ticket=None, instance=None)

    async def restore_passkeys(self, actor: Actor) -> list[str]:
        """Make the rows what the events say, and return in words what was wrong; nothing, if nothing was.

        No key comes in by this that the chain does not name, and one that was revoked stays so.

        Raises:
            NotAllowed: the rest of the ledger is not sound, so what its events say proves nothing.
        """
        try:
            told = await self._rows(PASSKEY_EVENTS)
            known = replayed((row["kind"], json.loads(row["detail"])) for row in told)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NotAllowed("the events that tell of passkeys cannot be read", _FROM_A_COPY) from None
        meant = {name: row for name, (_, row) in known.items()}
        there = _by_id(await self._rows(PASSKEY_ROWS))
        wrong = sorted(name for name in {*meant, *there} if meant.get(name) != there.get(name))
        if not wrong:
            return []
        with self._whole():
            for name in wrong:
                await self._run(_REMOVE, {"the_id": name})
                if name in meant:
                    await self._run(_ADD, meant[name])
            # After, and not before: what is still wrong now is not the passkeys.
            if problems := await self.problems():
                more = f" and {len(problems) - 1} more" if problems[1:] else ""
                raise NotAllowed(f"more is wrong than passkeys: {clean(problems[0], 200)}{more}", _FROM_A_COPY)
            await self._append(RESTORED, actor, canonical({"passkeys": wrong}), ticket=None, instance=None)
        return [_repaired(meant.get(name), there.get(name)) for name in wrong]


_FROM_A_COPY = "nothing was changed; gunbot-mcp ledger --verify names all of it, and a copy from before may be sound"


def _repaired(meant: Mapping[str, Any] | None, there: Mapping[str, Any] | None) -> str:
    name = clean((meant or there or {}).get("name"), 60)
    if meant is None:
        return f'"{name}" was in no event, and is removed'
    after = "is revoked, as it was" if meant["revoked_at"] is not None else "counts again"
    return f'"{name}" was {"missing" if there is None else "altered"}, and {after}'
