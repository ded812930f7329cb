"""Finding out what became of an order: after `accepted` its id, after `unknown` whether it exists.

One match answers; none or several leave the question to a human (`gunbot-mcp resolve ID`). An order belongs to one
ticket: what another ticket has found is nobody else's, and while another one of the same look is still looking, a match
may be its order, so it answers neither.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import anyio

from gunbot_mcp.domain import Cancel, Intent
from gunbot_mcp.errors import GatewayInvalidResponse, GunbotMcpError
from gunbot_mcp.guard import facts
from gunbot_mcp.guard.cancels import find
from gunbot_mcp.guard.matching import Baseline, match_filled, match_open, same
from gunbot_mcp.guard.notional import legs_of
from gunbot_mcp.guard.tickets import State, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gunbot_mcp.guard.ledger import Ledger
    from gunbot_mcp.guard.write import Write
    from gunbot_mcp.gunbot.client import Gunbot

logger = logging.getLogger(__name__)

ACTOR = "reconciliation"
PAUSE = 0.4
_RIVAL_FOR = timedelta(days=30)
"""How long an order whose id nobody knows may still be the one that is found: a stop may rest for weeks."""


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
    shown = match_open(intent, await facts.open_orders_of(gunbot, intent), baseline)
    found = [order for order in shown if order["order_id"] not in taken]
    legs = legs_of(intent)
    if len(found) == len(legs) > 1:
        # Both legs of one linked order are one answer.
        return Finding(candidates=found, settled={**found[0], "legs": [leg["order_id"] for leg in found]})
    fills = match_filled(intent, await facts.recent_fills(gunbot, intent), baseline)
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
    fills = await facts.recent_fills(gunbot, intent)
    if any(str(record.get("id")) == intent.order_id for record in fills):
        return Finding(
            candidates=[{"order_id": intent.order_id, "where": "order history", "filled": True}], settled=None
        )
    if baseline.open_ids is None or intent.order_id not in baseline.open_ids:
        return Finding(candidates=[], settled=None)
    return Finding(candidates=[], settled={"order_id": intent.order_id, "where": "no longer among the open orders"})


async def settle(ledger: Ledger, gunbot: Gunbot, ticket: Ticket, intent: Intent, *, attempts: int = 1) -> Ticket:
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
                return await _record(ledger, ticket, finding.settled)
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


async def _record(ledger: Ledger, ticket: Ticket, settled: dict[str, Any]) -> Ticket:
    async with ledger.write() as write:
        now = await write.get(ticket.id) or ticket
        if now.state not in {State.UNKNOWN, State.ACCEPTED}:
            # Its outcome could not be recorded yet; the caller knows more than the ledger.
            return ticket
        taken, undecided = await _rivals(write, ticket)
        if undecided or not taken.isdisjoint(_ids(settled)) or now.observed is not None:
            return now
        if now.state is State.UNKNOWN:
            changed = await write.move(
                ticket.id,
                {State.UNKNOWN},
                State.ACCEPTED,
                actor=ACTOR,
                detail={"observed": settled},
                observed=settled,
                reason=f"found in the {settled['where']}",
            )
        else:
            changed = await write.observe(ticket.id, settled, ACTOR)
        return changed or now


async def _rivals(write: Write, ticket: Ticket) -> tuple[frozenset[str], bool]:
    """Return the orders that other tickets have found, and whether another one of the same look has not found its."""
    if ticket.sent_at is None or ticket.side == "cancel":
        return frozenset(), False
    others = await write.rivals(ticket, ticket.sent_at - _RIVAL_FOR)
    amount = _amount(ticket)
    undecided = any(other.observed is None and same(_amount(other), amount) for other in others)
    return frozenset(name for other in others for name in _ids(other.observed or {})), undecided


def _ids(observed: Mapping[str, Any]) -> Iterable[str]:
    return [str(name) for name in (observed.get("order_id"), *observed.get("legs", ())) if name is not None]


def _amount(ticket: Ticket) -> Decimal:
    return json.loads(ticket.arguments, parse_float=Decimal, parse_int=Decimal)["amount"]


def _baseline(ticket: Ticket) -> Baseline | None:
    found = (ticket.outcome or {}).get("baseline")
    return Baseline.from_dict(cast("dict[str, Any]", found)) if isinstance(found, dict) else None
