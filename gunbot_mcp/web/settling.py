"""Settling a ticket of unknown fate on its page: it needs what approving needs, and says what `resolve` says.

POST /tickets/ID/resolve   token, word, pin    word: `not_placed`, `placed`, or `placed:` and an order's id
                           token, word, touch
"""

import json
from collections.abc import Mapping

from gunbot_mcp.approval.passkeys import request_options
from gunbot_mcp.approval.pin import has_pin
from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.resolving import can_be_settled
from gunbot_mcp.tickets.channels import PAGE, PASSKEY
from gunbot_mcp.tickets.passkey import Deed, parse_touch, settling
from gunbot_mcp.tickets.seen import candidate_line
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.web import gate
from gunbot_mcp.web.choices import Choice, Settling
from gunbot_mcp.web.ways import Gate, Ways

_NOT_PLACED, _PLACED = "not_placed", "placed"
_ID = 100


class Settler:
    """The choices of one instance's tickets, and what follows from a choice."""

    def __init__(self, desk: Desk, ways: Ways, pin_gate: Gate) -> None:
        self._desk = desk
        self._ways = ways
        self._pin_gate = pin_gate

    async def shown(self, ticket: Ticket, token: str, *, here: bool) -> Settling | None:
        """Return what can be said of this ticket; None where nothing need be. `here`: passkeys work at this address."""
        if ticket.state is not State.UNKNOWN or not can_be_settled(ticket):
            return None
        able = await self._ways.able(ticket) if here else []
        rp = self._ways.rp

        def choice(word: str, label: str, detail: str = "") -> Choice:
            placed, order_id = _meant(word)
            said = settling(ticket, placed=placed, order_id=order_id)
            touch = json.dumps(request_options(Deed.RESOLVE, said, rp, able)) if able else None
            return Choice(word=word, label=label, detail=detail, touch=touch)

        found = await self._desk.candidates(ticket)
        ids = {clean(name, _ID): candidate_line(one) for one in found for name in one.order_ids[:1]}
        thing = "the cancel" if ticket.cancels else "the order"
        choices = (
            *(choice(f"{_PLACED}:{name}", f"It is order {name}", line) for name, line in ids.items()),
            choice(_PLACED, f"{thing.capitalize()} arrived"),
            choice(_NOT_PLACED, f"{thing.capitalize()} never arrived"),
        )
        plain = self._ways.plain(ticket) and (has_pin(self._ways.folder) or not ticket.live)
        return Settling(
            token=token,
            plain=plain,
            pin=self._ways.needs_pin(ticket),
            choices=choices,
            command=f"gunbot-mcp resolve {ticket.id}",
        )

    async def settle(self, ticket: Ticket, form: Mapping[str, str]) -> Ticket:
        """Write down what a human says.

        Raises:
            GunbotMcpError: it is not proven that a human says it, or there is nothing to settle.
        """
        word = form.get("word", "")
        if word not in {_PLACED, _NOT_PLACED} and not word.startswith(f"{_PLACED}:"):
            raise gate.BadForm("the form says nothing that settles a ticket")
        placed, order_id = _meant(word)
        if touched := form.get("touch"):
            touch = parse_touch(touched, self._ways.origin())
            return await self._desk.resolve(ticket.id, placed=placed, order_id=order_id, by=PASSKEY, touch=touch)
        if not self._ways.plain(ticket):
            raise gate.NotOurs("only a touch of your passkey settles this; nothing was settled", "touch it")
        if ticket.live and not has_pin(self._ways.folder):
            raise ConfigInvalid("settling live orders here needs a PIN, and none is set", "gunbot-mcp pin")
        if self._ways.needs_pin(ticket):
            if not (pin := form.get("pin", "")):
                raise gate.NoPin("settling needs your PIN; nothing was settled", "type it, then choose")
            await self._pin_gate.verify(pin, actor=PAGE, ticket=ticket.id)
        return await self._desk.resolve(ticket.id, placed=placed, order_id=order_id, by=PAGE)


def _meant(word: str) -> tuple[bool, str | None]:
    kind, _, order_id = word.partition(":")
    return kind == _PLACED, clean(order_id, _ID) or None
