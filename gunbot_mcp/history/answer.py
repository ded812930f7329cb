"""What `analyze_orders` answers: one text of at most 2 kB and one structured form, each complete by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gunbot_mcp.errors import clean
from gunbot_mcp.history import figures_text as text
from gunbot_mcp.history.analysis import Analysis, Block, Cell, group_label
from gunbot_mcp.history.coverage import Coverage
from gunbot_mcp.history.covered import Counted, covers_facts, covers_line, iso, notes_line
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.metrics.figure import Figure, Unit
from gunbot_mcp.history.metrics.table import METRICS
from gunbot_mcp.history.reasons import reason
from gunbot_mcp.history.sentences import held_lines, summary_lines, top_pair_lines, unmatched_words, worst_day_lines
from gunbot_mcp.history.shapes import Extras, Shape, shape_of_answer
from gunbot_mcp.history.value import Valued
from gunbot_mcp.history.zones import date_of
from gunbot_mcp.render import ROOM, Answer, number, text_table

ROOM_BY_DEFAULT = 2_000
"""How many bytes of text an answer has unless more rows are asked for."""

_BESIDE = 3
_PER_PAIR = ("closes", "wins", "recorded", "fifo_net", "fees")
"""What the summary tells of each pair, in both forms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that an answer is made from. `unknown` are words about keys whose pair does not exist."""

    coverage: Coverage
    analysis: Analysis
    extras: Extras = field(default_factory=Extras)
    valued: Valued | None = None
    unknown: Sequence[str] = ()


def history_answer(told: Told) -> Answer:
    """Return the answer with as many groups as fit."""
    found = told.analysis
    rows = [(block, cell) for block in found.blocks for cell in block.groups]
    limit = found.question.limit
    shape = shape_of_answer(found)
    most = len(rows) if limit is None else min(limit, len(rows))
    room = ROOM_BY_DEFAULT if limit is None else ROOM
    figures = _PER_PAIR if shape is Shape.SUMMARY else found.metrics
    low, high = 0, min(most, room // (2 * len(figures)))  # a figure has two bytes at least, with its comma
    while low < high:  # the most rows that fit, by halves: a table may have thousands
        middle = (low + high + 1) // 2
        if len(_text(told, shape, rows[:middle], len(rows)).encode()) <= room:
            low = middle
        else:
            high = middle - 1
    shown = low if low or not most else min(1, most)
    # The sentence about one pair names the next three, too.
    beside = rows[: shown + _BESIDE] if shape is Shape.TOP_PAIR else rows[:shown]
    return Answer(structured=_structured(told, beside, len(rows)), text=_text(told, shape, rows[:shown], len(rows)))


def counted_of(found: Analysis) -> Counted:
    """Return what an analysis is made from, for the first line."""
    sums = [block.total.sums for block in found.blocks]
    first = [part["first_ms"] for part in sums if part["first_ms"] is not None]
    last = [part["last_ms"] for part in sums if part["last_ms"] is not None]
    known, since = found.first_known_ms, found.question.asked[0]
    return Counted(
        records=found.count,
        first_ms=min(first, default=None),
        last_ms=max(last, default=None),
        zone=found.zone,
        now=found.question.now,
        from_the_start=known is not None and (since is None or since <= known),
        assets=[clean(block.asset, 40) for block in found.blocks],
    )


_Rows = Sequence[tuple[Block, Cell]]


def _text(told: Told, shape: Shape, rows: _Rows, total: int) -> str:
    found = told.analysis
    lines = [covers_line(told.coverage, counted_of(found)), notes_line(told.coverage.notes), *told.unknown]
    if not found.count:
        lines.append(_nothing(told))
        if shape is not Shape.HELD:
            return "\n".join(filter(None, lines))
    if shape is Shape.SUMMARY:
        lines += summary_lines(found)
        lines += _table(found, rows, total, _PER_PAIR)
    elif shape is Shape.TOP_PAIR:
        lines += top_pair_lines(found)
    elif shape is Shape.HELD:
        lines += held_lines(found, told.extras)
    elif shape is Shape.EXTREME_DAY:
        lines += worst_day_lines(found, told.extras)
    elif found.question.groups:
        lines += [_basis(found), *_totals(found), *_table(found, rows, total, found.metrics)]
        lines.append(_left_out(found))
    else:
        lines += [_basis(found), *_values(found), _left_out(found)]
    if told.valued is not None:
        lines += told.valued.lines()
    lines += [_lacking_line(name, count) for name, count in _lacking(found).items()]
    return "\n".join(filter(None, lines))


def _nothing(told: Told) -> str:
    if told.unknown:
        return ""
    if not told.coverage.keys:
        return "No key is known here yet: name the exchange and pair of each, for example binance/USDT-BTC"
    known = told.analysis.first_known_ms
    if known is None:
        return "0 orders are known of these keys" + ("" if told.coverage.complete else " so far")
    at = text.moment(told.analysis.zone, known, told.analysis.question.now)
    return f"0 orders in this range and with these filters; the first one known is of {at}"


def _basis(found: Analysis) -> str:
    method = found.question.method
    if method is None:
        return ""
    return (
        f"pnl and what follows from it: by {method.value.upper() if method is not Method.AVERAGE else 'average'} lots, "
        + ("before fees" if found.question.gross else "after both fees")
    )


def _lacking(found: Analysis) -> dict[str, int]:
    """Return how many records lack a number that the asked figures are made of."""
    counts = {
        "without_pnl": found.question.method is None,
        "without_fees": not _WITH_FEES.isdisjoint(found.metrics) or found.question.method is not None,
    }
    lacking = {name: sum(block.total.sums[name] for block in found.blocks) for name, counts in counts.items() if counts}
    return {name: count for name, count in lacking.items() if count}


_WITH_FEES = frozenset({"fees", "fee_ratio", "break_even", *(f"{method.value}_net" for method in Method)})
_LACKING: Mapping[str, tuple[str, str]] = {
    "without_pnl": ("close", "a recorded pnl: in count only"),
    "without_fees": ("order", "recorded fees: counted as 0"),
}


def _lacking_line(name: str, count: int) -> str:
    what, which = _LACKING[name]
    return f"{count} {what}{'' if count == 1 else 's'} without {which}"


def _left_out(found: Analysis) -> str:
    words = unmatched_words(found)
    return f"By lots, {words} left out" if words else ""


_AFTER = {Unit.SHARE: " %", Unit.FEE: " %", Unit.HOURS: " h"}


def _shown(found: Figure, name: str, asset: str, analysis: Analysis) -> str:
    """Return `60.0 %`, `-30.00 (29 Oct 17:45, e-908)`, `1.65 ± 4.18 (21 days)`, `n/a: 3 days are too few`."""
    metric = METRICS[name]
    if found.value is None:
        return f"n/a: {reason(found, METRICS[name])}"
    shown = text.figure(found, metric.unit, asset) + _AFTER.get(metric.unit, "")
    said = detail_words(found.detail, analysis, asset)
    if "error" in found.detail:
        shown += f" ± {text.places(found.detail['error'], 2)}"
    return f"{shown} ({said})" if said else shown


def detail_words(detail: Mapping[str, Any], found: Analysis, asset: str) -> str:
    """Say when, which record, and on how many days a figure was computed."""
    zone, now = found.zone, found.question.now
    parts: list[str] = []
    if "at_ms" in detail:
        parts += [text.moment(zone, detail["at_ms"], now), clean(detail["id"], 40), clean(detail["key"], 64)]
    if "day" in detail:
        parts.append(text.day(detail["day"], None))
    if "start_ms" in detail:
        start, bottom = (text.moment(zone, detail[at], now) for at in ("start_ms", "bottom_ms"))
        back = detail["recovered_ms"]
        parts.append(f"{start} - {bottom}")
        parts.append(
            f"{text.money(detail['missing'], asset)} missing"
            if back is None
            else f"recovered {text.moment(zone, back, now)}"
        )
    elif "days" in detail:
        parts.append(f"{detail['days']} days")
    if "closes" in detail:
        parts.append(f"{detail['closes']} closes")
    return ", ".join(parts)


def _values(found: Analysis) -> list[str]:
    """Return one line a metric, beneath its asset where there are several."""
    lines: list[str] = []
    for block in found.blocks:
        ahead = f"{clean(block.asset, 40)} " if len(found.blocks) > 1 else ""
        figures = block.total.figures
        lines += [f"{ahead}{name}: {_shown(figures[name], name, block.asset, found)}" for name in found.metrics]
    return lines


def _totals(found: Analysis) -> list[str]:
    lines: list[str] = []
    for block in found.blocks:
        figures = block.total.figures
        parts = [
            f"{name} {text.figure(figures[name], METRICS[name].unit, block.asset)}{_AFTER.get(METRICS[name].unit, '')}"
            for name in found.metrics
            if figures[name].value is not None
        ]
        if parts:
            lines.append(f"All in {clean(block.asset, 40)}: {', '.join(parts)}")
    return lines


_HEADS = {"wins": "won", "recorded": "recorded", "win_rate": "win_rate_%", "fee_ratio": "fee_ratio_%"}


def _table(found: Analysis, rows: _Rows, total: int, names: Sequence[str]) -> list[str]:
    if not rows:
        return []
    several = len(found.blocks) > 1
    weekdays = _weekdays(found)
    heads = [*(["asset"] if several else []), *found.groups, *(["days"] if weekdays else [])]
    heads += [_HEADS.get(name, name) for name in names]
    cells = [
        [
            *([clean(block.asset, 40)] if several else []),
            *(group_label(by, at) for by, at in zip(found.groups, cell.labels, strict=True)),
            *([str(weekdays[cell.labels[found.groups.index("weekday")]])] if weekdays else []),
            *(text.figure(cell.figures[name], METRICS[name].unit, block.asset) for name in names),
        ]
        for block, cell in rows
    ]
    lines = text_table(heads, cells).splitlines()
    reasons = {
        f"{name}: {reason(cell.figures[name], METRICS[name])}"
        for _, cell in rows
        for name in names
        if cell.figures[name].value is None
    }
    if reasons:
        lines.append("n/a " + "; ".join(sorted(reasons)))
    if len(rows) < total:
        lines.append(f"{len(rows)} of {total} rows: for more give limit, or narrow the question")
    return lines


def _weekdays(found: Analysis) -> Mapping[Any, int]:
    """Return how many of each weekday the range has."""
    if "weekday" not in found.groups:
        return {}
    counted = dict.fromkeys(range(7), 0)
    for day in found.zone.dates():
        counted[(day + 3) % 7] += 1
    return counted


def _structured(told: Told, rows: _Rows, total: int) -> dict[str, Any]:
    found = told.analysis
    several = len(found.blocks) > 1
    asked: dict[str, Any] = {
        "covers": covers_facts(told.coverage, counted_of(found)),
        "zone": found.zone.name,
        "since": iso(found.zone, found.zone.since_ms),
        "until": iso(found.zone, found.zone.until_ms),
        "pnl_by": found.question.method.value if found.question.method else "recorded",
        "totals": {block.asset: _numbers(block.total, found.metrics) for block in found.blocks},
    }
    na = {block.asset: part for block in found.blocks if (part := _reasons(block.total, found.metrics))}
    details = {block.asset: part for block in found.blocks if (part := _details(block.total, found))}
    weekdays = _weekdays(found)
    names = _PER_PAIR if shape_of_answer(found) is Shape.SUMMARY else found.metrics
    if found.groups:
        asked["columns"] = [
            *(["asset"] if several else []),
            *found.groups,
            *(["days"] if weekdays else []),
            *names,
        ]
        asked["rows"] = [
            [
                *([block.asset] if several else []),
                *(group_label(by, at) for by, at in zip(found.groups, cell.labels, strict=True)),
                *([weekdays[cell.labels[found.groups.index("weekday")]]] if weekdays else []),
                *_numbers(cell, names).values(),
            ]
            for block, cell in rows
        ]
        row_reasons = [_reasons(cell, names) for _, cell in rows]
        if any(row_reasons):
            asked["rows_na"] = row_reasons
        if len(rows) < total:
            asked["cut"] = {"from_row": 1, "rows": len(rows), "total": total}
    if found.unmatched:
        asked["unmatched"] = [
            {"pair": one.pair, "side": one.side, "amount": number(one.amount), "cost": number(one.cost)}
            for one in found.unmatched[:10]
        ]
    optional = {"na": na, "details": details, **_lacking(found), **told.extras.facts(found)}
    if told.valued is not None:
        optional["value_in"] = told.valued.facts()
    if told.unknown:
        optional["unknown"] = list(told.unknown)
    if not found.count and (said := _nothing(told)):
        optional["note"] = said
    return asked | {name: value for name, value in optional.items() if value}


def _numbers(cell: Cell, names: Sequence[str]) -> dict[str, Any]:
    return {name: _json(cell.figures[name].value) for name in names}


def _json(value: object) -> object:
    return number(value) if isinstance(value, Decimal) else value


def _reasons(cell: Cell, names: Sequence[str]) -> dict[str, str]:
    return {name: na.value for name in names if (na := cell.figures[name].na) is not None}


def _details(cell: Cell, found: Analysis) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in found.metrics:
        detail = cell.figures[name].detail
        if detail:
            told[name] = {key.removesuffix("_ms"): _fact(key, value, found) for key, value in detail.items()}
    return told


def _fact(key: str, value: object, found: Analysis) -> object:
    match value:
        case int() if key.endswith("_ms"):
            return iso(found.zone, value)
        case int() if key == "day":
            return date_of(value).isoformat()
        case _:
            return _json(value)
