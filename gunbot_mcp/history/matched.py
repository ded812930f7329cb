"""The history with what each record closed beside it: computed once a key and method, kept in a file for the next time.

A file holds one key's records, with the columns of `orders` that metrics need and those of
`lots.Match` (`waited` as cost times thousands of seconds). Its name carries the names of the mirror's files that it was
made from: those are written once and never again, so it is right as long as it is found. Where no file can be kept, the
same rows are made for this question alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import groupby, repeat
from typing import TYPE_CHECKING, NamedTuple, cast

from gunbot_mcp.domain import EXACT, decimal_text, to_decimal
from gunbot_mcp.exchanges import Amounts, amounts_of
from gunbot_mcp.files import private_folder
from gunbot_mcp.history.lots import UNIT, Fill, Match, Method, match, shape_of
from gunbot_mcp.history.reader import orders_sql, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

logger = logging.getLogger(__name__)

VERSION = 2
"""Of the columns and of how they are computed; a file of another version is made anew."""
MATCHED = "matched"
"""The folder for them, beside the mirror's own files."""
_AT_ONCE = 2
"""Keys whose lots are matched at the same time: what one needs in memory is needed so often."""
_GROUP = 8192
"""Records in a group of a file, which DuckDB reads or leaves out by its times. Smaller ones cost more to look through
than they save: each has a line for each column at the file's end."""
_OLD_SECONDS = 60.0
"""When a file of an older generation is removed: nobody who lists files reads for longer."""

_NUMBER = "TRY_CAST(CASE WHEN regexp_full_match(id, '[0-9]{1,38}') THEN id END AS HUGEINT)"
_BY_ID = f"{_NUMBER} NULLS LAST, id"
"""Digits by value, and before text."""


class _Part(NamedTuple):
    """What is computed at one time: the files of one key, or all of them where keys share records."""

    name: str
    files: tuple[str, ...]
    shared: bool


class Kept:
    """The folder for such files; None keeps nothing. `sizes` are those of contracts, by `exchange/pair`."""

    def __init__(self, folder: Path | None, sizes: Mapping[str, Decimal] | None = None) -> None:
        self._folder = folder
        self._sizes = dict(sizes or {})

    def attach(
        self, connection: DuckDBPyConnection, files: Sequence[Path], *, shared: bool, method: Method, view: str
    ) -> None:
        """Make the view: all records of these files of the mirror, matched by this method."""
        found: list[str] = []
        made = 0
        parts = list(_parts(files, shared=shared))
        for part, path in zip(parts, self._all_kept(connection, parts, method), strict=True):
            if path is None:
                _compute(connection, part, method, self._sizes)
                table = f"{view}_{made}"
                connection.execute(f"CREATE TEMP TABLE {table} AS {_COMPUTED}")
                found.append(f"SELECT * FROM {table}")  # noqa: S608 - as above
                made += 1
            else:
                found.append(f"SELECT * FROM {quoted(str(path))}")  # noqa: S608 - a quoted path from this package
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {_union(connection, found)}")

    def _all_kept(
        self, connection: DuckDBPyConnection, parts: Sequence[_Part], method: Method
    ) -> Sequence[Path | None]:
        """Return the file of each part, made where it is not there yet; None where none can be kept."""
        paths = [self._path(part, method) for part in parts]
        missing = [(part, path) for part, path in zip(parts, paths, strict=True) if path and not path.exists()]
        if not missing:
            return paths

        # Python matches the lots of one key; meanwhile DuckDB reads and writes those of another.
        def made(one: tuple[_Part, Path]) -> Path | None:
            part, path = one
            with connection.cursor() as own:  # with temporary tables of its own
                _compute(own, part, method, self._sizes)
                return self._keep(own, path)

        with ThreadPoolExecutor(_AT_ONCE) as workers:
            kept = dict(zip((path for _, path in missing), workers.map(made, missing), strict=True))
        return [kept.get(path, path) if path else None for path in paths]

    def _path(self, part: _Part, method: Method) -> Path | None:
        if self._folder is None:
            return None
        sizes = [f"{key} {decimal_text(size)}" for key, size in sorted(self._sizes.items())]
        made_of = hashlib.sha256("\n".join([*part.files, *sizes]).encode()).hexdigest()[:24]
        return self._folder / f"{part.name}.{method.value}.{VERSION}.{made_of}.parquet"

    def _keep(self, connection: DuckDBPyConnection, path: Path) -> Path | None:
        """Write what was computed, whole or not at all; None where it cannot be kept."""
        import duckdb

        draft = path.with_name(f"draft-{secrets.token_hex(8)}")
        try:
            private_folder(path.parent)
            # The rows come in the order of time: in small groups of them, a question about a month finds its own.
            to = f"TO {quoted(str(draft))} (FORMAT parquet, ROW_GROUP_SIZE {_GROUP})"
            connection.execute(f"COPY ({_COMPUTED}) {to}")
            draft.chmod(0o600)
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)  # never over a file that somebody reads
        except (OSError, duckdb.IOException) as exc:
            logger.warning("lots are computed anew for each question: they cannot be kept: %s", exc)
            return None
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
        _remove_older(path)
        return path


