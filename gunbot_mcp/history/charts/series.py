"""The series of each chart, by exact sums over the view `orders`.

A curve of more points than can be seen is thinned: of each share of its time the lowest, the highest and the last
point stay, each with its exact value. Nothing is averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gunbot_mcp.errors import InvalidArguments, clean
from gunbot_mcp.history.charts.chart import Chart, Kind, Mark, Panel, Point, day_text, time_text
from gunbot_mcp.history.charts.numbers import amount_text
from gunbot_mcp.history.reader import select
from gunbot_mcp.history.zones import DAY_MS, Zone, bucket_days, date_of, day_start, label, sql_bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from duckdb import DuckDBPyConnection

_SHARES = 100
_MOST_ROWS = 16
_MOST_FILLS = 300
_MOST_PANELS = 3
_MOST_NAMES = 2
_MOST_DAYS, _MOST_WEEKS = 92, 92 * 7
# Among records of one time openings come first, and ids are compared as numbers where they are such.
_ORDER = "time_ms, closes, key, TRY_CAST(id AS HUGEINT) NULLS LAST, id"
_RANGE = "time_ms >= $since AND time_ms < $until"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is drawn: records of [since, until) in milliseconds, days of `zone`, one paying asset (None: the main)."""

    since_ms: int
    until_ms: int
    zone: str = "UTC"
    asset: str | None = None


def series(kind: Kind, connection: DuckDBPyConnection, scope: Scope) -> Chart:
    """Return a chart's series; empty where nothing is in its range.

    Raises:
        InvalidArguments: the keys hold no such asset, or fills of several pairs are asked for.
    """
    return _SERIES[kind](connection, scope)


def _found(connection: DuckDBPyConnection, sql: str, scope: Scope, **more: object) -> list[tuple[Any, ...]]:
    asked = {"since": scope.since_ms, "until": scope.until_ms, "zone": scope.zone, "asset": scope.asset, **more}
    return connection.execute(sql, {name: value for name, value in asked.items() if f"${name}" in sql}).fetchall()


def _asset(connection: DuckDBPyConnection, scope: Scope) -> tuple[str, str]:
    """Return the paying asset that is drawn, and a word about the others: two assets are never added up."""
    sql = select("coalesce(paying, '?'), count(*)", "orders", f"WHERE {_RANGE} GROUP BY 1 ORDER BY 2 DESC, 1")
    assets = [str(row[0]) for row in _found(connection, sql, scope)]
    if scope.asset is None:
        chosen = assets[0] if assets else "?"
        others = [name for name in assets if name != chosen]
        return chosen, f"only what is paid in {chosen}; there is also {', '.join(others)} (asset)" if others else ""
    if scope.asset not in assets:
        known = f"paid in {', '.join(assets)}" if assets else "empty"
        raise InvalidArguments(
            f"nothing here is paid in {clean(scope.asset, 20)}", f"the asked range is {known}; leave asset out"
        )
    return scope.asset, ""


def _names(connection: DuckDBPyConnection, scope: Scope, asset: str | None) -> str:
    """Say which keys are in a chart: by name, or how many."""
    one = f"WHERE {_RANGE} AND ($asset IS NULL OR coalesce(paying, '?') = $asset)"
    sql = select("DISTINCT key", "orders", one)
    keys = sorted(str(row[0]) for row in _found(connection, sql, scope, asset=asset))
    return ", ".join(keys) if len(keys) <= _MOST_NAMES else f"{len(keys)} pairs"


