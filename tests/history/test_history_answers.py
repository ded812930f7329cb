"""What good answers look like, byte for byte: first what they cover, at most 2 kB, and the same as facts."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from history.sample import LATER, B, Past, record, sample, sample_records
from jsonschema import Draft202012Validator

from gunbot_mcp.history.answer import ROOM_BY_DEFAULT
from gunbot_mcp.history.coverage import Note, NoteCode
from gunbot_mcp.history.covered import notes_line
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.metrics.table import METRICS
from gunbot_mcp.history.value import Rate, valued
from gunbot_mcp.tools.history import ANALYSIS_OUTPUT

COVERED = "complete, read 2 Nov 14:02. Europe/Berlin, USDT"


def test_how_did_i_do_last_month(tmp_path: Path) -> None:
    answer = sample(tmp_path).answer("last month")

    assert answer.text == (
        f"Covers 2 of 2 keys, 22 records, 12 Oct 08:15 - 30 Oct 12:00 (nothing known before), {COVERED}\n"
        "October 2026: +13.49 as Gunbot recorded it; -4.02 by FIFO with all fees "
        "(0.004 BTC sold without a known purchase left out)\n"
        "12 closes: 7 won, 4 lost, 1 flat (58.3 %); average win 9.85, loss -13.86; profit factor 1.24\n"
        "Best day 19 Oct +18.76, worst 29 Oct -30.00. "
        "Largest drop 40.04, 19 Oct 00:15 - 29 Oct 17:45, not recovered (25.81 missing)\n"
        "Volume 14177.30, fees 14.18 (0.100 %). Sharpe 1.26 ± 4.28 (20 days)\n"
        "pair,closes,won,recorded,fifo_net,fees\n"
        "binance/USDT-BTC,8,6,+47.49,+36.98,6.14\n"
        "bybit/USDT-ETH-SHORT,4,1,-34.00,-41.00,8.04"
    )
    assert answer.structured["covers"] == {
        "keys": 2,
        "of_keys": 2,
        "records": 22,
        "from": "2026-10-12T08:15:00+02:00",
        "to": "2026-10-30T12:00:00+01:00",
        "from_the_start": True,
        "complete": True,
        "pages_read": 0,
        "read_at": "2026-11-02T14:02:00+01:00",
    }
    assert answer.structured["totals"]["USDT"]["recorded"] == 13.4907
    assert answer.structured["totals"]["USDT"]["fifo_net"] == -4.0223


FIRST = f"Covers 2 of 2 keys, 25 records, 12 Oct 08:15 - 1 Nov 06:30 (nothing known before), {COVERED}\n"


def test_which_pair_lost_most(tmp_path: Path) -> None:
    answer = sample(tmp_path).answer(groups=("pair",), sort="recorded", limit=1)

    assert answer.text == (
        f"{FIRST}"
        "bybit/USDT-ETH-SHORT: -31.00 USDT recorded, -38.52 by FIFO with fees; 5 closes, 2 won; "
        "worst -30.00 on 29 Oct 17:45 (e-908)\n"
        "The only other pair, binance/USDT-BTC, won: +49.14 / +44.63"
    )


def test_average_buy_price_and_break_even(tmp_path: Path) -> None:
    answer = sample(tmp_path).answer(keys=(B,), metrics=("average_price", "break_even"))

    assert answer.text == (
        f"Covers 1 of 1 key, 16 records, 12 Oct 08:15 - 1 Nov 06:30 (nothing known before), {COVERED}\n"
        "Held 0.007 BTC on binance/USDT-BTC, bought for 447.00 USDT: "
        "average 63857.143, break-even 63984.985 (FIFO, fee 0.1 % each way)\n"
        "Others: LIFO 61000.00 / 61122.122, HIFO 60000.00 / 60120.12, average 62555.556 / 62680.792\n"
        "Gunbot's own, where the newest record has them: inventory_cost (FIFO, no fee), "
        "ABP (cheapest sold first, with fees)"
    )
    assert answer.structured["by_method"]["lifo"]["break_even"] == 61122.1221221


def test_gunbots_own_prices_are_told_where_the_newest_record_has_them(tmp_path: Path) -> None:
    one = record("2026-10-20T10:00Z", "buy", 60000, "0.01", inventory_cost=60000, ABP="60120.180240")

    answer = Past.of(tmp_path, [(B, one)]).answer(metrics=("break_even",))

    assert answer.text.splitlines()[-1] == (
        "Gunbot's own, of the newest record: inventory_cost 60000.00 (FIFO, no fee), "
        "ABP 60120.18 (cheapest sold first, with fees)"
    )


def test_worst_day(tmp_path: Path) -> None:
    answer = sample(tmp_path).answer(metrics=("worst_day",))

    assert answer.text == (
        f"{FIRST}"
        "29 Oct 2026: -30.00 USDT, 1 close (bybit/USDT-ETH-SHORT, e-908). "
        "The low of a drop of 40.04 that began 19 Oct 00:15\n"
        "Since then +18.88; 21.16 missing to the peak. Next: 21 Oct -12.00, 22 Oct -5.54"
    )


def test_the_asked_metrics_one_a_line(tmp_path: Path) -> None:
    answer = sample(tmp_path).answer("2026-10-12", "2026-10-14", metrics=("win_rate", "sharpe", "best", "amount_sold"))

    assert answer.text.splitlines()[1:] == [
        "win_rate: 100.0 %",
        "sharpe: n/a: 3 days are too few (14 at least)",
        "best: +11.03 (14 Oct 14:00, 500104, binance/USDT-BTC)",
        "amount_sold: n/a: several pairs: group by pair or name one key",
    ]
    assert answer.structured["na"]["USDT"] == {"sharpe": "few_days", "amount_sold": "several_pairs"}
    assert answer.structured["details"]["USDT"]["best"]["at"] == "2026-10-14T14:00:00+02:00"


def test_a_table_of_months_with_its_total(tmp_path: Path) -> None:
    answer = sample(tmp_path).answer(groups=("month",), metrics=("recorded", "fifo_net", "profit_factor"))

    assert answer.text.splitlines()[1:] == [
        "All in USDT: recorded +18.14, fifo_net +6.11, profit_factor 1.33",
        "month,recorded,fifo_net,profit_factor",
        "2026-10,+13.49,-4.02,1.24",
        "2026-11,+4.65,+10.14,21.57",
        "By lots, 0.004 BTC sold without a known purchase left out",
    ]


def test_weekdays_say_how_many_of_each_there_were(tmp_path: Path) -> None:
    answer = sample(tmp_path).answer("2026-10-12", "2026-11-01", groups=("weekday",), metrics=("recorded",))

    assert answer.text.splitlines()[2:5] == ["weekday,days,recorded", "Mon,3,+32.77", "Tue,3,0.00"]
    assert answer.structured["columns"] == ["weekday", "days", "recorded"]


def test_a_sum_across_assets_is_never_made(tmp_path: Path) -> None:
    other = record("2026-10-20T10:00Z", "sell", "0.05", 2, pnl="0.0004")
    past = Past.of(tmp_path, [*sample_records(), ("binance/BTC-ETH", other)])

    answer = past.answer()

    assert answer.text.splitlines()[0].endswith("Europe/Berlin, BTC, USDT")
    assert list(answer.structured["totals"]) == ["BTC", "USDT"]
    assert answer.structured["totals"]["BTC"]["recorded"] == 0.0004
    assert answer.structured["totals"]["USDT"]["recorded"] == 18.1368
    assert "BTC,binance/BTC-ETH,1,1,+0.0004,n/a,0.0001" in answer.text


def test_several_assets_stand_side_by_side_so_that_each_figure_is_named_once(tmp_path: Path) -> None:
    other = record("2026-10-20T10:00Z", "sell", "0.05", 2, pnl="0.0004")
    past = Past.of(tmp_path, [*sample_records(), ("binance/BTC-ETH", other)])

    assert past.answer("last month").text.splitlines()[1:] == [
        "October 2026,BTC,USDT",
        "as Gunbot recorded it,+0.0004,+13.49",
        "by FIFO with all fees,n/a: no close found a known lot,-4.02",
        "sold without a known purchase (left out by FIFO),2 ETH,0.004 BTC",
        "closes,1,12",
        "won / lost / flat,1 / 0 / 0,7 / 4 / 1",
        "won %,100.0,58.3",
        "average win,0.0004,9.85",
        "average loss,,-13.86",
        "profit factor,n/a: no close lost,1.24",
        "best day,20 Oct +0.0004,19 Oct +18.76",
        "worst day,20 Oct +0.0004,29 Oct -30.00",
        "largest drop,never fell,40.04",
        "from - to,,19 Oct 00:15 - 29 Oct 17:45",
        "then,,not recovered (25.81 missing)",
        "volume,0.1,14177.30",
        "fees,0.0001,14.18",
        "fees %,0.100,0.100",
        "Sharpe of 20 days,n/a: 1 day with a close are too few (5 at least),1.26 ± 4.28",
        "asset,pair,closes,won,recorded,fifo_net,fees",
        "BTC,binance/BTC-ETH,1,1,+0.0004,n/a,0.0001",
        "USDT,binance/USDT-BTC,8,6,+47.49,+36.98,6.14",
        "USDT,bybit/USDT-ETH-SHORT,4,1,-34.00,-41.00,8.04",
        "n/a fifo_net: no close found a known lot",
    ]


def test_an_asset_in_which_nothing_was_closed_stands_beside_the_others(tmp_path: Path) -> None:
    bought = record("2026-10-20T10:00Z", "buy", "0.05", 2)
    past = Past.of(tmp_path, [*sample_records(), ("binance/BTC-ETH", bought)])

    lines = past.answer("last month").text.splitlines()

    assert "closes,0,12" in lines
    assert "won / lost / flat,,7 / 4 / 1" in lines
    assert "best day,,19 Oct +18.76" in lines
    assert "largest drop,,40.04" in lines


def test_four_assets_with_all_their_decimals_and_their_first_pairs_fit_into_two_kilobytes(tmp_path: Path) -> None:
    pairs = [f"binance/{asset}-COIN{number}" for asset in ("BTC", "ETH", "BNB", "SOL") for number in range(5)]
    sold = [
        (pair, record(f"2026-{month:02d}-{day:02d}T07:0{index % 6}Z", side, "12345.6789", amount, pnl=pnl))
        for index, pair in enumerate(pairs)
        for month in range(1, 11)
        for day, side, amount, pnl in (
            (3, "sell", "987.65432109", "4321.98765432"),
            (5, "buy", "123.45678901", 0),
            (9, "sell", "543.21987654", "-1234.56789012"),
        )
    ]

    answer = Past.of(tmp_path, sold).answer()

    assert len(answer.text.encode()) <= ROOM_BY_DEFAULT
    assert "sold without a known purchase" in answer.text
    assert answer.text.count("binance/") >= 1


def test_several_assets_in_one_say_the_rates_and_their_time(tmp_path: Path) -> None:
    other = record("2026-10-20T10:00Z", "sell", "0.05", 2, pnl="0.0004")
    found = Past.of(tmp_path, [*sample_records(), ("binance/BTC-ETH", other)]).analyse(metrics=("recorded",))

    told = valued(found, "USDT", {"BTC": Rate("BTC", Decimal(60000), "binance/USDT-BTC", LATER)})
    lacking = valued(found, "USDT", {})

    assert told.lines() == [
        "All in USDT: recorded +42.14",
        "Rates of now, not of then: 1 BTC = 60000.00 (binance/USDT-BTC, 2026-11-02T13:02:00Z)",
    ]
    assert lacking.lines()[0] == ("All in USDT: recorded +18.14; WITHOUT BTC: no active pair tells its price in USDT")


def test_what_has_no_number_is_left_out_of_a_sum_across_assets_by_name_and_is_no_zero(tmp_path: Path) -> None:
    other = record("2026-10-20T10:00Z", "sell", "0.05", 2, pnl="0.0004")
    past = Past.of(tmp_path, [*sample_records(), ("binance/BTC-ETH", other)])
    rates = {"BTC": Rate("BTC", Decimal(60000), "binance/USDT-BTC", LATER)}

    both = valued(past.analyse(metrics=("fifo_net", "win_rate")), "USDT", rates)
    alone = valued(Past.of(tmp_path / "alone", [("binance/BTC-ETH", other)]).analyse(metrics=("fifo_net",)), "BTC", {})
    ratios = valued(past.analyse(metrics=("win_rate",)), "USDT", rates)

    assert both.lines()[0].endswith(" (n/a for BTC, left out)")
    assert both.facts()["lacking"] == {"fifo_net": ["BTC"]}
    assert alone.lines()[0] == "All in BTC: fifo_net n/a"
    assert alone.facts()["sums"] == {"fifo_net": None}
    assert ratios.lines()[0].startswith("All in USDT: none of the asked metrics adds up across assets; recorded, pnl, ")
    assert ratios.facts()["sums"] == {}


def test_a_range_without_records_says_when_the_first_is_known(tmp_path: Path) -> None:
    answer = sample(tmp_path).answer("2026-10-31T23:45Z", "2026-11-01T00:00Z")

    assert answer.text.splitlines()[1:] == [
        "0 orders in this range and with these filters; the first one known is of 12 Oct 08:15"
    ]
    assert answer.structured["note"].startswith("0 orders in this range")


def test_notes_about_records_are_told_in_words() -> None:
    notes = [Note(NoteCode.DUPLICATES, B, 3), Note(NoteCode.AHEAD, None, 7)]

    assert notes_line(notes) == (
        "Note: 3 repeated in Gunbot's list, counted once (binance/USDT-BTC); "
        "the newest record is 7 s later than this machine's clock"
    )
    assert all(notes_line([Note(code, None, 1)]) for code in NoteCode)
    assert notes_line([]) == ""


MANY: tuple[Mapping[str, Any], ...] = (
    {},
    {"groups": ("day", "pair")},
    {"groups": ("hour", "weekday")},
    {"metrics": tuple(METRICS), "capital": Decimal(1000)},
    {"groups": ("pair",), "sort": "-pnl", "limit": 1},
    {"groups": ("pair",), "metrics": tuple(METRICS)},
    {"metrics": ("best_day",)},
    {"method": Method.HIFO, "gross": True},
)


@pytest.fixture(scope="module")
def six_pairs(tmp_path_factory: pytest.TempPathFactory) -> Past:
    days = [f"2026-{month:02d}-{day:02d}T{day:02d}:00Z" for month in range(1, 11) for day in range(1, 24)]
    return Past.of(
        tmp_path_factory.mktemp("six"),
        [
            (f"binance/USDT-A{number}", record(time, side, 10 + index % 7, 3, pnl=index % 5 - 2 if index % 2 else 0))
            for number in range(6)
            for index, time in enumerate(days[number::6])
            for side in [("buy", "sell")[index % 2]]
        ],
    )


@pytest.mark.parametrize("asked", MANY, ids=str)
def test_no_answer_is_larger_than_two_kilobytes_unless_more_is_asked_for(
    six_pairs: Past, asked: Mapping[str, Any]
) -> None:
    answer = six_pairs.answer(**asked)

    assert len(answer.text.encode()) <= ROOM_BY_DEFAULT
    assert answer.text.startswith("Covers 6 of 6 keys, ")
    validator: Any = Draft202012Validator(dict(ANALYSIS_OUTPUT))
    validator.validate(json.loads(json.dumps(answer.structured)))
    if "cut" in answer.structured:
        cut = answer.structured["cut"]
        assert len(answer.structured["rows"]) == cut["rows"] < cut["total"]
        assert f"{cut['rows']} of {cut['total']} rows" in answer.text or "and 2 more" in answer.text
