"""Ranges as people write them, on the clock of a zone; days and hours where that clock jumps."""

from datetime import UTC, date, datetime, timedelta

import pytest
from history.sample import ms
from hypothesis import given, settings
from hypothesis import strategies as st

from gunbot_mcp.errors import InvalidArguments
from gunbot_mcp.hints import near_zones
from gunbot_mcp.history.question import asked_range, is_period
from gunbot_mcp.history.zones import DAY_MS, Zone, bucket_days, bucket_of_day, date_of, day_start, label, moment_of

NOW = datetime(2026, 11, 2, 13, 2, tzinfo=UTC)
RANGES = """
2026-10-12 | - | 2026-10-12T00:00+02:00 | -
2026-10-12 | 2026-10-25 | 2026-10-12T00:00+02:00 | 2026-10-26T00:00+01:00
2026-10-12T08:00 | 2026-10-12T09:00Z | 2026-10-12T08:00+02:00 | 2026-10-12T09:00Z
2026-10-12T08:00Z | - | 2026-10-12T08:00Z | -
7d | - | 2026-10-27T00:00+01:00 | 2026-11-02T13:02Z
2 weeks | - | 2026-10-20T00:00+02:00 | 2026-11-02T13:02Z
last 30 days | - | 2026-10-04T00:00+02:00 | 2026-11-02T13:02Z
24h | - | 2026-11-01T13:02Z | 2026-11-02T13:02Z
90min | - | 2026-11-02T11:32Z | 2026-11-02T13:02Z
today | - | 2026-11-02T00:00+01:00 | 2026-11-03T00:00+01:00
Yesterday | - | 2026-11-01T00:00+01:00 | 2026-11-02T00:00+01:00
yesterday | today | 2026-11-01T00:00+01:00 | 2026-11-03T00:00+01:00
this week | - | 2026-11-02T00:00+01:00 | 2026-11-09T00:00+01:00
last week | - | 2026-10-26T00:00+01:00 | 2026-11-02T00:00+01:00
last_month | - | 2026-10-01T00:00+02:00 | 2026-11-01T00:00+01:00
this month | - | 2026-11-01T00:00+01:00 | 2026-12-01T00:00+01:00
this year | - | 2026-01-01T00:00+01:00 | 2027-01-01T00:00+01:00
last year | - | 2025-01-01T00:00+01:00 | 2026-01-01T00:00+01:00
all | - | - | -
- | last month | - | 2026-11-01T00:00+01:00
- | - | - | -
"""


@pytest.mark.parametrize("line", RANGES.strip().splitlines())
def test_a_range_as_people_write_it(line: str) -> None:
    since, until, begin, end = (None if text == "-" else text for text in line.split(" | "))

    assert asked_range(since, until, "Europe/Berlin", NOW) == tuple(
        None if at is None else ms(at) for at in (begin, end)
    )


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-10-12", "2026-10-11", "the range is empty"),
        ("2026-10-12T08:00Z", "2026-10-12T08:00Z", "the range is empty"),
        ("2027-01-01", None, "since is in the future"),
        ("2026-11-02T13:02Z", None, "since is in the future"),
        ("2026-02-30", None, "is no time that is known here"),
    ],
)
def test_an_impossible_range_is_refused_with_the_way_out(since: str, until: str | None, said: str) -> None:
    with pytest.raises(InvalidArguments, match=said) as caught:
        asked_range(since, until, "Europe/Berlin", NOW)

    assert caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "soon", "0d", "-1d", "7dd", "2026-13-01", "99999999d", "1e9d", "2026-10-12T25:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    assert not is_period(text)


@pytest.mark.parametrize("text", ["99999d", "2026-W43-1", "20261012"])
def test_no_text_is_a_fault(text: str) -> None:
    is_period(text)


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00Z", 25),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00Z", 23),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00Z", 25),  # 00:xx twice, both of the new day
        ("America/Havana", "2026-03-08", "2026-03-08T05:00Z", 23),  # no midnight: begins at 01:00
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00Z", 24.5),
        ("America/St_Johns", "2007-11-04", "2007-11-04T02:30Z", 25),  # 00:01 went back to 23:01
        ("America/St_Johns", "2007-11-03", "2007-11-03T02:30Z", 24),
        ("UTC", "2026-10-25", "2026-10-25T00:00Z", 24),
    ],
)
def test_a_day_begins_at_the_first_instant_that_carries_its_date(
    zone: str, day: str, begins: str, hours: float
) -> None:
    on = date.fromisoformat(day)

    begin, end = (day_start(zone, on + timedelta(days=number)) for number in (0, 1))

    assert begin == ms(begins)
    assert (end - begin) / 3_600_000 == hours
    around = Zone(zone, begin - 3 * DAY_MS, end + 3 * DAY_MS)
    assert [date_of(around.day_of(at)) for at in (begin, end - 1)] == [on, on]
    assert date_of(around.day_of(begin - 1)) == on - timedelta(days=1)
    assert date_of(around.day_of(end)) == on + timedelta(days=1)


def test_a_date_that_a_zone_skipped_is_no_day() -> None:
    zone = Zone("Pacific/Apia", ms("2011-12-28T00:00Z"), ms("2012-01-02T00:00Z"))

    assert date(2011, 12, 30) not in [date_of(day) for day in zone.dates()]
    assert date(2011, 12, 31) in [date_of(day) for day in zone.dates()]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["Europe/Berlin", "America/Havana", "Africa/Casablanca", "Asia/Kolkata", "Pacific/Chatham"]),
    st.integers(ms("2018-01-01T00:00Z"), ms("2027-01-01T00:00Z")),
)
def test_a_day_is_that_of_the_wall_clock(zone: str, at: int) -> None:
    span = Zone(zone, at - 40 * DAY_MS, at + 40 * DAY_MS)
    wall = span.text(at).date()

    assert date_of(span.day_of(at)) == wall
    for by in ("day", "week", "month"):
        bucket = bucket_of_day(by, span.day_of(at))
        first, after = bucket_days(by, bucket)
        assert first <= span.day_of(at) < after
    assert label("month", bucket_of_day("month", span.day_of(at))) == f"{wall:%Y-%m}"
    assert label("weekday", bucket_of_day("weekday", span.day_of(at))) == f"{wall:%a}"
    assert moment_of(at).tzinfo is UTC


@pytest.mark.parametrize(
    ("meant", "zone"),
    [
        ("Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Europe/Berln", "Europe/Berlin"),
    ],
)
def test_the_nearest_zone_is_told(meant: str, zone: str) -> None:
    assert near_zones(meant)[0] == zone
