"""Finding out what became of an order: after `accepted` its id, after `unknown` whether it exists.

One match answers; none or several leave the question to a human (`gunbot-mcp resolve ID`). An order belongs to one
ticket: an order that one ticket has found is not matched to another. While another ticket that looks the same is still
searching, a match may be its order, so it answers neither.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from gunbot_mcp.domain import MOST_ID, Cancel, Intent, legs_of
from gunbot_mcp.errors import GatewayInvalidResponse, GunbotMcpError, clean
from gunbot_mcp.guard import market
from gunbot_mcp.guard.cancels import REMEMBERED, find
from gunbot_mcp.guard.matching import Baseline, match_filled, match_open, same
from gunbot_mcp.tickets.channels import FOLLOWING
from gunbot_mcp.tickets.ticket import Certainty, Observation, Reason, ReasonCode, State, Ticket

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from gunbot_mcp.clock import Clock
    from gunbot_mcp.guard.timing import Timing
    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.gunbot.records import OpenOrder, Record
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.ledger.transaction import Transaction

logger = logging.getLogger(__name__)

GONE = "order_gone"
_SETTLED_FROM = frozenset({State.UNKNOWN, State.ACCEPTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`candidates` that match; `settled` is the one answer, if there is exactly one."""

    candidates: tuple[Observation, ...] = ()
    settled: Observation | None = None


class Follower:
    """Looks for one instance's orders."""

    def __init__(self, *, ledger: Ledger, gunbot: Gunbot, clock: Clock, timing: Timing) -> None:
        self._ledger = ledger
        self._gunbot = gunbot
        self._clock = clock
        self._timing = timing

    async def look(self, ticket: Ticket) -> Ticket:
        """Look once for the fate of an `unknown` or the id of an `accepted` ticket, and record it. Never raises.

        Returns the ticket as it is afterwards: what is already known stays recorded even if the look fails.
        """
        baseline = _baseline(ticket)
        if baseline is None or not unsettled(ticket):
            return ticket
        try:
            shown = await self._see(ticket.order.intent, baseline)
            if shown.settled is None and (ticket.cancels or not shown.candidates):
                return ticket
            return await self._record(ticket, shown)
        except GunbotMcpError as exc:
            logger.info("ticket %s: looking for its order: %s", ticket.id, exc.code)
            return ticket

    async def follow(self, ticket: Ticket) -> None:
        """Look a few more times: core memory is slightly delayed. The rest is left to the next look."""
        for turn in range(self._timing.looks):
            if not unsettled(ticket):
                return
            await anyio.sleep(self._timing.look_pause * (turn + 1))
            ticket = await self.look(await self._ledger.get(ticket.id) or ticket)

    async def candidates(self, ticket: Ticket) -> list[Observation]:
        """Return the orders that could be this ticket's, each only a candidate: what a human has to choose from.

        None where Gunbot cannot be asked, or old and new orders cannot be told apart.
        """
        baseline = _baseline(ticket)
        if baseline is None:
            return []
        try:
            shown = await self._see(ticket.order.intent, baseline)
            async with self._ledger.write() as write:
                taken = await _taken(write, ticket, shown.candidates)
        except GunbotMcpError as exc:
            logger.info("ticket %s: looking for its order: %s", ticket.id, exc.code)
            return []
        free = [one for one in shown.candidates if taken.isdisjoint(one.order_ids)]
        return [replace(one, certainty=Certainty.CANDIDATE) for one in free]

    async def _see(self, intent: Intent, baseline: Baseline) -> Finding:
        """Look among the open orders and in the history, both at once.

        Raises:
            GatewayError: Gunbot cannot be asked.
        """
        now = self._clock.now()
        orders, fills = await _open_and_filled(self._gunbot, intent)
        if isinstance(intent, Cancel):
            return _cancel_finding(intent, orders, fills, baseline, now)
        shown = match_open(intent, orders or (), baseline, now)
        known = {name for one in shown for name in one.order_ids}
        filled = [one for one in match_filled(intent, fills, baseline, now) if known.isdisjoint(one.order_ids)]
        return Finding(candidates=(*shown, *filled))

    async def _record(self, ticket: Ticket, shown: Finding) -> Ticket:
        async with self._ledger.write() as write:
            now = await write.get(ticket.id) or ticket
            if now.state not in _SETTLED_FROM:
                # Its outcome could not be recorded yet; the caller knows more than the ledger.
                return ticket
            settled = shown.settled
            if not ticket.cancels:
                taken = await _taken(write, ticket, shown.candidates)
                settled = _only(
                    ticket.order.intent, [one for one in shown.candidates if taken.isdisjoint(one.order_ids)]
                )
                if settled is not None and await _rivalled(write, ticket):
                    settled = None
            if settled is None or now.observed is not None:
                return now
            if now.state is State.UNKNOWN and ticket.cancels and not await self._gone_for_long(write, now):
                return now
            if now.state is State.ACCEPTED:
                return await write.observe(ticket.id, settled, FOLLOWING) or now
            code = ReasonCode.CANCEL_SEEN if ticket.cancels else ReasonCode.FOUND
            changed = await write.move(
                ticket.id, State.UNKNOWN, State.ACCEPTED, actor=FOLLOWING, observed=settled, reason=Reason(code)
            )
            return changed or now

    async def _gone_for_long(self, write: Transaction, ticket: Ticket) -> bool:
        """Return whether an earlier look already missed the order: a fill may come into the history late.

        The first look that misses it is noted, for the process that looks next.
        """
        last = await write.last_event(ticket.id)
        if last is not None and last.kind == GONE:
            return self._clock.now() - last.at >= self._timing.history_lag
        await write.event(GONE, actor=FOLLOWING, ticket=ticket.id, instance=ticket.instance)
        return False


