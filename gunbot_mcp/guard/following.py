"""Looking at what became of an order, and writing down what may be said of it.

What follows from what is seen is decided in `matching.py` (whose order is it?) and `progress.py` (what became of it?),
both pure. This file asks Gunbot, gathers what the ledger knows beside it, and records what changed: as a step of the
ticket if it settles or unsettles it, as an observation if it says more, else only as what later looks must remember.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio

from gunbot_mcp.domain import Cancel
from gunbot_mcp.errors import GatewayError, GunbotMcpError
from gunbot_mcp.guard import market
from gunbot_mcp.guard.evidence import Baseline, Look, identity
from gunbot_mcp.guard.matching import Finding, Sent, judge
from gunbot_mcp.guard.progress import Known, Trail, advance, follow
from gunbot_mcp.tickets.channels import FOLLOWING
from gunbot_mcp.tickets.content import fingerprint
from gunbot_mcp.tickets.ticket import Certainty, Observation, Reason, ReasonCode, State, Ticket, Where

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gunbot_mcp.clock import Clock
    from gunbot_mcp.config import Settings
    from gunbot_mcp.guard.timing import Timing
    from gunbot_mcp.gunbot.client import Gunbot
    from gunbot_mcp.gunbot.memory import PairMemory
    from gunbot_mcp.gunbot.records import Record
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.ledger.transaction import Transaction
    from gunbot_mcp.reload import Rules

logger = logging.getLogger(__name__)

LOOKED = "looked"
"""The event that carries a trail where nothing else changed."""
_RIVALS = timedelta(days=30)
"""How long an order that nobody has seen may still turn up: a stop rests for weeks."""
_UNSURE_RIVALS = timedelta(days=1)


class Follower:
    """Looks for one instance's orders."""

    def __init__(
        self,
        *,
        settings: Settings,
        rules: Rules,
        ledger: Ledger,
        gunbot: Gunbot,
        clock: Clock,
        timing: Timing,
        told: Callable[[Ticket], None] = lambda _: None,
    ) -> None:
        """`told` hears of every ticket that a look has settled."""
        self._told = told
        self._settings = settings
        self._rules = rules
        self._ledger = ledger
        self._gunbot = gunbot
        self._clock = clock
        self._timing = timing

    async def look(self, ticket: Ticket) -> Ticket:
        """Look once at what became of a ticket's order, and record it. Never raises.

        Returns the ticket as it is afterwards: what is already known stays recorded even if the look fails.
        """
        try:
            if not self.can_look(ticket):
                return ticket
            return await self.record(ticket, await self.see(ticket.exchange, ticket.pair))
        except GunbotMcpError as exc:
            logger.info("ticket %s: looking for its order: %s", ticket.id, exc.code)
            return ticket

    def can_look(self, ticket: Ticket) -> bool:
        """Return whether a look here could say more: an order of Gunbot A is never looked for at Gunbot B."""
        return unfinished(ticket) and _baseline(ticket) is not None and made_for(ticket, self._settings)

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
        baseline, trade = _baseline(ticket), ticket.order.trade
        if baseline is None or trade is None or not made_for(ticket, self._settings):
            return []
        try:
            seen = await self.see(ticket.exchange, ticket.pair)
            async with self._ledger.write() as write:
                shown = await self._judge(write, ticket, baseline, Trail(), seen)
        except GunbotMcpError as exc:
            logger.info("ticket %s: looking for its order: %s", ticket.id, exc.code)
            return []
        found = (*shown.candidates, *([] if shown.match is None else [shown.match]))
        return [replace(one, certainty=Certainty.CANDIDATE) for one in found]

    # Seeing

    async def see(self, exchange: str, pair: str, *, between: Callable[[], Awaitable[None]] | None = None) -> Look:
        """Ask for a key's open orders, its newest fills and Gunbot's clock: all at once, or with `between` in turn.

        Raises:
            GatewayError: Gunbot cannot be asked.
        """
        at = self._clock.now()
        memories: list[PairMemory] = []
        records: list[Record] = []
        failures: list[GatewayError] = []

        async def ask(question: Callable[[], Awaitable[None]], *, needed: bool) -> None:
            try:
                await question()
            except GatewayError as exc:
                if needed:
                    failures.append(exc)

        async def ask_memory() -> None:
            memories.append(await self._gunbot.memory(exchange, pair))

        async def ask_filled() -> None:
            records.extend(await market.recent_fills(self._gunbot, exchange, pair))

        works = (
            lambda: ask(ask_memory, needed=True),
            lambda: ask(ask_filled, needed=True),
            lambda: ask(self._gunbot.clock.read, needed=False),
        )
        if between is None:
            await market.at_once(*works)
        else:
            for work in works:
                await work()
                if failures:
                    break
                await between()
        if failures:
            raise failures[0]
        memory = memories[0]
        return Look(
            orders=memory.orders,
            memory=memory.mark,
            records=tuple(records),
            at=at,
            millis=self._gunbot.clock.latest(),
        )

    # Recording

    async def record(self, ticket: Ticket, seen: Look) -> Ticket:
        """Write down what a look at the ticket's key says of it, and return the ticket as it is afterwards.

        Raises:
            LedgerUnavailable: nothing was recorded.
        """
        after = await self._record(ticket, seen)
        if not unfinished(after):
            self._told(after)
        return after

    async def _record(self, ticket: Ticket, seen: Look) -> Ticket:
        async with self._ledger.write() as write:
            now = await write.get(ticket.id) or ticket
            if now.state not in {State.UNKNOWN, State.ACCEPTED}:
                # Its outcome could not be recorded yet; the caller knows more than the ledger.
                return ticket
            baseline = _baseline(now)
            if baseline is None or not unfinished(now):
                return now
            before = Trail.from_dict(await write.last_trail(now.id) or {})
            known = _known(now, baseline)
            step = _Step(write, now, before, advance(before, seen, baseline, known))
            if known is None:
                return await self._searched(step, baseline, seen)
            if _may_be_contested(now, before):
                finding = await self._judge(write, now, baseline, replace(before, earlier=frozenset()), seen)
                if finding.sure_ids - set(known.ids) and not _confirms(finding, known):
                    return await _contested(step, known, finding, seen)
            said = follow(known, seen, baseline, step.trail)
            if now.cancels and said is not None:
                return await _cancelled(step, said)
            return await step.observe(said)

    async def _judge(self, write: Transaction, ticket: Ticket, baseline: Baseline, trail: Trail, seen: Look) -> Finding:
        order = ticket.order.trade
        if order is None or ticket.sent_at is None:
            return Finding()
        names = {one.id for one in seen.orders or ()} | {identity(one.get("id")) for one in seen.records}
        taken = await write.taken(ticket, names) if names else frozenset[str]()
        me = self._sent(ticket, baseline, trail)
        rivals = await write.rivals(ticket, ticket.sent_at - _RIVALS, ticket.sent_at - _UNSURE_RIVALS)
        others = [
            self._sent(one, _baseline(one) or _NOTHING, Trail())
            for one in rivals
            if one.order.trade is not None and made_for(one, self._settings)
        ]
        return judge(me, others, seen, taken)

    def _sent(self, ticket: Ticket, baseline: Baseline, trail: Trail) -> Sent:
        order = ticket.order.trade
        if order is None:
            raise TypeError("a cancel is no order")
        return Sent(
            ticket=ticket.id,
            intent=order,
            baseline=baseline,
            at=ticket.sent_at,
            contracts=ticket.contract_size is not None,
            slippage=self._rules.last.served.limits.slippage_percent,
            earlier=trail.earlier,
            rested=ticket.observed is not None and ticket.observed.sure and ticket.observed.order_type is not None,
        )

    async def _searched(self, step: _Step, baseline: Baseline, seen: Look) -> Ticket:
        finding = await self._judge(step.write, step.ticket, baseline, step.before, seen)
        step.remember(finding.sure_ids)
        if finding.match is not None:
            return await step.found(finding.match, ReasonCode.FOUND)
        if not finding.candidates:
            return await step.observe(None)
        return await step.observe(_all_of(finding.candidates, step.trail.earlier, seen))


