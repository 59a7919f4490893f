"""How often a rule was right, by what moderators said, and a threshold that would do better.

Precision is right over judged, with Wilson's interval at 95 %. A proposal raises every threshold
of a rule by one factor: an alert whose level never reached it would not have been told. It is
reckoned on the stored alerts, keeps every one that was right, and changes nothing by itself.

Known gaps: what was never told cannot be judged, so no threshold is proposed that is lower, and
no recall is known. The rule itself is not run again on the stored days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import duckdb
import numpy as np

from pipelines import baseline, warehouse

LEAST_JUDGED = 10  # alerts of a rule, for a threshold to be proposed
HISTORY = timedelta(days=180)
STEP = 0.05  # of a proposed factor: finer would follow single alerts
Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One alert that was told: `level` is the highest, 1 where its rule enters.

    Neither `is_false` nor `is_right` where nobody has said.
    """

    incident_id: str
    rule_id: str
    rule_version: str
    opened_at: datetime
    level: float
    is_false: bool
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Of `told` alerts `judged` were judged and `false` of these false; shares 0..1 or None."""

    told: int
    judged: int
    false: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A factor for the thresholds of a rule, and what it would have changed.

    `spared` false alarms fewer; `lost` and `unjudged` alerts that would not have been told.
    """

    rule_id: str
    factor: float
    spared: tuple[Judged, ...]
    lost: tuple[Judged, ...]
    unjudged: tuple[Judged, ...]
    before: Precision
    after: Precision


def read(connection: duckdb.DuckDBPyConnection, *, as_of: datetime) -> list[Judged]:
    """The alerts of the last `HISTORY` that were told, oldest first."""
    since = as_of - HISTORY
    found = warehouse.run(connection, "queries/alert_quality", {"since": since})
    names = [column[0] for column in found.description or ()]
    rows: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return [Judged(**row) for row in rows]


def precision(alerts: Sequence[Judged]) -> Precision:
    """How often these alerts were right, among those judged."""
    false = sum(a.is_false for a in alerts)
    right = sum(a.is_right for a in alerts)
    judged = false + right
    low, high = baseline.wilson(np.array([float(right)]), np.array([float(judged)]), z=Z)
    return Precision(
        told=len(alerts),
        judged=judged,
        false=false,
        share=right / judged if judged else None,
        low=float(low[0]),
        high=float(high[0]),
    )


def by_rule(alerts: Sequence[Judged]) -> dict[str, list[Judged]]:
    """The alerts of each rule, in the order of rules' names."""
    found = sorted(alerts, key=lambda a: (a.rule_id, a.opened_at))
    return {rule: list(rows) for rule, rows in groupby(found, key=lambda a: a.rule_id)}


def by_week(alerts: Sequence[Judged]) -> Iterator[tuple[date, Precision]]:
    """Precision of each week (its Monday, UTC) in which one of these alerts opened."""
    for monday, rows in groupby(sorted(alerts, key=_monday), key=_monday):
        yield monday, precision(list(rows))


def _monday(alert: Judged) -> date:
    day = alert.opened_at.date()
    return day - timedelta(days=day.weekday())


def propose(alerts: Sequence[Judged]) -> Proposal | None:
    """The least factor that spares most false alarms and loses no right one; None for none.

    `alerts` are those of one rule. None as well where fewer than `LEAST_JUDGED` were judged.
    """
    before = precision(alerts)
    if before.judged < LEAST_JUDGED:
        return None
    made = [_with(alerts, factor, before) for factor in _factors(alerts)]
    fitting = [p for p in made if p.spared and not p.lost]
    return max(fitting, key=lambda p: (len(p.spared), -p.factor), default=None)


def _factors(alerts: Sequence[Judged]) -> list[float]:
    """Steps just above the level of each false alarm."""
    levels = {a.level for a in alerts if a.is_false}
    return sorted({round((int(level / STEP + 1e-9) + 1) * STEP, 2) for level in levels})


def _with(alerts: Sequence[Judged], factor: float, before: Precision) -> Proposal:
    gone = [a for a in alerts if a.level < factor]
    return Proposal(
        rule_id=alerts[0].rule_id,
        factor=factor,
        spared=tuple(a for a in gone if a.is_false),
        lost=tuple(a for a in gone if a.is_right),
        unjudged=tuple(a for a in gone if not (a.is_false or a.is_right)),
        before=before,
        after=precision([a for a in alerts if a.level >= factor]),
    )