def _pnl(connection: DuckDBPyConnection, scope: Scope) -> Chart:
    asset, note = _asset(connection, scope)
    closing = select(
        f"*, sum(pnl) OVER (ORDER BY {_ORDER} ROWS UNBOUNDED PRECEDING) AS total, "
        f"row_number() OVER (ORDER BY {_ORDER}) AS n",
        "orders",
        f"WHERE closes AND pnl IS NOT NULL AND {_RANGE} AND coalesce(paying, '?') = $asset",
    )
    falling = select(
        "*, greatest(0, max(total) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING)) - total AS fallen, "
        f"n * {_SHARES} // (count(*) OVER () + 1) AS share",
        f"({closing})",
    )
    seen = """
        QUALIFY row_number() OVER (PARTITION BY share ORDER BY n DESC) = 1
            OR row_number() OVER (PARTITION BY share ORDER BY total, n) = 1
            OR row_number() OVER (PARTITION BY share ORDER BY total DESC, n) = 1
            OR row_number() OVER (ORDER BY fallen DESC, n) = 1
        ORDER BY n
    """
    sql = select("time_ms, total, fallen, pnl, key", f"({falling})", seen)
    rows = _found(connection, sql, scope, asset=asset)
    at, money = scope.zone, _money(asset)
    start = Point(scope.since_ms, Decimal(0), f"{day_text(scope.since_ms, at)}: start")
    curve = [Point(ms, total, f"{time_text(ms, at)}: {money(total)} ({money(pnl)})") for ms, total, _, pnl, _ in rows]
    drop = [Point(ms, -fallen, f"{time_text(ms, at)}: {money(-fallen)}") for ms, _, fallen, _, _ in rows]
    totals = [Decimal(0), *(row[1] for row in rows)]
    return Chart(
        title=f"Cumulative pnl and drawdown, {asset}",
        scope=_names(connection, scope, asset),
        zone=scope.zone,
        first_ms=scope.since_ms,
        last_ms=scope.until_ms,
        panels=(
            Panel(mark=Mark.CURVE, unit=asset, points=[start, *curve] if curve else []),
            Panel(mark=Mark.DROP, unit=f"drawdown, {asset}", points=[start, *drop] if drop else [], share=0.4),
        ),
        spark=totals if rows else [],
        columns=["time", "pnl", "drawdown"],
        asset=asset,
        rows=[[time_text(row[0], at), row[1], row[2]] for row in _few(rows)],
        facts=[*_pnl_facts(rows, scope, money), *filter(None, [note])],
    )


def _pnl_facts(rows: Sequence[tuple[Any, ...]], scope: Scope, money: Callable[[Decimal], str]) -> list[str]:
    if not rows:
        return []
    at = scope.zone
    high, low, drop = (
        max(rows, key=lambda row: row[1]),
        min(rows, key=lambda row: row[1]),
        max(rows, key=lambda row: row[2]),
    )
    fell = f"largest drop {money(drop[2]).removeprefix('+')}, at its bottom {time_text(drop[0], at)}"
    return [
        f"end {money(rows[-1][1])} as Gunbot recorded it",
        f"highest {money(high[1])} on {time_text(high[0], at)}, lowest {money(low[1])} on {time_text(low[0], at)}",
        fell if drop[2] else "it never fell",
    ]


def _money(asset: str) -> Callable[[Decimal], str]:
    return lambda amount: amount_text(amount, asset, signed=True)


_STEPS: Mapping[str, int] = {"day": 1, "week": 7, "month": 30}


