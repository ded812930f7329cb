"""Charts: exact series, honest thinning, one description, a small PNG, an SVG that turns dark, and all in words."""

import json
import random
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from history.made_orders import BTC, SHORT, sample, written

from gunbot_mcp.errors import InvalidArguments
from gunbot_mcp.history.charts import picture
from gunbot_mcp.history.charts.answer import chart_answer
from gunbot_mcp.history.charts.chart import Chart, Kind, sparkline
from gunbot_mcp.history.charts.numbers import amount_text
from gunbot_mcp.history.charts.png import with_fewer_colours
from gunbot_mcp.history.charts.series import Scope, series
from gunbot_mcp.history.charts.spec import DARK, spec
from gunbot_mcp.render import CHART_META

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def drawn(
    folder: Path,
    kind: Kind,
    records: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    *,
    since: str = "2026-10-12",
    until: str = "2026-11-02",
    zone: str = BERLIN,
    asset: str | None = None,
) -> Chart:
    scope = Scope(since_ms=at(since, zone), until_ms=at(until, zone), zone=zone, asset=asset)
    with written(folder, records).connect() as connection:
        return series(kind, connection, scope)


def values(chart: Chart, panel: int) -> list[Decimal]:
    return [point.value for point in chart.panels[panel].points]


def many(count: int, seed: int = 7) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    start = at("2026-03-01")
    return [
        {
            "time": start + n * 600_000,
            "type": draw.choice(["buy", "sell"]),
            "rate": round(draw.uniform(50_000, 60_000), 2),
            "amount": round(draw.uniform(0.001, 0.02), 5),
            "id": str(n),
            "cost": round(draw.uniform(50, 900), 4),
            "fees": 0.1,
            "pnl": round(draw.uniform(-9, 10), 4),
        }
        for n in range(count)
    ]


def test_cumulative_pnl_and_drawdown_are_those_of_the_definitions(tmp_path: Path) -> None:
    chart = drawn(tmp_path, Kind.PNL)

    assert values(chart, 0)[-1] == Decimal("18.1368")
    assert min(values(chart, 1)) == Decimal("-40.0363")
    assert chart.span == "12 Oct 2026 - 1 Nov 2026, Europe/Berlin"
    assert list(chart.facts) == [
        "end +18.14 as Gunbot recorded it",
        "highest +39.30 on 19 Oct 00:15, lowest -0.74 on 29 Oct 17:45",
        "largest drop 40.04, at its bottom 29 Oct 17:45",
    ]


def test_a_thinned_curve_keeps_its_exact_extremes_and_its_end(tmp_path: Path) -> None:
    records = many(3_000)

    chart = drawn(tmp_path, Kind.PNL, {BTC: records}, since="2026-03-01", until="2026-04-01")

    total = peak = Decimal(0)
    totals: list[Decimal] = []
    falls: list[Decimal] = []
    for record in records:
        total += Decimal(str(record["pnl"]))
        peak = max(peak, total)
        totals.append(total)
        falls.append(total - peak)
    shown = values(chart, 0)
    assert len(shown) < 320
    assert (max(shown), min(shown), shown[-1]) == (max(totals), min(Decimal(0), *totals), totals[-1])
    assert min(values(chart, 1)) == min(falls)
    assert set(shown) <= {Decimal(0), *totals}


def test_days_are_those_of_the_asked_zone(tmp_path: Path) -> None:
    chart = drawn(tmp_path, Kind.DAYS)

    by_day = {row[0]: row[1:] for row in chart.rows}
    assert by_day["2026-10-19"] == [Decimal("18.764"), Decimal(628), 1]
    assert by_day["2026-10-25"] == [Decimal("-4.9981"), Decimal("1027.1"), 3]
    assert sum(values(chart, 0)) == Decimal("18.1368")
    assert sum(values(chart, 1)) == Decimal("14562.2")
    # The 25th has 25 hours there, and begins at 22:00 in UTC.
    assert at("2026-10-25") in [point.ms for point in chart.panels[0].points]


def test_a_long_range_is_drawn_by_week_or_month_and_says_so(tmp_path: Path) -> None:
    weeks, months = (drawn(tmp_path, Kind.DAYS, since=since) for since in ("2026-06-01", "2024-01-01"))

    assert (weeks.title, months.title) == ("Pnl and volume per week, USDT", "Pnl and volume per month, USDT")
    assert [row[:2] for row in weeks.rows] == [
        ["2026-10-12", Decimal("20.534")],
        ["2026-10-19", Decimal("-3.7733")],
        ["2026-10-26", Decimal("1.3761")],
    ]
    assert [row[:2] for row in months.rows] == [["2026-10", Decimal("13.4907")], ["2026-11", Decimal("4.6461")]]


