"""One key's sync: what is new is fetched, what changed is seen, and the numbers must agree."""

import random
from pathlib import Path

import pytest
from history.lists import List, Mirrored, ids_of, order
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gunbot_mcp.errors import GatewayInvalidResponse, GatewayTimeout, GatewayUnreachable


@pytest.fixture
def mirrored(tmp_path: Path) -> Mirrored:
    return Mirrored(tmp_path, size=100)


def listing(count: int) -> List:
    return List([order(n) for n in reversed(range(count))])


def test_a_first_sync_reads_each_page_once(mirrored: Mirrored) -> None:
    listed = listing(250)

    told = mirrored.sync(listed)

    assert (told.pages, told.new, told.edited) == (3, 250, 0)
    assert mirrored.ids() == ids_of(listed.orders)
    assert (mirrored.manifest.complete, mirrored.manifest.total, mirrored.manifest.records) == (True, 250, 250)


@pytest.mark.parametrize("changes", [{"pair": "USDT-\ud800"}, {"id": "a\ud800"}, {"note": "\ud800"}])
def test_half_a_character_in_one_record_does_not_keep_the_others_out(
    mirrored: Mirrored, changes: dict[str, str]
) -> None:
    listed = listing(3)
    listed.add(order(3, **changes))

    mirrored.sync(listed)
    mirrored.sync(listed)

    assert (mirrored.manifest.complete, mirrored.manifest.records) == (True, 4)


def test_a_quiet_key_costs_one_small_page(mirrored: Mirrored) -> None:
    listed = listing(250)
    mirrored.sync(listed)
    files = mirrored.files()

    mirrored.sync(listed)

    assert listed.asked == [(0, 50)]
    assert mirrored.files() == files


@pytest.mark.parametrize(("new", "asked"), [(20, [(0, 50)]), (90, [(0, 50), (0, 100)])])
def test_what_is_new_costs_at_most_two_pages(mirrored: Mirrored, new: int, asked: list[tuple[int, int]]) -> None:
    listed = listing(250)
    mirrored.sync(listed)
    listed.add(*(order(250 + n) for n in range(new)))

    told = mirrored.sync(listed)

    assert listed.asked == asked
    assert told.new == new
    assert mirrored.ids() == ids_of(listed.orders)


def test_orders_that_arrive_while_pages_are_read_are_all_there_once(mirrored: Mirrored) -> None:
    listed = listing(250)
    listed.meanwhile = lambda one: one.add(*(order(len(one.orders) + n) for n in range(7)))

    mirrored.sync(listed)

    assert mirrored.ids() == ids_of(listed.orders)
    assert mirrored.manifest.complete


def test_orders_removed_while_pages_are_read_open_no_gap(mirrored: Mirrored) -> None:
    listed = listing(250)
    removals = iter([list[int](range(20, 50)), [], [], [], [], []])

    def remove(one: List) -> None:
        gone = set(next(removals))
        one.orders = [each for n, each in enumerate(one.orders) if n not in gone]

    listed.meanwhile = remove
    mirrored.sync(listed)

    assert mirrored.ids() == ids_of(listed.orders)
    assert (mirrored.manifest.complete, mirrored.manifest.reset) == (True, 30)


def test_a_list_that_never_stands_still_is_not_called_complete(mirrored: Mirrored) -> None:
    listed = listing(250)
    listed.meanwhile = lambda one: one.orders.__delitem__(0)

    with pytest.raises(GatewayInvalidResponse):
        mirrored.sync(listed)

    assert not mirrored.manifest.complete


def test_a_record_listed_twice_counts_once_and_is_said(mirrored: Mirrored) -> None:
    listed = listing(150)
    listed.orders[3:3] = listed.orders[120:130]

    mirrored.sync(listed)
    again = mirrored.sync(listed)

    assert mirrored.ids() == ids_of(listed.orders)
    assert (mirrored.manifest.complete, mirrored.manifest.duplicates, again.pages) == (True, 10, 1)


def test_new_records_listed_twice_cost_no_second_reading_of_all(mirrored: Mirrored) -> None:
    listed = listing(150)
    mirrored.sync(listed)
    listed.add(order(150), order(150), order(151))

    assert mirrored.sync(listed).pages == 1
    assert mirrored.manifest.duplicates == 1
    assert mirrored.ids() == ids_of(listed.orders)


