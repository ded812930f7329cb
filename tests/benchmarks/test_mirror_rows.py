"""The parts of the mirror's rows: lists, processes and turns are what the table takes them for."""

import json
import sys
from pathlib import Path

import pytest
from benchmarks import mirror
from benchmarks.long_lists import CHANGED, HELD_BACK, LongLists
from benchmarks.questions import TURNS, turns
from benchmarks.table import Row

PAGE = "/api/v1/orders/page?key={}&page={}&pageSize={}"


def test_a_list_gives_its_pages_newest_first_and_holds_back_the_newest_of_some_keys_until_more_are_wanted(
    tmp_path: Path,
) -> None:
    lists = LongLists(tmp_path, 300, 6, 30)
    keys = list(lists.lists)

    def times(key: str, page: int = 0, size: int = 100) -> list[int]:
        answer = lists.answer(PAGE.format(key.replace("#", "%23"), page, size))
        assert answer is not None
        return [record["time"] for record in json.loads(answer)["data"]]

    first, quiet = times(keys[0]), times(keys[-1])
    pages = [at for page in range(4) for at in times(keys[-1], page, 20)]
    lists.answer("/more")
    more = times(keys[0])

    assert len(keys) == CHANGED + 1
    assert (len(first), len(more), len(quiet)) == (50 - HELD_BACK, 50, 50)
    assert more[HELD_BACK:] == first
    assert more == sorted(more, reverse=True)
    assert pages == quiet


def test_a_list_counts_the_pages_that_it_was_asked_for_and_knows_no_other_path(tmp_path: Path) -> None:
    lists = LongLists(tmp_path, 6, 6, 1)
    key = next(iter(lists.lists))
    for page in (0, 1):
        lists.answer(PAGE.format(key, page, 1))

    assert json.loads(lists.answer("/asked") or b"") == {key: 2}
    assert json.loads(lists.answer("/asked") or b"") == {}
    assert lists.answer("/api/v1/orders") is None
    assert lists.answer(PAGE.format("binance/USDT-NONE", 0, 1)) is None


def test_a_process_is_measured_and_one_that_fails_ends_the_benchmark() -> None:
    ended = mirror.ran([sys.executable, "-c", "print(len(b'x' * 200_000_000))"], {})

    assert ended.output == "200000000\n"
    assert ended.memory > 190
    assert 0 < ended.cpu < 60
    with pytest.raises(SystemExit, match="failed"):
        mirror.ran([sys.executable, "-c", "raise SystemExit(3)"], {})


def test_works_take_turns_and_the_first_turn_is_not_counted() -> None:
    done: list[str] = []

    taken = turns({"ours": lambda: done.append("ours"), "raw": lambda: done.append("raw")})

    assert done == ["ours", "raw"] * (TURNS + 1)
    assert set(taken) == {"ours", "raw"}


def test_what_a_form_says_of_each_asset_counts_for_each_asset() -> None:
    lines = list(mirror.answer_sizes({"summary": (1_500, 3_000), "by pair": (2_500, 9_000)}, assets=2))

    rows = {line.name: (line.ours, line.passes) for line in lines if isinstance(line, Row)}
    assert rows == {
        "answer summary, text": (1_500, True),
        "answer summary, JSON / asset": (1_500, True),
        "answer by pair, text": (2_500, False),
    }


@pytest.mark.slow
def test_the_whole_table_comes_with_few_records() -> None:
    rows = [line for line in mirror.measure(mirror.Size(records=600, keys=6, few=240)) if isinstance(line, Row)]

    counted = {row.name: row for row in rows if row.unit in {"count", "bytes"}}
    # What is counted is the same on every machine; times and memory are for whoever runs the benchmark.
    assert all(row.passes for row in counted.values()), "\n".join(map(str, counted.values()))
    assert len(rows) > len(counted)
