"""What the guard asks Gunbot before it decides, and what it remembers to find an order again."""

from datetime import UTC, datetime

from gunbot_mcp.domain import Cancel, Intent
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import GatewayError, GatewayInvalidResponse, GatewayRejected, clean
from gunbot_mcp.guard.matching import Baseline
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.records import Book, OpenOrder, Record, record_list

HISTORY_PAGE = 50
_PAGE = BY_NAME["list_orders_page"]


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


async def open_orders_of(gunbot: Gunbot, intent: Intent) -> list[OpenOrder]:
    """Return the pair's open orders that can be seen: none where Gunbot does not know the pair.

    Raises:
        GatewayError: Gunbot cannot be reached, does not answer, or does not accept the token.
    """
    try:
        return await gunbot.open_orders(intent.exchange, intent.pair) or []
    except (GatewayRejected, GatewayInvalidResponse):
        return []


async def recent_fills(gunbot: Gunbot, intent: Intent) -> list[Record]:
    """Return the newest stored orders of the pair."""
    args = _PAGE.args(key=f"{intent.exchange}/{intent.pair}", page=0, page_size=HISTORY_PAGE)
    return record_list(await gunbot.read(_PAGE, args))


async def baseline_of(gunbot: Gunbot, intent: Intent) -> Baseline:
    """Return what is there now. What cannot be read is None: it costs certainty later, not the order now."""
    at_millis = int(datetime.now(UTC).timestamp() * 1000)
    try:
        orders = await gunbot.open_orders(intent.exchange, intent.pair)
        open_ids = None if orders is None else frozenset(order.id for order in orders)
    except GatewayError:
        open_ids = None
    if isinstance(intent, Cancel):
        return Baseline(open_ids=open_ids, filled_ids=None, at_millis=at_millis)
    try:
        fills = await recent_fills(gunbot, intent)
        filled_ids = frozenset(clean(record.get("id", ""), 64) for record in fills)
    except GatewayError:
        filled_ids = None
    return Baseline(open_ids=open_ids, filled_ids=filled_ids, at_millis=at_millis)
