"""The one path of every call, from any caller: parse → policy → ticket → approval → claim → send → record → observe.

The MCP server and the command line differ only in their `Caller`: its name for the records, and the form (if any) in
which it can ask a human. No caller has a way to say that a human approved.
"""

import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio

from gunbot_mcp import exchanges
from gunbot_mcp.approval.forms import Form, Question, Reply, form_for, read_reply
from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.command import typed
from gunbot_mcp.config import Settings
from gunbot_mcp.domain import Effect
from gunbot_mcp.errors import DuplicateOrder, GunbotMcpError, HistoryUnavailable, Internal, TicketNotFound, clean
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.market import seen_distances
from gunbot_mcp.guard.proposing import Proposal
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.deadline import answer_within
from gunbot_mcp.gunbot.telling import BEAT_SECONDS, Tell, telling
from gunbot_mcp.reload import Rules
from gunbot_mcp.render import CHART_META, Answer, error_answer
from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.ladder import seen_ladder
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.tickets.view import TICKET_META, seconds_left, shown_quote, ticket_answer
from gunbot_mcp.tickets.ways import is_open
from gunbot_mcp.tools.inventory import Access, inventory
from gunbot_mcp.tools.tool import AnyTool, Context

if TYPE_CHECKING:
    from gunbot_mcp.history.mirror import Mirror

logger = logging.getLogger(__name__)


Ask = Callable[[Form], Awaitable[tuple[str, Mapping[str, Any] | None]]]
"""Shows a form to the human and returns (action, content): accept, decline or cancel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterReply:
    """The client's second call with a human's answer (protocol 2026-07-28). All of it is under the client's control."""

    state: str = field(repr=False)
    action: str
    content: Mapping[str, Any] | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, for the records, and how it can show a form to its human.

    `known` is False where anybody could be the client: on a port, unlike a pipe of the user's own client, a program
    can answer its own forms. Then neither forms nor a card's buttons speak for a human on a live instance.
    `waiting` is told how a human can decide before the call waits for the form; `hears` is told, a sentence at a time,
    while a read keeps it waiting.
    """

    name: str
    known: bool = True
    ask: Ask | None = None
    asks_later: bool = False
    reply: LaterReply | None = None
    shows_card: bool = False
    waiting: Callable[[str], Awaitable[None]] | None = None
    hears: Tell | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the dispatcher needs from its owner.

    `inbox_url` finds an inbox that can send for this instance; `page_url` starts the approval page, if there is one;
    `later` runs something that may outlive the call; `rules` are the settings in force (None: `settings`, for ever).
    `waits` is told of a ticket that waits for a human, with the address of its page. `mirror` gives the mirror of the
    order history. Every `beat` seconds, whoever waits for a read is told that it goes on. `opened` is the desk where it
    is open already.
    """

    settings: Settings
    gunbot: Gunbot
    desk: Callable[[], Awaitable[Desk]]
    inbox_url: Callable[[], Awaitable[str | None]]
    page_url: Callable[[], Awaitable[str | None]]
    later: Callable[[Callable[[], Awaitable[None]]], None]
    rules: Rules | None = None
    waits: Callable[[Ticket, str | None], None] | None = None
    beat: float = BEAT_SECONDS
    mirror: Callable[[], "Mirror"] | None = None
    opened: Callable[[], Desk | None] = lambda: None


