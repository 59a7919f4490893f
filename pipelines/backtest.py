"""Replays a series of counts through the detector and the incidents that the product runs.

An alarm is what a person would receive: an incident begins to fire. Its clock is that of the rows,
its rules of entering, lasting, leaving and cooling are those of `pipelines/incidents.py`.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from scipy.special import gammaincinv

from pipelines import burst, incidents
from pipelines.alert import ENTER, LEAVE, Alert, Severity
from pipelines.aside import written_aside
from pipelines.burst import Levels
from pipelines.incidents import Incident
from pipelines.series import Series

BEFORE = timedelta(hours=2)  # an alarm so long before a marked moment has told it
AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A series, its levels, and the steps at which somebody was told, from `start` on."""

    series: Series
    levels: Levels
    alarms: tuple[int, ...]
    start: datetime

    @property
    def times(self) -> tuple[datetime, ...]:
        """The timestamps of the rows that raised the alarms."""
        return tuple(self.series.told_at(step) for step in self.alarms)

    @property
    def days(self) -> float:
        """How many days were watched."""
        until = self.series.begins_at(len(self.series.values))
        return max((until - max(self.start, self.series.start)) / timedelta(days=1), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Alarms beside marked moments: how many were told, after how long, and what was not asked.

    `rate` is false alarms a day with its 95 % interval (Garwood, Biometrika 28, 1936).
    """

    marked: int
    told: int
    delays: tuple[timedelta, ...]
    false_alarms: int
    rate: tuple[float, float, float]

    @property
    def delay(self) -> timedelta | None:
        """The median delay of what was told."""
        seconds = [delay.total_seconds() for delay in self.delays]
        return timedelta(seconds=statistics.median(seconds)) if seconds else None


def replay(
    series: Series,
    *,
    zone: ZoneInfo,
    start: datetime | None = None,
    moved: Callable[[int, int], None] = lambda _done, _total: None,
) -> Replay:
    """The alarms of a series; those before `start` are left out, their rows are learnt from.

    Hours of incidents teach nothing, as in the product: each day is learnt after those before it
    were judged. `moved` is told how many rows of how many are done.
    """
    watch, desk = burst.Watch(series, zone), Desk(series)
    parts = []
    for first, found in watch.days():
        parts.append(found)
        for since, until in desk.judge(first, found):
            watch.calm[since:until] = False
        moved(first + len(found.level), len(series.values))
    begin = start or series.start
    alarms = tuple(step for step in desk.fired if series.told_at(step) >= begin)
    return Replay(series=series, levels=burst.joined(parts), alarms=alarms, start=begin)


class Desk:
    """The incidents of one series, by the rules of `pipelines/incidents.py`."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self.apart = timedelta(minutes=series.minutes)
        self.last: Incident | None = None
        self.fired: list[int] = []

    def judge(self, first: int, found: Levels) -> list[tuple[int, int]]:
        """Go on over some steps; the spans of incidents in them, from an hour before they open."""
        spans = []
        floods = found.is_flood.tolist()
        for place, (level, is_heard) in enumerate(
            zip(found.level.tolist(), found.is_heard.tolist(), strict=True)
        ):
            if not is_heard or (self.last is None and level < ENTER):
                continue  # what nobody heard neither opens nor ends anything
            if self._step(first + place, level, floods[place]) == "firing":
                spans.append((max(first + place - 60 // self.series.minutes, 0), first + place + 1))
        return spans

    def _step(self, step: int, level: float, is_flood: bool) -> str:
        alert = _alert(level, "critical" if is_flood else "warning") if level >= LEAVE else None
        as_of = self.series.begins_at(step + 1)
        now = incidents.step(
            self.last, alert, fingerprint="series", as_of=as_of, since_last=self.apart
        )
        state = now.state if now else "ok"
        if state == "firing" and (self.last is None or self.last.state in _QUIET):
            self.fired.append(step)
        self.last = None if state == "ok" else now
        return state


_QUIET = ("ok", "pending", "resolved")


def _alert(level: float, severity: Severity) -> Alert:
    return Alert(
        rule_id="volume_surge",
        rule_version="",
        subject_id=None,
        scope="all",
        severity=severity,
        level=level,
        window_minutes=60,
        observed=level,
        expected=None,
        low=None,
        high=None,
        score=None,
        text_count=None,
        author_count=None,
        share=None,
        share_low=None,
        share_high=None,
        share_expected=None,
        message_ids=(),
        is_warming_up=False,
        parameters="{}",
    )


def tally(replayed: Replay, marked: Sequence[datetime]) -> Tally:
    """What the alarms told of the marked moments, and how many told of none."""
    times = replayed.times
    first = {
        moment: next((at for at in times if moment - BEFORE <= at <= moment + AFTER), None)
        for moment in marked
        if moment >= replayed.start
    }
    asked = [at for at in times if any(m - BEFORE <= at <= m + AFTER for m in marked)]
    false_alarms = len(times) - len(asked)
    return Tally(
        marked=len(first),
        told=sum(at is not None for at in first.values()),
        delays=tuple(max(at - moment, timedelta(0)) for moment, at in first.items() if at),
        false_alarms=false_alarms,
        rate=per_day(false_alarms, replayed.days),
    )


def per_day(count: int, days: float) -> tuple[float, float, float]:
    """A rate a day with its exact Poisson interval of 95 %."""
    days = max(days, 1e-9)
    low = float(gammaincinv(count, 0.025)) if count else 0.0
    return count / days, low / days, float(gammaincinv(count + 1, 0.975)) / days


def write(replayed: Replay, path: Path) -> None:
    """One row an alarm: the timestamp of the row that raised it, as the file writes time."""
    rows = [["timestamp"], *([stamp(at, replayed.series)] for at in replayed.times)]
    with written_aside(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def stamp(at: datetime, series: Series) -> str:
    """A moment as the file of the series writes it: UTC, with its offset if the file has one."""
    utc = at.astimezone(UTC)
    return (utc.replace(tzinfo=None) if series.is_plain else utc).isoformat(sep=" ")
