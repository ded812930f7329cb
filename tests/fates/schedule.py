"""One schedule: a model proposes, a human approves, time passes, somebody looks; and at each look the judge listens."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from fates import draws
from fates.draws import Planned
from fates.gunbot import FakeGunbot, Habits
from fates.judge import Judge, Look, Tally
from simulation.hooks import SeededIds
from simulation.processes import SimulatedClock, current_ticket

from gunbot_mcp.config import Instance, Limits, Mode, Settings
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.exchanges import CapabilityMatrix
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.recovery import Owner
from gunbot_mcp.guard.timing import Timing
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import State, Ticket

Lie = Callable[[Ticket, FakeGunbot], Ticket]
_PLENTY = {"USDT": Decimal(10**9), "BTC": Decimal(10**9)}


@dataclass
class Schedule:
    """`lie` may change what is judged: so a test proves that the judge sees."""

    seed: int
    folder: Path
    ledger: Ledger
    lie: "Lie" = lambda ticket, _: ticket
    chance: random.Random = field(init=False)
    sent: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        chance = self.chance = random.Random(self.seed)
        random.seed(self.seed)
        self.clock = SimulatedClock(asyncio.get_running_loop().time)
        habits = Habits.drawn(chance)
        self.gunbot = FakeGunbot(
            chance=chance,
            now=self.clock.monotonic,
            sleep=lambda seconds: asyncio.sleep(seconds * habits.slow / 2),
            ticket=current_ticket.get,
            trade_fault=chance.choice((0.0, 0.2, 0.6)),
            read_fault=chance.choice((0.0, 0.0, 0.1, 0.3)),
            market=draws.market(chance),
            habits=habits,
        )
        limits = Limits(max_order=_PLENTY, max_day=_PLENTY, duplicate_seconds=0, orders_per_minute=1000)
        self.name = f"s{self.seed}"
        instance = Instance.model_construct(
            url="http://gunbot.invalid", mode=Mode.APPROVE, limits=limits, cancel="smart"
        )
        self.settings = Settings.model_construct(
            instance=self.name, instances={self.name: instance}, mode=None, capabilities={}
        )
        self.judge = Judge(gunbot=self.gunbot)
        self.owner = Owner.start(self.folder)
        self.client = Gunbot(self.settings.served, transport=self.gunbot, elapsed=self.clock.monotonic)
        self.desk = self._start()

    def _start(self) -> Desk:
        """Return a desk as a process that has just started has it: it remembers nothing."""
        return Desk(
            settings=self.settings,
            gunbot=self.client,
            ledger=self.ledger,
            matrix=CapabilityMatrix({}),
            clock=self.clock,
            owner=self.owner.id,
            folder=self.folder,
            ids=SeededIds(self.chance),
            timing=Timing(looks=0, record_pause=0.01, look_pause=0.01),
        )

    async def play(self) -> Tally:
        chance, gunbot = self.chance, self.gunbot
        gunbot.story.append(f"{gunbot.market} {gunbot.habits}")
        plan = draws.order(chance, gunbot.market)
        draws.past(chance, gunbot, plan)
        for number in range(chance.choice((1, 1, 2))):
            if number and chance.random() < 0.6:
                plan = draws.order(chance, gunbot.market)
            draws.neighbours(chance, gunbot, plan)
            await asyncio.sleep(chance.random() * chance.choice((1, 20, gunbot.habits.cycle)))
            await self._order(plan)
            for _ in range(chance.randint(0, 2)):
                await self._looks()
        if self.sent and chance.random() < 0.3:
            await self._cancel()
        for _ in range(chance.randint(1, 3)):
            await self._looks()
        await self._end()
        await self.client.aclose()
        self.owner.stop()
        return self.judge.tally

    async def _order(self, plan: Planned, *, rule: bool = False) -> None:
        endpoint = BY_NAME[plan.tool]
        made = Order.of(endpoint, endpoint.args.model_validate(plan.arguments))
        began = self.gunbot.now()
        try:
            proposal = await self.desk.propose(made, client="model", send=rule)
        except GunbotMcpError as exc:
            self.gunbot.story.append(f"{self.gunbot.now():8.1f} {plan.tool} is refused: {exc}")
            return
        ticket = proposal.ticket
        current_ticket.set(ticket.id)
        if ticket.state is State.PENDING:
            ticket = await self.desk.approve(ticket.id, by=TERMINAL)
        elif ticket.cancels:
            self.judge.unasked(ticket)
        self.gunbot.story.append(f"{self.gunbot.now():8.1f} {ticket.id} {plan.tool} {plan.arguments} is sent")
        if ticket.sent_at is not None:
            self.sent.append(ticket.id)
            self.judge.sent(ticket)
        self._hear(ticket, began)

    def _hear(self, ticket: Ticket, began: float) -> None:
        self.judge.hear(self.lie(ticket, self.gunbot), Look(began, self.gunbot.now()))

    async def _looks(self) -> None:
        """Let some time pass, then look at every ticket, perhaps as a process that has just started."""
        chance, cycle = self.chance, self.gunbot.habits.cycle
        await asyncio.sleep(chance.random() * chance.choice((1, 10, cycle, 3 * cycle, 200)))
        if chance.random() < 0.15:
            self.desk = self._start()
        for name in self.sent:
            began = self.gunbot.now()
            ticket = await self.desk.get(name, look=True)
            self._hear(ticket, began)

    async def _cancel(self) -> None:
        """Cancel an order that Gunbot lists, ours or not, as a model would that has just seen it."""
        gunbot = self.gunbot
        shown = gunbot.listed(gunbot.snapshot(gunbot.now()))
        if not shown:
            return
        own = [order for order in shown if order.ticket]
        order = self.chance.choice(own if own and self.chance.random() < 0.7 else shown)
        _, price = gunbot.face(order, gunbot.snapshot(gunbot.now()).fetched)
        market = gunbot.market
        arguments = {"exchange": market.exchange, "pair": market.pair, "order_id": order.id, "price": price}
        await self._order(Planned("cancel_order", {**arguments, "order_type": "limit"}), rule=True)

    async def _end(self) -> None:
        """Let everything be seen: no more faults, several cycles, several looks."""
        self.gunbot.trade_fault = self.gunbot.read_fault = 0.0
        for _ in range(3):
            await asyncio.sleep(self.gunbot.habits.cycle * 1.4 + 3)
            self.gunbot.arrive()
            for name in self.sent:
                began = self.gunbot.now()
                ticket = await self.desk.get(name, look=True)
                self._hear(ticket, began)
        for name in self.sent:
            self.judge.count(await self.desk.get(name))
