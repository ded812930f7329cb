"""`get_positions`: what is held now, by balances, core memory and lots of the history, each marked by its source."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import anyio
import anyio.to_thread
from pydantic import Field, WithJsonSchema

from gunbot_mcp.arguments import Args, Exchange
from gunbot_mcp.domain import Effect, Pair
from gunbot_mcp.errors import GatewayError, GunbotMcpError, clean
from gunbot_mcp.gunbot.balances import Balance
from gunbot_mcp.gunbot.deadline import seconds_left
from gunbot_mcp.gunbot.holding import PairState
from gunbot_mcp.history import figures_text as text
from gunbot_mcp.history.analysis import Analysis, Cell
from gunbot_mcp.history.asking import look
from gunbot_mcp.history.coverage import Coverage
from gunbot_mcp.history.covered import Counted, covers_line
from gunbot_mcp.history.lots import Shape, shape_of
from gunbot_mcp.history.metrics.table import HELD
from gunbot_mcp.render import Answer, instant, number, table_answer
from gunbot_mcp.tools.history import AnalyzeArgs, question_of
from gunbot_mcp.tools.tool import TABLE_OUTPUT, Audience, Context, Tool

LONGEST_READ = 15.0
"""How many seconds one call waits for Gunbot's pages."""
_SHARE = 0.5
SHOWN = 12
_COLUMNS = ("source", "exchange", "held", "amount", "average", "break_even", "unrealised", "value")
_NAMED = 5