def test_fills_of_several_pairs_are_refused_and_the_hint_works(tmp_path: Path) -> None:
    with pytest.raises(InvalidArguments) as told:
        drawn(tmp_path, Kind.FILLS)

    (key,) = json.loads(told.value.hint.partition("for example ")[2])["keys"]
    chart = drawn(tmp_path, Kind.FILLS, {key: sample()[key]})
    assert chart.title == "Fills on the price, USDT per BTC"
    assert chart.facts[0] == "16 fills, 6 of them buys"
    assert (chart.panels[0].points[0].about, chart.panels[0].points[0].side) == (
        "12 Oct 08:15: sell 0.004 BTC at 62000",
        "sell",
    )


def test_more_fills_than_can_be_seen_are_thinned_and_counted(tmp_path: Path) -> None:
    records = many(2_000)

    chart = drawn(tmp_path, Kind.FILLS, {BTC: records}, since="2026-03-01", until="2026-04-01")

    assert len(chart.panels[0].points) <= 304
    assert chart.facts[0] == f"2000 fills, {len(chart.panels[0].points)} of them drawn"
    prices = [Decimal(str(record["rate"])) for record in records]
    assert (max(values(chart, 0)), min(values(chart, 0))) == (max(prices), min(prices))


def test_holdings_end_with_what_is_held_also_on_a_short(tmp_path: Path) -> None:
    chart = drawn(tmp_path, Kind.HOLDINGS)

    assert {str(row[0]): (row[1], row[-1]) for row in chart.rows} == {
        SHORT: ("ETH short", Decimal("0.3")),
        BTC: ("BTC", Decimal("0.007")),
    }
    # The first sale of the sample has no purchase: nothing is held below zero.
    assert min(values(chart, 1)) == 0


def test_holdings_begin_with_what_was_held_before_the_range(tmp_path: Path) -> None:
    chart = drawn(tmp_path, Kind.HOLDINGS, {BTC: sample()[BTC]}, since="2026-10-20")

    assert values(chart, 0)[0] == Decimal("0.008")


def test_two_paying_assets_are_never_added_up(tmp_path: Path) -> None:
    other = [{**record, "pnl": 0.5, "time": record["time"] + 1} for record in sample()[BTC][:3]]
    records = {BTC: sample()[BTC], "binance/BTC-ETH": other}

    usdt, btc = (drawn(tmp_path, Kind.PNL, records, asset=asset) for asset in (None, "BTC"))

    assert values(usdt, 0)[-1] == Decimal("49.1368")
    assert usdt.facts[-1] == "only what is paid in USDT; there is also BTC (asset)"
    assert (btc.title, values(btc, 0)[-1]) == ("Cumulative pnl and drawdown, BTC", Decimal("1.5"))
    with pytest.raises(InvalidArguments, match="nothing here is paid in EUR"):
        drawn(tmp_path, Kind.PNL, records, asset="EUR")


@pytest.mark.parametrize("kind", Kind)
def test_a_range_without_orders_says_so(tmp_path: Path, kind: Kind) -> None:
    answer = chart_answer(drawn(tmp_path, kind, since="2020-01-01", until="2020-02-01"), "Covers", pictures=False)

    assert answer.text == "Covers\nnothing to draw: no such orders from 1 Jan 2020 - 31 Jan 2020, Europe/Berlin"


def test_times_go_in_as_the_zone_s_wall_clock(tmp_path: Path) -> None:
    made = spec(drawn(tmp_path, Kind.PNL))

    scale = made["vconcat"][0]["encoding"]["x"]["scale"]
    assert scale == {"type": "utc", "domain": [at("2026-10-12", "UTC"), at("2026-11-02", "UTC")]}
    assert made["config"]["font"].endswith(", sans-serif")


def test_a_chart_says_everything_in_words_in_few_bytes(tmp_path: Path) -> None:
    answer = chart_answer(drawn(tmp_path, Kind.PNL), "Covers 2 of 2 keys", pictures=False)

    assert answer.text.splitlines()[:3] == [
        "Covers 2 of 2 keys",
        f"Cumulative pnl and drawdown, USDT: {BTC}, {SHORT}, 12 Oct 2026 - 1 Nov 2026, Europe/Berlin",
        answer.structured["sparkline"],
    ]
    assert "1 Nov 06:30,18.14,21.16" in answer.text
    assert answer.structured["rows"][-1] == ["1 Nov 06:30", 18.1368, 21.1612]
    assert picture.HOW_TO_GET in answer.text
    assert picture.HOW_TO_GET in answer.structured["facts"]
    assert (answer.picture, answer.meta) == (None, {})
    assert len(answer.text.encode()) < 2_000


