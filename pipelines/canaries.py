"""Canary posts: what the institution plants to see whether it is heard, and how late.

A canary is declared in `vigie.toml` (`[[canaries]]`): its word or address, when it is planted,
which source blocks should hear it. The load notes each one that passes (`canary_heard`); here
plantings and hearings are put together. Reads the warehouse, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pipelines import warehouse
from pipelines.settings import Canary

EARLY = timedelta(minutes=15)  # a post may be out a little before the hour that is written down
_LONGEST = timedelta(days=7)  # the most that `within_minutes` allows


@dataclass(frozen=True, slots=True, kw_only=True)
class Planting:
    """One planted post and one source block: heard, missed, or not due yet.

    `late_minutes` from its publication to the run that first heard it; None unless it was heard.
    """

    canary_id: str
    source_name: str
    planted_at: datetime
    state: Literal["heard", "missed", "awaited"]
    late_minutes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hearing:
    canary_id: str
    source_name: str
    published_at: datetime
    heard_at: datetime


def plantings(
    connection: warehouse.Connection,
    canaries: Sequence[Canary],
    *,
    since: datetime,
    until: datetime,
    as_of: datetime,
    zone: ZoneInfo,
) -> list[Planting]:
    """Every planting from `since` to `until` with what became of it by `as_of` (all aware)."""
    if not canaries:
        return []
    bounds = {"since": since - EARLY, "until": until + _LONGEST, "as_of": as_of}
    rows = warehouse.run(connection, "queries/coverage_canaries", bounds).fetchall()
    heard = [
        _Hearing(canary_id=c, source_name=s, published_at=p.astimezone(UTC), heard_at=h)
        for c, s, p, h in rows
    ]
    return [
        _judged(canary, name, at, heard, as_of)
        for canary in canaries
        for at in moments(canary, since=since, until=until, zone=zone)
        for name in canary.sources
    ]


def moments(
    canary: Canary, *, since: datetime, until: datetime, zone: ZoneInfo
) -> Iterator[datetime]:
    """When a canary is planted within a span (UTC, half open), in order."""
    if canary.daily_at is None:
        yield from sorted(at.astimezone(UTC) for at in canary.planted_at if since <= at < until)
        return
    day = since.astimezone(zone).date()
    while day <= until.astimezone(zone).date():
        at = datetime.combine(day, canary.daily_at, tzinfo=zone).astimezone(UTC)
        if since <= at < until:
            yield at
        day += timedelta(days=1)


def _judged(
    canary: Canary, name: str, at: datetime, heard: Sequence[_Hearing], as_of: datetime
) -> Planting:
    """What became of one planting: its post is the first that came out from then on."""
    last = at + timedelta(minutes=canary.within_minutes)
    own = [
        h
        for h in heard
        if (h.canary_id, h.source_name) == (canary.id, name) and at - EARLY <= h.published_at < last
    ]
    first = min(own, key=lambda h: h.heard_at, default=None)
    if first is None:
        state: Literal["missed", "awaited"] = "missed" if as_of >= last else "awaited"
        return Planting(canary_id=canary.id, source_name=name, planted_at=at, state=state)
    late = (first.heard_at - first.published_at) / timedelta(minutes=1)
    return Planting(
        canary_id=canary.id,
        source_name=name,
        planted_at=at,
        state="heard",
        late_minutes=max(late, 0.0),
    )