class PositionsArgs(Args):
    exchange: Annotated[Exchange | None, Field(description="default all")] = None
    value_in: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z0-9]+$", max_length=20),
        WithJsonSchema({"type": "string", "description": "asset to value all in, at prices now", "examples": ["USDT"]}),
    ] = None
    limit: Annotated[int, Field(ge=1, le=500, description="largest shown")] = SHOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One line: `held` names an asset (a balance) or a pair; a short amount is negative; None: not known."""

    source: str
    exchange: str
    held: str
    amount: Decimal
    average: Decimal | None = None
    break_even: Decimal | None = None
    unrealised: Decimal | None = None
    value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """What one unit of an asset is worth in `asset`, by the pairs in Gunbot's memory; the exchange's own first."""

    asset: str | None
    states: Mapping[str, PairState]
    used: dict[str, Decimal] = field(default_factory=dict[str, Decimal])

    def of(self, exchange: str, wanted: str) -> Decimal | None:
        if self.asset is None:
            return None
        if wanted == self.asset:
            return Decimal(1)
        others = sorted({key.partition("/")[0] for key in self.states} - {exchange})
        for place in (exchange, *others):
            for pair, upside_down in ((f"{self.asset}-{wanted}", False), (f"{wanted}-{self.asset}", True)):
                state = self.states.get(f"{place}/{pair}")
                if state is not None and state.middle:
                    price = 1 / state.middle if upside_down else state.middle
                    self.used[f"{place}/{pair}"] = state.middle
                    return price
        return None


async def _positions(context: Context, args: PositionsArgs) -> Answer:
    balances = [one for one in await context.gunbot.balances() if args.exchange in {None, one.exchange}]
    notes: list[str] = []
    states: Mapping[str, PairState] = {}
    try:
        states = (await context.gunbot.all_open_orders()).states
    except GatewayError as exc:
        notes.append(f"Prices are not known: {exc.message}")
    first, lots = await _lots(context)
    prices = Prices(args.value_in, states)
    found = [*_of_balances(balances, prices), *_of_lots(lots, args, prices)]
    found += _of_memory(states, args, found, prices)
    found.sort(key=lambda one: _rank(one, args.value_in))
    return _answer(args, prices, found, [first, *notes])


_SOURCES = ("lots", "memory", "balance")


def _rank(one: Position, asset: str | None) -> tuple[bool, bool, Decimal, int, str, str]:
    """What is exposed comes first, the largest first; what is held in the asset itself last."""
    size = -abs(one.value or Decimal(0))
    return (one.held == asset, one.value is None, size, _SOURCES.index(one.source), one.exchange, one.held)


async def _lots(context: Context) -> tuple[str, Analysis | None]:
    """Return what the history covers in words, and its open lots (FIFO); the words say where there is none."""
    try:
        mirror = context.mirror()
        coverage = await mirror.ready(None, within=min(LONGEST_READ, seconds_left() * _SHARE), max_age=10)
        keys = [one.key for one in coverage.keys]
        asked = AnalyzeArgs.model_validate({"group_by": ["pair"], "metrics": list(HELD)})
        question = question_of(asked, coverage.read_at)
        reader = await anyio.to_thread.run_sync(mirror.reader, keys)
        work = functools.partial(look, reader, question, mirror.place.path("matched"), context.contracts)
        found, _ = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    except GunbotMcpError as exc:
        return f"Lots are not known: {exc.message}", None
    return _covers(coverage, found), found


def _covers(coverage: Coverage, found: Analysis) -> str:
    firsts = [one.first_ms for one in coverage.keys if one.first_ms is not None]
    lasts = [one.last_ms for one in coverage.keys if one.last_ms is not None]
    counted = Counted(
        records=coverage.records,
        first_ms=min(firsts, default=None),
        last_ms=max(lasts, default=None),
        zone=found.zone,
        now=coverage.read_at,
        from_the_start=True,
    )
    return covers_line(coverage, counted)


def _of_balances(balances: Sequence[Balance], prices: Prices) -> Iterator[Position]:
    for one in balances:
        amount = (one.available or Decimal(0)) + (one.on_order or Decimal(0))
        if not amount:
            continue
        price = prices.of(one.exchange, one.asset)
        value = None if price is None else amount * price
        yield Position(source="balance", exchange=one.exchange, held=one.asset, amount=amount, value=value)


def _of_lots(found: Analysis | None, args: PositionsArgs, prices: Prices) -> Iterator[Position]:
    for block in found.blocks if found else ():
        for cell in block.groups:
            exchange, _, pair = str(cell.labels[0]).partition("/")
            if args.exchange in {None, exchange}:
                yield from _of_cell(cell, block.asset, exchange, pair, prices)


def _of_cell(cell: Cell, asset: str, exchange: str, pair: str, prices: Prices) -> Iterator[Position]:
    held, cost = (_decimal(cell, name) for name in ("held", "held_cost"))
    if not held or cost is None:
        return
    average, break_even = (_decimal(cell, name) for name in ("average_price", "break_even"))
    signed = shape_of(exchange, pair) is Shape.SIGNED
    # One position, long or short: what it must be closed at with fees tells which; without fees nothing here does.
    short = pair.endswith("-SHORT") or bool(signed and average and break_even and break_even < average)
    amount = -abs(held) if short else held
    state = prices.states.get(f"{exchange}/{pair}")
    middle = None if state is None or (signed and average == break_even) else state.middle
    rate = prices.of(exchange, asset)
    yield Position(
        source="lots",
        exchange=exchange,
        held=pair,
        amount=amount,
        average=average,
        break_even=break_even,
        unrealised=None if middle is None else amount * middle - (-cost if short else cost),
        value=None if middle is None or rate is None else amount * middle * rate,
    )


def _decimal(cell: Cell, name: str) -> Decimal | None:
    value = cell.figures[name].value
    return None if value is None else Decimal(value)


def _of_memory(
    states: Mapping[str, PairState], args: PositionsArgs, found: Sequence[Position], prices: Prices
) -> list[Position]:
    """Return what Gunbot itself says is held of a pair, where no balance says it already: of hedge pairs, mostly."""
    told = {(one.exchange, one.held) for one in found if one.source == "balance"}
    more: list[Position] = []
    for key, state in states.items():
        exchange, _, name = key.partition("/")
        pair = Pair.parse(name)
        if not state.held or args.exchange not in {None, exchange}:
            continue
        if pair is not None and pair.hedge is None and (exchange, pair.traded) in told:
            continue
        amount = -abs(state.held) if pair is not None and pair.hedge == "SHORT" else state.held
        rate = None if pair is None else prices.of(exchange, pair.paying)
        value = None if rate is None or state.middle is None else amount * state.middle * rate
        more.append(Position(source="memory", exchange=exchange, held=name, amount=amount, value=value))
    return more


def _answer(args: PositionsArgs, prices: Prices, found: Sequence[Position], notes: Sequence[str]) -> Answer:
    shown = found[: args.limit]
    said = [*filter(None, notes), *_sums(prices, found)]
    left = len(found) - len(shown)
    said.append(
        "Zero ones are left out. Lots (FIFO) and memory say again what spot balances hold; unrealised is before fees, "
        "in the pair's paying asset" + (f". {left} smaller ones not shown (limit)" if left else "")
    )
    rows = [
        [
            *(one.source, one.exchange, one.held),
            *map(_rounded, (one.amount, one.average, one.break_even, one.unrealised, one.value)),
        ]
        for one in shown
    ]
    facts = {
        "value_in": args.value_in,
        "sums": {name: number(_rounded(value)) for name, value in _totals(found, args.value_in).items()},
        "at": instant(datetime.now(UTC)),
        "positions": len(found),
    }
    return table_answer("\n".join(said), _COLUMNS, rows, facts if args.value_in else {"positions": len(found)})


def _rounded(value: Decimal | None) -> Decimal | None:
    """Return what people can use: ten significant digits."""
    return None if value is None else +Decimal(f"{value:.10g}")


def _totals(found: Sequence[Position], asset: str | None) -> dict[str, Decimal]:
    def total(source: str, *, but: str | None = None, sign: int = 0) -> Decimal:
        values = [one.value for one in found if one.source == source and one.held != but and one.value is not None]
        return sum((value for value in values if not sign or value * sign > 0), Decimal(0))

    # Sorted so that what Gunbot itself says of a pair stands last.
    told = sorted(filter(_is_hedge, found), key=lambda one: one.source == "memory")
    hedged = {(one.exchange, one.held): one.value for one in told if one.value is not None}
    return {
        "hedge_long": sum((value for value in hedged.values() if value > 0), Decimal(0)),
        "hedge_short": sum((value for value in hedged.values() if value < 0), Decimal(0)),
        "balances": total("balance"),
        "exposure": total("balance", but=asset),
        "lots_long": total("lots", sign=1),
        "lots_short": total("lots", sign=-1),
    }


def _is_hedge(one: Position) -> bool:
    """Whether this is a position beside the balances; where lots and memory both tell it, the last one counts."""
    pair = Pair.parse(one.held)
    return one.source != "balance" and pair is not None and pair.hedge is not None


def _sums(prices: Prices, found: Sequence[Position]) -> Iterator[str]:
    """Yield the sums in words, then the prices that they were made with, and what has none."""
    asset = prices.asset
    if asset is None:
        return
    sums = {name: text.money(value, asset) for name, value in _totals(found, asset).items()}
    short = f", short {sums['lots_short']}" if sums["lots_short"].startswith("-") else ""
    hedged = any(map(_is_hedge, found))
    beside = f"; hedge pairs long {sums['hedge_long']}, short {sums['hedge_short']}" if hedged else ""
    yield (
        f"All in {asset}: balances {sums['balances']}, of that open exposure in other assets {sums['exposure']}; "
        f"lots long {sums['lots_long']}{short}{beside}"
    )
    without = list(dict.fromkeys(one.held for one in found if one.value is None))
    if without:
        more = f" and {len(without) - _NAMED} more" if len(without) > _NAMED else ""
        named = ", ".join(clean(name, 40) for name in without[:_NAMED])
        yield f"WITHOUT {named}{more}: no active pair tells a price in {asset}"
    used = [f"{clean(key, 64)} {text.price(price)}" for key, price in prices.used.items()]
    more = f" and {len(used) - _NAMED} more" if len(used) > _NAMED else ""
    if used:
        yield f"Prices of now ({instant(datetime.now(UTC))}, Gunbot's last cycle): {', '.join(used[:_NAMED])}{more}"


_OUTPUT = {
    **TABLE_OUTPUT,
    "properties": {**TABLE_OUTPUT["properties"], "sums": {"type": "object"}, "positions": {"type": "integer"}},
}

# Unannotated like the table of endpoints, and for the same reason.
POSITION_TOOLS = (
    Tool(
        name="get_positions",
        title="Get positions",
        about="What is held now and what it is worth: balances, hedge pairs, open lots; largest first.",
        args=PositionsArgs,
        output=_OUTPUT,
        effect=Effect.READ,
        audience=Audience.MODEL,
        handler=_positions,
    ),
)
