"""Outlook: what a day is expected to hold, and shares with their intervals."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from pipelines.outlook import expected, wilson

MONDAY = date(2026, 11, 16)


def _history(counts: list[int], *, until: date = MONDAY) -> dict[date, int]:
    return {until - timedelta(n + 1): count for n, count in enumerate(reversed(counts))}


def test_nothing_is_expected_before_a_week_is_known() -> None:
    assert expected(_history([10] * 6), on=MONDAY) is None


def test_the_day_itself_and_later_days_do_not_count() -> None:
    history = _history([100] * 28)
    later = history | {MONDAY: 9_000, MONDAY + timedelta(1): 9_000}
    assert expected(history, on=MONDAY) == expected(later, on=MONDAY)


def test_weekends_are_expected_to_be_like_weekends() -> None:
    week = [100, 100, 100, 100, 100, 40, 40]
    history = _history(week * 4)
    saturday = expected(history, on=MONDAY + timedelta(5))
    monday = expected(history, on=MONDAY)
    assert saturday is not None
    assert monday is not None
    assert saturday.high < monday.low


def test_a_public_holiday_is_expected_to_be_like_a_sunday() -> None:
    christmas = date(2026, 12, 25)  # a Friday
    week = [100, 100, 100, 100, 100, 40, 40]
    shift = christmas.weekday()
    counts = [week[(n + shift) % 7] for n in range(28)]
    found = expected(_history(counts, until=christmas), on=christmas)
    assert found is not None
    assert found.high < 70


def test_two_days_of_crisis_do_not_raise_what_is_expected() -> None:
    calm = _history([100] * 28)
    stormy = calm | {MONDAY - timedelta(3): 5_000, MONDAY - timedelta(4): 5_000}
    one, other = expected(calm, on=MONDAY), expected(stormy, on=MONDAY)
    assert one is not None
    assert other is not None
    assert other.high < one.high * 1.3


def test_a_silent_month_still_allows_a_few_messages() -> None:
    band = expected(_history([0] * 28), on=MONDAY)
    assert band is not None
    assert (band.low, band.middle) == (0, 0)
    assert 1 < band.high < 3


def test_a_week_is_about_seven_days_with_a_narrower_share() -> None:
    rng = np.random.default_rng(5)
    history = _history([int(n) for n in rng.normal(200, 40, 28)])
    day, week = expected(history, on=MONDAY), expected(history, on=MONDAY, days=7)
    assert day is not None
    assert week is not None
    assert week.middle == pytest.approx(7 * day.middle, rel=0.25)
    assert (week.high - week.low) / week.middle < (day.high - day.low) / day.middle


def test_the_band_holds_about_four_days_of_five() -> None:
    rng = np.random.default_rng(7)
    shares = np.array([1, 1.1, 1, 0.95, 1.05, 0.6, 0.5])
    held = 0
    for _ in range(200):
        counts = rng.poisson(300 * shares[np.arange(29) % 7] * np.exp(rng.normal(0, 0.2, 29)))
        band = expected(_history([int(n) for n in counts[:28]]), on=MONDAY)
        assert band is not None
        held += band.low <= counts[28] <= band.high
    assert 0.70 <= held / 200 <= 0.92


def test_wilson_gives_the_published_interval() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, method 3.
    found = wilson(81, 263)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 0) is None


def test_wilson_of_none_and_of_all_stays_between_nought_and_one() -> None:
    none, every = wilson(0, 10), wilson(10, 10)
    assert none is not None
    assert every is not None
    assert none.low == 0
    assert 0 < none.high < 0.3
    assert every.high == pytest.approx(1)
    assert every.high <= 1
