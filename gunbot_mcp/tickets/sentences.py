"""What a human reads before approving: one sentence that names the assets, written here and never by a model.

Two orders that differ in anything, the market above all, never read the same: whatever of a pair's name is more than
`PAYING-TRADED` stands in the sentence, and so does the name itself where an exchange has more than one market for it.
Numbers that somebody typed keep all their digits; computed ones are rounded, costs up and proceeds down.
"""

from dataclasses import dataclass
from decimal import Decimal

from gunbot_mcp.domain import (
    Cancel,
    Close,
    Intent,
    Leg,
    Pair,
    Place,
    Purpose,
    Side,
    assets_of,
    grouped,
    legs_of,
    money,
    side_of,
)
from gunbot_mcp.exchanges import EXCHANGES, base_name, purpose_of
from gunbot_mcp.gunbot.records import OpenOrder
from gunbot_mcp.tickets.notional import Notional
from gunbot_mcp.tickets.proceeds import Proceeds, proceeds_of
from gunbot_mcp.tickets.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in two pieces: `what` the order does, and the end that says its `worth`, which may be empty."""

    what: str
    worth: str = ""

    def __str__(self) -> str:
        return self.what + self.worth


def headline_of(ticket: Ticket) -> Sentence:
    """Return the ticket's summary in two pieces, from its typed order; in one piece if it does not begin with that.

    A human must see the summary that the ticket was made with, so nothing of it is written anew here.
    """
    if ticket.notional is None:
        return Sentence(ticket.summary)
    begins = what(ticket.order.intent, contract_size=ticket.contract_size)
    ends = ticket.summary.removeprefix(begins)
    apart = ticket.summary.startswith(begins) and ends.startswith(", ")
    return Sentence(begins, ends) if apart else Sentence(ticket.summary)


def sentence(
    intent: Intent,
    worst: Notional | None = None,
    seen: OpenOrder | None = None,
    *,
    gets: Proceeds | None = None,
    placed: Ticket | None = None,
    contract_size: Decimal | None = None,
) -> str:
    """Return e.g. `Buy 0.001 BTC at 50,000 USDT on binance, at most 50.05 USDT with fees`.

    `worst` is what the order costs at most and `gets` what a sell brings. For a cancel, `seen` is the open order that
    it names and `placed` the ticket that placed it, where they are known. `contract_size` is how much of the traded
    asset one contract holds, where amounts count contracts.
    """
    ends = worth(intent, worst.amount, worst.asset, gets) if worst else ""
    return what(intent, seen, placed=placed, contract_size=contract_size) + ends


def what(
    intent: Intent,
    seen: OpenOrder | None = None,
    *,
    placed: Ticket | None = None,
    contract_size: Decimal | None = None,
) -> str:
    """Return the sentence without its worth: `Open LONG: buy 0.001 BTC at 50,000 USDT on bybit (USDT-BTC-LONG)`."""
    if isinstance(intent, Cancel):
        return _cancel(intent, seen, placed)
    whole = f"{_does(intent, contract_size)} on {_market(intent)}"
    risk = _risk(intent) if isinstance(intent, Place) else None
    if risk is not None:
        whole = f"{risk}: {whole[:1].lower()}{whole[1:]}"
    if isinstance(intent, Place) and intent.trigger is not None and intent.reference is not None:
        whole += f" (named: price {grouped(intent.reference)}, stop {grouped(intent.trigger)})"
    if isinstance(intent, Place) and len(intent.legs) > 1:
        whole += " (the first to fill cancels the other)"
    return whole


def owns(intent: Intent) -> bool:
    """Return whether the order trades what one owns, money against goods; elsewhere it may be about a position."""
    known, pair = EXCHANGES.get(base_name(intent.exchange)), Pair.parse(intent.pair)
    plain = pair is not None and f"{pair.paying}-{pair.traded}" == intent.pair
    return not isinstance(intent, Close) and plain and known is not None and known.spot and not known.futures


def _market(intent: Intent) -> str:
    """Return `binance`, or `bybit#2 (USDT-BTC-LONG)` where the two assets alone do not say which market it is."""
    named = owns(intent) or assets_of(intent)[1] == intent.pair
    return intent.exchange if named else f"{intent.exchange} ({intent.pair})"


def _opens(intent: Intent) -> bool | None:
    """Return whether the order opens a position or closes one; None where nobody can tell.

    It can be told where the exchange's row says that it has positions, and the pair's name says which.
    """
    known, pair = EXCHANGES.get(base_name(intent.exchange)), Pair.parse(intent.pair)
    if isinstance(intent, Close):
        return False
    if known is None or not known.futures or pair is None or pair.hedge is None:
        return None
    return purpose_of(intent) is Purpose.ENTRY


def _risk(intent: Place) -> str | None:
    """Return `Open LONG` or `Close SHORT` where that can be told."""
    opens, pair = _opens(intent), Pair.parse(intent.pair)
    return None if opens is None or pair is None else f"{'Open' if opens else 'Close'} {pair.hedge}"


def size_of(intent: Place | Close, contract_size: Decimal | None = None) -> str:
    """Return `0.001 BTC`, or `400 contracts of 1,000 DOGE each`."""
    traded = assets_of(intent)[1]
    if contract_size is None:
        return f"{grouped(intent.amount)} {traded}"
    contracts = "contract" if intent.amount == 1 else "contracts"
    return f"{grouped(intent.amount)} {contracts} of {grouped(contract_size)} {traded} each"


def _does(intent: Place | Close, contract_size: Decimal | None) -> str:
    paying, traded = assets_of(intent)
    side = side_of(intent)
    size = size_of(intent, contract_size)
    if isinstance(intent, Close):
        pair = Pair.parse(intent.pair)
        hedge = f"{pair.hedge} " if pair and pair.hedge else ""
        verb = f"Close {size} of the {hedge}position"
    else:
        verb = f"{side.value.capitalize()} {size}"
    ways = " or ".join(_way(leg, paying, traded) for leg in legs_of(intent))
    return f"{verb} {ways}"


def _way(leg: Leg, paying: str, traded: str) -> str:
    if leg.trail is not None:
        # Not more than the call said: what its two prices mean to a live Gunbot, nobody has documented.
        return f"at the market with a trailing stop (prices {_price(leg.trail, paying)} apart),"
    at = "at the market price" if leg.limit is None else f"at {_price(leg.limit, paying)}"
    return at if leg.stop is None else f"{at} once {traded} trades at {_price(leg.stop, paying)}"


def _price(value: Decimal, paying: str) -> str:
    return f"{grouped(value)} {paying}".rstrip()


def _cancel(intent: Cancel, seen: OpenOrder | None, placed: Ticket | None) -> str:
    paying, traded = assets_of(intent)
    at = f"at {_price(intent.price, paying)}"
    where = f"on {intent.exchange} ({intent.pair})"
    order = None if placed is None else placed.order.trade
    if placed is not None and order is not None:
        does = _does(order, placed.contract_size)
        unseen = "" if seen is not None else "; it is not among the open orders that the server sees"
        return f"Cancel order {intent.order_id} {at} {where}, placed here to {does[:1].lower()}{does[1:]}{unseen}"
    if seen is None:
        return f"Cancel order {intent.order_id} {at} {where}; the server cannot see it among the open orders"
    side = f"{seen.side.value} " if seen.side else ""
    amount = f"{grouped(seen.amount)} {traded} " if seen.amount is not None else ""
    return f"Cancel the {seen.kind.replace('_', ' ')} {side}order {intent.order_id}: {amount}{at} {where}"


# What it costs or brings


def worth(intent: Intent, amount: Decimal, asset: str, gets: Proceeds | None = None) -> str:
    """Return the end of the sentence: `, at most 50.05 USDT with fees`. A cancel has no worth: its end is empty.

    `amount` of `asset` is the worst case that limits count; what a sell brings is less.
    """
    if isinstance(intent, Cancel):
        return ""
    spent, verb = ("", "you get") if owns(intent) else ("worth ", "worth")
    if side_of(intent) is Side.BUY:
        return f", {spent}at most {money(amount, asset)} {asset} with fees"
    if gets is None or _opens(intent):  # whoever opens a position wants to know how large it is at most
        return f", worth at most {money(amount, asset)} {asset} with fees"
    fees = "after" if gets.costs is not None else "before"
    if gets.least is None:
        return f", {verb} what the market pays then, {fees} fees"
    least = f"at least {money(gets.least, gets.asset, down=True)}"
    if gets.about is None:
        return f", {verb} {least} {gets.asset} {fees} fees"
    about = f"about {money(gets.about, gets.asset, down=True)} {gets.asset} {fees} fees"
    return f", {verb} {about}, {least} if it slips no more than {_slippage(gets)}"


def _slippage(gets: Proceeds) -> str:
    return f"{grouped(Decimal(0) if gets.costs is None else gets.costs.slippage_percent)} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buttons:
    """What the two decisions are called: "reject" would be said of a cancel as if the order were rejected."""

    approve: str
    touch: str
    approving: str
    reject: str
    rejecting: str


def buttons_of(ticket: Ticket) -> Buttons:
    """Return the words of the two buttons of a ticket; whoever reads `for real` knows that money is at stake."""
    really = " for real" if ticket.live else ""
    if ticket.cancels:
        return Buttons(
            approve=f"Cancel this order{really}",
            touch=f"Sign with your passkey and cancel this order{really}",
            approving="Cancelling…",
            reject="Keep it",
            rejecting="Keeping it…",
        )
    return Buttons(
        approve=f"Approve and send{really}",
        touch=f"Approve with your passkey and send{really}",
        approving="Sending…",
        reject="Reject",
        rejecting="Rejecting…",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """How much money is at stake, in words: `You pay at most`, `50.05 USDT`, `fees included`."""

    word: str
    amount: str
    note: str


def figure_of(ticket: Ticket) -> Figure:
    """Return the figure beside the sentence; it says the same, by the book and the costs that the ticket keeps."""
    intent = ticket.order.intent
    if ticket.notional is None or ticket.asset is None or isinstance(intent, Cancel):
        return Figure(word="Spends", amount="Nothing", note="it only cancels")
    mine = owns(intent)
    most = f"{money(ticket.notional, ticket.asset)} {ticket.asset}"
    gets = proceeds_of(ticket)
    if gets is None or _opens(intent):
        buys = mine and side_of(intent) is Side.BUY
        return Figure(word="You pay at most" if buys else "Worth at most", amount=most, note="fees included")
    verb = "You get" if mine else "Worth"
    fees = "after fees" if gets.costs is not None else "before fees"
    if gets.least is None:
        return Figure(word=verb, amount="The market price", note=f"once it triggers, {fees}")
    least = f"{money(gets.least, gets.asset, down=True)} {gets.asset}"
    if gets.about is None:
        return Figure(word=f"{verb} at least", amount=least, note=fees)
    about = f"{money(gets.about, gets.asset, down=True)} {gets.asset}"
    return Figure(word=f"{verb} about", amount=about, note=f"{fees}; at least {least} at {_slippage(gets)} slippage")
