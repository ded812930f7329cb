"""Rules 10 to 16: what becomes of an order that was found, of a cancel, and of what nobody can see."""

from guard.fate_rows import CUT, FILLED, LINKED, NOTHING, OPEN, OPEN5, cancel, fills, row, show
from support.shown import ABSENT, Fill, Show, resting

FOLLOWED = (
    # 10 and 11: an order that is known
    row(
        "10 an accepted order is followed to its end",
        (show(resting()), OPEN),
        (
            show(resting(amount=0.0006), fills=(Fill(amount=0.0004, rate=49000),)),
            "accepted match open_orders partly_filled 77 0.0004@49000",
        ),
        (
            fills(Fill(amount=0.0004, rate=49000), Fill(amount=0.0006, rate=48990, at=20)),
            "accepted match history filled 77 0.001@48994",
        ),
        post="success",
    ),
    row(
        "10 a fill outranks what still rests",
        (show(resting()), OPEN),
        (show(resting(), fills=(Fill(),)), FILLED),
        post="success",
    ),
    row(
        "10 parts are not forgotten when they drop off the page",
        (show(resting()), OPEN),
        (show(resting(), fills=(Fill(amount=0.0004),)), "accepted match open_orders partly_filled 77 0.0004@49000.1"),
        (show(resting()), "accepted match open_orders partly_filled 77 0.0004@49000.1"),
        post="success",
    ),
    row(
        "10 a cut order is filled by what the exchange took",
        (show(resting(amount=0.00102, rate=49000.12)), OPEN),
        (fills(Fill(amount=0.00102, rate=49000.12)), "accepted match history filled 77 0.00102@49000.12"),
        sent=CUT,
    ),
    row("11 not known at one look stays what it was", (show(resting()), OPEN), (Show(ABSENT), OPEN)),
    # 12 and 13: gone
    row(
        "12 no longer open, no fill seen",
        (show(resting()), OPEN),
        (Show([]), "accepted match not_open - 77"),
        never=("did not fill", "ancelled"),
    ),
    row(
        "12 however long",
        (show(resting()), OPEN),
        (Show([]), "accepted match not_open - 77"),
        (Show([], bid=2, after=86_000), "accepted match not_open - 77"),
        (Show([], bid=3, after=86_000), "accepted match not_open - 77"),
        never=("did not fill",),
    ),
    row(
        "12 a later record, but ids were never seen to link",
        (show(resting()), OPEN),
        (Show([], bid=2), "accepted match not_open - 77"),
        (Show([], bid=3), "accepted match not_open - 77"),
        (fills(Fill("9", at=900, amount=0.5), bid=4, after=900), "accepted match not_open - 77"),
    ),
    row(
        "12 the fill comes late",
        (show(resting()), OPEN),
        (Show([]), "accepted match not_open - 77"),
        (fills(Fill(), after=400), FILLED),
    ),
    row(
        "12 it comes back",
        (show(resting()), OPEN),
        (Show([]), "accepted match not_open - 77"),
        (show(resting(), bid=2), OPEN),
    ),
    row(
        "13 gone, and did not fill",
        (show(resting(), OPEN5), OPEN),
        (show(OPEN5, bid=2, fills=(LINKED,)), "accepted match not_open - 77"),
        (
            show(OPEN5, bid=3, fills=(LINKED, Fill("9", at=900, amount=0.5)), after=900),
            "accepted match not_open gone 77",
        ),
        before=show(OPEN5),
    ),
    row(
        "13 gone after a part of it filled",
        (show(resting(), OPEN5), OPEN),
        (
            show(OPEN5, bid=2, fills=(LINKED, Fill(amount=0.0004))),
            "accepted match not_open partly_filled 77 0.0004@49000.1",
        ),
        (
            show(OPEN5, bid=3, fills=(LINKED, Fill(amount=0.0004), Fill("9", at=900, amount=0.5)), after=900),
            "accepted match not_open gone 77 0.0004@49000.1",
        ),
        before=show(OPEN5),
    ),
    row(
        "13 the later record is from before it went",
        (show(resting(), OPEN5), OPEN),
        (show(OPEN5, bid=2, fills=(LINKED,), after=900), "accepted match not_open - 77"),
        (show(OPEN5, bid=3, fills=(LINKED, Fill("9", at=100, amount=0.5))), "accepted match not_open - 77"),
        before=show(OPEN5),
    ),
    row(
        "13 the memory did not move on",
        (show(resting(), OPEN5), OPEN),
        (show(OPEN5, fills=(LINKED,)), "accepted match not_open - 77"),
        (show(OPEN5, fills=(LINKED, Fill("9", at=900, amount=0.5)), after=900), "accepted match not_open - 77"),
        before=show(OPEN5),
    ),
    # 14: cancels
    cancel("14 still listed at once is not known yet", (show(resting(), OPEN5), "accepted nothing"), post="success"),
    cancel(
        "14 still listed after the memory moved on",
        (show(resting(), OPEN5, bid=2), "accepted nothing"),
        (show(resting(), OPEN5, bid=3), OPEN),
        post="success",
        never=("Cancelled",),
    ),
    cancel(
        "14 not listed is not cancelled yet",
        (show(OPEN5), "accepted match not_open - 77"),
        post="success",
        never=("did not fill", "Cancelled"),
    ),
    cancel(
        "14 it filled before the cancel", (show(OPEN5, fills=(Fill(),)), FILLED), post="success", never=("Cancelled:",)
    ),
    cancel(
        "14 lost, gone, and 31 s later",
        (show(OPEN5), "unknown match not_open - 77"),
        (show(OPEN5, after=31), "unknown match not_open - 77"),
        never=("did not fill",),
    ),
    cancel(
        "14 lost, and Gunbot restarts unpopulated",
        (Show(ABSENT), NOTHING),
        (Show(ABSENT, after=31), NOTHING),
        (Show(None, after=31), NOTHING),
        (show(resting(), OPEN5), NOTHING),
        never=("did not fill",),
    ),
    cancel(
        "14 lost, and it filled",
        (show(OPEN5), "unknown match not_open - 77"),
        (show(OPEN5, fills=(Fill(),), after=400), "void match history filled 77 0.001@49000.1"),
    ),
    cancel(
        "14 lost, and a part filled",
        (show(OPEN5, fills=(Fill(amount=0.0004),)), "unknown match not_open partly_filled 77 0.0004@49000.1"),
    ),
    cancel(
        "14 lost, and 13 settles it",
        (show(OPEN5, bid=2, fills=(LINKED,)), "unknown match not_open - 77"),
        (
            show(OPEN5, bid=3, fills=(LINKED, Fill("9", at=900, amount=0.5)), after=900),
            "accepted match not_open gone 77",
        ),
    ),
    cancel(
        "14 lost, of an order that was never seen", (Show([]), NOTHING), (Show([], bid=2), NOTHING), before=Show([])
    ),
    cancel(
        "14 lost, still listed",
        (show(resting(), OPEN5), NOTHING),
        (show(resting(), OPEN5, bid=2), NOTHING),
        (show(resting(), OPEN5, bid=3), "unknown match open_orders open 77"),
    ),
    # 15: nothing found
    row(
        "15 nothing is found, however long",
        *((Show([], bid=n, after=80_000), NOTHING) for n in range(1, 7)),
        never=("no such order", "not placed", "never arrived", "did not fill"),
    ),
    # 16: a second fit
    row(
        "16 a second one fits before the memory moved on",
        (show(resting()), OPEN),
        (show(resting(), resting("78"), bid=2), "unknown candidate open_orders - 77+78"),
    ),
    row(
        "16 where Gunbot said success, only the observation changes",
        (show(resting()), OPEN),
        (show(resting(), resting("78"), bid=2), "accepted candidate open_orders - 77+78"),
        post="success",
    ),
    row(
        "16 the first one goes as the second comes",
        (show(resting()), OPEN),
        (show(resting("78"), bid=2), "unknown candidate open_orders - 77+78"),
    ),
    row(
        "16 and it stays in doubt when one of them goes",
        (show(resting()), OPEN),
        (show(resting(), resting("78"), bid=2), "unknown candidate open_orders - 77+78"),
        (show(resting(), bid=3), "unknown candidate open_orders - 77+78"),
    ),
    row(
        "16 after the memory moved on, the first is ours",
        (show(resting()), OPEN),
        (show(resting(), bid=2), OPEN),
        (show(resting(), resting("78"), bid=3), OPEN),
    ),
)