def test_pictures_are_small_and_say_what_their_marks_are(tmp_path: Path) -> None:
    answer = chart_answer(drawn(tmp_path, Kind.PNL), "Covers", pictures=True)

    assert answer.picture is not None
    width, height, _, kind = struct.unpack(">IIBB", answer.picture.data[16:26])
    assert kind == 3
    assert 760 <= width <= 820
    assert height < width
    assert len(answer.picture.data) < 25_000
    svg = str(answer.meta[CHART_META]["svg"])
    assert 'aria-label="14 Oct 14:00: +12.53 (+11.03)"' in svg
    assert len(svg) < 30_000
    # What a page's policy forbids, and every colour of which the dark page knows no other.
    assert re.findall(r"<script|<style|\sstyle=|href|\son\w+=|<image|<foreignObject", svg) == []
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) <= set(DARK)
    assert all(dark in picture.themed() for dark in DARK.values())


def test_hostile_names_stay_text_in_the_picture(tmp_path: Path) -> None:
    key = "binance/USDT-BTC"
    records = [{**record, "pair": "</text><script>alert(1)</script>"} for record in sample()[BTC]]

    svg = picture.svg(drawn(tmp_path, Kind.HOLDINGS, {key: records}))

    assert "<script" not in svg


def png_of(rows: Sequence[bytes]) -> bytes:
    """Return an RGBA picture whose rows are filtered by difference, as the renderer writes them."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    filtered = b"".join(
        b"\1" + bytes((row[at] - (row[at - 4] if at >= 4 else 0)) & 255 for at in range(len(row))) for row in rows
    )
    header = struct.pack(">IIBBBBB", len(rows[0]) // 4, len(rows), 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(filtered)) + chunk(b"IEND", b"")


def colours_of(png: bytes) -> list[bytes]:
    """Return the pixels of a picture with a palette."""
    found: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        found[png[at + 4 : at + 8]] = png[at + 8 : at + 8 + size]
        at += 12 + size
    width = int.from_bytes(found[b"IHDR"][:4])
    raw, palette = zlib.decompress(found[b"IDAT"]), found[b"PLTE"]
    lines = [raw[at + 1 : at + 1 + width] for at in range(0, len(raw), width + 1)]
    return [palette[3 * index : 3 * index + 3] for line in lines for index in line]


def test_a_picture_of_few_colours_loses_nothing() -> None:
    draw = random.Random(1)
    few = [bytes((draw.randrange(256), draw.randrange(256), draw.randrange(256), 255)) for _ in range(64)]
    pixels = [[draw.choice(few) for _ in range(50)] for _ in range(40)]

    small = with_fewer_colours(png_of([b"".join(row) for row in pixels]))

    assert colours_of(small) == [pixel[:3] for row in pixels for pixel in row]


def test_what_is_no_such_picture_is_left_as_it_is() -> None:
    assert with_fewer_colours(b"GIF89a") == b"GIF89a"


@pytest.mark.parametrize(
    ("numbers", "blocks"),
    [((), ""), ((5,), "▄"), ((1, 1, 1), "▄▄▄"), ((0, 1, 2, 3, 4, 5, 6, 7), "▁▂▃▄▅▆▇█"), ((-10, 0, 10), "▁▄█")],
)
def test_a_sparkline_goes_from_the_lowest_to_the_highest(numbers: Sequence[int], blocks: str) -> None:
    assert sparkline([Decimal(number) for number in numbers]) == blocks


def test_a_long_sparkline_fits_a_line_and_ends_with_the_last_value() -> None:
    line = sparkline([Decimal(n % 7) for n in range(999)] + [Decimal(100)])

    assert (len(line), line[-1]) == (40, "█")


@pytest.mark.parametrize(
    ("amount", "asset", "text"),
    [
        ("18.1368", "USDT", "+18.14"),
        ("-0.001", "USDT", "-0.001"),
        ("0", "USDT", "0.00"),
        ("0.123456789", "BTC", "+0.12345679"),
        ("1e-12", "BTC", "+0.000000000001"),
        ("1000", "BTC", "+1000"),
    ],
)
def test_amounts_have_the_digits_that_their_asset_needs(amount: str, asset: str, text: str) -> None:
    assert amount_text(Decimal(amount), asset, signed=True) == text


def test_words_and_numbers_need_no_renderer() -> None:
    code = (
        "import sys, gunbot_mcp.history.charts.answer; print([n for n in ('vl_convert', 'duckdb') if n in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
