"""What follows from a date in Washington D.C.: season, weekday, holidays, index. Rules only; nothing here is learnt."""

import re
from datetime import date, timedelta
from functools import cache

#: The day whose ``instant`` is 1.
FIRST_DAY = date(2011, 1, 1)
LAST_DAY = date(2013, 12, 31)

#: A calendar date, or an ISO 8601 date-time of which only the date as written counts. It is read by Python and by
#: JavaScript alike (flags u and v), so there is no ``\d``, no lookbehind and no bare hyphen inside a class.
DATE_PATTERN = (
    r"^201[123]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
    r"(Z|(\+|-)([01][0-9]|2[0-3]):?[0-5][0-9])?)?$"
)


def read_date(text: str) -> date | None:
    """Return the date a text is written with; ``None`` for a text that is none, such as 30 February."""
    # `fullmatch` because Python's ``$`` also matches before a final newline, which the schema thus lets through.
    if not re.fullmatch(DATE_PATTERN, text):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def instant_of(day: date) -> int:
    """Return the data set's index of a day: 1 for 2011-01-01."""
    return (day - FIRST_DAY).days + 1


def weekday_of(day: date) -> int:
    """Return 0 for Sunday to 6 for Saturday."""
    return day.isoweekday() % 7


def season_of(day: date) -> int:
    """Return 1 for winter to 4 for autumn; the data set changes season on the same four dates each year."""
    starts = ((12, 21, 1), (9, 23, 4), (6, 21, 3), (3, 21, 2))
    return next((season for month, first, season in starts if (day.month, day.day) >= (month, first)), 1)


def is_working(day: date, *, holiday: int) -> int:
    """Return 1 for Monday to Friday without a holiday, else 0."""
    return int(1 <= weekday_of(day) <= 5 and not holiday)


def is_holiday(day: date) -> int:
    """Return 1 when the government of the District of Columbia observes a public holiday on a day, else 0."""
    return int(day in find_holidays(day.year))


@cache
def find_holidays(year: int) -> frozenset[date]:
    """Find the days on which the District observes its eleven public holidays in a year.

    The ten federal ones (5 U.S.C. 6103) and Emancipation Day (D.C. Code 1-612.02). One of a fixed date that falls
    on a Saturday is observed on the Friday before, on a Sunday on the Monday after; a New Year's Day
    on a Saturday is therefore observed in the year before.
    """
    fixed = [
        date(year, 1, 1),
        date(year, 4, 16),  # Emancipation Day
        date(year, 7, 4),
        date(year, 11, 11),
        date(year, 12, 25),
        date(year + 1, 1, 1),
    ]
    moving = [
        _nth_weekday(year, 1, weekday=1, number=3),  # Martin Luther King
        _nth_weekday(year, 2, weekday=1, number=3),  # Presidents
        _nth_weekday(year, 6, weekday=1, number=1) - timedelta(days=7),  # Memorial Day, the last Monday of May
        _nth_weekday(year, 9, weekday=1, number=1),  # Labor Day
        _nth_weekday(year, 10, weekday=1, number=2),  # Columbus Day
        find_thanksgiving(year),
    ]
    return frozenset(day for day in (*map(_observed, fixed), *moving) if day.year == year)


@cache
def find_thanksgiving(year: int) -> date:
    """Return the fourth Thursday of November."""
    return _nth_weekday(year, 11, weekday=4, number=4)


def _nth_weekday(year: int, month: int, *, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - weekday_of(first)) % 7 + 7 * (number - 1))


def _observed(day: date) -> date:
    return day + timedelta(days={6: -1, 0: 1}.get(weekday_of(day), 0))
