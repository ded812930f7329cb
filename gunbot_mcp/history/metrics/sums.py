"""The sums that DuckDB makes, exactly, of all records of a group; Python divides.

A column is SQL over a view of matched records (`history/matched.py`) in which `p` is the pnl that was asked for, null
where a record closes nothing or its pnl is not known. Sums of money are decimals of 18 places: they leave exact.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from gunbot_mcp.history.lots import UNIT
from gunbot_mcp.history.reader import quoted, select
from gunbot_mcp.history.zones import sql_bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from duckdb import DuckDBPyConnection

    from gunbot_mcp.history.question import Only, Question
    from gunbot_mcp.history.zones import Zone

Sums = dict[str, Any]


def _added(one: Any, other: Any) -> Any:  # noqa: ANN401 - whole numbers or decimals
    return one + other


class _Column(NamedTuple):
    """SQL of one figure, and how those of two groups become that of both. `lots`: of the lots' method only."""

    sql: str
    both: Callable[[Any, Any], Any] = _added
    empty: Any = 0


def _money(sql: str) -> _Column:
    return _Column(f"coalesce(sum({sql}), 0)", empty=Decimal(0))


def _money_where(sql: str, where: str) -> _Column:
    return _Column(f"coalesce(sum({sql}) FILTER ({where}), 0)", empty=Decimal(0))


def _known(choose: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def both(one: object, other: object) -> Any:  # noqa: ANN401 - whole numbers, text or None
        return choose(value for value in (one, other) if value is not None) if (one, other) != (None, None) else None

    return both


COLUMNS: Mapping[str, _Column] = {
    "count": _Column("count(*)"),
    "buys": _Column("count(*) FILTER (side = 'buy')"),
    "sells": _Column("count(*) FILTER (side = 'sell')"),
    "amount_bought": _money_where("amount", "side = 'buy'"),
    "amount_sold": _money_where("amount", "side = 'sell'"),
    "volume": _money("cost"),
    "fees": _money("fees"),
    "fee_base": _money_where("cost", "fees IS NOT NULL"),
    "without_fees": _Column("count(*) FILTER (fees IS NULL)"),
    "without_pnl": _Column("count(*) FILTER (closes AND pnl IS NULL)"),
    "closes": _Column("count(p)"),
    "wins": _Column("count(*) FILTER (p > 0)"),
    "losses": _Column("count(*) FILTER (p < 0)"),
    "won": _money_where("p", "p > 0"),
    "lost": _money_where("p", "p < 0"),
    "pnl": _money("p"),
    "recorded": _money_where("pnl", "closes"),
    "basis": _money("basis"),
    "waited": _money("waited"),
    "longest": _Column("coalesce(max(longest), 0)", max),
    "net": _money("net"),
    "gross": _money("gross"),
    "lot_closes": _Column("count(net)"),
    "uncounted": _Column("count(*) FILTER (NOT counted)"),
    "first_ms": _Column("min(time_ms)", _known(min), None),
    "last_ms": _Column("max(time_ms)", _known(max), None),
    "first_pair": _Column("min(name)", _known(min), None),
    "last_pair": _Column("max(name)", _known(max), None),
}

BLOCK = "asset"
"""One block of figures for each paying asset; where a name does not tell it, for each pair."""
PAIR = "name"
"""`exchange/pair`, as a view of matched records calls it."""


def group_sql(by: str, zone: Zone) -> str:
    """Return the SQL of one way to group."""
    return {"pair": PAIR, "exchange": "exchange", "side": "coalesce(side, '')"}.get(by) or sql_bucket(by, zone)


def counted_sql(question: Question, zone: Zone, view: str) -> str:
    """Return the SELECT of the records that count, with their pnl `p` as it is asked for."""
    p = "CASE WHEN closes THEN pnl END"
    if question.method is not None:
        p = "gross" if question.gross else "net"
    return f"({select(f'*, {p} AS p', view, f'WHERE {where_sql(question.only, zone)}')})"


def where_sql(only: Only, zone: Zone) -> str:
    """Return the condition for a record to count."""
    found = [f"time_ms >= {zone.since_ms} AND time_ms < {zone.until_ms}"]
    if only.side is not None:
        found.append(f"side = {quoted(only.side)}")
    for column, sign, bound in (
        ("price", ">=", only.least_price),
        ("price", "<=", only.most_price),
        ("amount", ">=", only.least_amount),
        ("amount", "<=", only.most_amount),
    ):
        if bound is not None:
            found.append(f"{column} {sign} {bound:f}")
    if only.closes:
        found.append("closes")
    if only.by is not None:
        # The ledger's fills are few; a record of theirs is told by key and id.
        named = f"WHERE ticket = {quoted(only.by)} OR client = {quoted(only.by)}"
        fills = select("(key, id)", "fills_by_ticket", "" if only.by in {"bot", "ticket"} else named)
        is_in = "NOT IN" if only.by == "bot" else "IN"
        found.append(f"(key, id) {is_in} ({fills})")
    return " AND ".join(found)


Labels = tuple[str | int, ...]
"""A block's asset, then the groups."""


def sums(
    connection: DuckDBPyConnection, records: str, groups: Iterable[str], columns: Iterable[str]
) -> dict[Labels, Sums]:
    """Return the named columns of each group of the records (SQL).

    Raises:
        duckdb.Error: a sum is 1e20 or more.
    """
    names, by = list(dict.fromkeys(columns)), [BLOCK, *groups]
    grouping = ", ".join(f"{sql} AS g{index}" for index, sql in enumerate(by))
    figures = ", ".join(COLUMNS[name].sql for name in names)
    rows = connection.execute(select(f"{grouping}, {figures}", records, "GROUP BY ALL")).fetchall()
    width = len(by)
    return {tuple(row[:width]): dict(zip(names, row[width:], strict=True)) for row in rows}


def together(parts: Iterable[Sums]) -> Sums:
    """Return the sums of several groups that share no record, as one."""
    found: Sums = {}
    for part in parts:
        for name, value in part.items():
            found[name] = COLUMNS[name].both(found[name], value) if name in found else value
    return found


def nothing(columns: Iterable[str]) -> Sums:
    """Return the sums of no records."""
    return {name: COLUMNS[name].empty for name in columns}


def halves(sql: str) -> str:
    """Return a decimal as two whole numbers, before and behind the point: DuckDB hands those over ten times faster."""
    behind = f"(({sql} - floor({sql}))::DECIMAL(19,18) * 1000000000000000000::DECIMAL(19,0))::BIGINT"
    return f"floor({sql})::BIGINT, {behind}"


def whole(before: int, behind: int) -> int:
    """Return what `halves` gave in units of 1e-18."""
    return before * UNIT + behind
