"""What the guard reads from Gunbot: book, open orders and fills; and how far an order lies from the book."""

import contextlib
import functools
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import anyio

from gunbot_mcp.clock import Clock
from gunbot_mcp.domain import Cancel, Intent, grouped
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import GatewayError, GatewayInvalidResponse, GatewayRejected, clean
from gunbot_mcp.guard.cancels import find as cancels_what
from gunbot_mcp.guard.evidence import HISTORY_PAGE, Baseline, digits_of, identity
from gunbot_mcp.guard.holdings import have, spent_asset
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.pairs import look_up
from gunbot_mcp.gunbot.records import Book, OpenOrder, Record, record_list
from gunbot_mcp.render import instant
from gunbot_mcp.tickets.content import seen_book
from gunbot_mcp.tickets.distances import distances
from gunbot_mcp.tickets.ticket import Ticket

if TYPE_CHECKING:
    from gunbot_mcp.gunbot.memory import PairMemory

PATIENCE = 3.0
_PAGE = BY_NAME["list_orders_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookView:
    """Texts to show, and `moment`: when the book was read, for programs.

    `note` says why there is no book; then the prices are None and there are no distances. `have` is what one has of the
    asset that the order spends; None where it was not asked for, or is not known. `book` is the book itself, and
    `refused` says why the checks would not let the order be sent at these prices.
    """

    bid: str | None = None
    ask: str | None = None
    at: str
    moment: str
    distances: tuple[tuple[str, str], ...] = ()
    note: str | None = None
    have: str | None = None
    book: Book | None = None
    refused: str | None = None

    def as_dict(self) -> dict[str, object]:
        return {
            "bid": self.bid,
            "ask": self.ask,
            "at": self.at,
            "moment": self.moment,
            "distances": [list(pair) for pair in self.distances],
            "note": self.note,
        }


async def look(
    gunbot: Gunbot, ticket: Ticket, clock: Clock, patience: float = PATIENCE, *, balances: bool = False
) -> BookView:
    """Read the book for a ticket, and with `balances` what one has for it, at the same time.

    Never raises if there is no market, and never keeps the human waiting for long.
    """
    note = "Gunbot did not answer in time."
    book: Book | None = None
    held: str | None = None

    async def read_book() -> None:
        nonlocal book, note
        try:
            book = await gunbot.order_book(ticket.order.key)
        except GatewayError as exc:
            note = f"{clean(exc.message)}."

    async def read_balances() -> None:
        nonlocal held
        # They are a help, not a condition: without them the page says nothing.
        with contextlib.suppress(GatewayError):
            held = have(ticket, await gunbot.balances())

    with anyio.move_on_after(patience):
        await at_once(read_book, *([read_balances] if balances and spent_asset(ticket) is not None else []))
    now = clock.now()
    at, moment = f"{now:%H:%M:%S} UTC", instant(now)
    if book is not None and book.bid is None and book.ask is None:
        book, note = None, "The order book is empty."
    if book is None:
        return BookView(at=at, moment=moment, note=note, have=held)
    far = tuple(distances(ticket.order.intent, book))
    return BookView(bid=_text(book.bid), ask=_text(book.ask), at=at, moment=moment, distances=far, have=held, book=book)


def seen_distances(ticket: Ticket) -> tuple[tuple[str, str], ...]:
    """Return how far the order's prices lay from the book that it was proposed with; empty where there was none."""
    book = seen_book(ticket)
    return (
        () if book is None or (book.bid is None and book.ask is None) else tuple(distances(ticket.order.intent, book))
    )


def _text(price: Decimal | None) -> str | None:
    return None if price is None else grouped(price)


# What is asked before and after sending


async def book_of(gunbot: Gunbot, intent: Intent, *, paper: bool = False) -> Book | None:
    """Return the book, or None where Gunbot has none (an inactive pair) or none that can be relied on (crossed).

    Raises:
        GatewayRejected: on paper only, where a pair without a book does not exist.
        GatewayError: Gunbot cannot be reached, does not answer, or does not accept the token.
    """
    try:
        book = await gunbot.order_book(f"{intent.exchange}/{intent.pair}")
    except GatewayRejected:
        if paper:
            raise
        return None
    except GatewayInvalidResponse:
        return None
    return None if book.crossed else book


async def recent_fills(gunbot: Gunbot, exchange: str, pair: str) -> list[Record]:
    """Return the newest stored orders of the pair."""
    args = _PAGE.args(key=f"{exchange}/{pair}", page=0, page_size=HISTORY_PAGE)
    return record_list(await gunbot.read(_PAGE, args))


async def pairs_of(gunbot: Gunbot, exchange: str, patience: float = PATIENCE) -> list[str] | None:
    """Return the names of an exchange's pairs, or None where Gunbot does not tell them soon; never raises for that.

    The list only improves what is said of a wrong name, so nobody waits for it for long.
    """
    with anyio.move_on_after(patience):
        try:
            return await gunbot.pairs(exchange)
        except GatewayError:
            return None
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the market shows beside one order: the book, what is there already, and the open orders that can be seen.

    `pairs` are the names that the exchange has; None where that is not known.
    """

    pairs: tuple[str, ...] | None = None
    book: Book | None = None
    open_orders: tuple[OpenOrder, ...] = ()
    baseline: Baseline | None = None


async def survey(gunbot: Gunbot, intent: Intent, *, paper: bool = False, whole: bool = True) -> Survey:
    """Ask for all of it in one round. Not `whole`: only what the checks need, the book, and for a cancel the orders.

    What a baseline needs and cannot be read is None in it: the order can still be sent, but may be harder to find.

    An order that fills while the round is under way may stand in neither answer: it was not yet in the history when
    that was read, and no longer open when the memory was. It can still not be taken for the one that is sent next.
    Gunbot's clock is read in the same round, and `t0` is an upper bound of that clock *after the last answer came*:
    such a fill happened before, so its record, however late the history shows it, carries a time before `t0`, and
    nothing that is dated before `t0` is ever ours (rules 8 and 9). Where the clock cannot be read there is no `t0`, and
    fills are candidates at most. What rested before and still rests afterwards stands among the open ids, or is shown
    only after them; against that, which no order of reads could tell, stands rule 16.

    Raises:
        GatewayRejected: on paper only, where a pair without a book does not exist.
        GatewayError: there is no way to Gunbot, it does not answer, or it does not accept the token (the book's own).
    """
    cancels = isinstance(intent, Cancel)
    at_millis = int(datetime.now(UTC).timestamp() * 1000)
    found: dict[str, Any] = {}
    failed: dict[str, GatewayError] = {}

    async def ask(name: str, question: Callable[[], Awaitable[object]]) -> None:
        try:
            found[name] = await question()
        except GatewayError as exc:
            failed[name] = exc

    await gunbot.log_in()
    questions: dict[str, Callable[[], Awaitable[object]]] = {
        "pairs": lambda: pairs_of(gunbot, intent.exchange),
        "book": lambda: book_of(gunbot, intent, paper=paper and not cancels),
    }
    if cancels or whole:
        questions["memory"] = lambda: gunbot.memory(intent.exchange, intent.pair)
    if whole:
        questions["clock"] = functools.partial(gunbot.clock.read, closely=True)
    if whole and not cancels:
        questions["fills"] = lambda: recent_fills(gunbot, intent.exchange, intent.pair)
    await at_once(*(functools.partial(ask, name, question) for name, question in questions.items()))
    t0 = gunbot.clock.latest()
    names: list[str] | None = found.get("pairs")
    if isinstance(failed.get("book"), GatewayRejected) and names is not None and look_up(intent.pair, names).right:
        # The check of the name says more than the gateway.
        del failed["book"]
    _raise_if_needed(failed, cancels=cancels, whole=whole)
    memory: PairMemory | None = found.get("memory")
    orders = None if memory is None else memory.orders
    fills: list[Record] | None = found.get("fills")
    book: Book | None = found.get("book")
    target = cancels_what(intent, orders or ()) if isinstance(intent, Cancel) else None
    return Survey(
        pairs=None if names is None else tuple(names),
        book=book,
        open_orders=orders or (),
        baseline=Baseline(
            open_ids=None if orders is None else frozenset(order.id for order in orders),
            filled_ids=None if fills is None else frozenset(identity(record.get("id")) for record in fills),
            at_millis=at_millis,
            t0=t0 if whole else None,
            bid=None if book is None else book.bid,
            ask=None if book is None else book.ask,
            digits=digits_of(book, orders or (), fills or ()),
            memory=None if memory is None else memory.mark,
            target=None if target is None else target.amount,
        ),
    )


async def at_once(*works: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do all of it at once, and wait for all of it; an exception of one of them is raised as it is, not as a group."""
    finished = 0

    async def one(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        nonlocal finished
        await work()
        finished += 1

    try:
        async with anyio.create_task_group() as tasks:
            for work in works:
                tasks.start_soon(one, work)
    except BaseExceptionGroup as group:
        raise _leaf(group) from group
    if finished != len(works):
        # A task that is cancelled alone ends without an error; half an answer must not be taken for a whole one.
        raise anyio.get_cancelled_exc_class()


def _leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _leaf(cast("BaseExceptionGroup[BaseException]", first))
    return first


def _raise_if_needed(failed: Mapping[str, GatewayError], *, cancels: bool, whole: bool) -> None:
    if "book" in failed and not cancels:
        raise failed["book"]
    # A cancel is judged by the orders that are seen; if Gunbot does not know the pair, none are.
    seen = failed.get("memory")
    if cancels and not whole and seen is not None and not isinstance(seen, GatewayRejected | GatewayInvalidResponse):
        raise seen
