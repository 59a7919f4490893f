"""What a replay was worth: beside marked moments or judged incidents, and beside another rule set.

An opening tells of a mark where it fired from two hours before the mark to 24 hours after it. Two
rule sets tell the same where rule, subject and scope agree and both fired within six hours: the
time in which a new rise joins an incident.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines import backtest, quality, series
from pipelines.backtest_mentions import Opening, Replayed
from pipelines.incidents import JOIN
from pipelines.warehouse import Connection

BEFORE, AFTER = backtest.BEFORE, backtest.AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment that should be told (`is_right`), or that was told for nothing.

    `rule_id` None: by whichever rule, of any subject.
    """

    at: datetime
    is_right: bool
    rule_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """A replay beside its marks. Shares 0..1, None of nothing.

    `false_count` are openings that tell of no mark; beside judged incidents those that people
    called false, and `unknown_count` those that nobody judged. `rate` is false alarms a day with
    its 95 % interval. `delays` are from a mark to the first opening that tells of it.
    """

    marked: int
    told: int
    openings: int
    false_count: int
    unknown_count: int
    rate: tuple[float, float, float]
    delays: tuple[timedelta, ...]

    @property
    def precision(self) -> float | None:
        """The share of openings that told of a mark, of those that are known to be right or not."""
        known = self.openings - self.unknown_count
        return (known - self.false_count) / known if known else None

    @property
    def recall(self) -> float | None:
        """The share of marks that were told."""
        return self.told / self.marked if self.marked else None

    def delay(self, share: float) -> timedelta | None:
        """The delay that so many of the told marks do not exceed: 0.5 the median."""
        if not self.delays:
            return None
        ordered = sorted(self.delays)
        if share == 0.5:
            seconds = statistics.median(each.total_seconds() for each in ordered)
            return timedelta(seconds=seconds)
        return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The openings of a tried rule set beside those of the present rules."""

    gained: tuple[Opening, ...]
    lost: tuple[Opening, ...]
    same: tuple[tuple[Opening, Opening], ...]  # the present one, the tried one


def marks(path: Path) -> list[Mark]:
    """The marks of a CSV file: `timestamp`, and a column `rule` where only one rule is meant."""
    times = series.moments(path)
    rules = _rules(path)
    if rules is None:
        return [Mark(at=at, is_right=True) for at in times]
    return sorted(rules, key=lambda mark: mark.at)


def _rules(path: Path) -> list[Mark] | None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if "rule" not in (reader.fieldnames or ()):
            return None
        return [
            Mark(at=_utc(row["timestamp"]), is_right=True, rule_id=row["rule"].strip() or None)
            for row in reader
            if (row["timestamp"] or "").strip()
        ]


def _utc(text: str) -> datetime:
    at = datetime.fromisoformat(text.strip())
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def judged(connection: Connection, *, since: datetime, until: datetime) -> list[Mark]:
    """The incidents of a span that moderators have judged, right or false.

    None where the warehouse is of a version that kept no judgements: it is not changed for it.
    """
    asked = "select count(*) from duckdb_views() where view_name = 'alert_judgement'"
    if connection.execute(asked).fetchone() != (1,):
        return []
    found = quality.read(connection, as_of=until)
    return [
        Mark(at=each.opened_at.astimezone(UTC), is_right=each.is_right, rule_id=each.rule_id)
        for each in found
        if (each.is_right or each.is_false) and since <= each.opened_at <= until
    ]


def worth(replayed: Replayed, marked: Sequence[Mark], *, is_judged: bool) -> Worth:
    """What the openings of a replay told of the marks within its span."""
    own = [mark for mark in marked if replayed.since <= mark.at <= replayed.until]
    right = [mark for mark in own if mark.is_right]
    firsts = [_first(mark, replayed.openings) for mark in right]
    asked = [o for o in replayed.openings if any(_tells(o, mark) for mark in right)]
    rest = [o for o in replayed.openings if o not in asked]
    wrong = [mark for mark in own if not mark.is_right]
    false = [o for o in rest if any(_tells(o, m) for m in wrong)] if is_judged else rest
    return Worth(
        marked=len(right),
        told=sum(first is not None for first in firsts),
        openings=len(replayed.openings),
        false_count=len(false),
        unknown_count=len(rest) - len(false),
        rate=backtest.per_day(len(false), replayed.days),
        delays=tuple(
            max(first.fired_at - mark.at, timedelta(0))
            for mark, first in zip(right, firsts, strict=True)
            if first is not None
        ),
    )


def _first(mark: Mark, openings: Sequence[Opening]) -> Opening | None:
    return next((each for each in openings if _tells(each, mark)), None)


def _tells(opening: Opening, mark: Mark) -> bool:
    is_near = mark.at - BEFORE <= opening.fired_at <= mark.at + AFTER
    return is_near and mark.rule_id in (None, opening.rule_id)


def compared(present: Replayed, tried: Replayed) -> Compared:
    """Which openings only one of two rule sets has; each is matched once, the nearest first."""
    left = list(tried.openings)
    same: list[tuple[Opening, Opening]] = []
    lost: list[Opening] = []
    for opening in present.openings:
        near = [each for each in left if _are_same(opening, each)]
        if near:
            found = min(near, key=lambda each: abs(each.fired_at - opening.fired_at))
            left.remove(found)
            same.append((opening, found))
        else:
            lost.append(opening)
    return Compared(gained=tuple(left), lost=tuple(lost), same=tuple(same))


def _are_same(one: Opening, other: Opening) -> bool:
    return one.about == other.about and abs(one.fired_at - other.fired_at) <= JOIN
