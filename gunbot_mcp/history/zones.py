"""Days, hours and months of a time zone over a range of instants, by one rule, for Python and for SQL.

A bucket is the wall clock's. A day begins at the first instant that carries its date: a doubled 00:xx is all of the new
day, a day without midnight begins at 01:00, a day has 23 to 25 hours. The zone data is Python's alone, so that both
sides of a sum agree.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1)
_MONDAY = 3
"""Day 0, the first of January 1970, was a Thursday."""
_STEP_MS = 15 * DAY_MS
"""No zone changes its offset twice in less time, but for zones that stop their summer time for Ramadan (28 days)."""


def millis(moment: datetime) -> int:
    """Return the milliseconds since 1970 of an aware time, exactly."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment_of(time_ms: int) -> datetime:
    """Return the instant, aware, in UTC."""
    return _EPOCH + timedelta(milliseconds=time_ms)


def day_number(day: date) -> int:
    return (day - _EPOCH_DAY).days


def date_of(number: int) -> date:
    return _EPOCH_DAY + timedelta(days=number)


@dataclass(frozen=True, slots=True)
class Span:
    """Until `until_ms` (exclusive; the last span has no end), a day is that of UTC moved by `offset_ms`."""

    until_ms: int | None
    offset_ms: int


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone's days over [since_ms, until_ms); instants outside are in no bucket."""

    name: str
    since_ms: int
    until_ms: int

    @property
    def _info(self) -> ZoneInfo:
        return ZoneInfo(self.name)

    def spans(self) -> Sequence[Span]:
        """Return the offsets that tell the hour on the clock."""
        return _clock_spans(self.name, self.since_ms, self.until_ms)

    def day_spans(self) -> Sequence[Span]:
        """Return the offsets that tell the day: where a clock goes back over midnight, the new day goes on."""
        return _day_spans(self.spans())

    def day_of(self, time_ms: int) -> int:
        """Return the number of the day (since 1970-01-01) that an instant belongs to."""
        return (time_ms + _offset_at(self.day_spans(), time_ms)) // DAY_MS

    def days(self) -> range:
        """Return the numbers of all days from the range's first to its last. See `dates` for those that exist."""
        if self.until_ms <= self.since_ms:
            return range(0)
        return range(self.day_of(self.since_ms), self.day_of(self.until_ms - 1) + 1)

    def dates(self) -> list[int]:
        """Return the numbers of the days in the range that exist: a zone that crosses the date line skips one."""
        spans = self.day_spans()
        return [day for day in self.days() if start_of(spans, day) < start_of(spans, day + 1)]

    def start(self, day: int) -> int:
        """Return the first instant of a day in milliseconds, wherever it lies."""
        return day_start(self.name, date_of(day))

    def text(self, time_ms: int) -> datetime:
        """Return the wall clock at an instant."""
        return moment_of(time_ms).astimezone(self._info)


def day_start(zone: str, day: date) -> int:
    """Return the first instant that carries the date in that zone, in milliseconds."""
    noon = millis(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)))
    spans = _day_spans(_clock_spans(zone, noon - 3 * DAY_MS, noon + DAY_MS))
    return start_of(spans, day_number(day))


def start_of(spans: Sequence[Span], day: int) -> int:
    """Return the first instant whose day is `day` or later."""
    begin = None
    for span in spans:
        wanted = day * DAY_MS - span.offset_ms
        if begin is not None:
            wanted = max(wanted, begin)
        if span.until_ms is None or wanted < span.until_ms:
            return wanted
        begin = span.until_ms
    raise ValueError("the last span has an end")


def sql_day(zone: Zone, column: str = "time_ms") -> str:
    """Return the day's number of a column of milliseconds, as SQL."""
    return f"(({column} + {_sql_offset(zone.day_spans(), column)}) // {DAY_MS})"


def sql_hour(zone: Zone, column: str = "time_ms") -> str:
    """Return the clock's hour, 0 to 23, of a column of milliseconds, as SQL."""
    return f"((({column} + {_sql_offset(zone.spans(), column)}) // {HOUR_MS}) % 24)"


