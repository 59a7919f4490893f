"""What was not read: gaps found, and filled when a later run reads them; coverage by the hour.

`record` takes what a run says of its sources. A window that failed is a gap until some run reads
it; what a source says it could not give is one too. A run that reads over an open gap fills it: the
row keeps who found it and when, and gets who filled it and when; one filled in part is split.
`refresh` counts the hours that a load has touched into `source_hour`.

Whoever changes what was heard notes each touched hour in the temporary table `touched_cover`
(`begin` makes it), all in one transaction. The same run again changes nothing.

Cost: the runs and posts of the touched hours; a source that stays away touches its last two days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from pipelines import spans, warehouse
from pipelines.counts import local_zone
from pipelines.spans import Span

HOUR = timedelta(hours=1)
AWAY = timedelta(hours=48)  # how far back the hours of a source that stays away are counted again
APART = timedelta(hours=24)  # touched hours further apart than this are read in two statements
LONGEST = timedelta(days=31)  # of one statement, whose windows are held in memory
MOST_READS = 20  # groups of hours read apart; beyond, neighbours are read together
TOLD = "told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one run says of one source block. `gaps` are spans that the source could not give."""

    run_id: str
    source_name: str
    since_at: datetime
    until_at: datetime
    status: str
    finished_at: datetime
    gaps: tuple[Span, ...] = ()

    @property
    def window(self) -> Span:
        return self.since_at, self.until_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A span that a source block could not be read for; `filled_by` a later run, if any."""

    source_name: str
    since_at: datetime
    until_at: datetime
    reason: str
    found_by: str
    found_at: datetime
    filled_by: str | None = None
    filled_at: datetime | None = None

    @property
    def span(self) -> Span:
        return self.since_at, self.until_at


def begin(connection: warehouse.Connection) -> None:
    """Make the empty table `touched_cover`, one row per touched hour."""
    connection.execute("create or replace temp table touched_cover (hour_at timestamptz)")


def record(
    connection: warehouse.Connection, readings: Sequence[Reading], *, loaded_at: datetime
) -> None:
    """Bring gaps and hours to what a run says; its rows of `intake` are there already.

    Hours are as they stood when the run ended, whenever it is loaded.
    """
    as_of = max((reading.finished_at for reading in readings), default=loaded_at)
    _record_starts(connection, readings)
    for reading in _of_note(connection, readings):
        _record_gaps(connection, reading)
    _refresh(connection, _touched(connection, readings, as_of), as_of=as_of)
    for name in ("touched_cover", "staged_heard", "known_heard", "new_heard"):
        connection.execute(f"drop table if exists temp.{name}")


def _record_starts(connection: warehouse.Connection, readings: Sequence[Reading]) -> None:
    rows = connection.execute("select source_name from source_start").fetchall()
    known = {name for (name,) in rows}
    for reading in readings:
        if reading.status == "ok" and reading.source_name not in known:
            start: dict[str, Any] = {"source_name": reading.source_name}
            start |= {"since_at": reading.since_at, "until_at": reading.until_at}
            warehouse.run(connection, "writes/merge_source_start", start)


# --- gaps


def _of_note(connection: warehouse.Connection, readings: Sequence[Reading]) -> list[Reading]:
    """The readings that may find or fill a gap: most go well over time that none is known in."""
    whole = spans.merged(reading.window for reading in readings)
    if not whole:
        return []
    known = {gap.source_name for gap in gaps_of(connection, (whole[0][0], whole[-1][1]))}
    return [r for r in readings if r.status != "ok" or r.gaps or r.source_name in known]


def _record_gaps(connection: warehouse.Connection, reading: Reading) -> None:
    whole = spans.merged([reading.window, *reading.gaps])
    if not whole:
        return
    hull = (whole[0][0], whole[-1][1])
    known = [g for g in gaps_of(connection, hull) if g.source_name == reading.source_name]
    is_read = reading.status == "ok"
    if is_read:
        _fill(connection, reading, known)
    missing = list(reading.gaps) if is_read else [reading.window]
    own = [g.span for g in known if not is_read or g.found_by == reading.run_id]
    others = _read_by_others(connection, reading, hull, known)
    for span in spans.without(missing, [*own, *others]):
        _open(connection, reading, span, TOLD if is_read else reading.status)


def _fill(connection: warehouse.Connection, reading: Reading, known: Sequence[Gap]) -> None:
    """Mark what this run has read of the open gaps; what it has not stays open."""
    read = spans.without([reading.window], reading.gaps)
    for gap in known:
        filled = spans.merged(part for span in read for part in spans.within([gap.span], span))
        is_own_word = gap.found_by == reading.run_id and gap.reason == TOLD
        if gap.filled_by or not filled or is_own_word:
            continue
        warehouse.run(connection, "writes/gap_drop", _row(gap))
        for part in spans.without([gap.span], filled):
            _add(connection, replace(gap, since_at=part[0], until_at=part[1]))
        for part in filled:
            made = replace(gap, since_at=part[0], until_at=part[1])
            made = replace(made, filled_by=reading.run_id, filled_at=reading.finished_at)
            _add(connection, made)


def _read_by_others(
    connection: warehouse.Connection, reading: Reading, hull: Span, known: Sequence[Gap]
) -> list[Span]:
    """What other runs have read of the same source: a failure there loses nothing."""
    wanted: dict[str, Any] = {"source_name": reading.source_name, "run_id": reading.run_id}
    wanted |= {"since": hull[0], "until": hull[1]}
    return read_spans(_found(connection, "queries/coverage_read", wanted), known)


def _open(connection: warehouse.Connection, reading: Reading, span: Span, reason: str) -> None:
    """A new gap, or an open one of the same reason that ends where this begins, grown."""
    before = [
        g
        for g in gaps_of(connection, (span[0] - timedelta(seconds=1), span[1]))
        if (g.source_name, g.reason, g.until_at) == (reading.source_name, reason, span[0])
        and g.filled_by is None
    ]
    if reason != TOLD and before:
        warehouse.run(connection, "writes/gap_drop", _row(before[0]))
        _add(connection, replace(before[0], until_at=span[1]))
        return
    gap = Gap(
        source_name=reading.source_name,
        since_at=span[0],
        until_at=span[1],
        reason=reason,
        found_by=reading.run_id,
        found_at=reading.finished_at,
    )
    _add(connection, gap)


def _row(gap: Gap) -> dict[str, Any]:
    return {name: getattr(gap, name) for name in Gap.__slots__}


def _add(connection: warehouse.Connection, gap: Gap) -> None:
    warehouse.run(connection, "writes/gap_add", _row(gap))


# --- reading


def windows_of(
    connection: warehouse.Connection, span: Span, *, as_of: datetime | None = None
) -> list[dict[str, Any]]:
    """The windows that touch `span`: name, bounds, run, status, cap; as known at `as_of`."""
    return _rows(connection, "queries/coverage_windows", span, as_of)


def gaps_of(
    connection: warehouse.Connection, span: Span, *, as_of: datetime | None = None
) -> list[Gap]:
    """The gaps that touch `span`, as known at `as_of`."""
    return [Gap(**row) for row in _rows(connection, "queries/coverage_gaps", span, as_of)]


_END = datetime(9999, 1, 1, tzinfo=UTC)


def _rows(
    connection: warehouse.Connection, name: str, span: Span, as_of: datetime | None
) -> list[dict[str, Any]]:
    bounds = {"since": span[0], "until": span[1], "as_of": as_of or _END}
    return _found(connection, name, bounds)


def _found(
    connection: warehouse.Connection, name: str, given: Mapping[str, Any]
) -> list[dict[str, Any]]:
    found = warehouse.run(connection, name, given)
    columns = [column[0] for column in found.description or ()]
    return [dict(zip(columns, map(_utc, row), strict=True)) for row in found.fetchall()]


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def read_spans(windows: Iterable[Mapping[str, Any]], gaps: Iterable[Gap]) -> list[Span]:
    """What the windows that went well have read, less what their runs told they could not."""
    told: dict[str, list[Span]] = {}
    for gap in gaps:
        if gap.reason == TOLD:
            told.setdefault(gap.found_by, []).append(gap.span)
    well = (window for window in windows if window["status"] == "ok")
    return spans.merged(
        part
        for window in well
        for part in spans.without(
            [(window["since_at"], window["until_at"])], told.get(window["run_id"], [])
        )
    )


# --- hours


def _touched(
    connection: warehouse.Connection, readings: Sequence[Reading], as_of: datetime
) -> list[datetime]:
    """The hours to count again, in order: those read, those heard of, this one and the last.

    An export may tell of years before anything was listened to: those hours have no coverage.
    """
    rows = connection.execute(
        "select distinct hour_at from touched_cover"
        " where hour_at > (select min(since_at) - interval 1 hour from source_start)"
    ).fetchall()
    found = {row[0].astimezone(UTC) for row in rows}
    for reading in readings:
        since = reading.since_at
        if reading.status != "ok":
            since = max(since, reading.until_at - AWAY)
        for start, end in spans.merged([(since, reading.until_at), *reading.gaps]):
            found |= set(_hours(start, end))
    found |= set(_hours(as_of - HOUR, as_of))
    if _is_new(connection):
        found |= _all_hours(connection)
    return sorted(hour for hour in found if hour < as_of)


def _is_new(connection: warehouse.Connection) -> bool:
    """Whether no hour has ever been counted: a new home, or one of an older version."""
    return connection.execute("select 1 from source_hour limit 1").fetchone() is None


def _all_hours(connection: warehouse.Connection) -> set[datetime]:
    bounds = connection.execute("select min(since_at), max(until_at) from intake").fetchone()
    if bounds is None or bounds[0] is None:
        return set()
    return set(_hours(bounds[0].astimezone(UTC), bounds[1].astimezone(UTC)))


def _hours(since: datetime, until: datetime) -> list[datetime]:
    """The hours (UTC) that a span touches, by their first instant."""
    at = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    found = []
    while at < until:
        found.append(at)
        at += HOUR
    return found


def _refresh(
    connection: warehouse.Connection, hours: Sequence[datetime], *, as_of: datetime
) -> None:
    """Count these hours again for every source block; a day that has begun to expire keeps its."""
    live = _live(connection, hours)
    if not live:
        return
    rows: list[dict[str, Any]] = []
    for group in _groups(live):
        rows += _counted(connection, group, as_of=as_of)
    if rows:
        connection.register("fresh_source_hour", pa.Table.from_pylist(rows, schema=_SCHEMA))
        warehouse.run(connection, "writes/merge_source_hour")
        connection.unregister("fresh_source_hour")


def _live(connection: warehouse.Connection, hours: Sequence[datetime]) -> list[datetime]:
    frozen = {row[0] for row in connection.execute("select day_on from frozen_day").fetchall()}
    if not frozen:
        return list(hours)
    zone = ZoneInfo(local_zone(connection))
    return [hour for hour in hours if hour.astimezone(zone).date() not in frozen]


def _groups(hours: Sequence[datetime]) -> list[list[datetime]]:
    """Hours that lie near each other together, farther ones too where there are many groups."""
    groups = _joined(hours, apart=APART)
    return groups if len(groups) <= MOST_READS else _joined(hours, apart=LONGEST)


def _joined(hours: Sequence[datetime], *, apart: timedelta) -> list[list[datetime]]:
    groups: list[list[datetime]] = []
    for hour in hours:
        is_near = groups and hour - groups[-1][-1] <= apart and hour - groups[-1][0] < LONGEST
        if is_near:
            groups[-1].append(hour)
        else:
            groups.append([hour])
    return groups


_SCHEMA = pa.schema(
    [("source_name", pa.string()), ("source", pa.string())]
    + [("hour_at", pa.timestamp("us", tz="UTC"))]
    + [
        (name, pa.int32())
        for name in (
            *("due_seconds", "read_seconds", "gap_seconds", "filled_seconds"),
            *("run_count", "failed_count", "waiting_count", "capped_count"),
            *("mention_count", "only_count", "timed_count"),
        )
    ]
    + [(name, pa.float64()) for name in ("late_p50_seconds", "late_p95_seconds")]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """What is known of one source block over some hours."""

    first_at: datetime
    runs: Mapping[datetime, Sequence[Mapping[str, Any]]]
    gaps: Sequence[Gap]
    read: Sequence[Span]


def _counted(
    connection: warehouse.Connection, hours: Sequence[datetime], *, as_of: datetime
) -> list[dict[str, Any]]:
    span = (hours[0], hours[-1] + HOUR)
    windows, gaps = windows_of(connection, span), gaps_of(connection, span)
    heard = {
        (row["source_name"], row["hour_at"]): row
        for row in _rows(connection, "queries/coverage_heard", span, None)
    }
    starts = dict(connection.execute("select source_name, since_at from source_start").fetchall())
    kinds = connection.execute("select source_name, source from source_block").fetchall()
    horizon = max((as_of, *(window["finished_at"] for window in windows)))
    rows = []
    for name, kind in kinds:
        mine = [w for w in windows if w["source_name"] == name]
        told = [g for g in gaps if g.source_name == name]
        first = starts.get(name) or min((w["since_at"] for w in mine), default=horizon)
        block = _Block(first_at=first, runs=_by_hour(mine), gaps=told, read=read_spans(mine, told))
        for hour in hours:
            row = {"source_name": name, "source": kind, "hour_at": hour}
            row |= _hour(block, hour, horizon) | _told_of(heard.get((name, hour), {}))
            rows.append(row)
    return rows


def _by_hour(
    windows: Iterable[Mapping[str, Any]],
) -> dict[datetime, list[Mapping[str, Any]]]:
    """The windows by the hour in which they end; one that ends with the hour is of that hour."""
    found: dict[datetime, list[Mapping[str, Any]]] = {}
    for window in windows:
        last = window["until_at"] - timedelta(microseconds=1)
        found.setdefault(last.replace(minute=0, second=0, microsecond=0), []).append(window)
    return found


def _hour(block: _Block, hour: datetime, horizon: datetime) -> dict[str, int]:
    """What became of one hour of one source block, in seconds and runs."""
    window = (hour, hour + HOUR)
    read = spans.within(block.read, window)
    due = spans.merged([*spans.within([(block.first_at, horizon)], window), *read])
    unread = spans.without(due, read)
    open_gaps = [g.span for g in block.gaps if g.filled_by is None]
    filled = [g.span for g in block.gaps if g.filled_by is not None]
    runs = block.runs.get(hour, ())
    return {
        "due_seconds": round(spans.seconds(due)),
        "read_seconds": round(spans.seconds(read)),
        "gap_seconds": round(sum(spans.seconds(spans.within(open_gaps, u)) for u in unread)),
        "filled_seconds": round(spans.seconds(spans.within(filled, window))),
        "run_count": len(runs),
        "failed_count": sum(w["status"] in ("failed", "missing") for w in runs),
        "waiting_count": sum(w["status"] == "waiting" for w in runs),
        "capped_count": sum(bool(w["is_capped"]) for w in runs),
    }


def _told_of(heard: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: heard.get(name, 0) for name in ("mention_count", "only_count", "timed_count")}
    return counts | {name: heard.get(name) for name in ("late_p50_seconds", "late_p95_seconds")}
