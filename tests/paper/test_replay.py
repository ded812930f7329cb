import itertools
from decimal import Decimal
from pathlib import Path

import pytest

from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.paper.markets import Market
from gunbot_mcp.paper.pairs import LISTINGS
from gunbot_mcp.paper.replay import Candle, Replay, read_candles

HEADER = "time,open,high,low,close,volume\n"
BTC = LISTINGS["binance/USDT-BTC"]


def candles(*closes: float) -> list[Candle]:
    opens = (100.0, *closes)
    return [
        Candle(time=i * 60_000, open=o, high=max(o, c) + 5, low=min(o, c) - 5, close=c)
        for i, (o, c) in enumerate(zip(opens, closes, strict=False))
    ]


def walked(replay: Replay, until: int) -> list[float]:
    """Every level of the curve, in order, repeats left out."""
    levels = [replay.level(age) for age in range(0, until, 100)]
    return [level for i, level in enumerate(levels) if i == 0 or level != levels[i - 1]]


def test_a_rising_candle_goes_down_first_and_a_falling_one_up() -> None:
    rising = walked(Replay([Candle(time=0, open=100, high=120, low=90, close=110)]), 60_000)
    falling = walked(Replay([Candle(time=0, open=100, high=120, low=90, close=95)]), 60_000)
    assert (rising[0], rising[-1]) == (100, 110)
    assert rising.index(90) < rising.index(120)
    assert (falling[0], falling[-1]) == (100, 95)
    assert falling.index(120) < falling.index(90)


def test_the_close_holds_in_gaps_and_after_the_last_candle() -> None:
    first, second = candles(110, 120)
    gapped = Replay([first, second, Candle(time=900_000, open=115, high=130, low=110, close=118)])
    assert gapped.level(500_000) == 120
    assert gapped.level(900_000) == 115
    assert gapped.level(10**9) == 118


def test_the_first_exit_from_candles_is_the_one_that_looking_everywhere_finds() -> None:
    replay = Replay(candles(110, 105, 130, 128, 90, 95))
    levels = [replay.level(age) for age in range(400_000)]
    ticks = [0, *(age for age, (before, now) in enumerate(itertools.pairwise(levels), 1) if before != now)]
    for low, high in ((99.0, 106.0), (80.0, 112.0), (84.9, 200.0), (0.0, 1000.0)):
        for after in (0, 61_234, 200_000):
            expected = next((t for t in ticks if t > after and not low < replay.level(t) < high), None)
            found = replay.first_outside(after, 400_000, low, high)
            # A tick that repeats the level before it is no change, so the search may only be at the same level.
            assert (found is None) == (expected is None)
            if found is not None and expected is not None and low < replay.level(after) < high:
                assert found == expected
    assert replay.first_outside(0, 1_000, 96.0, 100.0) is None  # the first candle's second point comes later


def test_a_file_moves_the_first_pair_or_the_one_it_names_and_leaves_the_others_walking(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text(HEADER + "1700000000000,100,120,90,110,1\n1700000060000,110,111,109,110,1\n", encoding="utf-8")
    first = Market(1, f"replay:{file}")
    assert first.line(BTC, 5_000, None).price(5_000) == 100
    assert first.line(LISTINGS["binance/USDT-ETH"], 0, None).price(0) == 2700
    named = Market(1, f"replay:{file}?key=mex_gunthy#2/USDT-DOGE")
    assert named.line(LISTINGS["mex_gunthy/USDT-DOGE"], 0, None).price(0) == 100
    assert named.line(BTC, 0, None).price(0) == 51000
    assert first.fingerprint != named.fingerprint


def test_times_may_be_iso_or_milliseconds_and_blank_lines_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    text = "\ufeffClose, Time ,open,high,low\n\n1,2024-01-01T00:00:00Z,1,1,1\n1,2024-01-01 00:01,1,1,1\n"
    text += "1,1704067320000,1,2,1\n"
    file.write_text(text, encoding="utf-8")
    read, digest = read_candles(file)
    assert [candle.time for candle in read] == [1704067200000, 1704067260000, 1704067320000]
    assert len(digest) == 64


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "header"),
        (b"time,open,high,low\n", "header"),
        (HEADER.encode(), "no candles"),
        (HEADER.encode() + b"yesterday,1,1,1,1,1\n", "line 2"),
        (HEADER.encode() + b"1,1,1,1,1,1\n2,1,1,1\n", "line 3"),
        (HEADER.encode() + b"1,1,1,1,x,1\n", "line 2"),
        (HEADER.encode() + b"1,1,nan,1,1,1\n", "line 2"),
        (HEADER.encode() + b"1,0,1,0,1,1\n", "line 2"),
        (HEADER.encode() + b"1,5,4,1,2,1\n", "low and high"),
        (HEADER.encode() + b"2,1,1,1,1,1\n1,1,1,1,1,1\n", "not after"),
        (b"\xff\xfe\x00", "UTF-8"),
        (HEADER.encode() + b'"' + b"x" * 200_000, "CSV"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "candles.csv"
    file.write_bytes(content)
    with pytest.raises(ConfigInvalid) as caught:
        Market(1, f"replay:{file}")
    assert says in caught.value.message
    assert "candles.csv" in caught.value.message


def test_a_missing_file_and_an_unknown_pair_are_configuration_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid):
        Market(1, f"replay:{tmp_path / 'nothing.csv'}")
    with pytest.raises(ConfigInvalid) as caught:
        Market(1, "replay:x.csv?key=binance/NO-PAIR")
    assert "binance/USDT-BTC" in caught.value.hint


def test_candle_prices_are_rounded_to_the_pairs_tick(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text(HEADER + "1,100.123,100.123,100.123,100.123,1\n", encoding="utf-8")
    assert Market(1, f"replay:{file}").line(BTC, 0, None).price(0) == Decimal("100.12")
