"""How far a series of counts stands above what is usual, at each step, by what was known then.

Once a day (midnight UTC) each series is learnt anew: the rhythm of the week from the hours of the
past 28 days (`pipelines/baseline.py`), and how high three statistics ordinarily get from the steps
of the past 21. The three, each of its own mistakes:

- `rare`: how improbable the last quarter of an hour is by the negative binomial law of the rhythm;
- `excess`: how many mentions it holds beyond the rhythm, so that a calm night pages nobody;
- `unlike`: how far the last hour is from the median of the same local time on the past five days,
  in median absolute deviations (Hampel, J. Am. Stat. Assoc. 69, 1974), on a scale of logarithms.

Each is put on one scale: -log10 of the chance that any hour gets as high, from the tail of hourly
maxima over their 90 % quantile, a generalised Pareto law (peaks over threshold: Pickands, Ann.
Statist. 3, 1975; as a detector of streams: Siffer et al., KDD 2017) fitted by probability weighted
moments (Hosking and Wallis, Technometrics 29, 1987), its shape drawn to `SHAPE` while few hours are
known. The level is the mean of the three over `ENTER`, or over `ENTER_ALONE` where rows are too far
apart to confirm each other. A place where few speak is judged by its last 24 hours against a
negative binomial of days, and by its last hour against one of hours.

What nobody read is unknown, never silence: steps without a count, and runs of zeros that the
rhythm makes too improbable (`AWAY`). What may have piled up meanwhile is taken off what comes next.
Hours of incidents teach nothing. `docs/bursts.md` says what was measured, and what was tried.

All arrays are (n,), a number a step. Cost is linear in steps: about 2 ms a day of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipelines import baseline
from pipelines.baseline import HISTORY_HOURS, Clock, Rates
from pipelines.series import Flags, Floats, Series

Ints = NDArray[np.int64]

ENTER = 1.75  # mean of -log10 chances of an hour; docs/bursts.md shows what lies around it
ENTER_ALONE = 2.25  # the same of a row that nothing confirms: one hour in a week
CONFIRMED = 10  # minutes that a warning has to last (pipelines/incidents.py): rows must be below
TAIL_DAYS = 21
PAST_DAYS = 5  # of `unlike`
RECENT_HOURS = 24 * PAST_DAYS + 3  # what judging a day looks back on, beside what was learnt
TAIL_SHARE = 0.1  # of hours is tail
SHAPE, SHAPE_WEIGHT = 0.1, 20.0  # the belief about a tail, worth so many hours of it
SHAPES = (-0.2, 0.6)
LIMIT = 12.0  # of -log10 of a chance: beyond, a fitted law knows nothing
LEAST_TAIL = 3
AWAY = 6.0  # -log10 of the chance of a silence that is taken for nobody listening
DAY_SCORE = 4.0  # -log10 of the chance of 24 hours, where few speak
HOUR_SCORE = 5.0  # of their last hour: there are 24 in a day to be improbable
LEAST_HOUR = 6.0  # mentions in it
HOUR_LEARNT = 7 * 24.0  # hours known; before, a place may only seem to be one where few speak
SMALL_DAY = 60.0  # mentions a day; below, few speak
LEAST = 12.0  # mentions in the window
TIMES = 2.0  # what is expected
FLOOD = 3.0  # times the entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What was said beside what was usual. `level` 1 enters, below 0.6 has left, 0 while learning.

    `observed`, `expected`, `low`, `high` (95 %) and `enter` (a count that enters by its excess
    alone) are mentions of the last quarter of an hour, of the last 24 hours where few speak
    (`is_small`). `is_sudden`: few speak, and it is their last hour that stands out, not the day.
    NaN where nothing is known yet. `is_heard` is false where nobody seems to have listened.
    """

    level: Floats
    observed: Floats
    expected: Floats
    low: Floats
    high: Floats
    enter: Floats
    is_small: Flags
    is_sudden: Flags
    is_heard: Flags

    @property
    def is_flood(self) -> Flags:
        """Where so much is said that nobody need wait for it to last."""
        found: Flags = self.observed >= FLOOD * self.enter
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """How high hours get: their maxima (sorted), and the law above `over`."""

    maxima: Floats
    over: float
    share: float
    shape: float
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What a series is known to do at the beginning of a day: `rate` (48,) is mentions an hour.

    `spread` is variance over mean of windows, `day_spread` of days; `doubt` widens both for how
    little is known: of so many `hours`. `tails` are of `rare`, `excess` and `unlike`.
    """

    rate: Floats
    spread: float
    day_spread: float
    doubt: float
    day_mean: float
    hours: float  # of the past that are known
    tails: tuple[Tail | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A watch at the beginning of a day, as far as judging that day needs it.

    The arrays hold the `RECENT_HOURS` before; `learnt` is None while too little is known.
    """

    learnt: Learnt | None
    means: Floats
    owed: Floats
    heard: Flags
    silence: float