_NOTHING = Baseline(open_ids=None, filled_ids=None, at_millis=0)
"""The baseline of an order about which nothing was noted: it can only question what others find."""


@dataclass(slots=True)
class _Step:
    """What one look writes down of one ticket, in one transaction. `before` and `trail`: its trail before and after."""

    write: Transaction
    ticket: Ticket
    before: Trail
    trail: Trail

    def remember(self, ids: frozenset[str]) -> None:
        self.trail = replace(self.trail, earlier=self.trail.earlier | ids)

    @property
    def detail(self) -> dict[str, Any] | None:
        return None if self.trail == self.before else {"trail": self.trail.as_dict()}

    async def observe(self, said: Observation | None) -> Ticket:
        """Record an observation if it says something new; the time of the look alone is not written down."""
        ticket = self.ticket
        if said is not None and (ticket.observed is None or _without_time(said) != _without_time(ticket.observed)):
            return await self.write.observe(ticket.id, said, FOLLOWING, detail=self.detail) or ticket
        if self.detail is not None:
            await self.write.event(
                LOOKED, actor=FOLLOWING, detail=self.detail, ticket=ticket.id, instance=ticket.instance
            )
        return ticket if said is None else replace(ticket, observed=said)

    async def found(self, said: Observation, code: ReasonCode) -> Ticket:
        """Settle an unknown ticket by what was found; of an accepted one, only the observation changes."""
        if self.ticket.state is State.ACCEPTED:
            return await self.observe(said)
        return await self.move(State.ACCEPTED, said, code)

    async def move(self, to: State, said: Observation, code: ReasonCode) -> Ticket:
        ticket = self.ticket
        moved = await self.write.move(
            ticket.id, ticket.state, to, actor=FOLLOWING, observed=said, reason=Reason(code), detail=self.detail
        )
        return moved or ticket