class Dispatcher:
    """Answers every call of one instance."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._settings = around.settings
        self._rules = around.rules or Rules(around.settings)
        self._matrix = exchanges.CapabilityMatrix(around.settings.capabilities)
        self.tools = inventory()
        # Clients of this process that were asked to show a form and never did; nobody is kept waiting for theirs.
        self._blind: set[str] = set()
        self._asked: dict[str, str] = {}

    async def call(self, name: str, arguments: object, caller: Caller) -> Answer | Question:
        """Answer one call, or ask the client to ask, within the instance's deadline whatever Gunbot does.

        Never raises: what went wrong is an error answer with a code.
        """
        try:
            with answer_within(self._settings.served.answer_seconds):
                return await self._call(name, arguments, caller)
        except GunbotMcpError as exc:
            return error_answer(exc, self._settings.secrets(), shows_card=caller.shows_card)
        except Exception:  # the top of every call: a client is answered with a code, and the traceback is in the log
            logger.exception("%s failed", clean(name, 64))
            fault = Internal("gunbot-mcp itself failed", "its log on stderr says more; please report it")
            return error_answer(fault, shows_card=caller.shows_card)

    async def _call(self, name: str, arguments: object, caller: Caller) -> Answer | Question:
        tool = self.tools.admit(name, self._access(caller))
        args, context = parse_arguments(tool.args, arguments), self._context(caller)
        if tool.effect is not Effect.READ or caller.hears is None:
            answer = await tool.handler(context, args)
        else:
            answer = await telling(caller.hears, lambda: tool.handler(context, args), every=self._around.beat)
        # A drawing for a client's own view costs bytes that no other client has a use for.
        drawn = isinstance(answer, Answer) and CHART_META in answer.meta and not caller.shows_card
        return replace(answer, meta={}) if drawn else answer

    def listed(self, caller: Caller) -> list[AnyTool]:
        """Return the tools that this caller may call."""
        return self.tools.listed(self._access(caller))

    def _access(self, caller: Caller) -> Access:
        return Access(mode=self._rules.last.effective_mode, card=self._card_buttons(caller))

    def _context(self, caller: Caller) -> Context:
        return Context(
            who=caller.name,
            gunbot=self._around.gunbot,
            matrix=self._matrix,
            desk=self._around.desk,
            propose=lambda order: self._order(order, caller),
            ticket_answer=lambda ticket: self._answer(ticket, caller, None),
            mirror=self._mirror,
            opened=self._around.opened,
            contracts=self._settings.served.contracts,
        )

    def _mirror(self) -> "Mirror":
        if self._around.mirror is None:
            raise HistoryUnavailable(
                "this server keeps no order history",
                "list_orders_page reads Gunbot's own",
                human="Gunbot shows its own",
            )
        return self._around.mirror()

    def _card_buttons(self, caller: Caller) -> bool:
        """Return whether this client's ticket card has its own approve and reject buttons."""
        return caller.shows_card and is_open("card", self._rules.last, known=caller.known)

    # Orders

    async def _order(self, order: Order, caller: Caller) -> Answer | Question:
        desk = await self._around.desk()
        if caller.reply is not None:
            return await self._replied(desk, order, caller, caller.reply)
        try:
            proposal = await desk.propose(order, client=caller.name, send=True)
        except DuplicateOrder as exc:
            raise await self._led_to(exc, caller) from exc
        ticket = proposal.ticket
        if ticket.state is not State.PENDING:
            return await self._answer(ticket, caller, proposal)
        if caller.asks_later and not self._is_blind(caller):
            self._asked[ticket.id] = caller.name
            if self._around.waits is not None:
                self._around.later(functools.partial(self._tell_unless_decided, desk, proposal, caller))
            form = self._form(desk, ticket, proposal.nonce)
            return Question(form=form, state=f"{ticket.id}.{proposal.nonce}")
        return await self._ask_and_wait(desk, proposal, caller)

    def _form(self, desk: Desk, ticket: Ticket, nonce: str) -> Form:
        return form_for(ticket, nonce, self._rules.last.served.limits, desk.have_lately(ticket))

    async def _tell_unless_decided(self, desk: Desk, proposal: Proposal, caller: Caller) -> None:
        """Give the client's form as long as a call would wait for one; a human who did not see it is told then."""
        with contextlib.suppress(GunbotMcpError):
            ticket = await desk.wait(proposal.ticket.id, self._settings.approval.wait, fresh=True)
            await self._answer(ticket, caller, proposal)

    def _is_blind(self, caller: Caller) -> bool:
        """Return whether this client shows no form, whatever it declares; or has a card that is better than one."""
        return caller.name in self._blind or self._card_buttons(caller)

    async def _led_to(self, exc: DuplicateOrder, caller: Caller) -> DuplicateOrder:
        """Return the refusal of an order that waits already, with the way to its ticket: a second one helps nobody."""
        if exc.twin is None:
            return exc
        if self._asked.pop(exc.twin, None) == caller.name:
            self._blind.add(caller.name)  # it dropped the question, and the order is here again
        ticket = await (await self._around.desk()).get(exc.twin)
        approve = await self._how_to_approve(ticket)
        if approve is None:
            return exc
        return DuplicateOrder(
            f"the same order waits for a human already: ticket {ticket.id}; nothing has been sent",
            f"do not propose it again: {approve['how']}; get_ticket {ticket.id} tells what became of it",
            human="decide on the one that waits",
            twin=exc.twin,
        )

    async def _ask_and_wait(self, desk: Desk, proposal: Proposal, caller: Caller) -> Answer:
        """Wait while a form is shown, but not longer than the client tolerates; without a form, answer at once."""
        if caller.ask is None or self._is_blind(caller):
            return await self._answer(proposal.ticket, caller, proposal)
        notes: list[str] = []
        decided = anyio.Event()
        # The page is there from the first moment: a human who looks need not wait until the call has ended.
        approve = await self._how_to_approve(proposal.ticket)
        self._around.later(functools.partial(self._ask, desk, proposal, caller, decided, notes))
        if caller.waiting is not None and approve is not None:
            await caller.waiting(f"Nothing has been sent. {approve['how']}")
        async with anyio.create_task_group() as tasks:

            async def until_decided() -> None:
                await decided.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_decided)
            # Raised here, it would come out as a group; if the ledger is still unavailable, the code below reports it.
            with contextlib.suppress(GunbotMcpError):
                await desk.wait(proposal.ticket.id, self._settings.approval.wait, fresh=True)
            tasks.cancel_scope.cancel()
        return await self._answer(await desk.after(proposal.ticket), caller, proposal, " ".join(notes))

    async def _ask(
        self, desk: Desk, proposal: Proposal, caller: Caller, decided: anyio.Event, notes: list[str]
    ) -> None:
        """Show the client's form until the ticket closes, also when the call that asked was answered long ago.

        People read slowly: the form must not vanish while they read it, and their click must count.
        """
        if caller.ask is None:
            return
        ticket = proposal.ticket
        form = self._form(desk, ticket, proposal.nonce)
        asked = desk.clock.monotonic()
        async with anyio.create_task_group() as tasks:

            async def until_closed() -> None:
                with contextlib.suppress(GunbotMcpError):
                    left = (ticket.expires_at - desk.clock.now()).total_seconds() + 1
                    await desk.wait(ticket.id, left, fresh=True)
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_closed)
            action, content = await caller.ask(form)
            reply = read_reply(form, action, content, desk.clock.monotonic() - asked)
            # A human has answered: this must count even if the waiting ends at the same moment.
            with anyio.CancelScope(shield=True):
                try:
                    notes.append(await self._decide(desk, ticket, reply, caller))
                except GunbotMcpError as exc:
                    notes.append(f"{exc.message}.")
                if reply is Reply.NOT_SHOWN:
                    self._blind.add(caller.name)
                if reply in {Reply.APPROVE, Reply.REJECT, Reply.NOT_SHOWN}:
                    decided.set()
            tasks.cancel_scope.cancel()

    async def _decide(self, desk: Desk, ticket: Ticket, reply: Reply, caller: Caller) -> str:
        by = Actor("form", caller.name)
        if reply is Reply.APPROVE:
            await desk.approve(ticket.id, by=by)
        elif reply is Reply.REJECT:
            await desk.decline(ticket.id, by=by)
        return _NOTES[reply]

    async def _replied(self, desk: Desk, order: Order, caller: Caller, reply: LaterReply) -> Answer:
        """Take the second call of a question. A replay finds its ticket decided, and sends nothing."""
        ticket_id, _, nonce = reply.state.partition(".")
        ticket = await desk.check_key(ticket_id, nonce)
        if ticket.tool != order.tool or ticket.order.arguments != order.arguments:
            what = "the answer belongs to another order"
            raise TicketNotFound(
                what, "call the tool again without request_state", human="let your assistant propose the order again"
            )
        note = ""
        self._asked.pop(ticket_id, None)
        if ticket.state is State.PENDING:
            form = self._form(desk, ticket, nonce)
            seconds = (desk.clock.now() - ticket.created_at).total_seconds()
            decision = read_reply(form, reply.action, reply.content, seconds)
            note = await self._decide(desk, ticket, decision, caller)
            if decision is Reply.NOT_SHOWN:
                self._blind.add(caller.name)
            ticket = await desk.after(ticket)
        return await self._answer(ticket, caller, Proposal(ticket=ticket, nonce=nonce), note)

    # Answers

    async def _answer(self, ticket: Ticket, caller: Caller, proposal: Proposal | None, note: str = "") -> Answer:
        approve = await self._how_to_approve(ticket)
        if approve is not None and proposal is not None and self._around.waits is not None:
            # Answered without a decision: nobody is looking at a form, so somebody must be told.
            self._around.waits(ticket, approve["page"])
        answer = ticket_answer(ticket, approve=approve, note=note)
        return self._with_card(answer, caller, proposal)

    async def _how_to_approve(self, ticket: Ticket) -> dict[str, Any] | None:
        if ticket.state is not State.PENDING:
            return None
        inbox = await self._around.inbox_url()
        base = inbox
        if base is None:
            try:
                base = await self._around.page_url()
            except GunbotMcpError as exc:
                logger.warning("there is no approval page: %s", exc)
        page = None if base is None else f"{base}/tickets/{ticket.id}"
        several = ("--instance", ticket.instance) if len(self._settings.instances) > 1 else ()
        command = typed("approve", ticket.id, *several)
        terminal = f"runs `{command}` in a plain terminal"
        how = f"the human opens {page} or {terminal}" if page else f"the human {terminal}"
        if page and inbox is None:
            how += " (the page lives only as long as the client keeps this server running)"
        left = seconds_left(ticket, (await self._around.desk()).clock.now())
        return {"page": page, "command": command, "how": how, "seconds_left": left}

    def _with_card(self, answer: Answer, caller: Caller, proposal: Proposal | None) -> Answer:
        """Add what only the human's card needs; no client shows `_meta` to its model."""
        seen: dict[str, Any] | None = answer.meta.get(TICKET_META)
        if not caller.shows_card or seen is None:
            return replace(answer, meta={})
        buttons = self._card_buttons(caller) and answer.structured.get("status") == "awaiting_approval"
        approve: dict[str, Any] = answer.structured.get("approve", {})
        card = {
            **seen,
            "quote": None if proposal is None else shown_quote(proposal.ticket),
            "distances": None if proposal is None else [list(pair) for pair in seen_distances(proposal.ticket)],
            "ladder": None if proposal is None else seen_ladder(proposal.ticket),
            "page_url": approve.get("page"),
            "command": approve.get("command"),
            "buttons": buttons and proposal is not None,
            "key": proposal.nonce if buttons and proposal is not None else None,
        }
        return replace(answer, meta={TICKET_META: card})


_NOTES: Mapping[Reply, str] = {
    Reply.APPROVE: "",
    Reply.REJECT: "",
    Reply.NOT_SHOWN: "The client's form was not answered by a human.",
    Reply.WRONG_CODE: "The code that was typed is not the one in the form; the order is not approved.",
    Reply.UNCLEAR: "The form's answer was unclear; the order is not approved.",
}
