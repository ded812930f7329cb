"""The sentences for what people ask most: how did I do, which pair lost most, what is held, what was the worst day."""

from collections.abc import Mapping, Sequence
from datetime import date

from gunbot_mcp.errors import clean
from gunbot_mcp.history import figures_text as text
from gunbot_mcp.history.analysis import Analysis, Block, Cell, Unmatched
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.metrics.exact import exactly
from gunbot_mcp.history.metrics.figure import Figure, Na
from gunbot_mcp.history.metrics.table import METRICS
from gunbot_mcp.history.reasons import reason
from gunbot_mcp.history.shapes import DayClose, Extras
from gunbot_mcp.history.zones import DAY_MS, date_of
from gunbot_mcp.render import text_table

_SAID = 3
"""How many of a kind one sentence names."""


class _Say:
    """One cell's figures as text."""

    def __init__(self, cell: Cell, asset: str) -> None:
        self._cell, self._asset = cell, asset

    def __call__(self, name: str) -> str:
        return text.figure(self._cell.figures[name], METRICS[name].unit, self._asset)

    def why(self, name: str) -> str:
        return reason(self._cell.figures[name], METRICS[name])

    def known(self, name: str) -> bool:
        return self._cell.figures[name].value is not None


def title(found: Analysis) -> str:
    """Return what the range is called: `October 2026`, `29 Oct 2026`, `12 Oct 2026 - 2 Nov 2026`."""
    zone = found.zone
    if zone.until_ms <= zone.since_ms:
        return zone.name
    asked_since, asked_until = found.question.asked
    since = zone.since_ms if asked_since is None else asked_since
    until = zone.until_ms if asked_until is None else asked_until
    first, last = (date_of((at + _offset(found, at)) // DAY_MS) for at in (since, until - 1))
    after = date_of((until + _offset(found, until)) // DAY_MS)
    if first.day == 1 and after.day == 1 and (first.year, first.month) == (last.year, last.month):
        return f"{first:%B %Y}"
    if first == last:
        return _date(first)
    return f"{_date(first)} - {_date(last)}"


def _offset(found: Analysis, at: int) -> int:
    offset = found.zone.text(at).utcoffset()
    return 0 if offset is None else int(offset.total_seconds() * 1000)


def _date(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def summary_lines(found: Analysis) -> list[str]:
    """Return the four sentences of the one asset; of several a table, which names each figure once for all of them."""
    if len(found.blocks) > 1:
        return _summary_table(found)
    lines: list[str] = []
    for block in found.blocks:
        say = _Say(block.total, block.asset)
        lines += [
            f"{title(found)}: {say('recorded')} as Gunbot recorded it; {_by_fifo(found, block, say)}",
            _closes_sentence(block, say) + _by_whom(found),
            *_days_sentence(found, block, say),
            _volume_sentence(block, say),
        ]
    return lines


def _summary_table(found: Analysis) -> list[str]:
    """Return a line for each figure, with a column for each asset."""
    columns = [_summary_cells(found, block) for block in found.blocks]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    told = [row for row in rows if any(row[1:])]
    return text_table([title(found), *(clean(block.asset, 40) for block in found.blocks)], told).splitlines()


def _summary_cells(found: Analysis, block: Block) -> Mapping[str, str]:
    """Return one asset's figures by their names, empty where there is nothing to say."""
    say, figures = _Say(block.total, block.asset), block.total.figures

    def known(name: str, said: str) -> str:
        return said if say.known(name) else f"n/a: {say.why(name)}"

    def day(name: str) -> str:
        return f"{text.day(figures[name].detail['day'], year)} {say(name)}" if say.known(name) else ""

    year = found.zone.text(found.zone.until_ms - 1).year
    closed, fall = figures["closes"].value, figures["max_drawdown"]
    # All assets share one range.
    days = next((days for each in found.blocks if (days := each.total.figures["sharpe"].detail.get("days"))), 0)
    return {
        "as Gunbot recorded it": say("recorded"),
        "by FIFO with all fees": known("fifo_net", say("fifo_net")),
        **{f"{what} (left out by FIFO)": _unmatched_of(found, block.asset, side) for side, what in _UNMATCHED.items()},
        f"closes{_by_whom(found)}": say("closes"),
        "won / lost / flat": f"{say('wins')} / {say('losses')} / {say('flat')}" if closed else "",
        "won %": say("win_rate") if closed else "",
        "average win": say("average_win") if say.known("average_win") else "",
        "average loss": say("average_loss") if say.known("average_loss") else "",
        "profit factor": known("profit_factor", say("profit_factor")) if closed else "",
        "best day": day("best_day"),
        "worst day": day("worst_day"),
        "largest drop": (say("max_drawdown") if fall.detail else "never fell") if closed else "",
        "from - to": _from_to(found, fall) if fall.detail else "",
        "then": _after_fall(found, fall, block.asset) if fall.detail else "",
        "volume": say("volume"),
        "fees": say("fees"),
        "fees %": say("fee_ratio") if say.known("fee_ratio") else "",
        f"Sharpe{f' of {days} days' if days else ''}": known("sharpe", f"{say('sharpe')} ± {say('sharpe_error')}"),
    }


_UNMATCHED = {"sell": "sold without a known purchase", "buy": "bought without a known sale"}


def _unmatched_of(found: Analysis, asset: str, side: str) -> str:
    """Return `0.004 BTC; 0.01 ETH; 3 more pairs`."""
    told = [one for one in found.unmatched if one.asset == asset and (one.side == "sell") == (side == "sell")]
    more = [f"{len(told) - _SAID} more pairs"] if len(told) > _SAID else []
    return "; ".join([*(_amount_words(one) for one in told[:_SAID]), *more])


def _amount_words(one: Unmatched) -> str:
    return f"{text.amount(one.amount)} {clean(one.traded or one.pair, 40)}"


def _by_whom(found: Analysis) -> str:
    method = found.question.method
    if method is None:
        return ""
    return f" (by {method.value} lots, {'before fees' if found.question.gross else 'after fees'})"


def _by_fifo(found: Analysis, block: Block, say: _Say) -> str:
    words = unmatched_words(found, block.asset)
    left_out = f" ({words} left out)" if words else ""
    if not say.known("fifo_net"):
        return f"by FIFO n/a: {say.why('fifo_net')}{left_out}"
    return f"{say('fifo_net')} by FIFO with all fees{left_out}"


def unmatched_words(found: Analysis, asset: str | None = None) -> str:
    """Return `0.004 BTC sold without a known purchase`, empty where every close found its lot."""
    told = [one for one in found.unmatched if asset is None or one.asset == asset]
    words = [f"{_amount_words(one)} {_UNMATCHED['sell' if one.side == 'sell' else 'buy']}" for one in told[:_SAID]]
    more = f" and of {len(told) - _SAID} more pairs" if len(told) > _SAID else ""
    return ", ".join(words) + more


def _closes_sentence(block: Block, say: _Say) -> str:
    count = block.total.figures["closes"].value
    if not count:
        return "Nothing was closed"
    noun = "close" if count == 1 else "closes"
    averages = [
        f"{word} {say(name)}" for word, name in (("win", "average_win"), ("loss", "average_loss")) if say.known(name)
    ]
    average = f"; average {', '.join(averages)}" if averages else ""
    factor = (
        f"; profit factor {say('profit_factor')}" if say.known("profit_factor") else f"; {say.why('profit_factor')}"
    )
    won = f"{say('wins')} won, {say('losses')} lost, {say('flat')} flat ({say('win_rate')} %)"
    return f"{say('closes')} {noun}: {won}{average}{factor}"


def _days_sentence(found: Analysis, block: Block, say: _Say) -> list[str]:
    figures = block.total.figures
    if figures["best_day"].value is None:
        return []
    year = found.zone.text(found.zone.until_ms - 1).year
    best, worst = (f"{text.day(figures[name].detail['day'], year)} {say(name)}" for name in ("best_day", "worst_day"))
    return [f"Best day {best}, worst {worst}. {fall_words(found, figures['max_drawdown'], say('max_drawdown'), block)}"]


def fall_words(found: Analysis, figure: Figure, amount: str, block: Block) -> str:
    """Return `Largest drop 40.04, 19 Oct 00:15 - 29 Oct 17:45, not recovered (25.81 missing)`."""
    if not figure.detail:
        return "Cumulative pnl never fell"
    return f"Largest drop {amount}, {_from_to(found, figure)}, {_after_fall(found, figure, block.asset)}"


def _from_to(found: Analysis, fall: Figure) -> str:
    start, bottom = (text.moment(found.zone, fall.detail[at], found.question.now) for at in ("start_ms", "bottom_ms"))
    return f"{start} - {bottom}"


def _after_fall(found: Analysis, fall: Figure, asset: str) -> str:
    back = fall.detail["recovered_ms"]
    if back is None:
        return f"not recovered ({text.money(fall.detail['missing'], asset)} missing)"
    return f"recovered {text.moment(found.zone, back, found.question.now)}"


def _volume_sentence(block: Block, say: _Say) -> str:
    figures = block.total.figures
    ratio = f" ({say('fee_ratio')} %)" if say.known("fee_ratio") else ""
    said = f"Volume {say('volume')}, fees {say('fees')}{ratio}. "
    if not say.known("sharpe"):
        return f"{said}Sharpe n/a: {say.why('sharpe')}"
    return f"{said}Sharpe {say('sharpe')} ± {say('sharpe_error')} ({figures['sharpe'].detail['days']} days)"


def top_pair_lines(found: Analysis) -> list[str]:
    """Return the first pair by the sort, and what the others did."""
    lines: list[str] = []
    down = (found.question.sort or "").startswith("-")
    for block in found.blocks:
        if not block.groups:
            continue
        first, *others = block.groups
        say = _Say(first, block.asset)
        which = "best" if down else "worst"
        extreme = first.figures[which]
        one = ""
        if extreme.value is not None:
            at = text.moment(found.zone, extreme.detail["at_ms"], found.question.now)
            one = f"; {which} {say(which)} on {at} ({clean(extreme.detail['id'], 40)})"
        closes = first.figures["closes"].value
        noun = "close" if closes == 1 else "closes"
        lots = f"{say('fifo_net')} by FIFO with fees" if say.known("fifo_net") else f"FIFO n/a: {say.why('fifo_net')}"
        lines.append(
            f"{clean(first.labels[0], 64)}: {say('recorded')} {clean(block.asset, 40)} recorded, {lots}; "
            f"{say('closes')} {noun}, {say('wins')} won{one}"
        )
        lines.append(_other_pairs(block, others))
    return lines


def _other_pairs(block: Block, others: Sequence[Cell]) -> str:
    def both(cell: Cell) -> str:
        say = _Say(cell, block.asset)
        return f"{say('recorded')} / {say('fifo_net')}"

    if not others:
        return f"It is the only pair in {clean(block.asset, 40)}"
    if len(others) == 1:
        value = others[0].figures["recorded"].value or 0
        did = "won" if value > 0 else "lost" if value < 0 else "came out even"
        return f"The only other pair, {clean(others[0].labels[0], 64)}, {did}: {both(others[0])}"
    named = ", ".join(f"{clean(cell.labels[0], 64)} {both(cell)}" for cell in others[:_SAID])
    more = f" and {len(others) - _SAID} more" if len(others) > _SAID else ""
    return f"Next: {named}{more}"


def held_lines(found: Analysis, extras: Extras) -> list[str]:
    """Return what is held of the one pair, by the asked method, then by the others, then Gunbot's own prices."""
    if not found.blocks:
        return []
    [block] = found.blocks
    method = found.question.method or Method.FIFO
    pair = str(block.total.sums["first_pair"])
    figures = extras.held.get(method) or block.total.figures
    held = figures["held"]
    own = _own_line(extras)
    if held.value is None:
        return [f"Held on {clean(pair, 64)}: n/a: {reason(held, METRICS['held'])}", own]
    if not held.value:
        return [f"Nothing is held on {clean(pair, 64)} by the known records", own]
    traded = pair.partition("/")[2].split("-")[1:2] or [pair]
    short = pair.endswith("-SHORT")
    money = text.figure(figures["held_cost"], METRICS["held_cost"].unit, block.asset)
    fee = text.percent(held.detail["fee"], 1)
    name = "average" if method is Method.AVERAGE else method.value.upper()
    first = (
        f"Held {text.figure(held, METRICS['held'].unit, block.asset)} {clean(traded[0], 40)} on {clean(pair, 64)}, "
        f"{'sold' if short else 'bought'} for {money} {clean(block.asset, 40)}: {_prices(figures, words=True)} "
        f"({name}, fee {fee} % each way)"
    )
    others = [
        f"{'average' if one is Method.AVERAGE else one.value.upper()} {_prices(each)}"
        for one, each in extras.held.items()
        if one is not method and each["held"].value
    ]
    return [first, f"Others: {', '.join(others)}" if others else "", own]


def _prices(figures: Mapping[str, Figure], *, words: bool = False) -> str:
    average, even = (text.figure(figures[name], METRICS[name].unit, "") for name in ("average_price", "break_even"))
    return f"average {average}, break-even {even}" if words else f"{average} / {even}"


_OWN = {"inventory_cost": "FIFO, no fee", "ABP": "cheapest sold first, with fees"}


def _own_line(extras: Extras) -> str:
    if not extras.own:
        explained = ", ".join(f"{name} ({about})" for name, about in _OWN.items())
        return f"Gunbot's own, where the newest record has them: {explained}"
    told = ", ".join(f"{name} {text.price(value)} ({_OWN[name]})" for name, value in extras.own.items())
    return f"Gunbot's own, of the newest record: {told}"


def _named(closes: Sequence[DayClose]) -> str:
    """Return `binance/USDT-BTC, 500109, 500110; bybit/…`: each key once."""
    ids: dict[str, list[str]] = {}
    for one in closes:
        ids.setdefault(clean(one.key, 64), []).append(clean(one.id, 40))
    return "; ".join(", ".join((key, *found)) for key, found in ids.items())


def _made_up(closed: Sequence[tuple[int, int]], day: int) -> str:
    """Say on which day the pnl since a losing day had made up for it, empty where it has not."""
    left = sum(pnl for at, pnl in closed if at == day)
    for at, pnl in sorted(closed):
        if at > day and left < 0:
            left += pnl
            if left >= 0:
                return f", which made up for it on {text.day(at, date_of(day).year)}"
    return ""


def worst_day_lines(found: Analysis, extras: Extras) -> list[str]:
    """Return the extreme day, what was closed then, where it stands in the largest fall, and the next such days."""
    if not found.blocks:
        return []
    [block] = found.blocks
    [name] = found.question.metrics
    figure, days, fall = block.total.figures[name], block.total.days, block.total.figures["max_drawdown"]
    if figure.value is None or days is None or figure.na is Na.NO_CLOSES:
        return [f"No such day: {reason(figure, METRICS[name])}"]
    day = figure.detail["day"]
    named = _named(extras.closes[:_SAID])
    more = f" and {extras.close_count - _SAID} more" if extras.close_count > _SAID else ""
    noun = "close" if extras.close_count == 1 else "closes"
    said = text.figure(figure, METRICS[name].unit, block.asset)
    line = f"{_date(date_of(day))}: {said} {clean(block.asset, 40)}, {extras.close_count} {noun} ({named}{more})"
    year = date_of(day).year
    following = exactly(sum(pnl for at, pnl in days.closed if at > day))
    after = f"Since then {text.pnl(following, block.asset)}{_made_up(days.closed, day)}"
    if name == "worst_day" and fall.detail and found.zone.day_of(fall.detail["bottom_ms"]) == day:
        began = text.moment(found.zone, fall.detail["start_ms"], found.question.now)
        amount = text.figure(fall, METRICS["max_drawdown"].unit, block.asset)
        line += f". The low of a drop of {amount} that began {began}"
        back = fall.detail["recovered_ms"]
        after += (
            f"; {text.money(fall.detail['missing'], block.asset)} missing to the peak"
            if back is None
            else f"; back at the peak {text.moment(found.zone, back, found.question.now)}"
        )
    ordered = sorted(days.closed, key=lambda one: (one[1] if name == "worst_day" else -one[1], one[0]))
    others = [
        f"{text.day(at, year)} {text.pnl(exactly(pnl), block.asset)}"
        for at, pnl in ordered[1:]
        if (pnl < 0) == (name == "worst_day") and pnl
    ][:2]
    return [line, after + (f". Next: {', '.join(others)}" if others else "")]