class Watch:
    """A series as it comes in: `days` judges it day by day, and learns from what was calm.

    `calm` is false in steps of incidents; whoever runs the days may mark them while they go.
    """

    def __init__(self, series: Series, zone: ZoneInfo) -> None:
        self.zone, self.minutes, self.start = zone, series.minutes, series.start.astimezone(UTC)
        # Of hourly rows, besides, the three statistics are one: their agreeing says nothing more.
        self.enter = ENTER if series.minutes < CONFIRMED else ENTER_ALONE
        self.hour = max(60 // series.minutes, 1)
        self.quarter = max(15 // series.minutes, 1)
        self.day = 24 * self.hour
        count = len(series.values)
        self.counts = np.nan_to_num(series.values)
        self.read = ~np.isnan(series.values)
        self.heard = self.read.copy()  # as it seemed when the step ended
        self.taught = self.read.copy()  # as it is known by now
        self.calm = np.ones(count, dtype=bool)
        seconds = int(self.start.timestamp()) + 60 * self.minutes * np.arange(count)
        self.hours: Ints = seconds // 3600
        self.kinds = kinds(self.hours, zone)
        self.scores = np.full((3, count), np.nan)
        self.caps = np.full((3, count), np.inf)
        self.means = np.zeros(count)
        self.owed = np.zeros(count)
        self.begun: int | None = None  # the first step that is judged
        self.silence = 0.0  # expected mentions since the last one

    def days(self, since: int = 0) -> Iterator[tuple[int, Levels]]:
        """The levels of each day with the step that it begins with; the first day is only read.

        Days that end before the step `since` are not judged, but learnt from.
        """
        for first, last in self._days():
            if last > since:
                yield first, self._judged(first, last)

    def _days(self) -> list[tuple[int, int]]:
        """The first step of each UTC day, and the one after its last."""
        ends = (np.flatnonzero(np.diff(self.hours // 24)) + 1).tolist()
        return list(zip([0, *ends], [*ends, len(self.counts)], strict=True))

    def _judged(self, first: int, last: int) -> Levels:
        learnt = self._learnt_at(first)
        return nothing(last - first) if learnt is None else self._judge(learnt, first, last)

    def _learnt_at(self, first: int) -> Learnt | None:
        """What is known at the first step of a day; None while too little is."""
        found = self._learnt(first)
        if found is None:
            return None
        rates, rows, usable = found
        if self.begun is None:
            self._begin(first, rates)
        return Learnt(
            rate=rates.rate[0],
            spread=float(rates.spread[0]),
            day_spread=float(baseline.daily_spread(rates, rows, usable)[0]),
            doubt=1 + 1 / max(float(rates.size[0].mean()), 1.0),
            day_mean=self._day_mean(rates, first),
            hours=float(usable.sum()),
            tails=tuple(self._tail(number, first) for number in range(3)),
        )

    def _judge(self, learnt: Learnt, first: int, last: int) -> Levels:
        self.means[first:last] = learnt.rate[self.kinds[first:last]] * self.minutes / 60
        self._find_silence(first, last, learnt.spread)
        found = self._by_quarter(first, last, learnt.spread * learnt.doubt, learnt.tails)
        if learnt.day_mean >= SMALL_DAY:
            return found
        day = self._by_day(first, last, learnt.day_spread * learnt.doubt)
        if learnt.hours < HOUR_LEARNT:
            return day
        hour = self._by_hour(first, last, learnt.spread * learnt.doubt, day.observed)
        return replace(day, level=np.maximum(day.level, hour), is_sudden=hour > day.level)

    def keep(self, since: int = 0) -> Kept:
        """What judging the last day of the series needs; the days before it are run.

        Days that end before the step `since` are not judged, but learnt from.
        """
        *before, (first, _) = self._days()
        for begin, end in before:
            if end > since:
                self._judged(begin, end)
        recent = slice(first - RECENT_HOURS * self.hour, first)
        return Kept(
            learnt=self._learnt_at(first),
            means=self.means[recent].copy(),
            owed=self.owed[recent.start : first + 1].copy(),
            heard=self.heard[recent].copy(),
            silence=self.silence,
        )

    def resumed(self, kept: Kept) -> Levels:
        """The levels of the steps after the first `RECENT_HOURS`, from what was kept there."""
        first = RECENT_HOURS * self.hour
        self.means[:first], self.heard[:first] = kept.means, kept.heard
        self.owed[: first + 1] = kept.owed[: len(self.owed)]
        self.silence = kept.silence
        if kept.learnt is None:
            return nothing(len(self.counts) - first)
        return self._judge(kept.learnt, first, len(self.counts))

    def _begin(self, first: int, rates: Rates) -> None:
        """Judge what was only read until now, so that the first alarms have tails to rest on."""
        self.begun = first
        self.means[:first] = rates.rate[0, self.kinds[:first]] * self.minutes / 60
        self._by_quarter(0, first, float(rates.spread[0]), (None, None, None))

    def _day_mean(self, rates: Rates, first: int) -> float:
        """Mentions of 24 hours from a step on."""
        since = int(self.hours[first])
        return float(rates.rate[0, kinds(np.arange(since, since + 24), self.zone)].sum())

    def _learnt(self, first: int) -> tuple[Rates, Floats, Floats] | None:
        """The rhythm of the 28 days before a step; None while too little is known of it."""
        since = self.hours[first] - HISTORY_HOURS
        begin = int(np.searchsorted(self.hours, since))
        place = self.hours[begin:first] - since
        heard = self.taught[begin:first]
        steps = np.bincount(place[heard], minlength=HISTORY_HOURS)
        total = np.bincount(place[heard], self.counts[begin:first][heard], HISTORY_HOURS)
        if not _is_warm(steps.sum() / self.hour, float(total.sum())):
            return None
        # An hour that was read in part was mostly read badly: it counts only where all are such.
        is_read, is_known = steps * 2 >= self.hour, steps >= self.hour
        is_known = is_known if is_known.sum() * 2 >= is_read.sum() else is_read
        calm = np.bincount(place[~self.calm[begin:first]], minlength=HISTORY_HOURS) == 0
        usable = is_known & calm if (is_known & calm).sum() * 2 >= is_known.sum() else is_known
        rows = (total * self.hour / np.maximum(steps, 1))[None, :]
        weights = usable[None, :].astype(float)
        return baseline.rates(rows, weights, _clock(int(since), self.zone)), rows, weights

    def _find_silence(self, first: int, last: int, spread: float) -> None:
        """Mark the steps in which nobody seems to listen, and what may have piled up then.

        A run of zeros counts from where its chance, by the negative binomial law, is below `AWAY`;
        once found, all of it teaches nothing.
        """
        per_mention = np.log(spread) / (spread - 1) if spread > 1.001 else 1.0
        for step in range(first, last):
            if not self.read[step]:
                self._count_owed(step, self.means[step])
            elif self.counts[step] > 0:
                self.silence = 0.0
            else:
                self._hear_nothing(step, per_mention)

    def _hear_nothing(self, step: int, per_mention: float) -> None:
        before, self.silence = self.silence, self.silence + self.means[step]
        limit = AWAY * np.log(10) / per_mention
        if self.silence < limit:
            return
        self.heard[step] = self.taught[step] = False
        if before >= limit:
            self._count_owed(step, self.means[step])
            return
        self._count_owed(step, self.silence)
        begun = step
        while begun and self.counts[begun - 1] == 0 and self.read[begun - 1]:
            begun -= 1
        self.taught[begun:step] = False

    def _count_owed(self, step: int, mentions: float) -> None:
        """What a step without a listener leaves for the next one."""
        if step + 1 < len(self.owed):
            carried = self.owed[step] if not self.heard[step] else 0.0
            self.owed[step + 1] = carried + mentions

    def _window(self, first: int, last: int, width: int) -> tuple[Floats, Floats, Floats]:
        """Count, mean and number of steps heard of the `width` steps that end with each step.

        What a pause may have left is taken off a count, down to its mean.
        """
        begin = max(first - width + 1, 0)
        heard = self.heard[begin:last].astype(float)
        parts = (
            self.counts[begin:last] * heard,
            self.means[begin:last] * heard,
            heard,
            self.owed[begin:last] * heard,
        )
        seen, mean, steps, owed = (_sums(part, width)[first - begin :] for part in parts)
        return seen - np.minimum(owed, np.maximum(seen - mean, 0)), mean, steps

    def _by_quarter(
        self, first: int, last: int, spread: float, tails: tuple[Tail | None, ...]
    ) -> Levels:
        seen, mean, steps = self._window(first, last, self.quarter)
        is_known = (steps > 0) & self.heard[first:last]
        self.scores[0, first:last] = np.log1p(baseline.tail_score(seen, mean, mean * spread))
        self.scores[1, first:last] = np.log1p(np.maximum(seen - mean, 0))
        self.scores[2, first:last] = self._unlike(first, last)
        self.scores[:, first:last][:, ~is_known] = np.nan
        chances = [
            chance(tail, row[first:last]) for tail, row in zip(tails, self.scores, strict=True)
        ]
        level = np.nan_to_num(sum(chances, np.zeros(last - first)) / 3 / self.enter)
        low, high = baseline.interval(np.maximum(mean, 1e-6), np.maximum(mean * spread, 1e-6))
        enter = mean + (np.expm1(height(tails[1], self.enter)) if tails[1] else np.inf)
        return Levels(
            level=np.minimum(level, _enough(seen, mean, self._window(first, last, self.hour)[0])),
            observed=seen,
            expected=mean,
            low=low,
            high=high,
            enter=enter,
            is_small=np.zeros(last - first, dtype=bool),
            is_sudden=np.zeros(last - first, dtype=bool),
            is_heard=self.heard[first:last].copy(),
        )

    def _unlike(self, first: int, last: int) -> Floats:
        """The last hour against the same local hour of the past days, in deviations."""
        begin = max(first - PAST_DAYS * self.day - 2 * self.hour, 0)
        seen, _, steps = self._window(begin, last, self.hour)
        share = steps / self.hour
        logs = np.where(share >= 0.5, np.log1p(seen / np.maximum(share, 0.5)), np.nan)
        here = np.arange(first, last)
        past = np.full((PAST_DAYS, last - first), np.nan)
        for number in range(PAST_DAYS):
            there = here - (number + 1) * self.day + self._shift(here, (number + 1) * self.day)
            is_there = there >= begin
            past[number, is_there] = logs[there[is_there] - begin]
        middle = _nan_median(past)
        spread = 1.4826 * _nan_median(np.abs(past - middle))
        noise = 1 / (np.exp(middle) + 1) + 0.01  # of counting, and a tenth for what is not known
        return np.asarray((logs[first - begin :] - middle) / np.sqrt(np.square(spread) + noise))

    def _shift(self, here: Ints, back: int) -> Ints:
        """How many steps the clock of people was moved between two steps `back` apart."""
        there = np.maximum(here - back, 0)
        offsets = _offsets(int(self.hours[there[0]]), int(self.hours[here[-1]]), self.zone)
        moved = (
            offsets[self.hours[here] - self.hours[there[0]]]
            - offsets[self.hours[there] - self.hours[there[0]]]
        )
        return np.asarray(moved * self.hour // 3600, dtype=np.int64)

    def _tail(self, number: int, first: int) -> Tail | None:
        """How high the hours of the past days got; None while nothing is known of it.

        An hour of an incident counts, but not for more than what alarms by itself: left out
        altogether, incidents would make the next one more likely; left whole, hide it.
        """
        steps = min(first, TAIL_DAYS * self.day) // self.hour * self.hour
        span = slice(first - steps, first)
        scores, caps = self.scores[number, span], self.caps[number, span]
        past = np.where(self.calm[span], scores, np.minimum(scores, caps)).reshape(-1, self.hour)
        whole = self.taught[span].reshape(-1, self.hour).all(axis=1)
        is_read = ~np.isnan(past).all(axis=1)
        is_known = is_read & whole if (is_read & whole).sum() * 2 >= is_read.sum() else is_read
        known = past[is_known]
        found = tail(np.nanmax(known, axis=1)) if len(known) else None
        if found is not None:
            self.caps[number, first : first + 2 * self.day] = height(found, self.enter)
        return found

    def _by_day(self, first: int, last: int, spread: float) -> Levels:
        seen, mean, _ = self._window(first, last, self.day)
        variance = np.maximum(mean * spread, 1e-6)
        low, high = baseline.interval(np.maximum(mean, 1e-6), variance)
        enter = np.maximum(np.maximum(TIMES * mean, high), LEAST)
        level = np.minimum(baseline.tail_score(seen, mean, variance) / DAY_SCORE, seen / enter)
        return Levels(
            level=np.where(self.heard[first:last], level, 0.0),
            observed=seen,
            expected=mean,
            low=low,
            high=high,
            enter=enter,
            is_small=np.ones(last - first, dtype=bool),
            is_sudden=np.zeros(last - first, dtype=bool),
            is_heard=self.heard[first:last].copy(),
        )

    def _by_hour(self, first: int, last: int, spread: float, of_day: Floats) -> Floats:
        """The level of the last hour where few speak; `of_day` is what 24 hours held.

        A day alone tells a sudden crisis hours late: it has to outweigh all that was calm.
        """
        seen, mean, _ = self._window(first, last, self.hour)
        score = baseline.tail_score(seen, mean, np.maximum(mean * spread, 1e-6)) / HOUR_SCORE
        enough = np.minimum(seen / LEAST_HOUR, of_day / LEAST)
        return np.where(self.heard[first:last], np.minimum(score, enough), 0.0)


def levels(series: Series, zone: ZoneInfo) -> Levels:
    """The levels of a series whose incidents nobody marks."""
    return joined([part for _, part in Watch(series, zone).days()])


def joined(parts: list[Levels]) -> Levels:
    """Levels of following days as one."""
    names = Levels.__slots__
    return Levels(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


def nothing(count: int) -> Levels:
    """The levels of steps of which nothing is known yet."""
    unknown = np.full(count, np.nan)
    return Levels(
        level=np.zeros(count),
        observed=unknown,
        expected=unknown,
        low=unknown,
        high=unknown,
        enter=unknown,
        is_small=np.zeros(count, dtype=bool),
        is_sudden=np.zeros(count, dtype=bool),
        is_heard=np.ones(count, dtype=bool),
    )


def _is_warm(hours: float, mentions: float) -> bool:
    is_rich = mentions >= baseline.WARM_MENTIONS and hours >= 24
    return is_rich or hours >= baseline.WARM_HOURS


def _enough(seen: Floats, mean: Floats, hour: Floats) -> Floats:
    """How near the counts are to what is worth a call: twice the usual, a dozen in an hour."""
    found: Floats = np.minimum(seen / np.maximum(TIMES * mean, 1e-9), hour / LEAST)
    return found


def _sums(values: Floats, width: int) -> Floats:
    """Trailing sums of `width` numbers, shorter at the beginning."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    here = np.arange(1, len(total))
    sums: Floats = total[here] - total[np.maximum(here - width, 0)]
    return sums


def _nan_median(rows: Floats) -> Floats:
    """The median of each column of what is known in it; NaN where nothing is."""
    ordered = np.sort(rows, axis=0)  # NaN last
    known = (~np.isnan(rows)).sum(axis=0)
    here = np.arange(rows.shape[1])
    low, high = np.maximum((known - 1) // 2, 0), np.minimum(known // 2, len(rows) - 1)
    middle: Floats = (ordered[low, here] + ordered[high, here]) / 2
    return middle


def tail(maxima: Floats) -> Tail | None:
    """The law of the highest tenth of hourly maxima; None of too few."""
    ordered = np.sort(maxima)
    over = float(np.quantile(ordered, 1 - TAIL_SHARE))
    above = ordered[ordered > over] - over
    if len(above) < LEAST_TAIL:
        return None
    count, mean = len(above), float(above.mean())
    # Hosking and Wallis (1987): shape 2 - mean / (mean - 2 b), b the mean of x (1 - rank share).
    weighted = float((above * np.arange(count)[::-1]).sum() / (count * (count - 1)))
    apart = mean - 2 * weighted
    shape = 2 - mean / apart if apart > 1e-12 else SHAPE
    shape = (count * shape + SHAPE_WEIGHT * SHAPE) / (count + SHAPE_WEIGHT)
    shape = min(max(shape, SHAPES[0]), SHAPES[1])
    share = count / len(ordered)
    return Tail(maxima=ordered, over=over, share=share, shape=shape, scale=mean * (1 - shape))


def chance(found: Tail | None, scores: Floats) -> Floats:
    """-log10 of the chance that an hour gets as high, at most `LIMIT`; NaN stays NaN."""
    if found is None:
        return np.zeros(len(scores))
    beyond = np.maximum(scores - found.over, 0) / found.scale
    stretched = np.maximum(1 + found.shape * beyond, 1e-30)
    is_plain = abs(found.shape) < 1e-3
    logs = beyond if is_plain else np.log(stretched) / found.shape
    higher = 1 - np.searchsorted(found.maxima, scores) / len(found.maxima)
    within = -np.log10(np.maximum(higher, found.share))
    beside = np.where(scores > found.over, logs / np.log(10) - np.log10(found.share), within)
    return np.where(np.isnan(scores), np.nan, np.minimum(beside, LIMIT))


def height(found: Tail, wanted: float) -> float:
    """The score of which an hour has that -log10 chance (`wanted`)."""
    logs = (wanted + np.log10(found.share)) * np.log(10)
    if abs(found.shape) < 1e-3:
        return float(found.over + found.scale * logs)
    return float(found.over + found.scale * np.expm1(found.shape * logs) / found.shape)


def kinds(hours: Ints, zone: ZoneInfo) -> Ints:
    """The kind of each hour (hours since 1970): local hour, 24 more on a free day."""
    first, last = int(hours[0]), int(hours[-1])
    every = np.array([_kind(hour, zone) for hour in range(first, last + 1)])
    return np.asarray(every[hours - first], dtype=np.int64)


@lru_cache(maxsize=1 << 16)
def _kind(hour: int, zone: ZoneInfo) -> int:
    return baseline.kind(datetime.fromtimestamp(3600 * hour, UTC), zone)


@lru_cache(maxsize=1 << 16)
def _offset(hour: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(3600 * hour, UTC).astimezone(zone).utcoffset()
    return int((offset or timedelta(0)).total_seconds())


def _offsets(first: int, last: int, zone: ZoneInfo) -> Ints:
    """Seconds from UTC to the clock of people in each hour."""
    return np.array([_offset(hour, zone) for hour in range(first, last + 1)], dtype=np.int64)


@lru_cache(maxsize=64)
def _clock(since: int, zone: ZoneInfo) -> Clock:
    """The 672 hours from `since` (hours since 1970) on, as the baseline reads them."""
    hours = np.arange(since, since + HISTORY_HOURS)
    return Clock(
        start=datetime.fromtimestamp(3600 * since, UTC),
        kind=kinds(hours, zone),
        age_days=(HISTORY_HOURS - np.arange(HISTORY_HOURS)) / 24,
    )