def unsettled(ticket: Ticket) -> bool:
    """Return whether a look could find out more about the ticket."""
    return ticket.state is State.UNKNOWN or (ticket.state is State.ACCEPTED and ticket.observed is None)


async def _open_and_filled(gunbot: Gunbot, intent: Intent) -> tuple[list[OpenOrder] | None, list[Record]]:
    """Return the pair's open orders (None: Gunbot does not say) and its newest fills.

    Raises:
        GatewayError: Gunbot cannot be asked.
    """
    found: list[list[OpenOrder] | None] = []
    fills: list[Record] = []
    failures: list[GunbotMcpError] = []

    async def ask_open() -> None:
        try:
            if isinstance(intent, Cancel):
                found.append(await gunbot.open_orders(intent.exchange, intent.pair))
            else:
                found.append(await market.open_orders_of(gunbot, intent))
        except GunbotMcpError as exc:
            failures.append(exc)

    async def ask_filled() -> None:
        try:
            fills.extend(await market.recent_fills(gunbot, intent))
        except GunbotMcpError as exc:
            failures.append(exc)

    await market.at_once(ask_open, ask_filled)
    if failures:
        raise failures[0]
    return found[0], fills


def _cancel_finding(
    intent: Cancel, orders: list[OpenOrder] | None, fills: list[Record], baseline: Baseline, now: datetime
) -> Finding:
    """Only an order that was open before and is now neither open nor filled was cancelled.

    Raises:
        GatewayInvalidResponse: Gunbot does not show the pair's open orders.
    """
    if orders is None:
        raise GatewayInvalidResponse("Gunbot does not show the pair's open orders", "the pair must be active in Gunbot")

    def seen(where: str, state: str) -> Observation:
        return Observation(
            order_ids=(intent.order_id,),
            where=where,  # pyright: ignore[reportArgumentType] - three literals below
            state=state,  # pyright: ignore[reportArgumentType] - likewise
            certainty=Certainty.MATCH,
            seen_at=now,
        )

    if find(intent, orders) is not None:
        return Finding(candidates=(seen("open_orders", "open"),))
    if any(clean(record.get("id"), MOST_ID) == intent.order_id for record in fills):
        return Finding(candidates=(seen("history", "filled"),))
    if baseline.open_ids is None or intent.order_id not in baseline.open_ids:
        return Finding()
    return Finding(settled=seen("not_open", "gone"))


def _only(intent: Intent, found: list[Observation]) -> Observation | None:
    """Return the one answer: the sole candidate, or both legs of one linked order that still rest."""
    if isinstance(intent, Cancel):
        return None
    resting = [one for one in found if one.where == "open_orders"]
    if len(resting) == len(legs_of(intent)) > 1:
        return replace(resting[0], order_ids=tuple(name for one in resting for name in one.order_ids))
    return found[0] if len(found) == 1 else None


async def _taken(write: Transaction, ticket: Ticket, found: Collection[Observation]) -> frozenset[str]:
    """Return which of these orders other tickets have found."""
    names = frozenset(name for one in found for name in one.order_ids)
    if ticket.sent_at is None or ticket.cancels or not names:
        return frozenset()
    return await write.taken(ticket, names)


async def _rivalled(write: Transaction, ticket: Ticket) -> bool:
    """Return whether another ticket that looks the same has not found its order yet."""
    order = ticket.order.trade
    if ticket.sent_at is None or order is None:
        return False
    others = await write.unseen(ticket, ticket.sent_at - REMEMBERED)
    return any(same(other.order.trade.amount, order.amount) for other in others if other.order.trade is not None)


def _baseline(ticket: Ticket) -> Baseline | None:
    found = ticket.baseline
    return None if found is None or "at_millis" not in found else Baseline.from_dict(found)
