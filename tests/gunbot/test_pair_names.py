"""Which pair somebody meant who wrote a name that an exchange does not have."""

import pytest

from gunbot_mcp.gunbot.pairs import Known, look_up, looks_reversed
from gunbot_mcp.gunbot.records import enabled_pairs

SPOT = ("USDT-BTC", "BTC-ETH", "USDT-ETH")
FUTURES = ("USDT-BTC-LONG", "USDT-BTC-SHORT", "USDT-ETH-LONG")


@pytest.mark.parametrize("name", SPOT)
def test_a_name_of_the_list_is_right(name: str) -> None:
    assert look_up(name, SPOT) == Known(there=True)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("BTC-USDT", "USDT-BTC"),
        ("BTCUSDT", "USDT-BTC"),
        ("USDTBTC", "USDT-BTC"),
        ("usdt-btc", "USDT-BTC"),
        ("btc-usdt", "USDT-BTC"),
        ("USDT_BTC", "USDT-BTC"),
        ("BTC_USDT", "USDT-BTC"),
        ("ETH-BTC", "BTC-ETH"),
    ],
)
def test_the_reverse_and_every_other_spelling_lead_to_the_right_name(written: str, right: str) -> None:
    assert look_up(written, SPOT) == Known(there=False, right=right)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("BTC-USDT-LONG", "USDT-BTC-LONG"),
        ("usdt-btc-short", "USDT-BTC-SHORT"),
        ("BTCUSDT-SHORT", "USDT-BTC-SHORT"),
        ("ETHUSDTLONG", "USDT-ETH-LONG"),
    ],
)
def test_a_side_of_a_future_is_never_exchanged_for_the_other(written: str, right: str) -> None:
    assert look_up(written, FUTURES).right == right


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("USDT-BTC", ("USDT-BTC-LONG", "USDT-BTC-SHORT")),
        ("BTC-USDT", ("USDT-BTC-LONG", "USDT-BTC-SHORT")),
        ("USDT-ETH-SHORT", ("USDT-ETH-LONG",)),
        ("USDT-DOGE", ()),
    ],
)
def test_another_market_is_near_and_not_the_right_name(written: str, near: tuple[str, ...]) -> None:
    assert look_up(written, FUTURES) == Known(there=False, near=near)


def test_an_empty_list_knows_nothing() -> None:
    assert look_up("BTC-USDT", ()) == Known(there=False)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("BTC-USDT", "USDT-BTC"),
        ("DOGE-USD-LONG", "USD-DOGE-LONG"),
        ("USDT-BTC", None),
        ("EUR-USDT", None),
        ("BTC-ETH", None),
        ("XBT-USD", None),
        ("BTCUSDT", None),
    ],
)
def test_a_pair_that_pays_for_dollars_looks_reversed(name: str, other: str | None) -> None:
    assert looks_reversed(name) == other


# What cycles


def test_core_memory_tells_which_pairs_are_enabled_and_nothing_else_of_them() -> None:
    config = {
        "binance": {
            "USDT-BTC": {"strategy": "secret", "enabled": True, "override": {"BUY_METHOD": "x"}},
            "USDT-ETH": {"enabled": "false"},
            "USDT-XRP": {"strategy": "s"},
            "USDT-BNB": "odd",
        },
        "kraken": {"USD-BTC": {"enabled": True}},
    }

    assert enabled_pairs({"config": config}, "binance") == {
        "USDT-BTC": True,
        "USDT-ETH": False,
        "USDT-XRP": None,
        "USDT-BNB": None,
    }


@pytest.mark.parametrize("body", [{}, {"config": None}, {"config": []}, {"memory": {}}])
def test_without_a_config_it_is_not_known(body: dict[str, object]) -> None:
    assert enabled_pairs(body, "binance") is None


@pytest.mark.parametrize("config", [{}, {"binance": None}, {"binance": []}, {"kraken": {}}])
def test_an_exchange_that_is_not_configured_has_no_enabled_pairs(config: dict[str, object]) -> None:
    assert enabled_pairs({"config": config}, "binance") == {}