def sql_bucket(by: str, zone: Zone) -> str:
    """Return the SQL of a bucket of time: `hour day week month weekday`, each as a whole number.

    A day, and a week by its Monday, is days since 1970; a month is 12 · year + month - 1; Monday is 0.
    """
    day = sql_day(zone)
    return {
        "hour": sql_hour(zone),
        "day": day,
        "week": f"({day} - ({day} + {_MONDAY}) % 7)",
        "weekday": f"(({day} + {_MONDAY}) % 7)",
        "month": f"(year(DATE '1970-01-01' + ({day})::INTEGER) * 12 + month(DATE '1970-01-01' + ({day})::INTEGER) - 1)",
    }[by]


def bucket_of_day(by: str, day: int) -> int:
    """Return the bucket of a day, as `sql_bucket` numbers it."""
    if by == "week":
        return day - (day + _MONDAY) % 7
    if by == "weekday":
        return (day + _MONDAY) % 7
    if by == "month":
        found = date_of(day)
        return found.year * 12 + found.month - 1
    return day


def bucket_days(by: str, bucket: int) -> tuple[int, int]:
    """Return the first day of a bucket of days and the first after it."""
    if by == "week":
        return bucket, bucket + 7
    if by == "month":
        year, month = divmod(bucket, 12)
        after = divmod(bucket + 1, 12)
        return day_number(date(year, month + 1, 1)), day_number(date(after[0], after[1] + 1, 1))
    return bucket, bucket + 1


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def label(by: str, bucket: int) -> str:
    """Return a bucket's name: `07` (hour), `2026-10-12` (day, week), `2026-10` (month), `Mon` (weekday)."""
    if by == "hour":
        return f"{bucket:02d}"
    if by == "weekday":
        return _WEEKDAYS[bucket]
    if by == "month":
        return f"{bucket // 12:04d}-{bucket % 12 + 1:02d}"
    return date_of(bucket).isoformat()


@functools.lru_cache(maxsize=64)
def _clock_spans(zone: str, since_ms: int, until_ms: int) -> tuple[Span, ...]:
    info = ZoneInfo(zone)
    spans: list[Span] = []
    at, offset = since_ms, _utc_offset(info, since_ms)
    while at < until_ms:
        following = min(at + _STEP_MS, until_ms)
        changed = _utc_offset(info, following)
        if changed != offset:
            change = _first_with(info, at, following, offset)
            spans.append(Span(change, offset))
            at, offset = change, _utc_offset(info, change)
            continue
        at = following
    return (*spans, Span(None, offset))


def _first_with(info: ZoneInfo, low: int, high: int, offset: int) -> int:
    """Return the first millisecond in (low, high] at which the offset is another."""
    while high - low > 1:
        middle = (low + high) // 2
        if _utc_offset(info, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _utc_offset(info: ZoneInfo, time_ms: int) -> int:
    offset = moment_of(time_ms).astimezone(info).utcoffset()
    return 0 if offset is None else offset // timedelta(milliseconds=1)


def _day_spans(spans: Sequence[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for index, span in enumerate(spans):
        found.append(span)
        if span.until_ms is None:
            break
        following = spans[index + 1]
        reached = (span.until_ms - 1 + span.offset_ms) // DAY_MS
        if (span.until_ms + following.offset_ms) // DAY_MS < reached:
            # 00:01 went back to 23:01: the new day had begun, and stays until the clock says so, too.
            found[-1] = Span(reached * DAY_MS - following.offset_ms, span.offset_ms)
    return tuple(found)


def _offset_at(spans: Sequence[Span], time_ms: int) -> int:
    return next(span.offset_ms for span in spans if span.until_ms is None or time_ms < span.until_ms)


def _sql_offset(spans: Iterator[Span] | Sequence[Span], column: str) -> str:
    cases = [(span.until_ms, span.offset_ms) for span in spans]
    *before, (_, last) = cases
    if not before:
        return str(last)
    return (
        "CASE " + " ".join(f"WHEN {column} < {until} THEN {offset}" for until, offset in before) + f" ELSE {last} END"
    )