def test_an_edited_record_is_seen_near_the_top_and_by_reading_all_anywhere(mirrored: Mirrored) -> None:
    listed = listing(150)
    mirrored.sync(listed)
    listed.orders[10] = {**listed.orders[10], "fees": 7}
    listed.orders[140] = {**listed.orders[140], "fees": 8}

    assert mirrored.sync(listed).edited == 1
    assert mirrored.sync(listed, whole=True).edited == 1
    assert [row[0] for row in mirrored.rows("fees") if row[0] > 1] == [8, 7]
    assert len(mirrored.ids()) == 150


@pytest.mark.parametrize("name", ["{}", "O{}-A"])
def test_orders_of_the_same_millisecond_stay_however_they_come(mirrored: Mirrored, name: str) -> None:
    burst = [order(n, id=name.format(n), time=order(n // 30)["time"]) for n in range(700)]
    listed = List(list(reversed(burst)))
    mirrored.sync(listed)
    assert mirrored.ids() == ids_of(listed.orders)
    listed.add(*(order(n, id=name.format(n), time=burst[-1]["time"]) for n in range(700, 703)))

    mirrored.sync(listed)

    assert mirrored.ids() == ids_of(listed.orders)
    assert mirrored.manifest.records == mirrored.manifest.total == 703


def test_ids_as_numbers_and_as_text_and_times_in_seconds_are_the_same_records(mirrored: Mirrored) -> None:
    listed = listing(120)
    mirrored.sync(listed)
    listed.orders = [{**one, "id": str(one["id"]), "time": one["time"] // 1000} for one in listed.orders]

    told = mirrored.sync(listed, whole=True)

    assert (told.new, told.edited, told.removed) == (0, 0, 0)
    assert len(mirrored.ids()) == 120


def test_records_of_another_pair_are_kept_apart_by_their_own_pair(mirrored: Mirrored) -> None:
    listed = List([order(1), order(1, pair="USDT-ETH"), order(0)])

    mirrored.sync(listed)

    assert sorted(mirrored.rows("pair, id")) == [("USDT-BTC", "0"), ("USDT-BTC", "1"), ("USDT-ETH", "1")]
    assert mirrored.manifest.strays == 1


def test_a_list_in_another_order_is_read_to_its_end(mirrored: Mirrored) -> None:
    listed = listing(150)
    listed.orders.reverse()
    mirrored.sync(listed)
    listed.orders += [order(150), order(151)]

    mirrored.sync(listed)

    assert mirrored.ids() == ids_of(listed.orders)


def test_a_list_cut_short_at_its_old_end_keeps_what_was_known(mirrored: Mirrored) -> None:
    listed = listing(150)
    mirrored.sync(listed)
    before = mirrored.ids()
    listed.orders = listed.orders[:120]
    listed.add(order(150))

    mirrored.sync(listed)

    assert mirrored.ids() == [*before, "150"]
    assert (mirrored.manifest.complete, mirrored.manifest.shrank, mirrored.manifest.reset) == (True, 30, 0)


@pytest.mark.parametrize("name", ["{}", "O{}-A"])
def test_a_record_removed_from_the_middle_no_longer_counts_and_lies_aside(mirrored: Mirrored, name: str) -> None:
    listed = List([order(n, id=name.format(n)) for n in reversed(range(150))])
    mirrored.sync(listed)
    del listed.orders[70]

    told = mirrored.sync(listed)

    assert (told.removed, mirrored.manifest.reset) == (1, 1)
    assert mirrored.ids() == ids_of(listed.orders)
    assert len(mirrored.place.names("aside")) == 1


def test_a_reset_leaves_only_what_gunbot_has_now(mirrored: Mirrored) -> None:
    listed = listing(150)
    mirrored.sync(listed)
    listed.orders = []

    mirrored.sync(listed)
    # A Gunbot that has just started may not know its orders yet.
    assert (len(mirrored.ids()), mirrored.manifest.shrank) == (150, 150)
    listed.add(order(2_000), order(2_001))
    mirrored.sync(listed)

    assert mirrored.ids() == ["2000", "2001"]
    assert (mirrored.manifest.complete, mirrored.manifest.shrank, mirrored.manifest.reset) == (True, 0, 150)


def test_a_gunbot_that_gives_fewer_records_a_page_is_read_whole(mirrored: Mirrored) -> None:
    listed = listing(730)
    listed.most = 70

    mirrored.sync(listed)
    listed.add(*(order(730 + n) for n in range(150)))
    mirrored.sync(listed)

    assert mirrored.ids() == ids_of(listed.orders)


def test_a_gunbot_that_names_no_total_is_read_to_an_empty_page(mirrored: Mirrored) -> None:
    listed = listing(100)
    listed.total = lambda _: None

    mirrored.sync(listed)
    assert len(listed.asked) == 2
    listed.add(*(order(100 + n) for n in range(80)))
    mirrored.sync(listed)

    assert mirrored.ids() == ids_of(listed.orders)
    assert len(listed.asked) <= 3


def test_a_total_that_counts_too_few_hides_nothing(mirrored: Mirrored) -> None:
    listed = listing(230)
    listed.total = lambda _: 100

    mirrored.sync(listed)

    assert mirrored.ids() == ids_of(listed.orders)


def test_a_gunbot_that_ignores_the_page_is_not_called_complete(mirrored: Mirrored) -> None:
    listed = listing(300)
    top = listed.orders[:100]
    listed.meanwhile = lambda one: one.orders.__setitem__(slice(None), top * 3)

    with pytest.raises(GatewayInvalidResponse):
        mirrored.sync(listed)

    assert not mirrored.manifest.complete


def test_what_was_read_before_gunbot_went_away_is_kept_and_gone_on_from(mirrored: Mirrored) -> None:
    listed = listing(1_200)

    def away(asked: int) -> None:
        if asked > 8:
            raise GatewayUnreachable("away", "start it")

    listed.fail = away
    with pytest.raises(GatewayUnreachable):
        mirrored.sync(listed)
    assert (mirrored.manifest.complete, mirrored.manifest.read, len(mirrored.ids())) == (False, 500, 500)
    listed.fail = lambda _: None
    listed.add(*(order(1_200 + n) for n in range(30)))

    mirrored.sync(listed)

    # The top, the page before the cut, and the rest.
    assert len(listed.asked) <= 10
    assert mirrored.manifest.complete
    assert mirrored.ids() == ids_of(listed.orders)


def test_a_slow_gunbot_is_asked_for_smaller_pages(tmp_path: Path) -> None:
    mirrored = Mirrored(tmp_path)
    listed = listing(1_200)

    def slow(_: int) -> None:
        if listed.asked[-1][1] > 100:
            raise GatewayTimeout("slow", "wait")

    listed.fail = slow
    mirrored.sync(listed)

    assert mirrored.ids() == ids_of(listed.orders)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), count=st.integers(0, 230), most=st.integers(20, 90))
def test_any_interleaving_of_pages_gives_the_same_records(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, most: int
) -> None:
    interleave(tmp_path_factory.mktemp("any"), seed, count, most)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), count=st.integers(0, 400), most=st.integers(15, 120))
def test_any_interleaving_of_pages_gives_the_same_records_however_often_it_is_tried(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, most: int
) -> None:
    interleave(tmp_path_factory.mktemp("any"), seed, count, most)


def interleave(folder: Path, seed: int, count: int, most: int) -> None:
    """Sync while the list grows, repeats records and is shuffled between pages; then once more when it stands still."""
    draw = random.Random(seed)
    mirrored = Mirrored(folder, size=100)
    listed = listing(count)
    listed.most = most
    made = count

    def meanwhile(one: List) -> None:
        nonlocal made
        if draw.random() < 0.4:
            for _ in range(draw.randrange(1, 12)):
                one.add(order(made))
                made += 1
        if draw.random() < 0.2 and one.orders:
            one.orders.insert(0, one.orders[0])
        page = slice(start := draw.randrange(0, len(one.orders) + 1), start + most)
        part = one.orders[page]
        draw.shuffle(part)
        one.orders[page] = part

    for _ in range(3):
        listed.meanwhile = meanwhile
        try:
            mirrored.sync(listed)
        except GatewayInvalidResponse:
            assert not mirrored.manifest.complete
        listed.meanwhile = lambda _: None
        mirrored.sync(listed)

        assert mirrored.ids() == ids_of(listed.orders)
        assert mirrored.manifest.complete
