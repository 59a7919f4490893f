"""What is gained in an hour by what is said about a subject: what rules read as `engagement`.

Likes, replies and shares, from the looks at each message (`mention_metric`). One message that
everybody passes on moves no count of mentions; this does. An hour is compared with those of 28 days
before: how improbable it is by the tail of their logarithms (`pipelines/burst.py`), and what the
same hours of the day usually bring.

Costs the looks of an hour, and those of 28 days of subjects that gain `LEAST` or more in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipelines import burst, warehouse
from pipelines.series import Floats

HOURS = 672
LEAST = 36.0  # reactions in the hour: 0.6 of the fewest that a rule tells of
A_DAY = 24
KNOWN_HOURS = 7 * A_DAY  # below, nothing is usual yet
_SCHEMA = pa.schema(
    {
        "subject_id": pa.string(),
        **dict.fromkeys(
            ("gained_count", "expected", "low", "high", "score", "top_share"), pa.float64()
        ),
        "message_count": pa.int64(),
        "message_ids": pa.list_(pa.string()),
        "is_warming_up": pa.bool_(),
    }
)


def signals(connection: duckdb.DuckDBPyConnection, *, as_of: datetime) -> pa.Table:
    """One row per subject that gains much in the hour before `as_of`; nothing later is read.

    `expected`, `low` and `high` are the median and 95 % of the same hours of the days before and
    their neighbours; `score` is -log10 of the chance that an hour brings as much.
    """
    given: dict[str, Any] = {"as_of": as_of, "least": LEAST}
    now = warehouse.run(connection, "signals/gains", given).to_arrow_table().to_pylist()
    subjects = [row["subject_id"] for row in now]
    past = _past(connection, subjects, as_of - timedelta(hours=1))
    rows = [row | _usual(row["gained_count"], past[row["subject_id"]]) for row in now]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _past(
    connection: duckdb.DuckDBPyConnection, subjects: Sequence[str], until: datetime
) -> Mapping[str, Floats]:
    """The gains of the hours that end by `until`, oldest first, of each subject since its first."""
    if not subjects:
        return {}
    connection.register("gaining_subject", pa.table({"subject_id": pa.array(subjects)}))
    try:
        rows = warehouse.run(connection, "signals/gains_past", {"as_of": until}).fetchall()
    finally:
        connection.unregister("gaining_subject")
    found = {subject: np.zeros(HOURS) for subject in subjects}
    for subject, ago, gained in rows:
        found[subject][HOURS - 1 - ago] = gained
    return {subject: _since_first(hours) for subject, hours in found.items()}


def _since_first(hours: Floats) -> Floats:
    begun = np.flatnonzero(hours)
    return hours[begun[0] :] if len(begun) else hours[:0]


def _usual(gained: float, hours: Floats) -> dict[str, Any]:
    if len(hours) < KNOWN_HOURS:
        return {"is_warming_up": True}
    found = burst.tail(np.log1p(hours))
    score = float(burst.chance(found, np.log1p(np.array([gained])))[0])
    low, middle, high = _alike(hours)
    return {
        "expected": middle,
        "low": low,
        "high": high,
        "score": score,
        "is_warming_up": False,
    }


def _alike(hours: Floats) -> tuple[float, float, float]:
    """95 % of the hours of other days like the one after `hours`, their median in the middle."""
    # That one is 24 hours after the last but 23 of them: an hour either side too.
    days = hours[::-1]
    alike = np.concatenate([days[first::24] for first in (22, 23, 24)])
    low, middle, high = np.quantile(alike, (0.025, 0.5, 0.975))
    return float(np.floor(low)), float(middle), float(np.ceil(high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What each of the last 24 hours gained, oldest first, and 95 % of what such hours do."""

    gained: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def day(connection: duckdb.DuckDBPyConnection, subject_id: str, *, as_of: datetime) -> Day | None:
    """The day that ends with `as_of`; None where less than two days of gains are known."""
    hours = _past(connection, [subject_id], as_of)[subject_id]
    if len(hours) < 2 * A_DAY:
        return None
    last = range(len(hours) - A_DAY, len(hours))
    bands = [_alike(hours[:hour]) for hour in last]
    return Day(
        gained=tuple(float(hours[hour]) for hour in last),
        low=tuple(low for low, _, _ in bands),
        high=tuple(high for _, _, high in bands),
    )
