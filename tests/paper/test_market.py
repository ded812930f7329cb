from decimal import Decimal

import pytest

from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.paper.market import Line, Scale, Still, Walk
from gunbot_mcp.paper.markets import Market
from gunbot_mcp.paper.pairs import LISTINGS

WEEK = 7 * 86_400
BTC = LISTINGS["binance/USDT-BTC"]


def walk(seed: int = 1, scale: Scale | None = None) -> Line:
    return Line(curve=Walk(seed, "USDT-BTC", 51000.0), opened=0, tick=Decimal("0.01"), scale=scale)


def test_a_walk_opens_at_its_start_price_and_stays_within_four_percent_for_weeks() -> None:
    for seed in range(5):
        prices = [walk(seed).price(second * 1000) for second in range(0, 8 * WEEK, 3607)]
        assert prices[0] == 51000
        assert all(abs(price / 51000 - 1) < Decimal("0.039") for price in prices)


def test_a_walk_moves_visibly_within_half_a_minute() -> None:
    line = walk()
    moves = [abs(line.price((second + 30) * 1000) / line.price(second * 1000) - 1) for second in range(0, 86_400, 61)]
    assert Decimal("0.001") < sum(moves) / len(moves) < Decimal("0.005")


def test_the_same_seed_gives_the_same_prices_and_another_seed_others() -> None:
    instants = range(0, 10_000_000, 77_000)
    assert [walk(3).price(at) for at in instants] == [walk(3).price(at) for at in instants]
    assert [walk(3).price(at) for at in instants] != [walk(4).price(at) for at in instants]


def test_a_walk_holds_within_a_second_and_before_its_opening() -> None:
    line = walk()
    assert line.price(5_000) == line.price(5_999)
    assert line.price(-5_000) == line.price(0)


@pytest.mark.parametrize("width", ["0.0004", "0.002", "0.009"])
def test_the_first_exit_is_the_one_that_looking_at_every_second_finds(width: str) -> None:
    for seed in range(4):
        line = walk(seed, Scale(Decimal(40_000), Decimal(51_000)) if seed % 2 else None)
        for since in range(0, 40_000_000, 9_999_500):
            price = line.price(since)
            low, high = price * (1 - Decimal(width)), price * (1 + Decimal(width))
            until = since + 3_600_000
            every = (at for at in range(since // 1000 * 1000 + 1000, until + 1, 1000))
            assert line.first_exit(since, until, low, high) == next(
                (at for at in every if not low < line.price(at) < high), None
            )


def test_a_range_that_is_never_left_is_left_never() -> None:
    assert walk().first_exit(0, 520 * WEEK * 1000, Decimal("-Infinity"), Decimal("Infinity")) is None


def test_the_book_is_deterministic_sorted_and_a_few_basis_points_wide() -> None:
    line = walk()
    asks, bids = line.book(60_000)
    assert (asks, bids) == walk().book(60_000)
    assert len(asks) == len(bids) == 10
    assert asks == sorted(asks)
    assert bids == sorted(bids, reverse=True)
    assert bids[0][0] < line.price(60_000) < asks[0][0]
    assert asks[0][0] / bids[0][0] - 1 < Decimal("0.0005")
    assert all(quantity > 0 for _, quantity in asks + bids)
    assert line.quote(60_000).ask == asks[0][0]


def test_a_price_of_one_tick_still_has_a_book() -> None:
    line = Line(curve=Still(0.01), opened=0, tick=Decimal("0.01"))
    asks, bids = line.book(0)
    assert [price for price, _ in bids] == [Decimal("0.01")]
    assert asks[0][0] == Decimal("0.02")


def test_a_price_set_by_hand_holds_at_once_and_the_path_goes_on_from_it_in_proportion() -> None:
    plain, at = walk(), 50_000
    scaled = walk(scale=Scale(Decimal(25_500), Decimal(repr(plain.curve.level(at)))))
    assert scaled.price(at) == 25_500
    later = at + 600_000
    assert abs(scaled.price(later) / 25_500 - plain.price(later) / plain.price(at)) < Decimal("1e-5")


def test_manual_prices_do_not_move() -> None:
    line = Market(1, "manual").line(BTC, 0, None)
    assert line.price(0) == line.price(WEEK * 1000) == 51000
    assert line.first_exit(0, WEEK * 1000, Decimal(50999), Decimal(51001)) is None


@pytest.mark.parametrize("spec", ["", "random", "replay", "replay:", "WALK"])
def test_an_unknown_market_names_the_known_ones(spec: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Market(1, spec)
    assert "walk, manual or replay:FILE" in caught.value.hint
