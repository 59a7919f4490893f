"""How far a series of counts stands above what is usual, at each step, by what was known then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from pipelines import baseline
from pipelines.baseline import HISTORY_HOURS, Window
from pipelines.series import Floats, Series

ENTER_SCORE = {15: 4.5, 60: 3.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Arrays (n,), one number a step, at its end. `level` 1 enters, below 0.6 has left.

    `expected`, `low` and `high` are mentions of the last hour.
    """

    level: Floats
    expected: Floats
    low: Floats
    high: Floats


def levels(series: Series, zone: ZoneInfo) -> Levels:
    """The level of each step."""
    counts = np.nan_to_num(series.values)
    per_hour = 60 // series.minutes
    total = np.concatenate([[0.0], np.cumsum(counts)])
    made = np.zeros((4, len(counts)))
    for step in range(len(counts)):
        if step < 24 * per_hour:
            continue
        as_of = series.begins_at(step + 1)
        if step == 24 * per_hour or step % per_hour == 0:
            found, rows, usable = _learnt(counts[:step], per_hour, as_of, zone)
        for minutes, enter in ENTER_SCORE.items():
            window = Window(until=as_of, minutes=minutes, zone=zone)
            mean = baseline.window_mean(found, window)
            variance = baseline.window_variance(found, rows, usable, window)
            width = max(minutes // series.minutes, 1)
            seen = total[step + 1] - total[step + 1 - width]
            score = baseline.tail_score(np.array([seen]), mean, variance)[0]
            low, high = baseline.interval(mean, variance)
            level = min(score / enter, seen / max(12, 2 * mean[0], high[0]))
            made[0, step] = max(made[0, step], level)
        made[1:, step] = mean[0], low[0], high[0]
    return Levels(level=made[0], expected=made[1], low=made[2], high=made[3])


def _learnt(
    counts: Floats, per_hour: int, as_of: datetime, zone: ZoneInfo
) -> tuple[baseline.Rates, Floats, Floats]:
    whole = len(counts) // per_hour * per_hour
    hourly = counts[len(counts) - whole :].reshape(-1, per_hour).sum(axis=1)[-HISTORY_HOURS:]
    rows = np.zeros((1, HISTORY_HOURS))
    usable = np.zeros((1, HISTORY_HOURS))
    rows[0, HISTORY_HOURS - len(hourly) :] = hourly
    usable[0, HISTORY_HOURS - len(hourly) :] = 1.0
    clock = baseline.clock(as_of - timedelta(minutes=60 // per_hour), zone)
    return baseline.rates(rows, usable, clock), rows, usable
