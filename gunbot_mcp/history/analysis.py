"""One question answered from the mirror: DuckDB sums, Python walks the closes and divides."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from gunbot_mcp.history.lots import Method, Shape, shape_of
from gunbot_mcp.history.metrics.exact import exactly, units
from gunbot_mcp.history.metrics.figure import Facts, Figure, Held
from gunbot_mcp.history.metrics.invested import Timeline
from gunbot_mcp.history.metrics.series import Days, Series
from gunbot_mcp.history.metrics.sums import (
    BLOCK,
    PAIR,
    Labels,
    Sums,
    counted_sql,
    group_sql,
    halves,
    nothing,
    sums,
    together,
    whole,
)
from gunbot_mcp.history.metrics.table import HELD, METRICS, PER_GROUP, SUMMARY, TOP, Need, needed
from gunbot_mcp.history.reader import select
from gunbot_mcp.history.zones import bucket_days, label, sql_day, start_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from duckdb import DuckDBPyConnection

    from gunbot_mcp.history.question import Question
    from gunbot_mcp.history.zones import Zone

TIME = frozenset({"day", "week", "month"})
"""Groups that are a stretch of time."""
_NO_SERIES = frozenset({"hour", "weekday"})
_EVERY = ("count", "first_ms", "last_ms", "without_pnl", "without_fees", "uncounted")


@dataclass(frozen=True, slots=True)
class Cell:
    """One group's figures; `labels` name it, without the block's asset."""

    labels: Labels
    figures: Mapping[str, Figure]
    sums: Sums
    days: Days | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """All figures in one paying asset."""

    asset: str
    total: Cell
    groups: Sequence[Cell]


class Unmatched(NamedTuple):
    """What was closed beyond the known lots: amount of the traded asset, and what it cost or brought."""

    pair: str
    traded: str | None
    side: str
    amount: Decimal
    cost: Decimal
    asset: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """The answer in figures. `zone` holds the range that counted; `first_known_ms` the first record of the keys."""

    question: Question
    zone: Zone
    metrics: tuple[str, ...]
    groups: tuple[str, ...]
    blocks: Sequence[Block]
    first_known_ms: int | None
    unmatched: Sequence[Unmatched] = field(default_factory=list[Unmatched])

    @property
    def count(self) -> int:
        return sum(block.total.sums["count"] for block in self.blocks)


def view_of(method: Method) -> str:
    """Return the view of records matched by this method (`matched.Kept.attach`)."""
    return f"matched_{method.value}"


def methods_of(question: Question) -> list[Method]:
    """Return the methods whose views a question needs; FIFO always."""
    _, _, lots = needed(_names(question))
    methods = {Method.FIFO, question.method, *lots}
    return [method for method in Method if method in methods]


def _names(question: Question) -> tuple[str, ...]:
    names = question.metrics or (SUMMARY if not question.groups else TOP if _is_top(question) else PER_GROUP)
    if not question.groups and set(names) <= set(HELD):
        names = HELD
    elif not question.groups and names in {("worst_day",), ("best_day",)}:
        names = (*names, "max_drawdown")
    extra = () if question.sort is None or question.sort.lstrip("-") in names else (question.sort.lstrip("-"),)
    return (*names, *extra)


def _is_top(question: Question) -> bool:
    return question.groups == ("pair",) and question.limit == 1 and question.sort is not None


def analyse(connection: DuckDBPyConnection, question: Question) -> Analysis:
    """Return what the matched views of a connection say (`methods_of` names those that must be there).

    Raises:
        duckdb.Error: a sum is too large to be exact.
    """
    return _Run(connection, question).result()


class _Run:
    def __init__(self, connection: DuckDBPyConnection, question: Question) -> None:
        self._connection = connection
        self._question = question
        self._names = _names(question)
        self._groups = question.groups or (() if question.metrics else ("pair",))
        self._columns, self._needs, self._lot_columns = needed(self._names)
        row = connection.execute(select("min(time_ms)", view_of(Method.FIFO))).fetchone()
        self._first = row[0] if row else None
        self._zone = question.range_from(self._first)
        self._view = view_of(question.method or Method.FIFO)
        self._records = self._counted(self._view)
        self._of_lots: Mapping[Method, Mapping[Labels, Sums]] = {}
        self._of_days: Mapping[Labels, Sequence[tuple[int, int]]] = {}
        self._of_series: Mapping[Labels, Series] = {}
        self._of_time: Mapping[Labels, Timeline] = {}
        self._of_held: Mapping[Labels, Mapping[int | None, Held]] = {}

    def _counted(self, view: str) -> str:
        return counted_sql(self._question, self._zone, view)

    def result(self) -> Analysis:
        found = self._sums(self._records, {*_EVERY, *self._columns, *self._own_lots()})
        self._look(found)
        blocks: list[Block] = []
        for asset in sorted({labels[0] for labels in found}, key=str):
            cells = {labels: part for labels, part in found.items() if labels[0] == asset}
            total = self._cell((asset,), together(cells.values()))
            groups = [self._cell(at, part) for at, part in cells.items()]
            blocks.append(Block(str(asset), total, self._sorted(groups) if self._groups else []))
        return Analysis(self._question, self._zone, self._names, self._groups, blocks, self._first, self._unmatched())

    def _look(self, found: dict[Labels, Sums]) -> None:
        """Look at what the metrics need beyond the sums."""
        self._of_lots, self._of_days, self._of_series = self._lots(found), self._days(), self._series()
        self._of_time, self._of_held = self._timelines(), self._held()

    # Sums

    def _sums(self, records: str, columns: Iterable[str]) -> dict[Labels, Sums]:
        return sums(self._connection, records, [group_sql(by, self._zone) for by in self._groups], sorted(columns))

    def _own_lots(self) -> set[str]:
        """Return the columns of lots that come with the records' own sums: where both are of one view."""
        return self._lot_columns.get(self._question.method or Method.FIFO, set())

    def _lots(self, own: dict[Labels, Sums]) -> dict[Method, dict[Labels, Sums]]:
        return {
            method: own if view_of(method) == self._view else self._sums(self._counted(view_of(method)), columns)
            for method, columns in self._lot_columns.items()
        }

    # Closes and days

    def _days(self) -> dict[Labels, list[tuple[int, int]]]:
        """Return the days with a close of each group and each block: (day, pnl)."""
        if Need.DAYS not in self._needs:
            return {}
        by = [BLOCK, *(group_sql(by, self._zone) for by in self._groups), sql_day(self._zone)]
        listed = ", ".join(f"{sql} AS g{index}" for index, sql in enumerate(by))
        rows = self._connection.execute(
            select(f"{listed}, sum(p)", self._records, "WHERE p IS NOT NULL GROUP BY ALL")
        ).fetchall()
        found: dict[Labels, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for *labels, day, pnl in rows:
            for at in {tuple(labels), (labels[0],)}:
                found[at][day] += units(pnl)
        return {labels: sorted(days.items()) for labels, days in found.items()}

    def _series(self) -> dict[Labels, Series]:
        if Need.SERIES not in self._needs:
            return {}
        by = [BLOCK, *(group_sql(by, self._zone) for by in self._groups)]
        listed = ", ".join(f"{sql} AS g{index}" for index, sql in enumerate(by))
        cursor = self._connection.execute(
            select(
                f"{listed}, time_ms, {halves('p')}, key, id",
                self._records,
                "WHERE p IS NOT NULL ORDER BY time_ms, closes, key, place",
            )
        )
        found: dict[Labels, Series] = {}
        width = len(by)
        while rows := cursor.fetchmany(20_000):
            for row in rows:
                at, before, behind, key, record = row[width:]
                pnl = whole(before, behind)
                labels = row[:width]
                self._series_of(found, labels).add(at, pnl, key, record)
                if width > 1:
                    self._series_of(found, labels[:1]).add(at, pnl, key, record)
        return found

    def _series_of(self, found: dict[Labels, Series], labels: Labels) -> Series:
        series = found.get(labels)
        if series is None:
            capital = None if self._question.capital is None else units(self._question.capital)
            series = found[labels] = Series(self._bounds(labels)[0], capital)
        return series

    # Open lots

    def _timelines(self) -> dict[Labels, Timeline]:
        """Return what was invested in each group of pairs; filters do not touch it."""
        if Need.INVESTED not in self._needs or not self._is_of_pairs():
            return {}
        kept = [by for by in self._groups if by not in TIME]
        by = [BLOCK, *(group_sql(by, self._zone) for by in kept)]
        listed = ", ".join(f"{sql} AS g{index}" for index, sql in enumerate(by))
        change = halves("sum(opened_cost - coalesce(basis, 0))")
        rows = self._connection.execute(
            select(
                f"{listed}, time_ms, {change}",
                view_of(Method.FIFO),
                f"WHERE time_ms < {self._zone.until_ms} GROUP BY ALL ORDER BY time_ms",
            )
        ).fetchall()
        changes: dict[Labels, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for *labels, at, before, behind in rows:
            for group in {tuple(labels), (labels[0],)}:
                changes[group][at] += whole(before, behind)
        return {labels: Timeline(list(found.items())) for labels, found in changes.items()}

    def _is_of_pairs(self) -> bool:
        """Whether each group is some pairs, over some stretch of time."""
        return not (_NO_SERIES | {"side"}) & set(self._groups)

    def _held(self) -> dict[Labels, dict[int | None, Held]]:
        """Return the open lots of each pair at the end, or at the end of each bucket of time that changed them."""
        if Need.HELD not in self._needs or not self._is_of_pairs():
            return {}
        time = next((by for by in self._groups if by in TIME), None)
        bucket = "NULL::INTEGER" if time is None else group_sql(time, self._zone)
        parts = ", ".join(
            halves(f"sum({sql})")
            for sql in (
                "opened - coalesce(matched, 0)",
                "opened_cost - coalesce(basis, 0)",
                "opened_fees - coalesce(opening, 0)",
                "CASE side WHEN 'buy' THEN amount WHEN 'sell' THEN -amount ELSE 0 END",
            )
        )
        rows = self._connection.execute(
            select(
                f"{PAIR}, any_value(exchange), any_value(pair), {bucket} AS bucket, {parts}",
                self._view,
                f"WHERE time_ms < {self._zone.until_ms} GROUP BY {PAIR}, bucket ORDER BY bucket",
            )
        ).fetchall()
        rates = self._connection.execute(
            select(
                f"{PAIR}, coalesce(sum(fees) FILTER (cost IS NOT NULL), 0), "
                "coalesce(sum(cost) FILTER (fees IS NOT NULL), 0)",
                self._view,
                "GROUP BY ALL",
            )
        ).fetchall()
        fee = {pair: Fraction(fees) / Fraction(cost) if cost else Fraction(0) for pair, fees, cost in rates}
        state: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        found: dict[Labels, dict[int | None, Held]] = defaultdict(dict)
        for pair, exchange, name, at, *numbers in rows:
            for index in range(4):
                state[pair][index] += whole(*numbers[2 * index : 2 * index + 2])
            amount, cost, fees, net = state[pair]
            shape = shape_of(exchange, name)
            shape = Shape.SHORT if shape is Shape.SIGNED and net < 0 else shape
            found[(pair,)][at] = Held(shape, amount, cost, fees, fee[pair])
        return found

    def _unmatched(self) -> list[Unmatched]:
        if not self._lot_columns and self._question.method is None and Need.LOTS not in self._needs:
            return []
        rows = self._connection.execute(
            select(
                f"{PAIR}, any_value(traded), side, sum(unmatched), coalesce(sum(unmatched_cost), 0), "
                f"any_value({BLOCK})",
                self._records,
                f"WHERE unmatched > 0 AND counted GROUP BY {PAIR}, side ORDER BY ALL",
            )
        ).fetchall()
        return [
            Unmatched(pair, traded, side or "", exactly(units(amount)), exactly(units(cost)), asset)
            for pair, traded, side, amount, cost, asset in rows
        ]

    # One group

    def _bounds(self, labels: Labels) -> tuple[int, int]:
        """Return the stretch of time of a group, cut to the range."""
        since, until = self._zone.since_ms, self._zone.until_ms
        for by, value in zip(self._groups, labels[1:], strict=False):
            if by in TIME:
                first, after = bucket_days(by, int(value))
                spans = self._zone.day_spans()
                since, until = max(since, start_of(spans, first)), min(until, start_of(spans, after))
        return since, until

    def _cell(self, labels: Labels, found: Sums) -> Cell:
        since, until = self._bounds(labels)
        total = len(labels) == 1 and bool(self._groups)
        pair = found.get("first_pair") if found.get("first_pair") == found.get("last_pair") else None
        of_lots = {method: self._lots_at(labels, method, found, total=total) for method in self._of_lots}
        in_time = [by in TIME for by in self._groups] if not total else []
        no_time = (labels[0], *(at for at, timed in zip(labels[1:], in_time, strict=False) if not timed))
        timeline = self._of_time.get(no_time)
        facts = Facts(
            asset=str(labels[0]),
            sums=found,
            lots=of_lots,
            series=self._of_series.get(labels),
            days=self._days_of(labels) if Need.DAYS in self._needs else None,
            invested=None if timeline is None else timeline.over(since, until),
            held=self._held_at(pair, labels),
            is_series=total or not _NO_SERIES & set(self._groups),
            until_ms=until,
            capital=self._question.capital,
            pair=pair,
            counted=not found.get("uncounted"),
        )
        figures = {name: METRICS[name].value(facts) for name in self._names}
        return Cell(labels[1:], figures, found, facts.days)

    def _lots_at(self, labels: Labels, method: Method, own: Sums, *, total: bool) -> Sums:
        if view_of(method) == self._view:
            return own
        every = self._of_lots[method]
        return _of_block(every, labels[0]) if total else every.get(labels, nothing(self._lot_columns[method]))

    def _days_of(self, labels: Labels) -> Days:
        since, until = self._bounds(labels)
        count = len(replace(self._zone, since_ms=since, until_ms=until).dates())
        return Days(count, self._of_days.get(labels, ()))

    def _held_at(self, pair: str | None, labels: Labels) -> Held | None:
        found = self._of_held.get((pair,)) if pair is not None else None
        if not found:
            return None
        time = next((int(at) for by, at in zip(self._groups, labels[1:], strict=False) if by in TIME), None)
        if time is None:
            return list(found.values())[-1]
        earlier = [state for at, state in found.items() if at is not None and at <= time]
        return earlier[-1] if earlier else None

    def _sorted(self, cells: Sequence[Cell]) -> list[Cell]:
        ordered = sorted(cells, key=lambda cell: tuple(map(_sortable, cell.labels)))
        sort = self._question.sort
        if sort is None:
            return ordered
        name, down = sort.lstrip("-"), sort.startswith("-")
        known = [cell for cell in ordered if cell.figures[name].value is not None]
        known.sort(key=lambda cell: cell.figures[name].value or 0, reverse=down)
        return [*known, *(cell for cell in ordered if cell.figures[name].value is None)]


def _sortable(at: str | int) -> tuple[int, int | str]:
    return (0, at) if isinstance(at, int) else (1, at)


def _of_block(every: Mapping[Labels, Sums], asset: object) -> Sums:
    return together(part for labels, part in every.items() if labels[0] == asset)


def group_label(by: str, at: str | int) -> str:
    """Return a group's name for people and models."""
    return label(by, at) if isinstance(at, int) else at