def _without_time(seen: Observation) -> Observation:
    return replace(seen, seen_at=None)


async def _cancelled(step: _Step, said: Observation) -> Ticket:
    """Record what is seen of an order that is to be cancelled (rule 14)."""
    if said.where == "open_orders" and not step.trail.moved_on:
        return await step.observe(None)  # the memory may be from before the cancel
    if said.state == "gone":
        return await step.found(said, ReasonCode.CANCEL_SEEN)
    if said.state == "filled" and step.ticket.state is State.UNKNOWN:
        return await step.move(State.VOID, said, ReasonCode.FILLED_FIRST)
    return await step.observe(said)


async def _contested(step: _Step, known: Known, finding: Finding, seen: Look) -> Ticket:
    """Take a match back: a second order fits, and the memory had not moved on when the first was taken (rule 16)."""
    ids = finding.sure_ids | set(known.ids)
    step.remember(ids)
    said = _all_of(finding.candidates, ids, seen)
    logger.warning("ticket %s: a second order fits; it is not clear which is its own", step.ticket.id)
    if was_found(step.ticket):
        return await step.move(State.UNKNOWN, said, ReasonCode.CONTESTED)
    return await step.observe(said)


def _confirms(finding: Finding, known: Known) -> bool:
    return finding.match is not None and set(finding.match.order_ids) == set(known.ids)


def _may_be_contested(ticket: Ticket, before: Trail) -> bool:
    seen = ticket.observed
    return (
        seen is not None
        and not ticket.cancels
        and seen.certainty is Certainty.MATCH
        and seen.order_type is not None
        and not before.moved_on
    )


def _all_of(candidates: tuple[Observation, ...], more: frozenset[str], seen: Look) -> Observation:
    """Return all candidates as one observation; `more` are ids that fitted earlier and may still be the order's."""
    ids = dict.fromkeys(name for one in candidates for name in one.order_ids)
    everything = (*ids, *sorted(more - ids.keys()))
    if len(candidates) == 1 and len(everything) == len(candidates[0].order_ids):
        return candidates[0]
    places: set[Where] = {one.where for one in candidates}
    return Observation(
        order_ids=everything,
        where=places.pop() if len(places) == 1 else "open_orders",
        state=None,
        certainty=Certainty.CANDIDATE,
        seen_at=seen.at,
    )


def _known(ticket: Ticket, baseline: Baseline) -> Known | None:
    """Return the order whose fate is followed, if its id is known."""
    intent, seen = ticket.order.intent, ticket.observed
    if isinstance(intent, Cancel):
        return Known(
            ids=(intent.order_id,),
            pair=intent.pair,
            amount=baseline.target,
            shown=True,
            listed=baseline.open_ids is not None and intent.order_id in baseline.open_ids,
            certainty=Certainty.MATCH,
            rest=True,
            before=seen,
        )
    if seen is None or not seen.sure or not seen.order_ids:
        return None
    return Known(
        ids=seen.order_ids,
        pair=intent.pair,
        amount=intent.amount if seen.amount is None else seen.amount,
        shown=seen.amount is not None,
        listed=seen.where in {"open_orders", "not_open"} or seen.order_type is not None,
        certainty=seen.certainty,
        before=seen,
    )


def unsettled(ticket: Ticket) -> bool:
    """Return whether nobody knows yet which order the ticket's is, or what a cancel did."""
    seen = ticket.observed
    return ticket.state is State.UNKNOWN or (ticket.state is State.ACCEPTED and (seen is None or not seen.sure))


def unfinished(ticket: Ticket) -> bool:
    """Return whether a look could find out more about the ticket."""
    seen = ticket.observed
    return ticket.state is State.UNKNOWN or (ticket.state is State.ACCEPTED and (seen is None or not seen.final))


def was_found(ticket: Ticket) -> bool:
    """Return whether an accepted ticket counts as such only by what was seen, not by Gunbot's own "success"."""
    by_looks = {ReasonCode.FOUND, ReasonCode.CANCEL_SEEN}
    return ticket.state is State.ACCEPTED and ticket.reason is not None and ticket.reason.code in by_looks


def made_for(ticket: Ticket, settings: Settings) -> bool:
    """Return whether the ticket was made for this very Gunbot: instance, kind and url."""
    served = settings.served
    mark = fingerprint(settings.name, served.url, ticket.order)
    return ticket.live is served.live and ticket.fingerprint == mark


def _baseline(ticket: Ticket) -> Baseline | None:
    found = ticket.baseline
    return None if found is None or "at_millis" not in found else Baseline.from_dict(found)