def _parts(files: Sequence[Path], *, shared: bool) -> Iterator[_Part]:
    """Yield the files of each key, which lie in a folder of its own."""
    paths = sorted(map(str, files))  # of ten years of many keys there are thousands
    if shared:
        yield _Part("shared", tuple(paths), shared=True)
        return
    for folder, found in groupby(paths, key=os.path.dirname):
        yield _Part(hashlib.sha256(folder.encode()).hexdigest()[:16], tuple(found), shared=False)


def _remove_older(path: Path) -> None:
    name, method, *_ = path.name.split(".")
    for file in path.parent.glob(f"{name}.{method}.*.parquet"):
        with contextlib.suppress(OSError):
            if file != path and time.time() - file.stat().st_mtime > _OLD_SECONDS:
                file.unlink()


def _union(connection: DuckDBPyConnection, found: Sequence[str]) -> str:
    """Return one SELECT; all files in one list where all are files, which is read in parallel."""
    if not found:
        _compute(connection, _Part("", (), shared=False), Method.FIFO, {})
        connection.execute(f"CREATE OR REPLACE TEMP TABLE nothing AS {_COMPUTED}")
        return "SELECT * FROM nothing"
    paths = [one.removeprefix("SELECT * FROM ") for one in found]
    if all(path.startswith("'") for path in paths):
        return f"SELECT * FROM read_parquet([{', '.join(paths)}])"  # noqa: S608 - quoted paths from this package
    return " UNION ALL ".join(found)


def _joined(before: str, behind: str) -> str:
    """Return the decimal that two lists of whole numbers are, as SQL."""
    money = "DECIMAL(38,18)"
    return f"({before}::{money} + ({behind}::DECIMAL(19,0) * 0.000000000000000001::DECIMAL(19,18))::{money})"


_COLUMNS = "key, exchange, pair, paying, traded, id, time_ms, side, price, amount, cost, fees, pnl, closes"


def _compute(connection: DuckDBPyConnection, part: _Part, method: Method, sizes: Mapping[str, Decimal]) -> None:
    """Make the tables of one part from which `_COMPUTED` selects."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE ordered AS SELECT {_COLUMNS}, cost_given, "  # noqa: S608 - names and quoted paths from this package
        f"row_number() OVER (ORDER BY time_ms, closes, key, {_BY_ID}) - 1 AS place "
        f"FROM ({orders_sql(part.files, shared=part.shared)})"
    )
    _to_assets(connection, sizes)
    _fill_costs(connection)
    _make_lists(connection)
    pairs = connection.execute("SELECT DISTINCT exchange, pair FROM ordered ORDER BY ALL").fetchall()
    connection.execute("CREATE OR REPLACE TEMP TABLE kinds (exchange VARCHAR, pair VARCHAR, counted BOOLEAN)")
    for exchange, pair in pairs:
        counted = f"{exchange}/{pair}" in sizes or amounts_of(exchange, pair)[0] is Amounts.ASSET
        connection.execute("INSERT INTO kinds VALUES (?, ?, ?)", [exchange, pair, counted])
        _match_pair(connection, exchange, pair, method)


def _match_pair(connection: DuckDBPyConnection, exchange: str, pair: str, method: Method) -> None:
    money = ["amount", "cost", "fees", *(["price"] if method is Method.HIFO else [])]
    listed = ", ".join(
        # One text a column: a number that becomes an object on its way costs three times as much.
        f"list({column} ORDER BY place)::VARCHAR"
        for column in ("place", "time_ms", _SIDES, *(f"coalesce({name}, 0)" for name in money))
    )
    row = connection.execute(
        f"SELECT {listed} FROM ordered WHERE exchange = ? AND pair = ?",  # noqa: S608 - our own names
        [exchange, pair],
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    places, times, sides = (_small_numbers(text) for text in row[:3])
    amounts, costs, fees, *prices = (_whole_numbers(text) for text in row[3:])
    rates = prices[0] if prices else repeat(0)
    buys, closes = [_BUYS[side] for side in sides], [side >= _CLOSING for side in sides]
    # Plain tuples: a million named ones would take a second more.
    fills = cast("list[Fill]", list(zip(times, buys, closes, amounts, costs, fees, rates, strict=False)))
    found = match(fills, shape_of(exchange, pair), method)
    if found:
        _insert(connection, places, fills, found)


_CLOSING = 3
_SIDES = f"CASE side WHEN 'buy' THEN 1 WHEN 'sell' THEN 2 ELSE 0 END + CASE WHEN closes THEN {_CLOSING} ELSE 0 END"
_BUYS = (None, True, False) * 2


def _small_numbers(text: str) -> list[int]:
    """Return the whole numbers of a list's text."""
    return json.loads(text)


