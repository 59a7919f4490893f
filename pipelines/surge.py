"""What the rules read as `signal`: every window with its baseline, and how near it is to a burst.

The detector is that of `vigie backtest` (`pipelines/burst.py`), fed from the warehouse: steps of
five minutes from the mentions of the last 27 days, and hours before, spread evenly. That is all it
ever looks at, so a series replayed from its beginning gives the same levels. Steps that nobody read
(`pipelines/unread.py`) and in which nothing came are unknown.

Only series that can reach the level at which a rule still speaks are looked at (`_may_burst`): a
burst needs a dozen mentions, so eight are 0.6 of it. What is learnt of one at the beginning of the
day (UTC) costs some 30 ms and the mentions of 27 days; with `keeps` it stands in the warehouse
(`pipelines/learnt.py`), and a later moment of the day costs about 2 ms and those of five days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa

from pipelines import baseline, learnt, unread, warehouse
from pipelines.baseline import HISTORY_HOURS
from pipelines.burst import PAST_DAYS, RECENT_HOURS, SMALL_DAY, TAIL_DAYS, Kept, Levels, Watch
from pipelines.learnt import Key, Known
from pipelines.series import FINEST, Floats, Series

STEP = timedelta(minutes=FINEST)
JUDGED = timedelta(days=TAIL_DAYS + 1)
STEPS = JUDGED + timedelta(days=PAST_DAYS)
HOURS = JUDGED + timedelta(hours=HISTORY_HOURS)
RECENT = timedelta(hours=RECENT_HOURS)
AN_HOUR = 60 // FINEST
LEAST_SAID = 8  # mentions in an hour or a day: 0.6 of the dozen that a burst takes
NEGATIVE = "negative"  # the scope of what is scored negative
TOGETHER = 400  # series whose steps are held in memory at once, about 150 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """How near a subject is to a burst at a moment: `level` 1 enters; None while learning.

    `is_small`: few speak, and a day is judged; or, where it `is_sudden`, the last hour.
    """

    level: float | None
    is_flood: bool = False
    is_small: bool = False
    is_sudden: bool = False

    @property
    def windows(self) -> tuple[int, ...]:
        """The windows, in minutes, of which the level speaks."""
        if not self.is_small:
            return (15, 60)
        return (60,) if self.is_sudden else (1440,)


def signals(
    connection: duckdb.DuckDBPyConnection,
    *,
    as_of: datetime,
    zone: ZoneInfo,
    keeps: bool = False,
) -> pa.Table:
    """The windows of `pipelines.baseline.signals`, with `burst`, `is_flood` and `negative_burst`.

    `burst` of a whole subject is its level on the windows of 15 and 60 minutes; where few speak, on
    that of a day, or of an hour that stands out by itself. It is null elsewhere, and while nothing
    is known: then it is warming up. `burst` of a scope and `negative_burst` of a subject stand on
    its hour, where enough is said of it every day (`SMALL_DAY`), else null. A series of too few
    mentions to be told has 0. `keeps`: what is learnt is written into the warehouse.
    """
    table = baseline.signals(connection, as_of=as_of, zone=zone)
    rows = table.select(list(_ASKED)).to_pylist()
    found = near(connection, _may_burst(rows), as_of=as_of, zone=zone, keeps=keeps)
    told = [_told(row, found) for row in rows]
    warming = table.schema.get_field_index("is_warming_up")
    columns = list(zip(*told, strict=True)) or [(), (), (), ()]
    table = table.set_column(warming, "is_warming_up", pa.array(columns[0], pa.bool_()))
    table = table.append_column("burst", pa.array(columns[1], pa.float64()))
    table = table.append_column("is_flood", pa.array(columns[2], pa.bool_()))
    return table.append_column("negative_burst", pa.array(columns[3], pa.float64()))


_ASKED = (
    *("subject_id", "scope", "window_minutes", "mention_count", "negative_count"),
    *("day_mean", "is_warming_up"),
)


def _may_burst(rows: Iterable[Mapping[str, Any]]) -> set[Key]:
    """The series that can be at 0.6 of the level or above."""
    found = set()
    for row in rows:
        subject, scope, minutes = row["subject_id"], row["scope"], row["window_minutes"]
        is_much = row["mention_count"] >= LEAST_SAID
        is_judged = scope == "all" or (minutes == 60 and (row["day_mean"] or 0) >= SMALL_DAY)
        if is_much and is_judged:
            found.add((subject, scope))
        if scope == "all" and minutes == 60 and row["negative_count"] >= LEAST_SAID:
            found.add((subject, NEGATIVE))
    return found


def _told(
    row: Mapping[str, Any], found: Mapping[Key, Near]
) -> tuple[bool, float | None, bool, float | None]:
    """`is_warming_up`, `burst`, `is_flood` and `negative_burst` of one window."""
    subject, scope, minutes = row["subject_id"], row["scope"], row["window_minutes"]
    of, is_warming = found.get((subject, scope)), row["is_warming_up"]
    if scope != "all":
        return is_warming, _on_hour(of, minutes), False, None
    negative = _on_hour(found.get((subject, NEGATIVE)), minutes)
    if of is None:
        return is_warming, None if is_warming else 0.0, False, negative
    if of.level is None:
        return True, None, False, negative
    is_judged = minutes in of.windows
    return is_warming, of.level if is_judged else None, of.is_flood and is_judged, negative


def _on_hour(of: Near | None, minutes: int) -> float | None:
    return of.level if of and minutes == 60 and not of.is_small else None


def near(
    connection: duckdb.DuckDBPyConnection,
    series: Iterable[Key],
    *,
    as_of: datetime,
    zone: ZoneInfo,
    keeps: bool = False,
) -> dict[Key, Near]:
    """How near each series is to a burst at `as_of`, by what was published before."""
    found = levels(connection, series, as_of=as_of, zone=zone, keeps=keeps)
    return {key: _last(steps) for key, steps in found.items()}


def levels(
    connection: duckdb.DuckDBPyConnection,
    series: Iterable[Key],
    *,
    as_of: datetime,
    zone: ZoneInfo,
    keeps: bool = False,
) -> dict[Key, Levels]:
    """The level of each series at every step of the day (UTC) that ends with `as_of` or goes on.

    Each is what `near` said at the end of that step.
    """
    keys = sorted(series)
    found: dict[Key, Levels] = {}
    for first in range(0, len(keys), TOGETHER):
        part = keys[first : first + TOGETHER]
        with _watching(connection, part):
            moment = _Moment(connection=connection, keys=part, as_of=as_of, zone=zone)
            known = _known(moment, keeps=keeps)
            found |= {key: _levels(moment, known[n], n) for n, key in enumerate(part)}
    return found


@contextmanager
def _watching(connection: duckdb.DuckDBPyConnection, keys: Sequence[Key]) -> Iterator[None]:
    """The table `watched_series` while the block lasts: number, subject and scope."""
    columns = {
        "series": pa.array(range(len(keys)), pa.int32()),
        "subject_id": pa.array([subject for subject, _ in keys], pa.string()),
        "scope": pa.array([scope for _, scope in keys], pa.string()),
    }
    connection.register("watched_series", pa.table(columns))
    try:
        yield
    finally:
        connection.unregister("watched_series")


class _Moment:
    """Some series at one moment: their recent steps, (n, steps), and the day of the last one.

    Steps end with `as_of`; the days before are learnt in steps that end with `midnight`.
    """

    def __init__(
        self,
        *,
        connection: duckdb.DuckDBPyConnection,
        keys: Sequence[Key],
        as_of: datetime,
        zone: ZoneInfo,
    ) -> None:
        self.connection, self.keys, self.as_of, self.zone = connection, keys, as_of, zone
        now = as_of.astimezone(UTC)
        self.midnight = (now - STEP).replace(hour=0, minute=0, second=0, microsecond=0)
        self.start = now - (now - self.midnight) // STEP * STEP - RECENT
        whole = now.replace(minute=0, second=0, microsecond=0)
        span = {"since": self.midnight - HOURS, "until": whole}
        self.heard = np.full(len(keys), int(whole.timestamp()) // 3600)
        for number, hour in _rows(connection, "heard", span):
            self.heard[number] = hour

    @cached_property
    def recent(self) -> tuple[Floats, list[str]]:
        """The steps that are judged with those that judging looks back on, and the stamps."""
        steps, past, is_read = self.values(self.start, self.start, self.as_of)
        before = is_read[:, : RECENT_HOURS * AN_HOUR].sum(axis=1)
        stamps = [f"{count}/{read}" for count, read in zip(past, before, strict=True)]
        return steps, stamps

    def values(
        self, start: datetime, exact_since: datetime, until: datetime
    ) -> tuple[Floats, list[int], Any]:
        """The counts of the steps from `start` to `until`, (n, steps); NaN where nobody listened.

        Besides: how many mentions stand behind the stamp, and which steps were read. An hour of
        which no mention is kept any more is spread evenly.
        """
        count = (until - start) // STEP
        exact, past = np.zeros((len(self.keys), count)), [0] * len(self.keys)
        offset = (exact_since - start) // STEP
        stamped = {"past_since": self.midnight - RECENT + timedelta(hours=1)}
        span = stamped | {"since": exact_since, "until": until, "past_until": self.midnight}
        for number, step, mentions, before in _rows(self.connection, "steps", span):
            exact[number, offset + step] = mentions
            past[number] += before
        hour_of = (int(start.timestamp()) + 300 * np.arange(count)) // 3600
        exact += self._spread(exact, hour_of)
        missing = unread.steps(
            self.connection, [subject for subject, _ in self.keys], (start, until), as_of=self.as_of
        )
        is_read = (hour_of >= self.heard[:, None]) & ~(missing & (exact == 0))
        return np.where(is_read, exact, np.nan), past, is_read

    def _spread(self, exact: Floats, hour_of: Any) -> Floats:
        """What is known only by the hour, (n, steps)."""
        first, last = int(hour_of[0]), int(hour_of[-1])
        whole = int(self.as_of.timestamp()) // 3600
        told = np.zeros((len(self.keys), last - first + 1))
        span = {
            "since": datetime.fromtimestamp(3600 * first, UTC),
            "until": datetime.fromtimestamp(3600 * min(last + 1, whole), UTC),
        }
        for number, hour, mentions in _rows(self.connection, "hours", span):
            told[number, hour - first] = mentions
        begins = np.flatnonzero(np.diff(hour_of, prepend=first - 1))
        kept = np.add.reduceat(exact, begins, axis=1)
        spread: Floats = np.where(kept > 0, 0.0, told)[:, hour_of - first] / AN_HOUR
        return spread


def _known(moment: _Moment, *, keeps: bool) -> dict[int, Kept]:
    """What is known of each series at the beginning of the day: what was kept, or learnt now."""
    day_on, (_, stamps) = moment.midnight.date(), moment.recent
    kept = learnt.load(moment.connection, day_on)
    known = {n: k.kept for n, k in kept.items() if k.stamp == stamps[n]}
    missing = [n for n in range(len(moment.keys)) if n not in known]
    if not missing:
        return known
    fresh = dict(zip(missing, _learn(moment, missing), strict=True))
    if keeps:
        made = [Known(stamp=stamps[n], kept=fresh[n]) for n in missing]
        learnt.save(moment.connection, day_on, [moment.keys[n] for n in missing], made)
    return known | fresh


def _learn(moment: _Moment, numbers: Sequence[int]) -> list[Kept]:
    """What is learnt of series from the days before midnight."""
    keys = [moment.keys[n] for n in numbers]
    start = moment.midnight - HOURS
    with _watching(moment.connection, keys):
        of = _Moment(connection=moment.connection, keys=keys, as_of=moment.as_of, zone=moment.zone)
        steps, _, _ = of.values(start, moment.midnight - STEPS, moment.midnight)
    given = {"as_of": moment.as_of}
    crises = warehouse.run(moment.connection, "signals/crisis", given).fetchall()
    return [_kept(moment, start, row, key, crises) for row, key in zip(steps, keys, strict=True)]


def _kept(
    moment: _Moment,
    start: datetime,
    values: Floats,
    key: Key,
    crises: Sequence[tuple[str | None, datetime, datetime]],
) -> Kept:
    # One step more, so that the day to come begins within the series.
    series = Series(start=start, minutes=FINEST, values=np.append(values, np.nan))
    watch = Watch(series, moment.zone)
    for subject, since, until in crises:
        if subject in (None, key[0]):
            first, last = ((at - start) // STEP for at in (since, until))
            watch.calm[max(first, 0) : max(last + 1, 0)] = False
    return watch.keep((HOURS - JUDGED) // STEP)


def _levels(moment: _Moment, kept: Kept, number: int) -> Levels:
    series = Series(start=moment.start, minutes=FINEST, values=moment.recent[0][number])
    return Watch(series, moment.zone).resumed(kept)


def _last(last: Levels) -> Near:
    """What the last step of a series says."""
    if np.isnan(last.expected[-1]):
        return Near(level=None)
    return Near(
        level=float(last.level[-1]),
        is_flood=bool(last.is_flood[-1]),
        is_small=bool(last.is_small[-1]),
        is_sudden=bool(last.is_sudden[-1]),
    )


def _rows(
    connection: duckdb.DuckDBPyConnection, name: str, given: Mapping[str, Any]
) -> Iterator[tuple[int, ...]]:
    """The rows of a query of integers."""
    table = warehouse.run(connection, f"signals/{name}", given).to_arrow_table()
    return zip(*(column.to_pylist() for column in table.columns), strict=True)
