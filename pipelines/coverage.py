"""What was read and what was not over a span, how late, and what that means for its figures.

`between` tells it for every source block of the settings, as known at a moment: a gap that was
filled later shows as open. How much is missing is what a source usually brings in the hours that
were not read, times the pace of the day: what the other sources brought in those hours against
their own usual. In a crisis the usual alone would be far too little. It is an estimate, and silent
below a week of history. `overlaps` estimates recall where two sources hear the same network
(`pipelines/recall.py`).

Reads, never writes. Cost: the runs of the span, and four weeks of `source_hour`, whose size does
not depend on how much is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pipelines import gaps, spans, warehouse
from pipelines.gaps import TOLD, Gap
from pipelines.recall import Recall, estimate
from pipelines.spans import Span

State = Literal["ok", "silent", "late", "never"]
LATE_RUNS = 3  # missed readings before a source is late
LATE_MINUTES = 30
SETTLED = timedelta(hours=1)  # the newest posts are still being found: no recall of them
_SLIVER = timedelta(minutes=1)  # windows of runs may stand a few seconds apart
_HOUR = timedelta(hours=1)
_LEAST_USUAL = 5.0  # mentions of others; below, their pace is chance
_SLOWEST, _FASTEST = 0.1, 50.0

Row = Mapping[str, Any]
Usual = Mapping[tuple[int, bool], Row]  # by local hour of the day and whether it is a week-end


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCover:
    """How one source block was read over a span, and what was therefore not heard.

    `unread` is what no run has read; `gaps` holds those filled since as well, cut to the span;
    `capped` are the windows that a limit cut short without a word of what is missing, of all
    `capped_count` that were cut. Of mentions: `usual_count` is what it usually
    brings in as long, `usual_unheard` what it alone usually brings in the unread hours, and
    `unheard_count` the same at the pace of the day; None where the history is too short. Lateness
    in minutes; None where nothing of it can be timed.
    """

    name: str
    kind: str
    state: State
    since_at: datetime | None
    read_at: datetime | None
    last_status: str | None
    every_minutes: int
    due: tuple[Span, ...]
    unread: tuple[Span, ...]
    gaps: tuple[Gap, ...]
    capped: tuple[Span, ...]
    capped_count: int
    run_count: int
    failed_count: int
    waiting_count: int
    mention_count: int
    usual_count: float | None
    usual_unheard: float | None
    unheard_count: float | None
    late_p50: float | None = None
    late_p95: float | None = None

    @property
    def read_share(self) -> float | None:
        """The part of the span that was read, 0..1; None where nothing was due."""
        due = spans.seconds(self.due)
        return 1 - spans.seconds(self.unread) / due if due else None

    @property
    def patience(self) -> timedelta:
        """How long this source may stay unread before it counts as late."""
        return timedelta(minutes=max(LATE_RUNS * self.every_minutes, LATE_MINUTES))

    @property
    def is_whole(self) -> bool:
        """Whether all that was due has been read, and nothing was cut short."""
        return not self.unread and not self.capped


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The coverage of a span, as known at `as_of`: by source, and all together."""

    since: datetime
    until: datetime
    as_of: datetime
    sources: tuple[SourceCover, ...]
    late_p50: float | None = None
    late_p95: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every source was read as it should, and none was cut short."""
        return all(source.is_whole for source in self.sources)

    @property
    def unheard_count(self) -> float | None:
        """The mentions that are likely missing; None where it is not known."""
        missing = [s for s in self.sources if s.unread]
        if any(s.unheard_count is None for s in missing):
            return None
        return sum(s.unheard_count or 0.0 for s in missing)

    @property
    def unheard_share(self) -> float:
        """What is usually heard in what was not read, as a share 0..1 of all that usually is.

        What is not known counts as 0.
        """
        usual = sum(s.usual_count or 0.0 for s in self.sources)
        unheard = sum(s.usual_unheard or 0.0 for s in self.sources)
        return min(unheard / usual, 1.0) if usual else 0.0

    @property
    def missing_share(self) -> float | None:
        """What is likely missing as a share 0..1 of what there likely was; None: not known."""
        missing = self.unheard_count
        if missing is None:
            return None
        counted = sum(source.mention_count for source in self.sources)
        return missing / (counted + missing) if missing else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Two source blocks that hear one network, and the recall that follows; None: too few."""

    network: str
    first: str
    second: str
    both_count: int
    recall: Recall | None


