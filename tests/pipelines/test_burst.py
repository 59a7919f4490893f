"""The detector of bursts: quiet weeks, outages, small places, clocks, and its published parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy.stats import genpareto

from pipelines import backtest, burst, incidents
from pipelines.series import Floats, Series

PARIS = ZoneInfo("Europe/Paris")
A_DAY = 288
RHYTHM = np.array(
    [4, 2, 1, 1, 1, 3, 9, 19, 24, 21, 19, 21, 30, 27, 20, 19, 22, 28, 36, 38, 37, 32, 22, 11]
)


def rates(days: int, *, a_day: float, start: datetime) -> Floats:
    """Mentions of five minutes, by the clock of Paris; week-ends are calmer."""
    local = [(start + timedelta(hours=h)).astimezone(PARIS) for h in range(days * 24)]
    shape = [RHYTHM[at.hour] * (0.7 if at.weekday() >= 5 else 1.0) for at in local]
    return np.repeat(np.array(shape) / RHYTHM.sum() * a_day / 12, 12)


def replayed(values: Floats, start: datetime) -> backtest.Replay:
    return backtest.replay(Series(start=start, minutes=5, values=values), zone=PARIS)


START = datetime(2026, 9, 7, tzinfo=UTC)


@pytest.mark.parametrize("a_day", [10, 240, 2400, 48_000])
def test_five_quiet_weeks_wake_hardly_anybody(a_day: float) -> None:
    dice = np.random.default_rng(11)
    values = dice.poisson(rates(35, a_day=a_day, start=START)).astype(float)
    assert len(replayed(values, START).alarms) <= 2


@pytest.mark.parametrize(
    ("a_day", "times", "minutes"), [(480, 5, 60), (2400, 3, 45), (12e3, 2, 60)]
)
def test_a_rise_by_day_is_told_soon(a_day: float, times: float, minutes: int) -> None:
    rate = rates(24, a_day=a_day, start=START)
    onset = 22 * A_DAY + 14 * 12
    rate[onset : onset + 48] *= times + 0.2
    found = replayed(np.random.default_rng(5).poisson(rate).astype(float), START)
    delays = [5 * (step - onset) for step in found.alarms if step >= onset]
    assert delays
    assert delays[0] <= minutes


@pytest.mark.parametrize("hour", [9, 12, 15, 18, 20])
def test_three_times_as_many_by_day_are_told_within_the_hour(hour: int) -> None:
    rate = rates(31, a_day=450, start=START)
    onset = 30 * A_DAY + (hour - 2) * 12  # by the clock of Paris
    quiet = np.random.default_rng(6).poisson(rate).astype(float)
    values = quiet.copy()
    values[onset:] += np.random.default_rng(7).poisson(2 * rate[onset:])
    fired = [step for step in replayed(values, START).alarms if step >= onset]
    assert fired
    assert 0 < (fired[0] + 1 - onset) * 5 <= 60


@pytest.mark.parametrize("is_written", [True, False])
def test_a_collector_that_comes_back_with_what_piled_up_is_no_burst(*, is_written: bool) -> None:
    rate = rates(20, a_day=4800, start=START)
    values = np.random.default_rng(6).poisson(rate).astype(float)
    away = slice(18 * A_DAY + 120, 18 * A_DAY + 156)
    piled = values[away].sum()
    values[away] = 0.0 if is_written else np.nan
    values[away.stop] += piled
    found = replayed(values, START)
    assert not [step for step in found.alarms if step >= away.start]
    assert not found.levels.is_heard[away.start + 6 : away.stop].any()


def test_a_crisis_teaches_nothing() -> None:
    rate = rates(25, a_day=2400, start=START)
    loud = rate.copy()
    loud[20 * A_DAY : 21 * A_DAY] *= 6
    dice = np.random.default_rng(8)
    calm, wild = (dice.poisson(each).astype(float) for each in (rate, loud))
    wanted = replayed(calm, START).levels.expected[22 * A_DAY :]
    found = replayed(wild, START).levels.expected[22 * A_DAY :]
    assert np.median(found / wanted) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("start", ["2026-10-05", "2026-03-09"])
def test_the_clock_of_people_is_followed_when_it_changes(start: str) -> None:
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    rate = rates(28, a_day=24_000, start=begin)
    values = np.random.default_rng(9).poisson(rate).astype(float)
    assert not replayed(values, begin).alarms


def test_few_mentions_a_day_are_judged_by_their_day() -> None:
    rate = rates(40, a_day=10, start=START)
    rate[38 * A_DAY : 39 * A_DAY] *= 5
    found = replayed(np.random.default_rng(10).poisson(rate).astype(float), START)
    assert found.levels.is_small[-1]
    assert [step for step in found.alarms if step >= 38 * A_DAY]


def test_a_sudden_crisis_where_few_speak_is_told_within_two_hours() -> None:
    rate = rates(40, a_day=10, start=START)
    onset = 38 * A_DAY + 14 * 12
    rate[onset : onset + 24] += 1  # twelve an hour
    found = replayed(np.random.default_rng(10).poisson(rate).astype(float), START)
    told = [step for step in found.alarms if step >= 37 * A_DAY]
    assert told
    assert 0 <= told[0] - onset <= 24
    assert found.levels.is_sudden[told[0]]


def test_a_stream_that_only_begins_in_earnest_is_no_sudden_crisis() -> None:
    start = START + timedelta(hours=4)  # so that nothing is judged before the fourth midnight
    values = np.zeros(5 * A_DAY)
    values[[0, 100, 300, 500, 800]] = 1
    values[3 * A_DAY + 192 :] = np.random.default_rng(3).poisson(8, 2 * A_DAY - 192)
    assert not replayed(values, start).alarms


def test_the_tail_is_that_of_hosking_and_wallis() -> None:
    drawn = np.asarray(genpareto.rvs(0.2, scale=2.0, size=20_000, random_state=1))
    found = burst.tail(drawn)
    assert found is not None
    assert found.shape == pytest.approx(0.2, abs=0.05)
    chance = burst.chance(found, np.array([30.0]))[0]
    assert chance == pytest.approx(-np.log10(genpareto.sf(30.0, 0.2, scale=2.0)), abs=0.15)
    assert burst.height(found, chance) == pytest.approx(30.0)


def test_an_hour_a_row_works_as_well() -> None:
    rate = rates(30, a_day=2400, start=START).reshape(-1, 12).sum(axis=1)
    rate[29 * 24 : 29 * 24 + 4] *= 8
    values = np.random.default_rng(12).poisson(rate).astype(float)
    series = Series(start=START, minutes=60, values=values, row_minutes=60)
    found = backtest.replay(series, zone=PARIS).alarms
    assert [step for step in found if step >= 29 * 24]
    assert len(found) <= 2


def test_rows_that_confirm_nothing_are_asked_for_more() -> None:
    assert timedelta(minutes=burst.CONFIRMED) == incidents.FOR["warning"]
    for minutes, enter in ((5, burst.ENTER), (10, burst.ENTER_ALONE), (60, burst.ENTER_ALONE)):
        series = Series(start=START, minutes=minutes, values=np.zeros(3))
        assert burst.Watch(series, PARIS).enter == enter


def open_hours(rate: float, *, days: int, dice: np.random.Generator) -> Floats:
    """An hour of a town that writes from eight to twenty only, restless from hour to hour."""
    local = [(START + timedelta(hours=hour)).astimezone(PARIS) for hour in range(days * 24)]
    means = np.array([rate * (8 <= at.hour < 20) for at in local])
    return dice.poisson(means * dice.gamma(2, 1 / 2, len(means))).astype(float)


@pytest.mark.parametrize("rate", [50, 500])
def test_hourly_rows_with_hard_edges_open_less_than_once_in_a_week(rate: float) -> None:
    found = []
    for seed in range(4):
        values = open_hours(rate, days=42, dice=np.random.default_rng(seed))
        found += backtest.replay(Series(start=START, minutes=60, values=values), zone=PARIS).alarms
    later = [step for step in found if step >= 14 * 24]
    assert len(later) < 4 * 28 / 7  # before: 40 to 50


def test_five_times_the_usual_of_hourly_rows_is_told_within_two() -> None:
    dice = np.random.default_rng(2)
    values = open_hours(50, days=28, dice=dice)
    onset = 26 * 24 + 9  # eleven by the clock of Paris
    values[onset : onset + 6] = dice.poisson(250, 6)
    told = backtest.replay(Series(start=START, minutes=60, values=values), zone=PARIS).alarms
    assert {onset, onset + 1} & {*told}
