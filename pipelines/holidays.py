"""The public holidays of France: days on which people write, and work, as on a Sunday.

The eleven days of article L3133-1 of the code du travail. Known gaps: the two more of
Alsace-Moselle and the local ones overseas.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

_FIXED = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
_AFTER_EASTER = (1, 39, 50)  # Easter Monday, Ascension, Whit Monday


def is_holiday(day: date) -> bool:
    """Whether `day` is a public holiday in France."""
    return day in _holidays(day.year)


def easter(year: int) -> date:
    """Easter Sunday, by the anonymous Gregorian computus (Nature, 20 April 1876)."""
    century, rest = divmod(year, 100)
    golden = year % 19
    leap = (8 * century + 13) // 25
    moon = (19 * golden + century - century // 4 - leap + 15) % 30
    shift = (golden + 11 * moon) // 319
    week = (2 * (century % 4) + 2 * (rest // 4) - rest % 4 - moon + shift + 32) % 7
    month = (moon - shift + week + 90) // 25
    return date(year, month, (moon - shift + week + month + 19) % 32)


@lru_cache(maxsize=64)
def _holidays(year: int) -> frozenset[date]:
    moving = (easter(year) + timedelta(days=days) for days in _AFTER_EASTER)
    return frozenset({*(date(year, month, day) for month, day in _FIXED), *moving})