def between(
    connection: warehouse.Connection,
    *,
    since: datetime,
    until: datetime,
    as_of: datetime,
    zone: ZoneInfo,
) -> Coverage:
    """How every source block was read from `since` to `until` (aware), as known at `as_of`."""
    span = (since, until)
    reader = _Reader(connection, span, as_of, zone)
    found = tuple(_source(reader, row) for row in reader.rows("coverage_last"))
    late = {row["source_name"]: row for row in reader.rows("coverage_late")}
    paced = (_paced(reader, source, found) for source in found)
    told = [_timed(source, late.get(source.name)) for source in paced]
    every = late.get(None, {})
    return Coverage(
        since=since,
        until=until,
        as_of=as_of,
        sources=tuple(told),
        late_p50=every.get("p50_minutes"),
        late_p95=every.get("p95_minutes"),
    )


def overlaps(
    connection: warehouse.Connection, *, since: datetime, until: datetime, as_of: datetime
) -> list[Overlap]:
    """The pairs of sources that heard some post in common, with the recall that follows."""
    last = min(until, as_of - SETTLED)
    reader = _Reader(connection, (since, last), as_of, ZoneInfo("UTC"))
    return [
        Overlap(
            network=row["network"],
            first=row["first_name"],
            second=row["second_name"],
            both_count=row["both_count"],
            recall=estimate(row["first_count"], row["second_count"], row["both_count"]),
        )
        for row in (reader.rows("coverage_overlap") if since < last else ())
    ]


