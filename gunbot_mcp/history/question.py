"""What is asked of a history: which records, from when to when by whose clock, grouped how, and which figures.

a date          2026-10-12: as `since` its first instant, as `until` its whole day
an ISO time     2026-10-12T08:00 (on the asked zone's clock), …Z or …+02:00 (exact); exclusive as `until`
7d 2w           today and the six (thirteen) days before; 24h, 90min: exactly that long until now
words           today, yesterday, this or last week, month, year; all
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from gunbot_mcp.errors import InvalidArguments, clean
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.zones import Zone, day_start, millis

BUCKETS = ("hour", "day", "week", "month", "weekday")
GROUPS = (*BUCKETS, "pair", "exchange", "side")
EXAMPLES = "2026-10-01, 2026-10-01T08:00Z, 7d, 24h, today, yesterday, this month, last month, this year"
_BACK = re.compile(r"([1-9][0-9]{0,4}) ?(min|h|d|w|days?|hours?|weeks?)")
_LAST = re.compile(r"(?:last|past) ([1-9][0-9]{0,4}) ?(days?|hours?|weeks?)")
_WORDS = frozenset(
    {"today", "yesterday", "all", "now"}
    | {f"{which} {what}" for which in ("this", "last") for what in ("week", "month", "year")}
)
_LONGEST = 40


def is_period(text: str) -> bool:
    """Whether a text is one of the forms above."""
    try:
        period(text, "UTC", datetime(2026, 1, 1, tzinfo=UTC))
    except ValueError:
        return False
    return True


def period(text: str, zone: str, now: datetime) -> tuple[int | None, int | None]:
    """Return the first instant of a period and the first after it, in milliseconds; None where it is open.

    Raises:
        ValueError: it has none of the forms, or is no date.
    """
    plain = " ".join(text.strip().lower().replace("_", " ").split())
    if len(plain) > _LONGEST:
        raise ValueError("has another form")
    today = now.astimezone(ZoneInfo(zone)).date()
    if plain in _WORDS:
        return _word(plain, zone, today, now)
    back = _BACK.fullmatch(plain) or _LAST.fullmatch(plain)
    if back:
        return _back(int(back[1]), back[2][0], zone, today, now)
    if "t" not in plain and ":" not in plain:
        day = date.fromisoformat(plain)
        return _days(zone, day, day + timedelta(days=1))
    moment = datetime.fromisoformat(plain.upper())
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    at = millis(aware.astimezone(UTC))
    return at, at


def _word(word: str, zone: str, today: date, now: datetime) -> tuple[int | None, int | None]:
    if word == "all":
        return None, None
    if word == "now":
        return millis(now), millis(now)
    if word in {"today", "yesterday"}:
        day = today - timedelta(days=word == "yesterday")
        return _days(zone, day, day + timedelta(days=1))
    which, _, what = word.partition(" ")
    if what == "week":
        first = today - timedelta(days=today.weekday())
        return _days(
            zone, *((first, first + timedelta(days=7)) if which == "this" else (first - timedelta(days=7), first))
        )
    months = today.year * 12 + today.month - 1 if what == "month" else today.year * 12
    many = 1 if what == "month" else 12
    begin = months if which == "this" else months - many
    return _days(zone, _month(begin), _month(begin + many))


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def _back(count: int, unit: str, zone: str, today: date, now: datetime) -> tuple[int, int]:
    if unit in {"d", "w"}:
        days = count * (7 if unit == "w" else 1)
        try:
            return day_start(zone, today - timedelta(days=days - 1)), millis(now)
        except OverflowError as exc:
            raise ValueError("reaches back before the first year") from exc
    return millis(now) - count * (3_600_000 if unit == "h" else 60_000), millis(now)


def _days(zone: str, first: date, after: date) -> tuple[int, int]:
    return day_start(zone, first), day_start(zone, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """Which records count. They never decide which lots exist. Prices and amounts include both ends.

    `by`: `bot` is what no ticket of the ledger placed, `ticket` what any did; else a ticket's id or a client's name.
    """

    side: str | None = None
    least_price: Decimal | None = None
    most_price: Decimal | None = None
    least_amount: Decimal | None = None
    most_amount: Decimal | None = None
    closes: bool = False
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A whole question. `asked` is the range as the caller gave it, in milliseconds; None is open.

    `method` None: pnl as Gunbot recorded it; else by lots, with all fees unless `gross`. `capital` is in the paying
    asset. `metrics` empty: a sensible few.
    """

    keys: tuple[str, ...] | None
    zone: str
    now: datetime
    asked: tuple[int | None, int | None]
    only: Only = Only()
    groups: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    method: Method | None = None
    gross: bool = False
    capital: Decimal | None = None
    sort: str | None = None
    limit: int | None = None

    @property
    def now_ms(self) -> int:
        return millis(self.now)

    def range_from(self, first_known_ms: int | None) -> Zone:
        """Return the range that counts: cut to [the local day of the first known record, now]."""
        since, until = self.asked
        until = self.now_ms if until is None else min(until, self.now_ms)
        first = until if first_known_ms is None else first_known_ms
        known = day_start(self.zone, Zone(self.zone, first, first + 1).text(first).date())
        since = known if since is None else max(since, known)
        return Zone(self.zone, min(since, until), until)


def asked_range(since: str | None, until: str | None, zone: str, now: datetime) -> tuple[int | None, int | None]:
    """Return the range that two texts name. Without `until`, `since` may name both ends: "last month".

    Raises:
        InvalidArguments: it is empty, or begins in the future.
    """
    begin, end = (None, None) if since is None else _read("since", since, zone, now)
    if until is not None:
        end = _read("until", until, zone, now)[1]
    elif since is not None and end == begin:
        end = None  # an instant, and all after it
    elif since is not None and _is_date(since):
        end = None  # since a date: also all later days
    if begin is not None and begin >= millis(now):
        raise InvalidArguments(
            f"since is in the future: it is {now.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} in {zone} now",
            "give an earlier since, or leave it out for the whole history",
        )
    if begin is not None and end is not None and begin >= end:
        raise InvalidArguments(
            f"the range is empty: since {clean(since, 40)} is not before until {clean(until, 40)}",
            "give a since that is before until; as until, a date means its whole day",
        )
    return begin, end


def _is_date(text: str) -> bool:
    return text.strip()[:1].isdigit() and "-" in text


def _read(name: str, text: str, zone: str, now: datetime) -> tuple[int | None, int | None]:
    try:
        return period(text, zone, now)
    except (ValueError, OverflowError) as exc:
        raise InvalidArguments(
            f"{name} {clean(text, 40)!r} is no time that is known here", f"{name}: {EXAMPLES}"
        ) from exc
