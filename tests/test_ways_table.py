"""The table of ways in the README says what the measuring test asserts; its seconds are those of one run."""

import re

from web.ways import HEAD, LONGER, MOST, WAYS, rows_in_readme


def test_the_readme_has_every_way_with_its_actions() -> None:
    rows = rows_in_readme()

    assert tuple(rows[:2]) == HEAD
    assert [re.sub(r"\d+\.\d \|$", "… |", row) for row in rows[2:]] == [way.row("…") for way in WAYS.values()]


def test_no_way_takes_more_than_two_actions_but_a_terminal_and_a_notification_of_a_live_order() -> None:
    longer = {name: len(way.actions) for name, way in WAYS.items() if len(way.actions) > MOST}
    assert longer == dict.fromkeys(LONGER, MOST + 1)
