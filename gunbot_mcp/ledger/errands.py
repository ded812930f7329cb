"""Work around orders that several processes share: who does it now, and what was done once already.

None of it is part of the record: these rows are no events, and `verify` does not look at them.
"""

from abc import abstractmethod
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, insert, select, update

from gunbot_mcp.ledger.reads import Reads
from gunbot_mcp.ledger.tables import events, leases, notices, tickets
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.content import canonical, instant_text
from gunbot_mcp.tickets.stored import actor_facts
from gunbot_mcp.tickets.ticket import State

_LEASE = select(leases).where(leases.c.name == bindparam("name"), leases.c.instance == bindparam("instance"))
_ADD_LEASE = insert(leases)
_SET_LEASE = update(leases).where(
    leases.c.name == bindparam("the_name"), leases.c.instance == bindparam("the_instance")
)
_NOTICE = select(notices.c.ticket).where(notices.c.ticket == bindparam("ticket"), notices.c.kind == bindparam("kind"))
_ADD_NOTICE = insert(notices)
_other = notices.alias()
_UNSEEN = (
    select(notices.c.ticket)
    .join(tickets, tickets.c.id == notices.c.ticket)
    .where(
        notices.c.kind == bindparam("kind"),
        tickets.c.instance == bindparam("instance"),
        tickets.c.state == State.PENDING.value,
        ~select(_other.c.ticket)
        .where(_other.c.ticket == notices.c.ticket, _other.c.kind == bindparam("answer"))
        .exists(),
    )
    .limit(1)
)
_PROPOSED = (
    select(tickets.c.state)
    .join(events, events.c.ticket == tickets.c.id)
    .where(
        events.c.kind == "created",
        events.c.at >= bindparam("since"),
        tickets.c.instance == bindparam("instance"),
    )
    .order_by(events.c.seq.desc())
    .limit(bindparam("most"))
)
_PROPOSED_BY = _PROPOSED.where(events.c.actor == bindparam("actor"))
_UNDECIDED = frozenset({State.PENDING, State.EXPIRED, State.WITHDRAWN})


def noticed(kind: str, ids: Collection[str]) -> Select[Any]:
    """Return the question which of these tickets there was such a notice of."""
    return select(notices.c.ticket).where(notices.c.kind == kind, notices.c.ticket.in_(sorted(ids)))


class Errands(Reads):
    """Leases and notices, inside the one write transaction."""

    @property
    @abstractmethod
    def _now(self) -> datetime: ...

    async def lease(self, name: str, instance: str, owner: str, lasts: timedelta) -> bool:
        """Take or renew the lease on some work of an instance; False: another owner has it.

        One that ends further in the future than it may last was made by a clock that was set back since: it is over.
        """
        now = self._now
        until = instant_text(now + lasts)
        found = await self._rows(_LEASE, name=name, instance=instance)
        if not found:
            await self._run(_ADD_LEASE, {"name": name, "instance": instance, "owner": owner, "until": until})
            return True
        if found[0]["owner"] != owner and instant_text(now) < found[0]["until"] <= until:
            return False
        values = {"the_name": name, "the_instance": instance, "owner": owner, "until": until}
        await self._run(_SET_LEASE, values)
        return True

    async def notice(self, ticket_id: str, kind: str, by: str) -> bool:
        """Claim the one notice of this kind about a ticket; False: somebody has given it already."""
        if await self._rows(_NOTICE, ticket=ticket_id, kind=kind):
            return False
        at = instant_text(self._now)
        await self._run(_ADD_NOTICE, {"ticket": ticket_id, "kind": kind, "claimed_by": by, "at": at})
        return True

    async def unseen(self, instance: str, kind: str, answer: str) -> bool:
        """Return whether a ticket that waits has a notice of this kind and none of the kind that answers it."""
        return bool(await self._rows(_UNSEEN, instance=instance, kind=kind, answer=answer))

    async def undecided(self, instance: str, client: str | None, since: datetime, most: int) -> int:
        """Return how many of a client's newest tickets since then, at most `most`, nobody decided, without a break.

        `client` None means the tickets of all clients.
        """
        asked = {"instance": instance, "since": instant_text(since), "most": most}
        if client is not None:
            asked["actor"] = canonical(actor_facts(Actor("client", client)))
        count = 0
        for row in await self._rows(_PROPOSED if client is None else _PROPOSED_BY, **asked):
            if row["state"] not in _UNDECIDED:
                break
            count += 1
        return count
