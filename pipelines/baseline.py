"""What is expected now: the count of a window against the same hours of the past 28 days.

The unit is the hour. Each hour of the week has a rate, learnt from the same local hour of past
days (its neighbours and the other kind of day weigh little, last week weighs more than last
month), with outliers down-weighted as Farrington et al. do (J. R. Statist. Soc. A 159, 1996;
threshold 2.58 after Noufaily et al., Statist. Med. 32, 2013). The spread around these rates gives
one dispersion a series, and the count of a window is compared with a negative binomial of that
mean and variance: the score is -log10 of the chance to see as many or more.

An hour without a row is a zero: silence counts, or a brand-new crisis has nothing to be compared
with. Hours that nobody read (`pipelines/unread.py`) are unknown; they, hours of incidents and those
before the first reading are left out.

Costs the rows of `hourly` of 28 days and the mentions of one day, whatever the history; where a gap
is open, the mentions of 28 days. Known
gap: the level follows a lasting change within about ten days, and until then it alerts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import betainc, gammainc, gammaincinv

from pipelines import unread, warehouse
from pipelines.holidays import is_holiday

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WINDOWS = (15, 60, 1440)  # minutes, as sql/signals/window.sql cuts them

HISTORY_HOURS = 28 * 24
WARM_HOURS = 72  # until then, or until WARM_MENTIONS in at least a day: absolute thresholds only
STRAY_SHARE = 0.05  # of what was heard: what came before it says nothing of since when
LEAST_KNOWN = 30  # mentions before the last day; of fewer only two weeks tell that few speak
QUIET_HOURS = 14 * 24
WARM_MENTIONS = 500
HALF_LIFE_DAYS = 7.0
NEIGHBOUR_WEIGHT = 0.1  # of the hour before and the hour after
OTHER_DAY_WEIGHT = 0.1  # of weekdays for a weekend day, and the other way round
OUTLIER = 2.58
RATE_FLOOR = 0.02  # mentions an hour: what has never been said may be said once in two days
SCORE_LIMIT = 300.0
WILSON_Z = 2.576  # 99 % two-sided
INTERVAL = (0.025, 0.975)
TOGETHER = 500  # subjects whose hours are held in memory at once, about 150 MB
AT_ONCE = 60_000  # mentions of a day whose windows are counted at once, about 350 MB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clock:
    """The 672 whole hours before an instant as the institution lived them; arrays (672,).

    `kind` is the local hour, plus 24 at a weekend or on a holiday; `age_days` the time since.
    """

    start: datetime
    kind: Ints
    age_days: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What n series do in each kind of hour: `rate` and `size` are (n, 48), `spread` (n,).

    `rate` is mentions an hour, `size` the number of observations behind it (weights counted),
    `spread` variance over mean (1 where mentions fall like rain). `fitted` is (n, 672).
    """

    rate: Floats
    size: Floats
    spread: Floats
    fitted: Floats


def clock(as_of: datetime, zone: ZoneInfo) -> Clock:
    """The hours of history before `as_of`.

    Each is one real hour, so the days with 23 and 25 of them need no care.
    """
    end = as_of.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(hours=HISTORY_HOURS)
    return Clock(
        start=start,
        kind=np.array([kind(start + timedelta(hours=i), zone) for i in range(HISTORY_HOURS)]),
        age_days=(HISTORY_HOURS - np.arange(HISTORY_HOURS)) / 24,
    )


def kind(at: datetime, zone: ZoneInfo) -> int:
    local = at.astimezone(zone)
    is_free = local.weekday() >= 5 or is_holiday(local.date())
    return local.hour + (24 if is_free else 0)


