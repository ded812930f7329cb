"""Finding out what became of an order: after `accepted` its id, after `unknown` whether it exists.

One match answers; none or several leave the question to a human (`gunbot-mcp resolve ID`). An order belongs to one
ticket: what another ticket has found is nobody else's, and while another one of the same look is still looking, a match
may be its order, so it answers neither.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import anyio

from gunbot_mcp.domain import Cancel, Intent, legs_of
from gunbot_mcp.errors import GatewayInvalidResponse, GunbotMcpError, clean
from gunbot_mcp.guard import market
from gunbot_mcp.guard.cancels import REMEMBERED, find
from gunbot_mcp.guard.matching import Baseline, match_filled, match_open, same
from gunbot_mcp.tickets.content import amount_of, ids_of
from gunbot_mcp.tickets.ticket import State, Ticket

if TYPE_CHECKING:
    from gunbot_mcp.clock import Clock
    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.ledger.transaction import Write

logger = logging.getLogger(__name__)

ACTOR = "reconciliation"
PAUSE = 0.4
LAG = timedelta(seconds=30)
"""How long the history may be behind: an order that is gone and has not filled by then was cancelled."""
GONE = "order_gone"
_NOT_OPEN = "no longer among the open orders"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`candidates` that match; `settled` is the one answer, if there is exactly one."""

    candidates: list[dict[str, Any]]
    settled: dict[str, Any] | None


async def look_for(gunbot: Gunbot, intent: Intent, baseline: Baseline, taken: frozenset[str] = frozenset()) -> Finding:
    """Look in the open orders, then in the history. Orders in `taken` belong to other tickets.

    Raises:
        GatewayError: Gunbot cannot be asked.
    """
    if isinstance(intent, Cancel):
        return await _look_for_cancel(gunbot, intent, baseline)
    shown = match_open(intent, await market.open_orders_of(gunbot, intent), baseline)
    found = [order for order in shown if order["order_id"] not in taken]
    legs = legs_of(intent)
    if len(found) == len(legs) > 1:
        # Both legs of one linked order are one answer.
        return Finding(candidates=found, settled={**found[0], "legs": [leg["order_id"] for leg in found]})
    fills = match_filled(intent, await market.recent_fills(gunbot, intent), baseline)
    known = taken | {order["order_id"] for order in found}
    found = found + [fill for fill in fills if fill["order_id"] not in known]
    return Finding(candidates=found, settled=found[0] if len(found) == 1 else None)


async def _look_for_cancel(gunbot: Gunbot, intent: Cancel, baseline: Baseline) -> Finding:
    """Only an order that was open before and is now neither open nor filled was cancelled."""
    shown = await gunbot.open_orders(intent.exchange, intent.pair)
    if shown is None:
        raise GatewayInvalidResponse("Gunbot does not show the pair's open orders", "the pair must be active in Gunbot")
    if find(intent, shown) is not None:
        return Finding(candidates=[{"order_id": intent.order_id, "where": "open orders"}], settled=None)
    fills = await market.recent_fills(gunbot, intent)
    if any(clean(record.get("id"), 64) == intent.order_id for record in fills):
        return Finding(
            candidates=[{"order_id": intent.order_id, "where": "order history", "filled": True}], settled=None
        )
    if baseline.open_ids is None or intent.order_id not in baseline.open_ids:
        return Finding(candidates=[], settled=None)
    return Finding(candidates=[], settled={"order_id": intent.order_id, "where": _NOT_OPEN})


async def settle(
    ledger: Ledger, gunbot: Gunbot, ticket: Ticket, intent: Intent, *, clock: Clock, attempts: int = 1
) -> Ticket:
    """Try to learn the fate of an `unknown` or the id of an `accepted` ticket, and record it. Never raises.

    Several attempts, because core memory is slightly delayed. The ticket comes back as it then is.
    """
    baseline = _baseline(ticket)
    if baseline is None:
        return ticket
    for attempt in range(attempts):
        if attempt:
            await anyio.sleep(PAUSE * attempt)
        try:
            async with ledger.write() as write:
                taken, _ = await _rivals(write, ticket)
            finding = await look_for(gunbot, intent, baseline, taken)
            if finding.settled is not None:
                return await _record(ledger, ticket, finding.settled, clock)
        except GunbotMcpError as exc:
            logger.info("ticket %s: looking for its order: %s", ticket.id, exc.code)
    return ticket


async def candidates(ledger: Ledger, gunbot: Gunbot, ticket: Ticket, intent: Intent) -> list[dict[str, Any]]:
    """Return the orders that could be this ticket's. None where Gunbot cannot be asked, or old and new look alike."""
    baseline = _baseline(ticket)
    if baseline is None:
        return []
    try:
        async with ledger.write() as write:
            taken, _ = await _rivals(write, ticket)
        return (await look_for(gunbot, intent, baseline, taken)).candidates
    except GunbotMcpError as exc:
        logger.info("ticket %s: looking for its order: %s", ticket.id, exc.code)
        return []


async def _record(ledger: Ledger, ticket: Ticket, settled: dict[str, Any], clock: Clock) -> Ticket:
    async with ledger.write() as write:
        now = await write.get(ticket.id) or ticket
        if now.state not in {State.UNKNOWN, State.ACCEPTED}:
            # Its outcome could not be recorded yet; the caller knows more than the ledger.
            return ticket
        taken, undecided = await _rivals(write, ticket)
        if undecided or not taken.isdisjoint(ids_of(settled)) or now.observed is not None:
            return now
        if now.state is State.UNKNOWN and ticket.side == "cancel" and not await _gone_for_long(write, now, clock):
            return now
        if now.state is State.UNKNOWN:
            changed = await write.move(
                ticket.id,
                {State.UNKNOWN},
                State.ACCEPTED,
                actor=ACTOR,
                detail={"observed": settled},
                observed=settled,
                reason="the order is gone and did not fill"
                if ticket.side == "cancel"
                else f"found in the {settled['where']}",
            )
        else:
            changed = await write.observe(ticket.id, settled, ACTOR)
        return changed or now


async def _gone_for_long(write: Write, ticket: Ticket, clock: Clock) -> bool:
    """Return whether the order was gone already in a look before: a fill may come into the history late.

    The first look that misses it is noted, for whichever process looks next.
    """
    last = await write.last_event(ticket.id)
    if last is not None and last.kind == GONE:
        return clock.now() - last.at >= LAG
    await write.event(GONE, actor=ACTOR, ticket=ticket.id, instance=ticket.instance)
    return False


async def _rivals(write: Write, ticket: Ticket) -> tuple[frozenset[str], bool]:
    """Return the orders that other tickets have found, and whether another one of the same look has not found its."""
    if ticket.sent_at is None or ticket.side == "cancel":
        return frozenset(), False
    since = ticket.sent_at - REMEMBERED
    found = await write.sent_on(ticket.instance, ticket.exchange, ticket.pair, since)
    others = [other for other in found if other.side == ticket.side and other.id != ticket.id]
    amount = amount_of(ticket)
    undecided = any(other.observed is None and same(amount_of(other), amount) for other in others)
    return frozenset(name for other in others for name in ids_of(other.observed or {})), undecided


def _baseline(ticket: Ticket) -> Baseline | None:
    found = (ticket.outcome or {}).get("baseline")
    if not isinstance(found, dict) or "at_millis" not in found:
        return None
    return Baseline.from_dict(cast("dict[str, Any]", found))
