"""Rules 1 to 9: is an order that Gunbot shows, or a fill, the one that was sent?"""

from guard.fate_rows import (
    AT_ASK,
    BOUGHT,
    CANDIDATE,
    CUT,
    FILLED,
    GRID,
    NOTHING,
    OCO,
    OPEN,
    STOP,
    TRAIL,
    D,
    fills,
    market,
    row,
    show,
)
from support.shown import ABSENT, MISSING, Fill, Show, resting

FOUND = (
    # 1: what cannot be read is not known
    row("1 nothing is shown", (Show(), NOTHING)),
    row("1 openOrders is absent", (Show(ABSENT), NOTHING)),
    row("1 openOrders is null", (Show(None), NOTHING)),
    row("1 openOrders is an object", (Show({"a": resting()}), NOTHING)),
    row("1 the pair is missing", (Show(MISSING), NOTHING)),
    row("1 the memory cannot be read", (show(resting(), down="/coremem/single"), NOTHING)),
    row("1 the history cannot be read", (show(resting(), down="/orders/page"), NOTHING)),
    row("1 populated later", (Show(ABSENT), NOTHING), (show(resting()), OPEN)),
    row("1 a baseline without open ids: candidates", (show(resting()), CANDIDATE), before=Show(ABSENT)),
    row(
        "1 and for ever",
        (show(resting()), CANDIDATE),
        (show(resting(), bid=2), CANDIDATE),
        (show(resting(), bid=3, after=9000), CANDIDATE),
        before=Show(None),
    ),
    row(
        "1 an older look-alike where nothing was populated",
        (show(resting("5")), CANDIDATE.replace("77", "5")),
        before=Show(MISSING),
    ),
    # 2: limits
    row("2 exactly what was sent", (show(resting()), OPEN)),
    row("2 numbers as text", (show(resting(rate="49000.10", amount="0.00100")), OPEN)),
    row("2 cut by the exchange", (show(resting(amount=0.00102, rate=49000.12)), OPEN), sent=CUT),
    row("2 a price that was rounded up", (show(resting(amount=0.00102, rate=49000.13)), OPEN), sent=CUT),
    row("2 a sell", (show(resting(type="sell", rate=51000.0)), OPEN), tool="sell_limit", sent={"price": D(51000)}),
    row(
        "2 a close at limit",
        (show(resting(type="sell")), OPEN),
        tool="close_limit",
        sent={"exchange": "bybit", "pair": "USDT-BTC-LONG"},
    ),
    row("2 it was there before", (show(resting()), NOTHING), before=show(resting())),
    row("2 the other side", (show(resting(type="sell")), NOTHING)),
    row("2 another pair", (show(resting(pair="USDT-ETH")), NOTHING)),
    row("2 no side", (show(resting(type=None)), NOTHING)),
    row("2 more than was sent", (show(resting(amount=0.0011)), NOTHING)),
    row("2 nearly the same size, larger", (show(resting(amount=0.00100001)), NOTHING)),
    row("2 another price", (show(resting(rate=49000.2)), NOTHING)),
    row("2 it names another kind", (show(resting(kind="stop_limit")), NOTHING)),
    row("2 it has a stop price", (show(resting(stopPrice=48000)), NOTHING)),
    row("2 without an id", (show(resting("")), NOTHING)),
    row("2 shown late", (Show(), NOTHING), (show(resting(), after=100), OPEN)),
    row("2 after success it has its id", (show(resting()), OPEN), post="success"),
    # 3: less than sure
    row("3 nearly the same size, smaller", (show(resting(amount=0.00099)), CANDIDATE)),
    row("3 a remainder, perhaps", (show(resting(amount=0.0004)), CANDIDATE)),
    row("3 an amount coarser than the key", (show(resting(amount=0.001, rate=49000.12)), CANDIDATE), sent=CUT),
    row("3 a price coarser than the key", (show(resting(rate=49000.0, amount=0.00102)), CANDIDATE), sent=CUT),
    row(
        "3 what rests and what is filled add up",
        (
            show(resting(amount=0.0006), fills=(Fill(amount=0.0004),)),
            "accepted match open_orders partly_filled 77 0.0004@49000.1",
        ),
    ),
    # 4 and 5: several
    row("4 two fit", (show(resting(), resting("78")), "unknown candidate open_orders - 77+78")),
    row(
        "4 one of two goes away: which was it?",
        (show(resting(), resting("78")), "unknown candidate open_orders - 77+78"),
        (show(resting("78")), "unknown candidate open_orders - 78+77"),
    ),
    row("4 a resting one and a fill", (show(resting(), fills=(Fill("9"),)), "unknown candidate open_orders - 77+9")),
    # A grid bot
    row(
        "2 where the account trades that amount again and again, it is a candidate",
        (show(resting(), fills=GRID), CANDIDATE),
        before=fills(*GRID),
    ),
    row(
        "2 and where it traded others, it is not",
        (show(resting()), OPEN),
        before=fills(*(Fill(str(n), at=-50 * n, amount=0.002) for n in range(1, 5))),
    ),
    # 6: stops and trails
    row("6 a stop: whatever rests", (show(resting(rate=51100)), CANDIDATE), tool="buy_stop_limit", sent=STOP),
    row(
        "6 a stop: a plain order at its stop price",
        (show(resting(rate=51000)), CANDIDATE),
        tool="buy_stop_limit",
        sent=STOP,
    ),
    row(
        "6 a stop whose record names kind and stop",
        (show(resting(rate=51100, kind="stop_limit", stopPrice=51000)), OPEN),
        tool="buy_stop_limit",
        sent=STOP,
    ),
    row(
        "6 a stop of another trigger",
        (show(resting(rate=51100, kind="stop_limit", stopPrice=51001)), CANDIDATE),
        tool="buy_stop_limit",
        sent=STOP,
    ),
    row(
        "6 a trail: a plain order far away",
        (show(resting(type="sell", rate=42000)), CANDIDATE),
        tool="sell_trailing_stop",
        sent=TRAIL | {"stop_price": D(49_500)},
    ),
    row(
        "6 a trail that fills",
        (fills(Fill(type="sell", rate=49500)), "unknown candidate history - 77 0.001@49500"),
        tool="sell_trailing_stop",
        sent=TRAIL | {"stop_price": D(49_500)},
    ),
    # 7: OCO
    row(
        "7 both legs",
        (show(resting(), resting("78", rate=52100)), "accepted match open_orders open 77+78"),
        tool="buy_oco",
        sent=OCO,
    ),
    row(
        "7 a leg at its stop price",
        (show(resting(), resting("78", rate=52000)), "accepted match open_orders open 77+78"),
        tool="buy_oco",
        sent=OCO,
    ),
    row("7 one leg, perhaps a stranger's", (show(resting()), CANDIDATE), tool="buy_oco", sent=OCO),
    row(
        "7 three",
        (
            show(resting(), resting("78", rate=52100), resting("79", rate=52100)),
            "unknown candidate open_orders - 77+78+79",
        ),
        tool="buy_oco",
        sent=OCO,
    ),
    # 8: market
    market("8 its fill", (fills(Fill(**BOUGHT)), AT_ASK)),
    market(
        "8 in parts of one id",
        (
            fills(Fill(amount=0.0004, rate=50000), Fill(amount=0.0006, rate=50010, at=2)),
            "accepted match history filled 77 0.001@50006",
        ),
    ),
    row(
        "8 cut by the exchange",
        (fills(Fill(amount=0.00102, rate=50000.5)), "accepted match history filled 77 0.00102@50000.5"),
        tool="buy_market",
        sent={"price": None, "amount": D("0.0010204")},
    ),
    market("8 a fill 50 s before it was sent", (fills(Fill(at=-50, **BOUGHT)), NOTHING)),
    market("8 a fill a moment before", (fills(Fill(at=-0.001, **BOUGHT)), NOTHING)),
    market("8 a fill after a minute", (Show(), NOTHING), (fills(Fill(at=61, **BOUGHT), after=70), NOTHING)),
    market("8 a fill 10 % below the quote", (fills(Fill(rate=45000)), NOTHING)),
    market("8 a resting order is never it", (show(resting()), NOTHING)),
    market("8 a stop of the bot is never it", (show(resting(rate=50000, kind="stop_limit")), NOTHING)),
    market(
        "8 a part of the sum", (fills(Fill(amount=0.0004, **BOUGHT)), "unknown candidate history - 77 0.0004@50000.51")
    ),
    market(
        "8 several ids",
        (
            fills(Fill(amount=0.0004, **BOUGHT), Fill("78", amount=0.0006, **BOUGHT)),
            "unknown candidate history - 77+78",
        ),
    ),
    market("8 two whole ones", (fills(Fill(**BOUGHT), Fill("78", **BOUGHT)), "unknown candidate history - 77+78")),
    market("8 one that was there before", (fills(Fill(**BOUGHT)), NOTHING), before=fills(Fill(at=-1, **BOUGHT))),
    market("8 a sell", (fills(Fill(type="sell", **BOUGHT)), NOTHING)),
    market(
        "8 without Gunbot's clock",
        (fills(Fill(**BOUGHT)), "unknown candidate history - 77 0.001@50000.51"),
        timed=False,
    ),
    market(
        "8 where the history could not be read before",
        (fills(Fill(**BOUGHT)), "unknown candidate history - 77 0.001@50000.51"),
        before=Show([], down="/orders/page"),
    ),
    market(
        "8 a resting order of somebody else that fills",
        (fills(Fill(**BOUGHT)), NOTHING),
        before=show(resting(rate=50000)),
    ),
    # 9: limits that were never seen open
    row("9 filled before it was seen", (fills(Fill()), FILLED)),
    row("9 at a better price", (fills(Fill(rate=48900)), "accepted match history filled 77 0.001@48900")),
    row("9 at a much better price: a stranger's", (fills(Fill(rate=47000)), NOTHING)),
    row("9 at a worse price", (fills(Fill(rate=49000.2)), NOTHING)),
    row("9 before it was sent", (fills(Fill(at=-50)), NOTHING)),
    row("9 long after", (Show(), NOTHING), (fills(Fill(at=5000), after=6000), FILLED)),
    row("9 a part", (fills(Fill(amount=0.0004)), "unknown candidate history - 77 0.0004@49000.1")),
    row("9 two", (fills(Fill(), Fill("78")), "unknown candidate history - 77+78")),
    row("9 an order that rested before and fills now", (fills(Fill()), NOTHING), before=show(resting())),
)
