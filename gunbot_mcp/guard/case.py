"""One case: an order or a cancel with every fact that the checks look at, and where these facts come from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from gunbot_mcp.domain import Cancel, Close, Intent, Place, side_of
from gunbot_mcp.errors import Hint, TicketClosed
from gunbot_mcp.exchanges import CapabilityMatrix, purpose_of
from gunbot_mcp.guard.halt import halted, refusal
from gunbot_mcp.guard.losses import DayLoss, Losses, day_loss, not_known
from gunbot_mcp.guard.usage import midnight
from gunbot_mcp.tickets.content import fingerprint
from gunbot_mcp.tickets.notional import Notional, worst_case
from gunbot_mcp.tickets.ways import switched_on

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gunbot_mcp.clock import Clock
    from gunbot_mcp.config import Limits, Mode, Settings
    from gunbot_mcp.domain import Capability, Purpose
    from gunbot_mcp.gunbot.records import Book
    from gunbot_mcp.ledger.transaction import Transaction
    from gunbot_mcp.reload import Rules
    from gunbot_mcp.tickets.channels import Actor
    from gunbot_mcp.tickets.order import Order
    from gunbot_mcp.tickets.ticket import Ticket

_CLOCK_SLACK = timedelta(seconds=5)
MOST_UNDECIDED = 5
MOST_UNDECIDED_OF_ALL = 15
"""Of all clients together: a client says its own name, and could say another one each time."""
UNDECIDED_FOR = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)  # no slots: the worst case is kept once it is computed
class Case:
    """Everything the checks look at: the intent, the rules, and the facts at this instant.

    `seen` is the book that the human saw; None before a ticket is made. `day_notional` adds up the day's orders of the
    same purpose. `pairs` are the names that the exchange has; None where that is not known. `contract_size` is what the
    user says that one contract of the pair holds. `undecided` counts the client's newest tickets that nobody decided,
    `undecided_of_all` those of all clients, where a human is told of each.
    `day_loss` is the day's largest loss in the order's asset (None: there is no limit),
    `rejections` how many orders of the day Gunbot rejected one after the other.
    """

    tool: str
    intent: Intent
    needs: Capability | None
    mode: Mode
    live: bool
    limits: Limits
    matrix: CapabilityMatrix
    halted: str | None = None
    book: Book | None = None
    day_notional: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    day_count: int = 0
    minute_count: int = 0
    twin: str | None = None
    repeat_of: str | None = None
    lock: str | None = None
    undecided: int = 0
    undecided_of_all: int = 0
    seen: Book | None = None
    pairs: Sequence[str] | None = None
    contract_size: Decimal | None = None
    instance: str = ""
    day_loss: DayLoss | None = None
    rejections: int = 0

    @property
    def purpose(self) -> Purpose | None:
        return purpose_of(self.intent)

    @property
    def trade(self) -> Place | Close:
        """Return the intent of a case that is an order.

        Raises:
            TypeError: it is a cancel; a check that asks a cancel for this has a bug, and must not pass.
        """
        if isinstance(self.intent, Cancel):
            raise TypeError("a cancel is no order")
        return self.intent

    @cached_property
    def worst(self) -> Notional:
        """Return the worst case of the order, computed once.

        Raises:
            LimitExceeded: it cannot be computed.
        """
        return worst_case(self.trade, self.book, self.limits, self.contract_size)


class Cases:
    """Gathers the facts of one instance's cases."""

    def __init__(
        self,
        *,
        settings: Settings,
        rules: Rules,
        matrix: CapabilityMatrix,
        clock: Clock,
        folder: Path,
        losses: Losses = not_known,
    ) -> None:
        """`rules` are the settings in force; `settings`, those that the server started with, say who it is.

        `losses` says what was last read of the day's history.
        """
        self._losses = losses
        self._settings = settings
        self._rules = rules
        self._instance = settings.served
        self._matrix = matrix
        self._clock = clock
        self._folder = folder

    def static(self, order: Order) -> Case:
        """Return the case with the facts that need neither the market nor the ledger.

        Raises:
            ConfigInvalid: nothing may be sent.
        """
        rules = self._rules.require()
        same = rules.capabilities == self._settings.capabilities
        return Case(
            tool=order.tool,
            intent=order.intent,
            needs=order.endpoint.needs,
            mode=rules.effective_mode,
            live=self._instance.live,
            limits=rules.served.limits,
            matrix=self._matrix if same else CapabilityMatrix(rules.capabilities),
            halted=halted(self._folder),
            contract_size=self.contract_size(order),
            instance=self._settings.name,
        )

    def contract_size(self, order: Order) -> Decimal | None:
        """Return how much of the traded asset one contract of an order's pair holds, if the user says so."""
        return None if order.trade is None else self._rules.last.served.contracts.get(order.key)

    async def full(
        self,
        write: Transaction,
        order: Order,
        book: Book | None,
        *,
        pairs: Sequence[str] | None = None,
        mark: str | None = None,
        repeat_of: str | None = None,
        exclude: str | None = None,
        client: str | None = None,
    ) -> Case:
        """Return the case as it stands inside this transaction, in which nobody else can change it."""
        intent = order.intent
        name, now, new = self._settings.name, self._clock.now(), exclude is None
        minute = now - timedelta(minutes=1)
        static = self.static(order)
        static = replace(static, halted=static.halted or await write.halted(name))
        approval = self._settings.approval
        if client is not None and (approval.notify or approval.open == "browser"):
            since = now - UNDECIDED_FOR
            static = replace(
                static,
                undecided=await write.undecided(name, client, since, MOST_UNDECIDED),
                undecided_of_all=await write.undecided(name, None, since, MOST_UNDECIDED_OF_ALL),
            )
        if isinstance(intent, Cancel):
            count = await write.count_since(name, minute, cancels=True) if new else 0
            return replace(static, minute_count=count, pairs=pairs)
        asset = intent.pair.partition("-")[0]
        totals = await write.totals(name, asset, midnight(now), exclude=exclude, purpose=purpose_of(intent))
        lock = await write.lock(name, intent.exchange, intent.pair, side_of(intent).value)
        window = timedelta(seconds=static.limits.duplicate_seconds)
        twin = await write.twin(name, mark, now - window) if new and mark is not None and window else None
        static = await self._of_the_day(write, static, asset)
        return replace(
            static,
            book=book,
            pairs=pairs,
            day_notional={asset: totals.notional},
            day_count=totals.count,
            minute_count=await write.count_since(name, minute) if new else 0,
            twin=None if twin is None else twin.id,
            repeat_of=repeat_of,
            lock=None if lock is None else lock.id,
        )

    async def _of_the_day(self, write: Transaction, case: Case, asset: str) -> Case:
        """Add what the day's history says, where a limit asks for it: no order waits for Gunbot's."""
        limits = case.limits
        if asset not in limits.max_day_loss and not limits.halt_after_rejections:
            return case
        name, now = self._settings.name, self._clock.now()
        day = midnight(now)
        since = await write.loss_resumed(name, day) or day
        found = None
        if asset in limits.max_day_loss:
            found = day_loss(self._losses(), asset, day=day, since=since, now=now)
        rejections = await write.rejections(name, since) if limits.halt_after_rejections else 0
        return replace(case, day_loss=found, rejections=rejections)

    async def require_running(self, write: Transaction) -> None:
        """Refuse while nothing may be sent, whatever it is: a ticket that waits goes on waiting.

        Raises:
            ConfigInvalid: the config was changed in a way that needs a restart, or cannot be read.
            Halted: one of the switches, or a halt that replicas share, holds.
        """
        self._rules.require()
        reason = halted(self._folder) or await write.halted(self._settings.name)
        if reason is not None:
            raise refusal(reason)

    def is_open(self, by: Actor) -> bool:
        """Return whether the config in force still lets this channel approve."""
        return switched_on(by.row, self._rules.require())

    @property
    def live_needs(self) -> str:
        """What counts as a human's word on live instances, by the config in force; who sends asks `require`, too."""
        return self._rules.last.approval.live_needs

    def out_of_date(self, ticket: Ticket) -> TicketClosed | None:
        """Return why the ticket must not be sent any more, whatever the checks say."""
        if self.is_expired(ticket):
            return TicketClosed("it expired between approval and sending", Hint.propose_again())
        if ticket.live is not self._instance.live:
            was, now = ("live", "paper") if ticket.live else ("paper", "live")
            return TicketClosed(f"it was proposed to a {was} instance, and {ticket.instance} is {now} now", "")
        if ticket.contract_size != self.contract_size(ticket.order):
            return TicketClosed("the size of its contracts is another one in the config now", Hint.propose_again())
        # A ticket of version 0.1 names its Gunbot in the fingerprint alone.
        elsewhere = ticket.url is not None and ticket.url != self._instance.url
        if elsewhere or ticket.fingerprint != fingerprint(self._settings.name, self._instance.url, ticket.order):
            return TicketClosed(
                f"it was proposed to another Gunbot than {ticket.instance} is now", Hint.propose_again()
            )
        return None

    def is_expired(self, ticket: Ticket) -> bool:
        """Return whether its time is up, by either clock; a wall clock that was set back ends it, too."""
        now = self._clock.now()
        if now >= ticket.expires_at or now < ticket.created_at - _CLOCK_SLACK:
            return True
        return ticket.boot == self._clock.boot_id() and self._clock.monotonic() >= ticket.deadline