def rates(counts: Floats, usable: Floats, hours: Clock) -> Rates:
    """The rate of every kind of hour of n series, both arrays (n, 672), `usable` 0 or 1."""
    weights = _weights(hours)
    kept = usable
    # The mean of roots, squared, is a first guess that one loud day hardly moves.
    rate = np.square(_mean(np.sqrt(counts), kept, weights)) + RATE_FLOOR
    spread = np.ones(len(counts))
    for _ in range(4):
        fitted = rate[:, hours.kind]
        residual = 1.5 * (counts ** (2 / 3) - fitted ** (2 / 3)) / fitted ** (1 / 6)
        outlying = np.maximum(residual / np.sqrt(spread)[:, None] / OUTLIER, 1.0)
        kept = usable / np.square(outlying)
        rate = np.maximum(_mean(counts, kept, weights), RATE_FLOOR)
        spread = _spread(counts, rate[:, hours.kind], kept)
    size = np.square(usable @ weights.T) / np.maximum(usable @ np.square(weights).T, 1e-12)
    return Rates(rate=rate, size=size, spread=spread, fitted=rate[:, hours.kind])


@lru_cache(maxsize=64)
def _weights(hours: Clock) -> Floats:
    """How much each hour of history says about each kind of hour, (48, 672)."""
    kinds = np.arange(48)[:, None]
    apart = np.abs(kinds % 24 - hours.kind % 24)
    apart = np.minimum(apart, 24 - apart)
    near = np.where(apart == 0, 1.0, np.where(apart == 1, NEIGHBOUR_WEIGHT, 0.0))
    alike = np.where(kinds // 24 == hours.kind // 24, 1.0, OTHER_DAY_WEIGHT)
    weights: Floats = near * alike * 0.5 ** (hours.age_days / HALF_LIFE_DAYS)
    return weights


def _mean(values: Floats, kept: Floats, weights: Floats) -> Floats:
    mean: Floats = ((values * kept) @ weights.T) / np.maximum(kept @ weights.T, 1e-12)
    return mean


def _spread(counts: Floats, fitted: Floats, kept: Floats) -> Floats:
    """Variance over mean (Pearson), never below 1: less than chance is chance."""
    pearson = np.square(counts - fitted) / fitted
    spread: Floats = (pearson * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1.0)
    above: Floats = np.maximum(spread, 1.0)
    return above


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The last `minutes` before `until` (aware), in the zone whose hours have rates."""

    until: datetime
    minutes: int
    zone: ZoneInfo


def window_mean(found: Rates, window: Window) -> Floats:
    """How many mentions each series should hold in the window, (n,)."""
    mean = np.zeros(len(found.rate))
    for kind, share in _pieces(window):
        mean += found.rate[:, kind] * share
    return mean


def day_mean(found: Rates, window: Window) -> Floats:
    """How many mentions each series should hold in 24 hours that end with the window, (n,)."""
    return window_mean(found, replace(window, minutes=1440))


def window_variance(found: Rates, counts: Floats, usable: Floats, window: Window) -> Floats:
    """The variance of the count of the window, with what is not known of its mean, (n,)."""
    mean = window_mean(found, window)
    kinds = [kind for kind, _ in _pieces(window)]
    size = np.maximum(found.size[:, kinds].mean(axis=1), 1.0)
    is_day = window.minutes >= 1440
    spread = daily_spread(found, counts, usable) if is_day else found.spread
    variance: Floats = mean * spread * (1 + 1 / size)
    return variance


def _pieces(window: Window) -> Iterator[tuple[int, float]]:
    """The kinds of hour that a window touches, with the share of an hour that lies in it."""
    until = window.until.astimezone(UTC)
    at = until - timedelta(minutes=window.minutes)
    while at < until:
        hour_end = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        end = min(hour_end, until)
        yield kind(at, window.zone), (end - at) / timedelta(hours=1)
        at = end


def daily_spread(found: Rates, counts: Floats, usable: Floats) -> Floats:
    """Variance over mean of whole days: hours of one day rise and fall together."""
    days = (len(counts), HISTORY_HOURS // 24, 24)
    gap = ((counts - found.fitted) * usable).reshape(days).sum(axis=2)
    mean = (found.fitted * usable).reshape(days).sum(axis=2)
    seen = np.maximum((mean > 0).sum(axis=1), 1)
    spread = np.where(mean > 0, np.square(gap) / np.maximum(mean, 1e-12), 0).sum(axis=1) / seen
    doubt = 1 + 2 / seen  # a spread from three days is a guess
    above: Floats = np.maximum(spread * doubt, found.spread)
    return above


def tail_score(observed: Floats, mean: Floats, variance: Floats) -> Floats:
    """-log10 of the chance of `observed` or more, negative binomial of that mean and variance."""
    mean = np.maximum(mean, 1e-6)
    excess = variance - mean
    is_wide = excess > 1e-3 * mean
    size = np.square(mean) / np.where(is_wide, excess, 1.0)
    count = np.maximum(observed, 1e-9)
    wide = betainc(count, size, mean / (size + mean))
    chance = np.where(is_wide, wide, gammainc(count, mean))
    chance = np.where(observed <= 0, 1.0, chance)
    score: Floats = -np.log10(np.maximum(chance, 10.0**-SCORE_LIMIT))
    return score


def interval(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """The 95 % interval of the count: the gamma law with the same mean and variance, rounded.

    Worked out once for each pair of mean and variance: a day of steps has few of them.
    """
    pairs, place = np.unique(np.stack([mean, variance]), axis=1, return_inverse=True)
    shape, scale = np.square(pairs[0]) / pairs[1], pairs[1] / pairs[0]
    low, high = (gammaincinv(shape, q) * scale for q in INTERVAL)
    return np.floor(low)[place], np.ceil(high)[place]


def wilson(hits: Floats, of: Floats, *, z: float = WILSON_Z) -> tuple[Floats, Floats]:
    """The Wilson score interval of a share (E. B. Wilson, JASA 22, 1927); (0, 1) of nothing."""
    n = np.maximum(of, 1e-12)
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    is_known = of > 0
    return (
        np.where(is_known, np.maximum(middle - half, 0.0), 0.0),
        np.where(is_known, np.minimum(middle + half, 1.0), 1.0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """28 days of n series (subject, scope), arrays (n, 672); `usable` is 0 or 1.

    An hour is not usable in a crisis, where nobody read it, and before the subject was first heard.
    `heard_hours` (n,) is how long that is ago.
    """

    row: dict[tuple[str, str], int]
    counts: Floats
    scored: Floats
    negative: Floats
    usable: Floats
    heard_hours: Floats


def signals(connection: duckdb.DuckDBPyConnection, *, as_of: datetime, zone: ZoneInfo) -> pa.Table:
    """Each window with what was expected of it: what the rules of sql/alerts read as `signal`.

    One row per window and subject in which anything was said in the 24 hours before `as_of`, and
    per scope of which enough was (sql/signals/window.sql). Of a subject of fewer than five mentions
    what was expected is null: no rule speaks of so few. Nothing published at or after `as_of` is
    read.
    """
    windows = _windows(connection, as_of)
    judged = windows.filter(windows["is_judged"]).drop(["is_judged"])
    quiet = windows.filter(pc.invert(windows["is_judged"])).drop(["is_judged"])
    names = sorted(set(judged["subject_id"].to_pylist()))
    made = [_quiet(connection, quiet, as_of)]
    for first in range(0, max(len(names), 1), TOGETHER):
        part = pa.array(names[first : first + TOGETHER], pa.string())
        ours = judged.filter(pc.is_in(judged["subject_id"], part))
        made.append(_judged(connection, ours, as_of=as_of, zone=zone))
    return pa.concat_tables(made, promote_options="default")


def _windows(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> pa.Table:
    """The windows that end at `as_of`; on a day of many mentions some subjects at a time."""
    row = connection.execute(
        "select count(*) from mention"
        " where published_at >= $as_of - interval 1 day and published_at < $as_of",
        {"as_of": as_of},
    ).fetchone()
    parts = 1 + (row[0] if row else 0) // AT_ONCE
    given = [{"as_of": as_of, "part": part, "parts": parts} for part in range(parts)]
    found = [warehouse.run(connection, "signals/window", each).to_arrow_table() for each in given]
    if parts == 1:
        return found[0]
    order = ("window_minutes", "subject_id", "scope")
    return pa.concat_tables(found).sort_by([(name, "ascending") for name in order])


def _judged(
    connection: duckdb.DuckDBPyConnection, windows: pa.Table, *, as_of: datetime, zone: ZoneInfo
) -> pa.Table:
    """The windows of some subjects with their baseline."""
    hours = clock(as_of, zone)
    pairs = zip(windows["subject_id"].to_pylist(), windows["scope"].to_pylist(), strict=True)
    history = _history(connection, tuple(dict.fromkeys(pairs)), hours, as_of)
    found = rates(history.counts, history.usable, hours)
    is_warming = _is_warming_up(history, _last_day(windows, history))
    parts = [
        _compared(
            windows.filter(pc.equal(windows["window_minutes"], minutes)),
            history,
            found,
            hours,
            Window(until=as_of, minutes=minutes, zone=zone),
            is_warming,
        )
        for minutes in WINDOWS
    ]
    return pa.concat_tables(parts)


def _last_day(windows: pa.Table, history: History) -> Floats:
    """What was said of each series in the 24 hours before the moment, (n,)."""
    found = np.zeros(len(history.row))
    day = windows.filter(pc.equal(windows["window_minutes"], 1440))
    columns = (day[name].to_pylist() for name in ("subject_id", "scope", "mention_count"))
    for subject, scope, count in zip(*columns, strict=True):
        found[history.row[subject, scope]] = count
    return found


def _quiet(connection: duckdb.DuckDBPyConnection, windows: pa.Table, as_of: datetime) -> pa.Table:
    """The windows of subjects too quiet to be judged: all that is known is how long of them."""
    rows = warehouse.run(connection, "signals/known", {"as_of": as_of}).fetchall()
    warm = {
        subject: HISTORY_HOURS - hour >= WARM_HOURS
        or (total >= WARM_MENTIONS and HISTORY_HOURS - hour >= 24)
        for subject, hour, total in rows
    }
    warming = [not warm.get(subject, False) for subject in windows["subject_id"].to_pylist()]
    return windows.append_column("is_warming_up", pa.array(warming, pa.bool_()))


def band(
    connection: duckdb.DuckDBPyConnection,
    series: tuple[str, str],
    windows: Sequence[Window],
    *,
    as_of: datetime,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The 95 % interval expected of each window of one series (subject, scope): low, high.

    Learnt from the 28 days before `as_of`.
    """
    hours = clock(as_of, windows[0].zone)
    whole = (series[0], "all")  # says since when the subject is heard
    history = _history(connection, tuple(dict.fromkeys((series, whole))), hours, as_of)
    found = rates(history.counts, history.usable, hours)
    low: list[float] = []
    high: list[float] = []
    for window in windows:
        variance = window_variance(found, history.counts, history.usable, window)
        bounds = interval(window_mean(found, window), variance)
        low.append(float(bounds[0][0]))
        high.append(float(bounds[1][0]))
    return tuple(low), tuple(high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is usual of n series in an hour. `least` (n, windows) is what is expected at least.

    `negative_share` (n,) stays as it is for the hour, and so does whether it `is_known`.
    """

    least: Floats
    negative_share: Floats
    is_known: NDArray[np.bool_]


def usual(
    connection: duckdb.DuckDBPyConnection,
    series: Sequence[tuple[str, str]],
    *,
    minutes: Sequence[int],
    as_of: datetime,
    zone: ZoneInfo,
    most: Mapping[str, int],
) -> Usual:
    """What is usual of windows that end within the hour that begins with `as_of`.

    `most` is how much is said at most of each subject in a day that ends in it. What is expected
    goes straight from the beginning of the hour to its end, by the same rates.
    """
    hours = clock(as_of, zone)
    pairs = tuple(dict.fromkeys((*series, *((subject, "all") for subject, _ in series))))
    history = _history(connection, pairs, hours, as_of)
    found = rates(history.counts, history.usable, hours)
    rows = np.array([history.row[pair] for pair in series], dtype=np.int64)
    whole = np.array([history.row[subject, "all"] for subject, _ in series], dtype=np.int64)
    ends = (as_of, as_of + timedelta(hours=1))
    least = [
        np.minimum(*(window_mean(found, Window(until=e, minutes=m, zone=zone))[rows] for e in ends))
        for m in minutes
    ]
    weight = history.usable * 0.5 ** (hours.age_days / HALF_LIFE_DAYS)
    scored, negative = ((v * weight).sum(axis=1) for v in (history.scored, history.negative))
    last_day = np.array([most.get(subject, 0) for subject, _ in history.row], dtype=float)
    return Usual(
        least=np.stack(least, axis=1),
        negative_share=((negative + 1) / (scored + 4))[rows],
        is_known=~_is_warming_up(history, last_day)[whole],
    )


def _history(
    connection: duckdb.DuckDBPyConnection,
    series: tuple[tuple[str, str], ...],
    hours: Clock,
    as_of: datetime,
) -> History:
    row = {pair: number for number, pair in enumerate(series)}
    past = _past(connection, series, as_of)
    at = (_column(past, "series"), _column(past, "hour_index"))
    values = np.zeros((3, len(row), HISTORY_HOURS))
    for number, name in enumerate(("mention_count", "scored_count", "negative_count")):
        values[number][at] = _column(past, name)
    first = _first_heard(past, series)
    usable = (np.arange(HISTORY_HOURS) >= first[:, None]).astype(float)
    usable = _without_gaps(usable, _unread(connection, series, hours, as_of))
    crises = warehouse.run(connection, "signals/crisis", {"as_of": as_of}).fetchall()
    return History(
        row=row,
        counts=values[0],
        scored=values[1],
        negative=values[2],
        usable=_without_crises(usable, list(row), crises, hours.start),
        heard_hours=(HISTORY_HOURS - first).astype(float),
    )


def _past(
    connection: duckdb.DuckDBPyConnection, series: Sequence[tuple[str, str]], as_of: datetime
) -> pa.Table:
    columns = {
        "series": pa.array(range(len(series)), pa.int32()),
        "subject_id": pa.array([subject for subject, _ in series], pa.string()),
        "scope": pa.array([scope for _, scope in series], pa.string()),
    }
    connection.register("judged_series", pa.table(columns))
    try:
        return warehouse.run(connection, "signals/history", {"as_of": as_of}).to_arrow_table()
    finally:
        connection.unregister("judged_series")


def _column(table: pa.Table, name: str) -> NDArray[Any]:
    values: NDArray[Any] = table[name].to_numpy()
    return values


def _first_heard(past: pa.Table, series: Sequence[tuple[str, str]]) -> Ints:
    """The first hour of history in which each series' subject was heard, (n,)."""
    whole = past.filter(past["is_heard"]).group_by("series").aggregate([("hour_index", "min")])
    rows = zip(whole["series"].to_pylist(), whole["hour_index_min"].to_pylist(), strict=True)
    heard = {series[number][0]: hour for number, hour in rows}
    return np.array([heard.get(subject, HISTORY_HOURS) for subject, _ in series], dtype=np.int64)


def _unread(
    connection: duckdb.DuckDBPyConnection,
    series: Sequence[tuple[str, str]],
    hours: Clock,
    as_of: datetime,
) -> Floats:
    """How much of each hour of history nobody read, 0..1, (n, 672)."""
    subjects = list(dict.fromkeys(subject for subject, _ in series))
    span = (hours.start, hours.start + timedelta(hours=HISTORY_HOURS))
    found = unread.hours(connection, subjects, span, as_of=as_of)
    rows = {subject: number for number, subject in enumerate(subjects)}
    of_series: Floats = found[[rows[subject] for subject, _ in series]]
    return of_series


def _without_gaps(usable: Floats, unread_share: Floats) -> Floats:
    """`usable` without the hours that were not read whole; where most are such, without those of
    which half was not read."""
    whole, half = (np.where(unread_share <= most, usable, 0.0) for most in (0.0, 0.5))
    is_enough = whole.sum(axis=1) >= half.sum(axis=1) / 2
    return np.where(is_enough[:, None], whole, half)


def _without_crises(
    usable: Floats,
    names: list[tuple[str, str]],
    crises: list[tuple[str | None, datetime, datetime]],
    start: datetime,
) -> Floats:
    """`usable` without the hours of incidents, unless that leaves less than half of them.

    A crisis that fills half of a month is no crisis but the new level.
    """
    calm = usable.copy()
    for subject, since, until in crises:
        first = max((since - start) // timedelta(hours=1), 0)
        last = (until - start) // timedelta(hours=1) + 1
        touched = [i for i, (name, _) in enumerate(names) if subject in (None, name)]
        calm[touched, first : max(last, 0)] = 0.0
    is_enough = calm.sum(axis=1) >= usable.sum(axis=1) / 2
    return np.where(is_enough[:, None], calm, usable)


def _compared(
    windows: pa.Table,
    history: History,
    found: Rates,
    hours: Clock,
    window: Window,
    is_warming: NDArray[np.bool_],
) -> pa.Table:
    """The windows of one length with their baseline in further columns."""
    keys = list(zip(windows["subject_id"].to_pylist(), windows["scope"].to_pylist(), strict=True))
    rows = np.array([history.row[key] for key in keys], dtype=np.int64)
    whole = np.array([history.row[subject, "all"] for subject, _ in keys], dtype=np.int64)
    mean = window_mean(found, window)[rows]
    variance = window_variance(found, history.counts, history.usable, window)[rows]
    observed = _floats(windows, "mention_count")
    low, high = interval(mean, variance)
    texts = dict(zip(keys, windows["text_count"].to_pylist(), strict=True))
    said = np.array([texts[subject, "all"] for subject, _ in keys], dtype=float)
    weight = history.usable * 0.5 ** (hours.age_days / HALF_LIFE_DAYS)
    counted, scored, negative = (
        (values * weight).sum(axis=1)
        for values in (history.counts, history.scored, history.negative)
    )
    columns = {
        "expected": mean,
        "low": low,
        "high": high,
        "score": tail_score(observed, mean, variance),
        "day_mean": day_mean(found, window)[rows],
        **_share(
            "negative",
            _floats(windows, "negative_count"),
            _floats(windows, "scored_count"),
            (negative[rows] + 1) / (scored[rows] + 4),
        ),
        **_share(
            "topic",
            _floats(windows, "text_count"),
            said,
            (counted[rows] + 0.5) / (counted[whole] + 10),
        ),
        "is_warming_up": is_warming[whole],
    }
    for name, values in columns.items():
        windows = windows.append_column(name, pa.array(values))
    return windows


def _floats(table: pa.Table, name: str) -> Floats:
    return np.array(table[name].to_pylist(), dtype=float)


def _share(name: str, hits: Floats, of: Floats, usual: Floats) -> dict[str, Floats]:
    """A share with its Wilson interval beside the usual share.

    The usual share starts from a weak belief (one in four negative, one in twenty a topic), so
    that a new subject has one too.
    """
    low, high = wilson(hits, of)
    return {
        f"{name}_share": hits / np.maximum(of, 1.0),
        f"{name}_share_low": low,
        f"{name}_share_high": high,
        f"{name}_share_expected": usual,
    }


def _is_warming_up(history: History, last_day: Floats) -> NDArray[np.bool_]:
    """Whether too little is known of each series to say what is usual, (n,).

    What came long before the rest does not count as being heard: of a subject whose collection
    begins late, a few strays were there before. Where the `last_day` (mentions, (n,)) brings more
    than all the days before, a collection has begun and nothing burst, unless two weeks were heard.
    """
    calm = history.counts * history.usable
    so_far = calm.cumsum(axis=1)
    total, before = so_far[:, -1], so_far[:, -25]
    regular = HISTORY_HOURS - (so_far < np.maximum(STRAY_SHARE * total, 1)[:, None]).sum(axis=1)
    is_rich = (total >= WARM_MENTIONS) & (regular >= 24)
    is_long = regular >= (1 - STRAY_SHARE) * WARM_HOURS
    is_told = before >= np.maximum(LEAST_KNOWN, last_day)
    is_told |= history.heard_hours >= QUIET_HOURS
    is_warming_up: NDArray[np.bool_] = ~((is_rich | is_long) & is_told)
    return is_warming_up
