"""The pages of Gunbot's order lists, through the adapter."""

from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.domain import to_decimal
from gunbot_mcp.endpoints import BY_NAME, OrdersPageArgs
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.records import record_list
from gunbot_mcp.history.sync import Page


class GunbotPages:
    """A `Source`: `/orders/page` of one Gunbot."""

    def __init__(self, gunbot: Gunbot) -> None:
        self._gunbot = gunbot

    async def page(self, key: str, page: int, size: int) -> Page:
        """Return one page, newest first.

        Raises:
            InvalidArguments: no key looks like this.
            GatewayError: Gunbot cannot be asked, or says no.
        """
        arguments = parse_arguments(OrdersPageArgs, {"key": key, "page": page, "page_size": size})
        answer = await self._gunbot.read(BY_NAME["list_orders_page"], arguments)
        total = to_decimal(answer.get("total"))
        whole = total is not None and total >= 0 and total == total.to_integral_value()
        return Page(record_list(answer), int(total) if whole and total is not None else None)
