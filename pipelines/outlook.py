"""What a day, or a week, is expected to hold: a median level, the weekday's share, a band of 80 %.

The fit is multiplicative and made of medians, so that a crisis among the past days moves it
little (a robust cousin of the ratio-to-median seasonal method, Hyndman and Athanasopoulos,
Forecasting: Principles and Practice, 3rd ed., section 3.4, otexts.com/fpp3, read 2026-11-20).
Half of what the last week was beside it, in logarithms, is believed to last (`LASTING`).
The band is the 10th to 90th percentile of what past days were beside their own fit, and never
narrower than counting noise allows (Poisson). Costs nothing: 28 numbers.

A public holiday is expected to be like a Sunday. Known gap: school holidays and announcements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import exp, log, sqrt
from statistics import median

from pipelines.holidays import is_holiday

PAST_DAYS = 28
LEAST_DAYS = 7  # below, nothing is expected yet
WEEKDAY_DAYS = 14  # below, every weekday has the same share
TAIL = 0.1
_NORMAL = 1.2816  # 90th percentile of the normal law
_MEDIAN_VARIANCE = 1.57  # of a median beside a mean: pi / 2
RECENT_DAYS = 7
LASTING = 0.5  # of what they were beside their fit; docs/bursts.md shows 0 and 1
_POOLING = -0.15  # days of a week share their luck: -0.5 if none, 0 if all (docs/bursts.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A band of 80 % around its middle, in messages."""

    low: float
    middle: float
    high: float


def expected(history: Mapping[date, int], *, on: date, days: int = 1) -> Range | None:
    """The band for the `days` days that begin `on`, from the 28 days before; None without history.

    `history` has every day since reading began, a silent one as 0; later days are not looked at.
    """
    past = {d: n for d, n in history.items() if timedelta(0) < on - d <= timedelta(PAST_DAYS)}
    if len(past) < max(LEAST_DAYS, days):
        return None
    level = median(past.values()) + 1
    shares = {weekday: _weekday_share(past, weekday, level) for weekday in range(7)}
    usual = sum(level * shares[_weekday(on + timedelta(n))] - 1 for n in range(days))
    recent = {d: n for d, n in past.items() if on - d <= timedelta(RECENT_DAYS)}
    middle = usual * _beside(recent, level, shares) ** LASTING
    ratios = _ratios(past, level)
    spread = days**_POOLING
    noise = _noise(middle, days, len(past))
    low = min(middle * _quantile(ratios, TAIL) ** spread, middle - noise)
    high = max(middle * _quantile(ratios, 1 - TAIL) ** spread, middle + noise)
    return Range(low=max(low, 0.0), middle=max(middle, 0.0), high=high)


def _beside(days: Mapping[date, int], level: float, shares: Mapping[int, float]) -> float:
    """What some days were beside their fit: the median ratio, 1 of none."""
    ratios = [(count + 1) / (level * shares[_weekday(day)]) for day, count in days.items()]
    return median(ratios) if ratios else 1.0


def _noise(middle: float, days: int, history: int) -> float:
    """The half width that counting alone makes: of what comes, and of the medians it rests on."""
    seen = history if history < WEEKDAY_DAYS else history / 7 * days
    return _NORMAL * sqrt(max(middle, 1.0) * (1 + _MEDIAN_VARIANCE * days / seen))


def _weekday(day: date) -> int:
    """0 for Monday to 6 for Sunday and for a public holiday."""
    return 6 if is_holiday(day) else day.weekday()


def _weekday_share(past: Mapping[date, int], weekday: int, level: float) -> float:
    """A weekday's level beside the level of all days; drawn to 1 when it was seen seldom."""
    same = [n + 1 for d, n in past.items() if _weekday(d) == weekday]
    if len(past) < WEEKDAY_DAYS or not same:
        return 1.0
    weight = len(same) / (len(same) + 0.5)
    return exp(weight * log(median(same) / level))


def _ratios(past: Mapping[date, int], level: float) -> list[float]:
    """What each past day was beside a fit that did not know it, sorted."""
    ratios = []
    for day, count in past.items():
        others = {d: n for d, n in past.items() if d != day}
        ratios.append((count + 1) / (level * _weekday_share(others, _weekday(day), level)))
    return sorted(ratios)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile by linear interpolation (type 7 of Hyndman and Fan, 1996)."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A share with its Wilson interval of 95 %: `count` of `total`."""

    count: int
    total: int
    share: float
    low: float
    high: float


def wilson(count: int, total: int) -> Interval | None:
    """The share with its interval at 95 % (Wilson, 1927, without correction); None of nothing."""
    if total == 0:
        return None
    z = 1.959964
    share, square = count / total, z * z / total
    centre = (share + square / 2) / (1 + square)
    half = z / (1 + square) * sqrt(share * (1 - share) / total + square / (4 * total))
    low, high = max(centre - half, 0.0), min(centre + half, 1.0)
    return Interval(count=count, total=total, share=share, low=low, high=high)
