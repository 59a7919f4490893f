"""What the rules read as `signal`: every window with its baseline, and how near it is to a burst.

The detector is that of `vigie backtest` (`pipelines/burst.py`), fed from the warehouse: steps of
five minutes from the mentions of the last 27 days, and hours before, spread evenly. That is all it
ever looks at, so a series replayed from its beginning gives the same levels.

Costs the mentions of 27 days, counted by DuckDB, and about 50 ms a subject that was spoken of in
the last 24 hours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa

from pipelines import baseline, warehouse
from pipelines.baseline import HISTORY_HOURS
from pipelines.burst import PAST_DAYS, TAIL_DAYS, Watch
from pipelines.series import FINEST, Floats, Series

STEP = timedelta(minutes=FINEST)
JUDGED = timedelta(days=TAIL_DAYS + 1)
STEPS = JUDGED + timedelta(days=PAST_DAYS)
HOURS = JUDGED + timedelta(hours=HISTORY_HOURS)
AN_HOUR = 60 // FINEST


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


def signals(connection: duckdb.DuckDBPyConnection, *, as_of: datetime, zone: ZoneInfo) -> pa.Table:
    """The windows of `pipelines.baseline.signals`, with `burst` and `is_flood`.

    `burst` is the level of the whole subject: on its windows of 15 and 60 minutes; where few speak,
    on that of a day, or of an hour that stands out by itself. It is null elsewhere, and while
    nothing is known: then it is warming up.
    """
    table = baseline.signals(connection, as_of=as_of, zone=zone)
    names = ("subject_id", "scope", "window_minutes", "is_warming_up")
    rows = table.select(list(names)).to_pylist()
    subjects = {row["subject_id"] for row in rows if row["scope"] == "all"}
    found = near(connection, sorted(subjects), as_of=as_of, zone=zone)
    told = [_told(row, found.get(row["subject_id"], Near(level=None))) for row in rows]
    warming = table.schema.get_field_index("is_warming_up")
    columns = list(zip(*told, strict=True)) or [(), (), ()]
    table = table.set_column(warming, "is_warming_up", pa.array(columns[2], pa.bool_()))
    table = table.append_column("burst", pa.array(columns[0], pa.float64()))
    return table.append_column("is_flood", pa.array(columns[1], pa.bool_()))


def _told(row: dict[str, Any], of: Near) -> tuple[float | None, bool, bool]:
    """`burst`, `is_flood` and `is_warming_up` of one window."""
    if row["scope"] != "all":
        return None, False, row["is_warming_up"]
    if of.level is None:
        return None, False, True
    is_judged = row["window_minutes"] in of.windows
    return of.level if is_judged else None, of.is_flood and is_judged, row["is_warming_up"]


def near(
    connection: duckdb.DuckDBPyConnection,
    subjects: Iterable[str],
    *,
    as_of: datetime,
    zone: ZoneInfo,
) -> dict[str, Near]:
    """How near each subject is to a burst at `as_of`, by what was published before."""
    start, judged, stepped = _start(as_of, HOURS), _start(as_of, JUDGED), _start(as_of, STEPS)
    count = (as_of - start) // STEP
    whole = as_of.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = _by_subject(connection, "hours", start.replace(minute=0, second=0), whole)
    steps = _by_subject(connection, "steps", stepped, as_of)
    crises = warehouse.run(connection, "signals/crisis", {"as_of": as_of}).fetchall()
    found = {}
    for name in subjects:
        offset = (stepped - start) // STEP
        values = _values(start, count, steps.get(name, []), hours.get(name, []), offset)
        watch = Watch(Series(start=start, minutes=FINEST, values=values), zone)
        for subject, since, until in crises:
            if subject in (None, name):
                first, last = ((at - start) // STEP for at in (since, until))
                watch.calm[max(first, 0) : max(last + 1, 0)] = False
        found[name] = _last(watch, (judged - start) // STEP)
    return found


def _start(as_of: datetime, back: timedelta) -> datetime:
    """The first step of the UTC day that lies `back` before: whole steps from there to `as_of`."""
    now = as_of.astimezone(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) - back
    return now - (now - midnight) // STEP * STEP


def _by_subject(
    connection: duckdb.DuckDBPyConnection, name: str, since: datetime, until: datetime
) -> dict[str, list[dict[str, Any]]]:
    table = warehouse.run(connection, f"signals/{name}", {"since": since, "until": until})
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_arrow_table().to_pylist():
        found.setdefault(row["subject_id"], []).append(row)
    return found


def _values(
    start: datetime,
    count: int,
    steps: list[dict[str, Any]],
    hours: list[dict[str, Any]],
    offset: int,
) -> Floats:
    """The counts of a subject's steps, (count,); NaN before it was first heard.

    An hour of which no mention is kept any more is spread evenly.
    """
    exact = np.zeros(count)
    for row in steps:
        exact[offset + row["step_index"]] = row["mention_count"]
    hour_of = (int(start.timestamp()) + 300 * np.arange(count)) // 3600
    first = int(hour_of[0])
    told = np.zeros(int(hour_of[-1]) - first + 1)
    for row in hours:
        if 0 <= row["hour_index"] - first < len(told):
            told[row["hour_index"] - first] = row["mention_count"]
    kept = np.bincount(hour_of - first, exact, len(told))
    spread = np.where(kept > 0, 0.0, told)[hour_of - first] / AN_HOUR
    heard = min((row["hour_index"] for row in hours if row["is_heard"]), default=hour_of[-1] + 1)
    return np.where(hour_of >= heard, exact + spread, np.nan)


def _last(watch: Watch, since: int) -> Near:
    """What the last step of a series says."""
    last = None
    for _, judged in watch.days(since):
        last = judged
    if last is None or np.isnan(last.expected[-1]):
        return Near(level=None)
    return Near(
        level=float(last.level[-1]),
        is_flood=bool(last.is_flood[-1]),
        is_small=bool(last.is_small[-1]),
        is_sudden=bool(last.is_sudden[-1]),
    )
