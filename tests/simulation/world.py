"""Schedules of faults: from a seed, a few orders, two replicas, people who decide, and everything that can go wrong.

All replicas share a state folder, or each machine has its own: then no lock tells whether a process on another one is
dead, and none sees the other's HALT, nor the outcomes that it keeps in files.

A process is a desk with an owner of its own. It dies by being marked dead: from then on each of its steps (every
statement, every commit, every request, every file) raises `Dead` before it does anything, as if it were not there.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulation import draws
from simulation.hooks import SeededIds, SteppedDatabase, TurnLedger, keep
from simulation.invariants import Played
from simulation.processes import Dead, Process, SimulatedClock, acting, began, current, current_ticket, together
from support.exchange import Exchange

from gunbot_mcp.config import Instance, Limits, Mode, Settings
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.exchanges import CapabilityMatrix
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.halt import halt, resume
from gunbot_mcp.guard.recovery import Owner
from gunbot_mcp.guard.timing import Timing
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import TERMINAL, Actor
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import State

MACHINE_STALLS = 1.0
"""How many real seconds a busy machine may let a task wait; a process that froze is late by many times that."""

TROUBLES = ("jump", "halt", "kill", "restart", "away", "tidy")


@dataclass
class World:
    """One schedule. `pace` is how many real seconds a simulated one takes; `stores` are engines on one database."""

    seed: int
    folder: Path
    stores: list[SteppedDatabase]
    pace: float = 1.0
    one_thread: bool = True
    chance: random.Random = field(init=False)
    problems: list[str] = field(default_factory=list[str])
    approvals: set[str] = field(default_factory=set[str])
    processes: list[Process] = field(default_factory=list[Process])
    ledger_fault: float = 0.0
    ledger_away: bool = False
    was_away: bool = False
    approving: list[str] = field(default_factory=list[str])
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _mandate: str | None = None
    _first: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        random.seed(self.seed)
        loop = asyncio.get_running_loop()
        self.clock = SimulatedClock(lambda: loop.time() / self.pace)
        self.exchange = Exchange(
            chance=self.chance,
            step=self.step,
            now=self.clock.monotonic,
            sleep=self.sleep,
            ticket=current_ticket.get,
            halted=self._halted,
            began=began.get,
            trade_fault=self.chance.choice((0.0, 0.5, 0.9)),
            read_fault=self.chance.choice((0.0, 0.0, 0.1, 0.5)),
            lag=1.5,
            fills=0.3,
        )
        self.ledger_fault = self.chance.choice((0.0, 0.0, 0.02, 0.2))
        self.apart = self.chance.random() < 0.35
        self.machines: list[Path] = []
        # Twins: orders that look the same, decided at nearly the same time. They are the hardest to tell apart.
        self.twins = self.chance.random() < 0.3
        window = 0 if self.twins else self.chance.choice((0, 60))
        self.day_limit = Decimal(self.chance.choice((80, 120, 1000)))
        if self.chance.random() < 0.3:
            self.exchange.orders += draws.strangers(self.chance)
        limits = Limits(max_day={"USDT": self.day_limit}, duplicate_seconds=window)
        auto = self.chance.random() < 0.3
        mode = Mode.AUTO if auto else Mode.APPROVE
        self.name = f"s{self.seed}"
        instance = Instance.model_construct(
            url="http://gunbot.invalid", mode=mode, limits=limits, cancel=self.chance.choice(("smart", "ask"))
        )
        self.settings = Settings.model_construct(
            instance=self.name, instances={self.name: instance}, mode=None, capabilities={}
        )

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.pace)

    # Processes

    def _machine(self) -> Path:
        """The state folder of the next process: the shared one, that of a new machine, or that of an existing one."""
        if len(self.machines) < 1 + self.apart or (self.apart and self.chance.random() < 0.3):
            self.machines.append(self.folder / f"machine-{len(self.machines)}")
            return self.machines[-1]
        return self.chance.choice(self.machines)

    def start(self, machine: Path | None = None) -> Process:
        """Start a replica: a new owner and a new desk on the same store."""
        number = len(self.processes)
        folder = machine or self._machine()
        ledger = self.ledger(number)
        owner = Owner.start(folder)
        gunbot = Gunbot(
            self.settings.served,
            transport=self.exchange,
            backoff=0.2 * self.pace,
            elapsed=self.clock.monotonic,
        )
        desk = Desk(
            settings=self.settings,
            gunbot=gunbot,
            ledger=ledger,
            matrix=CapabilityMatrix({}),
            clock=self.clock,
            owner=owner.id,
            folder=folder,
            ids=SeededIds(self.chance),
            timing=Timing(record_pause=0.1 * self.pace, look_pause=0.4 * self.pace, poll=0.4 * self.pace),
            keep=keep,
        )
        self.processes.append(Process(desk=desk, owner=owner, gunbot=gunbot, folder=folder))
        return self.processes[-1]

    def ledger(self, number: int = 0) -> Ledger:
        """Return a ledger of its own on one of the stores."""
        return (TurnLedger if self.one_thread else Ledger)(self.stores[number % len(self.stores)], self.clock)

    def living(self) -> Process:
        return self.chance.choice([one for one in self.processes if not one.dead] or [self.start()])

    async def step(self, where: str) -> None:
        """Come before every side effect: here a process may die, be stopped, or be overtaken by others."""
        process = acting.get()
        if where == "before a transaction":
            began.set(self.clock.now())
        if process is None:
            return
        process.steps += 1
        if process.steps == process.dies_at:
            process.die()
        if process.dead:
            raise Dead(where)
        if process.steps == process.stops_at:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        if where == "after a commit":
            process.commits += 1
            if process.commits == process.freezes_at:
                await self.sleep(self.chance.random() * 600)
        if self.chance.random() < 0.2:
            await self.sleep(self.chance.random() * 0.2)
        if process.dead:
            raise Dead(where)

    def _halted(self) -> bool:
        process = acting.get()
        return process is not None and (process.folder / "HALT").exists()

    async def run(self, process: Process, ticket: str, work: Coroutine[Any, Any, object]) -> None:
        """Do something as `process`; a failure that is reported to the caller is not a problem here."""
        acting.set(process)
        current_ticket.set(ticket)
        try:
            await work
        except (Dead, GunbotMcpError, asyncio.CancelledError):
            pass
        except Exception as exc:  # noqa: BLE001 - whatever else comes out is what this looks for
            self.problems.append(f"{type(exc).__name__} came out: {exc}")
        if current_ticket.get() and not process.dead:
            acting.set(None)
            await self._check_left(process, current_ticket.get())

    async def _approve(self, process: Process, ticket: str, by: Actor) -> None:
        current_ticket.set(ticket)
        self.approvals.add(ticket)
        self.approving.append(ticket)
        try:
            await process.desk.approve(ticket, by=by)
        finally:
            self.approving.remove(ticket)

    async def _check_left(self, process: Process, name: str) -> None:
        """A process that lives leaves nothing half-way, unless the outcome waits in a file."""
        if name in self.approving:
            return
        ticket = await process.desk.ledger.get(name)
        if ticket is None or ticket.owner != process.owner.id or name in self.approving:
            return
        waits = any((process.folder / "outcomes").glob(f"{name}*.json"))
        # Only an approval that the ledger neither confirms nor lets be undone may wait for the lease.
        sound = not self.ledger_fault and not self.was_away
        half_way = {State.SENDING, State.APPROVED} if sound else {State.SENDING}
        self._wrong(ticket.state in half_way and not waits, f"ticket {name} is left {ticket.state} by a living process")

    # The schedule

    async def play(self) -> None:
        """Run the whole schedule; `problems` then says what went wrong."""
        chance = self.chance
        self._first = await self._newest(self.ledger())
        for _ in range(2):
            process = self.start()
            if chance.random() < 0.5:
                process.dies_at = chance.randrange(1, 90)
            elif chance.random() < 0.4:
                process.stops_at = chance.randrange(1, 90)
            elif chance.random() < 0.4:
                process.freezes_at = chance.randrange(1, 6)
        if self.settings.effective_mode is Mode.AUTO:
            await self._grant()
        orders = [self._order(number) for number in range(2 if self.twins else chance.choice((1, 1, 2, 3)))]
        await together([*orders, *(self._trouble() for _ in range(chance.choice((0, 1, 2))))])
        await self._end()

    @staticmethod
    async def _newest(ledger: Ledger) -> int:
        return max((event.seq for event in await ledger.events(limit=1)), default=0)

    async def _grant(self) -> None:
        self._mandate = f"m{self.seed}"
        async with self.ledger().write() as write:
            await write.add_mandate(draws.mandate(self.chance, self._mandate, self.name))

    async def _order(self, number: int) -> None:
        """Propose one order, and let people and replicas act on it at random."""
        chance = self.chance
        await self.sleep(chance.random() * 3)
        tool, arguments = draws.order(chance, self.exchange, number, twins=self.twins)
        made: list[str] = []
        # What a rule covers is sent while it is proposed, or (as earlier versions did) a moment later.
        at_once = chance.random() < 0.8

        async def propose(process: Process) -> None:
            endpoint = BY_NAME[tool]
            order = Order.of(endpoint, endpoint.args.model_validate(arguments))
            proposal = await process.desk.propose(order, client="model", send=at_once)
            made.append(proposal.ticket.id)
            if proposal.grant is not None and proposal.ticket.state is State.PENDING:
                await self._approve(process, proposal.ticket.id, proposal.grant)

        process = self.living()
        await together([self.run(process, "", propose(process))])
        await together([self._act(ticket) for ticket in made for _ in range(chance.randrange(6))])

    async def _act(self, ticket: str) -> None:
        chance = self.chance
        longest = 2 if self.twins else chance.choice((0, 1, 10, 150, 500))
        await self.sleep(chance.random() * longest)
        process = self.living()
        desk = process.desk
        what = chance.choices(
            ("approve", "decline", "withdraw", "look", "resolve", "recover"), weights=(10, 1, 1, 3, 2, 2)
        )[0]
        works: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "approve": lambda: self._approve(process, ticket, TERMINAL),
            "decline": lambda: desk.decline(ticket, by=TERMINAL),
            "withdraw": lambda: desk.withdraw(ticket, by=Actor("client", "model")),
            "look": lambda: desk.get(ticket, look=True),
            "resolve": lambda: self._resolve(desk, ticket),
            "recover": desk.recover,
        }
        await self.run(process, ticket, works[what]())

    async def _resolve(self, desk: Desk, ticket: str) -> None:
        """Settle an unknown ticket as a careful human would: after the order had time to arrive, and truthfully."""
        await self.sleep(30)
        # What a human saw before the order was sent does not say what became of it.
        if (await desk.get(ticket)).state is not State.UNKNOWN:
            return
        await self.sleep(30)
        self.exchange.arrive()
        found = next((order.id for order in self.exchange.orders if order.ticket == ticket), None)
        placed = any(post.ticket == ticket and post.seen for post in self.exchange.posts)
        await desk.resolve(ticket, placed=placed, order_id=found, by=TERMINAL)

    async def _tidy(self, desk: Desk) -> None:
        """Recover and settle, as a careful human would, long after; a process that only slept may still wake up."""
        await desk.recover()
        for ticket in await desk.list(states={State.UNKNOWN}):
            await self._resolve(desk, ticket.id)

    async def _revoke(self, desk: Desk, mandate: str) -> None:
        async with desk.ledger.write() as write:
            await write.revoke_mandate(mandate, TERMINAL)

    async def _trouble(self) -> None:
        chance = self.chance
        await self.sleep(chance.random() * 8)
        match chance.choice(TROUBLES if self._mandate is None else (*TROUBLES, "revoke", "revoke", "revoke")):
            case "revoke":
                process = self.living()
                await self.run(process, "", self._revoke(process.desk, self._mandate or ""))
            case "tidy":
                await self.sleep(chance.random() * 300)
                process = self.start()
                await self.run(process, "", self._tidy(process.desk))
            case "jump":
                self.clock.jump(chance.choice((-90_000, -3600, -10, -1, 1, 10, 200, 3600, 90_000)))
            case "halt":
                machine = chance.choice(self.machines)
                # Mostly during an approval, where it matters.
                for _ in range(chance.choice((0, 50, 500))):
                    if not self.approving:
                        await self.sleep(0.1)
                await self.sleep(chance.random() * 2)
                halt(machine, "enough")
                await self.sleep(chance.random() * 20)
                resume(machine)
            case "kill":
                self.living().die()
            case "restart":
                self.living().die()
                await self.sleep(chance.random())
                process = self.start()
                await self.run(process, "", process.desk.recover())
            case _:
                self.ledger_away = self.was_away = True
                await self.sleep(chance.random() * 20)
                self.ledger_away = False

    # The end

    async def _end(self) -> None:
        chance = self.chance
        if chance.random() < 0.5:
            for process in self.processes:
                process.die()
        if not all(process.dead for process in self.processes) or self.apart:
            # A live process, or one with its lock on another machine, is taken for lost only after the lease.
            self.clock.pass_(300)
        self.ledger_fault, self.exchange.trade_fault, self.exchange.read_fault = 0.0, 0.0, 0.0
        await self.sleep(20)
        self.exchange.arrive()
        sent = len(self.exchange.posts)
        # A new machine knows no locks: here the lease alone must be enough.
        last = self.start(self.folder / "last" if self.apart else None)
        await last.desk.recover()
        left = await last.desk.list(states={State.APPROVED, State.SENDING})
        self._wrong(bool(left), f"{len(left)} tickets are left half-way by the one that came after")
        for machine in self.machines:
            await self.start(machine).desk.recover()
        for ticket in await last.desk.list(states={State.UNKNOWN}):
            await last.desk.get(ticket.id, look=True)
        tickets = await last.desk.list(limit=100)
        for ticket in tickets:
            if ticket.state is not State.PENDING:
                with contextlib.suppress(GunbotMcpError):
                    await last.desk.approve(ticket.id, by=TERMINAL)
        if len(self.exchange.posts) != sent:
            self.problems.append("approving a closed ticket again sent an order")
        self._wrong(any(self.folder.glob("**/outcomes/*.json")), "an outcome was left in its file")
        newest = await self._newest(last.desk.ledger)
        played = Played(
            exchange=self.exchange,
            stalls=0.0 if self.one_thread else MACHINE_STALLS / self.pace,
            approvals=self.approvals,
            day_limit=self.day_limit,
            tickets=tickets,
            mandates=await last.desk.ledger.mandates(self.name),
            events=await last.desk.ledger.events(limit=newest - self._first),
        )
        self.problems += played.wrongs()
        for process in self.processes:
            process.die()
            await process.gunbot.aclose()

    def _wrong(self, wrong: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
        if wrong:
            self.problems.append(what)


async def play(world: World) -> list[str]:
    """Play one schedule and return what went wrong."""
    current.set(world)
    await world.play()
    return world.problems