class _Reader:
    """The queries of one coverage, all with the same bounds, and what several parts need."""

    def __init__(
        self, connection: warehouse.Connection, span: Span, as_of: datetime, zone: ZoneInfo
    ) -> None:
        self._connection = connection
        self.span, self.as_of, self.zone = span, as_of, zone
        self.windows = gaps.windows_of(connection, span, as_of=as_of)
        self.gaps = gaps.gaps_of(connection, span, as_of=as_of)
        self.usual: dict[str, dict[tuple[int, bool], Row]] = {}
        for row in self.rows("coverage_usual"):
            hours = self.usual.setdefault(row["source_name"], {})
            hours[row["hour"], row["is_weekend"]] = row
        self.counts: dict[str, dict[datetime, int]] = {}
        for row in self.rows("coverage_counts"):
            counted = self.counts.setdefault(row["source_name"], {})
            counted[row["hour_at"]] = row["mention_count"]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of `sql/queries/<name>.sql`, by column name, times in UTC."""
        bounds = {"since": self.span[0], "until": self.span[1], "as_of": self.as_of}
        found = warehouse.run(self._connection, f"queries/{name}", bounds | {"zone": self.zone.key})
        columns = [column[0] for column in found.description or ()]
        return [dict(zip(columns, map(_utc, row), strict=True)) for row in found.fetchall()]


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _source(reader: _Reader, row: Row) -> SourceCover:
    name = row["source_name"]
    windows = [w for w in reader.windows if w["source_name"] == name]
    told = [g for g in reader.gaps if g.source_name == name]
    state, since_at = _state(row, reader.as_of)
    if since_at is not None and since_at >= reader.span[1]:
        state = "ok"  # a trouble of today is none of a span that was over before
    due = _due(row, state, reader.span)
    unread = spans.without(due, gaps.read_spans(windows, told))
    unread = [span for span in unread if span[1] - span[0] >= _SLIVER]
    usual = reader.usual.get(name)
    inside = [w for w in windows if reader.span[0] < w["until_at"] <= reader.span[1]]
    return SourceCover(
        name=name,
        kind=row["source"],
        state=state,
        since_at=since_at,
        read_at=row["read_at"],
        last_status=row["last_status"],
        every_minutes=row["every_minutes"],
        due=tuple(due),
        unread=tuple(unread),
        gaps=tuple(_shown(told, reader.span)),
        capped=tuple(_capped(windows, reader.span)),
        capped_count=sum(bool(w["is_capped"]) for w in inside),
        run_count=len(inside),
        failed_count=sum(w["status"] in ("failed", "missing") for w in inside),
        waiting_count=sum(w["status"] == "waiting" for w in inside),
        mention_count=sum(reader.counts.get(name, {}).values()),
        usual_count=_usually(usual, [reader.span], reader.zone, "mention_count"),
        usual_unheard=_usually(usual, unread, reader.zone, "only_count"),
        unheard_count=None,
    )


def _paced(reader: _Reader, source: SourceCover, every: Sequence[SourceCover]) -> SourceCover:
    """The source with what is likely missing: its usual, at the pace that the others kept then."""
    if source.usual_unheard is None:
        return source
    others = [other for other in every if other.name != source.name]
    heard = usual = 0.0
    for start, end in _hours(source.unread):
        part = (end - start) / _HOUR
        hour = start.replace(minute=0, second=0, microsecond=0)
        for other in others:
            read = spans.within(spans.without([(start, end)], other.unread), (start, end))
            known = _usually(reader.usual.get(other.name), read, reader.zone, "mention_count")
            if known:
                heard += reader.counts.get(other.name, {}).get(hour, 0) * part
                usual += known
    pace = min(max(heard / usual, _SLOWEST), _FASTEST) if usual >= _LEAST_USUAL else 1.0
    return replace(source, unheard_count=source.usual_unheard * pace)


def _hours(found: Sequence[Span]) -> list[Span]:
    """The spans cut at each full hour (UTC)."""
    cut = []
    for start, end in found:
        at = start.astimezone(UTC)
        while at < end:
            after = min(_next_hour(at), end.astimezone(UTC))
            cut.append((at, after))
            at = after
    return cut


def _state(row: Row, as_of: datetime) -> tuple[State, datetime | None]:
    """Whether a source is read as it should, and since when it is not."""
    read_at, newest_at = row["read_at"], row["newest_at"]
    if read_at is None:
        return "never", None
    allowed = max(LATE_RUNS * row["every_minutes"], LATE_MINUTES)
    if as_of - read_at > timedelta(minutes=allowed):
        return "late", read_at
    if newest_at is None or as_of - newest_at > timedelta(minutes=row["silent_after_minutes"]):
        return "silent", newest_at
    return "ok", None


def _due(row: Row, state: State, span: Span) -> list[Span]:
    """What should have been read: not what came before a source was set up, nor what the next
    run will read, unless the last one has failed."""
    if state == "never":
        return [span]
    is_behind = state == "late" or row["last_status"] not in (None, "ok")
    last = span[1] if is_behind else min(span[1], row["read_at"])
    return spans.within([(row["first_at"], last)], span)


def _shown(told: Sequence[Gap], span: Span) -> list[Gap]:
    """Gaps cut to the span; where a source says itself what is lost, its word is the last."""
    lost = [g.span for g in told if g.reason == TOLD and g.filled_by is None]
    cut = [
        replace(gap, since_at=part[0], until_at=part[1])
        for gap in told
        for part in spans.without(
            spans.within([gap.span], span),
            [] if gap.reason == TOLD or gap.filled_by else lost,
        )
    ]
    return sorted(_joined(cut), key=lambda g: (g.since_at, g.until_at))


def _joined(found: Sequence[Gap]) -> list[Gap]:
    """Gaps of one reason and fate that touch, as one: a source cut run after run is one trouble."""
    groups: dict[tuple[str, str | None], list[Gap]] = {}
    for gap in found:
        groups.setdefault((gap.reason, gap.filled_by), []).append(gap)
    return [
        replace(
            min(group, key=lambda g: g.found_at),
            since_at=start,
            until_at=end,
            filled_at=group[0].filled_at,
        )
        for group in groups.values()
        for start, end in spans.merged(g.span for g in group)
    ]


def _capped(windows: Sequence[Row], span: Span) -> list[Span]:
    """The windows of which a part was not shown, nobody knows which: a gap that is told says it."""
    cut = [
        (w["since_at"], w["until_at"])
        for w in windows
        if w["is_capped"] and w["status"] == "ok" and not w["has_told"]
    ]
    return spans.within(cut, span)


def _usually(usual: Usual | None, found: Sequence[Span], zone: ZoneInfo, name: str) -> float | None:
    """What a source usually brings in these spans: each hour by its part; None without history."""
    if usual is None:
        return None
    total = 0.0
    for start, end in _hours(found):
        local = start.astimezone(zone)
        row = usual.get((local.hour, local.isoweekday() >= 6), {})
        total += row.get(name, 0.0) * ((end - start) / _HOUR)
    return total


def _next_hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + _HOUR


def _timed(source: SourceCover, late: Row | None) -> SourceCover:
    if late is None:
        return source
    return replace(source, late_p50=late["p50_minutes"], late_p95=late["p95_minutes"])