def _whole_numbers(text: str) -> list[int]:
    """Return the decimals of a list's text in units of 1e-18."""
    return list(map(int, text[1:-1].replace(".", "").split(", ")))


_WAIT_CUT = 10**6
"""Cost is kept times thousands of seconds: times milliseconds, a sum of years would not fit."""


def _insert(
    connection: DuckDBPyConnection, places: Sequence[int], fills: Sequence[Fill], found: Sequence[Match]
) -> None:
    """Hand over what was matched, as lists of whole numbers; what found only a share of its lots, or none, apart."""
    columns: list[list[int]] = [list(column) for column in zip(*found, strict=True)]
    at, matched, basis, opening, waited, longest, opened = columns
    lists: list[Sequence[int]] = [[places[index] for index in at], *_split(basis), *_split(opening)]
    lists += [*_split([value // _WAIT_CUT for value in waited]), longest]
    _hand_over(connection, "lists", lists)
    parts: list[tuple[int, int, int, int, int]] = []
    for index, share, more in zip(at, matched, opened, strict=True):
        _, _, _, amount, cost, fees, _ = fills[index]
        if share != amount:
            # Only a share of it found lots: the same share of what it brought, and of its fee.
            proceeds, closing = cost * share // amount, fees * share // amount
            parts.append((places[index], share, more, proceeds, closing))
    if parts:
        place, *shares = [list(column) for column in zip(*parts, strict=True)]
        lists = [place, *(half for column in shares for half in _split(column))]
        _hand_over(connection, "parts", lists)


def _hand_over(connection: DuckDBPyConnection, table: str, lists: Sequence[Sequence[int]]) -> None:
    """Append columns of whole numbers, each as one text: a list would become an object a number on its way."""
    columns = ", ".join(["""unnest(from_json(?, '["BIGINT"]'))"""] * len(lists))
    connection.execute(f"INSERT INTO {table} SELECT {columns}", [str(list(column)) for column in lists])


_LISTS = ("place", "basis", "basis_", "opening", "opening_", "waited", "waited_", "longest")
_PARTS = ("place", "matched", "matched_", "opened", "opened_", "proceeds", "proceeds_", "closing", "closing_")


def _make_lists(connection: DuckDBPyConnection) -> None:
    for table, names in (("lists", _LISTS), ("parts", _PARTS)):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({', '.join(f'{name} BIGINT' for name in names)})")


def _split(values: Sequence[int]) -> tuple[list[int], list[int]]:
    return [value // UNIT for value in values], [value % UNIT for value in values]


def _to_assets(connection: DuckDBPyConnection, sizes: Mapping[str, Decimal]) -> None:
    """Turn amounts that count contracts into amounts of the traded asset, where the user says what one holds.

    In Python: DuckDB's product of two such decimals has more digits than it has room for.
    """
    for key, size in sizes.items():
        found = connection.execute(
            "SELECT place, amount::VARCHAR FROM ordered WHERE exchange || '/' || pair = ? AND amount IS NOT NULL", [key]
        ).fetchall()
        if not found:
            continue
        places = [place for place, _ in found]
        amounts = [decimal_text(EXACT.quantize(EXACT.multiply(Decimal(amount), size), _PLACES)) for _, amount in found]
        connection.execute(
            "UPDATE ordered SET amount = TRY_CAST(asset AS DECIMAL(38,18)), cost = CASE WHEN cost_given THEN cost END "
            "FROM (SELECT unnest(?::BIGINT[]) AS row_place, unnest(?::VARCHAR[]) AS asset) WHERE place = row_place",
            [places, amounts],
        )


def _fill_costs(connection: DuckDBPyConnection) -> None:
    """Fill costs that Gunbot left out and that have more than 18 decimals: rate · amount, rounded there."""
    missing = connection.execute(
        "SELECT place, price::VARCHAR, amount::VARCHAR FROM ordered "
        "WHERE cost IS NULL AND price IS NOT NULL AND amount IS NOT NULL"
    ).fetchall()
    for place, price, amount in missing:
        product = EXACT.multiply(to_decimal(price) or Decimal(0), to_decimal(amount) or Decimal(0))
        text = decimal_text(EXACT.quantize(product, _PLACES))
        connection.execute("UPDATE ordered SET cost = TRY_CAST(? AS DECIMAL(38,18)) WHERE place = ?", [text, place])


_PLACES = EXACT.create_decimal("1e-18")
_SHARE = _joined("s.proceeds", "s.proceeds_")
_COMPUTED = f"""
WITH joined AS (
    SELECT {", ".join(f"o.{name.strip()}" for name in _COLUMNS.split(",") if name.strip() != "cost")},
        o.exchange || '/' || o.pair AS name, coalesce(o.paying, o.exchange || '/' || o.pair) AS asset,
        o.place, k.counted,
        -- Of contracts whose size nobody knows, rate times amount is no cost.
        CASE WHEN k.counted OR o.cost_given THEN o.cost END AS cost,
        CASE WHEN l.place IS NULL THEN NULL WHEN s.place IS NULL THEN o.amount
            ELSE {_joined("s.matched", "s.matched_")} END AS matched,
        {_joined("l.basis", "l.basis_")} AS basis,
        {_joined("l.opening", "l.opening_")} AS opening,
        {_joined("l.waited", "l.waited_")} AS waited,
        l.longest,
        CASE WHEN s.place IS NULL THEN 0 ELSE {_joined("s.opened", "s.opened_")} END AS opened,
        CASE WHEN l.place IS NULL THEN NULL WHEN s.place IS NULL THEN o.cost ELSE {_SHARE} END AS proceeds,
        CASE WHEN s.place IS NULL THEN coalesce(o.fees, 0) ELSE {_joined("s.closing", "s.closing_")} END AS closing,
        l.place IS NULL AND NOT o.closes AND o.amount > 0 AND o.side IS NOT NULL AS opens
    FROM ordered o JOIN kinds k USING (exchange, pair) LEFT JOIN lists l USING (place) LEFT JOIN parts s USING (place)
)
SELECT * EXCLUDE (matched, opened, opens, proceeds, closing),
    CASE WHEN matched > 0 THEN matched END AS matched,
    -- What closed more than is known: the amount, and what it brought.
    CASE WHEN matched IS NOT NULL AND opened = 0 AND matched < amount THEN amount - matched END AS unmatched,
    CASE WHEN matched IS NOT NULL AND opened = 0 AND matched < amount THEN cost - proceeds END AS unmatched_cost,
    CASE WHEN opens THEN amount ELSE coalesce(opened, 0) END AS opened,
    CASE WHEN opens THEN coalesce(cost, 0) WHEN opened > 0 THEN coalesce(cost - proceeds, cost, 0) ELSE 0 END
        AS opened_cost,
    CASE WHEN opens THEN coalesce(fees, 0) WHEN opened > 0 THEN coalesce(fees, 0) - closing ELSE 0 END AS opened_fees,
    CASE WHEN matched > 0 THEN CASE side WHEN 'sell' THEN proceeds - basis ELSE basis - proceeds END END AS gross,
    CASE WHEN matched > 0 THEN CASE side WHEN 'sell' THEN proceeds - basis ELSE basis - proceeds END
        - opening - closing END AS net
FROM joined
"""  # noqa: S608 - our own names