def _days(connection: DuckDBPyConnection, scope: Scope) -> Chart:
    asset, note = _asset(connection, scope)
    days = (scope.until_ms - scope.since_ms) / DAY_MS
    step = "day" if days <= _MOST_DAYS else "week" if days <= _MOST_WEEKS else "month"
    zone = Zone(scope.zone, scope.since_ms, scope.until_ms)
    sql = select(
        f"{sql_bucket(step, zone)} AS bucket, coalesce(sum(pnl) FILTER (WHERE closes), 0), coalesce(sum(cost), 0), "
        "count(*)",
        "orders",
        f"WHERE {_RANGE} AND coalesce(paying, '?') = $asset GROUP BY 1 ORDER BY 1",
    )
    rows = _found(connection, sql, scope, asset=asset)
    money = _money(asset)
    spans = [bucket_days(step, row[0]) for row in rows]
    starts = [max(scope.since_ms, day_start(scope.zone, date_of(first))) for first, _ in spans]
    named = [label(step, row[0]) for row in rows]
    gains = [Point(ms, row[1], f"{name}: {money(row[1])}") for ms, name, row in zip(starts, named, rows, strict=True)]
    volume = [
        Point(ms, row[2], f"{name}: {amount_text(row[2], asset)}, {row[3]} orders")
        for ms, name, row in zip(starts, named, rows, strict=True)
    ]
    best, worst = (pick(rows, key=lambda row: row[1], default=None) for pick in (max, min))
    made, moved = (sum((row[at] for row in rows), Decimal(0)) for at in (1, 2))
    facts = [f"sum {money(made)} as Gunbot recorded it, volume {amount_text(moved, asset)}"]
    if best is not None and worst is not None:
        facts.append(
            f"best {step} {label(step, best[0])} {money(best[1])}, worst {label(step, worst[0])} {money(worst[1])}"
        )
    width = _STEPS[step] * DAY_MS
    return Chart(
        title=f"Pnl and volume per {step}, {asset}",
        scope=_names(connection, scope, asset),
        zone=scope.zone,
        first_ms=scope.since_ms,
        last_ms=max([scope.until_ms, *(ms + width * 17 // 20 for ms in starts)]),
        panels=(
            Panel(mark=Mark.GAINS, unit=f"pnl, {asset}", points=gains, width_ms=width),
            Panel(mark=Mark.BARS, unit=f"volume, {asset}", points=volume, share=0.5, width_ms=width),
        ),
        spark=[row[1] for row in rows],
        columns=[step, "pnl", "volume", "orders"],
        asset=asset,
        rows=[[label(step, row[0]), *row[1:]] for row in rows[-_MOST_ROWS:]],
        facts=[*facts, *_cut(len(rows), step), *filter(None, [note])] if rows else [],
    )


def _cut(count: int, step: str) -> list[str]:
    return [f"the table has the last {_MOST_ROWS} of {count} {step}s"] if count > _MOST_ROWS else []


def _fills(connection: DuckDBPyConnection, scope: Scope) -> Chart:
    sql = select(
        "key, any_value(paying), any_value(traded), count(*)",
        "orders",
        f"WHERE {_RANGE} AND ($asset IS NULL OR paying = $asset) GROUP BY 1 ORDER BY 4 DESC, 1",
    )
    pairs = _found(connection, sql, scope)
    if len(pairs) > 1:
        raise InvalidArguments(
            f"fills are drawn on the price of one pair, and these are {len(pairs)}",
            f'keys, for example {{"keys": ["{clean(pairs[0][0], 64)}"]}}',
        )
    key, paying, traded, count = pairs[0] if pairs else ("", None, None, 0)
    own = f"WHERE {_RANGE} AND key = $key"
    numbered = select(f"*, row_number() OVER (ORDER BY {_ORDER}) AS n", "orders", own)
    drawn = f"""
        WHERE $count <= {_MOST_FILLS} OR n * {_MOST_FILLS} // $count <> (n - 1) * {_MOST_FILLS} // $count
            OR price = ({select("max(price)", "orders", own)}) OR price = ({select("min(price)", "orders", own)})
        ORDER BY n
    """
    sql = select("time_ms, price, side, amount, n", f"({numbered})", drawn)
    rows = _found(connection, sql, scope, key=key, count=count)
    unit = f"{paying} per {traded}" if paying and traded else "price"
    points = [
        Point(
            ms,
            price,
            f"{time_text(ms, scope.zone)}: {side or 'record'} {_plain(amount, traded)} at {_price(price)}",
            side or "",
        )
        for ms, price, side, amount, _ in rows
    ]
    facts: list[str] = []
    if rows:
        high, low = max(rows, key=lambda row: row[1]), min(rows, key=lambda row: row[1])
        bought = sum(row[2] == "buy" for row in rows)
        most = f"highest {_price(high[1])} on {time_text(high[0], scope.zone)}"
        least = f"lowest {_price(low[1])} on {time_text(low[0], scope.zone)}"
        some = f", {len(rows)} of them drawn" if len(rows) < count else f", {bought} of them buys"
        facts = [f"{count} fills{some}", f"{most}, {least}"]
    return Chart(
        title=f"Fills on the price, {unit}",
        scope=key,
        zone=scope.zone,
        first_ms=scope.since_ms,
        last_ms=scope.until_ms,
        panels=(Panel(mark=Mark.FILLS, unit=unit, points=points),),
        spark=[row[1] for row in rows],
        columns=["time", "side", "price", "amount"],
        rows=[[time_text(row[0], scope.zone), row[2], row[1], row[3]] for row in rows[-_MOST_ROWS:]],
        facts=[*facts, *([f"the table has the last {_MOST_ROWS}"] if len(rows) > _MOST_ROWS else [])],
    )


def _plain(amount: Decimal | None, asset: str | None) -> str:
    return "" if amount is None else f"{amount_text(amount, '')} {asset or ''}".strip()


def _price(price: Decimal) -> str:
    return amount_text(price, "")


def _holdings(connection: DuckDBPyConnection, scope: Scope) -> Chart:
    sql = select(
        "key, any_value(traded), any_value(hedge), bool_or(side = 'sell' AND NOT closes AND hedge IS NULL), "
        f"list(time_ms ORDER BY {_ORDER}), list(side ORDER BY {_ORDER}), list(amount ORDER BY {_ORDER})",
        "orders",
        "WHERE time_ms < $until AND amount IS NOT NULL AND side IS NOT NULL "
        "AND ($asset IS NULL OR paying = $asset) GROUP BY 1 ORDER BY sum(cost) DESC NULLS LAST, 1",
    )
    pairs = _found(connection, sql, scope)
    panels: list[Panel] = []
    rows: list[list[object]] = []
    spark: list[Decimal] = []
    for key, traded, hedge, nets, times, sides, amounts in pairs:
        held = _held(times, sides, amounts, short=hedge == "SHORT", nets=bool(nets))
        before = [value for ms, value in held if ms < scope.since_ms]
        first = (scope.since_ms, before[-1] if before else Decimal(0))
        inside = _thin([first, *(point for point in held if point[0] >= scope.since_ms)])
        asset = f"{traded or '?'}{' short' if hedge == 'SHORT' else ' long' if hedge == 'LONG' else ''}"
        if len(panels) < _MOST_PANELS:
            points = [Point(ms, value, f"{time_text(ms, scope.zone)}: {_plain(value, asset)}") for ms, value in inside]
            panels.append(Panel(mark=Mark.CURVE, unit=asset, points=points, share=0.6))
        spark = spark or [value for _, value in inside]
        values = [value for _, value in inside]
        if len(rows) < _MOST_ROWS:
            rows.append([key, asset, values[0], min(values), max(values), values[-1]])
    left = len(pairs) - len(panels)
    return Chart(
        title="Holdings over time",
        scope=str(pairs[0][0]) if len(pairs) == 1 else f"{len(pairs)} pairs" if pairs else "",
        zone=scope.zone,
        first_ms=scope.since_ms,
        last_ms=scope.until_ms,
        panels=tuple(panels),
        spark=spark,
        columns=["key", "asset", "at the start", "least", "most", "at the end"],
        rows=rows,
        facts=[
            "by the known fills alone: what was held before the first of them is not in it",
            *([f"drawn are the {_MOST_PANELS} with the most volume; {left} more pairs"] if left > 0 else []),
        ]
        if pairs
        else [],
    )


def _held(
    times: Sequence[int], sides: Sequence[str], amounts: Sequence[Decimal], *, short: bool, nets: bool
) -> list[tuple[int, Decimal]]:
    """Return what is held after each fill; what is closed beyond it opens nothing, unless the position is a net one."""
    found: list[tuple[int, Decimal]] = []
    held = Decimal(0)
    opens = "sell" if short else "buy"
    for ms, side, amount in zip(times, sides, amounts, strict=True):
        held += amount if side == opens else -amount
        if not nets:
            held = max(held, Decimal(0))
        found.append((ms, held))
    return found


def _thin(points: Sequence[tuple[int, Decimal]]) -> list[tuple[int, Decimal]]:
    """Return at most three points of each share: the lowest, the highest, the last."""
    if len(points) <= 3 * _SHARES:
        return list(points)
    size = -(-len(points) // _SHARES)
    kept: set[int] = {0}
    for start in range(0, len(points), size):
        share = range(start, min(start + size, len(points)))
        kept |= {share[-1], min(share, key=lambda at: points[at][1]), max(share, key=lambda at: points[at][1])}
    return [points[at] for at in sorted(kept)]


def _few(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return at most two dozen rows, the last of each equal share."""
    count = min(len(rows), _MOST_ROWS)
    return [rows[(at + 1) * len(rows) // count - 1] for at in range(count)]


_SERIES: Mapping[Kind, Callable[[DuckDBPyConnection, Scope], Chart]] = {
    Kind.PNL: _pnl,
    Kind.DAYS: _days,
    Kind.FILLS: _fills,
    Kind.HOLDINGS: _holdings,
}
